"""Named sets: units of a circuit that a person has put under one name, such as "parts of the face".

They are kept in the circuit's file, beside names and notes; a unit may be in several. They change no number.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from circuits.errors import InputError, UnknownError, listed
from circuits.naming.annotations import checked_name, tidied

if TYPE_CHECKING:
    import networkx as nx

    from circuits.tracing.circuit import Circuit

KEY = "named_sets"
"""The attribute of the graph, and the key in the file."""
MOST = 100
"""Sets of a circuit."""


@dataclass(frozen=True)
class NamedSet:
    """A name, and the ids of the nodes that it stands for."""

    name: str
    units: tuple[str, ...]


def named_sets(circuit: "Circuit") -> tuple[NamedSet, ...]:
    """The sets of a circuit in the order in which they were made, without units that are no longer in it."""
    return tuple(NamedSet(row["name"], tuple(row["units"])) for row in rows(circuit.graph))


def names_of(circuit: "Circuit", unit: str) -> list[str]:
    """The names of the sets that a unit is in, by the id of its node."""
    return [each.name for each in named_sets(circuit) if unit in each.units]


def with_named_set(circuit: "Circuit", name: str, units: Collection[str], *, before: str = "") -> "Circuit":
    """The circuit with a set of units under a name; a set that had this name already is replaced.

    Args:
        circuit: the circuit.
        name: up to 80 characters; blanks and line ends between words become one blank.
        units: ids of nodes; without any, the set is taken away.
        before: the name of the set that is changed, which then goes; "" for a new one.

    Raises:
        InputError: if the name is empty or too long, or there are more than 100 sets.
        UnknownError: if a unit is not in the circuit.

    Example:
        >>> from circuits import load_network, trace
        >>> circuit = trace(load_network(), "example:cat", depth=1, top=2)
        >>> units = [edge.source for edge in circuit.edges_into(circuit.root)]
        >>> circuit = with_named_set(circuit, "  eyes ", units)
        >>> named_sets(circuit)
        (NamedSet(name='eyes', units=('conv7:281', 'conv7:284')),)
        >>> named_sets(with_named_set(circuit, "eyes", []))
        ()
    """
    called = checked_name(name)
    if not called:
        raise InputError("A set of units needs a name; write one, such as 'parts of the face'.")
    unknown = [unit for unit in units if unit not in circuit.graph]
    if unknown:
        raise UnknownError(f"{', '.join(unknown)} is not in the circuit; it has {listed(circuit.graph.nodes)}.")
    kept: dict[str, list[str]] = {}
    for row in rows(circuit.graph):
        kept[called if row["name"] == before else row["name"]] = row["units"]
    kept |= {called: list(dict.fromkeys(units))}
    if len(kept) > MOST:
        raise InputError(f"The circuit has {MOST} named sets, which is the most; remove one first.")
    graph = circuit.unfrozen()
    graph.graph[KEY] = [{"name": each, "units": members} for each, members in kept.items() if members]
    if not graph.graph[KEY]:
        del graph.graph[KEY]
    return replace(circuit, graph=graph)


def rows(graph: "nx.DiGraph") -> list[dict[str, Any]]:
    """The sets as the file says them, without units that are not in the graph, and without sets that have no other."""
    found = [
        {"name": tidied(row["name"]), "units": [unit for unit in row["units"] if unit in graph]}
        for row in graph.graph.get(KEY, [])
    ]
    return [row for row in found if row["units"] and row["name"]]


def check(graph: "nx.DiGraph") -> None:
    """Refuse sets of a file that have one name, or name units that it lacks."""
    sets = graph.graph.get(KEY, [])
    names = [row["name"] for row in sets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"The circuit has two named sets {twice!r}; each name may stand once.")
    for row in sets:
        missing = next((unit for unit in row["units"] if unit not in graph), None)
        if missing is not None:
            raise InputError(f"The named set {row['name']!r} has the unit {missing!r}, which is not among the nodes.")
