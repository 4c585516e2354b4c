"""Images as spectra, random movements, objectives: against slow definitions and known answers."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from circuits.units import Unit
from circuits.visualization.objectives import Channel, Neuron, objective_of
from circuits.visualization.parameterizations import LARGEST_CONTRAST, FourierImages, colour_matrix, frequencies
from circuits.visualization.transforms import Movement, movement_for


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def before_sigmoid(images: Tensor) -> Tensor:
    return torch.log(images / (1 - images))


def test_the_colour_matrix_whitens_the_colours_of_photos() -> None:
    # An independent estimate from ImageNet: the square root of the covariance in lucid/optvis/param/color.py.
    root = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
    samples = np.random.default_rng(0).normal(size=(200_000, 3)) @ root.T
    white = np.cov(np.linalg.inv(colour_matrix().numpy()) @ samples.T)
    assert np.allclose(white / np.trace(white) * 3, np.eye(3), atol=0.2)
    assert np.linalg.cond(np.cov(samples.T)) > 40  # what it was before


def test_the_colour_matrix_has_orthogonal_columns_the_longest_of_length_one() -> None:
    gram = (colour_matrix().T @ colour_matrix()).numpy()
    assert np.allclose(gram, np.diag([1.0, 0.0188 / 0.2175, 0.0045 / 0.2175]), atol=2e-3)


def test_other_numbers_of_colours_are_left_as_they_are() -> None:
    assert torch.equal(colour_matrix(1), torch.eye(1))
    assert FourierImages(8, seeded(0), channels=1)().shape == (1, 1, 8, 8)


def test_frequencies_are_those_of_numpy() -> None:
    slow = [[math.hypot(row, column) for column in np.fft.rfftfreq(6)] for row in np.fft.fftfreq(5)]
    assert np.allclose(frequencies(5, 6).numpy(), slow)


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_amplitudes_fall_with_the_power_of_the_frequency(power: float) -> None:
    images = before_sigmoid(FourierImages(64, seeded(*range(40)), power=power)()).detach().numpy()
    amplitude = np.abs(np.fft.rfft2(images)).mean(axis=(0, 1))
    frequency = frequencies(64, 64).numpy()
    inner = (frequency > 2 / 64) & (frequency < 0.45)
    slope = np.polyfit(np.log(frequency[inner]), np.log(amplitude[inner]), 1)[0]
    assert slope == pytest.approx(-power, abs=0.05)


@pytest.mark.parametrize("size", [16, 33, 64])
def test_start_images_have_the_same_small_spread_at_every_size(size: int) -> None:
    planes = torch.linalg.inv(colour_matrix()) @ before_sigmoid(FourierImages(size, seeded(*range(60)))()).flatten(2)
    assert float(planes.detach().square().mean().sqrt()) == pytest.approx(0.05, rel=0.06)


def test_images_lie_between_black_and_white_and_their_contrast_is_limited() -> None:
    images = FourierImages(32, seeded(0))
    images.spectrum.data *= 1000
    values = before_sigmoid(images().detach().double()).square().mean().sqrt()
    assert float(values) == pytest.approx(LARGEST_CONTRAST, rel=1e-2)
    assert 0 <= float(images().detach().min()) < 0.1 < 0.9 < float(images().detach().max()) <= 1


def test_an_image_depends_on_its_generator_alone() -> None:
    together = FourierImages(16, seeded(1, 2))()
    assert torch.equal(together[1], FourierImages(16, seeded(2))()[0])
    assert not torch.equal(together[0], together[1])


def test_the_spectrum_gets_a_gradient_at_every_frequency() -> None:
    images = FourierImages(16, seeded(0))
    (gradient,) = torch.autograd.grad((images() * torch.randn(1, 3, 16, 16)).sum(), images.spectrum)
    assert gradient.shape == images.spectrum.shape
    assert (gradient[..., 0] != 0).all()


def test_a_movement_of_nothing_goes_on_mirrored_beyond_the_border() -> None:
    images = torch.rand(2, 3, 8, 8)
    moved = Movement(padding=3)(images, seeded(0, 1))
    assert np.allclose(moved.numpy(), np.pad(images.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)), "symmetric"), atol=1e-5)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], lambda image: image.roll(-1, dims=2)),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, -2.0]], lambda image: image.roll(2, dims=1)),
        ([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]], lambda image: image.rot90(1, dims=(1, 2))),
        ([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]], lambda image: image.flip(dims=(1, 2))),
    ],
)
def test_known_movements_move_pixels_where_they_should(place, expected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Movement, "maps", lambda self, generators: torch.tensor([place]))
    image = torch.full((3, 12, 12), 0.5)
    image[:, 4:8, 3:8] = torch.rand(3, 4, 5)
    moved = Movement(padding=2, jitter=1.0)(image[None], seeded(0))[0]
    assert torch.allclose(moved[:, 2:-2, 2:-2], expected(image), atol=1e-5)


def test_each_image_moves_in_its_own_seeded_way() -> None:
    images = torch.rand(1, 3, 16, 16).repeat(3, 1, 1, 1)
    movement = movement_for(128)
    first, second, third = movement(images, seeded(5, 6, 5))
    assert torch.equal(first, third)
    assert (first - second).abs().max() > 0.1
    assert torch.equal(movement(images[:1], seeded(6))[0], second)


def test_movements_fill_their_ranges_and_stay_within() -> None:
    maps = Movement(jitter=5.0, scale=0.1, rotation=10.0).maps(seeded(*range(400)))
    factor = maps[:, :, :2].det().sqrt()
    angle = torch.rad2deg(torch.atan2(maps[:, 1, 0], maps[:, 0, 0]))
    shift = maps[:, :, 2]
    for values, low, high in ((factor, 1 / 1.1, 1.1), (angle, -10.0, 10.0), (shift, -5.0, 5.0)):
        margin = (high - low) * 0.02
        assert low - 1e-4 <= float(values.min()) < low + margin
        assert high - margin < float(values.max()) <= high + 1e-4


def test_a_movement_passes_gradients_to_the_pixels() -> None:
    images = torch.rand(1, 3, 8, 8, requires_grad=True)
    movement_for(32)(images, seeded(0)).sum().backward()
    assert images.grad is not None
    assert (images.grad[:, :, 2:-2, 2:-2] > 0).all()


def test_the_channel_objective_is_the_mean_leaky_value() -> None:
    values = torch.randn(4, 5, 6)
    slow = [sum(v if v > 0 else 0.3 * v for v in image.flatten().tolist()) / 30 for image in values]
    assert Channel()(values).tolist() == pytest.approx(slow, abs=1e-6)
    assert torch.allclose(Channel(slope=1.0)(values), values.mean(dim=(1, 2)))


def test_the_neuron_objective_is_the_value_in_the_middle() -> None:
    values = torch.arange(2 * 5 * 4, dtype=torch.float32).reshape(2, 5, 4)
    assert Neuron()(values).tolist() == [10.0, 30.0]


def test_a_silent_unit_has_a_gradient_under_the_objective_and_none_once_rectified() -> None:
    silent = torch.full((1, 3, 3), -4.0, requires_grad=True)
    (rectified,) = torch.autograd.grad(silent.relu().mean(), silent)
    (leaky,) = torch.autograd.grad(Channel()(silent).sum(), silent)
    assert (rectified == 0).all()
    assert torch.allclose(leaky, torch.full_like(leaky, 0.3 / 9))


def test_a_unit_with_a_position_is_a_neuron() -> None:
    assert objective_of(Unit("conv1", 3, (2, 2))) == Neuron()
    assert objective_of(Unit("conv1", 3)) == Channel()
