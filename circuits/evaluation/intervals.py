"""How sure a score over several photos is: bootstrap intervals over the photos.

The score over photos is a ratio of sums, F = Σ (alone − nothing) / Σ (whole − nothing), in which a photo with next to
no difference between whole and nothing has next to no weight. Photos are drawn again, as many, with replacement; the
score is taken of each draw; the middle 95 % of what comes out is the interval (percentile bootstrap: Efron 1979).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from circuits.evaluation.scoring import LEAST

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
