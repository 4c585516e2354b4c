"""Plain HTTP for the card of a score: the file that the right pane offers to save."""

from flask import Flask, Response, abort

from dashboard.features.evaluation.queries import card_of
from dashboard.features.export.exports import file_name
from dashboard.session.state import Sessions
from dashboard.work.scheduler import Background

_KINDS = {"json": "application/json", "html": "text/html"}


def add_score_routes(server: Flask, sessions: Sessions, background: Background) -> None:
    """Add the card's address to a server: `/export/<session>/score.<kind>`, `json` or `html`.

    Nothing is scored because somebody asks for the file.

    Args:
        server: of the page.
        sessions: whose circuits; none is made.
        background: where the cards are.
    """

    def card(session: str, kind: str) -> Response:
        desk = sessions.find(session)
        found = card_of(desk.session, background.evidence, background.board) if desk is not None else None
        if found is None or kind not in _KINDS:
            abort(404)
        text = found.to_json_text() if kind == "json" else found.to_html()
        name = f"score-{file_name(found.circuit['target']['label'])}.{kind}"
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text, content_type=f"{_KINDS[kind]}; charset=utf-8", headers=headers)

    server.add_url_rule("/export/<session>/score.<kind>", "score", card)
