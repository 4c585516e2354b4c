"""Decorrelated colours: independent planes become red, green and blue, correlated as in photos, and back.

In photos nearly all of the colours' variance is brightness. With M a square root of their covariance, steps in
decorrelated planes p become steps M·p that are as large along each axis as photos are.

    colours = sigmoid(limit(M · p)) ,  limit(x) = x / √(1 + mean(x²)/c²) ,  opacity = sigmoid(q)

M is the colour matrix, p the decorrelated planes, c the largest contrast (∞: no limit), q one more plane. Backwards, a
sigmoid reaches neither 0 nor 1, so that values nearer to them than half of an 8 bit step count as that half step.

Source: Olah, Mordvintsev, Schubert 2017, "Feature Visualization", section "Preconditioning and Parameterization"
(https://distill.pub/2017/feature-visualization).
"""

import logging
import math
from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from circuits.errors import InputError

# Principal axes (columns) and variances along them of the colours of ImageNet's training photos, the statistics
# behind the colour jitter of Krizhevsky 2012; the numbers are those of facebook/fb.resnet.torch, datasets/imagenet.lua.
COLOUR_AXES = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
COLOUR_VARIANCES = (0.2175, 0.0188, 0.0045)

# No axis gets less than this share of the largest variance: of grey photos, hue would be left without any, and the
# matrix without an inverse. ImageNet's smallest share is 0.02.
SMALLEST_SHARE = 1e-3

# Photos are measured at this size at most, along their longer side: colours need no detail.
MEASURED_SIDE = 256


# Half of the distance between two values of 8 bits.
HALF_STEP = 1 / 510

# An image of more contrast than can be drawn gets this share of the largest mean square: nearer to the limit, the
# numbers before it grow without bound, and ascent would hardly move them.
_ENCODED_SHARE = 0.9

_LOG = logging.getLogger(__name__)


def colour_matrix(channels: int = 3) -> Float[Tensor, "channels channels"]:
    """Square root of the colour covariance of natural images, largest column of length one.

    M = V √Λ / √λ₁, so that M Mᵀ is the covariance up to scale: independent planes become correlated colours, and
    brightness takes longer steps than hue.

    Args:
        channels: colours of the network's input; other than three have no statistics and get the identity.

    >>> colour_matrix().shape
    torch.Size([3, 3])
    """
    if channels != 3:
        return torch.eye(channels)
    axes, variances = torch.tensor(COLOUR_AXES), torch.tensor(COLOUR_VARIANCES)
    return axes * (variances / variances.max()).sqrt()


def colour_matrix_of(photos: Iterable[Image.Image]) -> Float[Tensor, "3 3"]:
    """Square root of the colour covariance of photos, largest column of length one.

    M = V √Λ / √λ₁ with V Λ Vᵀ the covariance of red, green and blue over all pixels, every photo weighing the same.
    The columns are the principal axes, the largest first, each with its largest component positive.

    Args:
        photos: in any mode and of any size; each is looked at once, at 256 pixels at most.

    Raises:
        InputError: if there are none, or if they have one colour only.

    >>> red = Image.new("RGB", (8, 8), "red")
    >>> colour_matrix_of([red, Image.new("RGB", (8, 8))])[:, 0].tolist()
    [1.0, 0.0, 0.0]
    """
    count, total, squares = 0, np.zeros(3), np.zeros((3, 3))
    for photo in photos:
        small = photo.convert("RGB")
        small.thumbnail((MEASURED_SIDE, MEASURED_SIDE))
        pixels = np.asarray(small, dtype=np.float64).reshape(-1, 3) / 255
        total += pixels.mean(axis=0)
        squares += pixels.T @ pixels / len(pixels)
        count += 1
    if not count:
        raise InputError("Colours cannot be measured without photos; give at least one.")
    mean = total / count
    variances, axes = np.linalg.eigh(squares / count - np.outer(mean, mean))
    if variances[-1] < 1e-8:
        raise InputError("The photos have a single colour, from which nothing can be measured; give others.")
    axes *= np.where(axes[np.abs(axes).argmax(axis=0), range(3)] < 0, -1, 1)
    scales = np.sqrt(np.maximum(variances / variances[-1], SMALLEST_SHARE))
    return torch.from_numpy((axes * scales)[:, ::-1].copy()).float()


def matrix_for(matrix: Tensor | None, colours: int) -> Float[Tensor, "colours colours"]:
    """The colour matrix of a network: the one given, or that of natural images.

    A network of one colour keeps the identity, whatever matrix was measured on photos of three.

    Raises:
        InputError: if it has another size, or no inverse.

    >>> matrix_for(torch.eye(3), 1).tolist()
    [[1.0]]
    """
    if matrix is None or (colours == 1 and matrix.shape == (3, 3)):
        return colour_matrix(colours)
    if matrix.shape != (colours, colours):
        raise InputError(
            f"A colour matrix of shape {tuple(matrix.shape)} does not fit {colours} colours; "
            f"it must be ({colours}, {colours})."
        )
    if not torch.isfinite(matrix).all() or torch.linalg.cond(matrix.double()) > 1e6:
        raise InputError(f"The colour matrix {matrix.tolist()} has no inverse; measure colours on photos that differ.")
    return matrix.float()


class Colouring:
    """From planes to images in 0..1, and back.

    Args:
        colours: of the network's input.
        matrix: from decorrelated planes to colours, (colours, colours); by default that of natural images.
        alpha: whether one more plane, after the others, is an opacity.
        contrast: root mean square, before the sigmoid, that no image exceeds.

    Raises:
        InputError: if the matrix has another size or no inverse.

    >>> colouring = Colouring(3, alpha=True)
    >>> colouring.planes, colouring.images(torch.zeros(1, 4, 2, 2)).unique().tolist()
    (4, [0.5])
    """

    def __init__(
        self, colours: int, *, matrix: Tensor | None = None, alpha: bool = False, contrast: float = math.inf
    ) -> None:
        self.colours = colours
        self.matrix = matrix_for(matrix, colours)
        self._inverse = torch.linalg.inv(self.matrix.double()).float()
        self._alpha = alpha
        self._contrast = contrast

    @property
    def planes(self) -> int:
        """How many planes an image has: one a colour, and one for the opacity."""
        return self.colours + self._alpha

    def images(self, planes: Float[Tensor, "n planes rows columns"]) -> Float[Tensor, "n planes rows columns"]:
        """The images of planes, differentiable."""
        colours = torch.einsum("dc,nchw->ndhw", self.matrix, planes[:, : self.colours])
        if math.isfinite(self._contrast):
            mean_square = colours.square().mean(dim=(1, 2, 3), keepdim=True)
            colours = colours / torch.sqrt(1 + mean_square / self._contrast**2)
        images = torch.sigmoid(colours)
        return torch.cat([images, torch.sigmoid(planes[:, self.colours :])], dim=1) if self._alpha else images

    def encode(self, images: Float[Tensor, "n _colours rows columns"]) -> Float[Tensor, "n _planes rows columns"]:
        """The planes of images; those that say no opacity count as opaque.

        An image of more contrast than the limit allows is made paler, and a warning is logged.
        """
        given = images.shape[1]
        if not (self._alpha and given == self.planes):
            check_colours(images, self.colours)
        colours = self._unlimited(torch.logit(images[:, : self.colours], eps=HALF_STEP))
        planes = torch.einsum("cd,ndhw->nchw", self._inverse, colours)
        if not self._alpha:
            return planes
        opacity = images[:, self.colours :] if given == self.planes else torch.ones_like(images[:, :1])
        return torch.cat([planes, torch.logit(opacity, eps=HALF_STEP)], dim=1)

    def _unlimited(self, limited: Tensor) -> Tensor:
        """What the limit on contrast turns into these values: with y = limit(x), mean(x²) = m / (1 - m/c²)."""
        if not math.isfinite(self._contrast):
            return limited
        mean_square = limited.square().mean(dim=(1, 2, 3), keepdim=True)
        shares = mean_square / self._contrast**2
        scales = (_ENCODED_SHARE / shares).clamp(max=1).sqrt()
        if float(shares.max()) > 1:
            _LOG.warning(
                "A start image keeps %.0f %% of its contrast; more cannot be drawn.", 100 * float(scales.min())
            )
        return limited * scales / torch.sqrt(1 - shares * scales**2)


def check_side(images: Tensor, side: int) -> None:
    """Refuse images of another size than the one that is drawn."""
    rows, columns = images.shape[-2:]
    if (rows, columns) != (side, side):
        raise InputError(f"An image of {columns}×{rows} pixels cannot start one of {side}×{side}; resize it first.")


def check_colours(images: Tensor, colours: int) -> None:
    """Refuse images of another number of colours than are drawn."""
    if images.shape[1] != colours:
        raise InputError(f"An image of {images.shape[1]} colours cannot start one of {colours}; convert it first.")
