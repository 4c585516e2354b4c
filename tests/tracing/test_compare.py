"""What two circuits share, against sets made by hand."""

import json
from itertools import pairwise

import pytest

from circuits import Circuit, Network, compare, discard, load_network, trace
from circuits.tracing.compare import largest_share
from tests.support.handmade import POSITIONS, Handmade, colour_photo, levels

RED, GREEN, BLUE = levels(1.0, 0.5, 0.25)
WARM, COLD = 3 * (2 * RED - GREEN), BLUE + 0.5


@pytest.fixture(scope="module")
def warm(network: Network) -> Circuit:
    return trace(network, colour_photo(), "warm", depth=2, signs="both")


@pytest.fixture(scope="module")
def cold(network: Network) -> Circuit:
    return trace(network, colour_photo(), "cold", depth=2, signs="both")


def test_two_targets_of_a_hand_wired_network_share_what_both_need(warm: Circuit, cold: Circuit) -> None:
    found = compare(warm, cold)
    assert [row.layer for row in found.layers] == ["fc", "conv2", "conv1"]
    assert [unit.id for unit in found.shared] == ["conv2:1", "conv1:2"]
    assert found.left == ("fc:0", "conv2:0", "conv1:0", "conv1:1")
    assert found.right == ("fc:1",)
    assert found.unit_index == 2 / 7
    ((one, other),) = found.shared_edges
    assert (one.source, one.target, other.source, other.target) == ("conv1:2", "conv2:1") * 2
    assert [(edge.source, edge.target) for edge in found.left_edges] == [
        ("conv2:0", "fc:0"), ("conv2:1", "fc:0"), ("conv1:0", "conv2:0"), ("conv1:1", "conv2:0"),
    ]  # fmt: skip
    assert [(edge.source, edge.target) for edge in found.right_edges] == [("conv2:1", "fc:1")]
    assert found.edge_index == 1 / 6
    assert found.same_network


def test_a_shared_unit_says_its_value_and_its_share_in_both(warm: Circuit, cold: Circuit) -> None:
    unit = compare(warm, cold).shared[0]
    assert (unit.id, str(unit.unit), unit.called) == ("conv2:1", "conv2:1", "conv2:1")
    assert unit.left == unit.right == pytest.approx(POSITIONS * (BLUE + 0.5))
    assert unit.left_share == pytest.approx(-COLD / (WARM + COLD))  # it inhibits
    assert unit.right_share == pytest.approx(1)


def test_the_share_is_that_of_the_visible_unit_above_which_needs_it_most() -> None:
    circuit = trace(load_network(), "example:cat", depth=3, top=5, signs="both")
    several = [name for name in circuit.nodes if circuit.graph.out_degree(name) > 1]
    assert several
    for name in several:
        shares = {}
        for target in circuit.graph.successors(name):
            books = circuit.node(target).books
            assert books is not None
            shares[target] = circuit.graph.edges[name, target]["attribution"] / books.gross
        strongest = max(shares, key=lambda target: abs(shares[target]))
        assert largest_share(circuit, name) == pytest.approx(shares[strongest])
        less = discard(circuit, strongest)
        if name in less.visible and strongest != circuit.root:
            left = {target: share for target, share in shares.items() if target in less.visible}
            assert largest_share(less, name) == pytest.approx(max(left.values(), key=abs))
    assert largest_share(circuit, circuit.root) is None


def test_the_strongest_shared_units_of_a_layer_come_first() -> None:
    network = load_network()
    left, right = (trace(network, "example:cat", target, depth=1, top=8) for target in ("cat", "cat - dog"))
    shares = [max(unit.left_share or 0, unit.right_share or 0) for unit in compare(left, right).shared]
    assert len(shares) > 2
    assert all(one >= other for one, other in pairwise(shares))


def test_a_circuit_compared_with_itself_shares_everything(warm: Circuit) -> None:
    found = compare(warm, warm)
    assert {unit.id for unit in found.shared} == warm.visible
    assert (found.left, found.right, found.left_edges, found.right_edges) == ((), (), (), ())
    assert found.unit_index == found.edge_index == 1


def test_two_sides_exchanged_give_the_same_picture_exchanged(warm: Circuit, cold: Circuit) -> None:
    one, other = compare(warm, cold), compare(cold, warm)
    assert (one.left, one.right) == (other.right, other.left)
    assert one.left_edges == other.right_edges
    assert one.shared_edges == tuple((right, left) for left, right in other.shared_edges)
    assert (one.unit_index, one.edge_index) == (other.unit_index, other.edge_index)


def test_discarded_units_and_what_only_they_need_do_not_count(warm: Circuit) -> None:
    found = compare(warm, discard(warm, "conv2:0"))
    assert found.left == ("conv2:0", "conv1:0", "conv1:1")
    assert found.right == ()
    assert {(edge.source, edge.target) for edge in found.left_edges} == {
        ("conv2:0", "fc:0"), ("conv1:0", "conv2:0"), ("conv1:1", "conv2:0"),
    }  # fmt: skip


def test_circuits_that_share_nothing_have_index_0_and_no_edges_at_all_count_as_alike(network: Network) -> None:
    one, other = (trace(network, colour_photo(), unit, depth=1) for unit in ("conv2:0", "conv2:1"))
    found = compare(one, other)
    assert (found.unit_index, found.edge_index, found.shared) == (0, 0, ())
    dead = trace(network, colour_photo(), "conv2:2", depth=1)
    assert compare(dead, dead).edge_index == 1


def test_a_persons_names_are_told_the_left_ones_first(warm: Circuit) -> None:
    named = warm.with_name("conv2:0", "reds")
    assert {unit.id: unit.called for unit in compare(warm, named).shared}["conv2:0"] == "reds"
    assert {unit.id: unit.called for unit in compare(named, warm).shared}["conv2:0"] == "reds"
    other = warm.with_name("conv2:0", "roses")
    assert {unit.id: unit.called for unit in compare(named, other).shared}["conv2:0"] == "reds"
    assert compare(warm, warm).shared[0].called == "warm"


def test_other_weights_are_another_network_though_the_addresses_are_the_same(warm: Circuit, network: Network) -> None:
    import torch

    from circuits import prepare

    module = Handmade()
    with torch.no_grad():
        module.fc.bias[0] = 0.2
    changed = prepare(module, name="handmade", source="by hand", preprocessing=network.preprocessing)
    found = compare(warm, trace(changed, colour_photo(), 0, depth=2, signs="both"))
    assert not found.same_network
    assert {unit.id for unit in found.shared} == warm.visible


def test_layers_that_only_one_side_knows_stand_where_they_belong(network: Network, warm: Circuit) -> None:
    short = trace(network, colour_photo(), "warm", layers=["conv1", "fc"], depth=1, signs="both")
    for found in (compare(warm, short), compare(short, warm)):
        assert [row.layer for row in found.layers] == ["fc", "conv2", "conv1"]
        assert {unit.id for unit in found.shared} == {"fc:0", "conv1:0", "conv1:1", "conv1:2"}
    assert compare(short, warm).right == ("conv2:0", "conv2:1")
    assert compare(short, warm).shared_edges == ()


def test_it_needs_no_network_and_says_all_of_it_as_plain_values(warm: Circuit, cold: Circuit) -> None:
    read = [Circuit.from_dict(json.loads(circuit.to_json_text())) for circuit in (warm, cold)]
    data = compare(*read).to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data == compare(warm, cold).to_dict()
    assert data["same_network"] is True
    assert data["unit_index"] == 2 / 7
    assert data["edge_index"] == 1 / 6
    assert data["layers"][0] == {"layer": "fc", "shared": [], "left": ["fc:0"], "right": ["fc:1"]}
    (unit,) = data["layers"][1]["shared"]
    assert set(unit) == {"id", "unit", "called", "left", "right", "left_share", "right_share"}
    assert unit["unit"] == "conv2:1"
    (edge,) = data["edges"]["shared"]
    assert edge["left"] == edge["right"] == pytest.approx(POSITIONS * BLUE)
    assert [row["source"] for row in data["edges"]["right"]] == ["conv2:1"]
