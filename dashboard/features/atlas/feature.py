"""The page of the atlas."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from dash import no_update
from plotly.io.json import to_json_plotly

from circuits.units import Unit
from dashboard.atlas_answers import ClassPage
from dashboard.feature import Feature, Output, View
from dashboard.features.atlas.actions import ACTIONS
from dashboard.features.atlas.queries import queries
from dashboard.features.atlas.view import DRAWN, NAME, panel
from dashboard.session.tabs import TabSession
from dashboard.work.pictures import batches
from dashboard.work.results import Query
from dashboard.work.scheduler import Scheduler
from dashboard.work.tiles import Tile, unit_tile


def _shown(tab: TabSession, work: Scheduler) -> list[Unit]:
    """The units on the page of a class."""
    page = next((work.results.get(query.key) for query in _pages(tab, work)), None)
    return [each.unit for row in page.rows for each in row.units] if isinstance(page, ClassPage) else []


def _pages(tab: TabSession, work: Scheduler) -> list[Query]:
    return [query for query in queries(tab.session, work) if query.name == "class_page"]


def _units(tab: TabSession, work: Scheduler) -> Sequence[Sequence[Unit]]:
    return batches(_shown(tab, work)[:DRAWN])


def _tiles(view: View) -> dict[str, Tile]:
    return {
        f"{NAME}{unit}": unit_tile(unit, view.library, view.work.previews, waiting=view.drawing)
        for unit in _shown(view.tab, view.work)[:DRAWN]
    }


def _panel(view: View) -> tuple[list[Any], str]:
    """The page, and what tells one state of it from another; made once for each view."""
    if view.session.showing.page != "atlas":
        return [], ""
    if NAME not in view.made:
        shown = panel(view.session, view.library, view.answers)
        view.made[NAME] = shown, blake2b(to_json_plotly(shown).encode(), digest_size=10).hexdigest()
    found: tuple[list[Any], str] = view.made[NAME]
    return found


def _render(view: View) -> dict[str, Any]:
    shown, digest = _panel(view)
    # What the page has already would be made anew, and a map would lose what somebody has zoomed into.
    known = view.have.born == view.tab.born and view.have.atlas == digest
    return {"atlas": no_update if known or not digest else shown}


def _data(view: View) -> dict[str, Any]:
    showing, atlas = view.session.showing, view.library.atlas
    number = int(showing.of) if showing.page == "atlas" and showing.of and not showing.map else None
    label = "" if number is None or atlas is None else atlas.record.subject.labels[number]
    return {"atlas_shown": _panel(view)[1], "of_class": label}


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(
        actions=ACTIONS,
        queries=queries,
        units=_units,
        tiles=_tiles,
        outputs={"atlas": Output("atlas", evidence=True)},
        render=_render,
        data=_data,
    )
