"""What a circuit file says in one place must agree with what it says in another."""

from collections.abc import Mapping
from typing import Any

import networkx as nx

from circuits.attribution.baseline import Baseline
from circuits.attribution.decomposition import CLOSING
from circuits.errors import InputError
from circuits.groups.dictionary import Dictionary
from circuits.tracing import named_sets
from circuits.tracing.edge import SAMPLED
from circuits.tracing.node import address_of

_CLOSED, _LEAST = 1e-3, 1e-5


def check_consistent(graph: nx.DiGraph) -> None:
    """Refuse the graph of a file that contradicts itself.

    Raises:
        InputError: if it does; the sentence says where.
    """
    named_sets.check(graph)
    layers = {name: height for height, name in enumerate(graph.graph["network"]["layers"])}
    _check_dictionaries(graph, layers)
    _check_means(graph)
    _check_target(graph)
    _check_sampled(graph)
    for name, row in graph.nodes(data=True):
        if row["layer"] not in layers:
            raise InputError(f"The node {name!r} lies in layer {row['layer']!r}, which the circuit's network lacks.")
        if "minus" not in row:
            _check_address(name, row)
        if "group" in row:
            _check_group(name, row, graph.graph.get("dictionaries", {}))
        needed = {"shown", "rest", "coverage", "gross"} if row["expanded"] else set()
        if not needed <= row.keys() or row["expanded"] != (len(row.keys() & set(CLOSING)) == 1):
            raise InputError(f"The node {name!r} must have all of its books, and only if it is expanded.")
        if row["expanded"]:
            _check_books(name, row)
        if "measured" in row and not row["expanded"]:
            raise InputError(f"The node {name!r} was measured but is not expanded; only what is expanded can be.")
    for source, target in graph.edges:
        if layers[graph.nodes[source]["layer"]] >= layers[graph.nodes[target]["layer"]]:
            raise InputError(f"The edge {source} → {target} does not go up the network.")


def _check_books(name: str, row: Mapping[str, Any]) -> None:
    """Refuse a decomposition that does not add up to its value, by more than numbers of few digits may be off."""
    parts = [row["shown"], row["rest"], row.get("residual", 0.0), *(row[part] for part in CLOSING if part in row)]
    if abs(sum(parts) - row["value"]) > _CLOSED * (abs(row["value"]) + row["gross"] + sum(map(abs, parts))) + _LEAST:
        raise InputError(
            f"The node {name!r} has the value {row['value']:.6g}, and its books add up to {sum(parts):.6g}; trace it "
            "again."
        )


def _check_sampled(graph: nx.DiGraph) -> None:
    """Refuse what is said of several photos, in the circuit of one."""
    if "collection" in graph.graph:
        return
    rows = [(f"node {name!r}", row) for name, row in graph.nodes(data=True)]
    rows += [(f"edge {source} → {target}", row) for source, target, row in graph.edges(data=True)]
    for called, row in rows:
        if not row.keys().isdisjoint(SAMPLED):
            raise InputError(f"The {called} speaks of several photos, and the circuit is that of one.")


def _check_dictionaries(graph: nx.DiGraph, layers: Mapping[str, int]) -> None:
    """Refuse dictionaries that are none, each looked at once."""
    for layer, row in graph.graph.get("dictionaries", {}).items():
        if layer not in layers:
            raise InputError(f"The file has a dictionary of layer {layer!r}, which the circuit's network lacks.")
        try:
            Dictionary.of_row(row)
        except InputError as error:
            raise InputError(f"The dictionary of layer {layer!r} cannot be used: {error}") from error


def _check_means(graph: nx.DiGraph) -> None:
    """Refuse means that are none, or not those that the shares are measured from."""
    means, layers = graph.graph.get("means"), graph.graph["network"]["layers"]
    if (graph.graph["settings"].get("baseline") == "mean") != (means is not None):
        raise InputError("The circuit says that shares are measured from means and has none, or the other way round.")
    if means is not None and set(Baseline.of_row(means).means) != set(layers[:-1]):
        raise InputError("The circuit's means are not those of its network's layers below the top one; trace it again.")


def _check_target(graph: nx.DiGraph) -> None:
    kind, root = graph.graph["target"]["kind"], graph.graph["target"]["unit"]
    if root not in graph:
        raise InputError(f"The circuit's target {root!r} is not among its nodes.")
    row, top = graph.nodes[root], graph.graph["network"]["layers"][-1]
    if row["discarded"]:
        raise InputError(f"The circuit's target {root!r} is discarded; it is what the circuit explains.")
    fits = {
        "difference": "minus" in row,
        "class": row["layer"] == top and "minus" not in row and "@" not in root,
        "neuron": "@" in root,
        "unit": "@" not in root and "minus" not in row,
    }
    if not fits[kind]:
        raise InputError(f"The circuit's target {root!r} is no {kind}, as the file says; trace it again.")


def _check_address(name: str, row: dict[str, Any]) -> None:
    kind = "group" if "group" in row else "channel"
    unit = address_of(row)
    if str(unit) != name:
        raise InputError(
            f"The node {name!r} says that it is {kind} {row[kind]} of layer {row['layer']!r}, unlike its id; trace it "
            "again."
        )


def _check_group(name: str, row: dict[str, Any], dictionaries: dict[str, Any]) -> None:
    """Refuse a group that the file has no direction of."""
    dictionary = dictionaries.get(row["layer"])
    if dictionary is None:
        raise InputError(
            f"The node {name!r} is a group of layer {row['layer']!r}, of which the file has no dictionary."
        )
    groups = len(dictionary["directions"])
    if row["group"] != "rest" and row["group"] >= groups:
        raise InputError(f"The node {name!r} is not there: the dictionary of {row['layer']!r} has {groups} groups.")
