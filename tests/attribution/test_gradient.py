import numpy as np
import pytest
import torch
from torch import Tensor

from circuits import InputError
from circuits.attribution.decomposition import Books, decompose
from circuits.attribution.gradient import (  # fmt: skip
    Readout,
    ablation,
    gradient_down,
    gradient_times_activation,
    gradients_times_activation,
    integrated_gradients,
    strongest,
)
from circuits.attribution.modes import MODES, check_mode
from circuits.network.network import Network
from tests.support import reference
from tests.support.nets import BranchesAndSkip, with_normal_weights
from tests.support.wiring import Stage, Wiring


@pytest.fixture
def network() -> Network:
    found = with_normal_weights(BranchesAndSkip, (8, 8), seed=3, std=0.5)
    found.traced.double()
    return found


@pytest.fixture
def activations(network: Network) -> dict[str, Tensor]:
    images = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return network.activations(images)


PAIRS = [("stem", "cat", 0), ("stem", "cat", 7), ("cat", "relu_3", 4), ("relu_3", "fc", 2)]


def test_layers_of_the_test_network_are_the_ones_the_tests_walk(network: Network) -> None:
    assert network.layers == ("stem", "cat", "relu_3", "fc")


@pytest.mark.parametrize(("lower", "upper", "channel"), PAIRS)
def test_gradient_times_activation_equals_the_slow_definition_and_finite_differences(
    network: Network, activations: dict[str, Tensor], lower: str, upper: str, channel: int
) -> None:
    segment, activation = network.segment(lower, upper), activations[lower]
    scores = gradient_times_activation(segment, activation, Readout.of_unit(channel))
    f = reference.sum_of_channel(segment, channel)
    torch.testing.assert_close(scores, reference.gradient_times_activation(f, activation), rtol=1e-12, atol=1e-12)
    slopes = reference.numeric_gradient_times_activation(f, activation)
    torch.testing.assert_close(scores, slopes, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("lower", "upper", "channel"), PAIRS)
def test_gradient_times_activation_adds_up_to_the_value_less_the_bias_term(
    network: Network, activations: dict[str, Tensor], lower: str, upper: str, channel: int
) -> None:
    segment, activation = network.segment(lower, upper), activations[lower]
    value = float(activations[upper][0, channel].sum())
    scores = gradient_times_activation(segment, activation, Readout.of_unit(channel))
    f = reference.sum_of_channel(segment, channel)
    bias = reference.effective_bias(network.traced, f, activation)
    assert abs(bias) > 1e-3
    assert value - float(scores.sum()) == pytest.approx(bias, abs=1e-10 * max(1, abs(value)))


@pytest.mark.parametrize(("lower", "upper", "channel"), PAIRS)
def test_gradient_times_activation_predicts_what_a_small_dimming_of_a_channel_does(
    network: Network, activations: dict[str, Tensor], lower: str, upper: str, channel: int
) -> None:
    segment, activation = network.segment(lower, upper), activations[lower]
    scores = gradient_times_activation(segment, activation, Readout.of_unit(channel))
    before = float(segment(activation)[0, channel].sum())
    for dimmed in range(activation.shape[1]):
        after = activation.clone()
        after[:, dimmed] *= 1 - 1e-7
        change = before - float(segment(after)[0, channel].sum())
        assert change == pytest.approx(1e-7 * float(scores[dimmed]), abs=1e-12)


def test_several_values_at_once_give_what_each_gives_alone(network: Network, activations: dict[str, Tensor]) -> None:
    segment, activation = network.segment("stem", "cat"), activations["stem"]
    readouts = [Readout.of_unit(0), Readout.of_unit(7), Readout.of_unit(0), Readout.of_neuron(3, (1, 2), 4, 4)]
    together = list(gradients_times_activation(segment, activation, readouts))
    assert len(together) == len(readouts)
    for readout, scores in zip(readouts, together, strict=True):
        torch.testing.assert_close(scores, gradient_times_activation(segment, activation, readout), rtol=0, atol=0)


def test_integrated_gradients_equal_the_slow_definition(network: Network, activations: dict[str, Tensor]) -> None:
    segment, activation = network.segment("cat", "relu_3"), activations["cat"]
    scores = integrated_gradients(segment, activation, Readout.of_unit(4), steps=256)
    slow = reference.integrated_gradients(reference.sum_of_channel(segment, 4), activation)
    torch.testing.assert_close(scores, slow, rtol=2e-3, atol=2e-3)


def test_integrated_gradients_add_up_to_the_difference_from_zero(
    network: Network, activations: dict[str, Tensor]
) -> None:
    segment, activation = network.segment("stem", "cat"), activations["stem"]
    for channel in (0, 7):
        scores = integrated_gradients(segment, activation, Readout.of_unit(channel), steps=256)
        difference = segment(activation) - segment(torch.zeros_like(activation))
        assert float(scores.sum()) == pytest.approx(float(difference[0, channel].sum()), rel=1e-3, abs=1e-3)


def test_integrated_gradients_predict_the_removal_of_a_channel_where_a_unit_saturates() -> None:
    """f = min(a, 1) at a = 4, as a difference of rectifiers: the gradient at the photo sees nothing."""
    wiring = Wiring(
        Stage("a", x="red"), Stage("b", one="x", over="x - 1"), Stage("c", capped="one - over"), Stage("fc", t="capped")
    )
    segment, activation = wiring.network(["a", "c", "fc"]).segment("a", "c"), torch.full((1, 1, 1, 1), 4.0)
    unit = Readout.of_unit(0)
    assert float(gradient_times_activation(segment, activation, unit)) == 0
    assert float(integrated_gradients(segment, activation, unit, steps=64)) == pytest.approx(1, abs=0.03)
    assert float(ablation(segment, activation, unit)) == 1


@pytest.mark.parametrize(("lower", "upper", "channel"), PAIRS)
def test_ablation_equals_the_slow_definition_however_it_is_batched(
    network: Network, activations: dict[str, Tensor], lower: str, upper: str, channel: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    segment, activation = network.segment(lower, upper), activations[lower]
    slow = reference.ablation(reference.sum_of_channel(segment, channel), activation)
    for memory in (1, 2**28):
        monkeypatch.setattr("circuits.attribution.gradient._BATCH_BYTES", memory)
        scores = ablation(segment, activation, Readout.of_unit(channel))
        torch.testing.assert_close(scores, slow, rtol=1e-10, atol=1e-10)


def test_ablation_of_a_linear_segment_adds_up_and_equals_gradient_times_activation(
    network: Network, activations: dict[str, Tensor]
) -> None:
    segment, activation = network.segment("relu_3", "fc"), activations["relu_3"]
    scores = ablation(segment, activation, Readout.of_unit(1))
    torch.testing.assert_close(scores, gradient_times_activation(segment, activation, Readout.of_unit(1)))
    assert float(scores.sum()) == pytest.approx(float(activations["fc"][0, 1]) - float(network.traced.fc.bias[1]))


def test_a_weighted_readout_is_the_weighted_sum_of_the_slow_definition(
    network: Network, activations: dict[str, Tensor]
) -> None:
    """Mode `target`: the gradient of the target weighs the upper map."""
    segment, activation = network.segment("stem", "cat"), activations["stem"]
    weights = torch.randn(2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def f(a: Tensor) -> Tensor:
        return (segment(a)[0, [8, 1]] * weights).sum()

    readout = Readout((8, 1), weights)
    scores = gradient_times_activation(segment, activation, readout)
    torch.testing.assert_close(scores, reference.gradient_times_activation(f, activation))
    assert float(readout.value(activations["cat"])) == pytest.approx(float(f(activation)))


def test_a_neuron_and_a_difference_read_what_they_say(activations: dict[str, Tensor]) -> None:
    cat = activations["cat"]
    assert float(Readout.of_neuron(3, (2, 1), 4, 4).value(cat)) == float(cat[0, 3, 2, 1])
    logits = activations["fc"]
    assert float(Readout.of_difference(2, 0).value(logits)) == float(logits[0, 2] - logits[0, 0])


def test_the_chain_rule_down_the_layers_equals_one_gradient_through_them_all(
    network: Network, activations: dict[str, Tensor]
) -> None:
    gradient: Tensor | Readout = Readout.of_unit(2)
    for lower, upper in (("relu_3", "fc"), ("cat", "relu_3"), ("stem", "cat")):
        gradient = gradient_down(network.segment(lower, upper), activations[lower], gradient)
    a = activations["stem"].clone().requires_grad_()
    (whole,) = torch.autograd.grad(network.segment("stem", "fc")(a)[0, 2].sum(), a)
    torch.testing.assert_close(gradient, whole)


def test_strongest_ranks_positive_shares_or_magnitudes_and_never_shows_what_has_no_share() -> None:
    scores = torch.tensor([0.0, 2.0, -5.0, 3.0, 0.0, 2.0])
    assert strongest(scores, 2, "positive") == [3, 1]
    assert strongest(scores, 9, "positive") == [3, 1, 5]
    assert strongest(scores, 2, "both") == [2, 3]
    assert strongest(scores, 9, "both") == [2, 3, 1, 5]


def test_books_close_and_count_coverage_of_the_gross() -> None:
    scores = torch.tensor([3.0, -1.0, 2.0, 0.5])
    books = decompose(6.0, scores, [0, 1], exact=True)
    assert books == Books(6.0, 2.0, 2.5, 1.5, 4 / 6.5, 6.5, True)
    assert books.shown + books.rest + books.bias == books.value
    fewer = books.showing([3.0])
    assert (fewer.shown, fewer.rest, fewer.bias, fewer.coverage) == (3.0, 1.5, 1.5, 3 / 6.5)
    assert books.bias_name == "bias"
    assert decompose(6.0, scores, [], exact=False).bias_name == "remainder"


def test_books_of_a_unit_that_nothing_drives_cover_nothing() -> None:
    assert decompose(1.0, torch.zeros(3), [], exact=True).coverage == 0


def test_bad_options_get_a_sentence(network: Network, activations: dict[str, Tensor]) -> None:
    with pytest.raises(InputError, match="no mode 'best'; there are sum, target, ig, ablate"):
        check_mode("best")
    with pytest.raises(InputError, match="must be 'positive' or 'both'"):
        strongest(torch.zeros(2), 1, "negative")
    with pytest.raises(InputError, match="at least 1"):
        integrated_gradients(network.segment("stem", "cat"), activations["stem"], Readout.of_unit(0), steps=0)


def test_nothing_is_left_behind_on_the_network(network: Network, activations: dict[str, Tensor]) -> None:
    before = {name: value.clone() for name, value in network.traced.state_dict().items()}
    for attribute in MODES.values():
        attribute(network.segment("cat", "relu_3"), activations["cat"], Readout.of_unit(0))
    for module in network.traced.modules():
        assert not module._forward_hooks
        assert not module._backward_hooks
        assert not module._forward_pre_hooks
    for name, value in network.traced.named_parameters():
        assert value.grad is None
        assert not value.requires_grad
        assert np.array_equal(value.detach().numpy(), before[name].numpy())
    assert not activations["cat"].requires_grad
