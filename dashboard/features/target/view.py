"""The left pane and the words over the graph as Dash components, made from the session."""

import json
from collections.abc import Mapping
from typing import Any

from dash import html

from circuits.network.predict import Prediction
from circuits.report.text import chance, number
from circuits.tracing.targets import target_of
from dashboard.features.graph.view import percent
from dashboard.features.photo.actions import key_of
from dashboard.features.point.queries import spot_layer
from dashboard.features.target.questions import against, question_of
from dashboard.features.target.questions import explained as classes_explained
from dashboard.library import MODES, SIGNS, Explorer
from dashboard.session.state import Session

Component = Any


def attributes(**named: str) -> dict[str, Any]:
    """HTML attributes whose names have dashes.

    Example:
        >>> attributes(aria_label="Zoom in", data_zoom="1.25")
        {'aria-label': 'Zoom in', 'data-zoom': '1.25'}
    """
    return {name.replace("_", "-"): value for name, value in named.items()}


def button(label: str, action: str = "", subject: str = "", **more: Any) -> Component:
    """A button that sends an action when it is pressed."""
    extra = attributes(data_action=action, data_arg=subject) if action else {}
    classes = f"button {more.pop('className', '')}".strip()
    return html.Button(label, type="button", className=classes, **extra, **more)


def photo(session: Session, crop: str, explorer: Explorer) -> list[Component]:
    """What the network sees of the photo, where a place can be pointed at, with what can be done with it."""
    chosen, work = session.work.photo, session.work
    if chosen is None:
        return [html.P("Drop or paste a photo anywhere, or choose one.", className="no-photo muted small")]
    described = "The crosshair on the photo: arrow keys move it, Enter asks what fires there, Escape leaves"
    parts: list[Component] = [
        html.Img(src=crop, alt=f"{chosen.name}, cropped as the network sees it", draggable="false"),
        html.Span(className="cross", **attributes(aria_hidden="true")),
    ]
    if work.spot is not None and not work.locked:
        across, down = work.spot
        parts.append(html.Span(className="spot-mark", style={"left": f"{across:.2%}", "top": f"{down:.2%}"}))
    can_point = bool(explorer.placed) and not work.locked
    positions = explorer.network.layer(spot_layer(session, explorer)) if can_point else None
    grid = f"{positions.height},{positions.width}" if positions is not None else ""
    sees = html.Div(
        parts,
        className="sees pointable" if can_point else "sees",
        tabIndex=-1,
        role="application",
        **attributes(aria_label=described, data_grid=grid),
    )
    name = html.Div(chosen.name, className="name", title=f"{chosen.name}, {chosen.width} × {chosen.height} pixels")
    height, width = explorer.network.preprocessing.size
    told = f"The photo has {chosen.width} × {chosen.height} pixels; the network sees a crop as {width} × {height}."
    size = html.Div(f"{chosen.width} × {chosen.height}", className="small muted", title=told)
    move = button(
        "Move the crop", id="move-crop", disabled=not chosen.whole,
        title="" if chosen.whole else "Only what the network saw is at hand; choose the photo again to move the crop.",
        **attributes(data_photo=json.dumps(_frame(session, explorer))),
    )  # fmt: skip
    point = button(
        "What fires here?", id="point", disabled=not can_point,
        title=work.locked or "Click a place of the photo, or press this and use the arrow keys",
    )  # fmt: skip
    return [sees, html.Div([name, size, move, point], className="beside")]


def _frame(session: Session, explorer: Explorer) -> dict[str, Any]:
    """What `crop.js` needs to show the whole photo and the part that the network sees."""
    chosen, preprocessing = session.work.photo, explorer.network.preprocessing
    if chosen is None:
        return {}
    height, width = preprocessing.size
    return {
        "key": key_of(chosen),
        "name": chosen.name,
        "width": chosen.width,
        "height": chosen.height,
        "aspect": width / height,
        "window": [round(side, 3) for side in preprocessing.window_of(chosen)],
        "moved": chosen.window is not None,
    }


def explained(session: Session) -> list[Component]:
    """What is explained now, in words; nothing without a circuit."""
    if session.work.circuit is None:
        return []
    return [html.P(["Explained now: ", *_asked(question_of(session.work.circuit))], className="small")]


def _asked(parts: tuple[str, ...]) -> list[Component]:
    """A question, with what it is about set off."""
    return [html.B(part) if place % 2 else part for place, part in enumerate(parts)]


_SOON = "They appear as soon as there is a photo."


def predictions(session: Session) -> list[Component]:
    """The network's answers, each with its probability and a button that asks why, or why not."""
    if not session.work.predictions:
        return [html.P("This network names no classes." if session.work.photo else _SOON, className="muted small")]
    plus, minus = classes_explained(session.work.circuit) or (None, None)
    asked = {ask.subject for ask in session.asks if ask.kind == "why"}
    return [_prediction(session, row, plus, minus, asked) for row in session.work.predictions]


def _prediction(session: Session, row: Prediction, plus: int | None, minus: int | None, asked: set[str]) -> Component:
    locked = session.work.locked
    deeds = [
        button(
            "…" if str(row.index) in asked else "why?", "why", str(row.index), disabled=bool(locked),
            title=locked or f"Why {row.label}?", **attributes(aria_label=f"why {row.label}?"),
        )
    ]  # fmt: skip
    if plus is not None and plus != row.index and not locked:
        deeds.append(_not(session, row, plus, pressed=minus == row.index, asked=asked))
    kinds = {plus: " explained", minus: " against"}
    return html.Div(
        [
            html.Span(row.label, className="label", title=f"{row.label}, logit {number(row.logit)}"),
            html.Span(chance(row.probability), className="numbers"),
            html.Span(html.I(style={"width": f"{row.probability * 100:.1f}%"}), className="meter"),
            html.Span(deeds, className="deeds"),
        ],
        className=f"prediction{kinds.get(row.index, '')}",
        **attributes(data_class=str(row.index)),
    )


def _not(session: Session, row: Prediction, plus: int, *, pressed: bool, asked: set[str]) -> Component:
    """A button that explains the difference of the class that is explained and this one."""
    circuit, wish = session.work.circuit, against(plus, row.index)
    about = next((each.label for each in session.work.predictions if each.index == plus), "")
    if not about and circuit is not None:
        about = question_of(circuit)[1]
    question = f"Why {about} and not {row.label}?"
    return button(
        "…" if wish in asked else "not", "why", wish, title=question,
        **attributes(aria_label=f"not {row.label}?", aria_pressed=str(pressed).lower()),
    )  # fmt: skip


TOPS = (3, 5, 8, 12)


def settings(session: Session, depths: tuple[int, ...]) -> list[Component]:
    """How the next circuit is to be found, each setting with a line on what the choice means."""
    chosen = session.choices
    return [
        setting("depth", "Depth", "Layers to walk down from the class.", depths, min(chosen.depth, depths[-1])),
        setting("top", "Top", "Units to show below each unit.", TOPS, chosen.top),
        setting("signs", "Signs", SIGNS[chosen.signs], tuple(SIGNS), chosen.signs),
        setting("mode", "Mode", MODES[chosen.mode], tuple(MODES), chosen.mode),
    ]


def setting(
    name: str,
    caption: str,
    hint: str,
    options: tuple[int, ...] | tuple[str, ...],
    value: int | str,
    *,
    shown: Mapping[str, str] | None = None,
) -> Component:
    """A choice among a few options, one of which is taken.

    Args:
        name: of the setting.
        caption: before it.
        hint: what the option means that is taken.
        options: the choice.
        value: which is taken.
        shown: what options are called, if not by their names.
    """
    names = shown or {}
    segments = [
        html.Button(
            names.get(str(option), str(option)), type="button", id=f"{name}-{option}",
            **attributes(data_action="set", data_arg=f"{name}={option}", aria_pressed=str(option == value).lower()),
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


_VALUES = {
    "class": "Its value is",
    "difference": "The difference of their logits is",
    "unit": "Its sum over all places is",
    "neuron": "Its activation there is",
}


def story(session: Session) -> list[Component]:
    """What the graph answers, in a sentence over it."""
    circuit = session.work.circuit
    if circuit is None:
        return []
    root = circuit.nodes[circuit.root]
    value = f" {_VALUES[target_of(circuit).kind]} {number(circuit.target['value'])}"
    words: list[Component] = [*_asked(question_of(circuit)), value]
    if root.books is not None:
        words.append(f"; the units below it hold {percent(root.books.coverage)} of the gross attribution.")
    return [html.P(words)]


def invitation(session: Session) -> Component:
    """What to do first, in the middle of the empty graph."""
    if session.work.photo is not None and not session.work.predictions:
        return _without_classes(session)
    if not session.work.predictions:
        hint = html.P("Drop or paste one anywhere, or begin with the example.", className="muted")
        return html.Div(
            [html.Strong("Choose a photo"), hint, button("Use the cat", "example", "cat", className="main")]
        )
    best = session.work.predictions[0]
    if any(ask.kind == "why" for ask in session.asks):
        return _tracing()
    return html.Div(
        [
            html.Strong(f"The network says: {best.label}"),
            html.P(
                "Ask why, and see the channels that argued for it, what they look for, and the channels below them.",
                className="muted",
            ),
            button(f"Why {best.label}?", "why", str(best.index), className="main"),
        ]
    )


def _tracing() -> Component:
    hint = html.P("The line below says how far.", className="muted")
    return html.Div([html.Strong("Tracing the circuit …"), hint])


def _without_classes(session: Session) -> Component:
    """What to do first with a network that names no classes, such as the backbone of a detector."""
    if any(ask.kind == "why" for ask in session.asks):
        return _tracing()
    hint = "Ask why one of its units fired: choose it among all units of a layer, or write its address in the search."
    return html.Div(
        [
            html.Strong("This network names no classes"),
            html.P(hint, className="muted"),
            button("See all units", "page", "layers", className="main"),
        ]
    )
