"""Penalties on images, and blurs: against slow definitions, known values and finite differences."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from circuits.errors import InputError
from circuits.visualization.objectives.base import Objective, ObjectiveInputs
from circuits.visualization.objectives.unit import channel
from circuits.visualization.regularizers import Penalty, blur_gradient, blurred, l1, l2, opacity, total_variation
from circuits.visualization.visualize import Options, visualize
from tests.support.drawn import two_layers

PENALTIES = {"total_variation": total_variation(), "l1": l1(), "l2": l2(0.2), "opacity": opacity()}
every = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES.keys())


def of(penalty: Objective, images: Tensor) -> Tensor:
    return penalty(ObjectiveInputs({}, images))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_variation(image: np.ndarray) -> float:
    total = 0.0
    for plane in image:
        for row, column in np.ndindex(plane.shape):
            if column + 1 < plane.shape[1]:
                total += abs(plane[row, column + 1] - plane[row, column])
            if row + 1 < plane.shape[0]:
                total += abs(plane[row + 1, column] - plane[row, column])
    return total


def slow_blur(plane: np.ndarray, sigma: float) -> np.ndarray:
    """Every pixel as the weighted sum of all pixels of the mirrored plane within four deviations of it."""
    reach = math.ceil(4 * sigma)
    mirrored = np.pad(plane, reach, "symmetric")
    steps = np.arange(-reach, reach + 1)
    kernel = np.exp(-(steps[:, None] ** 2 + steps[None, :] ** 2) / (2 * sigma**2))
    result = np.zeros_like(plane)
    for row, column in np.ndindex(plane.shape):
        window = mirrored[row : row + 2 * reach + 1, column : column + 2 * reach + 1]
        result[row, column] = (window * kernel).sum() / kernel.sum()
    return result


def test_total_variation_is_the_sum_of_all_steps_between_neighbours() -> None:
    images = random(2, 3, 6, 6)
    slow = [slow_variation(image) for image in images.numpy()]
    assert of(total_variation(), images).tolist() == pytest.approx(slow)


@pytest.mark.parametrize("side", [4, 8, 16])
def test_the_total_variation_of_a_step_edge_is_its_height_times_its_length(side: int) -> None:
    edge = torch.zeros(1, 1, side, side)
    edge[..., side // 2 :] = 0.75
    assert of(total_variation(), edge).tolist() == pytest.approx([0.75 * side])
    assert of(total_variation(), edge.mT).tolist() == pytest.approx([0.75 * side])
    assert of(total_variation(), torch.full((1, 3, side, side), 0.3)).tolist() == [0.0]
    ramp = torch.linspace(0, 0.75, side).expand(1, 1, side, side)
    assert of(total_variation(), ramp).tolist() == pytest.approx([0.75 * side])  # a soft edge costs no less


def test_distances_are_sums_over_pixels_and_colours() -> None:
    images = random(2, 3, 4, 4)
    values = images.flatten(1).tolist()
    assert of(l1(0.25), images).tolist() == pytest.approx([sum(abs(v - 0.25) for v in row) for row in values])
    assert of(l2(0.25), images).tolist() == pytest.approx([sum(4 * (v - 0.25) ** 2 for v in row) for row in values])


def test_grey_costs_nothing_and_black_and_white_cost_the_same() -> None:
    images = torch.stack([torch.full((3, 4, 4), 0.5), torch.ones(3, 4, 4), torch.zeros(3, 4, 4)])
    assert of(l1(), images).tolist() == [0.0, 24.0, 24.0]
    assert of(l2(), images).tolist() == [0.0, 48.0, 48.0]
    assert of(l1(0), images).tolist() == [24.0, 48.0, 0.0]


@pytest.mark.parametrize("colours", [1, 3])
def test_the_opacity_is_summed_and_is_no_colour(colours: int) -> None:
    images = random(2, colours + 1, 4, 4)
    assert of(opacity(), images).tolist() == pytest.approx(images[:, -1].sum(dim=(1, 2)).tolist())
    for penalty in (l1(), l2()):
        assert torch.equal(of(penalty, images), of(penalty, images[:, :-1]))
    with pytest.raises(InputError, match="Opacity cannot be held against images that have none"):
        of(opacity(), images[:, :-1])


@every
def test_gradients_are_the_slopes_of_finite_differences(penalty: Penalty) -> None:
    images = random(2, 4, 5, 5).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: of(penalty, x), images, eps=1e-7, atol=1e-5)


@every
def test_a_penalty_reads_nothing_counts_each_image_alone_and_composes(penalty: Penalty) -> None:
    images = random(3, 4, 5, 5)
    together = of(penalty, images)
    assert penalty.reads == ()
    assert penalty.before_activation() is penalty
    assert [float(of(penalty, image[None])) for image in images] == pytest.approx(together.tolist())
    assert of(0.25 * penalty + penalty, images).tolist() == pytest.approx((1.25 * together).tolist())


@every
def test_what_a_pixel_is_pulled_with_does_not_depend_on_how_many_there_are(penalty: Penalty) -> None:
    small = random(1, 4, 16, 16).requires_grad_(True)
    large = small.detach().repeat(1, 1, 3, 3).requires_grad_(True)
    (one,) = torch.autograd.grad(of(penalty, small).sum(), small)
    (many,) = torch.autograd.grad(of(penalty, large).sum(), large)
    inner = slice(1, 15)
    assert torch.allclose(one[..., inner, inner], many[..., 17:31, 17:31])


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5])
def test_a_blur_is_the_sum_of_the_kernel_times_the_mirrored_image(sigma: float) -> None:
    images = random(2, 2, 7, 5)
    expected = [[slow_blur(plane, sigma) for plane in image] for image in images.numpy()]
    assert np.allclose(blurred(images, sigma).numpy(), expected)


def test_a_blur_keeps_the_mean_and_the_range_whatever_its_width() -> None:
    images = random(2, 3, 6, 9)
    for sigma in (0.5, 3.0, 40.0):
        soft = blurred(images, sigma)
        assert torch.allclose(soft.mean(dim=(2, 3)), images.mean(dim=(2, 3)))
        assert images.min() <= soft.min() <= soft.max() <= images.max()
    assert (soft.std(dim=(2, 3)) < 1e-3).all()


def test_no_blur_leaves_images_themselves() -> None:
    images = random(1, 3, 4, 4).requires_grad_(True)
    assert blurred(images, 0) is images
    assert blur_gradient(0)(images) is images


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_a_blurred_gradient_is_the_blur_of_the_gradient_and_the_image_stays(sigma: float) -> None:
    images, weights = random(2, 3, 6, 6).requires_grad_(True), random(2, 3, 6, 6, seed=1)
    shown = blur_gradient(sigma)(images)
    (gradient,) = torch.autograd.grad((shown**2 * weights).sum(), images)
    assert torch.equal(shown, images)
    assert torch.allclose(gradient, blurred(2 * images.detach() * weights, sigma))


def test_the_blurred_gradient_is_that_of_what_sees_blurred_images() -> None:
    images, weights = random(1, 3, 6, 8).requires_grad_(True), random(1, 3, 6, 8, seed=1)
    (ours,) = torch.autograd.grad((blur_gradient(1.0)(images) * weights).sum(), images)
    (theirs,) = torch.autograd.grad((blurred(images, 1.0) * weights).sum(), images)
    assert torch.allclose(ours, theirs)


@pytest.mark.parametrize("make", [lambda: blurred(torch.zeros(1, 1, 2, 2), -1), lambda: blur_gradient(-1)])
def test_a_negative_blur_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InputError, match=r"A blur of -1(\.0)? pixels cannot be had; give 0 or more"):
        make()


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize(
    ("penalty", "seen", "strong"),
    [(total_variation(), 0.8, 0.5), (l1(), 0.99, 0.9), (l2(), 0.99, 0.95)],
    ids=["total variation", "l1", "l2"],
)
def test_a_weight_of_three_tenths_is_seen_and_one_is_strong_at_every_size(
    penalty: Penalty, seen: float, strong: float, side: int
) -> None:
    """What pulls to grey does little to a unit so near to the image: its gradient is the same everywhere."""
    network, left = two_layers(), []
    for weight in (0.0, 0.3, 1.0):
        options = Options(size=side, zoom=1, regularizers=(weight * penalty,))
        [found] = visualize(network, [channel(f"{network.layers[1]}:3")], options=options)
        pixels = torch.tensor(np.asarray(found.images[0])).permute(2, 0, 1)[None] / 255
        left.append(float(of(penalty, pixels)))
    assert 0.2 * left[0] < left[1] < seen * left[0]
    assert 0.05 * left[0] < left[2] < strong * left[0]
