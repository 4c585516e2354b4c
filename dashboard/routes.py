"""Plain HTTP beside Dash's own: pictures by their content address, unfinished ones, evidence, and closed tabs."""

import re
from collections.abc import Callable

from flask import Flask, Response, abort, request

from dashboard.explorer import Gallery
from dashboard.previews import Previews
from dashboard.topics import Board

_KEY = re.compile(r"[0-9a-f]{8,128}")
_WEBP = "image/webp"
_FOREVER = "public, max-age=31536000, immutable"
# Cut out of somebody's photo: never for a cache between the server and the browser.
_FOR_ONE = "private, max-age=86400, immutable"


def add_routes(server: Flask, gallery: Gallery, previews: Previews, board: Board, left: Callable[[str], None]) -> None:
    """Add `/picture/<key>.webp`, `/preview/<key>-<number>.webp`, `/evidence/<key>.webp` and `/leave` to a server.

    Args:
        server: the Flask server of the app.
        gallery: whose pictures.
        previews: the unfinished ones.
        board: what was found out, with its pictures.
        left: called with the session's name when its page was closed.
    """

    def picture(key: str) -> Response:
        return Response(finished(key), mimetype=_WEBP, headers={"Cache-Control": _FOREVER})

    def preview(key: str, number: int) -> Response:
        """The newest preview, whichever is asked for; if it has just gone, the picture that took its place."""
        newest = previews.get(key)
        data = newest.data if newest is not None else finished(key)
        return Response(data, mimetype=_WEBP, headers={"Cache-Control": "no-store"})

    def evidence(key: str) -> Response:
        data = board.picture(key)
        if data is None:
            abort(404)
        return Response(data, mimetype=_WEBP, headers={"Cache-Control": _FOR_ONE})

    def finished(key: str) -> bytes:
        path = gallery.file(key) if _KEY.fullmatch(key) else None
        if path is None:
            abort(404)
        return path.read_bytes()

    def leave() -> Response:
        left(request.get_data(as_text=True)[:64])
        return Response(status=204)

    server.add_url_rule("/picture/<key>.webp", "picture", picture)
    server.add_url_rule("/preview/<key>-<int:number>.webp", "preview", preview)
    server.add_url_rule("/evidence/<key>.webp", "evidence", evidence)
    server.add_url_rule("/leave", "leave", leave, methods=["POST"])
