"""Where the units of a circuit stand on a page that cannot move them: the target on top, a band for each layer.

1. Visible units are grouped by layer; a layer without any takes no room.
2. Within a band they are ordered by the mean place of the units that they feed, weighted by the magnitude of the
   attribution (barycentre rule of Sugiyama, Tagawa & Toda 1981), so that few edges cross.
3. A band of more than `ROW` units is broken into rows of nearly equal length, and every row is centred.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circuits.tracing.circuit import Circuit


ROW = 10


@dataclass(frozen=True)
class Place:
    """A unit's place: its column, where 0 is the middle, the row counted from the top, and its layer's band."""

    column: float
    row: int
    band: int


def place(circuit: "Circuit") -> dict[str, Place]:
    """Places of the visible units by id, band after band from the top, each from left to right."""
    height = {layer: index for index, layer in enumerate(circuit.layers)}
    bands: dict[str, list[str]] = {}
    for name in sorted(circuit.visible, key=lambda name: (-height[circuit.nodes[name].unit.layer], name)):
        bands.setdefault(circuit.nodes[name].unit.layer, []).append(name)
    weights: dict[str, list[tuple[str, float]]] = {name: [] for name in circuit.visible}
    for target in circuit.visible:
        for edge in circuit.edges_into(target):
            weights[edge.source].append((target, abs(edge.attribution)))
    places: dict[str, Place] = {}
    row = 0
    for band, members in enumerate(bands.values()):
        middle = {name: _barycentre(weights[name], places) for name in members}
        ordered = sorted(members, key=lambda name: (middle[name], name))
        rows = -(-len(ordered) // ROW)
        for index in range(rows):
            chunk = ordered[index::rows] if rows > 1 else ordered
            for column, name in enumerate(chunk):
                places[name] = Place(column - (len(chunk) - 1) / 2, row, band)
            row += 1
    return places


def _barycentre(feeds: list[tuple[str, float]], places: dict[str, Place]) -> float:
    known = [(places[name].column, weight) for name, weight in feeds if name in places]
    total = sum(weight for _, weight in known)
    if total == 0:
        return 0.0
    return round(sum(column * weight for column, weight in known) / total, 6)
