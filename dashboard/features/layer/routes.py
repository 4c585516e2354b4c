"""Plain HTTP for the wall: what is on the screen, the tiles of that, and the table of a layer."""

import json
import re
from collections.abc import Collection
from typing import Any

from flask import Flask, Response, abort, request

from circuits.errors import CircuitsError
from circuits.evidence.layer_statistics import LayerTable
from circuits.units import Progress, Unit
from dashboard.answers import Failure, InPhoto
from dashboard.features.layer import view as wall
from dashboard.library import Library
from dashboard.session.selection import layer_of, network_of, source_of
from dashboard.session.state import Session
from dashboard.session.tabs import TabSession, TabSessions
from dashboard.work.evidence import TABLE, layer_query, source_key
from dashboard.work.networks import Networks
from dashboard.work.queue import Task
from dashboard.work.results import Query, digest
from dashboard.work.scheduler import Scheduler
from dashboard.work.tiles import unit_tile, with_photo

SOON = 0.05
"""Seconds that an answer waits for what the units on the screen did in the photo."""
MOST = 400
"""Units that can be on one screen; what is beyond them is not drawn."""

_KEY = re.compile(r"[0-9a-f]{32}")
# What units did in somebody's photo: never for a cache between the server and the browser.
_FOR_ONE = "private, max-age=3600, immutable"


def add_routes(server: Flask, sessions: TabSessions, networks: Networks) -> None:
    """Add `/wall/seen` and `/wall/<key>.json` to a server.

    Args:
        server: the Flask server of the app.
        sessions: whose walls.
        networks: draw what is seen.
    """

    def seen() -> Response:
        """Take which units are on the screen, have them drawn, and tell how they look."""
        sent = request.get_json(silent=True)
        tab = sessions.own(str(sent["session"])) if isinstance(sent, dict) and "session" in sent else None
        if tab is None or not isinstance(sent, dict):
            abort(404)
        with tab.lock:
            work = networks.of(tab.session)
            units = _units(tab, str(sent.get("layer", "")), sent.get("channels"), work)
            if units is None:
                abort(400)
            tab.on_wall = units
            work.pictures.want(tab)
            waiting = not tab.session.paused
            told = _table(tab, work)
            session = tab.session
        known, more = _in_photo(tab, session, units, work)
        tiles = _tiles(units, work, known, waiting=waiting)
        return _json({"tiles": tiles, "paused": not waiting, "more": more, **told}, "no-store")

    def table(key: str) -> Response:
        name = f"{TABLE}/{key}" if _KEY.fullmatch(key) else ""
        found = next((table for work in networks.ready if (table := work.results.get(name)) is not None), None)
        if not isinstance(found, LayerTable):
            abort(404)
        return _json(wall.rows(found), _FOR_ONE)

    server.add_url_rule("/wall/seen", "wall_seen", seen, methods=["POST"])
    server.add_url_rule("/wall/<key>.json", "wall_table", table)


def _units(tab: TabSession, layer: str, channels: Any, work: Scheduler) -> tuple[Unit, ...] | None:
    """The units that are meant, in the order sent; none if another layer is shown, `None` if they make no sense."""
    if not isinstance(channels, list) or len(channels) > MOST or not all(type(each) is int for each in channels):
        return None
    session, library = tab.session, work.library
    if session.showing.page != "layers" or layer != layer_of(session, library):
        return ()
    network = network_of(session, library)
    try:
        units = [Unit(layer, channel) for channel in dict.fromkeys(channels)]
        for unit in units:
            network.check_unit(unit)
    except CircuitsError:
        return None
    return tuple(units)


def _table(tab: TabSession, work: Scheduler) -> dict[str, Any]:
    """Where the table is, or why there is none."""
    session, library = tab.session, work.library
    query = table_of(session, library)
    found = work.results.get(query.key) if query is not None else None
    if query is not None and isinstance(found, LayerTable):
        return {"table": f"wall/{query.key.partition('/')[2]}.json", "failed": "", "coming": False}
    if isinstance(found, Failure):
        return {"table": "", "failed": found.sentence, "coming": False}
    return {"table": "", "failed": "", "coming": query is not None}


def _json(data: Any, keep: str) -> Response:
    text = json.dumps(data, allow_nan=False)
    return Response(text, mimetype="application/json", headers={"Cache-Control": keep})


def table_of(session: Session, library: Library) -> Query | None:
    """What every unit of the layer did, while its page is shown."""
    source = source_of(session)
    if source is None or session.showing.page != "layers":
        return None
    return layer_query(network_of(session, library), source, layer_of(session, library))


def _in_photo(
    tab: TabSession, session: Session, units: Collection[Unit], work: Scheduler
) -> tuple[InPhoto | None, bool]:
    """What the units on the screen did in the photo, as far as it is known, and whether more is being found out.

    It takes some milliseconds for each of up to hundreds of units, so nobody's answer waits for it.
    """
    source, owner = source_of(session), f"{tab.name}/wall"
    if source is None or not units:
        work.looking.want(owner, [])
        return None, False
    network, named = network_of(session, work.library), {str(unit.channel): unit for unit in units}
    key = f"on-wall/{digest(*source_key(source, rooted=False), *map(str, units))}"

    def find(progress: Progress) -> None:
        work.evidence.in_photo(network, source, named, progress)

    known = work.evidence.known_in_photo(network, source, named)
    if len(known.patches) < len(named) and work.looking.failure(key) is None:
        # Other units on the screen: what was begun for those before is given up, and what was found of it is kept.
        work.looking.want(owner, [Task(key, "what the units saw", find)], hurry=True)
        work.looking.wait(owner, seconds=SOON)
        known = work.evidence.known_in_photo(network, source, named)
    work.results.put(key, known)  # where the page fetches the pictures
    return known, len(known.patches) < len(named) and work.looking.failure(key) is None


def _tiles(
    units: Collection[Unit], work: Scheduler, seen: InPhoto | None, *, waiting: bool
) -> dict[str, dict[str, Any]]:
    """The tiles of some units of one layer, by channel."""
    tiles = {str(unit.channel): unit_tile(unit, work.library, work.previews, waiting=waiting) for unit in units}
    return {name: with_photo(tile, name, seen).facts() for name, tile in tiles.items()}
