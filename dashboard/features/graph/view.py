"""The middle of the page as data for `graph.js`: what is chosen in the drawing, and the status line."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circuits.report import text as wording
from circuits.tracing.circuit import Circuit
from circuits.units import Edge
from dashboard.session.state import Ask, Session
from dashboard.work.queue import Report

if TYPE_CHECKING:
    from dashboard.features.graph.drawing import Drawing  # lies above


@dataclass(frozen=True)
class Status:
    """The line at the bottom of the page.

    Args:
        text: what goes on.
        done: finished part of `total`.
        total: of the progress bar.
        live: something goes on, so the page must ask again.
        can_cancel: there is something to cancel.
        can_resume: pictures are missing because the person cancelled.
    """

    text: str
    done: float = 0.0
    total: float = 1.0
    live: bool = False
    can_cancel: bool = False
    can_resume: bool = False


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
        "spot": list(session.work.spot or ()),
        "drawing": drawing.key if drawing is not None else "",
        "circuit": "",
        "selected": "",
        "edge": [],
        "busy": [],
        "nodes": None if same else [],
        "edges": None if same else [],
        "rows": None if same else [],
    }
    if drawing is None:
        return found
    circuit, work, stands = drawing.circuit, session.work, drawing.fold.stands
    found["circuit"] = "/".join((circuit.network.sha256[:12], circuit.photo_info.sha256[:12], circuit.root))
    found["selected"] = stands(work.selected)
    found["edge"] = [stands(name) for name in work.edge or ()]
    found["busy"] = sorted({stands(name) for ask in session.asks for name in expanding(circuit, ask)})
    if not same:
        found |= {"nodes": drawing.nodes, "edges": drawing.edges, "rows": drawing.rows}
    return found


def expanding(circuit: Circuit, ask: Ask) -> list[str]:
    """Ids of the units that an ask expands."""
    if ask.kind == "expand":
        return [ask.subject]
    if ask.kind not in ("level", "grow"):
        return []
    return closed(circuit, ask.subject if ask.kind == "level" else None)


def closed(circuit: Circuit, layer: str | None = None) -> list[str]:
    """Ids of the visible units, of one layer or of all, that are not expanded although something lies below them."""
    nodes = (circuit.nodes[name] for name in circuit.visible)
    return [
        node.id
        for node in nodes
        if not node.expanded and node.unit.layer not in circuit.lowest and layer in (None, node.unit.layer)
    ]


def edges_from(circuit: Circuit, name: str) -> tuple[Edge, ...]:
    """The edges from a unit to the visible units above it, by the share that it holds of them, largest first."""
    if name not in circuit.nodes or circuit.nodes[name].discarded:
        return ()
    found = [
        Edge.of_row(name, above, data)
        for _, above, data in circuit.graph.out_edges(name, data=True)
        if above in circuit.visible
    ]
    return tuple(sorted(found, key=lambda edge: (-abs(circuit.share(edge)), edge.target)))


def edge_in_words(circuit: Circuit, edge: Edge) -> str:
    """An edge in a few words, such as `conv6:22 excites conv7:281, 4 %`."""
    lower, upper = circuit.nodes[edge.source].called, circuit.nodes[edge.target].called
    verb = "inhibits" if edge.attribution < 0 else "excites"
    return f"{lower} {verb} {upper}, {percent(abs(circuit.share(edge)))}"


def percent(part: float) -> str:
    """A signed share for people.

    Example:
        >>> percent(0.345), percent(-0.012), percent(0.0)
        ('34 %', '−1 %', '0 %')
    """
    return ("−" if part < 0 else "") + wording.percent(abs(part))


def short(label: str) -> str:
    """A label that fits under a picture: of a long address only the channel, for its row names the layer.

    Example:
        >>> short("conv4:17"), short("features.denseblock4:17")
        ('conv4:17', '…:17')
    """
    if len(label) <= 11:
        return label
    _, colon, channel = label.rpartition(":")
    return f"…:{channel}" if colon and len(channel) <= 9 else f"{label[:10]}…"


def status(
    session: Session,
    tracing: Report,
    rendering: Report,
    scoring: Report | None = None,
    *,
    missing: int,
    failed: int,
) -> Status:
    """The status line: what is worked out, what is scored, what is rendered, or what there is.

    Args:
        session: whose page.
        tracing: the owner's report of the lane that answers asks.
        rendering: the owner's report of the lane that renders pictures.
        scoring: the owner's report of the lane that scores circuits.
        missing: visible units without a picture.
        failed: those of them whose rendering failed.
    """
    if session.asks:
        text = tracing.label or "Waiting for the network"
        done = tracing.progress if tracing.total else 0.0
        return Status(f"{text} …", done, 1.0, live=True, can_cancel=True)
    if scoring is not None and scoring.state != "idle":
        text = f"{scoring.label} …" if scoring.state == "running" else "Waiting to score the circuit"
        return Status(text, scoring.done + scoring.progress, scoring.total, live=True, can_cancel=True)
    if rendering.state == "running":
        text = f"Rendering {rendering.label} ({min(rendering.done + 1, rendering.total)} of {rendering.total})"
        return Status(
            text + remaining(rendering.seconds_left), rendering.done + rendering.progress, rendering.total,
            live=True, can_cancel=True,
        )  # fmt: skip
    if rendering.state == "queued":
        count = rendering.total - rendering.done
        text = f"Waiting for the renderer; {count} picture{_s(count)} to go"
        return Status(text, rendering.done, rendering.total, live=True, can_cancel=True)
    if missing and session.paused:
        return Status(f"Rendering cancelled; {missing} picture{_s(missing)} missing", can_resume=True)
    if failed:
        return Status(f"{failed} picture{_s(failed)} could not be rendered; the server's log says why")
    return Status(summary(session))


def summary(session: Session) -> str:
    """What the page shows, when nothing goes on."""
    circuit = session.work.circuit
    if circuit is None:
        return "Ready" if session.work.photo is not None else "Choose a photo to begin"
    units = len(circuit.visible)
    visible = circuit.visible
    edges = sum(lower in visible and upper in visible for lower, upper in circuit.graph.edges)
    return f"{units} unit{_s(units)}, {edges} edge{_s(edges)}"


def remaining(seconds: float | None) -> str:
    """Time left for people, to the precision that it is known.

    Example:
        >>> remaining(None), remaining(3.2), remaining(48), remaining(200)
        ('', ', a few seconds left', ', about 50 s left', ', about 3 min left')
    """
    if seconds is None:
        return ""
    if seconds < 5:
        return ", a few seconds left"
    if seconds < 90:
        return f", about {max(10, round(seconds / 10) * 10)} s left"
    return f", about {round(seconds / 60)} min left"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
