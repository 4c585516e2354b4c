"""The search: share a unit's value among the layers below it, take the strongest as its children, level by level."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import networkx as nx

from circuits.attribution.agreement import without_joint
from circuits.attribution.gradient import Readout
from circuits.attribution.modes import is_exact
from circuits.errors import InputError, UnknownError, listed
from circuits.naming.store import names_of
from circuits.network.subgraphs import entrance_of
from circuits.tracing.circuit import Circuit
from circuits.tracing.circuit_file import number, without_books
from circuits.tracing.edge import MEASURED
from circuits.tracing.facts import TraceSettings
from circuits.tracing.layers_below import Shares
from circuits.tracing.levels import WITH_MEAN
from circuits.tracing.node import address_of
from circuits.tracing.run import ForwardCache, number_of
from circuits.tracing.targets import Target
from circuits.tracing.visible import visible_in
from circuits.units import IN_NO_GROUP, Address, Group, Progress, Unit


class CircuitBuilder:
    """The graph of one photo and target, to which units and edges are added.

    Shares by node are kept in `known`, if given, for another graph of the same photo, target and mode.
    """

    def __init__(
        self, run: ForwardCache, target: Target, mode: str, graph: nx.DiGraph, known: dict[str, Shares] | None = None
    ) -> None:
        self.run, self.network = run, run.network
        self.target, self.mode, self.graph = target, mode, graph
        self._known, self._names = known, names_of(self.network.sha256)

    def readout(self, name: str) -> Readout:
        """The value of a node that its edges share out."""
        row = self.graph.nodes[name]
        unit = address_of(row).whole
        return self.run.readout(self.target, unit, self.mode, is_root=name == self.target.id)

    def add(self, unit: Address, name: str, label: str) -> float:
        """Add the node of a unit; its value."""
        row: dict[str, Any] = {"layer": unit.layer}
        if isinstance(unit, Group):
            row["group"], label = ("rest", IN_NO_GROUP) if unit.number is None else (unit.number, label)
            dictionary = self.run.dictionaries[unit.layer]
            label += ", the mean" * (dictionary.source == WITH_MEAN and unit.number == dictionary.groups - 1)
        else:
            row |= {"channel": unit.channel}
            row |= {"minus": self.target.minus} if name == self.target.id and self.target.minus is not None else {}
            row |= {"position": list(unit.position)} if unit.position is not None else {}
        self.graph.add_node(name, **row)
        seen = self.seen(unit, name)
        self.graph.nodes[name].update(label=label, **seen, expanded=False, note="", discarded=False)
        self.graph.nodes[name].update(self._names.row_of(unit, name))
        return float(seen["value"])

    def seen(self, unit: Address, name: str) -> dict[str, Any]:
        """What a node says of the photo: its unit's value, and the highest activation and its place."""
        if isinstance(unit, Group):
            code, number_ = self.run.code(self.target, unit.layer), number_of(unit)
            activation, value = code.map(number_), code.value(number_)
        else:
            activation = self.run.activations[unit.layer][0, unit.channel]
            value = float(self.readout(name).value(self.run.activations[unit.layer]))
        if self.mode == "target" and name != self.target.id:
            part, gradient = self.run.part(self.target, unit), self.run.gradient(self.target, unit.layer)
            value = float((part * gradient).sum())
        peak = divmod(int(activation.argmax()), activation.shape[1])
        return {"value": number(value), "max": number(float(activation.max())), "peak": list(peak)}

    def shares(self, names: Sequence[str]) -> Iterator[Shares]:
        """The shares of the layers below, of nodes of one layer, one after the other."""
        known = {} if self._known is None else self._known
        computed = self._attribute([name for name in names if name not in known])
        for name in names:
            shares = known[name] if name in known else next(computed)
            if self._known is not None:
                self._known[name] = shares
            yield shares

    def _attribute(self, names: Sequence[str]) -> Iterator[Shares]:
        if not names:
            return
        layer = self.graph.nodes[names[0]]["layer"]
        if not self.network.layers_below(layer):
            raise InputError(f"{names[0]} lies in the lowest layer of {self.network.name}; there is nothing below it.")
        lower = self.run.below(layer, self.target)
        exact = is_exact(self.mode, lower.piece)
        attributions = lower.shares(self.mode, map(self.readout, names))
        for name, scores in zip(names, attributions, strict=True):
            yield Shares(name, lower, float(self.graph.nodes[name]["value"]), scores, exact)

    def expand(self, names: Sequence[str], top: int, signs: str) -> Iterator[list[str]]:
        """Search the layers below nodes of one layer; of each, when it is done, the ids chosen, strongest first."""
        for shares in self.shares(names):
            yield self.connect(shares, shares.strongest(top, signs))

    def connect(self, shares: Shares, chosen: Sequence[int]) -> list[str]:
        """Put edges into a node from the units chosen below it, strongest first, in the place of those it had."""
        name, books = shares.name, shares.decomposition(chosen)
        before = {source: data for source, _, data in self.graph.in_edges(name, data=True)}
        self.graph.remove_edges_from([(source, name) for source in before])
        units = [shares.lower.address(place) for place in chosen]
        branched = len(shares.lower.layers) > 1
        for rank, (unit, channel) in enumerate(zip(units, chosen, strict=True), start=1):
            if str(unit) not in self.graph:
                self.add(unit, str(unit), str(unit))
            edge: dict[str, Any] = {"attribution": number(float(shares.scores[channel])), "rank": rank}
            entered = self._entrance(unit, name) if branched else None
            edge |= {"entrance": entered} if entered else {}
            edge |= {key: value for key, value in before.get(str(unit), {}).items() if key in MEASURED}
            self.graph.add_edge(str(unit), name, **edge)
        row = {**without_books(self.graph.nodes[name]), "expanded": True}
        row |= {"shown": number(books.shown), "rest": number(books.rest), books.bias_name: number(books.bias)}
        row |= {"coverage": number(books.coverage), "gross": number(books.gross)}
        row |= {"residual": number(books.residual)} if shares.residuals else {}
        if rows := self.graph.nodes[name].get("measured"):
            row["measured"] = rows if set(before) == set(map(str, units)) else without_joint(rows)
        self.graph.nodes[name].clear()
        self.graph.nodes[name].update(row)
        return [str(unit) for unit in units]

    def _entrance(self, lower: Address, upper: str) -> str | None:
        return entrance_of(self.network, lower, self.graph.nodes[upper]["layer"]) if isinstance(lower, Unit) else None

    def descend(
        self,
        start: Iterable[str],
        levels: int,
        top: Callable[[int, str], int],
        signs: str,
        progress: Progress | None = None,
        *,
        done_message: str = "Traced",
    ) -> dict[str, list[str]]:
        """Expand some nodes, then what was found below them, level by level.

        1. Of the nodes of a level those are expanded that are visible, are not expanded, and have a layer below them.
        2. Nodes of one layer are expanded together, from the top down: what they need in common is computed once.
        3. What was found is the next level.

        The units to show below the nodes of a layer are found from the number of the level, and the first of the
        nodes. Returns the ids below each node that was expanded, strongest first.
        """
        report = progress or (lambda done, known, message: None)
        children: dict[str, list[str]] = {}
        waiting = self._open(start)
        for level in range(levels):
            known = len(children) + len(waiting)
            for names, count in [(names, top(level, names[0])) for names in self._by_layer(waiting)]:
                expanding = self.expand(names, count, signs)
                for name in names:
                    report(len(children), known, f"Expanding {name}")
                    children[name] = next(expanding)
            waiting = self._open(dict.fromkeys(lower for name in waiting for lower in children[name]))
            if not waiting:
                break
        report(len(children), len(children), done_message)
        return children

    def _open(self, names: Iterable[str]) -> list[str]:
        """Those of some nodes that are visible, are not expanded, and have a layer below them."""
        visible, rows = visible_in(self.graph, self.target.id), self.graph.nodes
        return [
            name
            for name in names
            if name in visible and not rows[name]["expanded"] and self.network.layers_below(rows[name]["layer"])
        ]

    def default_top(self, settings: TraceSettings, name: str) -> int:
        """Units to show below a node where nobody says how many: as many as when the circuit was traced."""
        steps = nx.single_target_shortest_path_length(self.graph, self.target.id)
        return settings.top_at(dict(steps).get(name, 0))

    def _by_layer(self, names: Sequence[str]) -> list[list[str]]:
        """Nodes by layer, from the top down; of each layer in the order given."""
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(self.graph.nodes[name]["layer"], []).append(name)
        order = self.network.layers.index
        return [groups[layer] for layer in sorted(groups, key=order, reverse=True)]


def check_layer(circuit: Circuit, layer: str) -> None:
    """Refuse a layer that a circuit's network lacks, of which it shows no unit, or that has nothing below it."""
    name = circuit.network.name
    if layer not in circuit.layers:
        raise UnknownError(f"No layer {layer!r} in the circuit of {name}; it has {listed(circuit.layers)}.")
    if layer in circuit.lowest:
        raise InputError(f"{layer} is the lowest layer of {name}; only the image is below it.")
    shown = {circuit.nodes[name].unit.layer for name in circuit.visible}
    if layer not in shown:
        has = listed(layer for layer in reversed(circuit.layers) if layer in shown)
        raise InputError(f"The circuit shows no unit of {layer}; it has units of {has}.")
