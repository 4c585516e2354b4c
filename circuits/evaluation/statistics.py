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

What was measured in every photo, put together over photos as the rows of a card.
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
class ScoreRow:
    """One method's scores over some photos, with one baseline.

    Args:
        over: `own` (the circuit's own photo) or `photos` (those given).
        baseline: `zero` or `mean`.
        metric: `value` (the target itself) or `probability` (of the class).
        method: `circuit` or the name of a control.
        faithfulness: what the units keep of the target alone; 1 is all of it.
        completeness: what the rest does without them; low is good.
        necessity: 1 − completeness.
        edges: faithfulness of the circuit's edges.
        spread: of random sets, the standard deviation of their faithfulness.
        advantage: of a control, by how much the circuit's faithfulness is above its own.
        advantage_necessity: of a control, by how much the circuit's necessity is above its own.
    """

    over: str
    baseline: str
    metric: str
    method: str
    faithfulness: Estimate
    completeness: Estimate
    necessity: Estimate
    edges: Estimate | None = None
    spread: float | None = None
    advantage: Estimate | None = None
    advantage_necessity: Estimate | None = None


@dataclass(frozen=True)
class CurvePoint:
    """One method's scores at one size of the curve.

    Args:
        over: `own` or `photos`.
        baseline: `zero` or `mean`.
        metric: `value` or `probability`.
        method: `circuit`, `random` or `activation`.
        top: units below each unit.
        units: units in all.
        share: of all units of these layers.
        faithfulness: as in a row.
        completeness: as in a row.
    """

    over: str
    baseline: str
    metric: str
    method: str
    top: int
    units: int
    share: float
    faithfulness: float | None
    completeness: float | None


@dataclass(frozen=True)
class CurveArea:
    """What a curve comes to.

    Args:
        over: `own` or `photos`.
        baseline: `zero` or `mean`.
        metric: `value` or `probability`.
        method: `circuit`, `random` or `activation`.
        faithfulness: area under the faithfulness; `None` where a point is not defined, or there is but one.
        distance: area between the faithfulness and 1.
        completeness: area under the completeness.
    """

    over: str
    baseline: str
    metric: str
    method: str
    faithfulness: float | None
    distance: float | None
    completeness: float | None


class Summary:
    """All that was measured, and what it comes to over some of the photos.

    Args:
        plan: what was scored.
        measured: in every photo.
        over: by the name of a group, the numbers of its photos.
        seed: of the intervals.
        resamples: draws of photos for each interval.
    """

    def __init__(
        self,
        plan: EvaluationPlan,
        measured: Sequence[PhotoScores],
        over: Mapping[str, Sequence[int]],
        *,
        seed: int,
        resamples: int,
    ) -> None:
        self._plan = plan
        self._measured = measured
        self._over = over
        self._drawn = {name: draws(len(photos), seed, resamples) for name, photos in over.items()}

    def rows(self) -> tuple[ScoreRow, ...]:
        """The circuit and its controls, over each group of photos, with each baseline and metric."""
        return tuple(row for group in self._groups() for row in self._rows(*group))

    def points(self, network: Network, over: str) -> tuple[CurvePoint, ...]:
        """The curve over a group of photos."""
        tops = dict.fromkeys(asked.top for asked in self._plan.sets if asked.top is not None)
        return tuple(
            self._point(network, group, method, top)
            for group in self._groups()
            if group[0] == over
            for top in tops
            for method in METHODS
            if self._places(method, top)
        )

    def _point(self, network: Network, group: tuple[str, str, str], method: str, top: int) -> CurvePoint:
        places = self._places(method, top)
        units = self._plan.sets[places[0]].units
        share = count(units) / sum(network.layer(layer).channels for layer in units)
        score = mean_score(self._scores(*group, places))
        return CurvePoint(*group, method, top, count(units), share, score.faithfulness, score.completeness)

    def _groups(self) -> Iterable[tuple[str, str, str]]:
        """Group of photos, baseline, metric."""
        pairs = dict.fromkeys((each.baseline, each.metric) for each in self._measured)
        return [(over, baseline, metric) for over in self._over for baseline, metric in pairs]

    def _places(self, method: str, top: int | None) -> list[int]:
        return [n for n, asked in enumerate(self._plan.sets) if (asked.method, asked.top) == (method, top)]

    def _of(self, over: str, baseline: str, metric: str) -> list[PhotoScores]:
        photos = self._over[over]
        asked = (baseline, metric)
        return [each for each in self._measured if each.photo in photos and (each.baseline, each.metric) == asked]

    def _scores(self, over: str, baseline: str, metric: str, places: Sequence[int]) -> list[Score]:
        """One score a photo; of several sets their mean."""
        return [mean_score([each.scores[n] for n in places]) for each in self._of(over, baseline, metric)]

    def _rows(self, over: str, baseline: str, metric: str) -> Iterable[ScoreRow]:
        drawn = self._drawn[over]
        circuit = _Columns(self._scores(over, baseline, metric, self._places(CIRCUIT, None)))
        for method in METHODS:
            places = self._places(method, None)
            if not places:
                continue
            own = _Columns(self._scores(over, baseline, metric, places))
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
            if len(places) > 1:
                extra["spread"] = self._spread(over, baseline, metric, places)
            yield ScoreRow(
                over, baseline, metric, method,
                faithfulness=estimate(own.alone, *scale),
                completeness=estimate(own.without, *scale),
                necessity=estimate(own.whole - own.nothing - own.without, *scale),
                **extra,
            )  # fmt: skip

    def _spread(self, over: str, baseline: str, metric: str, places: Sequence[int]) -> float | None:
        """Standard deviation of the faithfulness of several sets, each taken over all photos."""
        found = [mean_score(self._scores(over, baseline, metric, [n])).faithfulness for n in places]
        defined = [each for each in found if each is not None]
        return float(np.std(defined, ddof=1)) if len(defined) == len(found) else None


class _Columns:
    """Scores of some photos as columns; `alone` and `without` less m(nothing)."""

    def __init__(self, scores: Sequence[Score]) -> None:
        self.whole = _column(each.whole for each in scores)
        self.nothing = _column(each.nothing for each in scores)
        self.alone = _column(each.alone for each in scores) - self.nothing
        self.without = _column(0.0 if each.without is None else each.without for each in scores) - self.nothing


def _column(values: Iterable[float]) -> Float[np.ndarray, " photos"]:
    return np.array(list(values), dtype=np.float64)


def areas(points: Sequence[CurvePoint]) -> tuple[CurveArea, ...]:
    """What the curves come to, one for each baseline, metric and method."""
    curves: dict[tuple[str, str, str, str], list[CurvePoint]] = {}
    for point in points:
        curves.setdefault((point.over, point.baseline, point.metric, point.method), []).append(point)
    found = []
    for (over, baseline, metric, method), along in curves.items():
        sizes = [point.share for point in along]
        heights = [point.faithfulness for point in along]
        below = area(sizes, [point.completeness for point in along])
        found.append(CurveArea(over, baseline, metric, method, area(sizes, heights), distance(sizes, heights), below))
    return tuple(found)


def remarked(rows: Sequence[ScoreRow], measured: Sequence[PhotoScores], over: Mapping[str, Sequence[int]]) -> list[str]:
    """Sentences about ratios that are not defined, or stand on their head, with the two values behind them."""
    found = []
    for row in rows:
        if row.method != CIRCUIT:
            continue
        some = [
            each.scores[0]
            for each in measured
            if each.photo in over[row.over] and (each.baseline, each.metric) == (row.baseline, row.metric)
        ]
        score = mean_score(some)
        what = "probability" if row.metric == "probability" else "target"
        where = "its own photo" if row.over == "own" else "the photos"
        if row.faithfulness.value is None:
            found.append(
                f"With {row.baseline} ablation no score of the {what} is defined over {where}: it is {score.whole:.4g} "
                f"on the whole and {score.nothing:.4g} with all of these layers ablated, which leaves nothing to keep."
            )
        elif row.metric == "value" and score.whole < score.nothing:
            found.append(
                f"With {row.baseline} ablation the target is higher over {where} when all of these layers are ablated "
                f"({score.nothing:.3g}) than on the whole ({score.whole:.3g}): a negative share means that it rose."
            )
    return found
