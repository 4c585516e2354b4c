"""Where the units and lines of a drawn circuit go: the page's layout, for files.

`dashboard/assets/graph/arrange.js` and `lines.js` do the same in the browser, where units also hold still while a
circuit grows. Lengths are in pixels at zoom 1; x = 0 is the middle, y = 0 the target's centre.

1. A band for each layer, wrapped so that the units are largest in a pane, but no smaller than is legible.
2. Units that a person locked stand where they were put; one that would be covered moves aside.
3. A line leaves the lower unit's picture upwards and arrives under the upper unit's words, beside other lines; past
   further lines of units it goes through the gaps between columns, so never through a picture or its words. Bands that
   it passes altogether, as where layers are skipped, it crosses in the gap that is nearest to its straight way.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from circuits.report.layout import bands, layered
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge

SIDE = 96
"""Of a picture."""
STEP = 122
"""From a column to the next."""
WORDS = 68
"""Height of the words under a picture."""
PANE = (634.0, 612.0)
"""Width and height into which a circuit is fitted, unless its wrap is given: the page's, in a window of 1440 × 900."""
_LINE_GAP, _BAND_GAP = 14, 52
_LEGIBLE, _LARGEST, _CLEARLY = 56 / SIDE, 1.1, 1.08
# Nearer than this, across and down, two units cover each other.
_CLEAR = (112, SIDE + WORDS - 20)
# Where lines arrive: so far from one another, over at most so much.
_APART, _OVER = 17.0, 88.0
# And as much of that in a gap of a band that they cross.
_SPREAD = 0.15

Point = tuple[float, float]


@dataclass(frozen=True)
class UnitPlace:
    """The centre of a unit's picture; `top` and `bottom` are the heights of its band's first and last line."""

    x: float
    y: float
    top: float
    bottom: float
    locked: bool = False

    def covers(self, other: "UnitPlace") -> bool:
        """Whether two units cover each other."""
        return abs(self.x - other.x) < _CLEAR[0] and abs(self.y - other.y) < _CLEAR[1]


def fitting(counts: Sequence[int], pane: tuple[float, float] = PANE) -> int:
    """The most units in a line with which bands of so many units are largest in a pane (width, height).

    Example:
        >>> fitting([1, 5, 15]), fitting([1, 5]), fitting([1, 400])
        (14, 5, 8)
    """
    best, largest = 1, 0.0
    for wrap in range(max(1, *counts), 0, -1):
        lines = [-(-count // wrap) for count in counts]
        wide = max(-(-count // line) for count, line in zip(counts, lines, strict=True)) * STEP
        more, between = SIDE + WORDS + _LINE_GAP, SIDE + WORDS + _BAND_GAP
        tall = sum(line - 1 for line in lines) * more + (len(counts) - 1) * between + SIDE + WORDS
        zoom = min(pane[0] / wide, pane[1] / tall, _LARGEST)
        # Wider rows, which leave less room unused, unless others are clearly larger.
        if zoom > largest * _CLEARLY:
            best, largest = wrap, zoom
    return best if largest >= _LEGIBLE else max(1, int(pane[0] / (_LEGIBLE * STEP)))


def arranged(circuit: Circuit, *, wrap: int | None = None, words: int = WORDS) -> dict[str, UnitPlace]:
    """Places of the visible units by id, line after line, each from the left.

    Args:
        circuit: what is drawn.
        wrap: the most units in a line; as fits `PANE`, if `None`.
        words: height of the words under a picture.
    """
    wrap = wrap or fitting([len(names) for names in bands(circuit)])
    slots = layered(circuit, wrap=wrap, ranked=True)
    tops: dict[int, float] = {}
    lines: dict[int, float] = {}
    y, before = 0.0, None
    for slot in sorted(slots.values(), key=lambda slot: slot.line):
        if slot.line not in lines:
            if before is not None:
                y += SIDE + words + (_LINE_GAP if slot.band == before else _BAND_GAP)
            lines[slot.line] = y
            before = slot.band
        tops.setdefault(slot.band, lines[slot.line])
    bottoms = {slot.band: lines[slot.line] for slot in sorted(slots.values(), key=lambda slot: slot.line)}
    places = {
        name: UnitPlace(slot.column * STEP, lines[slot.line], tops[slot.band], bottoms[slot.band])
        for name, slot in slots.items()
    }
    locked = {name: place for name in places if (place := circuit.nodes[name].place) is not None}
    places |= {name: replace(places[name], x=x, y=y, locked=True) for name, (x, y) in locked.items()}
    return dict(sorted(_aside(places).items(), key=lambda each: (each[1].y, each[1].x)))


def _aside(places: Mapping[str, UnitPlace]) -> dict[str, UnitPlace]:
    """Units that a locked one covers go to the nearest free place of their line."""
    locked = [place for place in places.values() if place.locked]
    covered = [
        name for name, place in places.items() if not place.locked and any(place.covers(each) for each in locked)
    ]
    found = dict(places)
    taken = [place for name, place in places.items() if name not in covered]
    for name in covered:
        start, step, place = places[name].x, 0, places[name]
        while any(place.covers(each) for each in taken):
            step += 1
            # By halves to the right and to the left, in turn.
            place = replace(place, x=start + (-(-step // 2)) * (1 if step % 2 else -1) * STEP / 2)
        found[name] = place
        taken.append(place)
    return found


@dataclass(frozen=True)
class Band:
    """The heights of a band's first and last line, and the columns that units stand in."""

    top: float
    bottom: float
    columns: tuple[float, ...]

    def gap(self, wanted: float) -> float:
        """The nearest place, across, where a line crosses it between two columns or beside them all.

        Example:
            >>> band = Band(216.0, 216.0, (-61.0, 61.0))
            >>> band.gap(20.0), band.gap(-70.0), band.gap(300.0)
            (0.0, -122.0, 300.0)
        """
        places = [wanted, *(column + side * STEP / 2 for column in self.columns for side in (-1, 1))]
        free = [x for x in places if all(abs(x - column) >= STEP / 2 for column in self.columns)]
        return min(free, key=lambda x: (abs(x - wanted), x))


def bands_between(places: Mapping[str, UnitPlace]) -> list[Band]:
    """The bands that units stand in where nobody has moved them, from the top."""
    found: dict[tuple[float, float], set[float]] = {}
    for place in places.values():
        if not place.locked:
            found.setdefault((place.top, place.bottom), set()).add(place.x)
    return [Band(top, bottom, tuple(sorted(columns))) for (top, bottom), columns in sorted(found.items())]


def ports(edges: Collection[Edge], places: Mapping[str, UnitPlace]) -> dict[Edge, float]:
    """How far from the middle of the upper unit each of its lines arrives, in the order of the lower units."""
    ordered = sorted(edges, key=lambda edge: places[edge.source].x)
    room = min(_APART, _OVER / max(1, len(ordered)))
    return {edge: (index - (len(ordered) - 1) / 2) * room for index, edge in enumerate(ordered)}


def route(
    upper: UnitPlace, lower: UnitPlace, port: float, under: int, words: int = WORDS, *, bands: Sequence[Band] = ()
) -> list[Point]:
    """The stops of a line from the upper unit's words to the lower unit's picture.

    Args:
        upper: of the upper unit.
        lower: of the lower one.
        port: from the middle of the upper one.
        under: height of the upper unit's own words.
        words: height of the words under a picture.
        bands: all that there are; the line crosses those between the two units.
    """
    half = SIDE / 2
    stops = [(upper.x + port, upper.y + half + under)]
    if not upper.locked and upper.y < upper.bottom:
        stops += _gap(upper.x, lower.x, upper.y + half + words + 8, upper.bottom + half + words)
    end = lower.y - half - 3
    x, y = stops[-1]
    for band in (each for each in bands if upper.bottom < each.top and each.bottom < lower.top):
        part = ((band.top + band.bottom) / 2 - y) / (end - y)
        across = band.gap(x + part * (lower.x - x)) + _SPREAD * port
        stops += [(across, band.top - half), (across, band.bottom + half + words)]
    if not lower.locked and lower.y > lower.top:
        stops += _gap(lower.x, stops[-1][0], lower.top - half, end - 5)
    return [*stops, (lower.x, end)]


def _gap(beside: float, other: float, start: float, end: float) -> list[Point]:
    """Down a gap beside a column, on the side of another one."""
    x = beside + (-STEP if other < beside else STEP) / 2
    return [(x, start), (x, end)]


def curve(stops: Sequence[Point]) -> str:
    """The path through some stops as SVG, from the last up to the first: curves that leave and arrive upright.

    Example:
        >>> curve([(0.0, 0.0), (10.0, 80.0)])
        'M10 80C10 40 0 40 0 0'
    """
    bends = [(below[1] - above[1]) / 2 for above, below in pairwise(stops)]
    if len(bends) == 1:
        bends = [max(28.0, bends[0])]
    (x, y) = stops[-1]
    path = f"M{x:g} {y:g}"
    for (to_x, to_y), bend in zip(stops[-2::-1], bends[::-1], strict=True):
        path += f"C{x:g} {y - bend:g} {to_x:g} {to_y + bend:g} {to_x:g} {to_y:g}"
        x, y = to_x, to_y
    return path
