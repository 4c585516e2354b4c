"""Shares measured from a baseline that is not zero, against slow definitions in float64."""

import pytest
import torch
from torch import Tensor

from circuits.attribution.batched import is_understood
from circuits.attribution.gradient import (
    Readout,
    ablation,
    gradient_times_activation,
    gradients,
    gradients_times_activation,
    integrated_gradients,
)
from circuits.attribution.modes import MODES, attribute
from circuits.attribution.parts import PackedLayer, attribute_parts
from circuits.groups.coding import encode
from circuits.groups.dictionary import Dictionary
from circuits.network.network import Network
from circuits.network.segments import Segment
from tests.support import reference
from tests.support.nets import BranchesAndSkip, image_for, seeded, with_normal_weights, zoo_network
from tests.support.wiring import Stage, Wiring

PAIRS = [("stem", "cat", 7), ("cat", "relu_3", 4)]


@pytest.fixture(scope="module")
def network() -> Network:
    found = with_normal_weights(BranchesAndSkip, (8, 8), seed=3, std=0.5)
    found.traced.double()
    return found


@pytest.fixture(scope="module")
def activations(network: Network) -> dict[str, Tensor]:
    return network.activations(torch.randn(1, 3, 8, 8, generator=seeded(5), dtype=torch.float64))


def means_of(activation: Tensor) -> Tensor:
    """Any numbers, one a channel."""
    return torch.rand(1, activation.shape[1], 1, 1, generator=seeded(9)).to(activation) * activation.abs().mean()


@pytest.mark.parametrize(("lower", "upper", "channel"), PAIRS)
def test_every_mode_equals_its_slow_definition_from_the_baseline(
    network: Network, activations: dict[str, Tensor], lower: str, upper: str, channel: int
) -> None:
    segment, a, unit = network.segment(lower, upper), activations[lower], Readout.of_unit(channel)
    b, f = means_of(a), reference.sum_of_channel(segment, channel)
    there = b.expand_as(a)
    point = a.clone().requires_grad_()
    (slope,) = torch.autograd.grad(f(point), point)
    scores = gradient_times_activation(segment, a, unit, b)
    torch.testing.assert_close(scores, ((a - there) * slope).sum((0, 2, 3)), rtol=1e-10, atol=1e-10)
    # What the means give is the rest of the books, beside the bias.
    base = float((there * slope).sum()) + reference.effective_bias(network.traced, f, a)
    assert float(f(a)) - float(scores.sum()) == pytest.approx(base, abs=1e-9)
    # ig and ablate ask the same of the function that is moved to begin at the means.
    moved: reference.Function = lambda away: f(there + away)  # noqa: E731
    torch.testing.assert_close(ablation(segment, a, unit, b), reference.ablation(moved, a - there))
    ig = integrated_gradients(segment, a, unit, b, steps=128)
    slow = reference.integrated_gradients(moved, a - there, steps=200)
    torch.testing.assert_close(ig, slow, rtol=1e-2, atol=1e-2)
    assert float(ig.sum()) == pytest.approx(float(f(a) - f(there)), rel=1e-2, abs=1e-2)


def test_a_baseline_of_zeros_is_none(network: Network, activations: dict[str, Tensor]) -> None:
    segment, a = network.segment("stem", "cat"), activations["stem"]
    zeros = torch.zeros_like(a[:, :, :1, :1])
    for mode in MODES:
        [plain], [from_zeros] = (list(attribute(mode, segment, a, [Readout.of_unit(7)], b)) for b in (None, zeros))
        torch.testing.assert_close(from_zeros, plain, rtol=1e-12, atol=1e-12)


def test_units_that_are_answered_together_have_the_shares_that_each_has_alone() -> None:
    network = zoo_network("mobilenet_v2")  # rectifiers with a limit, depthwise convolutions, blocks without a rectifier
    run = network.activations(image_for(network))
    for upper in (network.layers[1], network.layers[-1]):
        [lower] = network.layers_below(upper)
        segment, a, b = network.segment(lower, upper), run[lower], means_of(run[lower])
        assert is_understood(segment)
        readouts = [Readout.of_unit(channel) for channel in range(3)]
        together = list(gradients_times_activation(segment, a, readouts, b))
        slow = [((a - b) * slope).sum((0, 2, 3)) for slope in gradients(segment, a, readouts)]
        for found, expected, readout in zip(together, slow, readouts, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
            torch.testing.assert_close(gradient_times_activation(segment, a, readout, b), found, rtol=0, atol=0)


HERE, MEANS = torch.tensor([2.0, 1.0])[None, :, None, None].expand(1, 2, 2, 2), torch.tensor([[[[0.5]], [[4.0]]]])


def linear() -> Segment:
    stages = Stage("a", x="red", y="green"), Stage("b", u="2 x + y + 9", v="9 - x"), Stage("fc", t="3 u - v")
    return Wiring(*stages).network(["a", "b", "fc"]).segment("a", "fc")


def test_where_nothing_bends_every_mode_says_what_ablation_to_the_mean_takes_away() -> None:
    """t = 3 (2 x + y + 9) - (9 - x) = 7 x + 3 y + 18 at (2, 1), from (0.5, 4), summed over four positions."""
    for mode in MODES:
        [scores] = attribute(mode, linear(), HERE, [Readout.of_unit(0)], MEANS)
        assert scores.tolist() == pytest.approx([4 * 10.5, 4 * -9.0], abs=1e-3), mode


@pytest.mark.parametrize("mode", ["sum", "ig", "ablate"])
def test_a_group_is_measured_from_its_code_of_the_means(mode: str) -> None:
    """One group along (1, 1) holds 1.5 of (2, 1) and 2.25 of (0.5, 4); 10 is its slope, the residual has the rest."""
    code = encode(Dictionary(torch.tensor([[1.0, 1.0]]), "by hand"), HERE)
    layers = [PackedLayer(0, HERE.shape[1:], code, MEANS)]
    [scores] = attribute_parts(mode, linear(), HERE, [Readout.of_unit(0)], layers)
    assert scores.tolist() == pytest.approx([4 * -7.5, 4 * 9.0], abs=1e-3)
    assert float(scores.sum()) == pytest.approx(4 * 1.5, abs=1e-3)
