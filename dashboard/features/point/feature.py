"""The units that fire at a point of the photo."""

from collections.abc import Sequence
from typing import Any

from circuits.units import Unit
from dashboard.feature import Feature, Output, View
from dashboard.features.point.actions import ACTIONS
from dashboard.features.point.queries import NAME, PREFIX, at_point, query
from dashboard.features.point.view import panel
from dashboard.session.tabs import TabSession
from dashboard.work.pictures import batches
from dashboard.work.scheduler import Scheduler
from dashboard.work.tiles import Tile, unit_tile


def _units(tab: TabSession, work: Scheduler) -> Sequence[Sequence[Unit]]:
    return batches(at_point(tab.session, work))


def _tiles(view: View) -> dict[str, Tile]:
    return {
        f"{PREFIX}{unit}": unit_tile(unit, view.library, view.work.previews, waiting=view.drawing)
        for unit in at_point(view.session, view.work)
    }


def _render(view: View) -> dict[str, Any]:
    return {"spot": panel(view.session, view.library, view.answers.get(NAME), _tiles(view))}


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(
        actions=ACTIONS,
        queries=query,
        units=_units,
        tiles=_tiles,
        outputs={"spot": Output("spot", evidence=True)},
        render=_render,
    )
