"""Plain HTTP for the left pane: what the search field finds, and the whole photo for the choice of the crop."""

from flask import Flask, Response, abort, jsonify, request
from PIL import Image

from circuits.image.photo import Photo
from dashboard.features.photo.actions import key_of, photos_of
from dashboard.features.target.search import find
from dashboard.library import Explorer
from dashboard.session.state import Session, Sessions
from dashboard.work.shots import shot, wide

SIDE = 1024
# Somebody's photo: never for a cache between the server and the browser.
_FOR_ONE = "private, max-age=86400, immutable"


def add_find_routes(server: Flask, sessions: Sessions, explorer: Explorer) -> None:
    """Add the left pane's addresses to a server.

    | address | answer |
    |---|---|
    | `/find?session=…&text=…` | what a text finds, as JSON |
    | `/whole/<session>/<key>.webp` | a photo of the strip, its longer side at most 1024 pixels |

    Args:
        server: of the page.
        sessions: whose photos and circuits.
        explorer: the library.
    """

    def search() -> Response:
        session = _session(sessions, request.args.get("session", ""))
        found = find(session, explorer, request.args.get("text", ""))
        answer = jsonify(results=[result.facts() for result in found])
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def whole(session: str, key: str) -> Response:
        data = whole_photo(_session(sessions, session), key)
        if data is None:
            abort(404)
        return Response(data, mimetype="image/webp", headers={"Cache-Control": _FOR_ONE})

    server.add_url_rule("/find", "find", search)
    server.add_url_rule("/whole/<session>/<key>.webp", "whole", whole)


def whole_photo(session: Session, key: str) -> bytes | None:
    """A photo of the strip as WebP, its longer side at most `SIDE` pixels; `None` if only its crop is at hand."""
    photo = next((each for each in photos_of(session) if key_of(each) == key), None)
    return shot(_reduced(photo)).data if photo is not None and photo.whole else None


def _reduced(photo: Photo) -> Image.Image:
    longer = max(photo.image.size)
    return wide(photo.image, SIDE) if longer > SIDE else photo.image


def _session(sessions: Sessions, name: str) -> Session:
    desk = sessions.find(name)
    if desk is None:
        abort(404)
    return desk.session
