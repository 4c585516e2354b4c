"""The frame of the graph: the row of tools over it, and what stands around it. Static; the scripts fill it."""

import json
from typing import Any

from dash import dcc, html

from circuits.report.edge_words import WARNING_LABELS, WARNING_MEANINGS, WARNING_SIGNS
from circuits.units import IN_NO_GROUP
from dashboard import ids
from dashboard.components import Component, attributes, button
from dashboard.features.graph.actions import LEVELS

_KEYS = (
    "The circuit. Arrow keys move between units, Enter chooses, e expands, Shift e expands the whole level, "
    "c collapses, x discards, p locks a unit in place, Alt with arrow keys moves it, f folds near-duplicates, m marks, "
    "l leads to the edges, plus, minus and 0 zoom."
)
_WEAK = (
    "Hides edges with a smaller share of the unit above, and units that are then not connected to the target. "
    "Exports keep everything."
)


_COUNTED = {1: "one level", 2: "two levels", 3: "three levels"}


def toolbar(export_menu: Component) -> list[Component]:
    """The row of tools."""
    chosen = dcc.Upload(html.Span("Import …", className="button"), id=ids.CIRCUIT_UPLOAD, max_size=-1)
    return [
        html.Span(
            [
                _round("↶", "Undo", "Ctrl Z", id="undo", disabled=True, data_action="undo"),
                _round("↷", "Redo", "Ctrl Shift Z", id="redo", disabled=True, data_action="redo"),
            ],
            className="cluster",
        ),
        _menu("Grow", "Expand every unit that is shown", [_grow(levels) for levels in range(1, LEVELS + 1)]),
        _menu(
            "Arrange",
            "Near-duplicates, and units that are locked in place",
            [
                _item("Fold all", "Show units that fire in nearly the same places as one", data_graph="fold"),
                _item("Unfold all", "Show each of them again", data_action="unfold"),
                _item("Release all", "Unlock every unit that was moved", data_action="release_all"),
            ],
        ),
        _weak(),
        html.Label(chosen, className="import", title="Open a circuit that was exported as JSON"),
        export_menu,
    ]


def stage() -> list[Component]:
    """The graph, over it what it answers, what its units are and what is hidden, under it the legend and the views."""
    zoom = [
        _round("+", "Zoom in", "+", data_zoom="1.25"),
        _round("−", "Zoom out", "−", data_zoom="0.8"),
        _round("Fit", "Fit the graph", "0", data_zoom="fit"),
    ]
    return [
        html.Div(
            [
                html.Div([html.Div(id=ids.STORY), _how_good()], className="told"),
                html.Div(id=ids.UNITS_SWITCH, className="units-switch"),
                html.Div(id="sets", className="sets", hidden=True),
                html.Output(id="weak-left", hidden=True, htmlFor="weak"),
            ],
            className="story",
        ),
        html.Div(id=ids.GRAPH, role="group", **attributes(aria_label=_KEYS)),
        html.Div(id=ids.INVITATION, className="invitation"),
        html.Div(
            [
                html.Div(legend(), id=ids.LEGEND, className="legend", hidden=True),
                html.Div(
                    [_look(), html.Div(zoom, className="zoom", role="group", **attributes(aria_label="Zoom"))],
                    className="views",
                ),
            ],
            className="foot",
        ),
    ]


def _look() -> Component:
    """The switch of what all units show; `graph.js` acts on it."""
    choices = {
        "picture": ("Picture", "What each unit looks for, drawn by the network"),
        "patch": ("Patch", "The part of the photo where each unit fired most"),
        "heat": ("Heat map", "Where each unit fired in the photo"),
    }
    buttons = [
        html.Button(label, type="button", title=title, **attributes(data_look=look, aria_pressed="false"))
        for look, (label, title) in choices.items()
    ]
    return html.Div(buttons, id=ids.LOOK, className="look", role="group", **attributes(aria_label="Units show"))


def _how_good() -> Component:
    """The button that asks for the circuit's score; `score.js` shows it beside a circuit."""
    return button(
        "How good is this circuit?", "score", id="how-good", hidden=True,
        title="Ablate all other units of its layers, and compare how much it keeps with chance",
    )  # fmt: skip


def legend() -> list[Component]:
    """What the lines and marks mean."""
    return [
        html.Span([html.I(), "excites"]),
        html.Span([html.I(), "inhibits"], className="inhibits"),
        html.Span([html.I(), IN_NO_GROUP], className="residual", title="What none of the layer's groups holds"),
        html.Span(
            [html.I(), "width: share"],
            className="width",
            title="Share of the gross attribution of the unit above",
        ),
        html.Span(
            [html.I(), "ablation disagrees"],
            className="disagrees",
            title="Measured by ablation, the effect has another sign, or is more than twice or less than half as large",
        ),
        *(
            html.Span(
                [html.B(WARNING_SIGNS[name]), WARNING_LABELS[name]],
                className=name,
                hidden=True,
                title=f"Edges: {meaning}",
            )
            for name, meaning in WARNING_MEANINGS.items()
            if name != "disagrees"
        ),
        html.Span(
            [html.B("▾ 40 %"), "shown below"],
            title="Coverage: the part of the unit's gross attribution that comes from the units shown below it",
        ),
        html.Span(
            [html.B("≈ 3"), "near-duplicates"],
            className="alike",
            title="Units of one layer whose maps correlate above 0.9 in this photo; press the mark to fold them",
        ),
    ]


def _round(sign: str, name: str, keys: str, **more: Any) -> Component:
    """A small button with a sign on it."""
    properties = {key: more.pop(key) for key in ("id", "disabled") if key in more}
    titled: dict[str, Any] = {"title": f"{name} ({keys})", "className": "round"}
    return button(sign, **properties, **titled, **attributes(aria_label=name, **more))


def _grow(levels: int) -> Component:
    label = f"{levels} level{'' if levels == 1 else 's'}"
    purpose = f"Expand {_COUNTED[levels]} down"
    return _item(label, purpose, data_action="grow", data_payload=json.dumps({"levels": levels}))


def _menu(label: str, title: str, items: list[Component]) -> Component:
    return html.Details(
        [
            html.Summary(label, className="button", title=title),
            html.Ul([html.Li(item) for item in items], className="menu-items"),
        ],
        className="menu from-left",
    )


def _item(label: str, purpose: str, **data: str) -> Component:
    words = [html.Span(label, className="menu-label"), html.Span(purpose, className="muted small")]
    return html.Button(words, type="button", className="menu-item", **attributes(**data))


def _weak() -> Component:
    """The place of the slider that hides weak edges; `weak.js` makes it, for it acts at once."""
    return html.Label(id="weak-tool", className="weak", title=_WEAK)
