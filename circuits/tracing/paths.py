"""Paths through a circuit."""

from math import inf, log

import networkx as nx

from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge


def strongest_path(circuit: Circuit) -> tuple[Edge, ...]:
    """The path from the target down, to a unit with none shown below it, along which the product of shares is largest.

    Args:
        circuit: the circuit.

    Returns:
        Its edges, the one into the target first; none if nothing is shown below the target.

    Example:
        >>> from circuits import load_network, trace
        >>> circuit = trace(load_network(), "example:cat", depth=2, top=2)
        >>> [edge.target for edge in strongest_path(circuit)][0] == circuit.root
        True
    """
    best: dict[str, tuple[float, Edge | None]] = {}
    for name in nx.topological_sort(circuit.graph):  # the lower ones first
        if name in circuit.visible:
            ways = ((_logarithm(circuit.share(edge)) + best[edge.source][0], edge) for edge in circuit.edges_into(name))
            best[name] = max(ways, key=lambda way: way[0], default=(0.0, None))
    path: list[Edge] = []
    while (edge := best[path[-1].source if path else circuit.root][1]) is not None:
        path.append(edge)
    return tuple(path)


def _logarithm(share: float) -> float:
    return log(abs(share)) if share else -inf
