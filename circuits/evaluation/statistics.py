"""Scores over photos and over sizes of a circuit, with areas: the rows of a card.

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

from circuits.evaluation.controls import CIRCUIT, METHODS, EvaluationPlan
from circuits.evaluation.estimates import Estimate, draws, estimate, is_steady, share_of
from circuits.evaluation.scores import Score, mean_score
from circuits.evaluation.unit_sets import count
from circuits.network.network import Network
from circuits.numbers import number

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
        values: what was measured, as means over the photos, in the target's own units; defined where shares are not.
    """

    faithfulness: Estimate
    completeness: Estimate
    necessity: Estimate
    edges: Estimate | None = None
    spread: float | None = None
    advantage: Estimate | None = None
    advantage_necessity: Estimate | None = None
    values: Score | None = None


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
            measured = self._scores(row.over, row.baseline, row.metric, [0])
            columns, score = _Columns(measured), mean_score(measured)
            what = "probability" if row.metric == "probability" else "target"
            where = "its own photo" if row.over == "own" else "the photos"
            if row.faithfulness.value is None and not is_steady(columns.whole, columns.nothing):
                change = columns.whole - columns.nothing
                notes.append(
                    f"With {row.baseline} ablation no share of the {what} is given over {where}: ablating all of these "
                    f"layers changes it by {number(change.mean())} on average, which is little beside the spread of "
                    "that "
                    f"change over the photos (standard deviation {number(change.std(ddof=1))})."
                )
            elif row.faithfulness.value is None:
                notes.append(
                    f"With {row.baseline} ablation no score of the {what} is defined over {where}: it is "
                    f"{number(score.whole)} in the whole network and {number(score.nothing)} with all of these layers "
                    "ablated, which "
                    "leaves nothing to keep."
                )
            elif row.metric == "value" and score.whole < score.nothing:
                notes.append(
                    f"With {row.baseline} ablation the target is higher over {where} when all of these layers are "
                    f"ablated ({number(score.nothing)}) than in the whole network ({number(score.whole)}): a negative "
                    "share means that "
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
        own = _Columns(self._scores(*group, sets))
        kept, left = (share_of(part, own.whole, own.nothing) for part in (own.alone, own.without))
        return CurvePoint(*group, method, top, count(units), share, kept, left)

    def _rows(self, over: str, baseline: str, metric: str) -> Iterable[ScoreRow]:
        drawn = draws(len(self.over[over]), self.seed, self.resamples)
        circuit = _Columns(self._scores(over, baseline, metric, self._sets(CIRCUIT, None)))
        for method in METHODS:
            sets = self._sets(method, None)
            if not sets:
                continue
            scores = self._scores(over, baseline, metric, sets)
            own = _Columns(scores)
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
                values=mean_score(scores),
                **extra,
            )  # fmt: skip

    def _spread(self, over: str, baseline: str, metric: str, sets: Sequence[int]) -> float | None:
        """Standard deviation of the faithfulness of several sets, each taken over all photos."""
        columns = [_Columns(self._scores(over, baseline, metric, [n])) for n in sets]
        each = [share_of(own.alone, own.whole, own.nothing) for own in columns]
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
