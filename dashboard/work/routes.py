"""Plain HTTP beside Dash's own: pictures by their content address, photos, evidence, and closed tabs."""

import re
from pathlib import Path

from flask import Flask, Response, abort, request

from dashboard.session.tabs import TabSessions
from dashboard.work.networks import Networks

_KEY = re.compile(r"[0-9a-f]{8,128}")
_WEBP = "image/webp"
_FOREVER = "public, max-age=31536000, immutable"
# Cut out of somebody's photo: never for a cache between the server and the browser.
_FOR_ONE = "private, max-age=86400, immutable"


def add_routes(server: Flask, sessions: TabSessions, networks: Networks) -> None:
    """Add the page's addresses to a server.

    | address | answer |
    |---|---|
    | `/picture/<key>.webp` | what a unit looks for |
    | `/preview/<key>-<number>.webp` | the same, unfinished |
    | `/evidence/<key>.webp` | a picture of a finding |
    | `/photo/<key>.webp` | what the network sees of a photo that somebody has open |
    | `/carried/<key>` | a picture that came with a circuit's file |
    | `/alive` | nothing: the server is there |
    | `/leave` | takes the name of a session whose page was closed |

    Args:
        server: the Flask server of the app.
        sessions: whose photos.
        networks: with the pictures, the unfinished ones, and the answers.
    """
    workers = networks.first.workers
    previews = workers.previews

    def picture(key: str) -> Response:
        return Response(finished(key), mimetype=_WEBP, headers={"Cache-Control": _FOREVER})

    def preview(key: str, number: int) -> Response:
        """The newest preview, whichever is asked for; if it has just gone, the picture that took its place, if any."""
        newest = previews.get(key) or previews.sketch(key)
        if newest is None and _KEY.fullmatch(key) and file(key) is None:
            return Response(status=204, headers={"Cache-Control": "no-store"})  # given up meanwhile, which is no fault
        data = newest.data if newest is not None else finished(key)
        return Response(data, mimetype=_WEBP, headers={"Cache-Control": "no-store"})

    def evidence(key: str) -> Response:
        data = next((data for work in networks.ready if (data := work.results.picture(key)) is not None), None)
        if data is None:
            abort(404)
        return Response(data, mimetype=_WEBP, headers={"Cache-Control": _FOR_ONE})

    def photo(key: str) -> Response:
        data = sessions.photo(key)
        if data is None:
            abort(404)
        return Response(data, mimetype=_WEBP, headers={"Cache-Control": _FOR_ONE})

    def carried(key: str) -> Response:
        picture = workers.carried.get(key)
        if picture is None:
            abort(404)
        kind, data = picture
        return Response(data, mimetype=kind, headers={"Cache-Control": "private, max-age=31536000, immutable"})

    def alive() -> Response:
        return Response(status=204, headers={"Cache-Control": "no-store"})

    def file(key: str) -> Path | None:
        return next((path for work in networks.ready if (path := work.library.gallery.file(key)) is not None), None)

    def finished(key: str) -> bytes:
        path = file(key) if _KEY.fullmatch(key) else None
        if path is None:
            abort(404)
        return path.read_bytes()

    def leave() -> Response:
        name = request.get_data(as_text=True)[:64]
        workers.leave(name)
        sessions.leave(name)
        return Response(status=204)

    server.add_url_rule("/picture/<key>.webp", "picture", picture)
    server.add_url_rule("/preview/<key>-<int:number>.webp", "preview", preview)
    server.add_url_rule("/evidence/<key>.webp", "evidence", evidence)
    server.add_url_rule("/photo/<key>.webp", "photo", photo)
    server.add_url_rule("/carried/<key>", "carried", carried)
    server.add_url_rule("/alive", "alive", alive)
    server.add_url_rule("/leave", "leave", leave, methods=["POST"])
