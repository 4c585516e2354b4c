"""Plain HTTP for the wall: what is on the screen, the tiles of that, and the table of a layer."""

import json
import re
from typing import Any

from flask import Flask, Response, abort, request

from circuits.errors import CircuitsError
from circuits.evidence.layer_statistics import LayerTable
from circuits.units import Unit
from dashboard.features.layer import view as wall
from dashboard.features.layer.actions import layer_of, network_of, stranger
from dashboard.features.layer.outside import TABLE, table_of
from dashboard.session.state import Desk, Sessions
from dashboard.work.findings import Failure
from dashboard.work.scheduler import Background

MOST = 400
"""Units that can be on one screen; what is beyond them is not drawn."""

_KEY = re.compile(r"[0-9a-f]{32}")
# What units did in somebody's photo: never for a cache between the server and the browser.
_FOR_ONE = "private, max-age=3600, immutable"


def add_wall_routes(server: Flask, sessions: Sessions, background: Background) -> None:
    """Add `/wall/seen` and `/wall/<key>.json` to a server.

    Args:
        server: the Flask server of the app.
        sessions: whose walls.
        background: draws what is seen.
    """

    def seen() -> Response:
        """Take which units are on the screen, have them drawn, and tell how they look."""
        sent = request.get_json(silent=True)
        desk = sessions.find(str(sent["session"])) if isinstance(sent, dict) and "session" in sent else None
        if desk is None or not isinstance(sent, dict):
            abort(404)
        with desk.lock:
            units = _units(desk, str(sent.get("layer", "")), sent.get("channels"), background)
            if units is None:
                abort(400)
            desk.on_wall = units
            background.want_pictures(desk)
            waiting = not desk.session.paused
            told = _table(desk, background)
        tiles = wall.tiles_of(units, background.explorer, background.previews, waiting=waiting)
        return _json({"tiles": tiles, "paused": not waiting, **told}, "no-store")

    def table(key: str) -> Response:
        found = background.board.get(f"{TABLE}/{key}") if _KEY.fullmatch(key) else None
        if not isinstance(found, LayerTable):
            abort(404)
        return _json(wall.rows(found), _FOR_ONE)

    server.add_url_rule("/wall/seen", "wall_seen", seen, methods=["POST"])
    server.add_url_rule("/wall/<key>.json", "wall_table", table)


def _units(desk: Desk, layer: str, channels: Any, background: Background) -> tuple[Unit, ...] | None:
    """The units that are meant, in the order sent; none if another layer is shown, `None` if they make no sense."""
    if not isinstance(channels, list) or len(channels) > MOST or not all(type(each) is int for each in channels):
        return None
    session, explorer = desk.session, background.explorer
    if session.showing.page != "layers" or layer != layer_of(session, explorer):
        return ()
    network = network_of(session, explorer)
    try:
        units = [Unit(layer, channel) for channel in dict.fromkeys(channels)]
        for unit in units:
            network.check_unit(unit)
    except CircuitsError:
        return None
    return tuple(units)


def _table(desk: Desk, background: Background) -> dict[str, Any]:
    """Where the table is, or why there is none."""
    session, explorer = desk.session, background.explorer
    topic = table_of(session, explorer, stranger(session, explorer))
    found = background.board.get(topic.key) if topic is not None else None
    if topic is not None and isinstance(found, LayerTable):
        return {"table": f"wall/{topic.key.partition('/')[2]}.json", "failed": "", "coming": False}
    if isinstance(found, Failure):
        return {"table": "", "failed": found.sentence, "coming": False}
    return {"table": "", "failed": "", "coming": topic is not None}


def _json(data: Any, keep: str) -> Response:
    text = json.dumps(data, allow_nan=False)
    return Response(text, mimetype="application/json", headers={"Cache-Control": keep})
