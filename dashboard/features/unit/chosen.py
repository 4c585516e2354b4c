"""What the browser needs for the parts of the right pane that it makes itself: name and note, and what if."""

from dashboard.library import Explorer
from dashboard.session.selection import stranger
from dashboard.session.state import Session


def naming(session: Session, explorer: Explorer) -> dict[str, str] | None:
    """The chosen unit with its name and note as they are kept; `None` if none of the circuit's is chosen."""
    work = session.work
    if stranger(session, explorer) is not None:
        return None
    if work.circuit is None or work.edge is not None or work.selected not in work.circuit.nodes:
        return None
    node = work.circuit.nodes[work.selected]
    return {"id": node.id, "label": node.label, "name": node.name, "note": node.note}
