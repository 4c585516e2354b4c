"""The books close: f = Σ_j S_j + bias, with the bias computed independently, on real architectures in float64."""

import pytest
import torch

from circuits import Preprocessing, prepare
from circuits.attribution.gradient import Readout, gradient_times_activation
from tests.support import reference
from tests.support.nets import zoo

ARCHITECTURES = ["alexnet", "vgg11_bn", "squeezenet1_1", "googlenet", "resnet18", "densenet121", "shufflenet_v2_x0_5"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_books_close_in_every_layer_of_a_torchvision_architecture(name: str) -> None:
    see = Preprocessing(size=(64, 64), resize=64, mean=(0.5,) * 3, std=(0.5,) * 3)
    network = prepare(zoo(name), name=name, source="random", preprocessing=see, check=False)
    assert network.piecewise_linear
    network.traced.double()
    activations = network.activations(torch.randn(1, 3, 64, 64, dtype=torch.float64, generator=seeded(1)))
    biased = 0
    for upper in network.layers[1:]:
        lower = network.below(upper)
        assert lower is not None
        segment = network.segment(lower, upper)
        channel = int(activations[upper].sum((0, 2, 3)).argmax())
        value = float(activations[upper][0, channel].sum())
        scores = gradient_times_activation(segment, activations[lower], Readout.of_unit(channel))
        bias = reference.effective_bias(network.traced, reference.sum_of_channel(segment, channel), activations[lower])
        scale = max(abs(value), float(scores.abs().sum()))
        assert abs(value - float(scores.sum()) - bias) <= 1e-10 * scale, (upper, channel)
        biased += abs(bias) > 1e-3 * scale
    assert biased >= 2, "biases must matter for the test to mean something (a shuffle hands half of its input on)"


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
