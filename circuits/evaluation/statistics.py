"""Scores over photos, with bootstrap intervals, and over sizes of a circuit, with areas: the rows of a card.

The score over photos is a ratio of sums, F = Σ (alone − nothing) / Σ (whole − nothing), in which a photo with next to
no difference between whole and nothing has next to no weight. The interval is the middle 95 % of the scores of as many
photos drawn with replacement (percentile bootstrap: Efron 1979).

The curve is over the share of the units of the ablated layers that are kept, on a logarithmic axis, since circuits have
a few units of thousands. Its area is its mean height along that axis, by the trapezoid rule between traced sizes:

    area = 1/(x_n − x_1) ∫ F dx     distance = 1/(x_n − x_1) ∫ |1 − F| dx     x = ln(units / all units of the layers)

A circuit of positive attributions can overshoot (F > 1), which the area rewards and the distance does not. Mueller et
al. 2025 (MIB) integrate both over the share of edges; areas over other ranges of sizes cannot be compared.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from circuits.evaluation.controls import CIRCUIT, METHODS, EvaluationPlan
from circuits.evaluation.scores import LEAST, Score, mean_score
from circuits.evaluation.unit_sets import count
from circuits.network.network import Network

RESAMPLES = 1000
LEVEL = 95

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
    [value], _ = _ratios(part, whole, nothing, np.arange(len(part))[None])
    if not np.isfinite(value):
        return Estimate(None)
    if len(part) < 2:
        return Estimate(float(value))
    ratios, bottoms = _ratios(part, whole, nothing, drawn)
    if not np.isfinite(ratios).all() or bottoms.min() < 0 < bottoms.max():
        return Estimate(float(value))
    low, high = np.percentile(ratios, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))


def _ratios(
    part: _Values, whole: _Values, nothing: _Values, drawn: _Draws
) -> tuple[Float[np.ndarray, " draws"], Float[np.ndarray, " draws"]]:
    """The ratio of sums of each draw, NaN where it is not defined, as in `scores.ratio`; and its denominator."""
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

    >>> rungs(5), rungs(6), rungs(0)
    ((1, 2, 3, 5), (1, 2, 3, 5, 6), ())
    """
    return (*(top for top in LADDER if top < largest), largest) if largest else ()


def area(sizes: Sequence[float], heights: Sequence[float | None]) -> float | None:
    """Mean height of a curve over the logarithm of its sizes; `None` if a height is missing or all sizes are the same.

    Heights of equal sizes are averaged; a size of zero is left out.

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

    >>> round(distance([0.1, 1.0], [1.5, 0.5]), 3)
    0.5
    """
    return area(sizes, [None if height is None else abs(1 - height) for height in heights])


METRICS = ("value", "probability")


@dataclass(frozen=True)
class PhotoScores:
    """The scores of all sets of a plan in one photo.

    Args:
        photo: its number.
        baseline: name of what stood in the place of ablated units.
        metric: `value` or `probability`.
        scores: one a set, in the plan's order.
        edges: of the circuit's edges; `None` of a probability, which the edges of one class do not make.
    """

    photo: int
    baseline: str
    metric: str
    scores: tuple[Score, ...]
    edges: Score | None


@dataclass(frozen=True)
class _Scope:
    """What a number of a card is over.

    Args:
        over: `own` (the circuit's own photo) or `photos` (those given).
        baseline: `zero` or `mean`.
        metric: `value` (the target itself) or `probability` (of the class).
        method: `circuit` or the name of a control; of the curve `circuit`, `random` or `activation`.
    """

    over: str
    baseline: str
    metric: str
    method: str


@dataclass(frozen=True)
class ScoreRow(_Scope):
    """One method's scores over some photos, with one baseline.

    Args:
        faithfulness: what the units keep of the target alone; 1 is all of it.
        completeness: what the rest does without them; low is good.
        necessity: 1 − completeness.
        edges: faithfulness of the circuit's edges.
        spread: of random sets, the standard deviation of their faithfulness.
        advantage: of a control, by how much the circuit's faithfulness is above its own.
        advantage_necessity: of a control, by how much the circuit's necessity is above its own.
    """

    faithfulness: Estimate
    completeness: Estimate
    necessity: Estimate
    edges: Estimate | None = None
    spread: float | None = None
    advantage: Estimate | None = None
    advantage_necessity: Estimate | None = None


@dataclass(frozen=True)
class CurvePoint(_Scope):
    """One method's scores at one size of the curve.

    Args:
        top: units below each unit.
        units: units in all.
        share: of all units of these layers.
        faithfulness: as in a row.
        completeness: as in a row.
    """

    top: int
    units: int
    share: float
    faithfulness: float | None
    completeness: float | None


@dataclass(frozen=True)
class CurveArea(_Scope):
    """What a curve comes to; a number is `None` where a point of it is not defined, or there is but one.

    Args:
        faithfulness: area under the faithfulness.
        distance: area between the faithfulness and 1.
        completeness: area under the completeness.
    """

    faithfulness: float | None
    distance: float | None
    completeness: float | None


@dataclass(frozen=True, kw_only=True)
class ScoreTable:
    """The scores in every photo, put together over groups of photos, which `over` gives by their numbers."""

    plan: EvaluationPlan
    measured: Sequence[PhotoScores]
    over: Mapping[str, Sequence[int]]
    seed: int
    resamples: int

    def rows(self) -> tuple[ScoreRow, ...]:
        """The circuit and its controls, over each group of photos, with each baseline and metric."""
        return tuple(row for group in self._groups() for row in self._rows(*group))

    def points(self, network: Network, over: str) -> tuple[CurvePoint, ...]:
        """The curve over a group of photos."""
        tops = dict.fromkeys(each.top for each in self.plan.sets if each.top is not None)
        return tuple(
            self._point(network, group, method, top)
            for group in self._groups()
            if group[0] == over
            for top in tops
            for method in METHODS
            if self._sets(method, top)
        )

    def notes(self, rows: Sequence[ScoreRow]) -> list[str]:
        """Sentences about ratios that are not defined, or stand on their head, with the two values behind them."""
        notes = []
        for row in rows:
            if row.method != CIRCUIT:
                continue
            score = mean_score(self._scores(row.over, row.baseline, row.metric, [0]))
            what = "probability" if row.metric == "probability" else "target"
            where = "its own photo" if row.over == "own" else "the photos"
            if row.faithfulness.value is None:
                notes.append(
                    f"With {row.baseline} ablation no score of the {what} is defined over {where}: it is "
                    f"{score.whole:.4g} on the whole and {score.nothing:.4g} with all of these layers ablated, which "
                    "leaves nothing to keep."
                )
            elif row.metric == "value" and score.whole < score.nothing:
                notes.append(
                    f"With {row.baseline} ablation the target is higher over {where} when all of these layers are "
                    f"ablated ({score.nothing:.3g}) than on the whole ({score.whole:.3g}): a negative share means that "
                    "it rose."
                )
        return notes

    def _groups(self) -> Iterable[tuple[str, str, str]]:
        """Group of photos, baseline, metric."""
        pairs = dict.fromkeys((each.baseline, each.metric) for each in self.measured)
        return [(over, baseline, metric) for over in self.over for baseline, metric in pairs]

    def _sets(self, method: str, top: int | None) -> list[int]:
        """Numbers of the plan's sets of a method."""
        return [n for n, each in enumerate(self.plan.sets) if (each.method, each.top) == (method, top)]

    def _of(self, over: str, baseline: str, metric: str) -> list[PhotoScores]:
        photos, wanted = self.over[over], (baseline, metric)
        return [each for each in self.measured if each.photo in photos and (each.baseline, each.metric) == wanted]

    def _scores(self, over: str, baseline: str, metric: str, sets: Sequence[int]) -> list[Score]:
        """One score a photo; of several sets their mean."""
        return [mean_score([each.scores[n] for n in sets]) for each in self._of(over, baseline, metric)]

    def _point(self, network: Network, group: tuple[str, str, str], method: str, top: int) -> CurvePoint:
        sets = self._sets(method, top)
        units = self.plan.sets[sets[0]].units
        share = count(units) / sum(network.layer(layer).channels for layer in units)
        score = mean_score(self._scores(*group, sets))
        return CurvePoint(*group, method, top, count(units), share, score.faithfulness, score.completeness)

    def _rows(self, over: str, baseline: str, metric: str) -> Iterable[ScoreRow]:
        drawn = draws(len(self.over[over]), self.seed, self.resamples)
        circuit = _Columns(self._scores(over, baseline, metric, self._sets(CIRCUIT, None)))
        for method in METHODS:
            sets = self._sets(method, None)
            if not sets:
                continue
            own = _Columns(self._scores(over, baseline, metric, sets))
            scale = own.whole, own.nothing, drawn
            extra: dict[str, Any] = {}
            if method == CIRCUIT:
                edges = [each.edges for each in self._of(over, baseline, metric) if each.edges is not None]
                if edges:
                    along = _Columns(edges)
                    extra["edges"] = estimate(along.alone, along.whole, along.nothing, drawn)
            else:
                extra["advantage"] = estimate(circuit.alone - own.alone, *scale)
                extra["advantage_necessity"] = estimate(own.without - circuit.without, *scale)
            if len(sets) > 1:
                extra["spread"] = self._spread(over, baseline, metric, sets)
            yield ScoreRow(
                over, baseline, metric, method,
                faithfulness=estimate(own.alone, *scale),
                completeness=estimate(own.without, *scale),
                necessity=estimate(own.whole - own.nothing - own.without, *scale),
                **extra,
            )  # fmt: skip

    def _spread(self, over: str, baseline: str, metric: str, sets: Sequence[int]) -> float | None:
        """Standard deviation of the faithfulness of several sets, each taken over all photos."""
        each = [mean_score(self._scores(over, baseline, metric, [n])).faithfulness for n in sets]
        defined = [one for one in each if one is not None]
        return float(np.std(defined, ddof=1)) if len(defined) == len(each) else None


class _Columns:
    """Scores of some photos as columns; `alone` and `without` less m(nothing)."""

    def __init__(self, scores: Sequence[Score]) -> None:
        self.whole = np.array([each.whole for each in scores])
        self.nothing = np.array([each.nothing for each in scores])
        self.alone = np.array([each.alone for each in scores]) - self.nothing
        self.without = np.array([each.without or 0.0 for each in scores]) - self.nothing


def areas(points: Sequence[CurvePoint]) -> tuple[CurveArea, ...]:
    """What the curves come to, one for each baseline, metric and method."""
    curves: dict[tuple[str, str, str, str], list[CurvePoint]] = {}
    for point in points:
        curves.setdefault((point.over, point.baseline, point.metric, point.method), []).append(point)
    results = []
    for scope, along in curves.items():
        sizes = [point.share for point in along]
        heights = [point.faithfulness for point in along]
        below = area(sizes, [point.completeness for point in along])
        results.append(CurveArea(*scope, area(sizes, heights), distance(sizes, heights), below))
    return tuple(results)
