"""Where the units of a circuit go on the page: one band a layer, the target on top.

1. Units are grouped by layer; layers without a visible unit take no room.
2. In a band, units are ordered by the barycentre of the units above that they feed, weighted by the
   magnitude of the attribution (Sugiyama, Tagawa and Toda 1981), so that few edges cross.
3. Bands are wrapped into lines of nearly equal length; the wrap, at most 12 units, is the one that shows the
   units largest in a window about as wide as it is high. A unit's neighbours in a band stay its neighbours:
   lines are filled column by column, and every second line is set off by half a step, so that edges pass
   between the units above.
4. Units that are locked go to their own places. Nothing else moves for that, but for units that one of them would
   cover: such a one goes to the nearest free place of its line, which may be the one that the locked unit left.

Lengths are in pixels at zoom 1; x = 0 is the middle, y = 0 the target's centre.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from circuits.tracing.circuit import Circuit

WRAPS = range(5, 13)
STEP = 122.0
LINE = 158.0
BAND = 206.0
_WINDOW = (1.0, 1.08)
# Nearer than this, across and down, two units cover each other.
CLEAR = (112.0, 142.0)

Place = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """A layer's band: its name and the height of its first and last line."""

    layer: str
    y: float
    bottom: float


@dataclass(frozen=True)
class Arrangement:
    """Centres of the units' pictures by node id, and the bands from the top down."""

    places: Mapping[str, Place]
    rows: tuple[Row, ...]


def arrange(circuit: Circuit, hidden: Collection[str] = ()) -> Arrangement:
    """Positions of the visible units of a circuit.

    Args:
        circuit: the circuit.
        hidden: ids of units that take no room.
    """
    bands: dict[str, list[str]] = {}
    for node in circuit.nodes.values():
        if node.id in circuit.visible and node.id not in hidden:
            bands.setdefault(node.unit.layer, []).append(node.id)
    above = _parents(circuit)
    wrap = best_wrap([len(names) for names in bands.values()])
    places: dict[str, Place] = {}
    rows: list[Row] = []
    y = 0.0
    for layer in reversed(circuit.layers):
        if layer not in bands:
            continue
        ordered = _ordered(bands[layer], above, places)
        height = len(lines(len(ordered), wrap))
        for index, name in enumerate(ordered):
            column, line = divmod(index, height)
            places[name] = (_across(column, line, height, len(ordered)), y + line * LINE)
        rows.append(Row(layer, y, y + (height - 1) * LINE))
        y += (height - 1) * LINE + BAND
    locked = {name: place for name in places if (place := circuit.nodes[name].place) is not None}
    return Arrangement(_around(places, locked), tuple(rows))


def covers(one: Place, other: Place) -> bool:
    """Whether units at two places would cover each other.

    Example:
        >>> covers((0, 0), (100, 100)), covers((0, 0), (122, 0)), covers((0, 0), (61, 158))
        (True, False, False)
    """
    return abs(one[0] - other[0]) < CLEAR[0] and abs(one[1] - other[1]) < CLEAR[1]


def _around(places: Mapping[str, Place], locked: Mapping[str, Place]) -> dict[str, Place]:
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


def _beside(place: Place) -> Iterator[Place]:
    """Places on the same line, the nearest first; without end."""
    x, y = place
    yield place
    steps = 0
    while True:
        steps += 1
        # By halves, because that is how far the lines of a band are set off.
        yield x + steps * STEP / 2, y
        yield x - steps * STEP / 2, y


def _across(column: int, line: int, height: int, count: int) -> float:
    """X of a place in a band of `height` lines; the band as a whole is centred."""
    columns = -(-count // height)
    shift = 0.0 if height == 1 else (0.25 if line % 2 else -0.25)
    return (column - (columns - 1) / 2 + shift) * STEP


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


def _parents(circuit: Circuit) -> dict[str, list[tuple[str, float, int]]]:
    above: dict[str, list[tuple[str, float, int]]] = {}
    for target in circuit.visible:
        for edge in circuit.edges_into(target):
            if edge.source in circuit.visible:
                above.setdefault(edge.source, []).append((target, abs(edge.attribution), edge.rank))
    return above


def _ordered(
    names: Sequence[str],
    above: Mapping[str, Sequence[tuple[str, float, int]]],
    places: Mapping[str, tuple[float, float]],
) -> list[str]:
    """Names by the barycentre of their parents; under one parent the strongest comes first."""

    def order(name: str) -> tuple[float, int, str]:
        parents = [parent for parent in above.get(name, ()) if parent[0] in places]
        if not parents:
            return (0.0, 0, name)
        weight = sum(attribution for _, attribution, _ in parents)
        if weight == 0.0:
            return (places[parents[0][0]][0], parents[0][2], name)
        centre = sum(places[parent][0] * attribution for parent, attribution, _ in parents) / weight
        return (round(centre, 3), min(rank for _, _, rank in parents), name)

    return sorted(names, key=order)
