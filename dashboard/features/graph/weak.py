"""What is left of a circuit when its weak edges are hidden, as `weak.js` works it out in the browser.

What is in no group of a layer is always shown.
"""

from circuits.tracing.circuit import Circuit
from circuits.tracing.visible import reaching
from circuits.units import is_residual


def reached(circuit: Circuit, weak: float) -> frozenset[str]:
    """Ids of the units that are reached from the target along edges that are not hidden.

    Args:
        circuit: the circuit.
        weak: edges whose share of the upper unit's gross attribution is smaller, in percent, are hidden.
    """
    strong = {
        (edge.source, edge.target)
        for name in circuit.visible
        for edge in circuit.edges_into(name)
        if abs(circuit.share(edge)) * 100 >= weak or is_residual(edge.source)
    }
    return reaching(circuit.graph, circuit.root, followed=lambda lower, upper: (lower, upper) in strong)


def coverage(circuit: Circuit, weak: float) -> tuple[float, float]:
    """What is still shown of a unit's gross attribution, and what is shown with all edges, on average.

    Both are means of Σ |S| / gross over the expanded units that are left: the first over the edges that are not hidden.
    """
    kept = whole = expanded = 0.0
    for name in reached(circuit, weak):
        books = circuit.nodes[name].books
        if books is None or not books.gross:
            continue
        expanded += 1
        edges = circuit.edges_into(name)
        shares = [abs(circuit.share(edge)) for edge in edges]
        whole += sum(shares)
        pairs = zip(shares, edges, strict=True)
        kept += sum(part for part, edge in pairs if part * 100 >= weak or is_residual(edge.source))
    return (kept / expanded, whole / expanded) if expanded else (0.0, 0.0)
