"""Relative pictures and pictures of paths: linearity, magnitudes, and the same formulas run back by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from circuits import load_network, load_photo, trace
from circuits.errors import InputError, UnknownError
from circuits.evidence.descent import renormalised
from circuits.evidence.saliency import gradient_picture, path_picture, relative_picture
from circuits.image.encode import own_scale
from circuits.network.network import Network
from circuits.units import Unit
from tests.support.drawn import classifier, convolution, network_of
from tests.support.nets import image_for, seeded, shared, zoo_network
from tests.support.wayback import SIDE, Slow, as_picture, lower_and_upper, off, photo, pixels, two

each_rule = pytest.mark.parametrize("rule", ["gradient", "guided", "deconvnet"])
each_start = pytest.mark.parametrize("start", ["peak", "map"])


def kept(gradient: torch.Tensor, channel: int) -> torch.Tensor:
    """A gradient with all channels but one set to zero."""
    result = torch.zeros_like(gradient)
    result[:, channel] = gradient[:, channel]
    return result


@each_rule
@each_start
def test_a_relative_picture_is_the_parents_gradient_with_all_but_the_child_set_to_zero(rule, start):
    network, shown = two(), photo()
    lower, upper = lower_and_upper(network)
    slow = Slow(network, pixels(shown))
    expected = slow.back(kept(slow.back(slow.start(1, start), rule, [1]), 2), rule, [0])
    found = relative_picture(network, shown, f"{lower}:2", f"{upper}:1", method=rule, start=start)
    assert off(found, as_picture(expected)) <= 1e-5


@each_rule
@each_start
def test_a_picture_of_a_path_is_renormalised_at_every_step(rule, start):
    network, shown = two(), photo()
    lower, upper = lower_and_upper(network)
    slow = Slow(network, pixels(shown))
    at_lower = slow.back(slow.start(1, start), rule, [1])
    child = kept(at_lower, 2)
    expected = slow.back(child * at_lower.abs().sum() / child.abs().sum(), rule, [0])
    found = path_picture(network, shown, [f"{upper}:1", f"{lower}:2"], method=rule, start=start)
    assert off(found, as_picture(expected)) <= 1e-5


@each_rule
@each_start
def test_the_only_lower_unit_has_the_parents_own_picture(rule, start):
    weights = torch.randn(1, 3, 3, 3, generator=seeded(1)), torch.randn(2, 1, 3, 3, generator=seeded(3))
    network = network_of(
        convolution(weights[0]), nn.ReLU(), convolution(weights[1]), nn.ReLU(), *classifier(2), side=SIDE
    )
    shown = photo(3)
    own = gradient_picture(network, shown, "3:0", method=rule, start=start)
    assert off(relative_picture(network, shown, "1:0", "3:0", method=rule, start=start), own) <= 1e-6


@pytest.mark.parametrize("method", ["gradient", "gradient_x_input"])
@pytest.mark.parametrize("name", ["squeezenet1_1", "googlenet", "resnet18"])
def test_the_pictures_of_all_children_add_up_to_the_parents(name, method):
    network = zoo_network(name)
    lower, upper = network.layers[0], network.layers[2]
    shown = photo(1, side=64)
    parts = [
        relative_picture(network, shown, Unit(lower, channel), f"{upper}:3", method=method)
        for channel in range(network.layer(lower).channels)
    ]
    whole = gradient_picture(network, shown, f"{upper}:3", method=method)
    assert sum(part.any() for part in parts) > 5
    assert off(np.sum(parts, axis=0, dtype=np.float64), whole) <= 1e-5


def test_a_child_is_shown_around_where_its_parent_fired_not_where_it_fires_most():
    # The lower unit is the brightness; the upper one wants it in the left half, by way of red there.
    network = network_of(
        convolution(torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0]])[..., None, None]), nn.ReLU(),
        convolution(torch.tensor([[0.1, 1.0]])[..., None, None]), nn.ReLU(), *classifier(1), side=8,
    )  # fmt: skip
    levels = np.full((8, 8, 3), 130, dtype=np.uint8)
    levels[2, 1], levels[6, 6] = (255, 129, 129), (255, 255, 255)
    shown = load_photo(levels, name="dots")
    alone = gradient_picture(network, shown, "1:0")
    relative = relative_picture(network, shown, "1:0", "3:0")
    assert set(map(tuple, np.argwhere(alone.any(2)))) == {(6, 6)}
    assert set(map(tuple, np.argwhere(relative.any(2)))) == {(2, 1)}


@each_rule
@each_start
def test_the_path_of_one_unit_is_its_gradient_picture(rule, start):
    network, shown = two(), photo(2)
    unit = f"{lower_and_upper(network)[1]}:1"
    own = gradient_picture(network, shown, unit, method=rule, start=start)
    assert np.array_equal(path_picture(network, shown, [unit], method=rule, start=start), own)


def test_renormalising_keeps_the_magnitude_of_each_image_and_the_unit_alone():
    gradient = torch.randn(3, 5, 4, 2, generator=seeded(2))
    found = renormalised(gradient, Unit("conv1", 2))
    assert found.shape == (3, 1, 4, 2)
    assert torch.allclose(found.abs().sum((1, 2, 3)), gradient.abs().sum((1, 2, 3)), rtol=1e-6)
    ratio = found[:, 0] / gradient[:, 2]
    assert torch.allclose(ratio, ratio[:, :1, :1].expand_as(ratio), rtol=1e-5)
    assert (ratio > 1).all()
    at = renormalised(gradient, Unit("conv1", 2, (3, 1)))
    assert at.count_nonzero() == 3
    assert torch.allclose(at.abs()[:, 0, 3, 1], gradient.abs().sum((1, 2, 3)), rtol=1e-6)


@pytest.mark.parametrize("magnitude", [1e-36, 1e30])
def test_renormalising_stays_finite_and_leaves_nothing_of_nothing(magnitude):
    gradient = torch.tensor([[[[magnitude]], [[0.0]]]])
    assert torch.equal(renormalised(gradient, Unit("conv1", 0)), gradient[:, :1])
    assert torch.equal(renormalised(gradient, Unit("conv1", 1)), torch.zeros(1, 1, 1, 1))


@each_rule
def test_a_picture_of_a_path_is_its_relative_picture_times_a_number(rule):
    network, shown = two(), photo()
    lower, upper = lower_and_upper(network)
    relative = relative_picture(network, shown, f"{lower}:3", f"{upper}:1", method=rule)
    path = path_picture(network, shown, [f"{upper}:1", f"{lower}:3"], method=rule)
    factor = np.abs(path).sum() / np.abs(relative).sum()
    assert factor > 1
    assert off(path, relative * factor) <= 1e-5


def test_a_position_in_the_path_keeps_that_neuron_alone():
    network, shown = two(), photo()
    lower, upper = lower_and_upper(network)
    parts = [
        relative_picture(network, shown, Unit(lower, 3, (row, column)), f"{upper}:1", method="gradient")
        for row, column in np.ndindex(SIDE, SIDE)
    ]
    whole = relative_picture(network, shown, f"{lower}:3", f"{upper}:1", method="gradient")
    assert 1 < sum(part.any() for part in parts) <= 9
    assert off(np.sum(parts, axis=0), whole) <= 1e-5


def test_smoothing_is_the_mean_over_noisy_copies_of_the_whole_way():
    network, shown = two(), photo(6)
    lower, upper = lower_and_upper(network)
    image, chance = pixels(shown), torch.Generator().manual_seed(3)
    start, size = Slow(network, image).start(0, "peak"), 0.2 * (image.max() - image.min())
    expected = torch.zeros_like(image)
    for _ in range(10):
        slow = Slow(network, image + size * torch.randn(image.shape, generator=chance).double())
        at_lower = slow.back(start, "guided", [1])
        child = kept(at_lower, 1)
        factor = at_lower.abs().sum() / child.abs().sum() if child.any() else 0
        expected += slow.back(child * factor, "guided", [0]) / 10
    found = path_picture(network, shown, [f"{upper}:0", f"{lower}:1"], smooth=10, noise=0.2, seed=3)
    assert off(found, as_picture(expected)) <= 1e-5


def test_a_path_may_start_at_a_class_and_skip_layers():
    network = zoo_network("squeezenet1_1")
    shown = photo(1, side=64)
    layers = network.layers
    image = network.preprocessing.to_tensor(shown.image)
    assert image.shape == image_for(network).shape
    best = int(network.activations(image, [layers[0]])[layers[0]][0].sum((1, 2)).argmax())
    path = [Unit(layers[-1], 3), Unit(layers[2], 1), Unit(layers[0], best)]
    found = path_picture(network, shown, path, method="gradient")
    assert found.shape == (64, 64, 3)
    assert found.any()


def test_what_is_wrong_with_a_path_is_told():
    network, shown = two(), photo()
    lower, upper = lower_and_upper(network)
    with pytest.raises(InputError, match=r"^The path is empty; give its units from the topmost down\.$"):
        path_picture(network, shown, [])
    with pytest.raises(InputError, match=rf"^{lower} does not lie above {upper} in tiny; a segment goes up\.$"):
        path_picture(network, shown, [f"{lower}:0", f"{upper}:0"])
    with pytest.raises(InputError, match=rf"^{upper} does not lie above {upper} in tiny; a segment goes up\.$"):
        relative_picture(network, shown, f"{upper}:0", f"{upper}:1")
    with pytest.raises(UnknownError, match=rf"^No unit {lower}:7 in tiny; {lower} has 5 channels, from 0\.$"):
        relative_picture(network, shown, f"{lower}:7", f"{upper}:1")
    with pytest.raises(InputError, match=r"^There is no method 'lrp'; there is gradient, "):
        relative_picture(network, shown, f"{lower}:0", f"{upper}:1", method="lrp")


def test_down_a_path_of_googlenet_a_fixed_scale_fails_and_its_own_does_not():
    network, shown = (
        googlenet(["conv2", "inception_3b", "inception_4b", "inception_5b"]),
        shared("photos/284_Siamese_cat.jpg"),
    )
    path = down(network, shown)
    assert len(path) == 5
    pictures = [path_picture(network, load_photo(shown), path[:length]) for length in range(1, 6)]
    fixed = own_scale(pictures[0])
    saturated = [_saturated(picture, fixed) for picture in pictures]
    own = [_saturated(picture, own_scale(picture)) for picture in pictures]
    assert saturated == sorted(saturated)
    assert saturated[0] == pytest.approx(0.005, abs=1e-4)
    assert saturated[-1] > 0.6
    assert own == pytest.approx([0.005] * 5, abs=2e-4)


def googlenet(layers: list[str]) -> Network:
    weights, labels = shared("networks/bvlc_googlenet.safetensors"), shared("networks/imagenet_classes.tsv")
    factory = f"{shared('networks/bvlc_googlenet.py')}:GoogLeNet"
    return load_network(factory, weights=weights, labels=labels, layers=layers)


def down(network: Network, shown: Path) -> list[str]:
    """The strongest unit below the strongest unit below … the class Siamese cat."""
    circuit = trace(network, shown, "fc:284", top=1, depth=9)
    path = [circuit.root]
    while lower := list(circuit.graph.predecessors(path[-1])):
        path += lower
    return path


def _saturated(picture: np.ndarray, scale: float) -> float:
    """Share of the values that are not zero that a scale cuts off."""
    return float((np.abs(picture[picture != 0]) > scale).mean())


def test_below_a_difference_of_classes_the_pictures_of_all_units_add_up_to_that_of_the_difference():
    network, shown = two(), photo(2)
    circuit = trace(network, shown, "class 1 - class 0", depth=1, top=1)
    upper = lower_and_upper(network)[1]
    pictures = [
        relative_picture(network, circuit, f"{upper}:{channel}", circuit.root, method="gradient")
        for channel in range(4)
    ]
    whole = gradient_picture(network, circuit, circuit.root)
    assert off(sum(pictures), whole) <= 1e-5
    ends = [gradient_picture(network, circuit, f"fc:{one}") for one in (1, 0)]
    assert off(whole, ends[0] - ends[1]) <= 1e-5
    [path] = [path_picture(network, circuit, [circuit.root, f"{upper}:2"], method="gradient")]
    scale = np.abs(path).max() / np.abs(pictures[2]).max()
    assert off(path, scale * pictures[2]) <= 1e-5
