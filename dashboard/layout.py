"""The page before any session is known: three panes, their controls, and the stores that callbacks speak through."""

from typing import Any

from dash import dcc, html

from dashboard import ids
from dashboard.components import attributes, button, sends
from dashboard.features.export import exports
from dashboard.features.graph.toolbar import stage, toolbar
from dashboard.features.help.dialog import first_steps, help_dialog, opens_help

_POLL = 500
_STORES = (ids.ACTIONS, ids.FILE, ids.RECEIVED, ids.VIEW, ids.PROGRESS, ids.HAVE, ids.WALL_DATA)
_PAGES = {
    "circuit": ("Circuit", "The units that contributed most to the target"),
    "layers": ("Layers", "Every unit of a layer"),
    "compare": ("Compare", "Two circuits side by side"),
    "atlas": ("Atlas", "What classes are made of, over many photos"),
}


def layout() -> Any:
    """The page before any session is known."""
    return html.Div(
        [
            *(dcc.Store(id=name) for name in _STORES),
            dcc.Interval(id=ids.TICK, interval=_POLL, disabled=True),
            html.Div(id=ids.START, hidden=True),
            html.Div(id=ids.TOASTS),
            help_dialog(),
            # First for the Tab key: the graph is what a person comes for.
            _middle(),
            _header(),
            _left(),
            html.Aside(
                [
                    html.Div(id=ids.HEAD),
                    html.Div(id=ids.NAMING, hidden=True),
                    html.Div([html.Div(id=ids.LOOKS), html.Div(id=ids.FIRED)], className="pair"),
                    html.Div(id=ids.WHAT_IF, hidden=True),
                    *(html.Div(id=name) for name in (ids.BOOKS, ids.EVIDENCE, ids.FOOT)),
                    first_steps(),  # last, so that no unit's pictures are pushed out of sight
                ],
                id=ids.UNIT,
                className="pane right",
                tabIndex=-1,
                **attributes(aria_label="The chosen unit or edge"),
            ),
        ],
        className="page",
    )


def _header() -> Any:
    return html.Header(
        [
            html.H1("Circuit explorer"),
            html.Div(id=ids.NETWORK, className="grow network"),
            _pages(),
            _folds(),
            button("Help", title="Four steps, all keys, and the documentation (?)", **opens_help()),
            button("Light / dark", id=ids.THEME),
        ]
    )


def _pages() -> Any:
    """The choice of what the middle shows; `graph.js` marks the one that is shown."""
    buttons = [
        html.Button(label, type="button", title=title, **sends("page", page=name), **attributes(data_page=name))
        for name, (label, title) in _PAGES.items()
    ]
    return html.Nav(buttons, className="segments pages", **attributes(aria_label="What the middle shows"))


def _folds() -> Any:
    """The buttons that give the middle more room; `panes.js` acts on them."""
    choices = {
        "left": ("◧", "Fold the left pane away, or show it again"),
        "right": ("◨", "Fold the right pane away, or show it again"),
        "both": ("⤢", "Full screen: the middle alone"),
    }
    buttons = [
        button(
            sign, title=title, className="round",
            **attributes(data_fold=which, aria_label=title, **({} if which == "both" else {"aria_pressed": "false"})),
        )
        for which, (sign, title) in choices.items()
    ]  # fmt: skip
    return html.Span(buttons, className="cluster", role="group", **attributes(aria_label="Room"))


def _left() -> Any:
    choose = dcc.Upload(html.Span("Choose …", className="button"), id=ids.PHOTO_UPLOAD, max_size=-1, multiple=True)
    return html.Aside(
        [
            html.Div(
                [
                    html.H2("Input"),
                    html.Label(
                        choose, title="Or drop one anywhere, or paste it", **attributes(aria_label="Choose a photo")
                    ),
                    button("Example", "example", {"name": "cat"}, title="The cat again"),
                ],
                className="titled",
            ),
            html.Div(id=ids.PHOTO, className="photo"),
            html.Div(id=ids.STRIP),
            html.Div(id=ids.SPOT),
            html.H2("Predictions"),
            html.Div(id=ids.SEARCH),
            html.Div(id=ids.EXPLAINED),
            html.Div(id=ids.PREDICTIONS),
            html.H2("Settings for the next explanation"),
            html.Div(id=ids.SETTINGS),
        ],
        className="pane left",
        tabIndex=-1,
        **attributes(aria_label="Photo, predictions and settings"),
    )


def _middle() -> Any:
    return html.Main(
        [
            html.Div(stage(), className="stage of-circuit"),
            html.Div(
                toolbar(exports.menu()),
                className="tools of-circuit",
                role="toolbar",
                **attributes(aria_label="Circuit"),
            ),
            html.Div(id=ids.WALL, className="of-layers"),
            html.Div(id=ids.COMPARE, className="of-compare"),
            html.Div(id=ids.ATLAS, className="of-atlas"),
            html.Div(
                [
                    html.Span("Loading …", id=ids.STATUS, role="status"),
                    html.Progress(id=ids.METER, value="0", max="1", hidden=True, **attributes(aria_label="Progress")),
                    html.Span(className="grow"),
                    button("Cancel", "pause", id=ids.CANCEL, hidden=True),
                    button("Resume", "resume", id=ids.RESUME, hidden=True),
                    button(
                        "Try again",
                        "resume",
                        id=ids.RETRY,
                        hidden=True,
                        title="Draw the pictures that failed once more; the terminal that serves the page says more",
                    ),
                    button(
                        "Refine",
                        "refine",
                        id=ids.REFINE,
                        hidden=True,
                        title="Finish the pictures, however long it takes",
                    ),
                ],
                className="status",
            ),
        ],
        id=ids.MIDDLE,
        **attributes(data_page="circuit"),
    )
