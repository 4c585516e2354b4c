"""Units spent best first, against a search that computes every sum anew."""

from functools import cache

import pytest

from circuits import Circuit, InputError, Network, contributions, load_network, trace
from circuits.tracing.budget import LARGEST_BUDGET
from circuits.units import Group

PHOTO = "example:cat"


@cache
def builtin() -> Network:
    return load_network()


def best_first(count: int, depth: int) -> list[str]:
    """The definition: of all channels below what is kept, again and again the one with the largest sum of shares."""
    network = builtin()
    deep = trace(network, PHOTO, "cat", depth=1, top=1, mode="target")
    kept: list[str] = []
    steps = {deep.root: 0}
    shares: dict[str, dict[str, float]] = {}
    while len(kept) < count:
        for name, step in steps.items():
            if step < depth and name not in shares:
                wide = trace(network, PHOTO, "cat", depth=depth, top=400, mode="target") if not shares else deep
                deep = wide
                found = contributions(network, deep, name, top=1000)
                shares[name] = {str(unit): share for unit, share in found.shares}
        sums: dict[str, tuple[float, int]] = {}
        for name, own in shares.items():
            for unit, share in own.items():
                if unit not in kept:
                    sums[unit] = sums.get(unit, (0.0, 0))[0] + share, steps[name] + 1
        best = max(sums, key=lambda unit: sums[unit][0])
        kept.append(best)
        steps[best] = sums[best][1]
    return kept


def test_units_are_kept_by_their_sum_of_edges_to_what_is_kept() -> None:
    circuit = trace(builtin(), PHOTO, "cat", units=9, depth=2)
    assert [name for name in circuit.nodes if name != circuit.root] == best_first(9, 2)
    assert circuit.settings.mode == "target"
    assert circuit.settings.units == 9


def held(circuit: Circuit, layer: str) -> float:
    """The part of the target that a layer's units account for along shown edges."""
    edges = [edge for name in circuit.nodes for edge in circuit.edges_into(name) if edge.source.startswith(layer)]
    return sum(edge.attribution for edge in edges) / circuit.target.value


def test_every_edge_between_kept_units_is_shown() -> None:
    circuit = trace(builtin(), PHOTO, "cat", units=20, depth=2)
    for name, node in circuit.nodes.items():
        if node.expanded:
            shares = {str(unit): share for unit, share in contributions(builtin(), circuit, name, top=1000).shares}
            wanted = {unit for unit in shares if unit in circuit.nodes}
            assert {edge.source for edge in circuit.edges_into(name)} == wanted


def test_a_level_takes_no_more_than_the_share_asked_for() -> None:
    circuit = trace(builtin(), PHOTO, "cat", share=0.5, depth=2)
    counts = {layer: sum(name.startswith(layer) for name in circuit.nodes) for layer in ("conv7", "conv6")}
    for layer, count in counts.items():
        assert held(circuit, layer) >= 0.5 - 1e-5
        strengths = sorted(
            sum(
                edge.attribution for upper in circuit.nodes for edge in circuit.edges_into(upper) if edge.source == name
            )
            for name in circuit.nodes
            if name.startswith(layer)
        )
        assert held(circuit, layer) - strengths[0] / circuit.target.value < 0.5  # without the least one it holds less
        assert count < builtin().layer(layer).channels
    more = trace(builtin(), PHOTO, "cat", share=0.8, depth=2)
    assert set(circuit.nodes) < set(more.nodes)


def test_a_large_budget_does_not_go_past_the_target() -> None:
    circuit = trace(builtin(), PHOTO, "cat", units=LARGEST_BUDGET, depth=1)
    assert len(circuit.nodes) < 1 + builtin().layer("conv7").channels
    assert 1 - 1e-5 <= held(circuit, "conv7") < 1.05


def test_groups_are_spent_too_and_what_is_in_none_is_shown() -> None:
    circuit = trace(builtin(), PHOTO, "cat", units=5, groups=8, depth=2)
    groups = [node.unit for node in circuit.nodes.values() if isinstance(node.unit, Group)]
    assert sum(unit.number is not None for unit in groups) == 5
    assert "conv7/rest" in circuit.nodes
    assert not circuit.nodes["conv7/rest"].expanded


def test_both_signs_take_what_argues_against_too() -> None:
    positive = trace(builtin(), PHOTO, "cat", units=60, depth=1)
    both = trace(builtin(), PHOTO, "cat", units=60, depth=1, signs="both")
    assert all(edge.attribution > 0 for edge in positive.edges_into(positive.root))
    assert any(edge.attribution < 0 for edge in both.edges_into(both.root))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 0}, "from 1 to 2000"),
        ({"units": True}, "from 1 to 2000"),
        ({"share": 0}, "above 0"),
        ({"share": 1.5}, "above 0 and up to 1"),
        ({"units": 5, "top": 3}, "two ways"),
        ({"units": 5, "mode": "sum"}, "leave mode out"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trace(builtin(), PHOTO, **options)


def test_a_target_below_zero_has_no_share() -> None:
    network = builtin()
    logits = network.logits(network.preprocessing.input_of(trace(network, PHOTO, depth=1).photo))[0]
    with pytest.raises(InputError, match="above zero"):
        trace(network, PHOTO, f"fc:{int(logits.argmin())}", units=5)


def test_with_both_signs_units_are_spent_on_what_makes_a_target_low() -> None:
    network = builtin()
    logits = network.logits(network.preprocessing.input_of(trace(network, PHOTO, depth=1).photo))[0]
    target = f"fc:{int(logits.argmin())}"
    circuit = trace(network, PHOTO, target, units=500, share=0.5, signs="both", depth=1)
    books = circuit.nodes[circuit.root].books
    assert books.value < 0
    assert books.shown <= 0.5 * books.value * (1 - 1e-5)
    kept = len(circuit.edges_into(circuit.root))
    fewer = trace(network, PHOTO, target, units=kept - 1, signs="both", depth=1)
    assert fewer.nodes[fewer.root].books.shown > 0.5 * books.value
