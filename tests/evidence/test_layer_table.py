import numpy as np
import pytest
import torch
from torch import nn

from circuits.errors import InputError, UnknownError
from circuits.evidence.layer_statistics import layer_table
from circuits.evidence.maps import argument_map
from circuits.image.photo import Photo, load_photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.tracing.trace import trace
from tests.support.nets import randomize, ready, seeded

LAYERS = ("low", "high", "fc")


class Small(nn.Module):
    """Two rectified convolutions and three classes; the third channel of the lower one never fires."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.low = nn.Conv2d(3, 5, 3, padding=1), nn.ReLU()
        self.two, self.high = nn.Conv2d(5, 4, 3, padding=1), nn.ReLU()
        self.fc = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.high(self.two(self.low(self.one(x)))).mean((2, 3)))


@pytest.fixture(scope="module")
def network() -> Network:
    module = randomize(Small(), 4)
    with torch.no_grad():
        module.one.weight[2] = 0
        module.one.bias[2] = -1
    return ready(module, 8, layers=LAYERS)


@pytest.fixture(scope="module")
def photo() -> Photo:
    return load_photo(torch.rand(8, 8, 3, generator=seeded(5)).numpy())


def by_hand(network: Network, circuit: Circuit, layer: str, weights: list[float]) -> np.ndarray:
    """Gradient times activation of a weighted sum of classes, through all that lies above, in one backward pass."""
    a = network.activations(network.preprocessing.to_tensor(circuit.photo.image))[layer].clone().requires_grad_()
    logits = network.segment(layer, "fc")(a)[0, :, 0, 0]
    (gradient,) = torch.autograd.grad((logits * torch.tensor(weights)).sum(), a)
    return (a * gradient).detach().sum((0, 2, 3)).numpy()


@pytest.mark.parametrize("layer", ["low", "high"])
@pytest.mark.parametrize(("target", "weights"), [("fc:1", [0, 1, 0]), ("class 2 - class 0", [-1, 0, 1])])
def test_attributions_equal_one_backward_pass_from_the_target(
    network: Network, photo: Photo, layer: str, target: str, weights: list[float]
) -> None:
    if " - " in target:
        target = f"{network.label(2)} - {network.label(0)}"
    circuit = trace(network, photo, target, depth=1)
    table = layer_table(network, circuit, layer)
    wanted = by_hand(network, circuit, layer, weights)
    assert np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(table.attributions, wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(table.shares, wanted / np.abs(wanted).sum(), rtol=1e-4, atol=1e-6)
    for channel in range(table.peaks.size):
        total = argument_map(network, circuit, f"{layer}:{channel}").sum()
        assert table.attributions[channel] == pytest.approx(total, rel=1e-4, abs=1e-6)


def test_activations_are_the_highest_with_their_places_and_a_silent_unit_is_marked(
    network: Network, photo: Photo
) -> None:
    table = layer_table(network, photo, "low")
    activation = network.activations(network.preprocessing.to_tensor(photo.image))["low"][0]
    assert table.peaks.tolist() == [float(channel.max()) for channel in activation]
    for channel, (row, column) in enumerate(table.places):
        assert float(activation[channel, row, column]) == table.peaks[channel]
    assert table.silent.tolist() == [False, False, True, False, False]
    assert table.attributions is None
    assert table.shares is None


def test_at_the_targets_own_layer_only_the_target_counts_and_above_it_nothing_does(
    network: Network, photo: Photo
) -> None:
    a = network.activations(network.preprocessing.to_tensor(photo.image))["high"][0]
    unit = layer_table(network, trace(network, photo, "high:1", depth=1), "high").attributions
    assert unit.tolist() == pytest.approx([0, float(a[1].double().sum()), 0, 0])
    neuron = trace(network, photo, "high:3@2,5", depth=1)
    assert layer_table(network, neuron, "high").attributions.tolist() == pytest.approx([0, 0, 0, float(a[3, 2, 5])])
    assert layer_table(network, neuron, "fc").attributions is None


def test_a_layer_or_network_that_is_not_the_circuits_is_refused(network: Network, photo: Photo) -> None:
    circuit = trace(network, photo, "fc:1", depth=1)
    with pytest.raises(UnknownError, match="No layer 'middle'"):
        layer_table(network, circuit, "middle")
    with pytest.raises(UnknownError, match="No layer 'middle'"):
        layer_table(network, photo, "middle")
    other = ready(randomize(Small(), 9), 8, layers=LAYERS)
    with pytest.raises(InputError, match="load that network"):
        layer_table(other, circuit, "low")
