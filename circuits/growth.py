"""A graph of units that grows: one photo's activations, and the search of the layer below a unit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from circuits.attribution import Books, Readout, attribute, gradient_down, keep_books, strongest
from circuits.circuit import Circuit
from circuits.circuit_file import number, without_books
from circuits.errors import InputError, UnknownError
from circuits.images import from_data_uri
from circuits.networks import Network
from circuits.shapes import Activation, Scores
from circuits.targets import Target, readout_of
from circuits.units import Unit

Progress = Callable[[int, int, str], None]
"""Called with (done, known, what is under way); raising an exception in it cancels."""


@dataclass(eq=False)
class Run:
    """One photo's way through a network: the activation of each layer, and each target's gradient by layer."""

    network: Network
    activations: dict[str, Activation]
    gradients: dict[tuple[str, str], Activation] = field(default_factory=dict)

    def gradient(self, target: Target, layer: str) -> Activation:
        """∂T/∂a of a layer below the target's, (1, C, H, W), by the chain rule down the layers."""
        key = (target.id, layer)
        if key not in self.gradients:
            layers = self.network.layers
            above = layers[layers.index(layer) + 1]
            at_target = above == target.unit.layer
            upper = target.readout(self.network) if at_target else self.gradient(target, above)
            self.gradients[key] = gradient_down(self.network.segment(layer, above), self.activations[layer], upper)
        return self.gradients[key]

    def readout(self, target: Target, unit: Unit, mode: str, *, is_root: bool) -> Readout:
        """The value of a unit that its edges share out; in mode `target` what it contributes to the target."""
        if is_root:
            return target.readout(self.network)
        if mode == "target":
            weights = self.gradient(target, unit.layer)[0, unit.channel]
            return Readout((unit.channel,), weights[None])
        return readout_of(self.network, unit)


def run_of_circuit(network: Network, circuit: Circuit) -> Run:
    """The photo's run through the network: the one kept with the circuit, or a new one from the photo it carries."""
    if network.sha256 != circuit.network["sha256"]:
        known = circuit.network
        raise InputError(
            f"The circuit was traced with {known['name']} ({known['sha256'][:12]}), not with {network.name} "
            f"({network.sha256[:12]}); load that network to expand it."
        )
    cached = circuit.cache
    if isinstance(cached, Run) and cached.network.sha256 == network.sha256:
        return cached
    thumbnail = circuit.graph.graph["photo"].get("thumbnail")
    if thumbnail is None:
        raise InputError("The circuit's file does not carry its photo, so no more can be computed; trace it again.")
    try:
        network = network.with_layers(circuit.layers)
    except UnknownError as error:
        raise InputError(f"The circuit's layers are not {network.name}'s: {error}") from error
    return Run(network, network.activations(network.preprocessing.from_crop(from_data_uri(thumbnail))))


@dataclass(frozen=True, eq=False)
class Shares:
    """What each channel of the layer below accounts for in one unit.

    Args:
        name: id of the unit's node.
        lower: the layer below.
        value: what is shared out.
        scores: signed, one a channel.
        exact: whether what the scores leave of the value is the effective bias.
    """

    name: str
    lower: str
    value: float
    scores: Scores
    exact: bool

    def books(self, shown: Sequence[int]) -> Books:
        """The books when these channels are shown."""
        return keep_books(self.value, self.scores, shown, exact=self.exact)


class Growth:
    """A graph that is being grown for one photo and target."""

    def __init__(self, run: Run, target: Target, mode: str, graph: nx.DiGraph) -> None:
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
        """The shares of the layer below, of nodes of one layer, one after the other."""
        layer = self.graph.nodes[names[0]]["layer"]
        lower = self.network.below(layer)
        if lower is None:
            raise InputError(f"{names[0]} lies in the lowest layer of {self.network.name}; there is nothing below it.")
        segment = self.network.segment(lower, layer)
        exact = segment.piecewise_linear and self.mode in ("sum", "target")
        found = attribute(self.mode, segment, self.run.activations[lower], map(self.readout, names))
        for name, scores in zip(names, found, strict=True):
            yield Shares(name, lower, float(self.graph.nodes[name]["value"]), scores, exact)

    def expand(self, names: Sequence[str], top: int, signs: str) -> Iterator[list[str]]:
        """Search the layer below nodes of one layer; of each, when it is done, the ids chosen, strongest first."""
        for shares in self.shares(names):
            yield self._connect(shares, strongest(shares.scores, top, signs))

    def _connect(self, shares: Shares, chosen: Sequence[int]) -> list[str]:
        name, books = shares.name, shares.books(chosen)
        before = {source: data for source, _, data in self.graph.in_edges(name, data=True)}
        self.graph.remove_edges_from([(source, name) for source in before])
        units = [Unit(shares.lower, channel) for channel in chosen]
        for rank, unit in enumerate(units, start=1):
            if str(unit) not in self.graph:
                self.add(unit, str(unit), str(unit))
            attribution = number(float(shares.scores[unit.channel]))
            measured = {key: value for key, value in before.get(str(unit), {}).items() if key == "ablation"}
            self.graph.add_edge(str(unit), name, attribution=attribution, rank=rank, **measured)
        row = {**without_books(self.graph.nodes[name]), "expanded": True}
        row |= {"shown": number(books.shown), "rest": number(books.rest), books.bias_name: number(books.bias)}
        row |= {"coverage": number(books.coverage), "gross": number(books.gross)}
        self.graph.nodes[name].clear()
        self.graph.nodes[name].update(row)
        return [str(unit) for unit in units]

    def descend(self, tops: Sequence[int], signs: str, progress: Progress | None) -> None:
        """Expand the target, then what was found, level by level."""
        report = progress or (lambda done, known, message: None)
        level, done, known = [self.target.id], 0, 1
        for top in tops:
            found: dict[str, None] = {}
            report(done, known, f"Expanding {level[0]}")
            for place, units in enumerate(self.expand(level, top, signs), start=1):
                found.update(dict.fromkeys(units))
                done += 1
                if place < len(level):
                    report(done, known, f"Expanding {level[place]}")
            level = list(found)
            if not level or self.network.below(self.graph.nodes[level[0]]["layer"]) is None:
                break
            known += len(level)
        report(done, done, "Traced")


def drop_unreachable(graph: nx.DiGraph, root: str) -> None:
    """Take out, in place, the nodes from which the target cannot be reached, discarded or not."""
    graph.remove_nodes_from(set(graph) - nx.ancestors(graph, root) - {root})
