import json

import networkx as nx
import pytest
import torch

from circuits import (  # fmt: skip
    Circuit,
    InputError,
    Network,
    Unit,
    UnknownError,
    contributions,
    discard,
    expand,
    restore,
    trace,
)
from tests.support.handmade import POSITIONS, colour_photo, handmade_network, levels

RED, GREEN, BLUE = levels(1.0, 0.5, 0.25)


def edges(circuit: Circuit, unit: str) -> dict[str, float]:
    return {edge.source: edge.attribution for edge in circuit.edges_into(unit)}


def test_the_known_circuit_of_a_hand_wired_network_is_recovered(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2, top=5)
    assert set(circuit.nodes) == {"fc:0", "conv2:0", "conv1:0"}
    assert edges(circuit, "fc:0") == pytest.approx({"conv2:0": 3 * (2 * RED - GREEN)})
    assert edges(circuit, "conv2:0") == pytest.approx({"conv1:0": POSITIONS * 2 * RED})


def test_inhibition_is_shown_when_both_signs_are_asked_for(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2, signs="both")
    assert edges(circuit, "fc:0") == pytest.approx({"conv2:0": 3 * (2 * RED - GREEN), "conv2:1": -(BLUE + 0.5)})
    assert edges(circuit, "conv2:0") == pytest.approx({"conv1:0": POSITIONS * 2 * RED, "conv1:1": -POSITIONS * GREEN})
    assert [edge.rank for edge in circuit.edges_into("fc:0")] == [1, 2]


@pytest.mark.parametrize("mode", ["sum", "ig", "ablate"])
def test_every_mode_finds_the_same_circuit_where_the_network_is_linear_at_the_photo(
    network: Network, mode: str
) -> None:
    circuit = trace(network, colour_photo(), "cold", depth=2, signs="both", mode=mode)
    assert edges(circuit, "fc:1") == pytest.approx({"conv2:1": BLUE + 0.5})
    assert edges(circuit, "conv2:1") == pytest.approx({"conv1:2": POSITIONS * BLUE})


def test_the_books_of_every_expanded_unit_close_on_the_known_bias(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2, signs="both")
    top = circuit.node("fc:0")
    assert top.books is not None
    assert top.value == pytest.approx(3 * (2 * RED - GREEN) - (BLUE + 0.5) + 0.1)
    assert top.books.bias == pytest.approx(0.1, abs=1e-6)
    assert top.books.coverage == pytest.approx(1)
    assert top.books.exact
    cold = circuit.node("conv2:1")
    assert cold.books is not None
    assert cold.books.bias == pytest.approx(POSITIONS * 0.5)
    for node in circuit.nodes.values():
        if node.books is not None:
            assert node.books.shown + node.books.rest + node.books.bias == pytest.approx(node.value, abs=1e-5)


def test_mode_target_counts_in_units_of_the_target_all_the_way_down(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2, signs="both", mode="target")
    assert edges(circuit, "conv2:0") == pytest.approx({"conv1:0": 3 * 2 * RED, "conv1:1": -3 * GREEN})
    assert edges(circuit, "conv2:1") == pytest.approx({"conv1:2": -BLUE})
    assert circuit.node("conv2:0").value == pytest.approx(3 * (2 * RED - GREEN))
    for name in ("conv2:0", "conv2:1"):
        (upward,) = (edge for edge in circuit.edges_into("fc:0") if edge.source == name)
        node = circuit.node(name)
        assert node.books is not None
        assert sum(edges(circuit, name).values()) + node.books.bias == pytest.approx(upward.attribution, abs=1e-5)


def test_mode_target_is_conserved_over_whole_layers_of_the_built_in_network(builtin: Network) -> None:
    """What a unit contributes to the target is the sum of its edges to every unit above, shown or not."""
    lower, middle, top = (builtin.layer(builtin.layers[at]) for at in (0, 1, -1))
    circuit = trace(
        builtin, "example:cat", 3, layers=[lower.name, middle.name, top.name], depth=2,
        top=[middle.channels, lower.channels], signs="both", mode="target",
    )  # fmt: skip
    units = [node for node in circuit.nodes.values() if node.unit.layer != top.name]
    assert len(units) > (lower.channels + middle.channels) / 2
    for node in units:
        outgoing = sum(data["attribution"] for _, _, data in circuit.graph.out_edges(node.id, data=True))
        assert outgoing == pytest.approx(node.value, rel=1e-3, abs=1e-4)
    for node in circuit.nodes.values():
        if node.books is not None:
            total = node.books.shown + node.books.rest + node.books.bias
            assert total == pytest.approx(node.value, rel=1e-5, abs=1e-4)
            assert node.books.coverage == pytest.approx(1, abs=1e-6)


def test_mode_target_predicts_what_dimming_a_unit_does_to_the_target(network: Network) -> None:
    """To first order the target loses, of a unit dimmed by a little, that part of all its edges together."""
    circuit = trace(network, colour_photo(), "warm", depth=2, signs="both", mode="target")
    activation = network.activations(network.preprocessing.to_tensor(colour_photo().image), ["conv1"])["conv1"]
    upward = network.segment("conv1", "fc")
    for channel in range(3):
        dimmed = activation.clone()
        dimmed[:, channel] *= 0.99
        lost = float(upward(activation)[0, 0] - upward(dimmed)[0, 0])
        edges_up = circuit.graph.out_edges(f"conv1:{channel}", data=True)
        assert lost == pytest.approx(0.01 * sum(data["attribution"] for _, _, data in edges_up), abs=1e-5)
        assert abs(lost) > 1e-3


def test_a_unit_that_several_parents_choose_is_one_node_with_several_edges(builtin: Network) -> None:
    circuit = trace(builtin, "example:cat", depth=3, top=6)
    assert len(circuit.nodes) == len({str(node.unit) for node in circuit.nodes.values()})
    shared = [name for name in circuit.nodes if circuit.graph.out_degree(name) > 1]
    assert shared
    assert nx.is_directed_acyclic_graph(circuit.graph)


def test_expanding_by_hand_gives_what_tracing_deeper_gives(builtin: Network) -> None:
    for mode in ("sum", "target"):
        deep = trace(builtin, "example:cat", depth=2, top=3, mode=mode)
        shallow = trace(builtin, "example:cat", depth=1, top=3, mode=mode)
        for edge in shallow.edges_into(shallow.root):
            shallow = expand(builtin, shallow, edge.source)
        assert dict(shallow.graph.nodes(data=True)) == dict(deep.graph.nodes(data=True))
        assert set(shallow.graph.edges) == set(deep.graph.edges)


def test_edges_agree_with_ablation_to_first_order_on_the_built_in_network(builtin: Network) -> None:
    """The intervention: dim one lower channel a little, run the rest of the network, and watch the logit."""
    circuit = trace(builtin, "example:cat", depth=1, top=5)
    lower = builtin.layers[-2]
    run = circuit.cache
    for edge in circuit.edges_into(circuit.root):
        activation = run.activations[lower].clone()
        channel = circuit.node(edge.source).unit.channel
        activation[:, channel] = 0
        logit = builtin.segment(lower, builtin.layers[-1])(activation)[0, circuit.node(circuit.root).unit.channel]
        assert circuit.node(circuit.root).value - float(logit) == pytest.approx(edge.attribution, rel=1e-3, abs=1e-4)


def test_top_may_be_one_number_a_level(builtin: Network) -> None:
    circuit = trace(builtin, "example:cat", depth=2, top=[4, 2])
    assert len(circuit.edges_into(circuit.root)) == 4
    assert all(len(circuit.edges_into(edge.source)) <= 2 for edge in circuit.edges_into(circuit.root))
    assert json.loads(circuit.to_json_text())["graph"]["settings"]["top"] == [4, 2]


def test_depth_beyond_the_lowest_layer_stops_there(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=50)
    assert {node.unit.layer for node in circuit.nodes.values()} == {"fc", "conv2", "conv1"}
    assert not circuit.node("conv1:0").expanded


def test_targets_of_every_kind_are_explained(network: Network) -> None:
    photo = colour_photo()
    assert trace(network, photo).target["label"] == "warm"
    assert trace(network, photo, 1).target["unit"] == "fc:1"
    unit = trace(network, photo, "conv2:0", depth=1)
    assert unit.target == {"kind": "unit", "unit": "conv2:0", "label": "conv2:0", "value": unit.node("conv2:0").value}
    assert unit.target["value"] == pytest.approx(POSITIONS * (2 * RED - GREEN))
    neuron = trace(network, photo, Unit("conv2", 0, (3, 1)), depth=1)
    assert neuron.root == "conv2:0@3,1"
    assert neuron.target["kind"] == "neuron"
    assert edges(neuron, "conv2:0@3,1") == pytest.approx({"conv1:0": 2 * RED})
    difference = trace(network, photo, "warm - cold", depth=1, signs="both")
    assert difference.root == "fc:0-1"
    assert edges(difference, "fc:0-1") == pytest.approx(
        {"conv2:0": 3 * (2 * RED - GREEN), "conv2:1": -2 * (BLUE + 0.5)}
    )
    assert difference.target["value"] == pytest.approx(3 * (2 * RED - GREEN) - 2 * (BLUE + 0.5) + 0.1)


def test_a_chosen_set_of_layers_is_walked_in_one_step(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", layers=["fc", "conv1"], depth=3, signs="both")
    assert circuit.layers == ("conv1", "fc")
    assert edges(circuit, "fc:0") == pytest.approx({"conv1:0": 6 * RED, "conv1:1": -3 * GREEN, "conv1:2": -BLUE})
    again = expand(network, Circuit.from_dict(circuit.to_dict()), "fc:0", top=1)
    assert list(edges(again, "fc:0")) == ["conv1:0"]


def test_expanding_anew_replaces_edges_and_drops_what_nothing_needs(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=1, signs="both")
    assert "conv2:1" in circuit.nodes
    narrowed = expand(network, circuit, "fc:0", top=1)
    assert set(narrowed.nodes) == {"fc:0", "conv2:0"}
    assert set(circuit.nodes) == {"fc:0", "conv2:0", "conv2:1"}


def test_discarding_hides_a_unit_and_what_only_it_needs_and_moves_it_to_the_rest(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2, signs="both")
    less = discard(circuit, "conv2:0")
    assert less.visible == {"fc:0", "conv2:1", "conv1:2"}
    assert circuit.visible == set(circuit.nodes)
    before, after = circuit.node("fc:0").books, less.node("fc:0").books
    assert before is not None
    assert after is not None
    assert after.shown == pytest.approx(-(BLUE + 0.5))
    assert after.rest == pytest.approx(3 * (2 * RED - GREEN), rel=1e-5)
    assert after.coverage == pytest.approx((BLUE + 0.5) / (BLUE + 0.5 + 3 * (2 * RED - GREEN)))
    assert restore(less, "conv2:0") == circuit
    assert set(less.to_networkx().nodes) == less.visible


def test_a_unit_that_another_parent_also_needs_stays(builtin: Network) -> None:
    circuit = trace(builtin, "example:cat", depth=3, top=6)
    shared = next(name for name in circuit.nodes if circuit.graph.out_degree(name) > 1)
    parents = list(circuit.graph.successors(shared))
    assert shared in discard(circuit, parents[0]).visible
    gone = circuit
    for parent in parents:
        gone = discard(gone, parent) if parent in gone.visible else gone
    assert shared not in gone.visible


def test_contributions_list_the_strongest_of_a_layer_and_close_the_books(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=1)
    found = contributions(network, circuit, "conv2:0", top=1)
    assert found.lower == "conv1"
    assert found.shares == ((Unit("conv1", 0), pytest.approx(POSITIONS * 2 * RED)),)
    assert found.others == 3
    assert found.books.rest == pytest.approx(-POSITIONS * GREEN, abs=1e-4)
    assert not circuit.node("conv2:0").expanded


def test_a_circuit_read_from_a_file_expands_as_the_one_in_memory_does(builtin: Network) -> None:
    circuit = trace(builtin, "example:cat", depth=2, top=3)
    read = Circuit.from_dict(json.loads(circuit.to_json_text()))
    leaf = next(node.id for node in circuit.nodes.values() if not node.expanded)
    assert expand(builtin, read, leaf) == expand(builtin, circuit, leaf)


def test_the_same_call_gives_the_same_bytes(builtin: Network) -> None:
    first, second = (trace(builtin, "example:cat", depth=3, top=4).to_json_text() for _ in range(2))
    assert first == second


def test_a_non_linear_layer_says_remainder_instead_of_bias() -> None:
    network = handmade_network()
    smooth = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 1), torch.nn.ReLU(), torch.nn.Conv2d(4, 4, 1), torch.nn.GELU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2),
    )  # fmt: skip
    from circuits import prepare

    gelu = prepare(smooth, name="gelu", source="live", preprocessing=network.preprocessing)
    circuit = trace(gelu, colour_photo(), depth=2, signs="both")
    rows = {row["id"]: row for row in circuit.to_dict()["nodes"]}
    assert "bias" in rows[circuit.root]
    lower = [rows[edge.source] for edge in circuit.edges_into(circuit.root)]
    assert lower
    assert all("remainder" in row and "bias" not in row for row in lower)
    assert not circuit.network["piecewise_linear"]
    assert Circuit.from_dict(circuit.to_dict()) == circuit


def test_progress_is_told_and_may_cancel(builtin: Network) -> None:
    calls: list[tuple[int, int, str]] = []
    trace(builtin, "example:cat", depth=2, top=3, progress=lambda *call: calls.append(call))
    assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)
    assert calls[-1][0] == calls[-1][1] == 4

    def cancel(done: int, total: int, message: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trace(builtin, "example:cat", depth=2, top=3, progress=cancel)


def test_bad_options_get_a_sentence(network: Network, builtin: Network) -> None:
    photo = colour_photo()
    with pytest.raises(InputError, match="depth is 0; it counts layers below the target and must be at least 1"):
        trace(network, photo, depth=0)
    with pytest.raises(InputError, match="top gives 3 numbers for a depth of 2"):
        trace(network, photo, depth=2, top=[1, 2, 3])
    with pytest.raises(InputError, match="top is 0; each number must be a whole number of at least 1"):
        trace(network, photo, top=0)
    with pytest.raises(InputError, match="no mode 'best'"):
        trace(network, photo, mode="best")
    with pytest.raises(UnknownError, match="No class 'lukewarm' in handmade"):
        trace(network, photo, "lukewarm")
    with pytest.raises(UnknownError, match="conv2 has 3 channels"):
        trace(network, photo, "conv2:3")
    with pytest.raises(UnknownError, match="4 rows and 4 columns"):
        trace(network, photo, "conv2:1@4,0")
    with pytest.raises(InputError, match="conv1:0 lies in the lowest layer of handmade; there is nothing below"):
        trace(network, photo, "conv1:0")
    circuit = trace(network, photo, "warm", depth=2)
    with pytest.raises(InputError, match="conv1:0 lies in the lowest layer"):
        expand(network, circuit, "conv1:0")
    with pytest.raises(InputError, match=r"traced with handmade .* not with builtin .* load that network"):
        expand(builtin, circuit, "conv2:0")
    with pytest.raises(UnknownError, match="conv2:9 is not in the circuit; it has fc:0, conv2:0, conv1:0"):
        discard(circuit, "conv2:9")
    with pytest.raises(InputError, match="warm is what the circuit explains; it cannot be discarded"):
        discard(circuit, "fc:0")
    bare = circuit.to_dict()
    del bare["graph"]["photo"]["thumbnail"]
    with pytest.raises(InputError, match="does not carry its photo"):
        expand(network, Circuit.from_dict(bare), "conv2:0")
