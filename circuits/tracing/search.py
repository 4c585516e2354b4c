"""A graph of units that grows: one photo's activations, and the search of the layers below a unit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import networkx as nx

from circuits.attribution.agreement import without_joint
from circuits.attribution.decomposition import Books, keep_books
from circuits.attribution.gradient import Readout, attribute, strongest
from circuits.errors import InputError
from circuits.network.subgraphs import entrance_of
from circuits.shapes import Scores
from circuits.tracing.circuit_file import number, without_books
from circuits.tracing.run import ForwardCache, Lower
from circuits.tracing.targets import Target
from circuits.units import MEASURED, Unit

Progress = Callable[[int, int, str], None]
"""Called with (done, known, what is under way); raising an exception in it cancels."""


@dataclass(frozen=True, eq=False)
class Shares:
    """What each channel of the layers below accounts for in one unit.

    Args:
        name: id of the unit's node.
        lower: the layers below.
        value: what is shared out.
        scores: signed, one a channel; the colours of an image that is reached past the layers below come last.
        exact: whether what the scores leave of the value is the effective bias.
    """

    name: str
    lower: Lower
    value: float
    scores: Scores
    exact: bool

    def strongest(self, top: int, signs: str) -> list[int]:
        """The channels to show, over all layers below together."""
        return strongest(self.scores[: self.lower.units], top, signs)

    def books(self, shown: Sequence[int]) -> Books:
        """The books when these channels are shown."""
        return keep_books(self.value, self.scores, shown, exact=self.exact)


class CircuitBuilder:
    """A graph that is being grown for one photo and target."""

    def __init__(self, run: ForwardCache, target: Target, mode: str, graph: nx.DiGraph) -> None:
        self.run = run
        self.network = run.network
        self.target = target
        self.mode = mode
        self.graph = graph

    def readout(self, name: str) -> Readout:
        """The value of a node that its edges share out."""
        row = self.graph.nodes[name]
        unit = Unit(row["layer"], row["channel"])
        return self.run.readout(self.target, unit, self.mode, is_root=name == self.target.id)

    def add(self, unit: Unit, name: str, label: str) -> float:
        """Add the node of a unit; its value."""
        activation = self.run.activations[unit.layer][0, unit.channel]
        row: dict[str, Any] = {"layer": unit.layer, "channel": unit.channel}
        if name == self.target.id and self.target.minus is not None:
            row["minus"] = self.target.minus
        if unit.position is not None:
            row["position"] = list(unit.position)
        peak = divmod(int(activation.argmax()), activation.shape[1])
        self.graph.add_node(name, **row)
        value = float(self.readout(name).value(self.run.activations[unit.layer]))
        self.graph.nodes[name].update(
            label=label, value=number(value), max=number(float(activation.max())), peak=list(peak), expanded=False,
            note="", discarded=False,
        )  # fmt: skip
        return number(value)

    def shares(self, names: Sequence[str]) -> Iterator[Shares]:
        """The shares of the layers below, of nodes of one layer, one after the other."""
        layer = self.graph.nodes[names[0]]["layer"]
        if not self.network.layers_below(layer):
            raise InputError(f"{names[0]} lies in the lowest layer of {self.network.name}; there is nothing below it.")
        lower = self.run.below(layer)
        exact = lower.piece.piecewise_linear and self.mode in ("sum", "target")
        found = attribute(self.mode, lower.piece, lower.activation, map(self.readout, names))
        for name, scores in zip(names, found, strict=True):
            yield Shares(name, lower, float(self.graph.nodes[name]["value"]), scores, exact)

    def expand(self, names: Sequence[str], top: int, signs: str) -> Iterator[list[str]]:
        """Search the layers below nodes of one layer; of each, when it is done, the ids chosen, strongest first."""
        for shares in self.shares(names):
            yield self._connect(shares, shares.strongest(top, signs))

    def _connect(self, shares: Shares, chosen: Sequence[int]) -> list[str]:
        name, books = shares.name, shares.books(chosen)
        before = {source: data for source, _, data in self.graph.in_edges(name, data=True)}
        self.graph.remove_edges_from([(source, name) for source in before])
        units = [shares.lower.unit(channel) for channel in chosen]
        for rank, (unit, channel) in enumerate(zip(units, chosen, strict=True), start=1):
            if str(unit) not in self.graph:
                self.add(unit, str(unit), str(unit))
            attribution = number(float(shares.scores[channel]))
            measured = {key: value for key, value in before.get(str(unit), {}).items() if key in MEASURED}
            entered = (
                entrance_of(self.network, unit, self.graph.nodes[name]["layer"])
                if len(shares.lower.widths) > 1
                else None
            )
            told = {"entrance": entered} if entered is not None else {}
            self.graph.add_edge(str(unit), name, attribution=attribution, rank=rank, **told, **measured)
        row = {**without_books(self.graph.nodes[name]), "expanded": True}
        row |= {"shown": number(books.shown), "rest": number(books.rest), books.bias_name: number(books.bias)}
        row |= {"coverage": number(books.coverage), "gross": number(books.gross)}
        if rows := self.graph.nodes[name].get("measured"):
            row["measured"] = rows if set(before) == set(map(str, units)) else without_joint(rows)
        self.graph.nodes[name].clear()
        self.graph.nodes[name].update(row)
        return [str(unit) for unit in units]

    def descend(self, tops: Sequence[int], signs: str, progress: Progress | None) -> None:
        """Expand the target, then what was found, level by level."""
        report = progress or (lambda done, known, message: None)
        level, done, known = [self.target.id], 0, 1
        for top in tops:
            found: dict[str, None] = {}
            groups = self._by_layer(level)
            level = [name for names in groups for name in names]
            report(done, known, f"Expanding {level[0]}")
            expanding = chain.from_iterable(self.expand(names, top, signs) for names in groups)
            for place, units in enumerate(expanding, start=1):
                found.update(dict.fromkeys(units))
                done += 1
                if place < len(level):
                    report(done, known, f"Expanding {level[place]}")
            level = [name for name in found if self._is_closed(name)]
            if not level:
                break
            known += len(level)
        report(done, done, "Traced")

    def _by_layer(self, names: Sequence[str]) -> list[list[str]]:
        """Nodes by layer, from the top down; of each layer in the order given."""
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(self.graph.nodes[name]["layer"], []).append(name)
        order = self.network.layers.index
        return [groups[layer] for layer in sorted(groups, key=order, reverse=True)]

    def _is_closed(self, name: str) -> bool:
        """Whether a node can be expanded and is not."""
        row = self.graph.nodes[name]
        return not row["expanded"] and bool(self.network.layers_below(row["layer"]))


def drop_unreachable(graph: nx.DiGraph, root: str) -> None:
    """Take out, in place, the nodes from which the target cannot be reached, discarded or not."""
    graph.remove_nodes_from(set(graph) - nx.ancestors(graph, root) - {root})
