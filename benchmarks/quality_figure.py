"""The figure of `bench_quality`: what circuits keep against their size, a panel for each network and measure, as SVG.

Its greys and colours are read on a light page as on a dark one, so that it needs no background.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality_results import Curves, Row, curves

STYLES = {
    "sum": ("#2f81d6", ""),
    "target": ("#2f81d6", "6 3"),
    "target Σ": ("#12977a", ""),
    "captum G×A": ("#d9822b", ""),
    "captum IG": ("#d9822b", "6 3"),
    "activation": ("#b0559f", ""),
    "weights": ("#8a8f98", "6 3"),
    "shuffled": ("#8a8f98", "2 3"),
    "random": ("#8a8f98", ""),
}
INK = "#7d8590"
WIDTH, HEIGHT = 360, 220
LEFT, TOP, RIGHT, BOTTOM = 44, 30, 26, 40
PANELS = (("faithfulness", "zero"), ("faithfulness", "mean"), ("completeness", "zero"))
"""Of each network, from the top down: what is drawn, and how units are ablated."""


def draw(rows: Mapping[str, Sequence[Row]], tops: Sequence[int]) -> str:
    """The figure.

    Args:
        rows: photos, by network.
        tops: the sizes.
    """
    panels = []
    for across, (network, photos) in enumerate(rows.items()):
        for down, (what, baseline) in enumerate(PANELS):
            found = curves(photos, baseline, tops)
            rows_of = found.faithfulness if what == "faithfulness" else found.completeness
            panel = _panel(f"{network}: {what}, {baseline} ablation", found, rows_of)
            panels.append(f'<g transform="translate({across * WIDTH},{down * HEIGHT})">{panel}</g>')
    width, height = WIDTH * len(rows), len(PANELS) * HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + 50}" width="{width}" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="{INK}">\n'
        + "\n".join(panels)
        + f'\n<g transform="translate({LEFT},{height + 14})">{_legend(width - LEFT)}</g>\n</svg>\n'
    )


def _panel(title: str, found: Curves, rows: Mapping[str, NDArray[np.float64]]) -> str:
    means = {method: rows[method].mean(0) for method in STYLES if method in rows}
    shares = found.shares.mean(0)
    ends = math.log(shares[0]), math.log(shares[-1])
    low, high = _ends([*means.values()])

    def x(share: float) -> float:
        return LEFT + (math.log(share) - ends[0]) / (ends[1] - ends[0]) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<text x="{LEFT}" y="18" font-weight="600" font-size="12">{escape(title)}</text>']
    for value in _ticks(low, high):
        line = f'x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"'
        parts.append(f'<line {line} stroke="{INK}" stroke-opacity="{0.9 if value == 1 else 0.25}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    for share, top in zip(shares, found.tops, strict=True):
        below = HEIGHT - BOTTOM + 14
        parts.append(f'<text x="{x(share):.1f}" y="{below}" text-anchor="middle">{100 * share:.2g} %</text>')
        parts.append(f'<text x="{x(share):.1f}" y="{below + 13}" text-anchor="middle">top {top}</text>')
    for method, heights in reversed(means.items()):
        points = " ".join(f"{x(share):.1f},{y(height):.1f}" for share, height in zip(shares, heights, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke-width="1.8" {_stroke(method)}/>')
    return "\n".join(parts)


def _legend(width: int) -> str:
    parts, columns = [], 5
    for number, method in enumerate(STYLES):
        x, y = number % columns * width // columns, number // columns * 18
        parts.append(f'<line x1="{x}" x2="{x + 24}" y1="{y}" y2="{y}" stroke-width="1.8" {_stroke(method)}/>')
        parts.append(f'<text x="{x + 30}" y="{y + 4}">{escape(method)}</text>')
    return "".join(parts)


def _stroke(method: str) -> str:
    colour, dashes = STYLES[method]
    return f'stroke="{colour}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")


def _ends(heights: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """What an axis has to hold: zero and every height; and one, if a curve comes near."""
    highest = max(float(some.max()) for some in heights)
    return min(0.0, *(float(some.min()) for some in heights)), max(1.0, highest) if highest > 0.5 else highest


def _ticks(low: float, high: float) -> list[float]:
    step = next((step for step in (0.1, 0.25, 0.5) if high - low < 6 * step), 1.0)
    return [round(number * step, 2) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
