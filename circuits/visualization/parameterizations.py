"""Images as spectra: what gradient ascent turns, instead of pixels.

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

from collections.abc import Sequence

import torch
from torch import Tensor

# Principal axes (columns) and variances along them of the colours of ImageNet's training photos, the statistics
# behind the colour jitter of Krizhevsky 2012; the numbers are those of facebook/fb.resnet.torch, datasets/imagenet.lua.
COLOUR_AXES = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
COLOUR_VARIANCES = (0.2175, 0.0188, 0.0045)

# Standard deviation of the planes' values at the start; the sigmoid turns 0.05 into about 0.49..0.51.
START_SPREAD = 0.05

# Root mean square, before the sigmoid, that no image exceeds: low units are nearly linear and would run into the
# corners of the colour cube; high units hardly notice.
LARGEST_CONTRAST = 1.6


def colour_matrix(channels: int = 3) -> Tensor:
    """Square root of the colour covariance of natural images, largest column of length one.

    M = V √Λ / √λ₁, so that M Mᵀ is the covariance up to scale: independent planes become correlated colours, and
    brightness takes longer steps than hue.

    Args:
        channels: colours of the network's input; other than three have no statistics and get the identity.

    Returns:
        (channels, channels).

    >>> colour_matrix().shape
    torch.Size([3, 3])
    """
    if channels != 3:
        return torch.eye(channels)
    axes, variances = torch.tensor(COLOUR_AXES), torch.tensor(COLOUR_VARIANCES)
    return axes * (variances / variances.max()).sqrt()


def frequencies(height: int, width: int) -> Tensor:
    """Frequency, in cycles per pixel, of each coefficient of a real two-dimensional Fourier transform.

    Returns:
        (height, width // 2 + 1).

    >>> frequencies(4, 4)[0].tolist()
    [0.0, 0.25, 0.5]
    """
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None, :]
    return torch.sqrt(rows**2 + columns**2)


class FourierImages:
    """A batch of square images in 0..1, written as spectra with natural amplitudes and decorrelated colours.

    image = sigmoid(x / √(1 + mean(x²) / c²)), x = M · irfft2(spectrum · g), g(f) = s / max(f, 1/(2·size))ᵖ, where s
    gives a spectrum of variance one planes of variance one at every size, and c is the largest contrast.

    Args:
        size: side in pixels.
        generators: one source of randomness an image, so that an image does not depend on its company.
        channels: colours.
        power: p of the amplitude law; 1 is that of photos.

    >>> images = FourierImages(8, [torch.Generator().manual_seed(0)])
    >>> images().shape
    torch.Size([1, 3, 8, 8])
    """

    def __init__(
        self, size: int, generators: Sequence[torch.Generator], *, channels: int = 3, power: float = 1.0
    ) -> None:
        shape = (channels, size, size // 2 + 1, 2)
        self.size = size
        start = torch.stack([torch.randn(shape, generator=generator) for generator in generators])
        self.spectrum = (start * START_SPREAD).requires_grad_(True)
        self._gain = _natural_gain(size, power)
        self._colours = colour_matrix(channels)

    def __call__(self) -> Tensor:
        """The images, (N, channels, size, size), differentiable with respect to `spectrum`."""
        spectrum = torch.view_as_complex(self.spectrum) * self._gain
        planes = torch.fft.irfft2(spectrum, s=(self.size, self.size), norm="ortho")
        colours = torch.einsum("dc,nchw->ndhw", self._colours, planes)
        contrast = colours.square().mean(dim=(1, 2, 3), keepdim=True)
        return torch.sigmoid(colours / torch.sqrt(1 + contrast / LARGEST_CONTRAST**2))


def _natural_gain(size: int, power: float) -> Tensor:
    gain = frequencies(size, size).clamp(min=1 / (2 * size)) ** -power
    # Parseval. A real image has each coefficient twice, mirrored; those of the first column, and of the last if the
    # size is even, are their own mirror, and half of their random part has no effect.
    share = torch.full((size // 2 + 1,), 4.0)
    share[[0] if size % 2 else [0, -1]] = 1.0
    return gain * size / (gain**2 * share).sum().sqrt()
