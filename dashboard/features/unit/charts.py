"""The bars of what a unit's value is made of. Colours come from the page's style sheet, so that themes apply."""

from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.report.text import many, number
from circuits.units import is_residual
from dashboard.answers import Breakdown

Component = Any


def contributions(breakdown: Breakdown) -> html.Table:
    """What a unit's value is made of: a bar for each part, the rest if there is one, the bias, and their sum.

    Bars go from zero, to the left where they are negative, and share one scale, which the longest fill.
    """
    parts = [
        (part.label, part.attribution, "other" if is_residual(part.name) else sign(part.attribution))
        for part in breakdown.parts
    ]
    rest = [(rest_label(breakdown), breakdown.rest, "other")] if breakdown.rest_count != 0 else []
    rows = [*parts, *rest, (breakdown.bias_name, breakdown.bias, "other"), ("value", breakdown.value, "whole")]
    return bars(rows)


def bars(rows: Sequence[tuple[Component, float, str]]) -> html.Table:
    """A bar for each row: what it is of, how long it is, and its kind, which gives it its colour."""
    low = min(0.0, *(value for _, value, _ in rows))
    span = (max(0.0, *(value for _, value, _ in rows)) - low) or 1.0
    return html.Table([html.Tbody([_row(*row, low, span) for row in rows])], className="bar-chart")


def rest_label(breakdown: Breakdown) -> str:
    """How the units that are not named are called, with their number where it is known."""
    if breakdown.rest_count is None:
        return "rest"
    kind = "unit" if breakdown.residual is None else "group"
    return f"rest ({many(breakdown.rest_count, kind)})"


def _row(label: Component, value: float, kind: str, low: float, span: float) -> html.Tr:
    start, wide = (min(value, 0.0) - low) / span, abs(value) / span
    bar: Any = html.I(className=kind, style={"left": f"{100 * start:.2f}%", "width": f"{100 * wide:.2f}%"})
    zero = html.B(style={"left": f"{-100 * low / span:.2f}%"})
    said = number(value, sign=kind != "whole")
    return html.Tr(
        [
            html.Th(html.Bdi(label), scope="row", title=label if isinstance(label, str) else ""),
            html.Td(html.Div([zero, bar])),
            html.Td(said, className="numbers"),
        ]
    )


def sign(value: float) -> str:
    """The kind of the bar of what a unit below adds."""
    return "excites" if value >= 0 else "inhibits"
