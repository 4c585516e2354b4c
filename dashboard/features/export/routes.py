"""The circuit as a file, fetched by plain HTTP."""

from flask import Flask, Response, abort, request

from dashboard.features.export.exports import export
from dashboard.session.tabs import TabSessions
from dashboard.work.networks import Networks


def add_routes(server: Flask, sessions: TabSessions, networks: Networks) -> None:
    """Add `/export/<session>/circuit.<kind>`, with `?pictures=1` for one that carries its pictures."""

    def circuit(session: str, kind: str) -> Response:
        tab = sessions.find(session)
        library = (networks.of(tab.session) if tab is not None else networks.first).library
        file = export(sessions, library, session, kind, pictures=request.args.get("pictures") == "1")
        if file is None:
            abort(404)
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{file.name}"'}
        return Response(file.data, content_type=f"{file.kind}; charset=utf-8", headers=headers)

    server.add_url_rule("/export/<session>/circuit.<kind>", "export", circuit)
