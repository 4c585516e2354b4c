"""The strip of photos in the left pane."""

import json
from collections.abc import Callable
from typing import Any

from dash import html

from circuits.image.photo import Photo
from dashboard.components import attributes, breakable, button, sends
from dashboard.features.photo.actions import shown_by
from dashboard.library import Library
from dashboard.session.selection import spot_layer
from dashboard.session.state import Session, key_of, photos_of
from dashboard.webp import WebP

Component = Any


def strip(session: Session, library: Library, show: Callable[[WebP], str]) -> list[Component]:
    """The photos that were taken, each of which can be shown again; nothing if there is one or none.

    Args:
        session: whose.
        library: knows what the network sees of them.
        show: makes a picture available to the page; returns its address.
    """
    photos = photos_of(session)
    if len(photos) < 2:
        return []
    busy = {shown_by(request) for request in session.requests}
    shown = key_of(session.work.photo) if session.work.photo is not None else ""
    items = [_item(photo, show(library.seen(photo, None)), shown, busy) for photo in photos]
    return [html.Ul(items, **attributes(aria_label="Photos"))]


def _item(photo: Photo, address: str, shown: str, busy: set[str]) -> Component:
    key = key_of(photo)
    pressed = key == shown
    choose = html.Button(
        html.Img(src=address, alt="", width=40, height=40),
        type="button",
        title=photo.name,
        className="photo-choice busy" if key in busy else "photo-choice",
        **sends("photo", photo=key),
        **attributes(aria_label=photo.name, aria_pressed=str(pressed).lower()),
    )
    if pressed:
        return html.Li(choose, key=key)
    remove = html.Button(
        "×",
        type="button",
        title=f"Remove {photo.name}",
        className="photo-remove",
        **sends("forget-photo", photo=key),
        **attributes(aria_label=f"Remove {photo.name}"),
    )
    return html.Li([choose, remove], key=key)


def photo(session: Session, crop: str, library: Library) -> list[Component]:
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
    can_point = bool(library.placed) and not work.locked
    positions = library.network.layer(spot_layer(session, library) or library.placed[-1]) if can_point else None
    grid = f"{positions.height},{positions.width}" if positions is not None else ""
    sees = html.Div(
        parts,
        className="sees pointable" if can_point else "sees",
        tabIndex=-1,
        role="application",
        **attributes(aria_label=described, data_grid=grid),
    )
    name = html.Div(
        breakable(chosen.name), className="name", title=f"{chosen.name}, {chosen.width} × {chosen.height} pixels"
    )
    height, width = library.network.preprocessing.size
    told = f"The photo has {chosen.width} × {chosen.height} pixels; the network sees a crop as {width} × {height}."
    size = html.Div(f"{chosen.width} × {chosen.height}", className="small muted", title=told)
    move = button(
        "Move the crop", id="move-crop", disabled=not chosen.whole,
        title="" if chosen.whole else "Only what the network saw is at hand; choose the photo again to move the crop.",
        **attributes(data_photo=json.dumps(_frame(session, library))),
    )  # fmt: skip
    point = button(
        "What fires here?", id="point", disabled=not can_point,
        title=work.locked or "Click a place of the photo, or press this and use the arrow keys",
    )  # fmt: skip
    return [sees, html.Div([name, size, move, point], className="beside")]


def _frame(session: Session, library: Library) -> dict[str, Any]:
    """What `crop.js` needs to show the whole photo and the part that the network sees."""
    chosen, preprocessing = session.work.photo, library.network.preprocessing
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
