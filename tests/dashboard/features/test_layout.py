"""Positions: layers in bands from the top down, no two units on one place, wrapped and ordered."""

import itertools

import pytest

from circuits import trace
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.tracing.trace import discard
from dashboard.features.graph.layout import BAND, CLEAR, STEP, WRAPS, best_wrap, covers, layout, lines


@pytest.fixture(scope="module")
def circuit(network: Network, photo: Photo) -> Circuit:
    """Three layers below class 0, six units each."""
    return trace(network, photo, 0, depth=3, top=6)


def test_every_visible_unit_has_a_place_of_its_own(circuit: Circuit) -> None:
    places = layout(circuit).places
    assert set(places) == circuit.visible
    assert len(set(places.values())) == len(places)


def test_the_target_is_on_top_in_the_middle(circuit: Circuit) -> None:
    places = layout(circuit).places
    assert places[circuit.root] == (0.0, 0.0)
    assert all(y >= BAND for name, (_, y) in places.items() if name != circuit.root)


def test_edges_always_go_up(circuit: Circuit) -> None:
    places = layout(circuit).places
    for target in circuit.visible:
        for edge in circuit.edges_into(target):
            assert places[edge.source][1] - places[target][1] >= BAND


def test_rows_are_the_layers_from_the_top_down_and_hold_their_units(circuit: Circuit) -> None:
    found = layout(circuit)
    assert [row.layer for row in found.rows] == ["fc", "c", "b", "a"]
    for row in found.rows:
        heights = [y for name, (_, y) in found.places.items() if circuit.nodes[name].unit.layer == row.layer]
        assert (min(heights), max(heights)) == (row.y, row.bottom)


def test_units_of_one_line_are_a_step_apart(circuit: Circuit) -> None:
    by_height: dict[float, list[float]] = {}
    for x, y in layout(circuit).places.values():
        by_height.setdefault(y, []).append(x)
    for across in by_height.values():
        across.sort()
        assert all(right - left == pytest.approx(STEP) for left, right in itertools.pairwise(across))


def test_under_one_parent_the_strongest_comes_first(network: Network, photo: Photo) -> None:
    circuit = trace(network, photo, 1, depth=1, top=5)
    places = layout(circuit).places
    ordered = [edge.source for edge in circuit.edges_into(circuit.root)]
    assert sorted(ordered, key=lambda name: places[name][0]) == ordered


def test_a_discarded_unit_takes_no_room(circuit: Circuit) -> None:
    child = circuit.edges_into(circuit.root)[0].source
    assert child not in layout(discard(circuit, child)).places


@pytest.mark.parametrize("count", [1, 5, 12, 13, 47, 150])
@pytest.mark.parametrize("wrap", [5, 12])
def test_lines_hold_all_units_and_differ_by_one_at_most(count: int, wrap: int) -> None:
    split = lines(count, wrap)
    assert sum(split) == count
    assert max(split) <= wrap
    assert max(split) - min(split) <= 1


@pytest.mark.parametrize("counts", [[1], [1, 5], [1, 5, 25], [1, 12, 40, 60], [1, 200]])
def test_the_wrap_is_one_of_those_allowed(counts: list[int]) -> None:
    assert best_wrap(counts) in WRAPS


def test_few_units_stay_on_one_line() -> None:
    assert best_wrap([1, 5]) >= 5


def test_a_locked_unit_is_where_it_was_put_and_nothing_else_moves_for_it(circuit: Circuit) -> None:
    before = layout(circuit).places
    name = circuit.edges_into(circuit.root)[0].source
    after = layout(circuit.with_place(name, (1500.0, 40.0))).places
    assert after[name] == (1500.0, 40.0)
    assert {other: place for other, place in after.items() if other != name} == {
        other: place for other, place in before.items() if other != name
    }


def test_a_unit_that_is_put_on_another_changes_places_with_it(circuit: Circuit) -> None:
    before = layout(circuit).places
    one, other = sorted((edge.source for edge in circuit.edges_into(circuit.root)), key=lambda name: before[name][0])[
        :2
    ]
    after = layout(circuit.with_place(one, before[other])).places
    assert after[one] == before[other]
    assert after[other] == before[one]


@pytest.mark.parametrize("shift", [(0.0, 0.0), (30.0, -20.0), (61.0, 79.0)])
def test_no_unit_lies_on_a_locked_one(circuit: Circuit, shift: tuple[float, float]) -> None:
    places = layout(circuit).places
    names = sorted(circuit.visible - {circuit.root})
    locked = {names[0]: names[5], names[1]: names[6], names[2]: names[9]}
    for name, onto in locked.items():
        circuit = circuit.with_place(name, (places[onto][0] + shift[0], places[onto][1] + shift[1]))
    after = layout(circuit).places
    assert len(after) == len(places)
    for name, other in itertools.product(locked, after):
        if name != other and other not in locked:
            apart = [abs(one - two) for one, two in zip(after[name], after[other], strict=True)]
            assert apart[0] >= CLEAR[0] or apart[1] >= CLEAR[1]
            assert not covers(after[name], after[other])


def test_units_that_are_folded_away_take_no_room(circuit: Circuit) -> None:
    hidden = {edge.source for edge in circuit.edges_into(circuit.root)[:3]}
    assert set(layout(circuit, hidden).places) == circuit.visible - hidden
