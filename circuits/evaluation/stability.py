"""How often the edges and units of a circuit are found again when the photo is changed a little.

What the network saw of the photo is shifted, cropped, mirrored or made noisy, the circuit is searched anew with the
same target and settings, and its edges are looked for. An edge's *survival* is the share of changed photos in which it
is found again.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from circuits.errors import InputError
from circuits.evaluation.unit_sets import Sources

SHIFT = 0.06
"""Furthest shift, a share of the side."""
CROPS = (0.85, 0.97)
"""Sides of crops, shares of the side."""
NOISE = (0.02, 0.05)
"""Standard deviations of noise, on a scale of 0 to 1."""
_KINDS = ("shift", "crop", "noise")


@dataclass(frozen=True)
class Change:
    """A small change of a photo.

    Args:
        kind: `flip` (mirrored), `shift`, `crop` or `noise`.
        amounts: of a shift its way right and down, of a crop its left, top and side, all shares of the photo's side; of
            noise its standard deviation on a scale of 0 to 1.
        seed: of the noise.
    """

    kind: str
    amounts: tuple[float, ...] = ()
    seed: int | None = None

    def __call__(self, crop: Image.Image) -> Image.Image:
        """The changed photo, of the same size and mode. What a shift brings in is mirrored at the edge."""
        if self.kind == "flip":
            return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.kind == "crop":
            left, top, side = self.amounts
            width, height = crop.size
            box = (left * width, top * height, (left + side) * width, (top + side) * height)
            return crop.resize(crop.size, Image.Resampling.BILINEAR, box=box)
        pixels = np.asarray(crop)
        if self.kind == "shift":
            return Image.fromarray(_shifted(pixels, *self.amounts))
        noise = np.random.default_rng(self.seed).normal(0, 255 * self.amounts[0], pixels.shape)
        return Image.fromarray((pixels + noise).round().clip(0, 255).astype(np.uint8))

    def __str__(self) -> str:
        """What was done, in words.

        >>> str(Change("shift", (0.05, -0.02))), str(Change("noise", (0.03,), 1))
        ('shifted 5 % right and 2 % up', 'noise of 0.030')
        """
        if self.kind == "shift":
            right, down = self.amounts
            sides = ("right" if right >= 0 else "left", "down" if down >= 0 else "up")
            return f"shifted {abs(right):.0%} {sides[0]} and {abs(down):.0%} {sides[1]}".replace("%", " %")
        if self.kind == "crop":
            return f"cropped to {self.amounts[2]:.0%} of its side".replace("%", " %")
        return "mirrored" if self.kind == "flip" else f"noise of {self.amounts[0]:.3f}"


def _shifted(pixels: np.ndarray, right: float, down: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    rows, columns = round(down * height), round(right * width)
    pad = [(abs(rows),) * 2, (abs(columns),) * 2, *[(0, 0)] * (pixels.ndim - 2)]
    wide = np.pad(pixels, pad, mode="reflect")
    top, left = abs(rows) - rows, abs(columns) - columns
    return np.ascontiguousarray(wide[top : top + height, left : left + width])


def changes(count: int, seed: int) -> tuple[Change, ...]:
    """Small changes, the same for the same seed: first the mirror image, then shifts, crops and noise in turn.

    >>> [change.kind for change in changes(5, seed=0)]
    ['flip', 'shift', 'crop', 'noise', 'shift']
    """
    if count < 0:
        raise InputError(f"The number of changed photos is {count}; it must be 0 or more.")
    source = np.random.default_rng(seed)
    made = [Change("flip")]
    for number in range(count - 1):
        kind = _KINDS[number % len(_KINDS)]
        if kind == "shift":
            amounts = source.uniform(-SHIFT, SHIFT, 2).tolist()
        elif kind == "crop":
            side = float(source.uniform(*CROPS))
            amounts = [*source.uniform(0, 1 - side, 2).tolist(), side]
        else:
            amounts = [float(source.uniform(*NOISE))]
        drawn = int(source.integers(2**31)) if kind == "noise" else None
        # Rounded, so that the card holds exactly what was done; down, so that a crop stays within the photo.
        made.append(Change(kind, tuple(math.floor(amount * 1e4) / 1e4 for amount in amounts), drawn))
    return tuple(made[:count])


@dataclass(frozen=True)
class Stability:
    """The survival of a circuit's edges (source, target), and of its units but the target.

    Args:
        edges: the share of changed photos in which each edge is found again.
        units: the same of each unit.
        by_hand: edges that the search does not find in the unchanged photo either, because a person grew or discarded
            something; they are not judged.
    """

    edges: Mapping[tuple[str, str], float]
    units: Mapping[str, float]
    by_hand: tuple[tuple[str, str], ...] = ()

    @property
    def edge_mean(self) -> float | None:
        """Mean survival of the edges; `None` if there are none."""
        return float(np.mean(list(self.edges.values()))) if self.edges else None

    @property
    def unit_mean(self) -> float | None:
        """Mean survival of the units; `None` if there are none."""
        return float(np.mean(list(self.units.values()))) if self.units else None


def _edges(sources: Sources) -> list[tuple[str, str]]:
    """(source, target) of each edge."""
    return [(str(unit), name) for name, units in sources.items() for unit in units]


def survival(circuit: Sources, unchanged: Sources, changed: Sequence[Sources]) -> Stability:
    """How often a circuit's edges and units are among those found in the changed photos, if also in the unchanged one.

    >>> from circuits import Unit
    >>> low, high = Unit("conv1", 0), Unit("conv2", 0)
    >>> one = {"fc:0": [high], "conv2:0": [low]}
    >>> survival(one, one, [one, {"fc:0": [high]}]).edges
    {('conv2:0', 'fc:0'): 1.0, ('conv1:0', 'conv2:0'): 0.5}
    """
    again = [set(_edges(sources)) for sources in changed]
    searched = set(_edges(unchanged))
    judged = [edge for edge in _edges(circuit) if edge in searched]
    units = [{source for source, _ in edges} for edges in again]
    names = dict.fromkeys(source for source, _ in judged)
    return Stability(
        {edge: sum(edge in edges for edges in again) / len(again) for edge in judged},
        {name: sum(name in some for some in units) / len(units) for name in names},
        tuple(edge for edge in _edges(circuit) if edge not in searched),
    )
