"""The middle of the page as data for `graph.js`: units with places and words, edges with widths, rows, status."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from circuits import wording
from circuits.circuit import Circuit, Node
from circuits.units import Edge
from circuits.wording import number
from dashboard.arrange import arrange
from dashboard.jobs import Report
from dashboard.sessions import Session
from dashboard.tiles import Tile

# Beyond so many edges each is drawn fainter, or they hide one another.
_MANY = 60
_FADE = 0.55


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


def graph(
    session: Session,
    tiles: Mapping[str, Tile],
    channels: Callable[[Circuit, str], int | None],
) -> dict[str, Any]:
    """Units, edges and rows of the visible circuit, ready to be drawn.

    Args:
        session: whose circuit.
        tiles: what the units show, by node id.
        channels: number of channels of a circuit's layer, or `None` if it is not known.
    """
    circuit = session.work.circuit
    if circuit is None:
        return {"circuit": "", "nodes": [], "edges": [], "rows": [], "selected": "", "edge": []}
    places = arrange(circuit)
    edges = [edge for target in places.places for edge in circuit.edges_into(target) if edge.source in circuit.visible]
    parents: dict[str, list[Edge]] = {}
    for edge in edges:
        parents.setdefault(edge.source, []).append(edge)
    busy = {ask.subject for ask in session.asks if ask.kind == "expand"}
    nodes = [
        _unit(circuit, name, parents.get(name, []), busy) | {"x": x, "y": y} | tiles.get(name, Tile("none")).facts()
        for name, (x, y) in places.places.items()
    ]
    own = circuit.network["layers"][-1]
    rows = [
        asdict(row) | {"detail": _size(channels(circuit, row.layer), row.layer == own), "title": f"Layer {row.layer}"}
        for row in places.rows
    ]
    return {
        "circuit": f"{circuit.network['sha256'][:12]}/{circuit.graph.graph['photo']['sha256'][:12]}/{circuit.root}",
        "nodes": nodes,
        "edges": [_edge(circuit, edge, fade=_FADE if len(edges) > _MANY else 1.0) for edge in edges],
        "rows": rows,
        "selected": session.work.selected,
        "edge": list(session.work.edge or ()),
    }


def share(circuit: Circuit, edge: Edge) -> float:
    """Signed share of the upper unit's gross attribution that an edge holds, -1 to 1."""
    books = circuit.nodes[edge.target].books
    return edge.attribution / books.gross if books is not None and books.gross > 0 else 0.0


def edges_from(circuit: Circuit, name: str) -> tuple[Edge, ...]:
    """The edges from a unit to the visible units above it, by the share that it holds of them, largest first."""
    into = (edge for above in circuit.visible for edge in circuit.edges_into(above))
    return tuple(sorted((e for e in into if e.source == name), key=lambda e: (-abs(share(circuit, e)), e.target)))


def edge_in_words(circuit: Circuit, edge: Edge) -> str:
    """An edge in a few words, such as `conv6:22 excites conv7:281, 4 %`."""
    lower, upper = circuit.nodes[edge.source].label, circuit.nodes[edge.target].label
    verb = "inhibits" if edge.attribution < 0 else "excites"
    return f"{lower} {verb} {upper}, {percent(abs(share(circuit, edge)))}"


def percent(part: float) -> str:
    """A signed share for people.

    Example:
        >>> percent(0.345), percent(-0.012), percent(0.0)
        ('34 %', '−1 %', '0 %')
    """
    return ("−" if part < 0 else "") + wording.percent(abs(part))


def _size(count: int | None, is_top: bool) -> str:
    return "" if count is None else f"{count} {'classes' if is_top else 'channels'}"


def _unit(circuit: Circuit, name: str, parents: Collection[Edge], busy: Collection[str]) -> dict[str, Any]:
    node = circuit.nodes[name]
    strongest = max(parents, key=lambda edge: abs(share(circuit, edge)), default=None)
    part = share(circuit, strongest) if strongest is not None else 0.0
    held = percent(node.books.coverage) if node.books is not None else ""
    root = name == circuit.root
    return {
        "id": name,
        "label": node.label if root else short(node.label),
        "root": root,
        "share": _value(node) if root else percent(part),
        "shown": held,
        "inhibits": part < 0,
        "expanded": node.expanded,
        "busy": name in busy,
        "title": _title(circuit, node, parents),
        "spoken": _spoken(circuit, node, strongest, part, held),
    }


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


def _value(node: Node) -> str:
    return f"value {number(node.value)}"


def _title(circuit: Circuit, node: Node, parents: Collection[Edge]) -> str:
    lines = [f"{node.label} ({node.id})" if node.label != node.id else node.label]
    lines.append(f"value {number(node.value)}, highest activation {number(node.max)}")
    for edge in sorted(parents, key=lambda edge: -abs(edge.attribution)):
        part = f"{number(edge.attribution, sign=True)} to {circuit.nodes[edge.target].label}"
        lines.append(f"{part}: {percent(share(circuit, edge))}, rank {edge.rank}")
    if node.books is not None:
        lines.append(f"expanded: {percent(node.books.coverage)} of its gross attribution is shown")
    return "\n".join(lines)


def _spoken(circuit: Circuit, node: Node, strongest: Edge | None, part: float, held: str) -> str:
    words = [node.label]
    if strongest is not None:
        verb = "inhibits" if part < 0 else "excites"
        words.append(f"{verb} {circuit.nodes[strongest.target].label}, {percent(abs(part))}")
    words.append(f"expanded, {held} of what is below it is shown" if held else "not expanded")
    return ", ".join(words)


def _edge(circuit: Circuit, edge: Edge, *, fade: float) -> dict[str, Any]:
    part = share(circuit, edge)
    strength = abs(part) ** 0.5
    return {
        "source": edge.source,
        "target": edge.target,
        "share": percent(part),
        "spoken": edge_in_words(circuit, edge),
        "inhibits": edge.attribution < 0,
        "width": round(1.2 + 15.0 * strength, 2),
        "strength": round(fade * min(0.9, 0.35 + 0.7 * strength), 3),
    }


def status(session: Session, tracing: Report, rendering: Report, *, missing: int, failed: int) -> Status:
    """The status line: what is worked out, what is rendered, or what there is.

    Args:
        session: whose page.
        tracing: the owner's report of the lane that answers asks.
        rendering: the owner's report of the lane that renders pictures.
        missing: visible units without a picture.
        failed: those of them whose rendering failed.
    """
    if session.asks:
        text = tracing.label or "Waiting for the network"
        done = tracing.progress if tracing.total else 0.0
        return Status(f"{text} …", done, 1.0, live=True, can_cancel=True)
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
    edges = sum(edge.source in circuit.visible for name in circuit.visible for edge in circuit.edges_into(name))
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
