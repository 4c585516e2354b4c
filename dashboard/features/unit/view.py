"""The right pane as Dash components: the chosen unit, made from the session and what the library said of it."""

from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.report.atlas_sentences import estimate, keeps_in_words
from circuits.report.sentences import is_scalar, unit_in_words
from circuits.report.text import is_of_tokens, many, number, percent, place_in_words
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge
from circuits.tracing.node import Node
from circuits.units import Address, Unit, is_residual
from dashboard.answers import Inspection
from dashboard.choice_texts import SIGNS
from dashboard.components import (
    Pane,
    attributes,
    button,
    discarded,
    edge_link,
    figure,
    how_to,
    notice,
    sends,
    waiting,
    with_code,
)
from dashboard.features.unit.actions import TOPS
from dashboard.features.unit.atlas_panel import firing, in_atlas, sampled_edges
from dashboard.features.unit.decomposition_panel import contributions
from dashboard.features.unit.exemplars_panel import exemplars, outdone_in_words
from dashboard.features.unit.group_panel import made_of
from dashboard.features.unit.in_photo import in_photo, marked
from dashboard.features.unit.more_pictures import more_pictures
from dashboard.features.unit.variants import Shown
from dashboard.features.unit.written_panel import written
from dashboard.glossary import term, with_term
from dashboard.session.actions import OnUnit
from dashboard.session.state import Session, expansion_of
from dashboard.webp import WebP
from dashboard.work.results import Answers
from dashboard.work.tiles import DEAD, NO_DIRECTION, Tile

Component = Any
MISSING = "not available without the photo and its network"


def nothing_to_choose(session: Session) -> Pane:
    """The right pane before there is a circuit."""
    return Pane([*notice(session), how_to("The chosen unit appears here.")])


def unit(
    session: Session,
    circuit: Circuit,
    inspection: Inspection,
    tile: Tile,
    activation: float | None,
    found: Answers | None = None,
    more: Sequence[Shown] = (),
    members: Sequence[Tile] = (),
    *,
    own: bool = True,
    against: Tile | None = None,
) -> Pane:
    """The right pane of the chosen unit.

    Args:
        session: whose unit.
        circuit: that it is in.
        inspection: what the library says of it without asking the network.
        tile: what it shows.
        activation: what its picture reached, if that is known.
        found: evidence for it, by query.
        more: its further pictures that were asked for.
        members: of a group, what stands for its strongest channels.
        own: whether its circuit is of this network, which then can draw it.
        against: of a difference, what the second class shows.
    """
    found = found or {}
    node = circuit.nodes[session.work.selected]
    busy = session.is_waiting("expand", OnUnit(node.id))
    head = [
        *notice(session),
        html.H2(node.called, className="unit-title"),
        html.P(_address(node, circuit), className="muted small"),
        *_part_of(node, circuit),
        _facts(node, circuit, inspection),
        *_deeds(node, session, circuit, inspection, busy=busy),
    ]
    reached = activation if tile.state == "ready" else None
    outdone = outdone_in_words(reached, found, node.max)
    is_channel = isinstance(node.unit, Unit)
    missing = "not in the file" if session.work.locked else "not drawn yet"
    if is_residual(node.id):
        missing = NO_DIRECTION
    dead = _although(node, activation)
    if against is not None:  # a difference has no place where it fired: its second class stands beside the first
        first, second = _first_class(node), _second_class(node)
        looks = looks_for(
            first, tile, f"optimised for {first} alone", dead=dead, missing=missing, title=f"For: {first}"
        )
        words = f"optimised for {second} alone"
        beside = looks_for(second, against, words, missing=missing, title=f"Against: {second}")
    else:
        looks = looks_for(node.called, tile, _reached(node, activation) + outdone, dead=dead, missing=missing)
        beside = fired(node.unit, node.called, found, _where(node, circuit))
    if circuit.collection is not None:
        return Pane(
            head,
            [looks],
            [firing(node, circuit, found), *more_pictures(node, more, offered=own)],
            [*contributions(node, session, circuit, inspection, found), *sampled_edges(node, circuit)],
            [
                *made_of(circuit, node, members),
                *in_atlas(node.called, found, of=circuit.collection.name),
                *exemplars(node, found, reached, of=circuit.collection.name),
            ],
            discarded(circuit),
        )
    return Pane(
        head,
        [looks],
        [beside, *more_pictures(node, more, offered=own and is_channel)],
        contributions(node, session, circuit, inspection, found),
        [
            *made_of(circuit, node, members),
            *written(node, found),
            *in_atlas(node.called, found),
            *in_photo(node, circuit, found, session.looking, inspection.methods),
            *(exemplars(node, found, reached) if is_channel else []),
        ],
        discarded(circuit),
    )


def _address(node: Node, circuit: Circuit) -> list[Component]:
    label = f"{node.label}, " if node.name and node.label != node.id else ""
    if node.id == circuit.root:
        return [f"{label}{node.id}, the ", term("target"), " of this ", term("circuit")]
    where = [label, term("layer"), f" {node.unit.layer}, "]
    if isinstance(node.unit, Unit):
        return [*where, term("channel"), f" {node.number}"]
    count = circuit.dictionaries[node.unit.layer].groups
    if node.unit.number is None:
        return [*where, f"residual: what its {many(count, 'group')} do not hold"]
    return [*where, term("group"), f" {node.unit.number} (of 0 to {count - 1})"]


def _part_of(node: Node, circuit: Circuit) -> list[Component]:
    """What it did and how much of the units above it accounts for, in a sentence; each of those can be chosen."""
    said: list[Component] = []
    for word in unit_in_words(circuit, node.id):
        if isinstance(word, Edge):
            said.append(edge_link(circuit, word, percent(circuit.share(word))))
        elif isinstance(word, Node):
            link = html.Button(word.called, type="button", className="link", **sends("select", unit=word.id))
            said.append(html.B(word.called) if word.id == node.id else link)
        else:
            if said and word[0] in ",.":  # which stays on the line of the link
                said[-1], word = html.Span([said[-1], word[0]], className="whole"), word[1:]
            said += with_term(word, "attribution") if word else []
    return [html.P(said, className="small part-of")] if said else []


def _facts(node: Node, circuit: Circuit, inspection: Inspection) -> Component:
    value: Any = "share of the target, all paths" if inspection.in_target_units else "value"
    logit, facts = term("logit"), [(value, number(node.value))]
    if _is_difference(node):
        of_each = (_first_class(node), node.max), (_second_class(node), node.max - node.value)
        facts = [
            ("difference", number(node.value)),
            *(([logit, f" of {name}"], number(each)) for name, each in of_each),
        ]
    elif _is_class(node, circuit):
        facts = [(logit, number(node.value))]
    else:
        facts.append((["highest ", term("activation")], number(node.max)))
    if circuit.collection is not None:
        return _means(node, circuit)
    if not is_scalar(node):
        is_placed = not is_of_tokens(node.unit.layer)
        peak = ("peak at row, column (from 0)", f"{node.peak[0]}, {node.peak[1]}")
        facts.append(peak if is_placed else ("peak", place_in_words(node.unit.layer, node.peak)))
    return html.Dl([html.Div([html.Dt(word), html.Dd(value)]) for word, value in facts], className="facts")


def _means(node: Node, circuit: Circuit) -> Component:
    """The numbers of a unit of the circuit of a class, which are means over its photos."""
    is_logit = node.id == circuit.root and circuit.target.kind == "class"
    name: Any = term("logit") if is_logit else term("attribution", "contribution")
    if circuit.target.kind == "unit":  # and no class, to which it would contribute
        name = [term("activation"), ", summed"]
    facts = [(name, estimate(node.value, node.error, sign=False))]
    facts += [] if is_logit else [("mean peak", number(node.max))]
    return html.Dl([html.Div([html.Dt(word), html.Dd(value)]) for word, value in facts], className="facts")


def _deeds(node: Node, session: Session, circuit: Circuit, inspection: Inspection, *, busy: bool) -> list[Component]:
    """What can be done with it, and how it is expanded."""
    label = "Expanding …" if busy else "Show 5 more" if node.expanded else "Expand"
    most = inspection.most
    full = keeps_in_words(most) if most is not None and len(circuit.edges_into(node.id)) >= most else ""
    blocked = busy or bool(inspection.frozen or full)
    root = node.id == circuit.root
    expand = button(
        label, "more" if node.expanded else "expand", {"unit": node.id}, disabled=blocked,
        className="" if node.expanded else "main",
        title=full if blocked else "Find the units of the layer below that contribute most to this one (e)",
    )  # fmt: skip
    collapse = button(
        "Collapse",
        "collapse",
        {"unit": node.id},
        disabled=busy,
        title="Remove the units below this one from the graph (c)",
    )
    drop = button("Discard", "discard", {"unit": node.id}, disabled=root, title="Remove this unit from the circuit (x)")
    reasons = [inspection.frozen] if inspection.frozen not in ("", session.work.locked) else []
    trace = _trace(node, session) if circuit.collection is not None and reasons else []
    if root:
        reasons.append("The target itself cannot be discarded.")
    return [
        html.Div([expand, *([collapse] if node.expanded else []), drop, *trace], className="buttons"),
        *([] if inspection.frozen else [_expansion(node, session, most)]),
        *[html.P(with_code(reason), className="reason") for reason in reasons],
    ]


def _trace(node: Node, session: Session) -> list[Component]:
    """Of a unit of a class that the atlas cannot expand, the button that explains it in the photo, if there is one."""
    if session.work.photo is None:
        return []
    return [button("Trace it in this photo", "root", {"target": str(node.unit)}, title="Undo brings the class back")]


def _expansion(node: Node, session: Session, most: int | None) -> Component:
    """How many units are found below this one, at most `most`, and of which signs; if expanded, it is anew."""
    expansion, again = expansion_of(session, node.id), "; expands it anew" if node.expanded else ""
    taken = expansion.top if most is None else min(expansion.top, most)
    tops = [
        _option(
            node, {"top": top}, str(top), f"At most {top} units below it{again}", top == taken,
            refused=keeps_in_words(most) if most is not None and top > most else "",
        )
        for top in TOPS
    ]  # fmt: skip
    signs = [
        _option(node, {"signs": sign}, shown, f"{SIGNS[sign].removesuffix('.')}{again}", sign == expansion.signs)
        for sign, shown in (("positive", "excitatory"), ("both", "both"))
    ]
    return html.Div(
        [
            html.Span("Show top", className="muted small"),
            html.Div(tops, className="segments", role="group", **attributes(aria_label="Units below it")),
            html.Div(signs, className="segments", role="group", **attributes(aria_label="Signs below it")),
        ],
        className="expansion",
    )


def _option(
    node: Node, choice: dict[str, object], shown: str, title: str, pressed: bool, *, refused: str = ""
) -> Component:
    return html.Button(
        shown, type="button", title=refused or title, **(dict[str, Any](disabled=True) if refused else {}),
        **sends("expansion", unit=node.id, **choice), **attributes(aria_pressed=str(pressed).lower(), aria_label=title),
    )  # fmt: skip


def fired(unit: Address, label: str, found: Answers, caption: str) -> Component:
    """Where a unit fired, over the photo, with its highest places marked; of a class token there is nothing to show."""
    title, heat = term("heat map", "Where it fired"), found.get("heat")
    if is_of_tokens(unit.layer):
        return figure(title, "", "", caption, "in a token that is no patch, so at no place in the photo")
    if isinstance(heat, WebP):
        return figure(title, heat.address, f"Where {label} fired, over the photo", caption, "", marks=marked(found))
    return waiting(title, heat, caption) if "heat" in found else figure(title, "", "", caption, MISSING)


def _where(node: Node, circuit: Circuit) -> str:
    if is_of_tokens(node.unit.layer):
        where = place_in_words(node.unit.layer, node.peak)
        return f"activation {number(node.max)} {where}"
    if not is_scalar(node):
        peak = place_in_words(node.unit.layer, node.peak)
        return f"activation up to {number(node.max)} in this photo, {peak}"
    whose = "logit" if _is_class(node, circuit) else "activation"
    return f"{whose} {number(node.max)} in this photo: a single value for the whole image"


def looks_for(
    label: str,
    tile: Tile,
    caption: str,
    *,
    dead: str = "",
    missing: str = "not drawn yet",
    title: str = "",
) -> Component:
    """A unit's picture with a caption, an unfinished one, or why there is none."""
    spoken, title = f"What {label} looks for", title or term("feature visualisation", "What it looks for")
    if tile.state == "drawing":
        return figure(title, tile.picture, f"{spoken}, unfinished", tile.said, "", unfinished=tile.drawn)
    if tile.state == "sketch":
        return figure(title, tile.picture, f"{spoken}, coarse", tile.said, "")
    if tile.state == "dead":
        return figure(title, "", spoken, dead, DEAD)
    missing = "on its way …" if tile.state == "waiting" else missing
    return figure(title, tile.picture, spoken, caption if tile.picture else "", missing)


def _reached(node: Node, activation: float | None) -> str:
    if _is_difference(node):
        return f"optimised for {_first_class(node)} alone"
    if activation is None:
        return "optimised for this unit"
    return f"activation {'' if is_scalar(node) else 'up to '}{number(activation)} in this picture"


def _although(node: Node, activation: float | None) -> str:
    """That a search which found nothing does not say that there is nothing."""
    best = "" if activation is None else f"the optimisation reached an activation of {number(activation)}"
    return f"{best}; this photo does activate it".removeprefix("; ") if node.max > 0 else best


def _is_class(node: Node, circuit: Circuit) -> bool:
    return node.id == circuit.root and circuit.target.kind == "class"


def _is_difference(node: Node) -> bool:
    """Whether a node stands for the difference of two classes; its unit is the first of them."""
    return node.id != str(node.unit)


def _first_class(node: Node) -> str:
    return node.label.partition(" - ")[0]


def _second_class(node: Node) -> str:
    return node.label.partition(" - ")[2]
