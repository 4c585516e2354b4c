"""The documentation, served by the page itself, so that it needs no internet."""

from pathlib import Path

from flask import Flask, Response, abort
from werkzeug.security import safe_join

from dashboard.features.help.documentation import PAGES, html_of
from dashboard.glossary import folder
from dashboard.session.tabs import TabSessions
from dashboard.work.networks import Networks

_KINDS = {".webp": "image/webp", ".png": "image/png", ".svg": "image/svg+xml", ".ipynb": "application/x-ipynb+json"}


def add_routes(server: Flask, sessions: TabSessions, networks: Networks) -> None:
    """Add `/help/` with the first page, `/help/<page>`, and their pictures and the notebook."""

    def page(name: str = "index") -> Response:
        if name not in PAGES or folder() is None:
            return file(name)
        return Response(html_of(name), mimetype="text/html", headers={"Cache-Control": "no-cache"})

    def file(path: str) -> Response:
        place = folder()
        found = None if place is None else safe_join(str(place), path)
        kind = _KINDS.get(Path(path).suffix)
        if found is None or kind is None or not Path(found).is_file():
            abort(404)
        return Response(Path(found).read_bytes(), mimetype=kind, headers={"Cache-Control": "private, max-age=3600"})

    server.add_url_rule("/help/", "help", page)
    server.add_url_rule("/help/<name>", "help-page", page)
    server.add_url_rule("/help/<path:path>", "help-file", file)
