"""Where each mode fails, with the numbers: the same wired networks as in the table of docs/methods.md.

All photos are of one colour with red, green and blue 1 at each of four positions, unless it is said otherwise.
"""

from collections.abc import Mapping

import pytest

from circuits import Circuit, Readout, expand, integrated_gradients, measure, trace
from circuits.tracing.edge import Edge
from tests.support.known_circuits import CASES, LIVE, Case, verdict
from tests.support.wiring import Stage, Wiring, colours, photo_of


def traced(case: Case, mode: str, **options: object) -> Circuit:
    """The whole circuit of t."""
    network = case.wiring.network(case.chosen)
    given = {"top": 9, "signs": "both", "depth": len(case.chosen), **options}
    return trace(network, photo_of(case.pixels), "t", mode=mode, **given)


def edges_into(case: Case, circuit: Circuit, upper: str) -> dict[str, Edge]:
    """The edges into a unit, by the name of the unit below."""
    [name] = [node for node in circuit.nodes if case.wiring.address(node)[1] == upper]
    return {case.wiring.address(edge.source)[1]: edge for edge in circuit.edges_into(name)}


def shares(name: str, mode: str, upper: str = "t") -> dict[str, float]:
    """What a mode says of the units below one, by name."""
    case = CASES[name]
    return {unit: edge.attribution for unit, edge in edges_into(case, traced(case, mode), upper).items()}


def logit(name: str, present: Mapping[str, float] | None = None) -> float:
    """The logit of t with units of the lowest layer scaled."""
    case = CASES[name]
    return case.known.value_with(
        case.target, {(case.chosen[0], unit): scale for unit, scale in (present or {}).items()}
    )


def test_sum_sees_nothing_at_saturation_and_ig_and_ablate_see_it_all() -> None:
    """T = 4 min(wheel, 1) + window; each of 4 positions gives 4 + 1."""
    name = "saturation: min(wheel, 1)"
    assert (logit(name), logit(name, {"wheel": 0}), logit(name, {"wheel": 0.9})) == (20, 4, 20)
    for mode in ("sum", "target"):
        assert shares(name, mode) == {"window": 4}
    for mode in ("ig", "ablate"):
        assert shares(name, mode) == pytest.approx({"wheel": 16, "window": 4})
    books = traced(CASES[name], "sum").node("classes:0").books
    assert (books.value, books.shown, books.bias, books.exact) == (20, 4, 16, True)


def test_of_two_units_that_stand_in_for_each_other_ablate_says_nothing_of_either() -> None:
    """T = min(wheel + track, 1), both 1: alone none is missed, together all is."""
    name = "redundancy: wheel OR track"
    assert logit(name) == 4
    assert logit(name, {"wheel": 0}) == logit(name, {"track": 0}) == 4
    assert logit(name, {"wheel": 0, "track": 0}) == 0
    for mode in ("sum", "target", "ablate"):
        assert shares(name, mode) == {}
        books = traced(CASES[name], mode).node("classes:0").books
        assert (books.value, books.gross, books.bias) == (4, 0, 4)
    assert shares(name, "ig") == pytest.approx({"wheel": 2, "track": 2})


def test_what_two_units_do_only_together_is_counted_twice_by_ablate_and_by_the_gradient() -> None:
    """car = relu(wheel + window - 1), both 1: each is worth the whole, 4 over all positions, and the books show it."""
    name = "conjunction: wheel AND window"
    assert (logit(name), logit(name, {"wheel": 0}), logit(name, {"window": 0})) == (4, 0, 0)
    for mode in ("sum", "target", "ablate"):
        assert shares(name, mode, "car") == {"wheel": 4, "window": 4}
        books = traced(CASES[name], mode).node("things:0").books
        assert (books.value, books.shown, books.bias) == (4, 8, -4)
        assert books.bias_name == ("remainder" if mode == "ablate" else "bias")
    assert shares(name, "ig", "car") == pytest.approx({"wheel": 2, "window": 2})


def test_ig_credits_what_happens_only_at_activations_that_no_photo_has() -> None:
    """The tent is on where leaf is at half strength, and 0 with leaf on or off, with stone on or off."""
    name = "units that matter at half strength only"
    for leaf in (0, 1):
        for stone in (0, 1):
            assert logit(name, {"leaf": leaf, "stone": stone}) == 4
    assert logit(name, {"leaf": 0.5, "stone": 0}) == 4 + 4 * 2
    for mode in ("sum", "target", "ablate"):
        assert shares(name, mode) == {"wheel": 4}
    found = shares(name, "ig")
    assert found["leaf"] == pytest.approx(8)
    assert found["stone"] == pytest.approx(-7.44, abs=0.01)
    assert found["wheel"] == pytest.approx(4)
    assert max(found, key=lambda unit: found[unit]) == "leaf"


def test_32_points_of_ig_are_off_by_seven_percent_where_units_switch_on_and_off_on_the_way() -> None:
    """The stone's guard is on from 1/4 of the way, the tent up to 1/2: -8 ∫ 4 dα = -8 over four positions."""
    case = CASES["units that matter at half strength only"]
    network = case.wiring.network(case.chosen)
    segment, image = network.segment("parts", "classes"), network.preprocessing.input_of(photo_of(case.pixels))
    activation = network.activations(image)["parts"]
    stone = case.wiring.units["parts"].index("stone")
    for steps, expected in ((32, -7.44), (512, -8)):
        found = integrated_gradients(segment, activation, Readout.of_unit(0), steps=steps)
        assert float(found[stone]) == pytest.approx(expected, abs=0.04)


def test_all_modes_but_target_treat_the_positions_of_the_upper_unit_alike() -> None:
    """The logit is car at the upper left; wheel is 1 there, window 5 at the lower right."""
    name = "a unit that matters at one place"
    assert (logit(name), logit(name, {"window": 0}), logit(name, {"wheel": 0})) == (1, 1, 0)
    for mode in ("sum", "ig", "ablate"):
        assert shares(name, mode, "car") == pytest.approx({"window": 5, "wheel": 1})
        first = edges_into(CASES[name], traced(CASES[name], mode, top=1), "car")
        assert list(first) == ["window"]
    assert shares(name, "target", "car") == {"wheel": 1}


def test_paths_that_cancel_inside_a_segment_are_hidden_behind_their_net_in_every_mode() -> None:
    """T = car - boat, each equal to wheel = 3 at four positions: +12 and -12."""
    hidden, seen = CASES["two paths that cancel, inside a segment"], "two paths that cancel, in a layer"
    for mode in LIVE:
        circuit = traced(hidden, mode)
        assert list(circuit.nodes) == ["classes:0"]
        assert circuit.node("classes:0").books.gross == 0
        assert shares(seen, mode) == {"car": 12, "boat": -12}
        sign = -1 if mode == "target" else 1
        assert (shares(seen, mode, "car"), shares(seen, mode, "boat")) == ({"wheel": 12}, {"wheel": 12 * sign})


def test_target_does_not_go_below_a_unit_whose_effects_on_the_class_cancel() -> None:
    name = "what feeds two paths that cancel"
    assert shares(name, "target", "wheel") == {}
    assert traced(CASES[name], "target").node("parts:0").value == 0
    for mode in ("sum", "ig", "ablate"):
        assert shares(name, mode, "wheel") == pytest.approx({"rim": 12})


def test_the_positive_top_k_hides_inhibition_and_the_coverage_says_so() -> None:
    """car = 3 wheel - 2 leaf + 2: at each of four positions 3 - 2 + 2."""
    case = CASES["inhibition"]
    for mode in LIVE:
        circuit = traced(case, mode, signs="positive")
        assert {unit: edge.attribution for unit, edge in edges_into(case, circuit, "car").items()} == {"wheel": 12}
        books = circuit.node("things:0").books
        assert (books.value, books.shown, books.rest, books.bias) == (12, 12, -8, 8)
        assert books.coverage == pytest.approx(0.6)
        both = expand(case.wiring.network(), circuit, "things:0", signs="both").node("things:0").books
        assert (both.shown, both.rest, both.coverage) == (4, 0, 1)


@pytest.mark.parametrize("mode", LIVE)
def test_a_pair_that_cancels_leads_a_positive_circuit_with_one_half_of_itself(mode: str) -> None:
    """car = 5 rust - 5 paint + wheel, all 1: the value is the wheel's, the strongest share the rust's."""
    wiring = Wiring(
        Stage("parts", rust="red", paint="green", wheel="blue"),
        Stage("things", car="5 rust - 5 paint + wheel"),
        Stage("classes", t="car"),
    )
    case = Case(wiring, ())
    circuit = traced(case, mode, signs="positive", top=1)
    assert {unit: edge.attribution for unit, edge in edges_into(case, circuit, "car").items()} == pytest.approx(
        {"rust": 20 if mode != "ablate" else 4}
    )
    books = circuit.node("things:0").books
    assert books.value == 4
    assert books.coverage < 0.5


def test_what_keeps_a_unit_off_is_missed_by_the_gradient_and_by_everyone_where_the_unit_is_a_layer_s() -> None:
    """T = wheel + relu(1 - leaf), wheel 1, leaf 2: without the leaf 4 more."""
    inside, layered = "a unit held off, inside a segment", "a unit held off, in a layer"
    assert (logit(inside), logit(inside, {"leaf": 0})) == (4, 8)
    for mode in ("sum", "target"):
        assert shares(inside, mode) == {"wheel": 4}
    for mode in ("ig", "ablate"):
        assert shares(inside, mode) == pytest.approx({"wheel": 4, "leaf": -4})
    for mode in LIVE:
        assert shares(layered, mode) == {"car": 4}


def test_a_measured_edge_shows_what_its_share_does_not() -> None:
    """car = relu(3 wheel - 2 leaf), 3 - 2: the wheel's share is 3, but without it only 1 is lost, at four positions."""
    wiring = Wiring(
        Stage("parts", wheel="red", leaf="green"),
        Stage("things", car="3 wheel - 2 leaf"),
        Stage("classes", t="car"),
    )
    case = Case(wiring, (), pixels=colours(red=1, green=1))
    circuit = measure(wiring.network(), traced(case, "sum"), "things:0")
    edges = edges_into(case, circuit, "car")
    told = {unit: (edge.attribution, edge.ablation, edge.disagrees) for unit, edge in edges.items()}
    assert told == {"wheel": (12, 4, True), "leaf": (-8, -8, False)}


@pytest.mark.parametrize("mode", ["sum", "target"])
def test_measuring_the_edges_that_are_shown_tells_of_no_unit_that_is_missed(mode: str) -> None:
    missed = [case for case in CASES.values() if verdict(case, mode) == "missed"]
    assert len(missed) >= 6
    for case in missed:
        circuit = measure(case.wiring.network(case.chosen), case.circuit(mode))
        edges = [edge for name in circuit.visible for edge in circuit.edges_into(name)]
        assert all(edge.ablation is not None for edge in edges)
        assert not any(edge.disagrees for edge in edges)
