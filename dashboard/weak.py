"""What is left of a circuit when its weak edges are hidden, as `weak.js` works it out in the browser."""

from circuits.circuit import Circuit
from dashboard.view import share

STRONGEST = 30
"""The largest share, in percent, that can be hidden."""


def reached(circuit: Circuit, weak: float) -> frozenset[str]:
    """Ids of the units that are reached from the target along edges that are not hidden.

    Args:
        circuit: the circuit.
        weak: edges whose share of the upper unit's gross attribution is smaller, in percent, are hidden.
    """
    kept = {circuit.root}
    waiting = [circuit.root]
    while waiting:
        for edge in circuit.edges_into(waiting.pop()):
            strong = abs(share(circuit, edge)) * 100 >= weak
            if strong and edge.source in circuit.visible and edge.source not in kept:
                kept.add(edge.source)
                waiting.append(edge.source)
    return frozenset(kept)


def coverage(circuit: Circuit, weak: float) -> tuple[float, float]:
    """What the edges hold that are not hidden, and what all edges of the same units hold, of their gross attribution.

    Both are Σ |S| / Σ gross over the expanded units that are still shown: the first over the edges that are left.
    """
    kept = whole = gross = 0.0
    for name in reached(circuit, weak):
        books = circuit.nodes[name].books
        if books is None:
            continue
        gross += books.gross
        for edge in circuit.edges_into(name):
            whole += abs(edge.attribution)
            kept += abs(edge.attribution) if abs(share(circuit, edge)) * 100 >= weak else 0.0
    return (kept / gross, whole / gross) if gross else (0.0, 0.0)
