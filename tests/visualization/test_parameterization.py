"""Images as spectra, pixels and pyramids: against slow definitions, and from a photo and back."""

import logging
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from circuits.errors import InputError, UnknownError
from circuits.visualization.parameterization.base import START_SPREAD
from circuits.visualization.parameterization.color import colour_matrix
from circuits.visualization.parameterization.fourier import LARGEST_CONTRAST, FourierImages, frequencies
from circuits.visualization.parameterization.maco import MacoImages
from circuits.visualization.parameterization.pixels import PixelImages, UnboundedPixels
from circuits.visualization.parameterization.pyramid import LaplacianPyramid
from circuits.visualization.parameterization.registry import IMAGES, make_images

DRAWN = [FourierImages, PixelImages, LaplacianPyramid]
ALL = [*DRAWN, UnboundedPixels, MacoImages]


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def before_sigmoid(images: Tensor) -> Tensor:
    return torch.log(images / (1 - images))


def spectra(side: int, count: int, **options: float) -> Tensor:
    images = FourierImages(side, **options)
    return images(images.start(seeded(*range(count))))


def photo(side: int = 16, spread: float = 0.15, colours: int = 3) -> Tensor:
    """Two images of noise of a photo's contrast, neither black nor white, in whole 8 bit steps."""
    noise = 0.45 + spread * torch.randn(2, colours, side, side, generator=torch.Generator().manual_seed(1))
    return (noise.clamp(0.02, 0.98) * 255).round() / 255


def test_an_image_is_the_sum_of_its_cosines() -> None:
    side, images = 6, FourierImages(6)
    spectrum = images.start(seeded(3)) * 20
    shares = torch.full((side // 2 + 1,), 4.0)
    shares[[0, -1]] = 1.0
    gains = frequencies(side, side).clamp(min=1 / (2 * side)) ** -1.0
    gains *= side / (gains**2 * shares).sum().sqrt()
    planes = torch.zeros(3, side, side)
    for colour, y, x, v, u in np.ndindex(3, side, side, side, side // 2 + 1):
        real, imaginary = (spectrum[0, colour, v, u] * gains[v, u]).tolist()
        turn = 2 * math.pi * (v * y + u * x) / side
        twice = 1 if u in (0, side // 2) else 2  # the mirrored coefficient is not written down
        planes[colour, y, x] += twice * (real * math.cos(turn) - imaginary * math.sin(turn)) / side
    colours = torch.einsum("dc,cyx->dyx", colour_matrix(), planes)
    limited = colours / math.sqrt(1 + float(colours.square().mean()) / LARGEST_CONTRAST**2)
    assert torch.allclose(images(spectrum)[0], torch.sigmoid(limited), atol=1e-5)


def test_frequencies_are_those_of_numpy() -> None:
    slow = [[math.hypot(row, column) for column in np.fft.rfftfreq(6)] for row in np.fft.fftfreq(5)]
    assert np.allclose(frequencies(5, 6).numpy(), slow)


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_amplitudes_fall_with_the_power_of_the_frequency(power: float) -> None:
    images = before_sigmoid(spectra(64, 40, power=power)).numpy()
    amplitude = np.abs(np.fft.rfft2(images)).mean(axis=(0, 1))
    frequency = frequencies(64, 64).numpy()
    inner = (frequency > 2 / 64) & (frequency < 0.45)
    slope = np.polyfit(np.log(frequency[inner]), np.log(amplitude[inner]), 1)[0]
    assert slope == pytest.approx(-power, abs=0.05)


@pytest.mark.parametrize("side", [16, 33, 64])
@pytest.mark.parametrize("kind", DRAWN)
def test_start_images_have_a_small_spread_at_every_size(kind: type, side: int) -> None:
    images = kind(side)
    drawn = before_sigmoid(images(images.start(seeded(*range(60)))))
    planes = torch.linalg.inv(colour_matrix()) @ drawn.flatten(2)
    low = 0.6 if kind is LaplacianPyramid else 0.94  # enlarging takes some of a level's spread
    assert low * START_SPREAD < float(planes.square().mean().sqrt()) < 1.06 * START_SPREAD


def test_images_lie_between_black_and_white_and_their_contrast_is_limited() -> None:
    images = FourierImages(32)
    drawn = images(images.start(seeded(0)) * 1000)
    contrast = before_sigmoid(drawn.double()).square().mean().sqrt()
    assert float(contrast) == pytest.approx(LARGEST_CONTRAST, rel=1e-2)
    assert 0 <= float(drawn.min()) < 0.1 < 0.9 < float(drawn.max()) <= 1


@pytest.mark.parametrize("kind", ALL)
def test_an_image_depends_on_its_generator_alone(kind: type) -> None:
    images = kind(16, 3)
    both = images.start(seeded(1, 2))
    assert torch.equal(both[1], images.start(seeded(2))[0])
    assert not torch.equal(both[0], both[1])
    assert torch.allclose(images(both)[1], images(both[1:])[0], atol=1e-6)


@pytest.mark.parametrize("kind", ALL)
def test_an_image_is_of_the_network_s_colours_and_size(kind: type) -> None:
    for colours in (1, 3):
        images = kind(9, colours)
        drawn = images(images.start(seeded(0, 1)))
        assert drawn.shape == (2, colours, 9, 9)
        assert 0 <= float(drawn.min()) < float(drawn.max()) <= 1


@pytest.mark.parametrize("kind", [*DRAWN, UnboundedPixels])
def test_every_parameter_gets_a_gradient(kind: type) -> None:
    images = kind(16)
    parameters = images.start(seeded(0)).requires_grad_(True)
    (gradient,) = torch.autograd.grad((images(parameters) * torch.randn(1, 3, 16, 16)).sum(), parameters)
    gradient = gradient[..., 0] if kind is FourierImages else gradient  # some imaginary parts are no part of an image
    assert (gradient != 0).all()


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("side", [15, 16])
@pytest.mark.parametrize("kind", [*DRAWN, UnboundedPixels])
def test_the_image_of_an_encoded_photo_is_the_photo(kind: type, side: int, colours: int) -> None:
    images = kind(side, colours)
    assert torch.allclose(images(images.encode(photo(side, colours=colours))), photo(side, colours=colours), atol=2e-4)


def test_black_and_white_come_back_within_half_a_step_of_eight_bits() -> None:
    sharp = (photo() > 0.45).float()
    for kind in (PixelImages, LaplacianPyramid):
        assert (kind(16)(kind(16).encode(sharp)) - sharp).abs().max() < 1 / 509


def test_a_photo_of_more_contrast_than_spectra_have_becomes_paler_and_is_said_to(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sharp = photo(spread=1.0)
    images = FourierImages(16)
    with caplog.at_level(logging.WARNING):
        back = images(images.encode(sharp))
    contrasts = before_sigmoid(sharp).square().mean(dim=(1, 2, 3)).sqrt()
    shares = math.sqrt(0.9) * LARGEST_CONTRAST / contrasts
    assert f"keeps {100 * float(shares.min()):.0f} % of its contrast" in caplog.text
    assert torch.allclose(before_sigmoid(back), before_sigmoid(sharp) * shares[:, None, None, None], atol=1e-3)


def test_encoding_what_a_spectrum_has_drawn_is_silent_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    images = FourierImages(16)
    drawn = images(images.start(seeded(0)) * 20)
    assert torch.allclose(images(images.encode(drawn)), drawn, atol=1e-4)
    images.encode(images(images.start(seeded(0)) * 1000))
    assert caplog.text == ""


@pytest.mark.parametrize("kind", ALL)
def test_a_photo_of_another_size_or_other_colours_is_refused(kind: type) -> None:
    with pytest.raises(InputError, match="An image of 15×15 pixels cannot start one of 16×16; resize it first"):
        kind(16, 3).encode(photo(15))
    with pytest.raises(InputError, match="An image of 3 colours cannot start one of 1; convert it first"):
        kind(16, 1).encode(photo(16))


@pytest.mark.parametrize("kind", DRAWN)
def test_an_opacity_is_one_more_plane_which_the_colours_do_not_touch(kind: type) -> None:
    images = kind(8, 3, alpha=True)
    parameters = images.start(seeded(0))
    drawn = images(parameters)
    assert drawn.shape == (1, 4, 8, 8)
    other = parameters.clone()
    planes = images.levels(other)[0] if kind is LaplacianPyramid else other
    planes[:, :3] += 0.5
    assert torch.equal(images(other)[:, 3], drawn[:, 3])
    assert not torch.allclose(images(other)[:, :3], drawn[:, :3], atol=1e-3)
    assert torch.allclose(images(images.encode(drawn)), drawn, atol=1e-4)


@pytest.mark.parametrize("kind", DRAWN)
def test_a_photo_without_an_opacity_counts_as_opaque(kind: type) -> None:
    images = kind(16, 3, alpha=True)
    back = images(images.encode(photo()))
    assert torch.allclose(back[:, :3], photo(), atol=2e-4)
    assert (back[:, 3] > 0.99).all()


def test_pixels_are_a_sigmoid_of_mixed_planes() -> None:
    matrix = torch.tensor([[1.0, 0.5, 0.0], [1.0, 0.0, -0.5], [1.0, -0.5, 0.5]])
    planes = torch.randn(2, 3, 4, 4)
    drawn = PixelImages(4, matrix=matrix)(planes)
    for n, d, y, x in np.ndindex(2, 3, 4, 4):
        mixed = sum(float(matrix[d, c] * planes[n, c, y, x]) for c in range(3))
        assert float(drawn[n, d, y, x]) == pytest.approx(1 / (1 + math.exp(-mixed)), abs=1e-6)


def test_a_pyramid_is_the_sum_of_its_enlarged_levels() -> None:
    images = LaplacianPyramid(12, matrix=torch.eye(3), levels=3)
    assert images.sides == (12, 6, 3)
    parameters = images.start(seeded(0, 1)) * 10
    assert parameters.shape == (2, 3 * (144 + 36 + 9))
    finest, middle, coarsest = (
        parameters[:, low:high].reshape(2, 3, side, side)
        for low, high, side in ((0, 432, 12), (432, 540, 6), (540, 567, 3))
    )
    total = finest.clone()
    for level in (middle, coarsest):
        total += F.interpolate(level, (12, 12), mode="bilinear", align_corners=False)
    assert torch.allclose(images(parameters), torch.sigmoid(total), atol=1e-6)


def test_a_number_of_a_coarse_level_moves_a_wide_patch() -> None:
    images = LaplacianPyramid(16)
    still = images(torch.zeros(1, 3 * (256 + 64 + 16)))
    moved = []
    for first in (0, 3 * 256, 3 * (256 + 64)):
        parameters = torch.zeros(1, 3 * (256 + 64 + 16))
        parameters[0, first] = 1.0
        moved.append(int(((images(parameters) - still).abs().sum(dim=1) > 0).sum()))
    assert moved == [1, 9, 36]


def test_a_pyramid_of_one_level_is_pixels() -> None:
    planes = torch.randn(1, 3, 8, 8)
    assert torch.equal(LaplacianPyramid(8, levels=1)(planes.flatten(1)), PixelImages(8)(planes))


def test_a_pyramid_has_no_more_levels_than_halvings() -> None:
    assert LaplacianPyramid(8, levels=4).sides == (8, 4, 2, 1)
    assert LaplacianPyramid(2).sides == (2,)
    for levels in (0, 5):
        with pytest.raises(InputError, match=f"8 pixels a side has 1 to 4 levels; {levels} cannot be made"):
            LaplacianPyramid(8, levels=levels)


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_made_by_name(name: str) -> None:
    images = make_images(name)(16, 3)
    assert images(images.start(seeded(0))).shape == (1, 3, 16, 16)
    assert images.rate > 0


def test_options_reach_the_images_and_unknown_ones_are_named() -> None:
    assert make_images("pyramid", levels=2)(16, 3).start(seeded(0)).shape == (1, 3 * (256 + 64))
    assert make_images("fourier", alpha=True)(16, 3).start(seeded(0)).shape == (1, 4, 16, 9, 2)
    with pytest.raises(InputError, match="written as maco have no option 'alpha'; they have spectrum"):
        make_images("maco", alpha=True)
    with pytest.raises(UnknownError, match="'wavelets'; there is fourier, pixels, pyramid, maco, plain"):
        make_images("wavelets")
