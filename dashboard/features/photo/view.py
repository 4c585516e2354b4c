"""The strip of photos in the left pane."""

from collections.abc import Callable
from typing import Any

from dash import html

from circuits.image.photo import Photo
from dashboard.features.photo.actions import key_of, meant_by, photos_of
from dashboard.features.target.view import attributes
from dashboard.library import Explorer
from dashboard.session.state import Session
from dashboard.work.findings import Shot

Component = Any


def strip(session: Session, explorer: Explorer, show: Callable[[Shot], str]) -> list[Component]:
    """The photos that were taken, each of which can be shown again; nothing if there is one or none.

    Args:
        session: whose.
        explorer: knows what the network sees of them.
        show: makes a picture available to the page; returns its address.
    """
    photos = photos_of(session)
    if len(photos) < 2:
        return []
    busy = {meant_by(session, ask) for ask in session.asks if ask.kind == "photo"}
    shown = key_of(session.work.photo) if session.work.photo is not None else ""
    items = [_item(photo, show(explorer.seen(photo, None)), shown, busy) for photo in photos]
    return [html.Ul(items, **attributes(aria_label="Photos"))]


def _item(photo: Photo, address: str, shown: str, busy: set[str]) -> Component:
    key = key_of(photo)
    pressed = key == shown
    choose = html.Button(
        html.Img(src=address, alt="", width=40, height=40),
        type="button",
        title=photo.name,
        className="photo-choice busy" if key in busy else "photo-choice",
        **attributes(aria_label=photo.name, aria_pressed=str(pressed).lower(), data_action="photo", data_arg=key),
    )
    if pressed:
        return html.Li(choose, key=key)
    remove = html.Button(
        "×",
        type="button",
        title=f"Remove {photo.name}",
        className="photo-remove",
        **attributes(aria_label=f"Remove {photo.name}", data_action="forget-photo", data_arg=key),
    )
    return html.Li([choose, remove], key=key)
