"""Where the units of a circuit go on the page: the layered layout of the reports in pixels, around locked units.

Bands are wrapped at the number of units, at most 12, that shows the units largest in a window about as wide as it is
high. Units that are locked go to their own places. Nothing else moves for that, but for units that one of them would
cover: such a one goes to the nearest free place of its line, which may be the one that the locked unit left.

Lengths are in pixels at zoom 1; x = 0 is the middle, y = 0 the target's centre.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from circuits.report.layout import bands, layered, line_heights
from circuits.tracing.circuit import Circuit

WRAPS = range(5, 13)
STEP = 122.0
LINE = 158.0
BAND = 206.0
_WINDOW = (1.0, 1.08)
# Nearer than this, across and down, two units cover each other.
CLEAR = (112.0, 142.0)

XY = tuple[float, float]


@dataclass(frozen=True)
class Band:
    """A layer's band: its name and the height of its first and last line."""

    layer: str
    y: float
    bottom: float


@dataclass(frozen=True)
class GraphLayout:
    """Centres of the units' pictures by node id, and the bands from the top down."""

    places: Mapping[str, XY]
    rows: tuple[Band, ...]


def layout(circuit: Circuit, hidden: Collection[str] = ()) -> GraphLayout:
    """Positions of the visible units of a circuit.

    Args:
        circuit: the circuit.
        hidden: ids of units that take no room.
    """
    members = bands(circuit, hidden)
    wrap = best_wrap([len(names) for names in members])
    slots = layered(circuit, hidden=hidden, wrap=wrap, staggered=True, ranked=True)
    heights = line_heights(slots, line=LINE, band=BAND)
    places = {name: (slot.column * STEP, heights[slot.line]) for name, slot in slots.items()}
    rows = []
    for names in members:
        across = [places[name][1] for name in names]
        rows.append(Band(circuit.nodes[names[0]].unit.layer, min(across), max(across)))
    locked = {name: place for name in places if (place := circuit.nodes[name].place) is not None}
    return GraphLayout(_around(places, locked), tuple(rows))


def covers(one: XY, other: XY) -> bool:
    """Whether units at two places would cover each other.

    Example:
        >>> covers((0, 0), (100, 100)), covers((0, 0), (122, 0)), covers((0, 0), (61, 158))
        (True, False, False)
    """
    return abs(one[0] - other[0]) < CLEAR[0] and abs(one[1] - other[1]) < CLEAR[1]


def _around(places: Mapping[str, XY], locked: Mapping[str, XY]) -> dict[str, XY]:
    """Places with the locked units in theirs and no other unit on top of one."""
    if not locked:
        return dict(places)
    taken = list(locked.values())
    found = {**places, **locked}
    covered = [n for n, place in places.items() if n not in locked and any(covers(place, each) for each in taken)]
    taken += [place for name, place in places.items() if name not in locked and name not in covered]
    for name in covered:
        found[name] = next(place for place in _beside(places[name]) if not any(covers(place, each) for each in taken))
        taken.append(found[name])
    return found


def _beside(place: XY) -> Iterator[XY]:
    """Places on the same line, the nearest first; without end."""
    x, y = place
    yield place
    steps = 0
    while True:
        steps += 1
        # By halves, because that is how far the lines of a band are set off.
        yield x + steps * STEP / 2, y
        yield x - steps * STEP / 2, y


def best_wrap(counts: Sequence[int]) -> int:
    """The number of units a line at which a picture of bands with these counts is largest in the window.

    Example:
        >>> lines(12, best_wrap([1, 5, 12])), lines(25, best_wrap([1, 12, 25, 60]))
        ([6, 6], [9, 8, 8])
    """

    def zoom(wrap: int) -> float:
        split = [lines(count, wrap) for count in counts]
        across = max((len(line) > 1) * 0.5 + line[0] for line in split)
        down = sum((len(line) - 1) * LINE for line in split) + len(split) * BAND
        return min(_WINDOW[0] / (across * STEP), _WINDOW[1] / down)

    return max(WRAPS, key=lambda wrap: (round(zoom(wrap), 9), wrap))


def lines(count: int, wrap: int) -> list[int]:
    """How many units go in each line when `count` are wrapped at `wrap`; the first lines are the longest.

    Example:
        >>> lines(12, 12), lines(13, 12), lines(0, 12)
        ([12], [7, 6], [])
    """
    if count == 0:
        return []
    number = -(-count // wrap)
    short, longer = divmod(count, number)
    return [short + 1] * longer + [short] * (number - longer)
