"""Framed pictures for the right pane: with a title, a caption, and room that is kept while they are on their way."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from dash import html

from circuits.report.text import percent
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge
from circuits.tracing.node import Node
from circuits.units import Unit
from dashboard.answers import Failure, Spot
from dashboard.glossary import each_once
from dashboard.library import PICTURE
from dashboard.session.actions import OnUnit
from dashboard.session.state import Session

Component = Any


@dataclass(frozen=True)
class Pane:
    """The right pane in parts; `fired` and `evidence` are made anew when evidence has come.

    Args:
        head: what was chosen, its numbers, and what can be done.
        looks: what it looks for.
        fired: where it fired.
        books: what its value is made of.
        evidence: from the photo and from elsewhere.
        foot: what stands under all of it.
    """

    head: list[Component]
    looks: list[Component] = field(default_factory=list)
    fired: list[Component] = field(default_factory=list)
    books: list[Component] = field(default_factory=list)
    evidence: list[Component] = field(default_factory=list)
    foot: list[Component] = field(default_factory=list)

    @property
    def parts(self) -> list[Component]:
        """All of it, from the top."""
        return [*self.head, *self.looks, *self.fired, *self.books, *self.evidence, *self.foot]

    def with_terms_once(self) -> "Pane":
        """The pane with each term explained at its first use alone."""
        seen: set[str] = set()
        return Pane(*(each_once(getattr(self, part.name), seen) for part in fields(self)))


WAITING = "being computed …"


def figure(
    title: Any,
    source: str,
    spoken: str,
    caption: Any,
    missing: str,
    *,
    unfinished: float | None = None,
    marks: Sequence[Spot] = (),
) -> Component:
    """A picture that can be enlarged, or a plain tile that says why there is none.

    Args:
        title: over it.
        source: address of the picture; "" if there is none.
        spoken: the picture in words.
        caption: under it.
        missing: what the plain tile says.
        unfinished: how far the picture is drawn, 0 to 1, if it is not finished.
        marks: places to mark with their numbers.
    """
    said = [html.Figcaption(caption)] if caption else []
    if not source:
        return html.Figure([html.H2(title), html.Div(missing, className="large placeholder"), *said])
    image = html.Img(src=source, alt=spoken, width=PICTURE, height=PICTURE, className="large")
    dots = [
        html.I(
            str(number),
            className="mark",
            style={"left": _inside(spot.left), "top": _inside(spot.top)},
            **attributes(aria_hidden="true"),
        )
        for number, spot in enumerate(marks, start=1)
    ]
    enlarge = html.Button(
        [image, *dots], type="button", className="enlarge", title="Enlarge", **attributes(data_enlarge=spoken)
    )
    if unfinished is None:
        return html.Figure([html.H2(title), enlarge, *said])
    return html.Figure([html.H2(title), enlarge, *said], className="unfinished", style={"--drawn": unfinished})


def _inside(share: float) -> str:
    """A place on the picture for the middle of a mark, so that all of the mark is seen."""
    return f"{min(94.0, max(6.0, 100 * share)):.1f}%"


def waiting(title: Any, finding: object, caption: str = "") -> Component:
    """The room of a picture that is on its way, or the sentence that says why it will not come."""
    if isinstance(finding, Failure):
        said = html.Div(failed(finding), className="large placeholder failed")
        return html.Figure([html.H2(title), said])
    room = html.Div(html.Span(WAITING, className="spoken"), className="large placeholder waiting")
    return html.Figure([html.H2(title), room, html.Figcaption(caption)])


def failed(failure: Failure) -> list[Component]:
    """Why something could not be found out, and the button that has it tried again."""
    sentence = html.P(failure.sentence, className="failed small")
    if not failure.query:
        return [sentence]
    return [sentence, button("Try again", "again", {"query": failure.query}, className="small")]


def section(title: str, name: str, parts: Sequence[Component]) -> Component:
    """A titled part of the right pane, which can be folded away."""
    heading = html.Summary(html.H2(title, id=f"{name}-title", className="section-title"))
    return html.Details(
        [heading, *parts], id=f"{name}-section", className="evidence", open=True,
        role="group", **attributes(aria_labelledby=f"{name}-title"),
    )  # fmt: skip


def unbroken(words: str) -> str:
    """A sentence in which numbers stay on the line of their signs."""
    return words.replace(" %", "\u00a0%").replace("± ", "±\u00a0")


def with_code(words: str) -> list[Component]:
    """A sentence in which commands stand between backticks.

    Example:
        >>> [getattr(part, "children", part) for part in with_code("Start with `circuits explore`.")]
        ['Start with ', 'circuits explore', '.']
    """
    parts = words.split("`")
    return [html.Code(part) if place % 2 else part for place, part in enumerate(parts) if part]


def attributes(**named: str) -> dict[str, Any]:
    """HTML attributes whose names have dashes.

    Example:
        >>> attributes(aria_label="Zoom in", data_zoom="1.25")
        {'aria-label': 'Zoom in', 'data-zoom': '1.25'}
    """
    return {name.replace("_", "-"): value for name, value in named.items()}


def sends(action: str, **payload: object) -> dict[str, Any]:
    """Attributes of an element that sends an action when it is pressed.

    Example:
        >>> sends("expand", unit="conv4:17")
        {'data-action': 'expand', 'data-payload': '{"unit": "conv4:17"}'}
    """
    return attributes(data_action=action, data_payload=json.dumps(payload))


def button(label: Any, action: str = "", payload: Mapping[str, object] | None = None, **more: Any) -> Component:
    """A button that sends an action when it is pressed."""
    extra = sends(action, **(payload or {})) if action else {}
    classes = f"button {more.pop('className', '')}".strip()
    return html.Button(label, type="button", className=classes, **extra, **more)


def setting(
    name: str,
    caption: Any,
    hint: str,
    options: tuple[int, ...] | tuple[str, ...],
    value: int | str,
    *,
    shown: Mapping[str, str] | None = None,
    refused: Collection[int | str] = (),
) -> Component:
    """A choice among a few options, one of which is taken.

    Args:
        name: of the setting.
        caption: before it.
        hint: what the option means that is taken.
        options: the choice.
        value: which is taken.
        shown: what options are called, if not by their names.
        refused: options that cannot be taken; the hint says why.
    """
    names, closed = shown or {}, dict[str, Any](disabled=True)
    segments = [
        html.Button(
            names.get(str(option), str(option)), type="button", id=f"{name}-{option}",
            **sends("set", **{name: option}), **attributes(aria_pressed=str(option == value).lower()),
            **(closed if option in refused else {}),
        )
        for option in options
    ]  # fmt: skip
    described = attributes(aria_labelledby=f"{name}-caption", aria_describedby=f"{name}-hint")
    return html.Div(
        [
            html.Span(caption, id=f"{name}-caption", className="caption"),
            html.Div(segments, className="segments", role="group", **described),
            html.P(hint, id=f"{name}-hint", className="hint"),
        ],
        className="setting",
    )


def edge_link(circuit: Circuit, edge: Edge, words: str) -> Component:
    """A word that chooses an edge."""
    return html.Button(
        words, type="button", className="link",
        **sends("edge", lower=edge.source, upper=edge.target),
        **attributes(aria_label=f"{words}: edge {edge_in_words(circuit, edge)}"),
    )  # fmt: skip


def edge_in_words(circuit: Circuit, edge: Edge) -> str:
    """An edge in a few words, such as `conv6:22 excites conv7:281, 4 %`."""
    lower, upper = circuit.nodes[edge.source].called, circuit.nodes[edge.target].called
    verb = "inhibits" if edge.attribution < 0 else "excites"
    return f"{lower} {verb} {upper}, {percent(abs(circuit.share(edge)))}"


def short(label: str) -> str:
    """A label that fits in a narrow place: of a long address only the channel.

    Example:
        >>> short("conv4:17"), short("features.denseblock4:17")
        ('conv4:17', '…:17')
    """
    if len(label) <= 11:
        return label
    _, colon, channel = label.rpartition(":")
    return f"…:{channel}" if colon and len(channel) <= 9 else f"{label[:10]}…"


_BREAKS_FROM = 16
"""Characters of an address that need not break."""


def breakable(label: str) -> list[Component]:
    """A long address, or the name of a file, that breaks after a dot, colon or underscore rather than within a word.

    Example:
        >>> [getattr(part, "children", part) for part in breakable("blocks.10.mlp.act:17")]
        ['blocks.', None, '10.', None, 'mlp.', None, 'act:', None, '17']
        >>> breakable("conv4:17")
        ['conv4:17']
    """
    if len(label) <= _BREAKS_FROM:
        return [label]
    parts = re.split(r"(?<=[.:_])(?=\S)", label)
    return [piece for part in parts for piece in (html.Wbr(), part)][1:]


def caption(node: Node) -> str:
    """What a unit is called where its layer stands beside it: its channel, or the number of its group."""
    return short(node.label.rpartition(":")[2]) if isinstance(node.unit, Unit) else node.number


MEASURE_HINT = "Ablate each unit below in turn, then all that are shown together, and measure the drop"


def measure_button(session: Session, circuit: Circuit, name: str, words: str) -> Component:
    """The button that has the edges into a unit measured."""
    busy = session.is_waiting("measure", OnUnit(name))
    refused = session.work.locked
    press = button(
        "Measuring …" if busy else words, "measure", {"unit": name}, disabled=busy or bool(refused),
        title=refused or MEASURE_HINT,
        **attributes(aria_label=f"{words}: {circuit.nodes[name].called}"),
    )  # fmt: skip
    return html.Div([press, *([html.P(refused, className="reason")] if refused else [])])


Keys = tuple[tuple[str, str], ...]

BEGIN: Keys = (
    ("click", "select a unit or an edge"),
    ("double click", "expand a unit: show the units that contribute to it"),
    ("drag", "move a unit, or pan the graph"),
    ("← ↑ ↓ →", "go to its neighbours"),
    ("e", "expand"),
    ("x", "discard"),
    ("Shift click", "mark more units, to name them together; also Ctrl click"),
    ("Ctrl Z", "undo"),
    ("?", "all keys"),
)
"""What is shown while nothing is chosen."""


def listed(keys: Keys) -> Component:
    """Keys with what they do."""
    rows = [part for key, meaning in keys for part in (html.Dt(html.Kbd(key)), html.Dd(meaning))]
    return html.Dl(rows, className="keys")


def notice(session: Session) -> list[Component]:
    """Why the circuit can only be looked at, if that is so."""
    locked = session.work.locked
    return [html.P(locked, className="notice", role="note")] if locked else []


def discarded(circuit: Circuit | None) -> list[Component]:
    """The discarded units of a circuit, each of which can be restored."""
    dropped = [node for node in circuit.nodes.values() if node.discarded] if circuit is not None else []
    if not dropped:
        return []
    rows = []
    for node in dropped:
        restore = button("Restore", "restore", {"unit": node.id}, **attributes(aria_label=f"restore {node.called}"))
        rows.append(html.Li([html.Span(node.called), restore]))
    return [html.H2(f"Discarded ({len(dropped)})"), html.Ul(rows, className="discarded")]


def how_to(first: str) -> Component:
    """How to go on when nothing is chosen."""
    said = [html.P(first)] if first else []
    return html.Div([*said, listed(BEGIN)], className="empty-pane")
