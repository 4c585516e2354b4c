"""The circuit as a file, fetched by plain HTTP."""

import re

from flask import Flask, Response, abort, request

from circuits.errors import InputError
from dashboard.features.export.exports import ExportOptions, export
from dashboard.session.tabs import TabSessions
from dashboard.work.networks import Networks

_COUNT = re.compile("[1-9][0-9]{0,3}")


def add_routes(server: Flask, sessions: TabSessions, networks: Networks) -> None:
    """Add `/export/<session>/circuit.<kind>`.

    With `?pictures=1` it carries its pictures; `look` says which of them units show, `wrap` how many stand in a line.
    """

    def circuit(session: str, kind: str) -> Response:
        asked = request.args
        wrap = asked.get("wrap", "")
        if wrap and not _COUNT.fullmatch(wrap):
            abort(400)
        shown = ExportOptions(asked.get("pictures") == "1", asked.get("look", "picture"), int(wrap) if wrap else None)
        try:
            file = export(sessions, networks, session, kind, shown)
        except InputError:
            abort(400)
        if file is None:
            abort(404)
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{file.name}"'}
        return Response(file.data, content_type=f"{file.kind}; charset=utf-8", headers=headers)

    server.add_url_rule("/export/<session>/circuit.<kind>", "export", circuit)
