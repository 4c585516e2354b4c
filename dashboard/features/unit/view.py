"""The right pane as Dash components: the chosen unit, made from the session and what the library said of it."""

from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.report.text import number
from circuits.tracing.circuit import Circuit
from circuits.tracing.node import Node
from dashboard import keys
from dashboard.components import Pane, figure, waiting
from dashboard.features.edge.view import edge_link
from dashboard.features.evaluation import view as score_panel
from dashboard.features.evaluation.queries import Scored
from dashboard.features.graph.picture_settings import manner_of
from dashboard.features.graph.view import edges_from, percent
from dashboard.features.target.view import attributes, button
from dashboard.features.unit.actions import TOPS
from dashboard.features.unit.decomposition_panel import contributions
from dashboard.features.unit.exemplars_panel import elsewhere
from dashboard.features.unit.in_photo import in_photo, marked
from dashboard.features.unit.more_pictures import more_pictures
from dashboard.features.unit.variants import Shown
from dashboard.library import SIGNS
from dashboard.session.state import Session
from dashboard.work.findings import Inspection, Shot
from dashboard.work.tiles import DEAD, Tile
from dashboard.work.topics import Found

Component = Any
_ABOVE = 4


def unit(
    session: Session,
    inspection: Inspection | None,
    tile: Tile,
    activation: float | None,
    found: Found | None = None,
    more: Sequence[Shown] = (),
    *,
    own: bool = True,
    score: Scored | None = None,
) -> Pane:
    """The right pane: the chosen unit, or when none is chosen the circuit and its score.

    Args:
        session: whose unit.
        inspection: what the library says of it, if one is chosen.
        tile: what it shows.
        activation: what its picture reached, if that is known.
        found: evidence for it, by topic.
        more: its further pictures that were asked for.
        own: whether its circuit is of this network, which then can draw it.
        score: how good the circuit is.
    """
    found = found or {}
    circuit = session.work.circuit
    if circuit is None:
        return Pane([*_notice(session), _how("The chosen unit appears here.")])
    if inspection is None or session.work.selected not in circuit.nodes:
        scores = score_panel.panel(session, circuit, score or Scored())
        return Pane(score_panel.head(session, circuit), evidence=scores, foot=[*_discarded(circuit), _how("")])
    node = circuit.nodes[session.work.selected]
    busy = any(ask.kind == "expand" and ask.subject == node.id for ask in session.asks)
    head = [
        *_notice(session),
        html.H2(node.called, className="unit-title"),
        html.P(_address(node, circuit), className="muted small"),
        *_part_of(node, circuit),
        _facts(node, inspection),
        *_deeds(node, session, circuit, inspection, busy=busy),
    ]
    reached = activation if tile.state == "ready" else None
    return Pane(
        head,
        [_looks_for(node, tile, activation, locked=session.work.locked)],
        [_fired(node, found), *more_pictures(node, more, offered=own)],
        contributions(node, session, circuit, inspection, found),
        [*in_photo(node, circuit, found, session.looking), *elsewhere(node, found, reached)],
        _discarded(circuit),
    )


def _notice(session: Session) -> list[Component]:
    locked = session.work.locked
    return [html.P(locked, className="notice", role="note")] if locked else []


def _address(node: Node, circuit: Circuit) -> str:
    label = f"{node.label}, " if node.name and node.label != node.id else ""
    if node.id == circuit.root:
        return f"{label}{node.id}, the target of this circuit"
    return f"{label}layer {node.unit.layer}, channel {node.unit.channel}"


def _part_of(node: Node, circuit: Circuit) -> list[Component]:
    """Which units above it this one is part of, and how much of them it holds; each can be chosen."""
    edges = edges_from(circuit, node.id)
    if not edges:
        return []
    words: list[Component] = ["Holds "]
    for edge in edges[:_ABOVE]:
        label = circuit.nodes[edge.target].called
        link = html.Button(
            label, type="button", className="link", **attributes(data_action="select", data_arg=edge.target)
        )
        words += [edge_link(circuit, edge, percent(circuit.share(edge))), " of ", link, ", "]
    words[-1] = f" and of {len(edges) - _ABOVE} more." if len(edges) > _ABOVE else "."
    return [html.P(words, className="small part-of")]


def _facts(node: Node, inspection: Inspection) -> Component:
    value = "share of the target" if inspection.in_target_units else "value"
    highest = f"logit of {_first_class(node)}" if _is_difference(node) else "highest activation"
    facts = [(value, number(node.value)), (highest, number(node.max))]
    if not _is_scalar(node):
        facts.append(("at row, column", f"{node.peak[0]}, {node.peak[1]}"))
    return html.Dl([html.Div([html.Dt(word), html.Dd(value)]) for word, value in facts], className="facts")


def _deeds(node: Node, session: Session, circuit: Circuit, inspection: Inspection, *, busy: bool) -> list[Component]:
    """What can be done with it, and how it is expanded."""
    label = "Expanding …" if busy else "Show 5 more" if node.expanded else "Expand"
    blocked = busy or bool(inspection.frozen)
    root = node.id == circuit.root
    expand = button(
        label, "more" if node.expanded else "expand", node.id, disabled=blocked,
        className="" if node.expanded else "main",
        title="" if blocked else "Find the units of the layer below that this one is made of (e)",
    )  # fmt: skip
    collapse = button("Collapse", "collapse", node.id, disabled=busy, title="Take away what lies below this unit (c)")
    drop = button("Discard", "discard", node.id, disabled=root, title="Drop this unit from the circuit (x)")
    reasons = [inspection.frozen] if inspection.frozen not in ("", session.work.locked) else []
    if root:
        reasons.append("The target itself cannot be discarded.")
    return [
        html.Div([expand, *([collapse] if node.expanded else []), drop], className="deeds"),
        *([] if inspection.frozen else [_manner(node, session)]),
        *[html.P(reason, className="reason") for reason in reasons],
    ]


def _manner(node: Node, session: Session) -> Component:
    """How many units are found below this one, and of which signs; one that is expanded is expanded anew."""
    manner, again = manner_of(session, node.id), "; expands it anew" if node.expanded else ""
    tops = [
        _option(node, f"top={top}", str(top), f"At most {top} units below it{again}", top == manner.top) for top in TOPS
    ]
    signs = [
        _option(node, f"signs={sign}", shown, f"{SIGNS[sign].removesuffix('.')}{again}", sign == manner.signs)
        for sign, shown in (("positive", "+"), ("both", "±"))
    ]
    return html.Div(
        [
            html.Span("with its top", className="muted small"),
            html.Div(tops, className="segments", role="group", **attributes(aria_label="Units below it")),
            html.Div(signs, className="segments", role="group", **attributes(aria_label="Signs below it")),
        ],
        className="manner",
    )


def _option(node: Node, choice: str, shown: str, title: str, pressed: bool) -> Component:
    return html.Button(
        shown, type="button", title=title,
        **attributes(
            data_action="manner", data_arg=f"{node.id} {choice}", aria_pressed=str(pressed).lower(), aria_label=title
        ),
    )  # fmt: skip


def _fired(node: Node, found: Found) -> Component:
    """Where it fired, over the photo, with its highest places marked."""
    where = f"activation up to {number(node.max)} in this photo, at row {node.peak[0]}, column {node.peak[1]}"
    if _is_scalar(node):
        whose = f"logit of {_first_class(node)}" if _is_difference(node) else "activation"
        where = f"{whose} {number(node.max)} in this photo: one value, it sees all of it"
    title, heat = "Where it fired", found.get("heat")
    if isinstance(heat, Shot):
        return figure(title, heat.address, f"Where {node.called} fired, over the photo", where, "", marks=marked(found))
    if "heat" in found:
        return waiting(title, heat, where)
    return figure(title, "", "", where, "needs the photo and its network")


def _looks_for(node: Node, tile: Tile, activation: float | None, *, locked: str) -> Component:
    """The unit's picture with the activation that it reaches, an unfinished one, or why there is none."""
    title, spoken = "What it looks for", f"What {node.called} looks for"
    if tile.state == "drawing":
        return figure(title, tile.picture, f"{spoken}, unfinished", tile.said, "", unfinished=tile.drawn)
    if tile.state == "dead":
        return figure(title, "", spoken, _although(node, activation), DEAD)
    reached = "drawn for this unit"
    if activation is not None:
        reached = f"activation {'' if _is_scalar(node) else 'up to '}{number(activation)} in this picture"
    if _is_difference(node):
        reached = f"drawn for {_first_class(node)} alone"
    missing = "on its way …" if tile.state == "waiting" else "the file has none" if locked else "not drawn yet"
    return figure(title, tile.picture, spoken, reached if tile.picture else "", missing)


def _although(node: Node, activation: float | None) -> str:
    """That a search which found nothing does not say that there is nothing."""
    best = "" if activation is None else f"the search reached an activation of {number(activation)}"
    return f"{best}; this photo does excite it".removeprefix("; ") if node.max > 0 else best


def _is_scalar(node: Node) -> bool:
    return _is_difference(node) or (node.peak == (0, 0) and node.max == node.value)


def _is_difference(node: Node) -> bool:
    """Whether a node stands for the difference of two classes; its unit is the first of them."""
    return node.id != str(node.unit)


def _first_class(node: Node) -> str:
    return node.label.partition(" - ")[0]


def _discarded(circuit: Circuit | None) -> list[Component]:
    dropped = [node for node in circuit.nodes.values() if node.discarded] if circuit is not None else []
    if not dropped:
        return []
    rows = []
    for node in dropped:
        restore = button("Restore", "restore", node.id, **attributes(aria_label=f"restore {node.called}"))
        rows.append(html.Li([html.Span(node.called), restore]))
    return [html.H2(f"Discarded ({len(dropped)})"), html.Ul(rows, className="discarded")]


def _how(first: str) -> Component:
    """How to go on when nothing is chosen."""
    said = [html.P(first)] if first else []
    return html.Div([*said, keys.listed(keys.BEGIN)], className="empty-pane")
