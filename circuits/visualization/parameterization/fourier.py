"""Images as Fourier spectra.

1. One complex number per frequency and colour is the parameter, drawn from a normal distribution.
2. Dividing by the frequency gives the amplitudes of natural images (1/f) and steps of the same relative size
   at every scale; steps in pixel space favour the highest frequencies.
3. The inverse Fourier transform gives three decorrelated colour planes.
4. The colour matrix turns them into red, green and blue, correlated as in photos.
5. The contrast is limited, softly, as that of photos is.
6. A sigmoid puts every value between 0 and 1.

Source: Olah, Mordvintsev, Schubert 2017, "Feature Visualization", section "Preconditioning and Parameterization"
(https://distill.pub/2017/feature-visualization).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.visualization.parameterization.base import PlaneImages
from circuits.visualization.parameterization.color import Colouring

# Root mean square, before the sigmoid, that no image exceeds: low units are nearly linear and would run into the
# corners of the colour cube; high units hardly notice.
LARGEST_CONTRAST = 1.6


def frequencies(height: int, width: int) -> Float[Tensor, "height columns"]:
    """Frequency, in cycles per pixel, of each coefficient of a real two-dimensional Fourier transform.

    >>> frequencies(4, 4)[0].tolist()
    [0.0, 0.25, 0.5]
    """
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None, :]
    return torch.sqrt(rows**2 + columns**2)


class FourierImages(PlaneImages):
    """Square images in 0..1, written as spectra with natural amplitudes and decorrelated colours.

    image = sigmoid(x / √(1 + mean(x²) / c²)), x = M · irfft2(spectrum · g), g(f) = s / max(f, 1/(2·side))ᵖ, where s
    gives a spectrum of variance one planes of variance one at every size, and c is the largest contrast. Parameters
    are (N, planes, side, side // 2 + 1, 2): real and imaginary parts.

    Args:
        side: in pixels.
        colours: of the network's input.
        power: p of the amplitude law; 1 is that of photos.
        matrix: M, the colour matrix.
        alpha: whether to draw an opacity too.

    >>> images = FourierImages(8)
    >>> images(images.start([torch.Generator().manual_seed(0)])).shape
    torch.Size([1, 3, 8, 8])
    """

    rate = 0.4

    def __init__(
        self, side: int, colours: int = 3, *, power: float = 1.0, matrix: Tensor | None = None, alpha: bool = False
    ) -> None:
        colouring = Colouring(colours, matrix=matrix, alpha=alpha, contrast=LARGEST_CONTRAST)
        super().__init__(side, (colouring.planes, side, side // 2 + 1, 2), colouring)
        self._gain = _natural_gain(side, power)

    def planes(self, parameters: Float[Tensor, "n planes rows columns 2"]) -> Float[Tensor, "n planes side side"]:
        """The planes of spectra."""
        spectrum = torch.view_as_complex(parameters) * self._gain
        # One plane alone would be transformed another way than among others, with other last bits.
        together = spectrum if len(spectrum) > 1 else spectrum.repeat(2, 1, 1, 1)
        planes: Tensor = torch.fft.irfft2(together, s=(self.side, self.side), norm="ortho")
        return planes[: len(spectrum)]

    def parameters(self, planes: Float[Tensor, "n planes side side"]) -> Float[Tensor, "n planes rows columns 2"]:
        """The spectra of planes."""
        return torch.view_as_real(torch.fft.rfft2(planes, norm="ortho") / self._gain)


def _natural_gain(size: int, power: float) -> Tensor:
    gain = frequencies(size, size).clamp(min=1 / (2 * size)) ** -power
    # Parseval. A real image has each coefficient twice, mirrored; those of the first column, and of the last if the
    # size is even, are their own mirror, and half of their random part has no effect.
    share = torch.full((size // 2 + 1,), 4.0)
    share[[0] if size % 2 else [0, -1]] = 1.0
    return gain * size / (gain**2 * share).sum().sqrt()
