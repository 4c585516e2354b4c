"""What is scored: units by layer, and edges by upper unit; of a circuit, or searched anew with other settings."""

from collections.abc import Mapping, Sequence

import networkx as nx

from circuits.attribution.modes import check_mode
from circuits.errors import InputError
from circuits.network.network import Network
from circuits.tracing.budget import budget_of, spend
from circuits.tracing.circuit import Circuit
from circuits.tracing.layers_below import Shares
from circuits.tracing.node import index_of
from circuits.tracing.run import ForwardCache
from circuits.tracing.search import CircuitBuilder
from circuits.tracing.targets import Target
from circuits.units import Address, is_residual, parse_address

Units = Mapping[str, Sequence[int]]
"""Channels by layer, or of a layer with a dictionary its groups. The layers named are those in which something is
ablated; an empty list keeps none of a layer."""

Sources = Mapping[str, Sequence[Address]]
"""The units that edges come from, by the id of the unit that they lead to. A residual is no unit that is scored."""


def units_of(network: Network, circuit: Circuit) -> dict[str, tuple[int, ...]]:
    """The units that a circuit shows, by layer: all layers below a unit that it expands, from the image up.

    The target itself is not among them; it is what is measured.

    Args:
        network: the one that the circuit was traced with.
        circuit: the circuit; discarded units, and what only they need, do not count.

    Raises:
        InputError: if nothing of the circuit is expanded.

    Example:
        >>> from circuits import load_network, trace
        >>> network = load_network()
        >>> {layer: len(kept) for layer, kept in units_of(network, trace(network, "example:cat", depth=1)).items()}
        {'conv7': 5}
    """
    return units_in(network.with_layers(circuit.layers), sources_of(circuit), circuit.root)


def sources_of(circuit: Circuit) -> dict[str, tuple[Address, ...]]:
    """The edges that a circuit shows, by the id of the upper unit; what lies in no group is not part of it.

    Raises:
        InputError: if nothing of the circuit is expanded.
    """
    shown = [node for node in circuit.nodes.values() if node.expanded and node.id in circuit.visible]
    if circuit.root not in {node.id for node in shown}:
        raise InputError(
            f"The circuit holds nothing but its target, {circuit.target.label}; expand that before it is scored."
        )
    edges = {node.id: circuit.edges_into(node.id) for node in shown if not is_residual(node.id)}
    return {
        name: tuple(circuit.nodes[edge.source].unit.whole for edge in into if not is_residual(edge.source))
        for name, into in edges.items()
    }


def units_in(network: Network, sources: Sources, root: str) -> dict[str, tuple[int, ...]]:
    """The units of some edges by layer, of all layers below an expanded unit, from the image up."""
    layers: set[str] = set()
    kept: dict[str, set[int]] = {}
    for name, units in sources.items():
        upper = layer_of(name, root)
        layers.update(network.layers_below(upper), (unit.layer for unit in units))
        for unit in units:
            kept.setdefault(unit.layer, set()).add(index_of(unit))
    return {layer: tuple(sorted(kept.get(layer, ()))) for layer in network.layers if layer in layers}


def layer_of(name: str, root: str) -> str:
    """The layer of a node; the target's id may name two classes.

    >>> layer_of("fc:3-5", "fc:3-5"), layer_of("conv4:3", "fc:3-5")
    ('fc', 'conv4')
    """
    return name.rpartition(":")[0] if name == root else parse_address(name).layer


def count(units: Units) -> int:
    """How many units a set has."""
    return sum(len(channels) for channels in units.values())


def levels_of(circuit: Circuit) -> int:
    """Steps from the target to the lowest units, along the shortest ways; a person may have gone deeper by hand."""
    steps = nx.single_target_shortest_path_length(circuit.to_networkx(), circuit.root)
    shown = sources_of(circuit)
    return 1 + max(int(distance) for name, distance in dict(steps).items() if name in shown)


def tops_of_circuit(circuit: Circuit) -> list[int]:
    """Units to show at each level, as the circuit was traced; as the last level was, where a person went deeper."""
    return [int(circuit.settings.top_at(level)) for level in range(levels_of(circuit))]


class CircuitSearch:
    """The search for circuits of several sizes in one photo, in which no unit's attributions are computed twice."""

    def __init__(self, run: ForwardCache, target: Target, mode: str) -> None:
        self.run = run
        self.target = target
        self._mode = check_mode(mode)
        self._known: dict[str, Shares] = {}

    def sources(self, tops: Sequence[int], signs: str = "positive") -> dict[str, tuple[Address, ...]]:
        """The edges that `trace` finds with that many units below each unit of each level."""
        builder = self._builder()
        return _sources(builder.descend([self.target.id], len(tops), lambda level, _: tops[level], signs))

    def like(self, circuit: Circuit) -> dict[str, tuple[Address, ...]]:
        """The edges that `trace` finds with a circuit's settings, as deep as it goes."""
        settings = circuit.settings
        budget = budget_of(settings.units, settings.share, None, settings.mode)
        if budget is None:
            return self.sources(tops_of_circuit(circuit), settings.signs)
        builder = self._builder()
        value = float(builder.graph.nodes[self.target.id]["value"])
        if value <= 0 and (settings.signs == "positive" or not value):  # nothing to spend on in a changed photo
            return {}
        spend(builder, budget, settings.depth, settings.signs)
        graph = builder.graph
        return _sources({name: list(graph.predecessors(name)) for name in graph if graph.nodes[name]["expanded"]})

    def _builder(self) -> CircuitBuilder:
        builder = CircuitBuilder(self.run, self.target, self._mode, nx.DiGraph(), self._known)
        builder.add(self.target.unit, self.target.id, self.target.label)
        return builder


def _sources(chosen: Mapping[str, Sequence[str]]) -> dict[str, tuple[Address, ...]]:
    return {
        name: tuple(parse_address(each) for each in lower if not is_residual(each))
        for name, lower in chosen.items()
        if not is_residual(name)
    }
