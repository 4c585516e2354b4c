"""Small random movements, under which a picture has to keep exciting its unit.

Without them, ascent finds fine grids that excite the unit only at this very position of strides and pools. Random
shifts are in DeepDream (google/deepdream 2015, `dream.ipynb`), turns and sizes in Olah 2017, "Feature Visualization",
section "Transformation robustness". Every image of a batch gets its own movement, all in one resampling.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor


@dataclass(frozen=True)
class Movement:
    """How far an image is moved at random at each step, and how far it goes on beyond its border.

    Beyond its border an image goes on mirrored: nothing odd is seen there, that ascent would make use of.

    Args:
        padding: pixels that are shown beyond each border.
        jitter: largest shift, in pixels, in each direction.
        scale: largest change of size, as a share: 0.1 draws factors between 1/1.1 and 1.1, log-uniformly.
        rotation: largest turn, in degrees.

    >>> Movement(padding=1)(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), [torch.Generator()])[0, 0, 1].tolist()
    [1.0, 1.0, 2.0, 2.0]
    """

    padding: int = 0
    jitter: float = 0.0
    scale: float = 0.0
    rotation: float = 0.0

    def __call__(self, images: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Move each image by its own generator's next draw: (N, C, s, s) to (N, C, s + 2·padding, s + 2·padding)."""
        size = images.shape[-1]
        moved_size = size + 2 * self.padding
        # affine_grid measures both images from -1 to 1, half a side being 1.
        maps = self.maps(generators) * torch.tensor([moved_size / size, moved_size / size, 2 / size])
        grid = F.affine_grid(maps, [*images.shape[:2], moved_size, moved_size], align_corners=False)
        return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)

    def maps(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Draw a turn, a size and a shift for each image: maps from moved to given pixels, (N, 2, 3)."""
        draws = torch.stack([torch.rand(4, generator=generator) for generator in generators]) * 2 - 1
        angle = draws[:, 0] * math.radians(self.rotation)
        factor = torch.exp(draws[:, 1] * math.log1p(self.scale))
        cosine, sine = torch.cos(angle) / factor, torch.sin(angle) / factor
        rows = [cosine, -sine, draws[:, 2] * self.jitter, sine, cosine, draws[:, 3] * self.jitter]
        return torch.stack(rows, dim=1).reshape(-1, 2, 3)


def movement_for(side: int) -> Movement:
    """The movement with which images of a size are drawn.

    Shifts of up to 8 pixels cover the strides and poolings of common networks; small images are shifted less.

    >>> movement_for(128)
    Movement(padding=8, jitter=8.0, scale=0.1, rotation=10.0)
    """
    return Movement(padding=side // 16, jitter=min(8.0, side / 8), scale=0.1, rotation=10.0)
