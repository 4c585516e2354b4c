"""The page before any session is known: three panes, their controls, and the stores that callbacks speak through."""

from typing import Any

from dash import dcc, html

from circuits.networks import Network
from dashboard import ids, panels
from dashboard.panels import attributes

_POLL = 500


def layout(network: Network) -> Any:
    """The page before any session is known."""
    return html.Div(
        [
            *(dcc.Store(id=name) for name in (ids.ACTIONS, ids.FILE, ids.RECEIVED, ids.VIEW, ids.PROGRESS)),
            dcc.Interval(id=ids.TICK, interval=_POLL, disabled=True),
            dcc.Download(id=ids.DOWNLOAD),
            html.Div(id=ids.START, hidden=True),
            html.Div(id=ids.TOASTS),
            _header(network),
            _left(),
            _middle(),
            html.Aside(
                [
                    html.Div(id=ids.HEAD),
                    html.Div([html.Div(id=ids.LOOKS), html.Div(id=ids.FIRED)], className="pair"),
                    *(html.Div(id=name) for name in (ids.BOOKS, ids.EVIDENCE, ids.FOOT)),
                ],
                id=ids.UNIT,
                className="pane right",
                tabIndex=-1,
                **attributes(aria_label="The chosen unit or edge"),
            ),
        ],
        className="page",
    )


def _header(network: Network) -> Any:
    height, width = network.preprocessing.size
    books = "attributions add up exactly" if network.piecewise_linear else "attributions leave a remainder"
    counts = f"{len(network.layers)} layers · {len(network.labels)} classes · sees {width} × {height}"
    facts = f"{network.name} · {counts} · {books}"
    return html.Header(
        [
            html.H1("Circuit explorer"),
            html.Span(facts, className="muted small grow", title=f"{network.source}, sha256 {network.sha256[:12]}"),
            panels.button("Light / dark", id=ids.THEME),
        ]
    )


def _left() -> Any:
    drop = dcc.Upload(html.Div(id=ids.PHOTO, className="photo-drop"), id=ids.PHOTO_UPLOAD, max_size=-1)
    return html.Aside(
        [
            html.Div(
                [html.H2("What the network sees"), panels.button("Example", "example", "cat", title="The cat again")],
                className="titled",
            ),
            html.Label(drop, **attributes(aria_label="Choose a photo")),
            html.H2("What it says"),
            html.Div(id=ids.PREDICTIONS),
            html.H2("Settings for the next why?"),
            html.Div(id=ids.SETTINGS),
        ],
        className="pane left",
        tabIndex=-1,
        **attributes(aria_label="Photo, predictions and settings"),
    )


def _middle() -> Any:
    tool = panels.button
    zoom = [
        tool("Fit", className="round", title="Fit the graph (0)", **attributes(data_zoom="fit")),
        tool("−", className="round", title="Zoom out (−)", **attributes(data_zoom="0.8", aria_label="Zoom out")),
        tool("+", className="round", title="Zoom in (+)", **attributes(data_zoom="1.25", aria_label="Zoom in")),
    ]
    chosen = dcc.Upload(html.Span("Import …", className="button"), id=ids.CIRCUIT_UPLOAD, max_size=-1)
    export = [
        html.Label(chosen, title="Open a circuit that was exported as JSON"),
        tool("Export JSON", id=ids.EXPORT, disabled=True, title="The circuit as a file, circuits/1"),
        tool(
            "with pictures", "set", "pictures=on", id=ids.EMBED, className="tick", title="Exports carry all pictures",
            **attributes(aria_pressed="false"),
        ),
    ]  # fmt: skip
    described = (
        "The circuit. Arrow keys move between units, Enter chooses, e expands, x discards, plus, minus and 0 zoom."
    )
    return html.Main(
        [
            html.Div(
                [
                    tool("Undo", "undo", id=ids.UNDO, disabled=True, title="Ctrl Z"),
                    tool("Redo", "redo", id=ids.REDO, disabled=True, title="Ctrl Shift Z"),
                    html.Span(zoom, className="cluster"),
                    html.Span(className="grow"),
                    *export,
                ],
                className="tools",
                role="toolbar",
                **attributes(aria_label="Circuit"),
            ),
            html.Div(id=ids.STORY, className="story"),
            html.Div(id=ids.GRAPH, role="group", **attributes(aria_label=described)),
            html.Div(id=ids.INVITATION, className="invitation"),
            html.Div(
                [
                    html.Span([html.I(), "excites"]),
                    html.Span([html.I(), "inhibits"], className="inhibits"),
                    html.Span([html.I(), "width: its share"], className="width"),
                    html.Span([html.B("▾ 40 %"), "shown of what lies below"]),
                ],
                id=ids.LEGEND,
                className="legend",
                hidden=True,
            ),
            html.Div(
                [
                    html.Span("Loading …", id=ids.STATUS, role="status"),
                    html.Progress(id=ids.METER, value="0", max="1", hidden=True, **attributes(aria_label="Progress")),
                    html.Span(className="grow"),
                    tool("Cancel", "pause", id=ids.CANCEL, hidden=True),
                    tool("Resume", "resume", id=ids.RESUME, hidden=True),
                ],
                className="status",
            ),
        ]
    )
