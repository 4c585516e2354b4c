"""Objectives drawn on tiny networks with known answers: does ascent on the formula give the picture it promises?"""

import functools

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from circuits.network.network import Network
from circuits.visualization.objectives.base import Objective, ObjectiveInputs, balance
from circuits.visualization.objectives.batch import diversity, interpolation
from circuits.visualization.objectives.direction import direction
from circuits.visualization.objectives.photo import caricature, inversion
from circuits.visualization.objectives.unit import channel, class_logit, class_probability, joint, negative
from circuits.visualization.visualize import Options, visualize
from tests.support.drawn import classifier, convolution, network_of

OPTIONS = Options(size=32, steps=64, zoom=1)


@functools.cache
def colours() -> Network:
    """Channel 0 wants red without blue, channel 1 the opposite a thousandfold, channel 2 green without the others."""
    wanted = torch.tensor([[1.0, 0.0, -1.0], [-1000.0, 0.0, 1000.0], [-0.5, 1.0, -0.5]]).reshape(3, 3, 1, 1)
    return network_of(convolution(wanted), nn.ReLU(), *classifier(3))


@functools.cache
def two_layers() -> Network:
    torch.manual_seed(1)
    lower = convolution(torch.randn(6, 3, 3, 3) * 0.3)
    upper = convolution(torch.randn(8, 6, 3, 3) * 0.3)
    return network_of(lower, nn.ReLU(), nn.MaxPool2d(2), upper, nn.ReLU(), *classifier(8))


def drawn(network: Network, objective: Objective, count: int = 1) -> np.ndarray:
    """The pictures, -1 to 1, (n, h, w, 3)."""
    [found] = visualize(network, [objective], count=count, options=OPTIONS)
    return np.stack([np.asarray(image, dtype=float) for image in found.images]) / 127.5 - 1


def value(network: Network, objective: Objective, levels: np.ndarray) -> float:
    [read] = objective.reads
    images = torch.tensor(levels).permute(0, 3, 1, 2).float()
    # On the network's scale: mean 0.5 and deviation 0.25 of 0..1.
    values = network.segment(None, read.layer)(images * 2, read.channels, rectified=read.rectified)
    return float(objective(ObjectiveInputs({read: values}, images)).mean())


def test_a_negative_has_the_opposite_colour_of_its_unit() -> None:
    for objective, sign in ((channel("1:0"), 1), (negative("1:0"), -1)):
        red, _, blue = drawn(colours(), objective)[0].mean(axis=(0, 1))
        assert sign * (red - blue) > 0.2


def test_a_direction_has_the_colours_of_its_channels_taken_by_sign() -> None:
    [picture] = drawn(colours(), direction("1", [0.0, 0.0, -1.0]))
    red, green, blue = picture.mean(axis=(0, 1))
    assert green < (red + blue) / 2 - 0.08
    assert green < min(red, blue)


def test_a_joint_picture_has_both_units_where_a_plain_sum_has_the_stronger() -> None:
    plain = drawn(colours(), channel("1:1") + channel("1:2"))[0].mean(axis=(0, 1))
    balanced = drawn(colours(), joint("1:1", "1:2"))[0].mean(axis=(0, 1))
    green_alone = balanced[1] - balanced[[0, 2]].mean()
    assert green_alone > plain[1] - plain[[0, 2]].mean() + 0.1
    assert balanced[2] - balanced[0] > 0.1  # blue without red, which the other unit wants


def test_a_logit_asks_for_its_own_evidence_and_a_probability_against_that_of_others_too() -> None:
    readout = nn.Linear(3, 2)
    readout.weight.data, readout.bias.data = torch.tensor([[4.0, 0.0, 0.0], [0.0, 0.0, 4.0]]), torch.zeros(2)
    bright = convolution(torch.eye(3).reshape(3, 3, 1, 1))  # class 0 is how red it is, class 1 how blue
    network = network_of(bright, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), readout)
    (red, _, blue), (red_too, _, blue_less) = (
        drawn(network, objective)[0].mean(axis=(0, 1)) for objective in (class_logit("4:0"), class_probability("4:0"))
    )
    assert min(red, red_too) > 0.1
    assert blue > 0.1  # nothing is against it, and photos that are redder are brighter
    assert blue_less < 0.03  # 0: where blue begins to excite the other class


def test_diverse_pictures_have_less_in_common_and_still_excite_the_unit() -> None:
    network, unit = two_layers(), channel("4:5")
    alike = drawn(network, unit, count=3)
    diverse = drawn(network, balance(unit, diversity("1")), count=3)
    likeness = diversity("1")
    assert value(network, likeness, diverse) > value(network, likeness, alike) + 0.03
    assert value(network, unit, diverse) > 0.3 * value(network, unit, alike) > 0


def test_the_ends_of_an_interpolation_belong_to_its_units() -> None:
    pictures = drawn(colours(), interpolation("1:0", "1:2", steps=3, align=0.1)).mean(axis=(1, 2))
    redness, greenness = pictures[:, 0] - pictures[:, 2], pictures[:, 1] - pictures[:, [0, 2]].mean(axis=1)
    assert redness[0] > redness[1] > redness[2]
    assert greenness[0] < greenness[1] < greenness[2]


def test_aligned_images_are_more_alike() -> None:
    network = two_layers()
    free, aligned = (drawn(network, interpolation("4:5", "4:6", steps=4, align=align)) for align in (0.0, 0.3))
    assert np.abs(np.diff(aligned, axis=0)).mean() < 0.8 * np.abs(np.diff(free, axis=0)).mean()


def photo() -> Image.Image:
    """Soft blobs of light with a little colour: nothing that a movement of some pixels would wash out."""
    numbers = np.random.default_rng(3)
    coarse = (numbers.integers(30, 190, (4, 4, 1)) + numbers.integers(0, 50, (4, 4, 3))).astype(np.uint8)
    return Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC)


def test_a_layer_that_loses_nothing_inverts_to_the_photo() -> None:
    both_signs = torch.cat([torch.eye(3), -torch.eye(3)]).reshape(6, 3, 1, 1)
    network = network_of(convolution(both_signs), nn.ReLU(), *classifier(6))
    given = np.asarray(photo(), dtype=float) / 127.5 - 1
    [picture] = drawn(network, inversion(photo(), "1"))
    inner = (slice(4, -4), slice(4, -4))
    assert np.corrcoef(picture[inner].ravel(), given[inner].ravel())[0, 1] > 0.95


def test_a_layer_that_sees_no_colour_inverts_without_colour() -> None:
    grey = torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]]).reshape(2, 3, 1, 1)
    network = network_of(convolution(grey), nn.ReLU(), *classifier(2))
    given = np.asarray(photo(), dtype=float) / 127.5 - 1
    [picture] = drawn(network, inversion(photo(), "1"))
    bright = [levels[4:-4, 4:-4].mean(axis=2).ravel() for levels in (picture, given)]
    colourful = [(levels - levels.mean(axis=2, keepdims=True))[4:-4, 4:-4] for levels in (picture, given)]
    assert np.corrcoef(*bright)[0, 1] > 0.95
    assert np.abs(colourful[0]).mean() < 0.5 * np.abs(colourful[1]).mean()


@pytest.mark.parametrize("power", [0.0, 2.0])
def test_a_caricature_exaggerates_what_the_photo_has(power: float) -> None:
    both_signs = torch.cat([torch.eye(3), -torch.eye(3)]).reshape(6, 3, 1, 1)
    network = network_of(convolution(both_signs), nn.ReLU(), *classifier(6))
    faint = Image.blend(Image.new("RGB", (32, 32), "grey"), photo(), 0.3)
    given = np.asarray(faint, dtype=float) / 127.5 - 1
    [picture] = drawn(network, caricature(faint, "1", power))
    inner = (slice(4, -4), slice(4, -4))
    assert np.corrcoef(picture[inner].ravel(), given[inner].ravel())[0, 1] > 0.8
    assert np.abs(picture[inner]).mean() > 1.5 * np.abs(given[inner]).mean()
