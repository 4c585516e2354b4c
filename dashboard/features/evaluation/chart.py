"""The curve of a score over the size of the circuit, as the reports draw it, with the circuit's own size marked."""

from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.evaluation.card import Card
from circuits.evaluation.statistics import CurvePoint
from circuits.report.card_words import METHOD_NAMES
from circuits.report.curve import Frame, beyond, curve_svg
from circuits.report.text import share
from dashboard.components import attributes, unbroken

Component = Any
LINES = ("circuit", "activation", "random")
"""What is drawn, the first on top."""
_FRAME = Frame(
    size=(320, 150),
    margins=(46, 12, 8, 22),
    inset=4,
    limits=(-0.5, 1.5),
    steps=(0.5, 0.5),
    between=37.0,
    write=share,
    words="",
)


def curve(card: Card, baseline: str) -> list[Component] | None:
    """The curve with its legend and what it comes to; `None` where fewer than two sizes are known."""
    lines = {method: points_of(card, baseline, method) for method in LINES}
    if len(lines["circuit"]) < 2:
        return None
    units, now = card.circuit["units"], card.row("circuit", baseline=baseline).faithfulness.value
    words = in_words(card, baseline)
    svg = curve_svg(
        [point for line in lines.values() for point in line],
        "faithfulness",
        words,
        frame=_FRAME,
        own=(units / sum(card.widths.values()), now or 0.0, f"this circuit, {units} units: {share(now)}"),
    )
    # `score.js` puts the drawing into its box: Dash itself makes no SVG.
    box = html.Div(className="score-curve", role="img", **attributes(aria_label=words, data_curve=str(svg)))
    shown = [method for method in LINES if lines[method]]
    legend = [html.Span([html.I(), METHOD_NAMES[method]], className=method) for method in shown]
    own = html.Span([html.I(), "current size"], className="size")
    return [
        html.Div([box, html.Div([*legend, own], className="curve-legend small")], className="curve-box"),
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


def in_words(card: Card, baseline: str) -> str:
    """The curve for those who do not see it."""
    line = points_of(card, baseline, "circuit")
    said = ", ".join(f"{share(point.faithfulness)} with {point.units}" for point in line)
    return f"What circuits of more and more units keep alone, with {baseline} ablation: {said}."


def _areas(card: Card, baseline: str, methods: Sequence[str]) -> str:
    areas = {
        each.method: each.faithfulness for each in card.areas if (each.baseline, each.metric) == (baseline, "value")
    }
    means = [f"{METHOD_NAMES[name]} {share(areas[name])}" for name in methods if areas.get(name) is not None]
    words = (
        "Across: the share of the units of these layers that are kept, on a logarithmic scale. Up: how much of the "
        "target they keep alone; 0 % is as little as with all of these units ablated, 100 % as much as in the whole "
        "network"
    )
    shown = [point for name in methods for point in points_of(card, baseline, name)]
    words += "; below 0 % it is even less." if any((point.faithfulness or 0.0) < 0 for point in shown) else "."
    if beyond(shown, "faithfulness", _FRAME):
        words += " Triangles lie beyond the drawing."
    return unbroken(f"{words} Area under the curve: {', '.join(means)}.")
