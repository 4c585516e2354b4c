"""The whole photo as plain HTTP, for the choice of its crop."""

from flask import Flask, Response, abort

from dashboard.session.state import Session, key_of, photos_of
from dashboard.session.tabs import TabSessions
from dashboard.webp import webp, wide
from dashboard.work.networks import Networks

SIDE = 1024
# Somebody's photo: never for a cache between the server and the browser.
_FOR_ONE = "private, max-age=86400, immutable"


def add_routes(server: Flask, sessions: TabSessions, networks: Networks) -> None:
    """Add `/whole/<session>/<key>.webp`: a photo of the strip, its longer side at most 1024 pixels."""

    def whole(session: str, key: str) -> Response:
        tab = sessions.find(session)
        data = whole_photo(tab.session, key) if tab is not None else None
        if data is None:
            abort(404)
        return Response(data, mimetype="image/webp", headers={"Cache-Control": _FOR_ONE})

    server.add_url_rule("/whole/<session>/<key>.webp", "whole", whole)


def whole_photo(session: Session, key: str) -> bytes | None:
    """A photo of the strip as WebP, its longer side at most `SIDE` pixels; `None` if only its crop is at hand."""
    photo = next((each for each in photos_of(session) if key_of(each) == key), None)
    if photo is None or not photo.whole:
        return None
    return webp(wide(photo.image, SIDE) if max(photo.image.size) > SIDE else photo.image).data
