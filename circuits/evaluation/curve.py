"""Scores against the size of a circuit, and the area under them.

The axis is the share of the units of the ablated layers that are kept, on a logarithmic scale: circuits have a few
units of thousands, and what happens among these would be a thin line at the left edge of a linear axis. The area is the
mean height of the curve along that axis between its ends, so that a flat curve at 0.6 has area 0.6.

    area = 1/(x_n − x_1) ∫ F dx     distance = 1/(x_n − x_1) ∫ |1 − F| dx     x = ln(units / all units of the layers)

by the trapezoid rule between the sizes that were traced. A circuit of arguments *for* a target, without those against,
can overshoot (F > 1), which the area rewards and the distance does not. Mueller et al. 2025 (MIB) integrate both in the
same way over the share of edges; areas over other ranges of sizes cannot be compared with each other.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

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
