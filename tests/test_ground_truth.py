"""Circuits that are known: hand-wired networks, against what their formulas say, in every mode."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from circuits import measure, trace
from circuits.tracing.circuit import Circuit
from tests.support.known import Known
from tests.support.known_circuits import CASES, LIVE, Case, verdict
from tests.support.random_wiring import Edges, Random, known_edges, random_wiring
from tests.support.wiring import Join, Plus, Stage, Wiring, colours, photo_of, read_formula

METHODS = (Path(__file__).parents[1] / "docs" / "methods.md").read_text("utf-8")
WORDS = {"exact", "units", "missed"}
FREE, ROOMY = range(24), range(100, 116)


def table() -> dict[str, dict[str, str]]:
    """The rows of "Where each mode fails", as the page has them."""
    section = METHODS.partition("\n## Where each mode fails")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    head = [cell.strip("`") for cell in rows[0]]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows[2:]}


TABLE = table()


def edges_of(circuit: Circuit, wiring: Wiring) -> Edges:
    """All edges of a circuit, by the names of the wiring."""
    return {
        (wiring.address(edge.source), wiring.address(edge.target)): edge.attribution
        for name in circuit.visible
        for edge in circuit.edges_into(name)
    }


def traced(made: Random, mode: str, layers: list[str]) -> Edges:
    """All edges that the library finds."""
    network = made.wiring.network(layers)
    circuit = trace(network, photo_of(made.pixels), "t", mode=mode, depth=len(layers), top=99, signs="both")
    return edges_of(circuit, made.wiring)


def joints(wiring: Wiring) -> list[str]:
    """The stages that everything passes: no branch and no inside of a skip."""
    return [name for name in wiring.order if not name.startswith(("left", "right", "inner"))]


def test_the_table_has_every_known_circuit_and_a_reason_for_each() -> None:
    assert list(TABLE) == list(CASES)
    for row in TABLE.values():
        assert list(row) == [*LIVE, "why"]
        assert {row[mode] for mode in LIVE} <= WORDS
        assert len(row["why"].split()) > 4


@pytest.mark.parametrize("mode", LIVE)
@pytest.mark.parametrize("name", CASES)
def test_a_cell_of_the_table_says_what_the_mode_finds(name: str, mode: str) -> None:
    assert verdict(CASES[name], mode) == TABLE[name][mode]


@pytest.mark.parametrize("case", [case for case in CASES.values() if not case.net_zero])
def test_what_is_said_to_carry_the_class_is_what_it_would_miss(case: Case) -> None:
    """In each layer: the units that add something to the logit on average over all orders of switching them on."""
    known = case.known
    for stage in case.chosen[:-1]:
        players = [(stage, unit) for unit in case.wiring.units[stage]]
        added = known.shapley(case.target, players)
        assert {unit for unit, share in added.items() if abs(share) > 1e-9} == {
            unit for unit in case.planted if unit[0] == stage
        }


@pytest.mark.parametrize("case", [case for case in CASES.values() if case.net_zero])
def test_where_effects_cancel_the_logit_would_miss_less_than_what_carries_it(case: Case) -> None:
    known, missed = case.known, set()
    for stage in case.chosen[:-1]:
        added = known.shapley(case.target, [(stage, unit) for unit in case.wiring.units[stage]])
        missed |= {unit for unit, share in added.items() if abs(share) > 1e-9}
    assert missed < case.planted


@pytest.mark.parametrize("name", CASES)
def test_the_loudest_unit_of_a_case_carries_another_class(name: str) -> None:
    case = CASES[name]
    lowest = case.chosen[0]
    sizes = {unit: case.known.values[lowest, unit].sum() for unit in case.wiring.units[lowest]}
    assert max(sizes, key=lambda unit: sizes[unit]) == "loud"
    assert (lowest, "loud") not in case.planted


WRITTEN = {
    "a chain": [("t", "car", 48, 48), ("car", "wheel", 8, 16), ("car", "window", 12, 24)],
    "branches, concatenated": [
        ("t", "round", 24, 24), ("round", "round", 8, 24), ("round", "wheel", 8, 24),
        ("t", "square", 8, 8), ("square", "square", 8, 8), ("square", "window", 4, 4),
    ],
    "a skip, added": [
        ("t", "wheel", 40, 40), ("wheel", "wheel", 8, 16), ("wheel", "to_wheel", 12, 24),
        ("to_wheel", "window", 12, 24),
    ],
    "a unit shared by two": [
        ("t", "car", 8, 8), ("t", "cart", 8, 8),
        ("car", "wheel", 4, 4), ("car", "window", 4, 4), ("cart", "wheel", 8, 8),
    ],
    "two copies that add up": [("t", "car", 8, 8), ("car", "wheel", 4, 4), ("car", "copy", 4, 4)],
    "inhibition": [("t", "car", 12, 12), ("car", "wheel", 12, 12), ("car", "leaf", -8, -8)],
}  # fmt: skip


@pytest.mark.parametrize("mode", LIVE)
@pytest.mark.parametrize("name", WRITTEN)
def test_the_edges_of_a_known_circuit_have_the_values_written_out_by_hand(name: str, mode: str) -> None:
    """(upper, lower, in units of the upper one, in units of t); each number is that of four positions."""
    case = CASES[name]
    found = edges_of(case.circuit(mode), case.wiring)
    told = sorted((upper[1], lower[1], round(share, 4)) for (lower, upper), share in found.items())
    at = 3 if mode == "target" else 2
    assert told == sorted((row[0], row[1], float(row[at])) for row in WRITTEN[name])


def test_a_formula_is_read_as_it_is_written() -> None:
    wires, bias = read_formula("2 wheel - hub + 0.5 rim@1,0 - 1.5 + 1")
    assert [wire.source for wire in wires] == ["wheel", "hub", "rim"]
    assert [wire.weight.tolist() for wire in wires] == [[[2, 2], [2, 2]], [[-1, -1], [-1, -1]], [[0, 0], [0.5, 0]]]
    assert bias == -0.5
    with pytest.raises(AssertionError, match="has no number and no unit at 6"):
        read_formula("wheel * hub")


def test_a_wired_network_does_by_hand_what_its_formulas_say() -> None:
    """Values written out: wheel 2, 4, 6, 8; window 3; car = relu(wheel - window) = 0, 1, 3, 5; both = car, window."""
    wiring = Wiring(
        Stage("parts", wheel="2 red", window="green"),
        Stage("left", car="wheel - window"),
        Stage("right", of="parts", pane="window"),
        Join("both", "left", "right"),
        Stage("change", more="pane - 2", less="- 5 pane", rectified=False),
        Plus("sum", "both", "change"),
        Stage("classes", t="car + 10 pane + 0.5", other="2 car@1,0"),
    )
    pixels = colours(red=[[1, 2], [3, 4]], green=3)
    network = wiring.network()
    found = network.activations(network.preprocessing.input_of(photo_of(pixels)))
    expected = {
        "parts": [[[2, 4], [6, 8]], [[3, 3], [3, 3]]],
        "left": [[[0, 1], [3, 5]]],
        "both": [[[0, 1], [3, 5]], [[3, 3], [3, 3]]],
        "change": [[[1, 1], [1, 1]], [[-15, -15], [-15, -15]]],
        "sum": [[[1, 2], [4, 6]], [[0, 0], [0, 0]]],
        "classes": [[[13.5]], [[8]]],
    }
    for name, values in expected.items():
        torch.testing.assert_close(found[name][0], torch.tensor(values, dtype=torch.float32), rtol=1e-6, atol=0)
    assert network.layers == tuple(wiring.order)
    assert network.layers_below("sum") == ("both", "change")


@pytest.mark.parametrize("seed", [*FREE[:8], *ROOMY[:8]])
def test_the_slow_way_through_a_wired_network_gives_the_values_of_the_module(seed: int) -> None:
    made = random_wiring(seed, roomy=seed in ROOMY)
    network, known = made.wiring.network(), Known(made.wiring, made.pixels)
    found = network.activations(network.preprocessing.input_of(photo_of(made.pixels)))
    for (stage, unit), values in known.values.items():
        if stage != "image":
            channel = made.wiring.units[stage].index(unit)
            np.testing.assert_allclose(found[stage][0, channel].numpy(), values, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("seed", FREE[:8])
def test_what_wires_hand_on_is_what_a_small_change_does(seed: int) -> None:
    """Shares by hand, against differences: dim a unit below by a part in a million and see what is lost."""
    made = random_wiring(seed, roomy=False)
    known, chosen, small = Known(made.wiring, made.pixels), joints(made.wiring), 1e-6
    target = ("classes", "t")
    below = known.below("classes", chosen)
    shares = known.shares(target, chosen)
    whole = known.value_with(target, {})
    for unit in below:
        lost = whole - known.value_with(target, {unit: 1 - small})
        assert lost / small == pytest.approx(shares.get(unit, 0.0), rel=1e-4, abs=1e-3)
    for unit in [unit for unit in known.values if unit[0] == chosen[0]]:
        lost = whole - known.value_with(target, {unit: 1 - small})
        share = float((known.slope(target, unit) * known.values[unit]).sum())
        assert lost / small == pytest.approx(share, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("mode", ["sum", "target"])
@pytest.mark.parametrize("seed", FREE)
def test_gradients_find_every_unit_and_edge_of_a_planted_circuit_and_no_other(seed: int, mode: str) -> None:
    """At any biases, units that are off among them: what a live wire hands on, no more and no less."""
    made = random_wiring(seed, roomy=False)
    known = Known(made.wiring, made.pixels)
    for layers in (made.wiring.order, joints(made.wiring), [made.wiring.order[0], "classes"]):
        expected = known_edges(known, layers, of_target=mode == "target")
        found = traced(made, mode, layers)
        assert set(found) == set(expected)
        assert found == pytest.approx(expected, rel=1e-5)
        assert all(unit[1].startswith("p") or unit[1] == "t" for edge in found for unit in edge)


@pytest.mark.parametrize("mode", LIVE)
@pytest.mark.parametrize("seed", ROOMY)
def test_every_mode_finds_the_planted_circuit_where_no_unit_is_near_its_threshold(seed: int, mode: str) -> None:
    """Where all planted units stay on whatever is silent below, all four modes say weight × activation."""
    made = random_wiring(seed, roomy=True)
    known = Known(made.wiring, made.pixels)
    for layers in (made.wiring.order, joints(made.wiring)):
        expected = known_edges(known, layers, of_target=mode == "target")
        found = traced(made, mode, layers)
        assert set(found) == set(expected)
        assert found == pytest.approx(expected, rel=1e-4)


def test_random_circuits_are_worth_finding() -> None:
    """Over all seeds: branches and skips, inhibition, units that are off, and others louder than the planted ones."""
    kinds: set[str] = set()
    louder = off = inhibiting = edges = 0
    for seed in FREE:
        made = random_wiring(seed, roomy=False)
        known = Known(made.wiring, made.pixels)
        kinds |= {re.sub(r"\d", "", name) for name in made.wiring.order}
        found = known_edges(known, made.wiring.order, of_target=True)
        top = {unit[1]: values.sum() for unit, values in known.values.items() if unit[0] == joints(made.wiring)[-2]}
        loudest = max(top, key=lambda unit: top[unit])
        louder += loudest.startswith("n")
        off += any(not values.any() for unit, values in known.values.items() if unit[1].startswith("p"))
        inhibiting += any(share < 0 for share in found.values())
        edges += len(found)
    assert kinds == {"stage", "left", "right", "both", "inner", "added", "classes"}
    assert min(louder, off, inhibiting) >= 8
    assert edges >= 8 * len(FREE)


def test_a_planted_circuit_is_verified_by_its_own_ablations() -> None:
    """Where nothing is near a threshold, `measure` finds each edge to be just what it says."""
    made = random_wiring(ROOMY[0], roomy=True)
    network = made.wiring.network()
    circuit = trace(network, photo_of(made.pixels), "t", depth=9, top=99, signs="both")
    circuit = measure(network, circuit)
    edges = [edge for name in circuit.visible for edge in circuit.edges_into(name)]
    assert len(edges) >= 5
    assert [edge.ablation for edge in edges] == pytest.approx([edge.attribution for edge in edges], rel=1e-5)
