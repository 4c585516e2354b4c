"""A circuit: the units found for one photo and one target, as a frozen value over a directed graph."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import networkx as nx

from circuits.attribution.agreement import Agreement
from circuits.attribution.decomposition import Books
from circuits.errors import InputError, UnknownError, listed
from circuits.files import read_text, write_atomically
from circuits.image.encode import from_data_uri
from circuits.image.photo import Photo, check_window
from circuits.network.predict import Prediction
from circuits.notebook import Reported
from circuits.tracing import circuit_file
from circuits.tracing.annotations import checked_name, checked_note, checked_place
from circuits.units import Edge, Unit


@dataclass(frozen=True)
class Node(Reported):
    """One unit of a circuit.

    Args:
        id: unique in the circuit: the unit's address, or `fc:3-5` for the difference of two classes.
        unit: its address (of the first class, for a difference).
        label: what to call it.
        value: sum of its activation over its positions (mode `target`: its share of the target).
        max: its highest activation.
        peak: (row, column) of the highest.
        expanded: whether the layer below was searched.
        discarded: whether a person threw it out.
        note: a person's note.
        books: value = shown + rest + bias, if expanded; only units that are visible count as shown.
        picture: data URI of its feature visualisation, if the file carries one.
        name: what a person calls it; empty if nobody named it.
        place: (x, y) where a person locked it on the page; `None` where it may move.
        measured: how well the attributions below it agree with ablation, by baseline, if `measure` has been asked.
    """

    id: str
    unit: Unit
    label: str
    value: float
    max: float
    peak: tuple[int, int]
    expanded: bool
    discarded: bool
    note: str
    books: Books | None
    picture: str | None = field(default=None, repr=False)
    name: str = ""
    place: tuple[float, float] | None = None
    measured: tuple[Agreement, ...] = ()

    @property
    def called(self) -> str:
        """The name that a person gave it, else its label."""
        return self.name or self.label


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
        return isinstance(other, Circuit) and self._said() == other._said()

    def __hash__(self) -> int:
        return hash((self.root, frozenset(self.graph.nodes)))

    def _said(self) -> tuple[object, ...]:
        """What the file says, without order."""
        data = self.to_dict()
        edges = {(row["source"], row["target"]): row for row in data["edges"]}
        return data["graph"], {row["id"]: row for row in data["nodes"]}, edges

    @property
    def network(self) -> dict[str, Any]:
        """Name, source, fingerprint, layers and piecewise linearity of the network."""
        return dict(self.graph.graph["network"])

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that the circuit walks down, from the image up."""
        return tuple(self.graph.graph["network"]["layers"])

    @property
    def lowest(self) -> tuple[str, ...]:
        """Those of its layers that have nothing below them but the image: the first, and with branches also others."""
        return tuple(self.graph.graph["network"].get("lowest", self.layers[:1]))

    @property
    def target(self) -> dict[str, Any]:
        """Kind, unit, label and value of what is explained."""
        return dict(self.graph.graph["target"])

    @property
    def settings(self) -> dict[str, Any]:
        """Mode, top, signs and depth."""
        return dict(self.graph.graph["settings"])

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """What the network says the photo shows."""
        rows = self.graph.graph["predictions"]
        return tuple(Prediction(row["class"], row["label"], row["logit"], row["probability"]) for row in rows)

    @property
    def root(self) -> str:
        """Id of the node of the target."""
        return str(self.graph.graph["target"]["unit"])

    @cached_property
    def visible(self) -> frozenset[str]:
        """Ids of the units from which the target can be reached without passing a discarded one."""
        kept = {self.root}
        waiting = [self.root]
        while waiting:
            for lower in self.graph.predecessors(waiting.pop()):
                if lower not in kept and not self.graph.nodes[lower]["discarded"]:
                    kept.add(lower)
                    waiting.append(lower)
        return frozenset(kept)

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """Every node by its id, the target first, discarded ones included."""
        return {name: self._node(name, data) for name, data in self.graph.nodes(data=True)}

    def _node(self, name: str, data: Mapping[str, Any]) -> Node:
        position = data.get("position")
        unit = Unit(data["layer"], data["channel"], None if position is None else (position[0], position[1]))
        books, edges = None, self.edges_into(name)
        shown = [edge.source for edge in edges]
        if data["expanded"]:
            exact = "bias" in data
            closing = data["bias" if exact else "remainder"]
            whole = Books(data["value"], 0.0, 0.0, closing, 0.0, data["gross"], exact)
            books = whole.showing([edge.attribution for edge in edges])
        return Node(
            name,
            unit,
            data["label"],
            data["value"],
            data["max"],
            (data["peak"][0], data["peak"][1]),
            data["expanded"],
            data["discarded"],
            data["note"],
            books,
            data.get("picture"),
            data.get("name", ""),
            (data["place"][0], data["place"][1]) if "place" in data else None,
            tuple(Agreement.of_row(row, shown) for row in data.get("measured", ())),
        )

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
            Edge.of_row(source, str(unit), data)
            for source, _, data in self.graph.in_edges(str(unit), data=True)
            if discarded or not self.graph.nodes[source]["discarded"]
        ]
        return tuple(sorted(edges, key=lambda edge: edge.rank))

    def with_note(self, unit: Unit | str, note: str) -> "Circuit":
        """The circuit with a person's note on a unit.

        Raises:
            InputError: if the note is longer than 2000 characters.
            UnknownError: if the unit is not in the circuit.
        """
        return self._with_node(self.node(unit).id, note=checked_note(note))

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
        return self._with_node(self.node(unit).id, name=checked_name(name) or None)

    def with_place(self, unit: Unit | str, place: tuple[float, float] | None) -> "Circuit":
        """The circuit with a unit locked in a place of the page, or (`None`) free to move again.

        Args:
            unit: one of its units, or the id of a node.
            place: (x, y) in whatever coordinates the page counts in.

        Raises:
            InputError: if a number is not finite or beyond ±1,000,000.
            UnknownError: if the unit is not in the circuit.
        """
        return self._with_node(self.node(unit).id, place=None if place is None else checked_place(place))

    def with_pictures(self, pictures: Mapping[str, str]) -> "Circuit":
        """The circuit with a data URI of a picture on some of its nodes, by id."""
        graph = self.unfrozen()
        for name, uri in pictures.items():
            if name in graph:
                graph.nodes[name]["picture"] = uri
        return replace(self, graph=graph)

    def _with_node(self, name: str, /, **changes: object) -> "Circuit":
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
        """The contents of the file, `circuits/1`; `networkx.node_link_graph` takes it as it is."""
        return circuit_file.to_dict(self)

    @classmethod
    def from_dict(cls, data: object) -> "Circuit":
        """Read the contents of a file.

        Raises:
            InputError: if it is no circuit, of another format version, or contradicts itself; the sentence says where.
        """
        graph = circuit_file.to_graph(data)
        facts = graph.graph["photo"]
        window = facts.get("window")
        if window is not None:
            window = check_window(window, facts["width"], facts["height"])
        photo = None
        if "thumbnail" in facts:
            # What the network saw is all that a file carries of a photo.
            seen = from_data_uri(facts["thumbnail"])
            size = int(facts["width"]), int(facts["height"])
            photo = Photo(facts["name"], facts["sha256"], *size, seen, window, whole=False)
        return cls(graph, photo)

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
        try:
            return cls.from_dict(circuit_file.from_text(read_text(path)))
        except InputError as error:
            raise InputError(f"{Path(path).name}: {error}") from error

    def to_graphml(self, path: str | Path) -> None:
        """Write the visible graph as GraphML, which Gephi, yEd and Cytoscape read; lists become JSON text.

        Raises:
            InputError: if it cannot be written.
        """
        write_atomically(path, circuit_file.to_graphml(self.to_networkx()))
