"""Units of a layer put together that have all of their links in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from circuits.attribution.links import Link


@dataclass(frozen=True)
class LinkedRows:
    """Units of a layer that the same links lead to.

    Args:
        upper: the layer.
        start: the first unit.
        stop: the one after the last.
        links: places of the links among all, and the rows of each that are these units.
    """

    upper: str
    start: int
    stop: int
    links: tuple[tuple[int, slice], ...]


def rows_of(links: Sequence[Link]) -> tuple[LinkedRows, ...]:
    """The units of every layer, so put together that the units of one entry have all of their links in common.

    Example:
        >>> one = Link("up", 0, 4, 3, 1, (), "conv", "a")
        >>> two = Link("up", 2, 2, 1, 2, (), "add", "b")
        >>> [(rows.start, rows.stop, [place for place, _ in rows.links]) for rows in rows_of([one, two])]
        [(0, 2, [0]), (2, 4, [0, 1])]
    """
    found = []
    for upper in dict.fromkeys(link.upper for link in links):
        own = [(place, link) for place, link in enumerate(links) if link.upper == upper]
        ends = sorted({end for _, link in own for end in (link.start, link.start + link.rows)})
        for start, stop in pairwise(ends):
            inside = tuple(
                (place, slice(start - link.start, stop - link.start))
                for place, link in own
                if link.start <= start and stop <= link.start + link.rows
            )
            found += [LinkedRows(upper, start, stop, inside)] if inside else []
    return tuple(found)
