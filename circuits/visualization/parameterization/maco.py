"""MACO: images whose phases are optimized while the magnitude of each frequency is that of photos.

    image = sigmoid(M · irfft2(m · exp(i·φ)))

1. m is the mean magnitude of photos at each frequency, of each decorrelated colour; it never changes.
2. φ, the phases, are the parameters. They start uniform in -π..π.
3. Ascent cannot pile up fine grain or contrast, since their amount is given: that is its regularization.

Source: Fel et al. 2023, "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization"
(https://arxiv.org/abs/2306.06805). Departures: magnitudes are measured before the sigmoid, so that an image needs no
standardising to have the contrast of photos, and photos encode and decode in the same space; phases are neither
standardised nor normal at the start, where that gives a bright spot in the corner, all cosines being highest there.
The paper's crops and noise are a matter of transformations, here as for every parameterization; and magnitudes are
those of the periodic component of photos (`smooth_component`), without which images are streaked across and down.
"""

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources

import safetensors.torch
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from circuits.errors import InputError
from circuits.image.tensors import fitted, to_images
from circuits.visualization.parameterization.base import PlaneImages
from circuits.visualization.parameterization.color import Colouring

# A mean that is not to be told from its largest value would have no gradient: φ = 0 or π.
_LARGEST_COSINE = 0.99


@dataclass(frozen=True, eq=False)
class Spectrum:
    """How much of each frequency photos have, in decorrelated colours before the sigmoid.

    Args:
        magnitudes: mean of |rfft2(p)|, of an orthonormal transform, (colours, side, side // 2 + 1), where p is the
            periodic component of M⁻¹ · logit(photo).
        matrix: M.

    Raises:
        InputError: if the shapes do not fit each other, or a magnitude is not finite or below zero.

    >>> Spectrum(torch.ones(1, 4, 3), torch.eye(1)).at(4).shape
    torch.Size([1, 4, 3])
    """

    magnitudes: Tensor = field(repr=False)
    matrix: Tensor = field(repr=False)

    def __post_init__(self) -> None:
        shape = tuple(self.magnitudes.shape)
        if len(shape) != 3 or shape[1] < 4 or shape[2] != shape[1] // 2 + 1 or self.matrix.shape != (shape[0],) * 2:
            raise InputError(
                f"A spectrum of shape {shape} with a colour matrix of shape {tuple(self.matrix.shape)} cannot be used; "
                "it must be (colours, side, side // 2 + 1), side 4 or more, with (colours, colours)."
            )
        if not torch.isfinite(self.magnitudes).all() or (self.magnitudes < 0).any():
            raise InputError("A spectrum has magnitudes that are not finite or below zero; measure it on photos.")

    @property
    def side(self) -> int:
        """Of the photos, in pixels."""
        return self.magnitudes.shape[1]

    def exponents(self) -> Float[Tensor, " colours"]:
        """Steepness p of the power law |k|⁻ᵖ that magnitudes follow between side/16 and side/4 cycles an image.

        The slope of a straight line through log magnitude over log |k|, by least squares. Nearer to the highest
        frequency, photos show how they were scaled down rather than what they show.
        """
        length = _length(_cycles(self.side))
        inner = (length >= self.side / 16) & (length <= self.side / 4)
        along = length[inner].log() - length[inner].log().mean()
        heights = self.magnitudes[:, inner].clamp_min(1e-12).log()
        return -(heights * along).sum(dim=1) / along.square().sum()

    def at(self, side: int) -> Float[Tensor, "colours side columns"]:
        """The magnitudes of images of another size, on which the same photos are seen.

        With k in cycles an image, a photo of s pixels a side has s/side times the magnitude, A(k) · s/side. Above
        the highest measured k, on the square max(|ky|, |kx|) = K = ⌊(side - 1)/2⌋, a spectrum goes on along the same
        direction: A(k) = A(k̂) · (|k|/|k̂|)⁻ᵖ, where k̂ = k · K/max(|ky|, |kx|), rounded, and p is its exponent.
        """
        if side == self.side:
            return self.magnitudes
        highest = (self.side - 1) // 2
        wanted = _cycles(side)
        nearest = (wanted * (highest / wanted.abs().amax(dim=0).clamp_min(highest))).round()
        row, column = nearest.long()
        beyond = (_length(wanted) / _length(nearest)).expand(len(self.magnitudes), -1, -1)
        falls = beyond ** -self.exponents()[:, None, None]
        return self.magnitudes[:, row % self.side, column] * falls * (side / self.side)

    def grey(self) -> "Spectrum":
        """That of the photos in grey, the mean of the colours: √Σ_c (mean_d M_dc · m_c)², colours being independent."""
        weights = self.matrix.mean(dim=0)[:, None, None]
        return Spectrum((weights * self.magnitudes).square().sum(dim=0, keepdim=True).sqrt(), torch.eye(1))


def magnitude_spectrum(photos: Iterable[Image.Image], side: int = 64, *, matrix: Tensor | None = None) -> Spectrum:
    """The mean magnitude of photos at each frequency, as if their opposite borders met.

    Each photo is cut to its middle square and scaled to `side`; one whose shorter side is smaller has no fine detail
    to be measured and is left out. The smooth component of each plane is taken away before the transform.

    Args:
        photos: in any mode and of any size.
        side: in pixels.
        matrix: from decorrelated planes to colours; by default that of natural images.

    Raises:
        InputError: if no photo is large enough, or the matrix has no inverse.

    >>> noise = Image.effect_noise((8, 8), 50)
    >>> magnitude_spectrum([noise], 8).magnitudes.shape
    torch.Size([3, 8, 5])
    """
    colouring = Colouring(3, matrix=matrix)
    count, total = 0, torch.zeros(3, side, side // 2 + 1, dtype=torch.float64)
    for photo in photos:
        if min(photo.size) < side:
            continue
        planes = colouring.encode(to_images([fitted(photo.convert("RGB"), side)]))[0]
        total += torch.fft.rfft2(planes - smooth_component(planes), norm="ortho").abs()
        count += 1
    if not count:
        raise InputError(
            f"No photo has {side} pixels or more on each side, as a spectrum of that size needs; give others."
        )
    return Spectrum((total / count).float(), colouring.matrix)


def smooth_component(planes: Float[Tensor, "*n rows columns"]) -> Float[Tensor, "*n rows columns"]:
    """What of each plane is there only because its opposite borders do not meet.

    A Fourier transform repeats a plane without end, and takes the jumps where copies touch for lines across and down:
    a cross in the spectrum that is not of what the photo shows. With v those jumps, at the four borders

        v[0, x] += u[h-1, x] - u[0, x] ,  v[h-1, x] -= u[h-1, x] - u[0, x] ,  alike for the first and last column,

    the smooth component s has the discrete Laplacian Δs = v of a plane without end and the mean zero, in frequencies
    ŝ = v̂ / (2 cos(2πky/h) + 2 cos(2πkx/w) - 4). The rest, u - s, is the periodic component.

    Source: L. Moisan 2011, "Periodic plus Smooth Image Decomposition" (https://doi.org/10.1007/s10851-010-0227-1).

    >>> ramp = torch.arange(4.0).expand(4, 4)
    >>> (ramp - smooth_component(ramp))[0].diff().tolist()  # four times flatter: its borders nearly meet
    [0.25, 0.25, 0.25]
    """
    rows, columns = planes.shape[-2:]
    jumps = torch.zeros_like(planes)
    down, across = planes[..., -1, :] - planes[..., 0, :], planes[..., -1] - planes[..., 0]
    jumps[..., 0, :] += down
    jumps[..., -1, :] -= down
    jumps[..., 0] += across
    jumps[..., -1] -= across
    waves_down = torch.fft.fftfreq(rows, dtype=planes.dtype)[:, None]
    waves_across = torch.fft.rfftfreq(columns, dtype=planes.dtype)
    laplacian = 2 * torch.cos(2 * math.pi * waves_down) + 2 * torch.cos(2 * math.pi * waves_across) - 4
    laplacian[0, 0] = 1  # instead of zero: the jumps add up to nothing
    smooth: Tensor = torch.fft.irfft2(torch.fft.rfft2(jumps) / laplacian, s=(rows, columns))
    return smooth


@functools.cache
def shipped_spectrum() -> Spectrum:
    """That of the photos on which the built-in network was trained, at 64 pixels (`training.builtin.spectrum`)."""
    file = resources.files("circuits").joinpath("builtin", "spectrum.safetensors")
    tensors = safetensors.torch.load(file.read_bytes())
    return Spectrum(tensors["magnitudes"].float(), tensors["matrix"].float())


class MacoImages(PlaneImages):
    """Square images in 0..1 with the magnitudes of photos; their phases are the parameters.

    Parameters are (N, colours, side, side // 2 + 1), in radians. A real image has each frequency twice, mirrored, with
    the opposite phase: of the pairs within the first and the last column one alone is read. The coefficients that are
    their own mirror, the mean among them, are real: m · cos φ, at most the magnitude.

    Args:
        side: in pixels.
        colours: of the network's input.
        spectrum: the magnitudes; by default those of the photos of the built-in network, or of the same in grey.

    Raises:
        InputError: if the spectrum has another number of colours.

    >>> images = MacoImages(32)
    >>> images(images.start([torch.Generator().manual_seed(0)])).shape
    torch.Size([1, 3, 32, 32])
    """

    rate = 1.0

    def __init__(self, side: int, colours: int = 3, *, spectrum: Spectrum | None = None) -> None:
        spectrum = shipped_spectrum() if spectrum is None else spectrum
        spectrum = spectrum.grey() if colours == 1 and len(spectrum.magnitudes) == 3 else spectrum
        if len(spectrum.magnitudes) != colours:
            raise InputError(
                f"A spectrum of {len(spectrum.magnitudes)} colours does not fit {colours}; give one that does."
            )
        self.magnitudes = spectrum.at(side)
        super().__init__(side, self.magnitudes.shape, Colouring(colours, matrix=spectrum.matrix))
        self._source, self._sign, self._real = _mirrors(side)

    def start(self, generators: Sequence[torch.Generator]) -> Float[Tensor, "n colours side columns"]:
        """Uniform phases, each image's from its own generator."""
        draws = [torch.rand(self.shape, generator=generator) for generator in generators]
        return (torch.stack(draws) * 2 - 1) * math.pi

    def planes(self, parameters: Float[Tensor, "n colours side columns"]) -> Float[Tensor, "n colours side side"]:
        """The planes of phases, with the magnitudes of the spectrum."""
        phases = parameters.flatten(2)[:, :, self._source].reshape(parameters.shape) * self._sign
        spectrum = torch.polar(self.magnitudes.expand_as(phases), phases)
        planes: Tensor = torch.fft.irfft2(spectrum, s=(self.side, self.side), norm="ortho")
        return planes

    def parameters(self, planes: Float[Tensor, "n colours side side"]) -> Float[Tensor, "n colours side columns"]:
        """The phases of planes; their magnitudes are not kept."""
        spectrum = torch.fft.rfft2(planes, norm="ortho")
        cosines = spectrum.real / self.magnitudes.clamp_min(torch.finfo(torch.float32).tiny)
        return torch.where(self._real, cosines.clamp(-_LARGEST_COSINE, _LARGEST_COSINE).arccos(), spectrum.angle())


def _cycles(side: int) -> Float[Tensor, "2 side columns"]:
    """Down and across, how many cycles an image each coefficient of a real transform stands for."""
    down, across = torch.fft.fftfreq(side, 1 / side), torch.fft.rfftfreq(side, 1 / side)
    return torch.stack(torch.meshgrid(down, across, indexing="ij"))


def _length(cycles: Tensor) -> Tensor:
    """|k|, the mean counting as one cycle."""
    return cycles.square().sum(dim=0).sqrt().clamp_min(1)


def _mirrors(side: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each coefficient: where its phase is read, with which sign, and whether it is its own mirror."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side // 2 + 1), indexing="ij")
    mirrored_column = (columns == 0) | (2 * columns == side)
    mirror = torch.where(mirrored_column, -rows % side, rows)
    second = mirror < rows
    source = torch.where(second, mirror, rows) * (side // 2 + 1) + columns
    return source.flatten(), torch.where(second, -1.0, 1.0), mirrored_column & (mirror == rows)
