"""Ascent on pixels without a bound, on a first layer whose optimum is known: why it diverges, and what ends it."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from circuits.visualization.parameterization.pixels import PixelImages, UnboundedPixels
from tests.support.drawn import convolution

KERNEL = torch.tensor([[1.0, -2.0], [3.0, -4.0]])


def mean_activation(images: Tensor) -> Tensor:
    """Of a convolution without padding: linear in the pixels."""
    return F.conv2d(images, KERNEL[None, None]).mean(dim=(1, 2, 3))


def coefficients(side: int) -> Tensor:
    """What each pixel counts for, by sliding the kernel over every position."""
    found = torch.zeros(side, side)
    for y in range(side - 1):
        for x in range(side - 1):
            found[y : y + 2, x : x + 2] += KERNEL
    return found / (side - 1) ** 2


def climbed(images: PixelImages | UnboundedPixels, steps: int, rate: float) -> tuple[Tensor, Tensor]:
    """Start and end of plain steps along the gradient."""
    begun = images.start([torch.Generator().manual_seed(0)])
    parameters = begun.clone()
    for _ in range(steps):
        parameters.requires_grad_(True)
        (gradient,) = torch.autograd.grad(mean_activation(images(parameters)).sum(), parameters)
        parameters = (parameters + rate * gradient).detach()
    return begun, parameters


def test_two_by_two_pixels_go_to_infinity_in_the_directions_of_the_kernel() -> None:
    begun, ended = climbed(UnboundedPixels(2, 1), 100, 10.0)
    assert torch.allclose(ended, begun + 1000 * KERNEL, rtol=1e-4)


@pytest.mark.parametrize("steps", [1, 10, 100])
def test_after_n_steps_pixels_are_n_times_rate_times_what_they_count_for(steps: int) -> None:
    expected = coefficients(5)
    begun, ended = climbed(UnboundedPixels(5, 1), steps, 10.0)
    assert torch.allclose((ended - begun)[0, 0], steps * 10.0 * expected, rtol=1e-4, atol=1e-4)
    gained = mean_activation(ended) - mean_activation(begun)
    assert float(gained) == pytest.approx(steps * 10.0 * float(expected.square().sum()), rel=1e-4)


def test_the_norm_grows_without_end_while_what_is_shown_stays_the_same() -> None:
    images = UnboundedPixels(6, 1)
    (_, few), (_, many) = climbed(images, 1000, 10.0), climbed(images, 10_000, 10.0)
    assert float(many.norm() / few.norm()) == pytest.approx(10, rel=0.01)
    assert F.cosine_similarity(few.flatten(), many.flatten(), dim=0) > 0.9999
    assert F.cosine_similarity(many.flatten(), coefficients(6).flatten(), dim=0) > 0.9999
    assert torch.allclose(images.finish(few), images.finish(many), atol=0.01)


def test_with_a_sigmoid_every_pixel_ends_in_the_corner_that_its_sign_says() -> None:
    images = PixelImages(5, 1)
    _, ended = climbed(images, 2000, 1000.0)
    expected = coefficients(5)
    assert (expected != 0).all()
    assert torch.allclose(images(ended)[0, 0], (expected > 0).float(), atol=1e-3)
    assert float(mean_activation(images(ended))) == pytest.approx(float(expected.clamp(min=0).sum()), abs=1e-3)


def test_a_layer_s_convolution_has_those_coefficients_too() -> None:
    layer = convolution(torch.tensor([[[[0.0, -1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]]]), bias=7.0)
    images = UnboundedPixels(4, 1)
    parameters = images.start([torch.Generator().manual_seed(0)]).requires_grad_(True)
    (gradient,) = torch.autograd.grad(layer(images(parameters)).mean(), parameters)
    # Every pixel meets the 2 once, and the -1 of the position below it unless it lies in the last row.
    assert torch.allclose(gradient[0, 0] * 16, torch.tensor([[1.0] * 4] * 3 + [[2.0] * 4]))


def test_the_start_is_uniform_noise() -> None:
    noise = UnboundedPixels(64).start([torch.Generator().manual_seed(0)])
    assert 0 <= float(noise.min()) < 0.001 < 0.999 < float(noise.max()) <= 1
    assert float(noise.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(noise.std()) == pytest.approx(1 / 12**0.5, abs=0.01)


def test_each_image_is_shown_from_its_smallest_to_its_largest_value() -> None:
    images = torch.randn(2, 3, 4, 4) * torch.tensor([1.0, 1e4]).reshape(2, 1, 1, 1) - 50
    shown = UnboundedPixels(4).finish(images)
    assert shown.amin(dim=(1, 2, 3)).tolist() == [0, 0]
    assert shown.amax(dim=(1, 2, 3)).tolist() == [1, 1]
    slow = (images[1] - images[1].min()) / (images[1].max() - images[1].min())
    assert torch.allclose(shown[1], slow)
    assert UnboundedPixels(4).finish(torch.full((1, 3, 4, 4), 9.0)).unique().tolist() == [0.5]


def test_bounded_images_are_shown_as_they_are() -> None:
    images = torch.rand(1, 3, 4, 4)
    assert PixelImages(4).finish(images) is images
