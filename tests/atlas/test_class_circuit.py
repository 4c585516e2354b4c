"""The circuit of a class: the planted one of a hand-wired network, and a file that all readers of circuits take."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from circuits.atlas.atlas import Atlas
from circuits.atlas.build import build_atlas
from circuits.atlas.class_circuit import expand_class, is_of_atlas
from circuits.errors import InputError, UnknownError
from circuits.report.circuit import to_html
from circuits.report.circuit_svg import svg_file
from circuits.report.sentences import as_text, unit_in_words
from circuits.tracing.circuit import Circuit
from circuits.tracing.compare import compare
from circuits.tracing.trace import expand, trace
from tests.support.wiring import SIDE, Join, Stage, Wiring, colours

WIRED = Wiring(
    Stage("parts", wheel="2 red", window="green", leaf="blue"),
    Stage("cars", of="parts", car="wheel + window", hood="wheel - 2 window"),
    Stage("plants", of="parts", tree="3 leaf"),
    Join("things", "cars", "plants"),
    Stage("classes", vehicle="3 car - tree + 0.5", plant="2 tree - car"),
)


def save(folder: Path, name: str, count: int, **shades: int) -> list[Path]:
    """Photos of a class: one colour that is a bit different in each."""
    files = []
    for number in range(count):
        chance = np.random.default_rng(number)
        file = folder / name / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        shade = {colour: chance.integers(value // 2, value + 1, (SIDE, SIDE)) for colour, value in shades.items()}
        Image.fromarray(colours(**shade)).save(file)
        files.append(file)
    return files


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    """Of twenty vehicles, which are red and green, and eight plants, which are blue."""
    folder = tmp_path_factory.mktemp("wired")
    save(folder / "photos", "vehicle", 20, red=9, green=8, blue=1)
    save(folder / "photos", "plant", 8, red=1, green=1, blue=9)
    build_atlas(WIRED.network(), folder / "photos", folder / "atlas", layers=WIRED.order)
    return Atlas.open(folder / "atlas")


class TestKnownCircuit:
    def test_it_is_the_planted_one(self, atlas: Atlas) -> None:
        circuit = atlas.circuit("vehicle", depth=3, top=5)
        edges = [edge for name in circuit.visible for edge in circuit.edges_into(name)]
        found = {(WIRED.address(edge.source)[1], WIRED.address(edge.target)[1]) for edge in edges}
        assert found == {("car", "vehicle"), ("car", "car"), ("wheel", "car"), ("window", "car")}
        assert circuit.root == WIRED.called(("classes", "vehicle"))

    def test_both_signs_show_what_argues_against_it(self, atlas: Atlas) -> None:
        circuit = atlas.circuit("vehicle", depth=1, signs="both")
        assert [WIRED.address(edge.source)[1] for edge in circuit.edges_into(circuit.root)] == ["car", "tree"]
        assert [edge.attribution > 0 for edge in circuit.edges_into(circuit.root)] == [True, False]

    def test_every_edge_is_the_mean_of_the_traces_of_its_photos(self, atlas: Atlas) -> None:
        circuit = atlas.circuit("vehicle", depth=3, signs="both")
        traced = [
            trace(WIRED.network(), file, "vehicle", depth=3, mode="target", signs="both")
            for file in sorted(Path(atlas.record.folder, "vehicle").iterdir())
        ]
        for name in circuit.visible:
            for edge in circuit.edges_into(name):
                rows = [each.graph.get_edge_data(edge.source, edge.target) for each in traced]
                mean = sum(row["attribution"] for row in rows if row) / len(traced)
                assert edge.attribution == pytest.approx(mean, rel=1e-5)
                assert (edge.photos, edge.error is not None) == (20, True)
                assert 0 <= (edge.consistency or 0) <= 1
        values = [each.nodes[each.root].value for each in traced]
        error = float(np.std(values, ddof=1)) / 20**0.5
        assert circuit.nodes[circuit.root].error == pytest.approx(error, rel=1e-4)

    def test_books_close(self, atlas: Atlas) -> None:
        circuit = atlas.circuit("vehicle", depth=3, signs="both")
        for node in circuit.nodes.values():
            if node.books is not None:
                assert node.books.exact
                assert node.books.shown + node.books.rest + node.books.bias == pytest.approx(node.value, abs=1e-5)
        books = circuit.nodes[circuit.root].books
        assert books is not None
        assert books.bias == pytest.approx(0.5, abs=1e-5)

    def test_a_single_batch_does_not_say_how_sure_it_is(self, atlas: Atlas) -> None:
        edges = atlas.circuit("plant", depth=1).edges_into(WIRED.called(("classes", "plant")))
        assert [(edge.photos, edge.error) for edge in edges] == [(8, None)]


class TestFile:
    def test_it_is_written_and_read_again(self, atlas: Atlas, tmp_path: Path) -> None:
        circuit = atlas.circuit("vehicle", depth=2)
        circuit.to_json(tmp_path / "vehicle.json")
        assert Circuit.from_json(tmp_path / "vehicle.json") == circuit
        assert circuit.to_dict()["format"] == "circuits/2"
        assert circuit.collection is not None
        assert (circuit.collection.photos, circuit.photo_info.name) == (20, "20 photos of vehicle")

    def test_the_readers_of_circuits_take_it(self, atlas: Atlas) -> None:
        circuit = atlas.circuit("vehicle", depth=3)
        page = to_html(circuit)
        assert "on 20 photos of vehicle" in page
        assert ", the mean over 20 photos." in page
        drawn = svg_file(circuit)
        assert "on 20 photos of vehicle" in drawn
        assert "over 20 photos, among the five strongest in the batches of all 20 photos" in drawn
        assert set(circuit.to_networkx().nodes) == circuit.visible

    def test_compared_with_a_photo_it_says_what_this_one_has(self, atlas: Atlas) -> None:
        photo = np.asarray(colours(red=9, green=0, blue=0))
        one = trace(WIRED.network(), photo, "vehicle", depth=3, mode="target")
        comparison = compare(one, atlas.circuit("vehicle", depth=3))
        assert comparison.same_network
        assert [WIRED.address(name)[1] for name in comparison.right] == ["window"]  # that vehicles usually have
        assert comparison.left == ()

    def test_a_file_of_one_photo_may_not_speak_of_several(self, atlas: Atlas) -> None:
        one = trace(WIRED.network(), np.asarray(colours(red=9)), "vehicle", depth=1).to_dict()
        one["edges"][0]["photos"] = 3
        with pytest.raises(InputError, match="speaks of several photos"):
            Circuit.from_dict(one)

    def test_it_cannot_be_expanded_for_want_of_a_photo(self, atlas: Atlas) -> None:
        circuit = atlas.circuit("vehicle", depth=1)
        with pytest.raises(InputError, match="explains 20 photos of vehicle together"):
            expand(WIRED.network(), circuit, circuit.edges_into(circuit.root)[0].source)

    def test_more_links_than_are_kept_are_refused(self, atlas: Atlas) -> None:
        with pytest.raises(InputError, match="top is 9, and an atlas keeps the 8 strongest"):
            atlas.circuit("vehicle", top=9)


class TestCircuitOfAUnit:
    def test_it_is_the_mean_of_traces_of_the_unit_over_the_photos_of_all_classes(self, atlas: Atlas) -> None:
        unit = WIRED.called(("things", "car"))
        circuit = atlas.circuit(unit, depth=2, signs="both")
        assert (circuit.root, circuit.target.kind, circuit.settings.mode) == (unit, "unit", "sum")
        traced = [
            trace(WIRED.network(), file, unit, depth=2, mode="sum", signs="both")
            for file in Path(atlas.record.folder).rglob("*.png")
        ]
        assert circuit.visible == set().union(*(each.visible for each in traced))
        for name in circuit.visible:
            values = [each.nodes[name].value if name in each.nodes else 0.0 for each in traced]
            assert name.startswith("parts") or circuit.nodes[name].value == pytest.approx(np.mean(values), rel=1e-5)
            for edge in circuit.edges_into(name):
                rows = [each.graph.get_edge_data(edge.source, edge.target) for each in traced]
                mean = sum(row["attribution"] for row in rows if row) / len(traced)
                assert (edge.attribution, edge.photos) == (pytest.approx(mean, rel=1e-5), 28)
            books = circuit.nodes[name].books
            if books is not None:
                assert books.exact
                assert books.shown + books.rest + books.bias == pytest.approx(circuit.nodes[name].value, rel=1e-5)

    def test_it_is_a_circuit_as_any_other(self, atlas: Atlas, tmp_path: Path) -> None:
        unit = WIRED.called(("cars", "car"))
        circuit = atlas.circuit(unit, depth=1)
        circuit.to_json(tmp_path / "car.json")
        assert Circuit.from_json(tmp_path / "car.json") == circuit
        assert circuit.photo_info.name == "28 photos of 2 classes"
        assert "on 28 photos of 2 classes" in to_html(circuit)
        shallow = atlas.circuit(WIRED.called(("things", "car")), depth=1)
        deeper = expand_class(atlas, shallow, unit)
        assert {edge.source: edge.attribution for edge in deeper.edges_into(unit)} == {
            edge.source: edge.attribution for edge in circuit.edges_into(unit)
        }
        top = WIRED.called(("classes", "vehicle"))
        assert atlas.circuit(top, depth=2) == atlas.circuit("vehicle", depth=2)
        with pytest.raises(InputError, match="parts:0 is in the lowest layer; only the image is below it"):
            atlas.circuit("parts:0")
        with pytest.raises(UnknownError, match="No unit cars:9"):
            atlas.circuit("cars:9")
        with pytest.raises(UnknownError, match="Layer 'bikes' is not in the atlas, which has parts, "):
            atlas.circuit("bikes:0")
        with pytest.raises(InputError, match="cars is a layer; give one of its units, such as cars:0"):
            atlas.circuit("cars")
        with pytest.raises(InputError, match=f"over all positions, and {unit}@0,1 is one of them; give {unit}"):
            atlas.circuit(f"{unit}@0,1")


class TestExpansion:
    def test_it_is_what_a_deeper_circuit_has(self, atlas: Atlas) -> None:
        shallow, deep = (atlas.circuit("vehicle", depth=depth, top=2) for depth in (1, 2))
        for name in sorted(shallow.visible - {shallow.root}):
            shallow = expand_class(atlas, shallow, name, top=2)
        assert {name: shallow.nodes[name].books for name in shallow.nodes} == {
            name: deep.nodes[name].books for name in deep.nodes
        }
        assert shallow.graph.edges == deep.graph.edges
        name = shallow.edges_into(shallow.root)[0].source
        assert len(expand_class(atlas, shallow, name, top=1).edges_into(name)) == 1

    def test_what_cannot_be_expanded_is_said(self, atlas: Atlas) -> None:
        circuit = atlas.circuit("vehicle", depth=3, top=2)
        low = next(name for name, node in circuit.nodes.items() if node.unit.layer == atlas.layers[0].name)
        with pytest.raises(InputError, match="is in the lowest layer; only the image is below it"):
            expand_class(atlas, circuit, low)
        with pytest.raises(InputError, match="top is 9, and an atlas keeps the 8 strongest"):
            expand_class(atlas, circuit, circuit.root, top=9)
        other = circuit.to_dict()
        other["graph"]["collection"]["sha256"] = "0" * 64
        stranger = Circuit.from_dict(other)
        assert not is_of_atlas(atlas, stranger)
        with pytest.raises(InputError, match="does not have the photos of this circuit, 20 photos of vehicle"):
            expand_class(atlas, stranger, stranger.root)

    def test_sentences_name_no_place_in_a_photo(self, atlas: Atlas) -> None:
        circuit = atlas.circuit("vehicle", depth=1, top=1)
        [name] = circuit.visible - {circuit.root}
        words = as_text(circuit, unit_in_words(circuit, name))
        assert "has a mean peak of" in words
        assert "over 20 photos and accounts for" in words
        assert "row" not in words
