"""The middle of the page as data for `graph.js`: what is chosen in the drawing, and the status line."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from circuits.tracing.circuit import Circuit
from circuits.tracing.groups import dictionaries_key
from circuits.tracing.named_sets import named_sets
from dashboard.session.state import Request, Session

if TYPE_CHECKING:
    from dashboard.features.graph.drawing import Drawing  # lies above
from dashboard.features.graph.actions import Levels, OnLayer
from dashboard.features.graph.set_actions import marked
from dashboard.library import closed
from dashboard.session.actions import OnUnit


def graph(session: Session, drawing: "Drawing | None", had: str = "") -> dict[str, Any]:
    """What is drawn of a session: the units, edges and rows of its circuit, and what is chosen among them.

    Args:
        session: whose circuit.
        drawing: of the circuit; `None` without one.
        had: key of the drawing that the page has; its units, edges and rows are then left out.
    """
    same = drawing is not None and drawing.key == had
    found: dict[str, Any] = {
        "page": session.showing.page,
        "weak": session.showing.weak,
        "locked": session.work.locked,
        "means": session.work.of_class,
        "spot": list(session.work.spot or ()),
        "drawing": drawing.key if drawing is not None else "",
        "circuit": "",
        "selected": "",
        "edge": [],
        "busy": [],
        "asking": bool(session.requests),
        "marked": [],
        "sets": [],
        "nodes": None if same else [],
        "edges": None if same else [],
        "rows": None if same else [],
    }
    if drawing is None:
        return found
    circuit, work, stands = drawing.circuit, session.work, drawing.fold.stands
    facts = circuit.network.sha256[:12], circuit.photo_info.sha256[:12], circuit.root, dictionaries_key(circuit)[:12]
    found["circuit"] = "/".join(filter(None, facts))  # groups of other directions have the same ids
    found["selected"] = "" if work.edge else stands(work.selected)
    found["edge"] = [stands(name) for name in work.edge or ()]
    found["marked"] = sorted({stands(name) for name in marked(session)})
    found["sets"] = [asdict(each) for each in named_sets(circuit)]
    found["busy"] = sorted({stands(name) for request in session.requests for name in expanding(circuit, request)})
    if not same:
        found |= {"nodes": drawing.nodes, "edges": drawing.edges, "rows": drawing.rows}
    return found


def expanding(circuit: Circuit, request: Request) -> list[str]:
    """Ids of the units that a request expands."""
    payload = request.payload
    if isinstance(payload, OnUnit) and request.kind == "expand":
        return [payload.unit]
    if not isinstance(payload, OnLayer | Levels):
        return []
    return closed(circuit, payload.layer if isinstance(payload, OnLayer) else None)
