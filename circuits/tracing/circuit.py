"""A circuit: the units found for one target and one photo, or all photos of a class: a frozen value over a graph."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import networkx as nx

from circuits.attribution.baseline import Baseline
from circuits.errors import InputError, UnknownError, listed
from circuits.files import read_text, write_atomically
from circuits.groups.dictionary import Dictionary
from circuits.image.encode import from_data_uri
from circuits.image.photo import Photo, check_window
from circuits.naming.annotations import checked_name, checked_note, checked_place
from circuits.network.predict import Prediction
from circuits.notebook import Reported
from circuits.tracing import circuit_file
from circuits.tracing.edge import Edge
from circuits.tracing.facts import CollectionInfo, NetworkInfo, PhotoInfo, TargetInfo, TraceSettings
from circuits.tracing.node import Node
from circuits.tracing.visible import visible_in
from circuits.units import Unit


@dataclass(frozen=True, eq=False)
class Circuit(Reported):
    """The weighted graph of units behind a target; never changed, only replaced.

    Args:
        graph: frozen; its attributes are those of the file, `circuits/1`.
        photo: the photo, where it is at hand; of a circuit that was read from a file, what the network saw of it. Not
            part of the value.
        cache: activations of the photo, kept by `trace` for `expand`. Not part of the value.

    Example:
        >>> from circuits import load_network, load_photo, trace
        >>> circuit = trace(load_network(), load_photo("example:cat"), "cat", depth=2, top=3)
        >>> Circuit.from_dict(circuit.to_dict()) == circuit
        True

    Two circuits are equal if their files say the same, in whatever order nodes and edges stand there.
    """

    graph: nx.DiGraph
    photo: Photo | None = field(default=None, repr=False)
    cache: object = field(default=None, repr=False)

    def __post_init__(self) -> None:
        nx.freeze(self.graph)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Circuit) and self._contents() == other._contents()

    def __hash__(self) -> int:
        return hash((self.root, frozenset(self.graph.nodes)))

    def _contents(self) -> tuple[object, ...]:
        """What the file says, without order."""
        data = self.to_dict()
        edges = {(row["source"], row["target"]): row for row in data["edges"]}
        return data["graph"], {row["id"]: row for row in data["nodes"]}, edges

    @cached_property
    def network(self) -> NetworkInfo:
        """Name, source, fingerprint, layers and piecewise linearity of the network."""
        return NetworkInfo.of_row(self.graph.graph["network"])

    @cached_property
    def photo_info(self) -> PhotoInfo:
        """Name, fingerprint, size and window of the photo, and the crop that the network saw; of a class its photos."""
        return PhotoInfo.of_row(self.graph.graph["photo"]) if self.collection is None else self.collection.as_photo

    @cached_property
    def collection(self) -> CollectionInfo | None:
        """The photos of a class that it explains together; `None` where it explains one photo."""
        return CollectionInfo.of_row(row) if (row := self.graph.graph.get("collection")) else None

    @cached_property
    def target(self) -> TargetInfo:
        """Kind, unit, label and value of what is explained."""
        return TargetInfo.of_row(self.graph.graph["target"])

    @cached_property
    def settings(self) -> TraceSettings:
        """Mode, top, signs and depth."""
        return TraceSettings.of_row(self.graph.graph["settings"])

    @cached_property
    def dictionaries(self) -> dict[str, Dictionary]:
        """By layer, the directions of those whose units are groups of channels."""
        return {name: Dictionary.of_row(row) for name, row in self.graph.graph.get("dictionaries", {}).items()}

    @cached_property
    def baseline(self) -> Baseline:
        """What its shares are measured from: zero, or the means of its units, which the file carries."""
        row = self.graph.graph.get("means")
        return Baseline.zero() if row is None else Baseline.of_row(row)

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """What the network says the photo shows."""
        rows = self.graph.graph["predictions"]
        return tuple(Prediction(row["class"], row["label"], row["logit"], row["probability"]) for row in rows)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that the circuit walks down, from the image up."""
        return self.network.layers

    @property
    def lowest(self) -> tuple[str, ...]:
        """Those of its layers that have nothing below them but the image: the first, and with branches also others."""
        return self.network.lowest or self.layers[:1]

    @cached_property
    def root(self) -> str:
        """Id of the node of the target."""
        return self.target.unit

    @cached_property
    def visible(self) -> frozenset[str]:
        """Ids of the units from which the target can be reached without passing a discarded one."""
        return visible_in(self.graph, self.root)

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """Every node by its id, the target first, discarded ones included."""
        return {name: Node.of_row(name, row, self.edges_into(name)) for name, row in self.graph.nodes(data=True)}

    @cached_property
    def extent(self) -> tuple[Unit, ...]:
        """For each layer that has nodes the highest channel, row and column that they speak of: what it must have."""
        most: dict[str, tuple[int, int, int]] = {}
        for _, row in self.graph.nodes(data=True):
            width = self.dictionaries[row["layer"]].channels if "group" in row else 1 + row["channel"]
            channel, *places = max(width - 1, row.get("minus", 0)), row["peak"], row.get("position", (0, 0))
            reached = (channel, max(place[0] for place in places), max(place[1] for place in places))
            before = most.get(row["layer"], reached)
            most[row["layer"]] = (max(before[0], reached[0]), max(before[1], reached[1]), max(before[2], reached[2]))
        return tuple(Unit(layer, channel, (row, column)) for layer, (channel, row, column) in most.items())

    def node(self, unit: Unit | str) -> Node:
        """The node of a unit, or of an id.

        Raises:
            UnknownError: if the unit is not in the circuit; the sentence lists some that are.
        """
        if str(unit) not in self.graph:
            raise UnknownError(f"{unit} is not in the circuit; it has {listed(self.graph.nodes)}.")
        return self.nodes[str(unit)]

    def edges_into(self, unit: Unit | str, *, discarded: bool = False) -> tuple[Edge, ...]:
        """Edges from the units below that are shown (with `discarded`, all that were chosen), by rank."""
        edges = [
            Edge.of_row(source, str(unit), data, self.settings.baseline)
            for source, _, data in self.graph.in_edges(str(unit), data=True)
            if discarded or not self.graph.nodes[source]["discarded"]
        ]
        return tuple(sorted(edges, key=lambda edge: edge.rank))

    def share(self, edge: Edge) -> float:
        """The signed part that an edge holds of the gross attribution to its upper unit, S_ij / Σ_j |S_ij|, -1 to 1."""
        books = self.nodes[edge.target].books
        return 0.0 if books is None else books.share(edge.attribution)

    def with_note(self, unit: Unit | str, note: str) -> "Circuit":
        """The circuit with a person's note on a unit.

        Raises:
            InputError: if the note is longer than 2000 characters.
            UnknownError: if the unit is not in the circuit.
        """
        return self.with_node(self.node(unit).id, note=checked_note(note))

    def with_name(self, unit: Unit | str, name: str) -> "Circuit":
        """The circuit with a person's own name for a unit, such as "left-facing dog head".

        Args:
            unit: one of its units, or the id of a node.
            name: blanks and line ends between words become one blank; an empty name takes the name away.

        Raises:
            InputError: if the name is longer than 80 characters.
            UnknownError: if the unit is not in the circuit.

        Example:
            >>> from circuits import load_network, trace
            >>> circuit = trace(load_network(), "example:cat", depth=1, top=1)
            >>> lower = circuit.edges_into(circuit.root)[0].source
            >>> circuit.with_name(lower, "  stripes ").node(lower).called
            'stripes'
        """
        return self.with_node(self.node(unit).id, name=checked_name(name) or None)

    def with_place(self, unit: Unit | str, place: tuple[float, float] | None) -> "Circuit":
        """The circuit with a unit locked in a place of the page, or (`None`) free to move again.

        Args:
            unit: one of its units, or the id of a node.
            place: (x, y) in whatever coordinates the page counts in.

        Raises:
            InputError: if a number is not finite or beyond ±1,000,000.
            UnknownError: if the unit is not in the circuit.
        """
        return self.with_node(self.node(unit).id, place=None if place is None else checked_place(place))

    def with_pictures(self, pictures: Mapping[str, str]) -> "Circuit":
        """The circuit with a data URI of a picture on some of its nodes, by id."""
        graph = self.unfrozen()
        for name, uri in pictures.items():
            if name in graph:
                graph.nodes[name]["picture"] = uri
        return replace(self, graph=graph)

    def with_node(self, name: str, /, **changes: object) -> "Circuit":
        """The circuit with attributes of a node changed; those that become `None` are taken away."""
        graph = self.unfrozen()
        row = graph.nodes[name]
        row.update(changes)
        for key in [key for key, value in row.items() if value is None]:
            del row[key]
        return replace(self, graph=graph)

    def unfrozen(self) -> nx.DiGraph:
        """A copy of the graph that may be changed, down to the attributes of nodes and edges."""
        graph = nx.DiGraph(**self.graph.graph)
        graph.add_nodes_from((name, dict(data)) for name, data in self.graph.nodes(data=True))
        graph.add_edges_from((source, target, dict(data)) for source, target, data in self.graph.edges(data=True))
        return graph

    def to_networkx(self) -> nx.DiGraph:
        """The graph as a copy of one's own, discarded units left out."""
        return nx.DiGraph(self.unfrozen().subgraph(self.visible))

    def to_dict(self) -> dict[str, Any]:
        """The contents of the file, `circuits/1`; `networkx.node_link_graph(data, edges="edges")` takes it."""
        return circuit_file.to_dict(self)

    @classmethod
    def from_dict(cls, data: object) -> "Circuit":
        """Read the contents of a file.

        Raises:
            InputError: if it is no circuit, of another format version, or contradicts itself; the sentence says where.
        """
        circuit = cls(circuit_file.to_graph(data))
        facts = circuit.photo_info
        window = None if facts.window is None else check_window(facts.window, facts.width, facts.height)
        if not facts.thumbnail:
            return circuit
        # What the network saw is all that a file carries of a photo.
        seen = from_data_uri(facts.thumbnail)
        size = int(facts.width), int(facts.height)
        return replace(circuit, photo=Photo(facts.name, facts.sha256, *size, seen, window, whole=False))

    def to_json_text(self) -> str:
        """The file as text."""
        return circuit_file.to_text(self.to_dict())

    def to_json(self, path: str | Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            InputError: if it cannot be written.
        """
        write_atomically(path, self.to_json_text())

    @classmethod
    def from_json(cls, path: str | Path) -> "Circuit":
        """Read a file.

        Raises:
            InputError: if there is no such file or it holds no circuit.
        """
        text = read_text(path)  # whose errors name the file
        try:
            return cls.from_dict(circuit_file.from_text(text))
        except InputError as error:
            raise InputError(f"{Path(path).name}: {error}") from error

    def to_graphml(self, path: str | Path) -> None:
        """Write the visible graph as GraphML, which Gephi, yEd and Cytoscape read; lists become JSON text.

        Raises:
            InputError: if it cannot be written.
        """
        write_atomically(path, circuit_file.to_graphml(self.to_networkx()))
