"""Plain HTTP for the card of a score: the file that the right pane offers to save."""

from flask import Flask, Response, abort

from circuits.report.file_names import named_file
from dashboard.features.evaluation.queries import card_of
from dashboard.session.tabs import TabSessions
from dashboard.work.networks import Networks

_KINDS = {"json": "application/json", "html": "text/html"}


def add_routes(server: Flask, sessions: TabSessions, networks: Networks) -> None:
    """Add the card's address to a server: `/export/<session>/score.<kind>`, `json` or `html`.

    Nothing is scored because somebody asks for the file.

    Args:
        server: of the page.
        sessions: whose circuits; none is made.
        networks: where the cards are.
    """

    def card(session: str, kind: str) -> Response:
        tab = sessions.find(session)
        work = networks.of(tab.session) if tab is not None else networks.first
        found = card_of(tab.session, work.evidence, work.results) if tab is not None else None
        if found is None or kind not in _KINDS:
            abort(404)
        text = found.to_json_text() if kind == "json" else found.to_html()
        name = named_file(found.circuit["photo"]["name"], found.circuit["target"]["label"], "score", kind)
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text, content_type=f"{_KINDS[kind]}; charset=utf-8", headers=headers)

    server.add_url_rule("/export/<session>/score.<kind>", "score", card)
