"""The curve of a card as a drawing: scores against the share of units, on a logarithmic axis."""

import html
import math
from collections.abc import Sequence

from markupsafe import Markup

from circuits.evaluation.statistics import CurvePoint
from circuits.report.text import METHOD_NAMES

WIDTH, HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 14, 14, 46
_TICKS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_LOWEST, _HIGHEST = -1.0, 2.5


def curve_svg(points: Sequence[CurvePoint], measure: str, title: str) -> str:
    """A line for each method.

    Args:
        points: of one baseline and metric.
        measure: `faithfulness` or `completeness`.
        title: what the drawing shows, for those who cannot see it.
    """
    drawn = [
        (point, getattr(point, measure)) for point in points if getattr(point, measure) is not None and point.units
    ]
    if not drawn:
        return ""
    low, high, step = _range([value for _, value in drawn])
    left, right = _sides([point.share for point, _ in drawn])
    parts = [
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">',
        *_rows(low, high, step),
        *_columns(left, right),
    ]
    methods = [method for method in METHOD_NAMES if any(point.method == method for point, _ in drawn)]
    for method in reversed(methods):
        line = [
            (_x(point.share, left, right), _y(value, low, high), point, value)
            for point, value in sorted(drawn, key=lambda each: each[0].share)
            if point.method == method
        ]
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in line)
        parts.append(f'<polyline class="line {method}" points="{places}"/>')
        for x, y, point, value in line:
            told = f"{METHOD_NAMES[method]}, {point.units} units: {value:.2f}"
            parts.append(_mark(method, x, y, _side(value), html.escape(told)))
    parts.append("</svg>")
    return Markup("".join(parts))


def beyond(points: Sequence[CurvePoint], measure: str) -> bool:
    """Whether a point lies outside of what is drawn, so that it is a triangle at the border.

    Args:
        points: as for `curve_svg`.
        measure: `faithfulness` or `completeness`.
    """
    values = [getattr(point, measure) for point in points if point.units]
    return any(value is not None and _side(value) for value in values)


def _side(value: float) -> int:
    """1 above what is drawn, −1 below, 0 within."""
    return (value > _HIGHEST) - (value < _LOWEST)


def _mark(method: str, x: float, y: float, side: int, told: str) -> str:
    """A dot, or at the border a triangle that points to where the value lies."""
    if not side:
        return f'<circle class="dot {method}" cx="{x:.1f}" cy="{y:.1f}" r="3.2"><title>{told}</title></circle>'
    corners = f"{x - 5:.1f},{y + 4 * side:.1f} {x + 5:.1f},{y + 4 * side:.1f} {x:.1f},{y - 5 * side:.1f}"
    return f'<polygon class="dot {method}" points="{corners}"><title>{told}</title></polygon>'


def _range(values: Sequence[float]) -> tuple[float, float, float]:
    """The vertical axis, from 0 to 1 at least, and its step; what lies far outside is drawn at its edge."""
    lowest, highest = max(_LOWEST, min(0.0, *values)), min(_HIGHEST, max(1.0, *values))
    step = 0.25 if highest - lowest <= 1.3 else 0.5
    return step * math.floor(lowest / step), step * math.ceil(highest / step), step


def _sides(shares: Sequence[float]) -> tuple[float, float]:
    left, right = math.log(min(shares)), math.log(max(shares))
    return (left, right) if right > left else (left - 1, right + 1)


def _x(share: float, left: float, right: float) -> float:
    along = (math.log(share) - left) / (right - left)
    return _LEFT + 10 + along * (WIDTH - _LEFT - _RIGHT - 20)


def _y(value: float, low: float, high: float) -> float:
    up = (min(max(value, low), high) - low) / (high - low)
    return HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM)


def _rows(low: float, high: float, step: float) -> list[str]:
    """Horizontal lines at every quarter, or half where there are many; those of 0 and 1 are stronger."""
    count = round((high - low) / step)
    parts = []
    for number in range(count + 1):
        value = low + number * step
        y = _y(value, low, high)
        kind = "axis" if value in (0.0, 1.0) else "grid"
        parts.append(f'<line class="{kind}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        text = f"{round(100 * value)} %".replace("-", "−")
        parts.append(f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    return parts


def _columns(left: float, right: float) -> list[str]:
    parts = []
    for share in _TICKS:
        if left <= math.log(share) <= right:
            x = _x(share, left, right)
            parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
            text = f"{100 * share:g} %"
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{HEIGHT - _BOTTOM + 17}" text-anchor="middle">{text}</text>'
            )
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    words = "share of the units of these layers that are kept"
    parts.append(f'<text class="tick" x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{words}</text>')
    return parts
