"""Scores over photos, with bootstrap intervals, and where no share is defined.

The score over photos is a ratio of sums, F = Σ (alone − nothing) / Σ (whole − nothing), in which a photo with next to
no difference between whole and nothing has next to no weight. The interval is the middle 95 % of the scores of as many
photos drawn with replacement (percentile bootstrap: Efron 1979).

The ratio is not defined where its denominator says nothing: where m(whole) and m(nothing) are nearly the same, and
where the change d = m(whole) − m(nothing) is small beside its own spread over the photos, |mean d| < ½ · std d. That is
so where ablation raises the target in some photos and lowers it in others, as it does in photos of all kinds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from circuits.evaluation.scores import LEAST

RESAMPLES = 1000
LEVEL = 95

STEADY = 0.5
"""A share needs a mean change of the target of at least this many of the change's standard deviations over photos."""

_Values = Float[np.ndarray, " photos"]
_Draws = Int[np.ndarray, "draws photos"]


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


def draws(photos: int, seed: int, count: int = RESAMPLES) -> _Draws:
    """Numbers of photos drawn with replacement, as many in each row as there are photos."""
    return np.random.default_rng(seed).integers(0, photos, (count, photos))


def estimate(part: _Values, whole: _Values, nothing: _Values, drawn: _Draws) -> Estimate:
    """Σ part / Σ (whole − nothing) over photos, such as with m(alone) − m(nothing) for the part, and its interval.

    >>> score = estimate(np.array([1.0, 3.0]), np.array([2.0, 5.0]), np.array([0.0, 1.0]), draws(2, seed=0))
    >>> round(score.value, 3), score.low, score.high
    (0.667, 0.5, 0.75)
    """
    value = share_of(part, whole, nothing)
    if value is None or len(part) < 2:
        return Estimate(value)
    ratios, bottoms = _ratios(part, whole, nothing, drawn)
    if not np.isfinite(ratios).all() or bottoms.min() < 0 < bottoms.max():
        return Estimate(value)
    low, high = np.percentile(ratios, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def share_of(part: _Values, whole: _Values, nothing: _Values) -> float | None:
    """Σ part / Σ (whole − nothing) over photos; `None` where that is not defined.

    >>> share_of(np.array([1.0, 3.0]), np.array([2.0, 5.0]), np.array([0.0, 1.0]))
    0.6666666666666666
    >>> share_of(np.array([1.0, 3.0]), np.array([2.0, 5.0]), np.array([0.0, 6.5])) is None
    True
    """
    [value], _ = _ratios(part, whole, nothing, np.arange(len(part))[None])
    return float(value) if np.isfinite(value) and is_steady(whole, nothing) else None


def is_steady(whole: _Values, nothing: _Values) -> bool:
    """Whether m(whole) − m(nothing) is not small beside its spread over photos; always, in one photo.

    >>> is_steady(np.array([3.0, 5.0]), np.array([0.0, 0.0])), is_steady(np.array([3.0, -2.0]), np.array([0.0, 0.0]))
    (True, False)
    """
    change = whole - nothing
    return len(change) < 2 or bool(abs(change.mean()) >= STEADY * change.std(ddof=1))


def _ratios(
    part: _Values, whole: _Values, nothing: _Values, drawn: _Draws
) -> tuple[Float[np.ndarray, " draws"], Float[np.ndarray, " draws"]]:
    """The ratio of sums of each draw, NaN where it is not defined, as in `scores.ratio`; and its denominator."""
    top, bottom = whole[drawn].sum(1), nothing[drawn].sum(1)
    defined = np.abs(top - bottom) > LEAST * np.maximum(np.abs(top), np.abs(bottom))
    ratios = np.full(len(drawn), np.nan)
    ratios[defined] = part[drawn].sum(1)[defined] / (top - bottom)[defined]
    return ratios, top - bottom
