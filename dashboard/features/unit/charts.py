"""Plotly figures as plain dictionaries. Text colours come from the page's style sheet, so that themes apply."""

import html
from typing import Any

from circuits.report.text import many, number
from circuits.units import is_residual
from dashboard.answers import Breakdown

EXCITES = "#0a746a"
INHIBITS = "#bd4310"
OTHER = "#8f98a8"
_BAR = 25
_ROOM = 0.24
"""Share of the width that a number beside the longest bar takes."""


def contributions(breakdown: Breakdown) -> dict[str, Any]:
    """What a unit's value is made of: a bar for each part, the rest, the bias, and their sum.

    Example:
        >>> from dashboard.answers import Breakdown, Part
        >>> parts = (Part("conv1:3", "conv1:3", 2.0),)
        >>> figure = contributions(Breakdown(parts, -0.5, 7, 0.25, "bias", 1.75, 0.8, 2.5, True, True))
        >>> figure["data"][0]["x"], [label for label in figure["data"][0]["y"]]
        ([2.0, -0.5, 0.25, 1.75], ['conv1:3', 'rest (7 units)', 'bias', 'value'])
    """
    rows = [
        (part.label, part.attribution, OTHER if is_residual(part.name) else _colour(part.attribution))
        for part in breakdown.parts
    ]
    rows.append((rest_label(breakdown), breakdown.rest, OTHER))
    rows.append((breakdown.bias_name, breakdown.bias, OTHER))
    rows.append(("value", breakdown.value, "#6678d8"))
    values = [value for _, value, _ in rows]
    low, high = min(0.0, *values), max(0.0, *values)
    span = (high - low) or 1.0
    room = _ROOM * span / (1 - _ROOM * (2 if low < 0 else 1))
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": values,
                "y": [_unique(label, place, rows) for place, (label, _, _) in enumerate(rows)],
                "text": [number(value, sign=place < len(rows) - 1) for place, value in enumerate(values)],
                "textposition": "outside",
                "cliponaxis": False,
                "hovertemplate": "%{y}: %{x:.5g}<extra></extra>",
                "marker": {"color": [colour for _, _, colour in rows]},
            }
        ],
        "layout": {
            "height": _BAR * len(rows) + 12,
            "margin": {"l": 8, "r": 8, "t": 4, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"size": 12, "family": "system-ui, sans-serif"},
            "bargap": 0.32,
            "showlegend": False,
            "dragmode": False,
            "xaxis": {
                "range": [low - (room if low < 0 else 0.0), high + room],
                "showgrid": False,
                "showticklabels": False,
                "zeroline": True,
                "zerolinewidth": 1,
                "zerolinecolor": OTHER,
                "fixedrange": True,
            },
            "yaxis": {"autorange": "reversed", "automargin": True, "fixedrange": True, "ticksuffix": "  "},
        },
    }


def rest_label(breakdown: Breakdown) -> str:
    """How the units that are not named are called, with their number where it is known."""
    if breakdown.rest_count is None:
        return "rest"
    kind = "unit" if breakdown.residual is None else "group"
    return f"rest ({many(breakdown.rest_count, kind)})"


def _colour(value: float) -> str:
    return EXCITES if value >= 0 else INHIBITS


def _unique(label: str, place: int, rows: list[tuple[str, float, str]]) -> str:
    """A label that plotly shows as it is; equal ones are kept apart, or their bars would be stacked."""
    short = label if len(label) <= 22 else f"{label[:21]}…"
    safe = html.escape(short, quote=False)
    twins = sum(1 for other, _, _ in rows[:place] if other == label)
    return safe + "\u200b" * twins
