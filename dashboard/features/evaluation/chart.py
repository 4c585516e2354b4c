"""The curve of a score over the size of the circuit, as shares of its box that `score.js` draws."""

import json
import math
from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.evaluation.card import Card
from circuits.evaluation.statistics import CurvePoint
from circuits.report.text import METHOD_NAMES, share
from dashboard.features.target.view import attributes

Component = Any
_LOWEST, _HIGHEST = -0.5, 1.5
_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
LINES = ("random", "activation", "circuit")
"""What is drawn, the last on top."""


def curve(card: Card, baseline: str) -> list[Component] | None:
    """The curve with its legend and what it comes to; `None` if there is none."""
    facts = geometry(card, baseline)
    if facts is None:
        return None
    chart = html.Div(
        className="score-curve", role="img",
        **attributes(aria_label=in_words(card, baseline), data_curve=json.dumps(facts, separators=(",", ":"))),
    )  # fmt: skip
    shown = [line["method"] for line in facts["lines"]]
    legend = [html.Span([html.I(), METHOD_NAMES[method]], className=method) for method in reversed(shown)]
    own = html.Span([html.I(), "its size now"], className="size")
    return [
        html.Div([chart, html.Div([*legend, own], className="curve-legend small")], className="curve-box"),
        html.P(_areas(card, baseline, shown), className="small muted"),
    ]


def points_of(card: Card, baseline: str, method: str) -> list[CurvePoint]:
    """The points of a line that are defined, from the smallest circuit on."""
    found = [
        point for point in card.points
        if (point.baseline, point.metric, point.method) == (baseline, "value", method)
        and point.faithfulness is not None and point.share > 0
    ]  # fmt: skip
    return sorted(found, key=lambda point: point.share)


def geometry(card: Card, baseline: str) -> dict[str, Any] | None:
    """Lines, the circuit's own place and ticks, in shares of the box, from its lower left corner.

    Args:
        card: with a curve.
        baseline: what ablated units are set to.

    Returns:
        `None` if fewer than two sizes are known.
    """
    lines = {method: points_of(card, baseline, method) for method in LINES}
    if len(lines["circuit"]) < 2:
        return None
    everything = sum(card.widths.values())
    own, now = card.circuit["units"] / everything, card.row("circuit", baseline=baseline).faithfulness.value
    shares = [own, *(point.share for line in lines.values() for point in line)]
    heights = [now or 0.0, *(point.faithfulness or 0.0 for line in lines.values() for point in line)]
    left, right = math.log(min(shares)), math.log(max(shares))
    low, high = max(_LOWEST, min(0.0, *heights)), min(_HIGHEST, max(1.0, *heights))

    def across(part: float) -> float:
        return round((math.log(part) - left) / (right - left), 4)

    def up(height: float) -> float:
        return round((min(max(height, low), high) - low) / (high - low), 4)

    return {
        "lines": [
            {
                "method": method,
                "points": [
                    [across(point.share), up(point.faithfulness or 0.0), _told(point)] for point in line
                ],
            }
            for method, line in lines.items() if line
        ],
        "own": [across(own), up(now or 0.0), f"this circuit, {card.circuit['units']} units: {share(now)}"],
        "across": _spaced([(across(part), f"{100 * part:g} %") for part in _TICKS if left <= math.log(part) <= right]),
        "up": [(up(height), share(height)) for height in (-0.5, 0.0, 0.5, 1.0, 1.5) if low <= height <= high],
    }  # fmt: skip


def _told(point: CurvePoint) -> str:
    return f"{METHOD_NAMES[point.method]}, {point.units} units: {share(point.faithfulness)}"


def _spaced(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Ticks far enough from each other for their words."""
    kept: list[tuple[float, str]] = []
    for place, words in ticks:
        if not kept or place - kept[-1][0] >= 0.14:
            kept.append((place, words))
    return kept


def in_words(card: Card, baseline: str) -> str:
    """The curve for those who do not see it."""
    line = points_of(card, baseline, "circuit")
    said = ", ".join(f"{share(point.faithfulness)} with {point.units}" for point in line)
    return f"What circuits of more and more units keep alone, with {baseline} ablation: {said}."


def _areas(card: Card, baseline: str, methods: Sequence[str]) -> str:
    found = {
        area.method: area.faithfulness for area in card.areas if (area.baseline, area.metric) == (baseline, "value")
    }
    said = [f"{METHOD_NAMES[name]} {share(found[name])}" for name in reversed(methods) if found.get(name) is not None]
    words = f"What is kept alone, by the share of these layers' units. Mean height: {', '.join(said)}."
    return words.replace(" %", "\u00a0%")
