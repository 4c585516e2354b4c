"""Single and joint ablation, agreement and warnings, where the answers are known and against slow definitions."""

import copy
import itertools
import json
from pathlib import Path

import networkx as nx
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from circuits import (
    Agreement,
    Baseline,
    Circuit,
    Edge,
    InputError,
    Network,
    Unit,
    UnknownError,
    collapse,
    discard,
    expand,
    mean_of_photos,
    measure,
    restore,
    trace,
)
from circuits.attribution.ablation import ablated_one_by_one, ablated_together
from circuits.attribution.agreement import rank_correlation
from circuits.attribution.gradient import Readout, gradient_down
from circuits.attribution.parts import PackedLayer
from circuits.tracing.source import forward_cache
from circuits.tracing.targets import target_of
from tests.support import reference
from tests.support.branched import Branches, Skip, branched
from tests.support.handmade import colour_photo, handmade_network
from tests.support.known_circuits import LIVE
from tests.support.nets import BranchesAndSkip, ready, seeded
from tests.support.verified import POSITIONS, halves, logic

WHITE = colour_photo(1.0, 1.0, 0.0)


@pytest.fixture(scope="module")
def network() -> Network:
    return logic()


def agreement(circuit: Circuit, name: str, baseline: str = "zero") -> Agreement:
    return next(found for found in circuit.nodes[name].measured if found.baseline == baseline)


def in_positions(values: list[float | None]) -> list[float]:
    return [round(value / POSITIONS, 4) for value in values if value is not None]


def test_of_a_saturated_pair_each_alone_changes_nothing_and_both_together_all(network: Network) -> None:
    circuit = measure(network, trace(network, WHITE, "top:0", depth=1, mode="ig"))
    edges = circuit.edges_into("top:0")
    assert in_positions([edge.attribution for edge in edges]) == pytest.approx([0.5, 0.5], abs=0.02)
    assert [edge.ablation for edge in edges] == [0.0, 0.0]
    assert [(edge.positive, edge.negative) for edge in edges] == [(0.0, 0.0), (0.0, 0.0)]
    assert [edge.integrated for edge in edges] == pytest.approx([edge.attribution for edge in edges])
    assert [edge.warnings for edge in edges] == [("disagrees", "saturates")] * 2
    found = agreement(circuit, "top:0")
    assert found.joint == pytest.approx(POSITIONS)
    assert found.error is None  # no single ablation changes anything
    assert found.spearman is None


def test_a_little_gradient_hides_saturation_from_single_ablation_but_not_from_the_joint_one(network: Network) -> None:
    circuit = measure(network, trace(network, WHITE, "top:1", depth=1))
    edges = circuit.edges_into("top:1")
    assert in_positions([edge.attribution for edge in edges]) == [0.1, 0.1]
    assert in_positions([edge.ablation for edge in edges]) == [0.1, 0.1]
    assert in_positions([edge.integrated for edge in edges]) == pytest.approx([0.6, 0.6], abs=0.02)
    assert [edge.warnings for edge in edges] == [("saturates",)] * 2
    found, books = agreement(circuit, "top:1"), circuit.nodes["top:1"].books
    assert books is not None
    assert found.error == pytest.approx(0, abs=1e-5)
    assert in_positions([found.joint, books.shown]) == [1.2, 0.2]


def test_where_both_are_needed_the_joint_effect_is_less_than_the_sum(network: Network) -> None:
    circuit = measure(network, trace(network, WHITE, "top:2", depth=1))
    edges = circuit.edges_into("top:2")
    assert in_positions([edge.ablation for edge in edges]) == [1.0, 1.0]
    assert [edge.disagrees for edge in edges] == [False, False]
    found = agreement(circuit, "top:2")
    assert in_positions([found.joint]) == [1.0]
    assert (found.error, found.units) == (pytest.approx(0, abs=1e-6), 3)
    assert found.spearman == 1.0


def test_in_a_linear_unit_nothing_is_warned_of_and_everything_agrees(network: Network) -> None:
    circuit = measure(network, trace(network, colour_photo(1.0, 0.6, 0.0), "top:3", depth=1))
    assert [edge.warnings for edge in circuit.edges_into("top:3")] == [(), ()]
    found, books = agreement(circuit, "top:3"), circuit.nodes["top:3"].books
    assert books is not None
    assert found.joint == pytest.approx(books.shown, rel=1e-5)
    assert (found.spearman, found.error) == (1.0, pytest.approx(0, abs=1e-5))


def test_maps_that_cancel_are_warned_of() -> None:
    """Red: 8 - 7.6 over 15.6, cancels. Green: 8 - 4 over 12, does not. Blue only argues against."""
    network = halves([1.0, 1.0, -1.0], [-0.95, -0.5, 0.0])
    circuit = measure(network, trace(network, colour_photo(1.0, 1.0, 1.0), "yes", depth=1, signs="both"))
    edges = {edge.source: edge for edge in circuit.edges_into("fc:0")}
    parts = {name: (edge.positive, edge.negative) for name, edge in edges.items()}
    assert parts == {
        "conv1:0": pytest.approx((8.0, -7.6)), "conv1:1": pytest.approx((8.0, -4.0)),
        "conv1:2": pytest.approx((0.0, -8.0)),
    }  # fmt: skip
    assert {name: edge.warnings for name, edge in edges.items()} == {
        "conv1:0": ("cancels",), "conv1:1": (), "conv1:2": (),
    }  # fmt: skip
    assert edges["conv1:0"].ablation == pytest.approx(0.4, abs=1e-5)


def test_parts_and_integrals_are_in_units_of_the_target_in_mode_target(network: Network) -> None:
    """The logit is the sum of top:1 over positions, so its gradient there is one, and the parts those of mode sum."""
    by_sum = measure(network, trace(network, WHITE, "leaky", depth=2))
    by_target = measure(network, trace(network, WHITE, "leaky", depth=2, mode="target"))
    for one, other in zip(by_sum.edges_into("top:1"), by_target.edges_into("top:1"), strict=True):
        assert (one.positive, one.negative) == pytest.approx((other.positive, other.negative))
        assert one.integrated == pytest.approx(other.integrated, rel=1e-5)
    tripled = measure(handmade_network(), trace(handmade_network(), colour_photo(), "warm", depth=2, mode="target"))
    (edge,) = tripled.edges_into("conv2:0")
    assert edge.attribution == pytest.approx(3 * 2)  # the logit reads three times the mean of conv2:0
    assert (edge.positive, edge.negative) == (pytest.approx(6.0), 0.0)


PAIRS = [("stem", "cat", 0), ("stem", "cat", 7), ("cat", "relu_3", 4), ("relu_3", "fc", 2)]


@pytest.mark.parametrize(("lower", "upper", "channel"), PAIRS)
def test_ablations_joint_and_parts_equal_the_slow_definitions_in_float64(lower: str, upper: str, channel: int) -> None:
    torch.manual_seed(3)
    network = ready(BranchesAndSkip(), 8)
    network.traced.double()
    image = torch.randn(1, 3, 8, 8, generator=seeded(5), dtype=torch.float64)
    activation, segment = network.activations(image)[lower], network.segment(lower, upper)
    count, readout = activation.shape[1], Readout.of_unit(channel)
    f = reference.sum_of_channel(segment, channel)
    instead = torch.rand((1, count, 1, 1), generator=seeded(1), dtype=torch.float64)
    for place in (torch.zeros_like(instead), instead):
        other = Readout.of_unit((channel + 1) % 3)
        batches = list(ablated_one_by_one(segment, activation, [readout, other], range(count), place))
        assert list(itertools.chain.from_iterable(channels for channels, _ in batches)) == list(range(count))
        for row, of in enumerate((f, reference.sum_of_channel(segment, (channel + 1) % 3))):
            found = torch.cat([lost[row] for _, lost in batches])
            torch.testing.assert_close(found, slow_ablation(of, activation, place), rtol=1e-12, atol=1e-12)
        several = [0, 2, 3]
        expected = activation.clone()
        expected[:, several] = place[:, several].expand_as(expected[:, several])
        joint = ablated_together(segment, activation, readout, several, place)
        assert joint == pytest.approx(float(f(activation) - f(expected)), abs=1e-12)
    positive, negative = PackedLayer(0, activation.shape[1:]).signed(
        activation, gradient_down(segment, activation, readout)
    )
    shares = slow_shares(f, activation)
    for one in range(count):
        assert float(positive[one]) == pytest.approx(sum(share for share in shares[one] if share > 0), abs=1e-12)
        assert float(negative[one]) == pytest.approx(sum(share for share in shares[one] if share < 0), abs=1e-12)


def slow_ablation(f: reference.Function, activation: Tensor, instead: Tensor) -> Tensor:
    lost = []
    for channel in range(activation.shape[1]):
        without = activation.clone()
        without[:, channel] = instead[0, channel, 0, 0]
        lost.append(float(f(activation) - f(without)))
    return torch.tensor(lost, dtype=activation.dtype)


def slow_shares(f: reference.Function, activation: Tensor) -> list[list[float]]:
    """a · ∂f/∂a of every channel, position by position."""
    a = activation.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(f(a), a)
    return [[float(x) for x in (activation * gradient)[0, c].flatten()] for c in range(activation.shape[1])]


def test_ranks_with_ties_correlate_as_in_scipy() -> None:
    chance = seeded(2)
    for size in (2, 5, 40):
        for _ in range(20):
            left, right = (torch.randint(0, 6, (size,), generator=chance).double().tolist() for _ in range(2))
            found = rank_correlation(left, right)
            if len(set(left)) == 1 or len(set(right)) == 1:
                assert found is None
            else:
                assert found == pytest.approx(float(spearmanr(left, right).statistic), abs=1e-12)
    assert rank_correlation([1.0], [2.0]) is None


@pytest.mark.parametrize("mode", list(LIVE))
def test_agreement_over_a_real_layer_is_that_of_all_its_channels(builtin: Network, mode: str) -> None:
    circuit = trace(builtin, "example:cat", depth=2, top=[2, 4], mode=mode, signs="both")
    name = circuit.edges_into(circuit.root)[0].source
    baseline = mean_of_photos(builtin, ["example:cat"])
    circuit = measure(builtin, circuit, name, baseline=baseline)
    run = forward_cache(builtin, circuit)
    unit = circuit.node(name).unit
    lower = builtin.below(unit.layer)
    assert lower is not None
    segment, a = builtin.segment(lower, unit.layer), run.activations[lower]
    weights = 1.0
    if mode == "target":
        weights = run.gradient(target_of(circuit), unit.layer)[0, unit.channel]

    def f(x: Tensor) -> Tensor:
        return (segment(x)[0, unit.channel] * weights).sum()

    scores = {
        "sum": reference.gradient_times_activation, "target": reference.gradient_times_activation,
        "ig": lambda f, a: reference.integrated_gradients(f, a, steps=200), "ablate": reference.ablation,
    }[mode](f, a)  # fmt: skip
    mean = a.mean((2, 3), keepdim=True)  # of the one photo, so that the mean is that of its own activation
    shown = circuit.edges_into(name)
    channels = [circuit.node(edge.source).unit.channel for edge in shown]
    for name_of, instead in (("zero", torch.zeros_like(mean)), ("mean", mean)):
        lost = slow_ablation(f, a, instead)
        found = agreement(circuit, name, name_of)
        assert found.units == a.shape[1]
        expected = float(spearmanr(scores.tolist(), lost.tolist()).statistic)
        assert found.spearman == pytest.approx(expected, abs=0.02)  # ties are broken by rounding in the slow one
        without = a.clone()
        without[:, channels] = instead[:, channels].expand_as(without[:, channels])
        assert found.joint == pytest.approx(float(f(a) - f(without)), rel=1e-4)
        error = sum(abs(edge.attribution - float(lost[c])) for edge, c in zip(shown, channels, strict=True))
        assert found.error == pytest.approx(error / float(lost[channels].abs().sum()), rel=1e-2, abs=1e-4)
        singles = [edge.ablation if name_of == "zero" else edge.ablation_mean for edge in shown]
        assert singles == pytest.approx(lost[channels].tolist(), rel=1e-3, abs=1e-3)
    assert agreement(circuit, name, "mean").source == "1 photo"


@pytest.mark.parametrize("module", [Branches, Skip])
def test_layers_inside_branches_are_ablated_in_the_place_where_they_enter(module: type) -> None:
    """All lower layers are one layer below; the joint ablation of all of them leaves nothing but the bias."""
    network = branched(module())
    circuit = measure(network, trace(network, colour_photo(0.9, 0.5, 0.3), "one", depth=1, top=20, signs="both"))
    found, books = agreement(circuit, "fc:0"), circuit.nodes["fc:0"].books
    assert books is not None
    below = network.layers_below("fc")
    assert found.units == sum(network.layer(name).channels for name in below)
    assert found.joint == pytest.approx(books.value - books.bias, rel=1e-4)
    baseline = mean_of_photos(network, [colour_photo(0.9, 0.5, 0.3)])
    same = measure(network, circuit, "fc:0", baseline=baseline)
    assert [edge.ablation_mean for edge in same.edges_into("fc:0")] == [0.0] * len(same.edges_into("fc:0"))


def test_only_the_edges_are_ablated_when_the_whole_layer_is_not_wanted(builtin: Network) -> None:
    circuit = trace(builtin, "example:cat", depth=1, top=3)
    whole, edges = measure(builtin, circuit), measure(builtin, circuit, whole_layer=False)
    assert agreement(edges, circuit.root).spearman is None
    assert agreement(edges, circuit.root).joint == agreement(whole, circuit.root).joint
    assert [edge.ablation for edge in edges.edges_into(circuit.root)] == pytest.approx(
        [edge.ablation for edge in whole.edges_into(circuit.root)], rel=1e-5
    )
    again = measure(builtin, whole, whole_layer=False)
    assert agreement(again, circuit.root).spearman == agreement(whole, circuit.root).spearman


def test_what_was_measured_with_a_mean_stays_when_zero_is_measured_again(network: Network) -> None:
    baseline = mean_of_photos(network, [colour_photo(0.5, 0.25, 0.0)], source="grey")
    circuit = measure(network, trace(network, WHITE, "top:3", depth=1), baseline=baseline)
    red, green = (round(level * 255) / 255 for level in (0.5, 0.25))
    assert in_positions([edge.ablation_mean for edge in circuit.edges_into("top:3")]) == pytest.approx(
        [1 - red, 1 - green], abs=1e-4
    )
    assert agreement(circuit, "top:3", "mean").source == "grey (1 photo)"
    again = measure(network, circuit)
    assert again.nodes["top:3"].measured == circuit.nodes["top:3"].measured
    assert again.edges_into("top:3") == circuit.edges_into("top:3")
    assert measure(network, circuit, baseline=Baseline.zero()) == again


def test_what_is_known_of_all_that_is_shown_is_not_said_of_other_units(network: Network) -> None:
    circuit = measure(network, trace(network, WHITE, "top:2", depth=1))
    fewer = discard(circuit, "conv1:0")
    assert (agreement(fewer, "top:2").joint, agreement(fewer, "top:2").error) == (None, None)
    assert agreement(fewer, "top:2").spearman == agreement(circuit, "top:2").spearman
    assert restore(fewer, "conv1:0").nodes["top:2"] == circuit.nodes["top:2"]
    assert in_positions([agreement(measure(network, fewer), "top:2").joint]) == [1.0]


def test_another_expansion_drops_what_the_other_units_did_and_keeps_what_each_did(network: Network) -> None:
    circuit = measure(network, trace(network, WHITE, "top:2", depth=1))
    same = expand(network, circuit, "top:2")
    assert same == circuit
    narrower = expand(network, circuit, "top:2", top=1)
    [row] = narrower.graph.nodes["top:2"]["measured"]
    assert set(row) == {"baseline", "units", "spearman"}
    assert narrower.edges_into("top:2") == circuit.edges_into("top:2")[:1]
    bare = collapse(circuit, "top:2")
    assert bare.nodes["top:2"].measured == ()
    assert bare == collapse(trace(network, WHITE, "top:2", depth=1), "top:2")


def test_an_edge_that_skips_a_layer_is_measured_but_not_together_with_the_others() -> None:
    network = handmade_network()
    data = trace(network, colour_photo(), "warm", depth=2).to_dict()
    data["edges"].append({"source": "conv1:0", "target": "fc:0", "attribution": 6.0, "rank": 2})
    circuit = measure(network, Circuit.from_dict(data), "fc:0")
    far = circuit.edges_into("fc:0")[1]
    assert (far.positive, far.negative) == (pytest.approx(6.0), 0.0)
    assert far.integrated is not None
    found = agreement(circuit, "fc:0")
    assert (found.joint, found.error, found.spearman) == (None, None, 1.0)


def test_the_file_and_graphml_carry_all_that_was_measured(network: Network, tmp_path: Path) -> None:
    baseline = mean_of_photos(network, [colour_photo(0.5, 0.25, 0.0)], source="grey")
    circuit = measure(network, trace(network, WHITE, "leaky", depth=2), baseline=baseline)
    read = Circuit.from_dict(json.loads(circuit.to_json_text()))
    assert read == circuit
    assert read.nodes["top:1"] == circuit.nodes["top:1"]
    assert read.edges_into("top:1") == circuit.edges_into("top:1")
    [row] = [row for row in circuit.to_dict()["nodes"] if row["id"] == "top:1"]
    assert [(found["baseline"], found.get("source"), found["together"]) for found in row["measured"]] == [
        ("zero", None, ["conv1:0", "conv1:1"]), ("mean", "grey (1 photo)", ["conv1:0", "conv1:1"]),
    ]  # fmt: skip
    path = tmp_path / "out.graphml"
    circuit.to_graphml(path)
    graph = nx.read_graphml(path)
    assert json.loads(graph.nodes["top:1"]["measured"]) == row["measured"]
    assert graph.edges["conv1:0", "top:1"]["integrated"] == circuit.edges_into("top:1")[0].integrated


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spearman": 1.5}, "not valid at nodes/0/measured/0/spearman: 1.5 is greater than the maximum of 1"),
        ({"joint": float("nan")}, "holds nan at joint, but it may hold finite numbers only"),
        ({"baseline": "median"}, "not valid at nodes/0/measured/0/baseline"),
        ({"units": 0}, "not valid at nodes/0/measured/0/units"),
        ({"other": 1}, "not valid at nodes/0/measured/0: Additional properties"),
    ],
)
def test_a_file_with_another_agreement_is_refused(network: Network, change: dict[str, object], message: str) -> None:
    data = copy.deepcopy(measure(network, trace(network, WHITE, "both", depth=1)).to_dict())
    data["nodes"][0]["measured"][0] |= change
    with pytest.raises(InputError, match=message):
        Circuit.from_dict(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positive": -1.0}, "edges/0/positive"), ({"negative": 1.0}, "edges/0/negative"),
        ({"integrated": float("inf")}, "holds inf at integrated"), ({"ablation_mean": "1"}, "edges/0/ablation_mean"),
    ],
)  # fmt: skip
def test_a_file_with_another_edge_is_refused(network: Network, change: dict[str, object], message: str) -> None:
    data = copy.deepcopy(measure(network, trace(network, WHITE, "both", depth=1)).to_dict())
    data["edges"][0] |= change
    with pytest.raises(InputError, match=message):
        Circuit.from_dict(data)


def test_a_file_that_says_a_unit_was_measured_that_is_not_expanded_is_refused(network: Network) -> None:
    data = copy.deepcopy(measure(network, trace(network, WHITE, "both", depth=1)).to_dict())
    data["nodes"][1]["measured"] = data["nodes"][0]["measured"]
    with pytest.raises(InputError, match="The node 'top:2' was measured but is not expanded"):
        Circuit.from_dict(data)


def test_whole_numbers_from_another_program_are_read_as_floats(network: Network) -> None:
    data = copy.deepcopy(measure(network, trace(network, WHITE, "both", depth=1)).to_dict())
    data["nodes"][0]["measured"][0]["joint"] = 3
    data["edges"][0]["integrated"] = 2
    circuit = Circuit.from_dict(data)
    assert isinstance(agreement(circuit, "fc:2").joint, float)
    assert isinstance(circuit.edges_into("fc:2")[0].integrated, float)


def test_a_baseline_of_another_network_is_refused(network: Network) -> None:
    circuit = trace(network, WHITE, "both", depth=2)
    with pytest.raises(UnknownError, match="The mean over grey is not known for layer 'top', only for conv1"):
        measure(network, circuit, baseline=Baseline("mean", "grey", {"conv1": torch.zeros(3)}))
    with pytest.raises(InputError, match="has 2 channels of top, which has 4; it belongs to another network"):
        measure(network, circuit, baseline=Baseline("mean", "grey", {"top": torch.zeros(2)}))


def edge(positive: float, negative: float, integrated: float | None = None) -> Edge:
    return Edge("a:0", "b:0", positive + negative, 1, positive=positive, negative=negative, integrated=integrated)


@pytest.mark.parametrize(
    ("positive", "negative", "cancels"),
    [(5.5, -4.4, False), (5.5, -4.6, True), (4.4, -5.5, False), (4.6, -5.5, True), (1.0, 0.0, False), (0, 0, False)],
)
def test_an_edge_cancels_below_a_tenth_of_its_gross(positive: float, negative: float, cancels: bool) -> None:
    assert edge(float(positive), float(negative)).cancels is cancels


@pytest.mark.parametrize(
    ("integrated", "saturates"),
    [(None, False), (2.0, False), (4.0, False), (4.1, True), (1.0, False), (0.9, True), (-2.0, True), (0.0, True)],
)
def test_an_edge_saturates_where_the_integral_differs_by_more_than_half(
    integrated: float | None, saturates: bool
) -> None:
    assert edge(3.0, -1.0, integrated).saturates is saturates


def test_a_unit_whose_address_is_given_is_measured_as_its_node_is(network: Network) -> None:
    circuit = trace(network, WHITE, "both", depth=2)
    assert measure(network, circuit, Unit("top", 2)) == measure(network, circuit, "top:2")
