"""Layered layout of a circuit: the target on top, a band for each layer.

1. Visible units are grouped by layer; a layer without any takes no room.
2. Within a band they are ordered by the barycentre of the units above that they feed, weighted by the magnitude of the
   attribution (Sugiyama, Tagawa & Toda 1981), so that few edges cross; what is in no group comes last.
3. A band of more than `wrap` units is broken into lines of nearly equal length. Lines are filled column by column, so
   that a unit's neighbours in the band stay its neighbours.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from circuits.tracing.circuit import Circuit
from circuits.units import is_residual

WRAP = 10


@dataclass(frozen=True)
class Slot:
    """Where a unit stands: its column, where 0 is the middle, its line counted from the top, and its layer's band."""

    column: float
    line: int
    band: int


def layered(
    circuit: Circuit,
    *,
    hidden: Collection[str] = (),
    wrap: int = WRAP,
    ranked: bool = False,
) -> dict[str, Slot]:
    """Slots of the visible units by id, band after band from the top, each in its order.

    Args:
        circuit: what to lay out.
        hidden: ids of units that take no room.
        wrap: the most units in a line.
        ranked: order units with the same barycentre by rank, so that under one unit the strongest comes first; else
            by id.
    """
    slots: dict[str, Slot] = {}
    above = _above(circuit)
    first = 0
    for band, names in enumerate(bands(circuit, hidden)):
        centres = {name: _barycentre(above.get(name, ()), slots) for name in names}
        keys = [(is_residual(name), x, rank * ranked, name) for name, (x, rank) in centres.items()]
        ordered = [name for *_, name in sorted(keys)]
        height = -(-len(ordered) // wrap)
        for index, name in enumerate(ordered):
            column, line = divmod(index, height)
            # Columns of all lines stand under one another.
            slots[name] = Slot(column - (-(-len(ordered) // height) - 1) / 2, first + line, band)
        first += height
    return slots


def bands(circuit: Circuit, hidden: Collection[str] = ()) -> list[list[str]]:
    """Ids of the visible units of each layer that has any, from the top layer down."""
    layers: dict[str, list[str]] = {layer: [] for layer in reversed(circuit.layers)}
    for name in circuit.visible:
        if name not in hidden:
            layers[circuit.nodes[name].unit.layer].append(name)
    return [names for names in layers.values() if names]


def _above(circuit: Circuit) -> dict[str, list[tuple[str, float, int]]]:
    """Of each unit, the visible units that it feeds, with magnitude and rank of the attribution."""
    above: dict[str, list[tuple[str, float, int]]] = {}
    for target in circuit.visible:
        for edge in circuit.edges_into(target):
            above.setdefault(edge.source, []).append((target, abs(edge.attribution), edge.rank))
    return above


def _barycentre(feeds: Collection[tuple[str, float, int]], slots: Mapping[str, Slot]) -> tuple[float, int]:
    """The weighted mean column of the units that a unit feeds, and its best rank below one of them."""
    known = [feed for feed in feeds if feed[0] in slots]
    if not known:
        return 0.0, 0
    total = sum(weight for _, weight, _ in known)
    if total == 0:
        return slots[known[0][0]].column, known[0][2]
    centre = sum(slots[target].column * weight for target, weight, _ in known) / total
    return round(centre, 6), min(rank for *_, rank in known)
