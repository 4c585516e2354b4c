"""A graph of units that grows: one photo's activations, and the search of the layer below a unit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from circuits.attribution import MODES, Readout, gradient_down, keep_books, strongest
from circuits.circuit import Circuit
from circuits.circuit_file import number, without_books
from circuits.errors import InputError, UnknownError
from circuits.images import from_data_uri
from circuits.networks import Network
from circuits.shapes import Activation, Scores
from circuits.targets import Target, readout_of
from circuits.units import Unit

Progress = Callable[[int, int, str], None]


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

    def scores(self, name: str) -> tuple[str, float, Scores, bool]:
        """Of a node: the layer below, its value, the shares of that layer's channels, and whether bias is exact."""
        row = self.graph.nodes[name]
        lower = self.network.below(row["layer"])
        if lower is None:
            raise InputError(f"{name} lies in the lowest layer of {self.network.name}; there is nothing below it.")
        segment = self.network.segment(lower, row["layer"])
        scores = MODES[self.mode](segment, self.run.activations[lower], self.readout(name))
        exact = segment.piecewise_linear and self.mode in ("sum", "target")
        return lower, float(row["value"]), scores, exact

    def expand(self, name: str, top: int, signs: str) -> list[str]:
        """Search the layer below a node; ids of the units chosen, strongest first."""
        lower, value, scores, exact = self.scores(name)
        chosen = strongest(scores, top, signs)
        books = keep_books(value, scores, chosen, exact=exact)
        self.graph.remove_edges_from(list(self.graph.in_edges(name)))
        units = [Unit(lower, channel) for channel in chosen]
        for rank, unit in enumerate(units, start=1):
            if str(unit) not in self.graph:
                self.add(unit, str(unit), str(unit))
            self.graph.add_edge(str(unit), name, attribution=number(float(scores[unit.channel])), rank=rank)
        kept = {"id": name, **without_books(self.graph.nodes[name]), "expanded": True}
        closing = {books.bias_name: number(books.bias)}
        kept |= {"shown": number(books.shown), "rest": number(books.rest), **closing}
        kept |= {"coverage": number(books.coverage), "gross": number(books.gross)}
        self.graph.nodes[name].clear()
        self.graph.nodes[name].update({key: value for key, value in kept.items() if key != "id"})
        return [str(unit) for unit in units]

    def descend(self, tops: Sequence[int], signs: str, progress: Progress | None) -> None:
        """Expand the target, then what was found, level by level."""
        level, done, known = [self.target.id], 0, 1
        for top in tops:
            found: dict[str, None] = {}
            for name in level:
                if progress is not None:
                    progress(done, known, f"Expanding {name}")
                found.update(dict.fromkeys(self.expand(name, top, signs)))
                done += 1
            level = list(found)
            if not level or self.network.below(self.graph.nodes[level[0]]["layer"]) is None:
                break
            known += len(level)
        if progress is not None:
            progress(done, done, "Traced")
