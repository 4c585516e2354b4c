"""Random affine transforms: each image its own shift, rotation and scale, in one resampling.

Each pixel of the result is looked up in the given image, between four pixels (bilinear).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from circuits.errors import InputError, UnknownError, listed

GREY = 0.5

# What torch calls them; what is beyond the border of an image that grey was taken from is zero.
MODES: Mapping[str, str] = MappingProxyType({"reflect": "reflection", "edge": "border", "grey": "zeros"})


@dataclass(frozen=True, repr=False)
class RandomAffine:
    """How far an image is moved at random, and how far it is shown beyond its border.

    An image is shifted first, then rotated and scaled about its middle. Beyond its border it goes on mirrored, unless
    said otherwise: nothing odd is seen there, that ascent would make use of.

    Args:
        padding: pixels that are shown beyond each border.
        jitter: largest shift, in pixels, in each direction.
        scale: largest change of size: 1.1 draws factors between 1/1.1 and 1.1, log-uniformly.
        rotation: largest rotation, in degrees.
        mode: what lies beyond the border: "reflect" (the outermost pixels are doubled), "edge" or "grey".

    Raises:
        InputError: if a number is negative, or the scale below 1.
        UnknownError: if there is no such mode.

    >>> RandomAffine(padding=1)(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), [torch.Generator()])[0, 0, 1].tolist()
    [1.0, 1.0, 2.0, 2.0]
    """

    padding: int = 0
    jitter: float = 0.0
    scale: float = 1.0
    rotation: float = 0.0
    mode: str = "reflect"

    def __post_init__(self) -> None:
        for name, least in (("padding", 0), ("jitter", 0), ("scale", 1), ("rotation", 0)):
            if not least <= getattr(self, name) < math.inf:
                raise InputError(f"A {name} of {getattr(self, name)} cannot be had; give {least} or more.")
        if self.mode not in MODES:
            raise UnknownError(f"There is no padding {self.mode!r}; there are {listed(MODES)}.")

    def __repr__(self) -> str:
        said = [f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if self._says(each.name)]
        return f"RandomAffine({', '.join(said)})"

    def __call__(self, images: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Move each image by its own generator's next draw: (N, C, s, s) to (N, C, s + 2·padding, s + 2·padding).

        One that moves nothing and shows nothing more returns the images themselves.
        """
        if not any(map(self._says, ("padding", "jitter", "scale", "rotation"))):
            return images
        return resampled(images, self.maps(generators), self.padding, self.mode)

    def maps(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Draw a rotation, a scale and a shift for each image: maps from moved to given pixels, (N, 2, 3)."""
        draws = torch.stack([torch.rand(4, generator=generator) for generator in generators]) * 2 - 1
        angle = draws[:, 0] * math.radians(self.rotation)
        factor = torch.exp(draws[:, 1] * math.log(self.scale))
        cosine, sine = torch.cos(angle) / factor, torch.sin(angle) / factor
        rows = [cosine, -sine, draws[:, 2] * self.jitter, sine, cosine, draws[:, 3] * self.jitter]
        return torch.stack(rows, dim=1).reshape(-1, 2, 3)

    def then(self, later: "RandomAffine | AffineSequence") -> "RandomAffine | AffineSequence | None":
        """One transform that does this and then another; `None` where they pad in different modes."""
        return AffineSequence((self,)).then(later)

    def _says(self, name: str) -> bool:
        return bool(getattr(self, name) != getattr(RandomAffine, name))


@dataclass(frozen=True)
class AffineSequence:
    """Several random affine transforms, the first first, in one resampling: their maps are multiplied.

    All that pad do so in one mode.

    >>> moving = RandomAffine(rotation=45.0).then(RandomAffine(padding=2, jitter=4.0))
    >>> moving(torch.zeros(1, 3, 8, 8), [torch.Generator()]).shape
    torch.Size([1, 3, 12, 12])
    """

    parts: tuple[RandomAffine, ...]

    def __call__(self, images: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Move each image by its own generator's next draws, one part's after the other's."""
        padding = sum(part.padding for part in self.parts)
        return resampled(images, self.maps(generators), padding, _mode(self.parts))

    def maps(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Draw all parts' maps and multiply them: maps from moved to given pixels, (N, 2, 3)."""
        whole, *others = (part.maps(generators) for part in self.parts)
        for later in others:
            turn, shift = whole[:, :, :2], whole[:, :, 2:]
            whole = turn @ later + torch.cat([torch.zeros_like(turn), shift], dim=2)
        return whole

    def then(self, later: "RandomAffine | AffineSequence") -> "RandomAffine | AffineSequence | None":
        """One transform that does these and then another; `None` where they pad in different modes."""
        *before, last = self.parts
        first, *after = later.parts if isinstance(later, AffineSequence) else (later,)
        if len({part.mode for part in (*self.parts, first, *after) if part.padding}) > 1:
            return None
        joined = _joined(last, first)
        middle = (last, first) if joined is None else (joined,)
        parts = (*before, *middle, *after)
        return parts[0] if len(parts) == 1 else AffineSequence(parts)


def resampled(images: Tensor, maps: Tensor, padding: int, mode: str) -> Tensor:
    """Images, (N, C, s, s), under maps from moved to given pixels, both counted from the middle, (N, 2, 3).

    Returns:
        (N, C, s + 2·padding, s + 2·padding); beyond the border lies what `mode` says.
    """
    size = images.shape[-1]
    moved_size = size + 2 * padding
    # affine_grid measures both images from -1 to 1, half a side being 1.
    maps = maps.to(images) * torch.tensor([moved_size / size, moved_size / size, 2 / size]).to(images)
    grid = F.affine_grid(maps, [*images.shape[:2], moved_size, moved_size], align_corners=False)
    ground = GREY if mode == "grey" else 0.0
    moved = F.grid_sample(images - ground if ground else images, grid, padding_mode=MODES[mode], align_corners=False)
    return moved + ground if ground else moved


def _joined(first: RandomAffine, later: RandomAffine) -> RandomAffine | None:
    """Both as one transform with the same distribution; `None` where it takes two."""
    turned = first.rotation > 0 or first.scale > 1
    twice = any(
        getattr(first, name) != neutral and getattr(later, name) != neutral
        for name, neutral in (("jitter", 0), ("scale", 1), ("rotation", 0))
    )
    if twice or (turned and later.jitter > 0):
        return None
    return replace(
        first,
        padding=first.padding + later.padding,
        jitter=first.jitter + later.jitter,
        scale=first.scale * later.scale,
        rotation=first.rotation + later.rotation,
        mode=_mode((first, later)),
    )


def _mode(parts: Sequence[RandomAffine]) -> str:
    return next((part.mode for part in parts if part.padding), parts[0].mode)
