"""The left pane and the words over the graph as Dash components, made from the session."""

from collections.abc import Mapping
from typing import Any

from dash import html

from circuits.networks import Prediction
from circuits.wording import number
from dashboard.explorer import MODES, SIGNS
from dashboard.sessions import Session
from dashboard.view import percent

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


def photo(session: Session, crop: str) -> list[Component]:
    """The photo as the network sees it, inside the field that takes another one."""
    choose = html.Span("choose", className="choose")
    chosen = session.work.photo
    if chosen is None:
        return [html.Div(className="no-photo"), html.Div(["Drop, paste or ", choose, " a photo"])]
    return [
        html.Img(src=crop, alt=f"{chosen.name}, cropped as the network sees it"),
        html.Div(
            [
                html.Div(chosen.name, className="name"),
                html.Div(f"{chosen.width} × {chosen.height} pixels", className="small muted"),
                html.Span(["Drop, paste or ", choose, " another"], className="small muted"),
            ]
        ),
    ]


def predictions(session: Session) -> list[Component]:
    """The network's answers, each with its probability and a button that asks why."""
    if not session.work.predictions:
        return [html.P("They appear as soon as there is a photo.", className="muted small")]
    circuit = session.work.circuit
    explained = circuit.root if circuit is not None else ""
    top = circuit.layers[-1] if circuit is not None else ""
    asked = {ask.subject for ask in session.asks if ask.kind == "why"}
    return [
        _prediction(row, explained == f"{top}:{row.index}", str(row.index) in asked, session.work.locked)
        for row in session.work.predictions
    ]


def _prediction(row: Prediction, explained: bool, asked: bool, locked: str) -> Component:
    chance = f"{row.probability * 100:.1f} %"
    why = button(
        "…" if asked else "why?", "why", str(row.index), disabled=bool(locked), title=locked or f"Why {row.label}?",
        **attributes(aria_label=f"why {row.label}?"),
    )  # fmt: skip
    return html.Div(
        [
            html.Span(row.label, className="label", title=f"{row.label}, logit {number(row.logit)}"),
            html.Span(chance, className="numbers"),
            html.Span(html.I(style={"width": f"{row.probability * 100:.1f}%"}), className="meter"),
            why,
        ],
        className="prediction explained" if explained else "prediction",
    )


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


def story(session: Session) -> list[Component]:
    """What the graph answers, in a sentence over it."""
    circuit = session.work.circuit
    if circuit is None:
        return []
    target = circuit.target
    root = circuit.nodes[circuit.root]
    words: list[Component] = ["Why ", html.B(target["label"]), f"? Its value is {number(target['value'])}"]
    if root.books is not None:
        words.append(f"; the units below it hold {percent(root.books.coverage)} of the gross attribution.")
    return [html.P(words)]


def invitation(session: Session) -> Component:
    """What to do first, in the middle of the empty graph."""
    if not session.work.predictions:
        hint = html.P("Drop or paste one anywhere, or begin with the example.", className="muted")
        return html.Div(
            [html.Strong("Choose a photo"), hint, button("Use the cat", "example", "cat", className="main")]
        )
    best = session.work.predictions[0]
    if any(ask.kind == "why" for ask in session.asks):
        hint = html.P("The line below says how far.", className="muted")
        return html.Div([html.Strong("Tracing the circuit …"), hint])
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
