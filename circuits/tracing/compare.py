"""Compare two circuits: the units and edges that both show, and those that only one does. Needs no network.

1. Take the visible units of each and the edges between them, by id.
2. Sort them into shared, only left and only right; units by layer, from the top.
3. Say how alike the two sets are by the Jaccard index, |L ∩ R| / |L ∪ R| (Jaccard 1901, "Étude comparative de la
   distribution florale dans une portion des Alpes et du Jura").

Groups of channels that were fitted to different photos have no numbers in common. They are paired one to one, so that
the cosines of their directions add up to the most, and are the same where the cosine is at least 0.7.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from circuits.groups.dictionary import matched
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge
from circuits.units import Address, Group, Unit

ALIKE = 0.7
"""Least cosine of two groups' directions that count as the same."""


@dataclass(frozen=True)
class SharedUnit:
    """A unit that both circuits show.

    Args:
        id: of its node in both; of a group that on the left.
        unit: its address there.
        called: what a person named it on the left, else on the right, else its label on the left.
        left: its value on the left, in units of that circuit's mode.
        right: its value on the right.
        left_share: its part of the gross attribution to a unit above it, the largest in size on the left, −1 to
            1, below 0 where it inhibits; `None` for a target.
        right_share: the same on the right.
        right_id: of its node on the right.
        cosine: of the directions of the two groups; 1 for a channel.
    """

    id: str
    unit: Address
    called: str
    left: float
    right: float
    left_share: float | None
    right_share: float | None
    right_id: str
    cosine: float = 1.0


@dataclass(frozen=True)
class LayerComparison:
    """The units of one layer.

    Args:
        layer: its name.
        shared: those that both circuits show, the strongest first by the larger of their two shares.
        left: ids of those that only the left one shows, by channel.
        right: ids of those that only the right one shows.
    """

    layer: str
    shared: tuple[SharedUnit, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What two circuits share, and what only one of them shows.

    Args:
        layers: those of which either shows a unit, from the top.
        shared_edges: (left, right) of each edge that both show, by the upper unit's layer from the top.
        left_edges: those that only the left one shows.
        right_edges: those that only the right one shows.
        same_network: whether both were traced with the same weights, by their SHA-256. If not, a shared unit is an
            address that both happen to use, and says nothing about what the two units look for.
    """

    layers: tuple[LayerComparison, ...]
    shared_edges: tuple[tuple[Edge, Edge], ...]
    left_edges: tuple[Edge, ...]
    right_edges: tuple[Edge, ...]
    same_network: bool

    @property
    def shared(self) -> tuple[SharedUnit, ...]:
        """Units that both show, layer by layer from the top."""
        return tuple(unit for layer in self.layers for unit in layer.shared)

    @property
    def left(self) -> tuple[str, ...]:
        """Ids of units that only the left one shows."""
        return tuple(name for layer in self.layers for name in layer.left)

    @property
    def right(self) -> tuple[str, ...]:
        """Ids of units that only the right one shows."""
        return tuple(name for layer in self.layers for name in layer.right)

    @property
    def unit_index(self) -> float:
        """Jaccard index of the units, |L ∩ R| / |L ∪ R|: 0 if none is shared, 1 if all are (Jaccard 1901)."""
        return _jaccard(len(self.shared), len(self.left), len(self.right))

    @property
    def edge_index(self) -> float:
        """Jaccard index of the edges; 1 where neither circuit has any (Jaccard 1901)."""
        return _jaccard(len(self.shared_edges), len(self.left_edges), len(self.right_edges))

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {
            "same_network": self.same_network,
            "unit_index": self.unit_index,
            "edge_index": self.edge_index,
            "layers": [
                {
                    "layer": row.layer,
                    "shared": [_plain_unit(unit) for unit in row.shared],
                    "left": list(row.left),
                    "right": list(row.right),
                }
                for row in self.layers
            ],
            "edges": {
                "shared": [
                    {"source": one.source, "target": one.target, "left": one.attribution, "right": other.attribution}
                    for one, other in self.shared_edges
                ],
                "left": [_plain(edge) for edge in self.left_edges],
                "right": [_plain(edge) for edge in self.right_edges],
            },
        }


def compare(left: Circuit, right: Circuit) -> Comparison:
    """Compare what two circuits show: of two photos, two targets or two networks.

    Discarded units, and what only they need, do not count. Units and edges are the same if their ids are.

    Args:
        left: one circuit.
        right: the other.

    Returns:
        The comparison. Values and attributions of the two are only commensurable in the same mode and
        from the same baseline.

    Example:
        >>> from circuits import compare, discard, load_network, trace
        >>> circuit = trace(load_network(), "example:cat", depth=1, top=3)
        >>> fewer = discard(circuit, circuit.edges_into(circuit.root)[0].source)
        >>> comparison = compare(circuit, fewer)
        >>> len(comparison.shared), len(comparison.left), len(comparison.right), comparison.unit_index
        (3, 1, 0, 0.75)
    """
    layers = _merged(left.layers[::-1], right.layers[::-1])
    same = _same(left, right)
    rows = [_layer(left, right, layer, same) for layer in layers]
    called = {theirs: ours for ours, (theirs, _) in same.items()}
    edges = _edges(left)
    # A group of the right one that is none of the left one's may have a number that is.
    others = {tuple(called.get(end, f"{end}'") for end in ends): edge for ends, edge in _edges(right).items()}
    units = {name: node.unit for name, node in left.nodes.items()}
    units |= {called.get(name, f"{name}'"): node.unit for name, node in right.nodes.items() if name not in called}

    def place(ends: tuple[str, ...]) -> tuple[int, tuple[Any, ...], tuple[Any, ...]]:
        source, target = (units[end] for end in ends)
        return layers.index(target.layer), target.order, source.order

    ends = sorted(edges.keys() | others.keys(), key=place)
    return Comparison(
        tuple(row for row in rows if row.shared or row.left or row.right),
        tuple((edges[end], others[end]) for end in ends if end in edges and end in others),
        tuple(edges[end] for end in ends if end not in others),
        tuple(others[end] for end in ends if end not in edges),
        left.network.sha256 == right.network.sha256,
    )


def largest_share(circuit: Circuit, unit: Unit | str) -> float | None:
    """A unit's part of the gross attribution to a visible unit above it, the largest in size; `None` for the target.

    share = S_ij / Σ_j |S_ij|, below 0 where the unit inhibits

    Raises:
        UnknownError: if the unit is not in the circuit.
    """
    name = circuit.node(unit).id
    above = circuit.graph.out_edges(name, data=True)
    edges = [Edge.of_row(name, upper, row) for _, upper, row in above if upper in circuit.visible]
    return max((circuit.share(edge) for edge in edges), key=abs, default=None)


def _same(left: Circuit, right: Circuit) -> dict[str, tuple[str, float]]:
    """Of each visible unit of the left circuit that the right one shows too, its id there, and the cosine."""
    same = {name: (name, 1.0) for name in left.visible & right.visible if not isinstance(left.nodes[name].unit, Group)}
    for layer in left.dictionaries.keys() & right.dictionaries.keys():
        ours, theirs = left.dictionaries[layer], right.dictionaries[layer]
        residual = str(Group(layer, None))
        if {residual} <= left.visible & right.visible:
            same[residual] = (residual, 1.0)
        if ours.channels != theirs.channels:
            continue
        for one, other, cosine in matched(ours.directions, theirs.directions):
            name, theirs_name = str(Group(layer, one)), str(Group(layer, other))
            if cosine >= ALIKE and name in left.visible and theirs_name in right.visible:
                same[name] = (theirs_name, cosine)
    return same


def _layer(left: Circuit, right: Circuit, layer: str, same: Mapping[str, tuple[str, float]]) -> LayerComparison:
    ours, theirs = _visible(left, layer), _visible(right, layer)
    shared = [_shared(left, right, name, *same[name]) for name in ours if name in same]
    shared.sort(key=lambda unit: -max(abs(unit.left_share or 0.0), abs(unit.right_share or 0.0)))
    only_left = tuple(name for name in ours if name not in same)
    paired = {name for name, _ in same.values()}
    return LayerComparison(layer, tuple(shared), only_left, tuple(name for name in theirs if name not in paired))


def _shared(left: Circuit, right: Circuit, name: str, theirs: str, cosine: float) -> SharedUnit:
    one, other = left.nodes[name], right.nodes[theirs]
    called = one.name or other.name or one.label
    shares = largest_share(left, name), largest_share(right, theirs)
    return SharedUnit(name, one.unit, called, one.value, other.value, *shares, theirs, cosine)


def _visible(circuit: Circuit, layer: str) -> list[str]:
    names = [name for name in circuit.visible if circuit.nodes[name].unit.layer == layer]
    return sorted(names, key=lambda name: (circuit.nodes[name].unit.order, name))


def _edges(circuit: Circuit) -> dict[tuple[str, ...], Edge]:
    return {(edge.source, edge.target): edge for name in circuit.visible for edge in circuit.edges_into(name)}


def _merged(left: tuple[str, ...], right: tuple[str, ...]) -> list[str]:
    """The layers of both in one order: the left one's, and each of the right one's after the one above it there."""
    merged = list(left)
    after = 0
    for layer in right:
        if layer not in merged:
            merged.insert(after, layer)
        after = merged.index(layer) + 1
    return merged


def _jaccard(shared: int, left: int, right: int) -> float:
    together = shared + left + right
    return shared / together if together else 1.0


def _plain_unit(unit: SharedUnit) -> dict[str, Any]:
    """A unit's row; what the right one calls it is told of a group alone."""
    row = {**asdict(unit), "unit": str(unit.unit)}
    return row if isinstance(unit.unit, Group) else {key: row[key] for key in row if key not in ("right_id", "cosine")}


def _plain(edge: Edge) -> dict[str, Any]:
    return {"source": edge.source, "target": edge.target, "attribution": edge.attribution}
