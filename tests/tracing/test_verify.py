"""An edge's ablation is what the upper unit's value really loses, in the units of the edge."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest
import torch
from torch import Tensor

from circuits import (
    Circuit,
    Edge,
    InputError,
    Network,
    UnknownError,
    discard,
    expand,
    measure,
    restore,
    trace,
)
from circuits.attribution.gradient import Readout, ablation
from circuits.tracing.source import forward_cache
from tests.support.handmade import POSITIONS, colour_photo, levels
from tests.support.known_circuits import LIVE

RED, GREEN, BLUE = levels(1.0, 0.5, 0.25)


def measured(circuit: Circuit, unit: str) -> dict[str, float | None]:
    return {edge.source: edge.ablation for edge in circuit.edges_into(unit)}


def test_the_known_effects_of_a_hand_wired_network_are_measured(network: Network) -> None:
    """Without red, 2 red - green is below zero and the rectifier gives 0: less is lost than red's share."""
    circuit = measure(network, trace(network, colour_photo(), "warm", depth=2, signs="both"))
    assert measured(circuit, "fc:0") == pytest.approx({"conv2:0": 3 * (2 * RED - GREEN), "conv2:1": -(BLUE + 0.5)})
    assert measured(circuit, "conv2:0") == pytest.approx(
        {"conv1:0": POSITIONS * (2 * RED - GREEN), "conv1:1": -POSITIONS * GREEN}
    )
    assert measured(circuit, "conv2:1") == pytest.approx({"conv1:2": POSITIONS * BLUE})
    assert not any(edge.disagrees for edge in circuit.edges_into("conv2:0"))


def test_an_edge_whose_unit_matters_far_less_than_its_share_says_disagrees(network: Network) -> None:
    red, green = levels(0.3, 0.5)
    circuit = measure(network, trace(network, colour_photo(0.3, 0.5), "conv2:0", depth=1, signs="both"))
    strong, weak = circuit.edges_into("conv2:0")
    assert strong.attribution == pytest.approx(POSITIONS * 2 * red, rel=1e-5)
    assert strong.ablation == pytest.approx(POSITIONS * (2 * red - green), rel=1e-4)
    assert strong.disagrees
    assert weak.ablation == pytest.approx(-POSITIONS * green, rel=1e-4)
    assert not weak.disagrees


def test_in_mode_target_it_is_what_the_target_loses_through_that_unit(network: Network) -> None:
    circuit = measure(network, trace(network, colour_photo(), "warm", depth=2, signs="both", mode="target"))
    assert measured(circuit, "conv2:0") == pytest.approx({"conv1:0": 3 * (2 * RED - GREEN), "conv1:1": -3 * GREEN})
    assert measured(circuit, "conv2:1") == pytest.approx({"conv1:2": -BLUE})


def test_it_is_measured_for_neurons_and_for_the_difference_of_two_classes(network: Network) -> None:
    photo = colour_photo()
    neuron = measure(network, trace(network, photo, "conv2:0@3,1", depth=1, signs="both"), "conv2:0@3,1")
    assert measured(neuron, neuron.root) == pytest.approx({"conv1:0": 2 * RED - GREEN, "conv1:1": -GREEN})
    both = measure(network, trace(network, photo, "warm - cold", depth=1, signs="both"), "fc:0-1")
    assert measured(both, both.root) == pytest.approx({"conv2:0": 3 * (2 * RED - GREEN), "conv2:1": -2 * (BLUE + 0.5)})


def slow_value(network: Network, circuit: Circuit, name: str) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The lower activation and the value f(a) that a unit's edges share out, each straight from its definition."""
    run = forward_cache(network, circuit)
    unit, root = circuit.node(name).unit, circuit.node(circuit.root).unit
    lower = network.below(unit.layer)
    assert lower is not None
    segment = network.segment(lower, unit.layer)
    if circuit.settings["mode"] != "target" or name == circuit.root:
        return run.activations[lower], lambda a: segment(a)[0, unit.channel].sum()
    point = run.activations[unit.layer].clone().requires_grad_()
    target = network.segment(unit.layer, root.layer)(point)[0, root.channel].sum()
    (gradient,) = torch.autograd.grad(target, point)
    return run.activations[lower], lambda a: (segment(a)[0, unit.channel] * gradient[0, unit.channel]).sum()


@pytest.mark.parametrize("mode", list(LIVE))
def test_every_edge_equals_the_slow_definition_in_every_mode(builtin: Network, mode: str) -> None:
    top, depth = (18, 2) if mode == "sum" else (4, 3)  # more than are ablated at once
    circuit = measure(builtin, trace(builtin, "example:cat", depth=depth, top=[top, *[2] * (depth - 1)], mode=mode))
    expanded = [node for node in circuit.nodes.values() if node.expanded]
    assert len(expanded) > 4
    for node in expanded:
        lower, value = slow_value(builtin, circuit, node.id)
        whole = float(value(lower).detach())
        for edge in circuit.edges_into(node.id):
            without = lower.clone()
            without[:, circuit.node(edge.source).unit.channel] = 0
            expected = whole - float(value(without).detach())
            assert edge.ablation == pytest.approx(expected, rel=1e-3, abs=1e-4 * abs(whole))


def test_in_mode_ablate_no_edge_can_disagree(builtin: Network) -> None:
    circuit = measure(builtin, trace(builtin, "example:cat", depth=2, top=4, signs="both", mode="ablate"))
    edges = [edge for name in circuit.nodes for edge in circuit.edges_into(name)]
    assert len(edges) > 15
    for edge in edges:
        assert edge.ablation == pytest.approx(edge.attribution, rel=1e-3, abs=1e-4)
        assert not edge.disagrees


def test_measuring_all_units_finds_what_measuring_one_after_the_other_does(builtin: Network) -> None:
    circuit = trace(builtin, "example:cat", depth=2, top=3)
    one, whole = circuit, measure(builtin, circuit)
    for node in circuit.nodes.values():
        if node.expanded:
            before = [edge.ablation for edge in one.edges_into(node.id)]
            assert before == [None] * 3
            one = measure(builtin, one, node.id)
    assert one.visible == whole.visible
    for name in one.visible:
        for left, right in zip(one.edges_into(name), whole.edges_into(name), strict=True):
            assert (left.source, left.warnings) == (right.source, right.warnings)
            numbers = [(edge.ablation, edge.positive, edge.negative, edge.integrated) for edge in (left, right)]
            assert numbers[0] == pytest.approx(numbers[1], rel=1e-4)
        for left_row, right_row in zip(one.nodes[name].measured, whole.nodes[name].measured, strict=True):
            assert (left_row.spearman, left_row.joint) == pytest.approx((right_row.spearman, right_row.joint), rel=1e-3)


def test_edges_of_discarded_units_are_measured_but_not_units_that_cannot_be_seen(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2, signs="both")
    found = measure(network, discard(circuit, "conv2:0"))
    assert all(edge.ablation is not None for edge in found.edges_into("fc:0", discarded=True))
    assert [edge.ablation for edge in found.edges_into("conv2:0")] == [None, None]
    assert measure(network, restore(found, "conv2:0")) == measure(network, circuit)


def test_what_was_measured_is_kept_when_other_units_and_the_same_one_are_expanded(builtin: Network) -> None:
    circuit = measure(builtin, trace(builtin, "example:cat", depth=1, top=3))
    known = circuit.edges_into(circuit.root)
    other = expand(builtin, circuit, known[0].source)
    assert other.edges_into(circuit.root) == known
    assert discard(other, known[1].source).edges_into(circuit.root) == (known[0], known[2])
    wider = expand(builtin, circuit, circuit.root, top=5)
    assert wider.edges_into(circuit.root)[:3] == known
    assert [edge.ablation for edge in wider.edges_into(circuit.root)[3:]] == [None, None]


def test_an_edge_that_skips_a_layer_is_measured_through_both(network: Network) -> None:
    data = trace(network, colour_photo(), "warm", depth=2).to_dict()
    data["edges"].append({"source": "conv1:0", "target": "fc:0", "attribution": 6.0, "rank": 2})
    circuit = measure(network, Circuit.from_dict(data), "fc:0")
    assert measured(circuit, "fc:0")["conv1:0"] == pytest.approx(3 * (2 * RED - GREEN))


def test_the_file_and_graphml_carry_the_ablation(network: Network, tmp_path: Path) -> None:
    circuit = measure(network, trace(network, colour_photo(), "warm", depth=2), "fc:0")
    read = Circuit.from_dict(json.loads(circuit.to_json_text()))
    assert read == circuit
    (edge,) = read.edges_into("fc:0")
    assert edge.ablation == pytest.approx(3 * (2 * RED - GREEN))
    assert [edge.ablation for edge in read.edges_into("conv2:0")] == [None]
    rows = {(row["source"], row["target"]): row for row in circuit.to_dict()["edges"]}
    assert rows["conv2:0", "fc:0"]["ablation"] == edge.ablation
    assert "ablation" not in rows["conv1:0", "conv2:0"]
    path = tmp_path / "out.graphml"
    circuit.to_graphml(path)
    assert nx.read_graphml(path).edges["conv2:0", "fc:0"]["ablation"] == edge.ablation


@pytest.mark.parametrize(
    ("value", "message"),
    [(float("inf"), "finite numbers only"), (float("nan"), "finite numbers only"), ("1", "not valid at edges/0/abla")],
)
def test_a_file_with_another_ablation_is_refused(network: Network, value: object, message: str) -> None:
    data = copy.deepcopy(trace(network, colour_photo(), "warm", depth=1).to_dict())
    data["edges"][0]["ablation"] = value
    with pytest.raises(InputError, match=message):
        Circuit.from_dict(data)


def test_a_whole_number_from_another_program_is_read_as_a_float(network: Network) -> None:
    data = trace(network, colour_photo(), "warm", depth=1).to_dict()
    data["edges"][0]["ablation"] = 3
    (edge,) = Circuit.from_dict(data).edges_into("fc:0")
    assert isinstance(edge.ablation, float)
    assert edge.ablation == 3


@pytest.mark.parametrize(
    ("attribution", "found", "disagrees"),
    [
        (2.0, None, False), (2.0, 2.0, False), (2.0, 4.0, False), (2.0, 4.01, True), (2.0, 1.0, False),
        (2.0, 0.99, True), (2.0, 0.0, True), (0.0, 0.0, False), (0.0, 0.1, True), (2.0, -2.0, True),
        (-2.0, -3.0, False), (-2.0, 2.0, True), (-2.0, -0.5, True),
    ],
)  # fmt: skip
def test_an_edge_disagrees_on_another_sign_or_more_than_twice_the_size(
    attribution: float, found: float | None, disagrees: bool
) -> None:
    assert Edge("conv1:0", "conv2:0", attribution, 1, found).disagrees is disagrees


def test_only_the_channels_asked_for_are_ablated(builtin: Network) -> None:
    lower, upper = builtin.layers[-2:]
    activation = torch.rand(1, builtin.layer(lower).channels, 4, 4, generator=torch.Generator().manual_seed(0))
    segment = builtin.segment(lower, upper)
    every = ablation(segment, activation, Readout.of_unit(3))
    some = ablation(segment, activation, Readout.of_unit(3), channels=[5, 2])
    assert some.nonzero().flatten().tolist() == [2, 5]
    assert some[[2, 5]].tolist() == pytest.approx(every[[2, 5]].tolist(), rel=1e-4, abs=1e-5)


def test_progress_counts_the_units_that_are_ablated_and_may_cancel(builtin: Network) -> None:
    circuit = trace(builtin, "example:cat", depth=2, top=[20, 2])
    calls: list[tuple[int, int, str]] = []
    measure(builtin, circuit, progress=lambda *call: calls.append(call))
    lower, lowest = (builtin.layer(name).channels for name in builtin.layers[-2:-4:-1])
    total = lower + 1 + lowest + 20
    assert all(known == total for _, known, _ in calls)
    assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)
    assert len(calls) > 25
    assert calls[0] == (0, total, f"Measuring {circuit.root}")
    assert (lower + 1, total, f"Measuring 20 units of {builtin.layers[-2]}") in calls
    assert calls[-1] == (total, total, "Measured")
    calls.clear()
    measure(builtin, circuit, circuit.root, whole_layer=False, progress=lambda *call: calls.append(call))
    assert calls[-1] == (21, 21, "Measured")

    def cancel(done: int, known: int, message: str) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(builtin, circuit, progress=cancel)


def test_what_cannot_be_measured_gets_a_sentence(network: Network, builtin: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=1)
    with pytest.raises(InputError, match="conv2:0 is not expanded, so it has no edges to measure; expand it first"):
        measure(network, circuit, "conv2:0")
    with pytest.raises(UnknownError, match="conv2:7 is not in the circuit"):
        measure(network, circuit, "conv2:7")
    with pytest.raises(InputError, match=r"traced with handmade .* not with builtin"):
        measure(builtin, circuit)
    data = circuit.to_dict()
    data["nodes"][1] |= {"id": "conv2:77", "channel": 77}
    data["edges"] = [{**edge, "source": edge["source"].replace("conv2:0", "conv2:77")} for edge in data["edges"]]
    with pytest.raises(UnknownError, match="conv2 has 3 channels"):
        measure(network, Circuit.from_dict(data))
