"""Images as Laplacian pyramids: a sum of images of halved and halved sizes.

One parameter of a coarse level moves a wide, soft patch, one of the finest a single pixel: steps of like size at every
scale, in octaves, as the spectrum takes them frequency by frequency, but each at one place only.

Sources: Burt & Adelson 1983, "The Laplacian Pyramid as a Compact Image Code"; as a parameterization, tensorflow/lucid,
`optvis/param/spatial.py`.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from jaxtyping import Float
from torch import Tensor

from circuits.errors import InputError
from circuits.visualization.parameterization.base import START_SPREAD, PlaneImages
from circuits.visualization.parameterization.color import Colouring

# Side of the coarsest level, at least, where the number of levels is not given.
COARSEST = 4


class LaplacianPyramid(PlaneImages):
    """Square images in 0..1: image = sigmoid(M · Σ_l enlarge(p_l)), level l having sides of ⌈side / 2ˡ⌉ pixels.

    Enlarging is bilinear. All levels of an image lie in one row of the parameters, (N, D), the finest first.

    Args:
        side: in pixels.
        colours: of the network's input.
        levels: how many; by default down to one of at least 4 pixels a side.
        matrix: M, the colour matrix.
        alpha: whether to draw an opacity too.

    Raises:
        InputError: if there are no levels, or more than halvings.

    >>> LaplacianPyramid(20).sides
    (20, 10, 5)
    """

    rate = 0.27

    def __init__(
        self,
        side: int,
        colours: int = 3,
        *,
        levels: int | None = None,
        matrix: Tensor | None = None,
        alpha: bool = False,
    ) -> None:
        most = (side - 1).bit_length() + 1
        if levels is not None and not 1 <= levels <= most:
            raise InputError(f"An image of {side} pixels a side has 1 to {most} levels; {levels} cannot be made.")
        sides = [-(-side // 2**level) for level in range(most)]
        self.sides = tuple(sides[:levels] if levels else [s for s in sides if s >= COARSEST] or sides[:1])
        self.spread = START_SPREAD / math.sqrt(len(self.sides))  # all levels together spread as other starts do
        colouring = Colouring(colours, matrix=matrix, alpha=alpha)
        super().__init__(side, (colouring.planes * sum(side**2 for side in self.sides),), colouring)

    def planes(self, parameters: Float[Tensor, "n d"]) -> Float[Tensor, "n planes side side"]:
        """The sums of the levels."""
        planes, *coarser = self.levels(parameters)
        for level in coarser:
            planes = planes + self._enlarge(level)
        return planes

    def levels(self, parameters: Float[Tensor, "n d"]) -> list[Float[Tensor, "n planes _side _side"]]:
        """The levels of pyramids, the finest first."""
        planes = self.colouring.planes
        parts = torch.split(parameters, [planes * side**2 for side in self.sides], dim=1)
        return [part.reshape(-1, planes, side, side) for part, side in zip(parts, self.sides, strict=True)]

    def parameters(self, planes: Float[Tensor, "n planes side side"]) -> Float[Tensor, "n d"]:
        """The pyramids of planes: each level, from the coarsest, takes the means of what those before it leave."""
        rest = planes
        parts = []
        for side in reversed(self.sides):
            level = rest if side == self.side else F.adaptive_avg_pool2d(rest, side)
            rest = rest - self._enlarge(level)
            parts.append(level.flatten(1))
        return torch.cat(parts[::-1], dim=1)

    def _enlarge(self, level: Tensor) -> Tensor:
        return F.interpolate(level, size=(self.side, self.side), mode="bilinear", align_corners=False)
