"""Two circuits side by side."""

from collections.abc import Sequence
from typing import Any

from circuits.groups.layer_direction import Subject
from dashboard.feature import Feature, Output, View
from dashboard.features.compare.actions import ACTIONS
from dashboard.features.compare.view import BESIDE, panel
from dashboard.session.state import Session
from dashboard.session.tabs import TabSession
from dashboard.work.evidence import in_photo_query
from dashboard.work.pictures import circuit_batches
from dashboard.work.results import IN_PHOTO, Query
from dashboard.work.scheduler import Scheduler
from dashboard.work.tiles import Tile

_HELD = " held"


def _units(tab: TabSession, work: Scheduler) -> Sequence[Sequence[Subject]]:
    session = tab.session
    return circuit_batches(session.beside, work.library) if session.showing.page == "compare" else []


def _queries(session: Session, work: Scheduler) -> Sequence[Query]:
    held = session.beside
    if session.showing.page != "compare" or held is None or not work.library.fit.is_own(held) or held.photo is None:
        return ()
    return (in_photo_query(held, work.evidence, _HELD),)


def _tiles(view: View) -> dict[str, Tile]:
    """The tiles of the held circuit."""
    if view.session.showing.page != "compare":
        return {}
    held = view.work.tiles(view.session.beside, view.answers.get(IN_PHOTO + _HELD), waiting=view.drawing)
    return {f"{BESIDE}{name}": tile for name, tile in held.items()}


def _render(view: View) -> dict[str, Any]:
    tiles = {name: tile.facts() for name, tile in {**view.tiles, **_tiles(view)}.items()}
    return {"compare": panel(view.session, view.library, tiles, view.tab.show)}


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(
        actions=ACTIONS,
        queries=_queries,
        units=_units,
        tiles=_tiles,
        outputs={"compare": Output("compare")},
        render=_render,
    )
