"""Which property of which element calls which callback. Registered on the app, not on Dash's global list."""

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State

from dashboard import ids
from dashboard.callbacks import Callbacks


def connect(app: Dash, callbacks: Callbacks) -> None:
    """Register the callbacks on an app."""
    sent, have = (ids.ACTIONS, "data"), (ids.HAVE, "data")
    app.callback(
        output={
            "view": Output(ids.VIEW, "data"),
            "photo": Output(ids.PHOTO, "children"),
            "strip": Output(ids.STRIP, "children"),
            "spot": Output(ids.SPOT, "children"),
            "explained": Output(ids.EXPLAINED, "children"),
            "predictions": Output(ids.PREDICTIONS, "children"),
            "settings": Output(ids.SETTINGS, "children"),
            "head": Output(ids.HEAD, "children"),
            "looks": Output(ids.LOOKS, "children"),
            "fired": Output(ids.FIRED, "children"),
            "books": Output(ids.BOOKS, "children"),
            "books_shown": Output(ids.BOOKS, "data-shows"),
            "evidence": Output(ids.EVIDENCE, "children"),
            "foot": Output(ids.FOOT, "children"),
            "story": Output(ids.STORY, "children"),
            "invitation": Output(ids.INVITATION, "children"),
            "page": Output(ids.MIDDLE, "data-page"),
            "wall": Output(ids.WALL_DATA, "data"),
            "compare": Output(ids.COMPARE, "children"),
            "no_invitation": Output(ids.INVITATION, "hidden"),
            "no_legend": Output(ids.LEGEND, "hidden"),
            "no_undo": Output(ids.UNDO, "disabled"),
            "no_redo": Output(ids.REDO, "disabled"),
        },
        inputs=[Input(*sent), State(*have)],
        prevent_initial_call=True,
    )(callbacks.act)
    app.callback(Output(ids.RECEIVED, "data"), Input(ids.FILE, "data"), prevent_initial_call=True)(callbacks.receive)
    app.callback(
        Output(ids.PROGRESS, "data"),
        Input(ids.TICK, "n_intervals"),
        State(*sent),
        State(*have),
        prevent_initial_call=True,
    )(callbacks.poll)
    _connect_scripts(app)


def _connect_scripts(app: Dash) -> None:
    """What runs in the browser alone; the functions are in `assets/`."""
    in_browser: Any = app.clientside_callback
    in_browser(
        ClientsideFunction("graph", "render"),
        Output(ids.TICK, "disabled"),
        Output(ids.TICK, "interval"),
        Output(ids.STATUS, "children"),
        Output(ids.METER, "value"),
        Output(ids.METER, "max"),
        Output(ids.METER, "hidden"),
        Output(ids.CANCEL, "hidden"),
        Output(ids.RESUME, "hidden"),
        Input(ids.VIEW, "data"),
        Input(ids.PROGRESS, "data"),
    )
    in_browser(ClientsideFunction("wall", "render"), Input(ids.WALL_DATA, "data"))
    in_browser(ClientsideFunction("circuits", "start"), Input(ids.START, "id"))
    for name, element, properties in (
        ("theme", ids.THEME, ("n_clicks",)),
        ("received", ids.RECEIVED, ("data",)),
        ("photo", ids.PHOTO_UPLOAD, ("contents", "filename")),
        ("circuit", ids.CIRCUIT_UPLOAD, ("contents", "filename")),
    ):
        first, *others = properties
        in_browser(
            ClientsideFunction("circuits", name),
            Input(element, first),
            *[State(element, other) for other in others],
            prevent_initial_call=True,
        )
