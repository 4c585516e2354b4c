"""Two circuits side by side."""

from collections.abc import Sequence
from typing import Any

from circuits.units import Unit
from dashboard.feature import Feature, Output, View
from dashboard.features.compare.actions import ACTIONS
from dashboard.features.compare.view import BESIDE, panel
from dashboard.session.tabs import TabSession
from dashboard.work.pictures import circuit_batches
from dashboard.work.scheduler import Scheduler
from dashboard.work.tiles import Tile


def _units(tab: TabSession, work: Scheduler) -> Sequence[Sequence[Unit]]:
    session = tab.session
    return circuit_batches(session.beside, work.library) if session.showing.page == "compare" else []


def _tiles(view: View) -> dict[str, Tile]:
    """The tiles of the held circuit."""
    if view.session.showing.page != "compare":
        return {}
    held = view.work.tiles(view.session.beside, waiting=view.drawing)
    return {f"{BESIDE}{name}": tile for name, tile in held.items()}


def _render(view: View) -> dict[str, Any]:
    tiles = {name: tile.facts() for name, tile in {**view.tiles, **_tiles(view)}.items()}
    return {"compare": panel(view.session, view.library, tiles, view.tab.show)}


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(actions=ACTIONS, units=_units, tiles=_tiles, outputs={"compare": Output("compare")}, render=_render)
