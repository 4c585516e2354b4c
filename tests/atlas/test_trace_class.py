"""The circuit of a class by groups: the mean of the traces of its photos, and the planted one where one was planted."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuits import (
    Circuit,
    Dictionary,
    InputError,
    Network,
    UnknownError,
    compare,
    fit_groups,
    load_photo,
    mean_of_photos,
    trace,
    trace_class,
)
from circuits.atlas.class_batch import ClassBatch
from circuits.report.atlas_sentences import sureness
from circuits.report.circuit import to_html
from circuits.report.circuit_svg import svg_file
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import find_target
from circuits.units import Group, Unit
from tests.atlas.test_class_circuit import WIRED
from tests.support.nets import ready, seeded
from tests.support.wiring import SIDE, colours

VEHICLES = 20


def vehicles() -> list[np.ndarray]:
    """Red and green in shades that differ from photo to photo, each of which is a part of a vehicle."""
    photos = []
    for number in range(VEHICLES):
        shades = np.random.default_rng(number).integers(4, 10, (3, SIDE, SIDE))
        photos.append(np.asarray(colours(red=shades[0], green=shades[1], blue=shades[2] // 4)))
    return photos


def directions(layer: str, *rows: str) -> Dictionary:
    """Of a stage of the wiring, groups of the units named in each row."""
    network = WIRED.network()
    found = torch.zeros(len(rows), network.layer(layer).channels)
    for number, row in enumerate(rows):
        for name in row.split():
            found[number, Unit.parse(WIRED.called((layer, name))).channel] = 1.0
    return Dictionary(found, "by hand")


GROUPS = {"things": directions("things", "car", "hood tree"), "parts": directions("parts", "wheel window", "leaf")}


@pytest.fixture(scope="module")
def network() -> Network:
    return WIRED.network(["parts", "things", "classes"])


@pytest.fixture(scope="module")
def traced(network: Network) -> list[Circuit]:
    return [trace(network, photo, "vehicle", groups=GROUPS, depth=2, signs="both") for photo in vehicles()]


@pytest.fixture(scope="module")
def circuit(network: Network) -> Circuit:
    return trace_class(network, vehicles(), "vehicle", groups=GROUPS, depth=2, signs="both")


def check_means(circuit: Circuit, traced: list[Circuit], closing: str) -> None:
    """Means over the traces of single photos, standard errors over photos, and exact books."""
    assert circuit.collection is not None
    assert (circuit.collection.photos, circuit.collection.batches) == (VEHICLES, 3)
    for name, node in circuit.nodes.items():
        values = [each.nodes[name].value if name in each.nodes else 0.0 for each in traced]
        assert node.value == pytest.approx(np.mean(values), rel=1e-5, abs=1e-5)
        assert node.max == pytest.approx(np.mean([each.nodes[name].max for each in traced if name in each.nodes]), 1e-5)
        assert node.error == pytest.approx(np.std(values, ddof=1) / VEHICLES**0.5, rel=1e-4, abs=1e-6)
        if node.books is not None:
            books = node.books
            assert books.exact
            assert books.bias_name == closing
            assert books.shown + books.rest + books.residual + books.bias == pytest.approx(node.value, abs=1e-5)
            own = [each.nodes[name].books for each in traced if name in each.nodes]
            assert books.bias == pytest.approx(sum(each.bias for each in own if each) / VEHICLES, rel=1e-4, abs=1e-5)
            assert books.gross == pytest.approx(sum(abs(edge.attribution) for edge in circuit.edges_into(name)), 1e-5)
        for edge in circuit.edges_into(name):
            rows = [each.graph.get_edge_data(edge.source, name) for each in traced]
            shares = [row["attribution"] if row else 0.0 for row in rows]
            assert edge.attribution == pytest.approx(np.mean(shares), rel=1e-5, abs=1e-5)
            assert edge.error == pytest.approx(np.std(shares, ddof=1) / VEHICLES**0.5, rel=1e-4, abs=1e-6)
            assert edge.photos == VEHICLES


def test_every_number_is_that_of_the_traces_of_its_photos(circuit: Circuit, traced: list[Circuit]) -> None:
    """And the share of the photos whose batch has an edge among the strongest."""
    check_means(circuit, traced, "bias")
    assert len(circuit.nodes) > 5
    # Batches are of eight, in the order of the photos' hashes; wheel and window always are what a car is made of.
    edge = next(edge for edge in circuit.edges_into("things/0") if edge.source == "parts/0")
    assert (edge.consistency, edge.rank) == (1.0, 1)
    assert all(edge.consistency is None for edge in circuit.edges_into("things/0") if edge.source == "parts/rest")


def test_from_the_mean_it_is_the_mean_of_traces_from_the_mean(network: Network) -> None:
    """Of a class by groups, and of a unit by channels, whose photos are of no class."""
    mean = mean_of_photos(network, [np.asarray(colours(red=r, green=3, blue=5)) for r in (2, 6)], source="others")
    for of, groups in (("vehicle", GROUPS), ("things:0", None)):
        options = {"groups": groups, "depth": 2, "signs": "both", "top": 9, "baseline": mean}
        circuit = trace_class(network, vehicles(), of, **options)
        check_means(circuit, [trace(network, each, of, mode="target", **options) for each in vehicles()], "base")
        assert (circuit.settings.baseline, circuit.target.kind) == ("mean", "unit" if groups is None else "class")
        assert Circuit.from_dict(circuit.to_dict()) == circuit
        assert circuit.photo_info.name == ("20 photos of any class" if groups is None else "20 photos of vehicle")
    assert len(circuit.edges_into("things:0")) > 1


def test_the_planted_groups_are_found(network: Network) -> None:
    """A vehicle is a car, which is wheels and windows; trees and leaves argue against it."""
    circuit = trace_class(network, vehicles(), "vehicle", groups=GROUPS, depth=2)
    edges = [(edge.source, name) for name in circuit.visible for edge in circuit.edges_into(name)]
    found = {edge for edge in edges if not edge[0].endswith("rest") and not edge[1].endswith("rest")}
    assert found == {("things/0", "classes:0"), ("parts/0", "things/0")}
    books = circuit.nodes[circuit.root].books
    assert books is not None
    assert books.bias == pytest.approx(0.5, abs=1e-5)


def test_of_one_photo_it_is_its_trace(network: Network, traced: list[Circuit]) -> None:
    one = trace_class(network, vehicles()[:1], "vehicle", groups=GROUPS, depth=2, signs="both").to_dict()
    expected = traced[0].to_dict()
    for row in one["edges"]:
        assert row.pop("photos") == 1
        row.pop("consistency", None)
    for row in (*one["nodes"], *expected["nodes"]):
        del row["peak"]
    assert one["edges"] == [pytest.approx(row, abs=1e-4) for row in expected["edges"]]
    assert one["nodes"] == [pytest.approx(row, abs=1e-4) for row in expected["nodes"]]


class Branches(nn.Module):
    """Two branches, one of which the image reaches past the lowest layer, and an addition around a block."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.left, self.right = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 5, 1), nn.Conv2d(3, 4, 1)
        self.mixed, self.fc = nn.Conv2d(9, 6, 3, padding=1), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        stem = torch.relu(self.stem(x))
        both = torch.cat([torch.relu(self.left(stem)), torch.relu(self.right(x))], 1)
        return self.fc((torch.relu(self.mixed(both)) + stem).mean((2, 3)))


def test_shares_of_photos_at_once_are_those_of_each_alone() -> None:
    """In float64, by channels and by groups, along branches, with and without an encoder."""
    network = ready(Branches()).with_layers("fine")
    network.traced.double()
    images = torch.randn(3, 3, 8, 8, dtype=torch.float64, generator=seeded(0))
    target, top = find_target(network, f"{network.layers[-1]}:1", 0), network.layers[-1]
    grouped = next(layer for layer in network.layers_below(top))
    rows = torch.rand(4, network.layer(grouped).channels, generator=seeded(1))
    plain = Dictionary(rows, "by hand", weighted=True)
    coder = Dictionary(rows, "by hand", encoder=rows, bias=torch.tensor([0.1, -0.1, 0.0, 0.2]))
    layers = [layer for layer in network.layers if layer != top]
    for dictionaries in ({}, {grouped: plain}, {grouped: coder}):
        batch = ClassBatch.of(network, target, images, layers, dictionaries)
        for photo in range(3):
            run = ForwardCache.of(network, images[[photo]]).with_groups(dictionaries)
            for layer in network.layers[1:]:
                if not network.layers_below(layer):
                    continue
                units = [Group(layer, 2), Group(layer, None)] if layer in dictionaries else [Unit(layer, 1)]
                readouts = [run.readout(target, unit, "target", is_root=layer == top) for unit in units]
                alone = torch.stack(list(run.below(layer, target).shares("target", iter(readouts))))
                together = torch.stack([shares[photo] for shares in batch.shares(layer, units)])
                assert torch.allclose(together, alone, rtol=0, atol=1e-10)
            if grouped in dictionaries:
                code, gradient = run.code(target, grouped), run.gradient(target, grouped)[0]
                assert torch.allclose(batch.contributions(grouped)[photo], code.shares(gradient), rtol=0, atol=1e-10)
        assert torch.equal(batch.logits, network.logits(images)[:, 1])


def test_it_does_not_depend_on_the_order_nor_on_what_is_kept(
    network: Network, circuit: Circuit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circuits.atlas.class_batch.MOST_KEPT", 0)
    told: list[tuple[int, int, str]] = []
    again = trace_class(
        network, vehicles()[::-1], "vehicle", groups=GROUPS, depth=2, signs="both",
        progress=lambda *report: told.append(report),
    )  # fmt: skip
    assert again.to_json_text() == circuit.to_json_text()
    assert told[0] == (0, 60, "Running photos")
    assert told[-1] == (60, 60, "Expanding things")


def test_the_readers_of_circuits_take_it(network: Network, circuit: Circuit, traced: list[Circuit]) -> None:
    assert Circuit.from_dict(circuit.to_dict()) == circuit
    assert circuit.to_dict()["format"] == "circuits/2"
    page = to_html(circuit)
    assert "on 20 photos of vehicle" in page
    assert "over 20 photos, among the five strongest in the batches of all 20 photos" in svg_file(circuit)
    assert set(circuit.to_networkx().nodes) == circuit.visible
    comparison = compare(traced[0], circuit)
    assert {"things/0", "parts/0"} <= {unit.id for unit in comparison.shared}
    said = sureness(circuit)
    assert said.startswith("Half of the edges have a standard error of ")
    assert "are among the five strongest of their unit in every batch" in said


def test_groups_may_be_fitted_to_the_same_photos(network: Network) -> None:
    circuit = trace_class(network, vehicles(), "vehicle", groups=[2, 0], depth=2, top=2)
    in_order = sorted(map(load_photo, vehicles()), key=lambda photo: photo.sha256)
    fitted = fit_groups(network, in_order, "vehicle", groups=[2, 0], depth=2)
    assert circuit.dictionaries["things"].directions.equal(fitted["things"].directions)
    assert circuit.dictionaries["things"].source == "vehicle (20 photos)"
    below = [edge.source for name in circuit.visible for edge in circuit.edges_into(name) if "/" in name]
    assert {Unit.parse(name).layer for name in below} == {"parts"}  # of whose layer there are channels


def test_what_cannot_be_explained_is_refused(network: Network) -> None:
    with pytest.raises(InputError, match="There are no photos to explain vehicle by"):
        trace_class(network, [], "vehicle")
    with pytest.raises(InputError, match="photos is a single photo; give a list"):
        trace_class(network, "cat.png", "vehicle")
    with pytest.raises(InputError, match="things:0@0,0 is a neuron; name a class"):
        trace_class(network, vehicles()[:1], "things:0@0,0")
    with pytest.raises(InputError, match="parts:0 lies in the lowest layer"):
        trace_class(network, vehicles()[:1], "parts:0")
    with pytest.raises(UnknownError, match="No class 'boat'"):
        trace_class(network, vehicles()[:1], "boat")
    with pytest.raises(InputError, match="directions over 9 channels; the layer has 3"):
        trace_class(network, vehicles()[:1], "vehicle", groups={"things": Dictionary(torch.ones(1, 9), "x")}, depth=1)
