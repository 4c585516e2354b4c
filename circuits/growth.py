"""A graph of units that grows: one photo's activations, and the search of the layers below a unit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import networkx as nx
import torch

from circuits.agreement import without_joint
from circuits.attribution import Readout, attribute, gradient_down, strongest
from circuits.books import Books, keep_books
from circuits.branches import pack
from circuits.circuit import Circuit
from circuits.circuit_file import number, without_books
from circuits.errors import InputError, UnknownError
from circuits.images import from_data_uri
from circuits.layers import ends
from circuits.networks import Network
from circuits.operations import as_maps
from circuits.pieces import entrance, piece_below
from circuits.running import run_all
from circuits.segments import Segment
from circuits.shapes import Activation, Images, Scores
from circuits.targets import Target, readout_of
from circuits.units import MEASURED, Unit

Progress = Callable[[int, int, str], None]
"""Called with (done, known, what is under way); raising an exception in it cancels."""


IMAGE = ""
"""Key of the photo among a run's activations; no layer is called so."""


@dataclass(frozen=True, eq=False)
class Lower:
    """What lies below the units of a layer: the nearest layers below it, and how it is computed from them.

    Args:
        piece: from the lower layers to the upper one.
        activation: of the lower layers, and of the image if it is reached past them, packed, (1, c, h, w).
        widths: number of channels of each lower layer, by its name, in the order of the channels.
    """

    piece: Segment
    activation: Activation
    widths: dict[str, int]

    def start(self, layer: str) -> int:
        """The first channel of a lower layer."""
        names = list(self.widths)
        return sum(self.widths[name] for name in names[: names.index(layer)])

    def unit(self, channel: int) -> Unit:
        """The unit that a channel belongs to."""
        for layer, width in self.widths.items():
            if channel < width:
                return Unit(layer, channel)
            channel -= width
        raise IndexError(channel)

    @property
    def units(self) -> int:
        """Number of units; the image's colours, which come after them, are none."""
        return sum(self.widths.values())


@dataclass(eq=False)
class Run:
    """One photo's way through a network: the activation of each layer, and each target's gradient by layer.

    Where the layers form no chain, the photo itself is kept too, under `IMAGE`.
    """

    network: Network
    activations: dict[str, Activation]
    gradients: dict[tuple[str, str], Activation] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Network, image: Images) -> "Run":
        """The way of a preprocessed photo, (1, c, h, w)."""
        activations = network.activations(image)
        return cls(network, {**activations, IMAGE: image} if network.branched else activations)

    def below(self, layer: str) -> Lower:
        """What lies below the units of a layer.

        Raises:
            InputError: if there is nothing but the image.
        """
        piece, found = piece_below(self.network, layer), self.network.layer(layer)
        parts = [self.activations[name] for name in found.below]
        widths = {name: part.shape[1] for name, part in zip(found.below, parts, strict=True)}
        return Lower(piece, pack([*parts, self.activations[IMAGE]] if found.is_open else parts), widths)

    def gradient(self, target: Target, layer: str) -> Activation:
        """∂T/∂a of a layer below the target's, (1, C, H, W), along all paths; zero if none leads to the target."""
        key = (target.id, layer)
        if key not in self.gradients:
            if self.network.branched:
                self.gradients.update({(target.id, name): found for name, found in self._gradients(target).items()})
                return self.gradients[key]
            layers = self.network.layers
            above = layers[layers.index(layer) + 1]
            at_target = above == target.unit.layer
            upper = target.readout(self.network) if at_target else self.gradient(target, above)
            self.gradients[key] = gradient_down(self.network.segment(layer, above), self.activations[layer], upper)
        return self.gradients[key]

    def _gradients(self, target: Target) -> dict[str, Activation]:
        """∂T/∂a of every layer, by one pass down the whole network; zero where no path leads to the target."""
        traced, layers = self.network.traced, self.network.found
        image = self.activations[IMAGE].detach().requires_grad_()
        with torch.enable_grad():
            values = run_all(traced, {ends(traced)[0]: image}, [layer.node for layer in layers])
            value = (
                target.readout(self.network).value(as_maps(values[self.network.layer(target.unit.layer).node])).sum()
            )
            points = [values[layer.node] for layer in layers]
            found = torch.autograd.grad(value, points, allow_unused=True, materialize_grads=True)
        return {layer.name: as_maps(gradient) for layer, gradient in zip(layers, found, strict=True)}

    def readout(self, target: Target, unit: Unit, mode: str, *, is_root: bool) -> Readout:
        """The value of a unit that its edges share out; in mode `target` what it contributes to the target."""
        if is_root:
            return target.readout(self.network)
        if mode == "target":
            weights = self.gradient(target, unit.layer)[0, unit.channel]
            return Readout((unit.channel,), weights[None])
        return readout_of(self.network, unit)


def check_network(network: Network, circuit: Circuit, *, to: str) -> None:
    """Refuse another network than the one that a circuit was traced with; the sentence says what it is needed for."""
    if network.sha256 != circuit.network["sha256"]:
        known = circuit.network
        raise InputError(
            f"The circuit was traced with {known['name']} ({known['sha256'][:12]}), not with {network.name} "
            f"({network.sha256[:12]}); load that network to {to}."
        )


def run_of_circuit(network: Network, circuit: Circuit) -> Run:
    """The photo's run through the network: the one kept with the circuit, or a new one from the photo it carries."""
    check_network(network, circuit, to="expand it")
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
    return Run.of(network, network.preprocessing.from_crop(from_data_uri(thumbnail)))


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
                entrance(self.network, unit, self.graph.nodes[name]["layer"]) if len(shares.lower.widths) > 1 else None
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
