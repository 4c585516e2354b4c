"""How sure a score over several photos is: bootstrap intervals over the photos.

The score over photos is a ratio of sums, F = Σ (alone − nothing) / Σ (whole − nothing), in which a photo with next to
no difference between whole and nothing has next to no weight. Photos are drawn again, as many, with replacement; the
score is taken of each draw; the middle 95 % of what comes out is the interval (percentile bootstrap: Efron 1979).

Scores against the size of a circuit, and the area under them.

The axis is the share of the units of the ablated layers that are kept, on a logarithmic scale: circuits have a few
units of thousands, and what happens among these would be a thin line at the left edge of a linear axis. The area is the
mean height of the curve along that axis between its ends, so that a flat curve at 0.6 has area 0.6.

    area = 1/(x_n − x_1) ∫ F dx     distance = 1/(x_n − x_1) ∫ |1 − F| dx     x = ln(units / all units of the layers)

by the trapezoid rule between the sizes that were traced. A circuit of arguments *for* a target, without those against,
can overshoot (F > 1), which the area rewards and the distance does not. Mueller et al. 2025 (MIB) integrate both in the
same way over the share of edges; areas over other ranges of sizes cannot be compared with each other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from circuits.evaluation.scores import LEAST

RESAMPLES = 1000
LEVEL = 95


@dataclass(frozen=True)
class Estimate:
    """A number over some photos.

    Args:
        value: over all of them; `None` where it is not defined.
        low: lower end of the interval; `None` with fewer than two photos, or if a draw of photos leaves it undefined
            or turns the sign of Σ (whole − nothing), past which the score jumps from one infinity to the other.
        high: upper end.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


Values = Float[np.ndarray, " photos"]


def draws(photos: int, seed: int, count: int = RESAMPLES) -> Int[np.ndarray, "draws photos"]:
    """Photos drawn again with replacement: each row is as many numbers of photos as there are photos.

    Example:
        >>> draws(3, seed=0, count=2).shape
        (2, 3)
    """
    return np.random.default_rng(seed).integers(0, photos, (count, photos))


def estimate(part: Values, whole: Values, nothing: Values, drawn: Int[np.ndarray, "draws photos"]) -> Estimate:
    """Σ part / Σ (whole − nothing) over photos, with its interval.

    Args:
        part: of each photo, such as m(alone) − m(nothing).
        whole: m(whole) of each photo.
        nothing: m(nothing) of each photo.
        drawn: photos drawn again, from `draws`.

    Example:
        >>> found = estimate(np.array([1.0, 3.0]), np.array([2.0, 5.0]), np.array([0.0, 1.0]), draws(2, seed=0))
        >>> round(found.value, 3), found.low, found.high
        (0.667, 0.5, 0.75)
    """
    [value], _ = _ratios(part, whole, nothing, np.arange(len(part))[None])
    if not np.isfinite(value):
        return Estimate(None)
    if len(part) < 2:
        return Estimate(float(value))
    found, bottoms = _ratios(part, whole, nothing, drawn)
    if not np.isfinite(found).all() or bottoms.min() < 0 < bottoms.max():
        return Estimate(float(value))
    low, high = np.percentile(found, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))


def _ratios(
    part: Values, whole: Values, nothing: Values, drawn: Int[np.ndarray, "draws photos"]
) -> tuple[Float[np.ndarray, " draws"], Float[np.ndarray, " draws"]]:
    """The ratio of sums of each draw, NaN where it is not defined, as in `scoring.ratio`; and its denominator."""
    top, bottom = whole[drawn].sum(1), nothing[drawn].sum(1)
    defined = np.abs(top - bottom) > LEAST * np.maximum(np.abs(top), np.abs(bottom))
    ratios = np.full(len(drawn), np.nan)
    ratios[defined] = part[drawn].sum(1)[defined] / (top - bottom)[defined]
    return ratios, top - bottom


LADDER = (1, 2, 3, 5, 8, 13, 20, 32, 50, 80, 130, 200)
"""Units below each unit, of the circuits along the curve."""

LARGEST = 20
"""Where the ladder ends, if nobody says."""


def rungs(largest: int) -> tuple[int, ...]:
    """The ladder up to a largest number of units below each unit, which is always its end; none for 0.

    Example:
        >>> rungs(5), rungs(6), rungs(0)
        ((1, 2, 3, 5), (1, 2, 3, 5, 6), ())
    """
    return (*(top for top in LADDER if top < largest), largest) if largest else ()


def area(sizes: Sequence[float], heights: Sequence[float | None]) -> float | None:
    """Mean height of a curve over the logarithm of its sizes; `None` if a height is missing or all sizes are the same.

    Args:
        sizes: in any order; of equal sizes the heights are averaged, and one of zero is left out.
        heights: one a size.

    Example:
        >>> round(area([0.01, 0.1, 1.0], [0.0, 1.0, 1.0]), 3)
        0.75
    """
    if any(height is None for height in heights):
        return None
    by_size: dict[float, list[float]] = {}
    for size, height in zip(sizes, heights, strict=True):
        if height is not None and size > 0:
            by_size.setdefault(size, []).append(height)
    points = [(math.log(size), sum(some) / len(some)) for size, some in sorted(by_size.items())]
    if len(points) < 2:
        return None
    under = sum((right - left) * (low + high) / 2 for (left, low), (right, high) in pairwise(points))
    return under / (points[-1][0] - points[0][0])


def distance(sizes: Sequence[float], heights: Sequence[float | None]) -> float | None:
    """Mean distance of a curve from 1 over the logarithm of its sizes; `None` as for `area`.

    Example:
        >>> round(distance([0.1, 1.0], [1.5, 0.5]), 3)
        0.5
    """
    return area(sizes, [None if height is None else abs(1 - height) for height in heights])
