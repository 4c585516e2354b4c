"""The search as plain HTTP: what a text finds."""

from flask import Flask, Response, abort, jsonify, request

from circuits.errors import CircuitsError
from dashboard.features.target.search import all_classes, find
from dashboard.session.tabs import TabSessions
from dashboard.work.networks import Networks


def add_routes(server: Flask, sessions: TabSessions, networks: Networks) -> None:
    """Add `/find?session=…&text=…`, which answers with what a text finds, and `/classes?session=…`, with all classes.

    Both answer in JSON.

    Args:
        server: of the page.
        sessions: whose photos and circuits.
        networks: with their libraries.
    """

    def search() -> Response:
        tab = sessions.own(request.args.get("session", ""))
        if tab is None:
            abort(404)
        found = find(tab.session, networks.of(tab.session).library, request.args.get("text", ""))
        answer = jsonify(results=[result.facts() for result in found])
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def classes() -> Response:
        tab = sessions.own(request.args.get("session", ""))
        if tab is None:
            abort(404)
        try:
            answer = jsonify(all_classes(tab.session, networks.of(tab.session).library))
        except CircuitsError as refusal:
            return Response(str(refusal), status=422, mimetype="text/plain")
        answer.headers["Cache-Control"] = "no-store"
        return answer

    server.add_url_rule("/find", "find", search)
    server.add_url_rule("/classes", "classes", classes)
