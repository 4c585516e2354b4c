"""Two circuits side by side, in the middle of the page: what both show, and what only one does."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dash import html

from circuits.report.text import many, network_and_source, number, percent, units_in_words, value_name
from circuits.tracing.circuit import Circuit
from circuits.tracing.compare import Comparison, LayerComparison, SharedUnit, largest_share
from circuits.tracing.node import Node
from circuits.units import Group
from dashboard.components import attributes, button, caption, sends, short
from dashboard.features.compare.words import _only, in_words
from dashboard.glossary import each_once, term, with_term
from dashboard.library import Library
from dashboard.session.questions import question_of
from dashboard.session.state import Session
from dashboard.webp import WebP

Component = Any
Tiles = Mapping[str, Mapping[str, Any]]
Show = Callable[[WebP], str]
BESIDE = "beside "
"""Before the ids of the held circuit's units, where tiles are named: the page's circuit may have the same ids."""

_BARS = "Each bar is a unit's largest share of everything that pushed a unit above up or down."
_SIDES = ("left", "right")


def panel(session: Session, library: Library, tiles: Tiles, show: Show) -> list[Component]:
    """Both circuits, with the units that they share and those that only one has; nothing while hidden.

    Args:
        session: whose.
        library: knows the crops of the photos.
        tiles: what units show, by id; those of the held circuit with `BESIDE` before it.
        show: keeps a picture for the page, and tells its address.
    """
    if session.showing.page != "compare":
        return []
    held, circuit = session.beside, session.work.circuit
    if held is None or circuit is None or held is circuit:
        return [_tools(session), _invitation(session)]
    found = library.compared(held, circuit)
    sides = ((held, "left", "pinned"), (circuit, "right", "current"))
    head = [_side(each, _crop(each, library, show), side, role) for each, side, role in sides]
    body = [_alike(held, circuit, found, tiles)] if found.same_network else [_apart(held, circuit, tiles)]
    shown = html.Div(
        [
            html.Div(head, className="sides"),
            html.P(
                with_term(in_words(held, circuit, found), "jaccard index"), className="compared-words", role="status"
            ),
            html.P(
                with_term(_BARS, "gross attribution", "everything that pushed a unit above up or down"),
                className="small muted",
            ),
            *body,
        ],
        className="comparison",
    )
    return [_tools(session), each_once(shown)]


def _tools(session: Session) -> Component:
    held, circuit = session.beside is not None, session.work.circuit is not None
    return html.Div(
        [
            button(
                "Pin as left side", "hold", disabled=not circuit,
                title="Pin the current circuit on the left, then explain another class or photo",
            ),
            html.Button(
                "Open a circuit file to compare …", type="button", className="button", title="An exported JSON file",
                **attributes(data_open="beside"),
            ),
            html.Span(className="grow"),
            button("Swap sides", "swap", disabled=not (held and circuit), title="Exchange left and right"),
            button("Clear", "forget", disabled=not held, title="Unpin the circuit on the left"),
        ],
        className="tools", role="toolbar", **attributes(aria_label="Comparison"),
    )  # fmt: skip


def _invitation(session: Session) -> Component:
    """What to do until there are two circuits."""
    held, circuit = session.beside, session.work.circuit
    if held is not None:
        title = f"Pinned: {_called(held)}"
        hint = "Now explain another class or another photo. Both circuits are then shown here side by side."
        buttons = [button("Back to the graph", "page", {"page": "circuit"}, className="main")]
    elif circuit is not None:
        title = "Compare two circuits"
        hint = (
            "Pin the current circuit, then explain another class or another photo; or open a circuit file. You will "
            "see which units both circuits use, and which units only one of them uses."
        )
        buttons = [button(f"Pin: {_called(circuit)}", "hold", className="main")]
    elif session.work.photo is not None:
        title = "There is no circuit yet"
        hint = "Press why? beside a class, pin that circuit here, and compare it with the next one."
        buttons = []
    else:
        title, hint, buttons = (
            "There is no photo yet",
            "Choose a photo and press why? beside a class. Then pin that circuit here and compare it with the next "
            "one.",
            [],
        )
    parts = [html.Strong(title), html.P(hint, className="muted"), *buttons]
    return html.Div(html.Div(parts), className="nothing-yet")


def _called(circuit: Circuit) -> str:
    question = "".join(question_of(circuit))
    what = "photo: " if circuit.collection is None else ""
    return f"{question[0].lower()}{question[1:]} ({what}{circuit.photo_info.name})"


def _crop(circuit: Circuit, library: Library, show: Show) -> str:
    """Address of what the network saw of a circuit's photo; "" if the file does not carry it."""
    photo = circuit.photo
    return show(library.seen(photo, circuit)) if photo is not None else ""


def _side(circuit: Circuit, crop: str, side: str, role: str) -> Component:
    root = circuit.nodes[circuit.root]
    photo = circuit.photo_info
    books = root.books
    held = [", ", term("coverage"), f" {percent(books.coverage)}"] if books is not None else []
    source = network_and_source(circuit.network.name, circuit.network.source)
    missing = "no photo in the file" if circuit.collection is None else many(circuit.collection.photos, "photo")
    image: Component = html.Div(missing, className="no-crop")
    if crop:
        image = html.Img(src=crop, alt=f"{photo.name}, as the network saw it")
    return html.Section(
        [
            image,
            html.Div(
                [
                    html.Span(f"{side.capitalize()}, {role}", className="role"),
                    html.H2("".join(question_of(circuit))),
                    html.P([*_value(circuit), *held], className="small"),
                    html.P(f"{photo.name} · {circuit.network.name}", className="small muted", title=source),
                    html.P(units_in_words(circuit), className="small muted"),
                ]
            ),
        ],
        className=f"side of-{side}", **attributes(aria_label=f"{side.capitalize()} circuit"),
    )  # fmt: skip


def _value(circuit: Circuit) -> list[Component]:
    name = value_name(circuit.target.kind)
    known = "activation" if name == "activation" else "logit"
    return [*with_term(name, known), f" {number(circuit.nodes[circuit.root].value)}"]


def _alike(left: Circuit, right: Circuit, found: Comparison, tiles: Tiles) -> Component:
    """A row a layer with what only the left shows, what both do, and what only the right shows."""
    titles = [
        ("Layer", None),
        (_only(left, "left", right), len(found.left)),
        ("In both", len(found.shared)),
        (_only(right, "right", left), len(found.right)),
    ]
    head = [
        html.Th([title, "" if count is None else html.Span(f" {count}", className="muted")], scope="col")
        for title, count in titles
    ]
    rows = [_row(layer, left, right, tiles) for layer in found.layers]
    return html.Table([html.Thead(html.Tr(head)), html.Tbody(rows)], className="compared")


def _row(row: LayerComparison, left: Circuit, right: Circuit, tiles: Tiles) -> Component:
    names = [*row.left, *(unit.id for unit in row.shared)], [*row.right, *(unit.right_id for unit in row.shared)]
    most = max(_largest(left, names[0]), _largest(right, names[1]))
    ours = [_single(left, name, f"{BESIDE}{name}", tiles, most, outside=True) for name in row.left]
    both = [_shared(unit, left, right, tiles, most) for unit in row.shared]
    theirs = [_single(right, name, name, tiles, most, outside=False) for name in row.right]
    return html.Tr(
        [
            html.Th(row.layer, scope="row"),
            *[html.Td(html.Ul(cell, className="units") if cell else _none()) for cell in (ours, both, theirs)],
        ]
    )


def _none() -> Component:
    return html.Span("none", className="none muted")


def _apart(left: Circuit, right: Circuit, tiles: Tiles) -> Component:
    """Each side by itself, for circuits of two networks."""
    columns = []
    for circuit, side, prefix in ((left, "left", BESIDE), (right, "right", "")):
        rows = []
        for layer in circuit.layers[::-1]:
            names = _strongest_first(circuit, layer)
            if names:
                most = _largest(circuit, names)
                shown = [_single(circuit, name, f"{prefix}{name}", tiles, most, outside=None) for name in names]
                rows.append(html.Tr([html.Th(layer, scope="row"), html.Td(html.Ul(shown, className="units"))]))
        head = html.Tr([html.Th("Layer", scope="col"), html.Th(f"{side.capitalize()} units", scope="col")])
        columns.append(html.Table([html.Thead(head), html.Tbody(rows)], className="compared"))
    return html.Div(columns, className="apart")


def _strongest_first(circuit: Circuit, layer: str) -> list[str]:
    names = sorted(name for name in circuit.visible if circuit.nodes[name].unit.layer == layer)
    return sorted(names, key=lambda name: -abs(largest_share(circuit, name) or 0.0))


def _largest(circuit: Circuit, names: Iterable[str]) -> float:
    """The largest share among some units, to draw the others beside."""
    return max((abs(largest_share(circuit, name) or 0.0) for name in names), default=0.0)


def _shared(unit: SharedUnit, left: Circuit, right: Circuit, tiles: Tiles, most: float) -> Component:
    """A unit that both show, with both shares as a pair of bars."""
    root = unit.left_share is None or unit.right_share is None
    if root:
        words = f"value {number(unit.left)} left, {number(unit.right)} right"
        shares = [
            html.Span(f"{side} {number(value)}", className=f"bare {side}")
            for side, value in zip(_SIDES, (unit.left, unit.right), strict=True)
        ]
    else:
        pair = (unit.left_share or 0.0, unit.right_share or 0.0)
        words = f"share {percent(pair[0])} left, {percent(pair[1])} right"
        shares = [_bar(side, part, most) for side, part in zip(_SIDES, pair, strict=True)]
    other = f", {unit.right_id} on the right, cosine {number(unit.cosine)}" if unit.cosine < 1 else ""
    spoken, brief = f"{unit.called}{other}, in both: {words}", ""
    if unit.right_id != unit.id:
        brief = f"{_brief(left.nodes[unit.id])} = {_brief(right.nodes[unit.right_id])}"
    action = ("unit", {"unit": unit.right_id})
    return _tile(right, unit.right_id, unit.right_id, tiles, spoken, shares, action=action, brief=brief)


def _single(circuit: Circuit, name: str, tile: str, tiles: Tiles, most: float, *, outside: bool | None) -> Component:
    """A unit that one circuit shows.

    Args:
        circuit: it.
        name: of the unit in it.
        tile: its name among the tiles.
        tiles: all of them.
        most: the largest share in its row, whose bar is full.
        outside: it is not in the page's circuit, but of the same network; `None` if the networks differ.
    """
    node, part = circuit.nodes[name], largest_share(circuit, name)
    words = f"value {number(node.value)}" if part is None else f"share {percent(part)}"
    side = "left" if tile.startswith(BESIDE) else "right"
    bars = [html.Span(words, className=f"bare {side}")] if part is None else [_bar(side, part, most)]
    chosen = str(node.unit.whole) if outside else name
    kind = "unit" if outside is not None else "select"
    # A group of the left one alone is nothing that the page's circuit could show.
    unknown = side == "left" and (outside is None or isinstance(node.unit, Group))
    action = None if unknown else (kind, {"unit": chosen})
    return _tile(circuit, name, tile, tiles, f"{node.called}, only {side}: {words}", bars, action=action)


def _bar(side: str, part: float, most: float) -> Component:
    """A share in numbers, over a bar as long as it is beside the largest of its row."""
    width = 100 * abs(part) / most if most > 0 else 0.0
    return html.Span([html.I(style={"width": f"{width:.1f}%"}), html.B(percent(part))], className=f"share-bar {side}")


def _brief(node: Node) -> str:
    """A name that fits under a picture; the row says the layer."""
    return short(node.name) or caption(node)


def _tile(
    circuit: Circuit,
    name: str,
    tile: str,
    tiles: Tiles,
    spoken: str,
    shares: list[Component],
    *,
    action: tuple[str, dict[str, str]] | None,
    brief: str = "",
) -> Component:
    """A unit's picture or what stands for it, its name and shares; a button if it can be chosen."""
    node, facts = circuit.nodes[name], tiles.get(tile, {"state": "none", "picture": "", "said": ""})
    image = html.Img(src=facts["picture"], alt="") if facts["picture"] else html.Img(alt="", hidden=True)
    parts = [
        html.Span(image, className="frame", **attributes(data_tile=tile, data_state=facts["state"])),
        html.Span(brief or _brief(node), className="name"),
        html.Span(shares, className="shares numbers"),
    ]
    if action is None:
        return html.Li(
            html.Div(parts, className="unit-card", title=spoken, role="img", **attributes(aria_label=spoken))
        )
    named = sends(action[0], **action[1]) | attributes(aria_label=spoken)
    return html.Li(html.Button(parts, type="button", className="unit-card", title=spoken, **named))
