"""What the page finds out about a unit or an edge: numbers against the library, pictures against their pixels."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from circuits import heat_map, load_photo, trace
from circuits.evidence.saliency import gradient_picture
from circuits.exemplars.build import index_photos
from circuits.image.encode import from_data_uri, show_picture
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.network.receptive_field import receptive_field
from circuits.numbers import number as spoken
from circuits.report.sentences import has_places, peak_in_words
from circuits.tracing.circuit import Circuit
from circuits.tracing.node import Node
from circuits.units import Unit
from dashboard.answers import CollectionExemplars, NoCollection, Relative, SaliencyPicture
from dashboard.breakdowns import inspect
from dashboard.choice_texts import METHODS, STARTS
from dashboard.features.unit.in_photo import class_token_looks
from dashboard.features.unit.in_photo import patches as patches_of
from dashboard.gradient_pictures import NO_RECTIFIERS, controls, relative
from dashboard.library import PICTURE, Library
from dashboard.session.state import Looking, Session, Work
from dashboard.webp import WebP, webp, wide
from dashboard.work.collection import StoredCollection
from dashboard.work.evidence import Evidence
from dashboard.work.queue import CancelledError
from dashboard.work.results import IN_PHOTO, Query, ResultStore, token, webps
from tests.dashboard.features.test_view import words
from tests.support.actions import wanted
from tests.support.pretend import PaintedCollection, PaintedGallery
from tests.support.tokens import Tokens, handwired, tokens


def quiet(done: int, total: int, message: str) -> None:
    """A progress callback that nobody listens to."""


@pytest.fixture
def circuit(network: Network, photo: Photo) -> Circuit:
    return trace(network, photo, 4, depth=2, top=4, signs="both")


@pytest.fixture
def evidence(library: Library) -> Evidence:
    return Evidence(library, PaintedCollection())


@pytest.fixture
def lower(circuit: Circuit) -> str:
    """A unit of layer b that fired."""
    return max((name for name in circuit.visible if name.startswith("b:")), key=lambda name: circuit.nodes[name].max)


def opened(webp: WebP) -> Image.Image:
    return Image.open(io.BytesIO(webp.data)).convert("RGB")


def chosen(circuit: Circuit, name: str, edge: tuple[str, str] | None = None, looking: Looking | None = None) -> Session:
    return Session(Work(circuit=circuit, selected=name, edge=edge), looking=looking or Looking())


def test_the_first_spot_is_the_units_peak_with_the_pixels_that_it_sees(
    evidence: Evidence, circuit: Circuit, network: Network, lower: str
) -> None:
    spots = evidence.places(evidence.library.fit.cut(circuit), circuit, circuit.nodes[lower].unit).spots
    node = circuit.nodes[lower]
    assert 1 <= len(spots) <= 3
    assert (spots[0].position, spots[0].value) == (node.peak, pytest.approx(node.max))
    heat = heat_map(network, circuit, lower)
    assert [spot.value for spot in spots] == [heat[spot.position] for spot in spots]
    row, column = node.peak
    assert (spots[0].left, spots[0].top) == ((column + 0.5) / heat.shape[1], (row + 0.5) / heat.shape[0])
    box = receptive_field(network, "b").box(node.peak)
    seen = from_data_uri(circuit.photo_info.thumbnail).crop(box.corners)
    patch = opened(spots[0].patch)
    assert max(patch.size) == 160
    assert np.allclose(np.asarray(patch).mean((0, 1)), np.asarray(seen).mean((0, 1)), atol=6)


def test_the_part_of_the_picture_is_the_middle_field_at_the_pictures_zoom(
    evidence: Evidence, circuit: Circuit, gallery: PaintedGallery, network: Network, lower: str
) -> None:
    with pytest.raises(FileNotFoundError, match="has gone"):
        evidence.middle(circuit, lower)
    unit = Unit.parse(lower)
    field = receptive_field(network, "b")
    box = field.box(field.middle)
    marked = Image.new("RGB", (96, 96), "white")
    marked.paste("navy", tuple(3 * side for side in box.corners))
    marked.save(gallery.folder / f"{gallery.key(unit)}.webp", "WEBP", lossless=True)
    pixels = np.asarray(opened(evidence.middle(circuit, lower))).reshape(-1, 3)
    assert pixels.mean(0) == pytest.approx((0, 0, 128), abs=6)


def test_an_argument_adds_up_to_what_the_unit_adds_to_the_target(evidence: Evidence, circuit: Circuit) -> None:
    for edge in circuit.edges_into(circuit.root):
        argument = evidence.argument(circuit, edge.source)
        assert argument.total == pytest.approx(edge.attribution, rel=1e-4)


def test_the_maps_of_an_edge_add_up_to_its_attribution(evidence: Evidence, circuit: Circuit, lower: str) -> None:
    for upper in circuit.visible:
        for edge in circuit.edges_into(upper):
            found = evidence.edge(circuit, edge.source, edge.target)
            assert found.lower.total == pytest.approx(edge.attribution, rel=1e-3)
            assert found.upper.total == pytest.approx(edge.attribution, rel=1e-3)
            assert found.scalar == (upper == circuit.root)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("start", STARTS)
def test_gradient_pictures_are_made_in_every_way(
    evidence: Evidence, circuit: Circuit, lower: str, method: str, start: str
) -> None:
    found = evidence.saliency(circuit, lower, Looking(method, start))
    assert not found.empty
    assert found.around == (circuit.nodes[lower].peak if start == "peak" else None)
    assert max(opened(found.webp).size) == 340


def test_a_unit_and_the_one_above_are_cut_out_around_the_same_place(
    evidence: Evidence, circuit: Circuit, lower: str
) -> None:
    upper = next(edge.target for above in circuit.visible for edge in circuit.edges_into(above) if edge.source == lower)
    assert evidence.has_relative(circuit, lower, upper)
    found = evidence.relative(circuit, lower, upper, Looking("gradient"))
    assert found.upper == upper
    assert found.child.around == found.parent.around
    assert opened(found.child.webp).size == opened(found.parent.webp).size
    assert found.parent == evidence.saliency(circuit, upper, Looking("gradient"))


def test_topics_of_a_unit_and_of_an_edge(
    evidence: Evidence, circuit: Circuit, gallery: PaintedGallery, lower: str
) -> None:
    def names(session: Session) -> list[str]:
        return [query.name for query in wanted(session, evidence) if not query.name.startswith(IN_PHOTO)]

    assert names(chosen(circuit, circuit.root)) == ["heat", "standing", "argument", "saliency", "alike", "exemplars"]
    first = ["heat", "books", "standing", "pushes"]
    rest = ["places", "argument", "saliency", "relative", "alike", "exemplars"]
    assert names(chosen(circuit, lower)) == first + rest
    gallery.paint(Unit.parse(lower))
    assert "middle" in names(chosen(circuit, lower))
    assert names(chosen(circuit, lower, (lower, circuit.edges_into(circuit.root)[0].source))) == [
        "edge", "relative", "alike",
    ]  # fmt: skip
    assert names(chosen(circuit, "")) == ["alike"]
    assert names(Session(Work(circuit=circuit, selected=lower, locked="no network"))) == []


def test_a_key_changes_with_what_the_answer_depends_on_and_with_nothing_else(
    evidence: Evidence, circuit: Circuit, network: Network, photo: Photo, lower: str
) -> None:
    def keys(circuit: Circuit, looking: Looking | None = None) -> dict[str, str]:
        return {query.name: query.key for query in wanted(chosen(circuit, lower, looking=looking), evidence)}

    before = keys(circuit)
    discarded = evidence.library.discard(circuit, next(n for n in circuit.visible if n.startswith("b:") and n != lower))
    after = keys(discarded)
    assert {name for name in before if after[name] != before[name]} == {
        "alike",
        IN_PHOTO,
    }  # they speak of all units on the page
    other = keys(circuit, Looking("deconvnet"))
    assert {name for name in before if other[name] != before[name]} == {"saliency", "relative"}
    flipped = Photo(
        "patches", photo.sha256, photo.width, photo.height, photo.image.transpose(Image.Transpose.ROTATE_180)
    )
    turned = trace(network, flipped, 4, depth=2, top=4, signs="both")
    assert not set(keys(turned).values()) & set(before.values())


def test_the_board_forgets_what_was_looked_at_longest_ago_with_its_pictures() -> None:
    results = ResultStore(limit=2)
    first, second, third = (WebP(f"{n}" * 64, bytes([n])) for n in (1, 2, 3))
    results.put("a", (first,))
    results.put("b", {"most": (second,)})
    assert results.get("a") == (first,)
    results.put("c", third)
    assert [results.get(key) for key in "abc"] == [(first,), None, third]
    assert [results.picture(webp.key) for webp in (first, second, third)] == [b"\x01", None, b"\x03"]
    assert len(results) == 2
    assert results.answers([Query("places", "a", quiet), Query("edge", "x", quiet)]) == {
        "places": (first,),
        "edge": None,
    }


def test_the_page_is_told_of_three_steps() -> None:
    states = [
        {"heat": None, "places": None, "exemplars": None},
        {"heat": 1, "places": None, "exemplars": None},
        {"heat": 1, "places": 1, "saliency": None, "exemplars": None},
        {"heat": 1, "places": 1, "saliency": 1, "exemplars": None},
        {"heat": 1, "places": 1, "saliency": 1, "exemplars": 1},
    ]
    told = [token("b:1", state) for state in states]
    assert told == ["b:1 some", "b:1 first", "b:1 first", "b:1 photo", "b:1 all"]


def test_near_duplicates_are_told_of_as_soon_as_they_are_found() -> None:
    assert token("b:1", {"heat": None, "alike": None}) == "b:1 some"
    assert token("b:1", {"heat": None, "alike": ()}) == "b:1 some alike"


def test_an_index_is_found_as_soon_as_it_is_made_and_its_photos_are_shown(
    network: Network, photo: Photo, tmp_path: Path
) -> None:
    collection = StoredCollection(network, tmp_path / "indices")
    unit = Unit("b", 3)
    assert collection.of(unit, 1.0, quiet) == NoCollection()
    before = collection.stamp()
    for number in range(12):
        folder = tmp_path / "photos" / ("even", "odd")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        photo.image.rotate(30 * number).save(folder / f"{number}.png")
    index = index_photos(network, tmp_path / "photos", into=tmp_path / "indices")
    assert collection.stamp() != before
    highest = index.of(unit).most[0].value
    found = collection.of(unit, highest + 1, quiet)
    assert isinstance(found, CollectionExemplars)
    assert (found.photos, found.above, found.missing) == (12, 100.0, 0)
    assert [each.value for each in found.groups["most"]] == [each.value for each in index.of(unit).most]
    assert {each.group for each in found.groups["most"]} <= {"even", "odd"}
    assert sum(count for _, count in found.classes) == 9
    assert len(list(webps(found))) == sum(len(group) for group in found.groups.values())
    index.of(unit).most[0].photo.unlink()
    assert collection.of(unit, 0.0, quiet).missing >= 1

    def stop(done: int, total: int, message: str) -> None:
        raise CancelledError

    with pytest.raises(CancelledError, match=r"^$"):
        collection.of(unit, 0.0, stop)


def test_a_difference_of_classes_is_shown_as_a_difference(evidence: Evidence, network: Network, photo: Photo) -> None:
    first, second = network.labels[:2]
    circuit = trace(network, photo, f"{first} - {second}", depth=1, top=1)

    def drawn(values: np.ndarray) -> str:
        return webp(wide(show_picture(values), PICTURE)).key

    found = evidence.saliency(circuit, circuit.root, Looking("gradient")).webp.key
    alone = gradient_picture(network, circuit, circuit.nodes[circuit.root].unit)
    assert found == drawn(gradient_picture(network, circuit, circuit.root)) != drawn(alone)
    child = circuit.edges_into(circuit.root)[0].source
    assert evidence.relative(circuit, child, circuit.root, Looking("gradient")).parent.webp.key == found


def test_a_relative_picture_through_which_nothing_passes_is_said_in_words(circuit: Circuit, lower: str) -> None:
    grey = WebP("0" * 64, b"")
    found = Relative(circuit.root, SaliencyPicture(grey, None, True), SaliencyPicture(grey, None, False))
    label = circuit.nodes[circuit.root].label
    assert f"all grey: with this method no pixel affects {label} here via {lower}" in words(
        relative(lower, circuit, found)
    )
    passed = Relative(circuit.root, SaliencyPicture(grey, None, False), SaliencyPicture(grey, None, False))
    assert "all grey" not in words(relative(lower, circuit, passed))


def test_of_a_transformer_the_page_takes_the_plain_gradient_where_guided_is_not_defined(
    gallery: PaintedGallery,
) -> None:
    network = handwired()
    library, circuit = Library(network, gallery), trace(network, "example:cat", "warm", depth=1, signs="both")
    child, evidence = circuit.edges_into(circuit.root)[0].source, Evidence(library, PaintedCollection())
    guided, plain = Looking("guided"), Looking("gradient")
    assert (guided.among(library.methods), plain.among(library.methods)) == (plain, plain)
    assert guided.among(tuple(METHODS)) == guided
    assert evidence.saliency(circuit, child, guided) == evidence.saliency(circuit, child, plain)
    assert evidence.has_relative(circuit, child, circuit.root)
    assert evidence.relative(circuit, child, circuit.root, guided).upper == circuit.root
    page = words(controls(guided, inspect(library, circuit, child, "").methods))
    assert NO_RECTIFIERS in page
    assert "guided" not in page.replace(NO_RECTIFIERS, "")
    assert NO_RECTIFIERS not in words(controls(guided, tuple(METHODS)))


def test_of_a_class_token_the_page_shows_where_it_looks_and_no_place(gallery: PaintedGallery) -> None:
    network = handwired()
    circuit = trace(network, "example:cat", "warm", depth=2, signs="both")
    evidence, root = Evidence(Library(network, gallery), PaintedCollection()), circuit.root
    token, patches = "blocks.1.act.cls:0", "patch:0"
    assert {token, patches} <= circuit.visible
    for name in (token, root):
        looks = evidence.class_token_looks(circuit, name)
        assert (looks.layer, [share for _, share in looks.heads]) == ("blocks.1.act.cls", [pytest.approx(0.8)])
        assert looks.mean is not None
        assert opened(looks.mean).size == (PICTURE, PICTURE)
    figure, *told = class_token_looks("warm", looks)
    assert "Attention is not attribution" in words(told)
    assert "80 %" in words(told)
    assert "mean of 1 heads" not in words(figure)
    assert class_token_looks("warm", evidence.class_token_looks(circuit, patches)) == [None]
    edge = evidence.edge(circuit, patches, token)
    assert (edge.from_scalar, edge.scalar) == (False, True)
    assert [has_places(circuit.nodes[name]) for name in (root, token, patches)] == [False, False, True]
    assert "everywhere" not in words(controls(Looking(), ("gradient",), placed=False))
    assert "everywhere" in words(controls(Looking(), ("gradient",)))


def test_a_unit_that_is_negative_everywhere_is_not_silent_and_has_a_highest_place(gallery: PaintedGallery) -> None:
    module, unit, photo = Tokens(), Unit("patch", 0), load_photo("example:cat")
    assert module.patch.bias is not None
    module.patch.bias.data[unit.channel] = -9.0
    network = tokens(module, seed=None)
    evidence, heat = Evidence(Library(network, gallery), PaintedCollection()), heat_map(network, photo, unit)
    [spot] = evidence.places(network, photo, unit).spots
    assert (spot.position, spot.value) == (divmod(int(heat.argmax()), 3), pytest.approx(heat.max()))
    node = Node(str(unit), unit, str(unit), 0.0, float(heat.max()), spot.position, False, False, "", None)
    assert "".join(peak_in_words(node, scalar=False)) == (
        f"{unit} is negative everywhere in this photo, at most {spoken(heat.max())}"
    )
    assert "nowhere above zero" in words(patches_of(node, evidence.places(network, photo, unit), None))
