from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuits.attribution.gradient import Readout, gradient_times_activation
from circuits.errors import InputError, UnknownError
from circuits.evidence.maps import argument_map, edge_maps, fed_by, heat_map, target_map
from circuits.image.photo import load_photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.tracing.contributions import contributions
from circuits.tracing.run import ForwardCache
from circuits.tracing.trace import trace
from tests.support.handmade import colour_photo, handmade_network
from tests.support.nets import randomize, ready, seeded, zoo_network

LAYERS = ("stem", "cat", "mul", "fc")


class Branches(nn.Module):
    """Two branches concatenated, a skip, pooling with overlap, squeeze and excitation with a smooth gate."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.left, self.right = nn.Conv2d(6, 5, 1), nn.Conv2d(6, 4, 3, padding=1)
        self.add, self.gate = nn.Conv2d(9, 9, 3, padding=1), nn.Conv2d(9, 9, 1)
        self.fc = nn.Linear(9, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.stem(x)), 3, 2, ceil_mode=True)
        x = torch.cat([torch.relu(self.left(x)), torch.relu(self.right(x))], 1)
        x = torch.relu(x + self.add(x))
        x = x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        return self.fc(x.mean((2, 3)))


@pytest.fixture(scope="module")
def network() -> Network:
    return ready(randomize(Branches(), 3), 8, layers=LAYERS)


def photo(network: Network) -> object:
    height, width = network.preprocessing.size
    return load_photo(torch.rand(height, width, 3, generator=seeded(5)).numpy())


@pytest.fixture(scope="module")
def circuit(network: Network) -> Circuit:
    return trace(network, photo(network), depth=3, top=2, signs="both")


def in_doubles(network: Network, circuit: Circuit) -> tuple[Network, Circuit]:
    """The same in float64: the circuit carries the activations that maps are made from."""
    doubled = ready(randomize(Branches(), 3), 8, layers=LAYERS)
    assert doubled.sha256 == network.sha256
    doubled.traced.double()
    images = doubled.preprocessing.to_tensor(circuit.photo.image).double()
    return doubled, replace(circuit, cache=ForwardCache(doubled, doubled.activations(images)))


def lower_map_by_hand(network: Network, circuit: Circuit, lower: str, upper: str, at: tuple[int, int]) -> Tensor:
    """a_j(h,w) · ∂a_i(at)/∂a_j(h,w) with the segment run whole and one backward pass."""
    (below, j), (above, i) = lower.split(":"), upper.split(":")
    a = circuit.cache.activations[below].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network.segment(below, above)(a)[0, int(i), at[0], at[1]], a)
    return (a * gradient)[0, int(j)].detach()


PAIRS = [("stem:0", "cat:0"), ("stem:5", "cat:6"), ("cat:3", "mul:2"), ("stem:2", "mul:4"), ("mul:1", "fc:2")]


@pytest.mark.parametrize(("lower", "upper"), PAIRS)
def test_edge_maps_equal_one_backward_pass_a_position(
    network: Network, circuit: Circuit, lower: str, upper: str
) -> None:
    network, circuit = in_doubles(network, circuit)
    maps = edge_maps(network, circuit, lower, upper)
    by_position = {at: lower_map_by_hand(network, circuit, lower, upper, at) for at in np.ndindex(maps.upper.shape)}
    np.testing.assert_allclose(maps.lower, sum(by_position.values()).numpy(), rtol=1e-10, atol=1e-12)
    for at, expected in by_position.items():
        assert maps.upper[at] == pytest.approx(float(expected.sum()), rel=1e-10, abs=1e-12)
        np.testing.assert_allclose(fed_by(network, circuit, lower, upper, at), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("lower", "upper"), PAIRS)
def test_both_maps_of_an_edge_sum_to_its_attribution(
    network: Network, circuit: Circuit, lower: str, upper: str
) -> None:
    network, circuit = in_doubles(network, circuit)
    (below, j), (above, i) = lower.split(":"), upper.split(":")
    segment = network.segment(below, above)
    scores = gradient_times_activation(segment, circuit.cache.activations[below], Readout.of_unit(int(i)))
    maps = edge_maps(network, circuit, lower, upper)
    assert maps.lower.sum() == pytest.approx(float(scores[int(j)]), rel=1e-10, abs=1e-12)
    assert maps.upper.sum() == pytest.approx(float(scores[int(j)]), rel=1e-10, abs=1e-12)
    assert maps.attribution == pytest.approx(float(scores[int(j)]), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize(("lower", "upper"), PAIRS)
def test_the_upper_map_predicts_what_a_little_more_of_the_lower_unit_does(
    network: Network, circuit: Circuit, lower: str, upper: str
) -> None:
    network, circuit = in_doubles(network, circuit)
    (below, j), (above, i) = lower.split(":"), upper.split(":")
    more = circuit.cache.activations[below].clone()
    more[0, int(j)] *= 1 + 1e-7
    changed = network.segment(below, above)(more)[0, int(i)].numpy()
    before = heat_map(network, circuit, upper)
    expected = edge_maps(network, circuit, lower, upper).upper
    np.testing.assert_allclose((changed - before) / 1e-7, expected, rtol=1e-4, atol=1e-5)
    assert expected.any()


@pytest.mark.parametrize(
    "name", ["alexnet", "googlenet", "resnet18", "densenet_small", "mobilenet_v2", "efficientnet_b0", "convnext_tiny"]
)
def test_edge_maps_of_torchvision_networks_sum_to_the_edges_in_float32(name: str) -> None:
    network = zoo_network(name)
    image = load_photo(torch.rand(*network.preprocessing.size, 3, generator=seeded(7)).numpy())
    activations = network.activations(network.preprocessing.to_tensor(image.image))
    middle = len(network.layers) // 2
    for lower, upper in zip(network.layers[middle : middle + 2], network.layers[middle + 1 :], strict=False):
        i = int(activations[upper].sum((0, 2, 3)).argmax())
        scores = gradient_times_activation(network.segment(lower, upper), activations[lower], Readout.of_unit(i))
        j = int(scores.abs().argmax())
        maps = edge_maps(network, image, f"{lower}:{j}", f"{upper}:{i}")
        layer = network.layer(upper)
        assert maps.upper.shape == (layer.height, layer.width)
        for found in (maps.lower, maps.upper):
            assert found.dtype == np.float32
            assert found.sum(dtype=np.float64) == pytest.approx(float(scores[j]), rel=1e-5)


def test_edges_of_a_circuit_have_the_maps_that_their_numbers_sum_up(network: Network, circuit: Circuit) -> None:
    edges = [edge for node in circuit.nodes for edge in circuit.edges_into(node)]
    assert len(edges) > 6
    for edge in edges:
        maps = edge_maps(network, circuit, edge.source, edge.target)
        assert maps.lower.sum() == pytest.approx(edge.attribution, rel=1e-5, abs=1e-6)
        assert maps.upper.sum() == pytest.approx(edge.attribution, rel=1e-5, abs=1e-6)


def test_a_photo_and_its_circuit_give_the_same_maps(network: Network, circuit: Circuit) -> None:
    of_circuit = edge_maps(network, circuit, "stem:0", "cat:6")
    of_photo = edge_maps(network, circuit.photo, "stem:0", "cat:6")
    np.testing.assert_array_equal(of_circuit.lower, of_photo.lower)
    np.testing.assert_array_equal(of_circuit.upper, of_photo.upper)
    assert of_circuit.upper.any()


def test_maps_of_a_handmade_edge_are_what_was_set() -> None:
    network, source = handmade_network(), colour_photo()
    # conv2:0 = 2 red - green, at each of 16 positions.
    red = edge_maps(network, source, "conv1:0", "conv2:0")
    np.testing.assert_allclose(red.lower, np.full((4, 4), 2.0), rtol=1e-6)
    np.testing.assert_allclose(red.upper, np.full((4, 4), 2.0), rtol=1e-6)
    green = edge_maps(network, source, "conv1:1", "conv2:0")
    np.testing.assert_allclose(green.upper, -heat_map(network, source, "conv1:1"), rtol=1e-6)
    # A dead unit takes nothing, whoever offers it.
    assert not edge_maps(network, source, "conv1:0", "conv2:2").upper.any()
    fed = fed_by(network, source, "conv1:0", "conv2:0", (1, 2))
    assert fed[1, 2] == pytest.approx(2)
    assert np.count_nonzero(fed) == 1


def test_an_upper_neuron_is_fed_at_its_position_alone(network: Network, circuit: Circuit) -> None:
    maps = edge_maps(network, circuit, "stem:0", "cat:6@1,2")
    whole = edge_maps(network, circuit, "stem:0", "cat:6")
    assert maps.upper[1, 2] == whole.upper[1, 2] != 0
    assert maps.upper.sum() == maps.upper[1, 2]
    np.testing.assert_array_equal(maps.lower, fed_by(network, circuit, "stem:0", "cat:6", (1, 2)))


def test_a_difference_of_classes_has_edges_with_maps_too(network: Network) -> None:
    circuit = trace(network, photo(network), "class 0 - class 2", depth=2, top=3, signs="both")
    lower = circuit.edges_into(circuit.root)[0]
    maps = edge_maps(network, circuit, lower.source, circuit.root)
    assert maps.lower.sum() == pytest.approx(lower.attribution, rel=1e-5)
    assert maps.upper.shape == (1, 1)
    assert maps.upper.item() == pytest.approx(lower.attribution, rel=1e-5)
    for channel, sign in ((0, 1), (2, -1)):
        np.testing.assert_array_equal(
            argument_map(network, circuit, f"fc:{channel}"), sign * heat_map(network, circuit, f"fc:{channel}")
        )
    assert not argument_map(network, circuit, "fc:1").any()


@pytest.mark.parametrize("layer", ["stem", "cat", "mul"])
def test_the_argument_for_a_difference_is_that_for_the_one_class_less_that_for_the_other(
    network: Network, layer: str
) -> None:
    circuit = trace(network, photo(network), "class 0 - class 2", depth=1, top=1)
    a = circuit.cache.activations[layer].clone().requires_grad_()
    logits = network.segment(layer, "fc")(a)[0].flatten()
    (gradient,) = torch.autograd.grad(logits[0] - logits[2], a)
    for channel in range(a.shape[1]):
        expected = (a * gradient)[0, channel].detach().numpy()
        np.testing.assert_allclose(argument_map(network, circuit, f"{layer}:{channel}"), expected, rtol=1e-4, atol=1e-6)


def test_argument_maps_equal_the_gradient_of_the_target_through_the_whole_network(
    network: Network, circuit: Circuit
) -> None:
    network, circuit = in_doubles(network, circuit)
    root = circuit.node(circuit.root).unit
    for layer in circuit.layers[:-1]:
        a = circuit.cache.activations[layer].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(network.segment(layer, root.layer)(a)[0, root.channel].sum(), a)
        for channel in range(a.shape[1]):
            expected = (a * gradient)[0, channel].detach().numpy()
            np.testing.assert_allclose(
                argument_map(network, circuit, f"{layer}:{channel}"), expected, rtol=1e-9, atol=1e-12
            )


def test_argument_maps_sum_to_what_mode_target_shares_out(network: Network) -> None:
    circuit = trace(network, photo(network), "fc:1", depth=2, top=3, mode="target", signs="both")
    found = contributions(network, circuit, circuit.root, top=99)
    for unit, share in found.shares:
        assert argument_map(network, circuit, unit).sum() == pytest.approx(share, rel=1e-5)
    # What a unit contributes is what mode `target` has for its value.
    for node in circuit.nodes.values():
        assert argument_map(network, circuit, node.unit).sum() == pytest.approx(node.value, rel=1e-5, abs=1e-6)


def test_a_target_argues_for_itself_by_its_value(network: Network) -> None:
    source = photo(network)
    whole = trace(network, source, "cat:6", depth=1, top=1)
    heat = heat_map(network, whole, "cat:6")
    np.testing.assert_array_equal(argument_map(network, whole, "cat:6"), heat)
    assert not argument_map(network, whole, "cat:5").any()
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    neuron = trace(network, source, f"cat:6@{row},{column}", depth=1, top=1)
    found = argument_map(network, neuron, "cat:6")
    assert found[row, column] == heat.max() == pytest.approx(neuron.target["value"])
    assert np.count_nonzero(found) == 1


def test_what_has_no_map_is_refused(network: Network, circuit: Circuit) -> None:
    low = trace(network, circuit.photo, "cat:6", depth=1, top=1)
    with pytest.raises(
        InputError, match=r"fc:0 lies above the target cat:6; only units below the target contribute to it"
    ):
        argument_map(network, low, "fc:0")
    with pytest.raises(UnknownError, match=r"No unit cat:9 in tiny; cat has 9 channels"):
        argument_map(network, low, "cat:9")
    with pytest.raises(InputError, match=r"stem does not lie above cat in tiny"):
        edge_maps(network, circuit, "cat:0", "stem:0")
    with pytest.raises(UnknownError, match=r"No unit stem:6 in tiny"):
        edge_maps(network, circuit, "stem:6", "cat:0")
    with pytest.raises(UnknownError, match=r"No layer 'conv9' in tiny"):
        edge_maps(network, circuit, "conv9:6", "cat:0")
    with pytest.raises(UnknownError, match=r"No neuron cat:0@4,0 in tiny; cat has 4 rows and 4 columns"):
        fed_by(network, circuit, "stem:0", "cat:0", (4, 0))
    with pytest.raises(InputError, match=r"The circuit was traced with tiny"):
        edge_maps(handmade_network(), circuit, "conv1:0", "conv2:0")


def test_maps_leave_the_network_and_the_circuit_as_they_are(network: Network, circuit: Circuit) -> None:
    before = circuit.to_dict()
    edge_maps(network, circuit, "stem:0", "cat:6")
    argument_map(network, circuit, "stem:0")
    assert circuit.to_dict() == before
    assert not any(value.requires_grad for value in circuit.cache.activations.values())
    assert not any(value.requires_grad for value in network.traced.parameters())


def test_the_map_of_a_target_is_that_of_all_units_of_the_highest_layer_with_positions(network: Network) -> None:
    for target, weights in ((2, (0.0, 0.0, 1.0)), ("2 - 1", (0.0, -1.0, 1.0))):
        traced = trace(network, photo(network), target, depth=1, top=2, signs="both")
        a = traced.cache.activations["mul"].clone().requires_grad_()
        (gradient,) = torch.autograd.grad((network.segment("mul", "fc")(a).flatten() * torch.tensor(weights)).sum(), a)
        found = target_map(network, traced)
        assert found.shape == a.shape[2:]
        np.testing.assert_allclose(found, (a * gradient)[0].sum(0).detach(), atol=1e-6)
        each = [argument_map(network, traced, f"mul:{channel}") for channel in range(a.shape[1])]
        np.testing.assert_allclose(found, np.sum(each, axis=0), atol=1e-5)
