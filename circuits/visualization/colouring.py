"""From planes of numbers to the colours of an image, and back.

    colours = sigmoid(limit(M · p)) ,  limit(x) = x / √(1 + mean(x²)/c²) ,  opacity = sigmoid(q)

M is the colour matrix, p the decorrelated planes, c the largest contrast (∞: no limit), q one more plane. Backwards, a
sigmoid reaches neither 0 nor 1, so that values nearer to them than half of an 8 bit step count as that half step.
"""

import logging
import math

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.errors import InputError
from circuits.visualization.colours import matrix_for

# Half of the distance between two values of 8 bits.
HALF_STEP = 1 / 510

# An image of more contrast than can be drawn gets this share of the largest mean square: nearer to the limit, the
# numbers before it grow without bound, and ascent would hardly move them.
_ENCODED_SHARE = 0.9

_LOG = logging.getLogger(__name__)


def logit(images: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """What a sigmoid turns into these values, log(v / (1 - v)), v being kept half an 8 bit step off 0 and 1.

    >>> logit(torch.tensor([0.5, 1.0])).sigmoid().tolist()
    [0.5, 0.998...]
    """
    return torch.logit(images, eps=HALF_STEP)


class Colouring:
    """How planes become images in 0..1.

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

        Raises:
            InputError: if the images have another number of colours.
        """
        given = images.shape[1]
        if not (self._alpha and given == self.planes):
            check_colours(images, self.colours)
        colours = self._unlimited(logit(images[:, : self.colours]))
        planes = torch.einsum("cd,ndhw->nchw", self._inverse, colours)
        if not self._alpha:
            return planes
        opacity = images[:, self.colours :] if given == self.planes else torch.ones_like(images[:, :1])
        return torch.cat([planes, logit(opacity)], dim=1)

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
    """See that images have the size that is drawn.

    Raises:
        InputError: if they are smaller, larger or not square.

    >>> check_side(torch.zeros(1, 3, 8, 8), 8)
    """
    rows, columns = images.shape[-2:]
    if (rows, columns) != (side, side):
        raise InputError(f"An image of {columns}×{rows} pixels cannot start one of {side}×{side}; resize it first.")


def check_colours(images: Tensor, colours: int) -> None:
    """See that images have the colours that are drawn.

    Raises:
        InputError: if they have more or fewer.

    >>> check_colours(torch.zeros(1, 3, 8, 8), 3)
    """
    if images.shape[1] != colours:
        raise InputError(f"An image of {images.shape[1]} colours cannot start one of {colours}; convert it first.")
