"""Plain HTTP beside Dash's own: pictures by their content address, and the note that a tab was closed."""

import re
from collections.abc import Callable

from flask import Flask, Response, abort, request

from dashboard.explorer import Gallery

_KEY = re.compile(r"[0-9a-f]{8,128}")
_FOREVER = "public, max-age=31536000, immutable"


def add_routes(server: Flask, gallery: Gallery, left: Callable[[str], None]) -> None:
    """Add `/picture/<key>.webp` and `/leave` to a server.

    Args:
        server: the Flask server of the app.
        gallery: whose pictures.
        left: called with the session's name when its page was closed.
    """

    def picture(key: str) -> Response:
        path = gallery.file(key) if _KEY.fullmatch(key) else None
        if path is None:
            abort(404)
        return Response(path.read_bytes(), mimetype="image/webp", headers={"Cache-Control": _FOREVER})

    def leave() -> Response:
        left(request.get_data(as_text=True)[:64])
        return Response(status=204)

    server.add_url_rule("/picture/<key>.webp", "picture", picture)
    server.add_url_rule("/leave", "leave", leave, methods=["POST"])
