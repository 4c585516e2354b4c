"""The curve of a score as SVG: scores against the share of units, on a logarithmic axis.

One writer draws it on the card's page and, in another frame, in the explorer.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from circuits.evaluation.statistics import CurvePoint
from circuits.report.card_words import METHOD_NAMES
from circuits.report.jinja import fill

_TICKS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Frame:
    """What a drawing has room for.

    Args:
        size: width and height, in pixels of the drawing.
        margins: left, right, top and bottom of the axes.
        inset: from the axes to the first and last point.
        limits: lowest and highest value; what lies beyond is a triangle at the border.
        steps: between lines across, while the values span 1.3 at most, and beyond that.
        between: least distance between the words below two lines up.
        write: a point's value in words.
        words: below the axis.
    """

    size: tuple[int, int] = (560, 300)
    margins: tuple[int, int, int, int] = (66, 14, 14, 46)
    inset: int = 10
    limits: tuple[float, float] = (-1.0, 2.5)
    steps: tuple[float, float] = (0.25, 0.5)
    between: float = 0.0
    write: Callable[[float], str] = "{:.2f}".format
    words: str = "share of the units of these layers that are kept"


_CARD = Frame()


def curve_svg(
    points: Sequence[CurvePoint],
    measure: str,
    title: str,
    *,
    frame: Frame = _CARD,
    own: tuple[float, float, str] | None = None,
) -> Markup:
    """A line for each method; nothing where no point is defined.

    Args:
        points: of one baseline and metric.
        measure: `faithfulness` or `completeness`.
        title: what the drawing shows, for those who cannot see it.
        frame: what there is room for.
        own: share of units, value and words of the circuit itself, which is marked.
    """
    drawn = sorted(_defined(points, measure), key=lambda each: each[0].share)
    if not drawn:
        return Markup()
    marked = [own[:2]] if own is not None else []
    shares = [math.log(share) for share in [*(point.share for point, _ in drawn), *(share for share, _ in marked)]]
    start, end = (min(shares), max(shares)) if max(shares) > min(shares) else (shares[0] - 1, shares[0] + 1)
    low, high, step = _range([*(value for _, value in drawn), *(value for _, value in marked)], frame)
    (wide, tall), (left, right, top, bottom) = frame.size, frame.margins

    def x(share: float) -> float:
        return left + frame.inset + (math.log(share) - start) / (end - start) * (wide - left - right - 2 * frame.inset)

    def y(value: float) -> float:
        return tall - bottom - (min(max(value, low), high) - low) / (high - low) * (tall - top - bottom)

    def line(method: str) -> list[dict[str, Any]]:
        return [
            {
                "x": x(point.share),
                "y": y(value),
                "side": _side(value, frame),
                "words": f"{METHOD_NAMES[method]}, {point.units} units: {frame.write(value)}",
            }
            for point, value in drawn
            if point.method == method
        ]

    columns: list[tuple[float, float]] = []
    for share in _TICKS:
        if start <= math.log(share) <= end and (not columns or x(share) - columns[-1][0] >= frame.between):
            columns.append((x(share), share))
    return fill(
        "curve.svg.j2",
        frame=frame,
        title=title,
        left=left,
        right=wide - right,
        top=top,
        bottom=tall - bottom,
        rows=[(y(low + number * step), low + number * step) for number in range(round((high - low) / step) + 1)],
        columns=columns,
        lines={method: found for method in reversed(list(METHOD_NAMES)) if (found := line(method))},
        own=None if own is None else {"x": x(own[0]), "y": y(own[1]), "words": own[2]},
    )


def beyond(points: Sequence[CurvePoint], measure: str, frame: Frame = _CARD) -> bool:
    """Whether a point lies outside of what is drawn, so that it is a triangle at the border.

    Args:
        points: as for `curve_svg`.
        measure: `faithfulness` or `completeness`.
        frame: that they are drawn in.
    """
    return any(_side(value, frame) for _, value in _defined(points, measure))


def _defined(points: Sequence[CurvePoint], measure: str) -> list[tuple[CurvePoint, float]]:
    values = [(point, getattr(point, measure)) for point in points if point.units]
    return [(point, value) for point, value in values if value is not None]


def _side(value: float, frame: Frame) -> int:
    """1 above what is drawn, −1 below, 0 within."""
    return (value > frame.limits[1]) - (value < frame.limits[0])


def _range(values: Sequence[float], frame: Frame) -> tuple[float, float, float]:
    """The vertical axis, from 0 to 1 at least and within the limits, in whole steps, and its step."""
    lowest, highest = max(frame.limits[0], min(0.0, *values)), min(frame.limits[1], max(1.0, *values))
    step = frame.steps[0] if highest - lowest <= 1.3 else frame.steps[1]
    return step * math.floor(lowest / step), step * math.ceil(highest / step), step
