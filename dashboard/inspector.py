"""The right pane as Dash components: the chosen unit, made from the session and what the library said of it."""

from typing import Any

from dash import dcc, html

from circuits.circuit import Circuit, Node
from circuits.images import to_data_uri
from circuits.wording import number
from dashboard import figures
from dashboard.edge_panel import edge_link
from dashboard.elsewhere import elsewhere
from dashboard.findings import Breakdown, Inspection, Spot
from dashboard.frames import Pane, figure
from dashboard.in_photo import in_photo, marked
from dashboard.panels import attributes, button
from dashboard.sessions import Session
from dashboard.tiles import DEAD, Tile
from dashboard.topics import Found
from dashboard.view import edges_from, percent, share

Component = Any
_ABOVE = 4


def unit(
    session: Session, inspection: Inspection | None, tile: Tile, activation: float | None, found: Found | None = None
) -> Pane:
    """The right pane: the chosen unit, or what can be done when none is chosen.

    Args:
        session: whose unit.
        inspection: what the library says of it, if one is chosen.
        tile: what it shows.
        activation: what its picture reached, if that is known.
        found: evidence for it, by topic.
    """
    found = found or {}
    circuit = session.work.circuit
    if circuit is None or inspection is None or session.work.selected not in circuit.nodes:
        return Pane([*_notice(session), *_nothing_chosen(circuit)], foot=_discarded(circuit))
    node = circuit.nodes[session.work.selected]
    busy = any(ask.kind == "expand" and ask.subject == node.id for ask in session.asks)
    head = [
        *_notice(session),
        html.H2(node.label, className="unit-title"),
        html.P(_address(node, circuit), className="muted small"),
        *_part_of(node, circuit),
        _facts(node, inspection),
        *_deeds(node, circuit, inspection, busy=busy, locked=session.work.locked),
    ]
    reached = activation if tile.state == "ready" else None
    return Pane(
        head,
        [_looks_for(node, tile, activation, locked=session.work.locked)],
        [_fired(node, inspection, marked(found))],
        _contributions(node, circuit, inspection),
        [*in_photo(node, circuit, found, session.looking), *elsewhere(node, found, reached)],
        _discarded(circuit),
    )


def _notice(session: Session) -> list[Component]:
    locked = session.work.locked
    return [html.P(locked, className="notice", role="note")] if locked else []


def _address(node: Node, circuit: Circuit) -> str:
    if node.id == circuit.root:
        return f"{node.id}, the target of this circuit"
    return f"layer {node.unit.layer}, channel {node.unit.channel}"


def _part_of(node: Node, circuit: Circuit) -> list[Component]:
    """Which units above it this one is part of, and how much of them it holds; each can be chosen."""
    edges = edges_from(circuit, node.id)
    if not edges:
        return []
    words: list[Component] = ["Holds "]
    for edge in edges[:_ABOVE]:
        label = circuit.nodes[edge.target].label
        link = html.Button(
            label, type="button", className="link", **attributes(data_action="select", data_arg=edge.target)
        )
        words += [edge_link(circuit, edge, percent(share(circuit, edge))), " of ", link, ", "]
    words[-1] = f" and of {len(edges) - _ABOVE} more." if len(edges) > _ABOVE else "."
    return [html.P(words, className="small part-of")]


def _facts(node: Node, inspection: Inspection) -> Component:
    value = "share of the target" if inspection.in_target_units else "value"
    facts = [(value, number(node.value)), ("highest activation", number(node.max))]
    if node.peak != (0, 0) or node.max != node.value:
        facts.append(("at row, column", f"{node.peak[0]}, {node.peak[1]}"))
    return html.Dl([html.Div([html.Dt(word), html.Dd(value)]) for word, value in facts], className="facts")


def _deeds(node: Node, circuit: Circuit, inspection: Inspection, *, busy: bool, locked: str) -> list[Component]:
    label = "Expanding …" if busy else "Show 5 more" if node.expanded else "Expand"
    blocked = busy or bool(inspection.frozen)
    root = node.id == circuit.root
    expand = button(
        label, "more" if node.expanded else "expand", node.id, disabled=blocked,
        className="" if node.expanded else "main",
        title="" if blocked else "Find the units of the layer below that this one is made of (e)",
    )  # fmt: skip
    drop = button("Discard", "discard", node.id, disabled=root, title="Drop this unit from the circuit (x)")
    reasons = [inspection.frozen] if inspection.frozen not in ("", locked) else []
    if root:
        reasons.append("The target itself cannot be discarded.")
    return [html.Div([expand, drop], className="deeds"), *[html.P(reason, className="reason") for reason in reasons]]


def _fired(node: Node, inspection: Inspection, marks: tuple[Spot, ...]) -> Component:
    """Where it fired, over the photo, with its highest places marked."""
    heat = to_data_uri(inspection.heat) if inspection.heat is not None else ""
    where = f"activation up to {number(node.max)} in this photo, at row {node.peak[0]}, column {node.peak[1]}"
    if _is_scalar(node):
        where = f"activation {number(node.max)} in this photo: one value, it sees all of it"
    spoken = f"Where {node.label} fired, over the photo"
    return figure("Where it fired", heat, spoken, where, "needs the photo and its network", marks=marks)


def _looks_for(node: Node, tile: Tile, activation: float | None, *, locked: str) -> Component:
    """The unit's picture with the activation that it reaches, an unfinished one, or why there is none."""
    title, spoken = "What it looks for", f"What {node.label} looks for"
    if tile.state == "drawing":
        return figure(title, tile.picture, f"{spoken}, unfinished", tile.said, "", unfinished=tile.drawn)
    if tile.state == "dead":
        return figure(title, "", spoken, _although(node, activation), DEAD)
    reached = "drawn for this unit"
    if activation is not None:
        reached = f"activation {'' if _is_scalar(node) else 'up to '}{number(activation)} in this picture"
    missing = "on its way …" if tile.state == "waiting" else "the file has none" if locked else "not drawn yet"
    return figure(title, tile.picture, spoken, reached if tile.picture else "", missing)


def _although(node: Node, activation: float | None) -> str:
    """That a search which found nothing does not say that there is nothing."""
    best = "" if activation is None else f"the search reached an activation of {number(activation)}"
    return f"{best}; this photo does excite it".removeprefix("; ") if node.max > 0 else best


def _is_scalar(node: Node) -> bool:
    return node.peak == (0, 0) and node.max == node.value


def _contributions(node: Node, circuit: Circuit, inspection: Inspection) -> list[Component]:
    broken = inspection.breakdown
    if broken is None:
        return []
    title = "What it is made of" if broken.expanded else "What it is made of, not yet in the graph"
    chart = dcc.Graph(
        figure=figures.contributions(broken), config={"displayModeBar": False, "responsive": True},
        style={"height": f"{figures.contributions(broken)['layout']['height']}px"}, className="chart",
    )  # fmt: skip
    return [
        html.H2(title, title=f"Attributions of {node.label}"),
        chart,
        html.P(books_in_words(broken, in_target_units=inspection.in_target_units), className="books muted"),
        *_edges_below(node, circuit),
    ]


def _edges_below(node: Node, circuit: Circuit) -> list[Component]:
    """The edges into a unit, each of which can be chosen."""
    edges = [edge for edge in circuit.edges_into(node.id) if edge.source in circuit.visible]
    if not edges:
        return []
    rows = [
        html.Li(edge_link(circuit, edge, f"{circuit.nodes[edge.source].label} {percent(share(circuit, edge))}"))
        for edge in edges
    ]
    return [html.Div([html.Span("Its edges:", className="muted"), html.Ul(rows)], className="edges-below small")]


def books_in_words(broken: Breakdown, *, in_target_units: bool) -> str:
    """How much of the answer the named units hold, and what the last bars mean."""
    count = len(broken.parts)
    if count == 0:
        words = "No unit is shown; everything is in the rest."
    else:
        which = "This unit holds" if count == 1 else f"These {count} units hold"
        words = f"{which} {percent(broken.coverage)} of the gross attribution."
    if not broken.exact:
        words += (
            " The remainder is what is left over: this mode, or a curved step such as GELU or softmax, "
            "does not split the value exactly."
        )
    if in_target_units:
        words += " Attributions are in units of the target."
    return words


def _discarded(circuit: Circuit | None) -> list[Component]:
    dropped = [node for node in circuit.nodes.values() if node.discarded] if circuit is not None else []
    if not dropped:
        return []
    rows = []
    for node in dropped:
        restore = button("Restore", "restore", node.id, **attributes(aria_label=f"restore {node.label}"))
        rows.append(html.Li([html.Span(node.label), restore]))
    return [html.H2(f"Discarded ({len(dropped)})"), html.Ul(rows, className="discarded")]


def _nothing_chosen(circuit: Circuit | None) -> list[Component]:
    first = "Choose a unit in the graph to see it here." if circuit is not None else "The chosen unit appears here."
    keys = [
        ("click", "choose a unit"),
        ("double click", "expand it"),
        ("arrows", "go to its neighbours"),
        ("e", "expand"),
        ("x", "discard"),
        ("+ − 0", "zoom in, out, fit"),
        ("Ctrl Z", "undo"),
        ("l", "go to its edges"),
        ("Esc", "choose nothing"),
    ]
    rows = [part for key, meaning in keys for part in (html.Dt(html.Kbd(key)), html.Dd(meaning))]
    return [html.Div([html.P(first), html.Dl(rows, className="keys")], className="empty-pane")]
