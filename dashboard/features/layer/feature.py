"""All units of a layer."""

from collections.abc import Sequence
from typing import Any

from circuits.units import Unit
from dashboard.feature import Feature, Output, View
from dashboard.features.layer.actions import ACTIONS
from dashboard.features.layer.routes import add_routes, table_of
from dashboard.features.layer.view import data
from dashboard.session.state import Session
from dashboard.session.tabs import TabSession
from dashboard.work.pictures import batches
from dashboard.work.results import Query
from dashboard.work.scheduler import Scheduler


def _queries(session: Session, work: Scheduler) -> Sequence[Query]:
    table = table_of(session, work.library)
    return () if table is None else (table,)


def _units(tab: TabSession, work: Scheduler) -> Sequence[Sequence[Unit]]:
    return batches(tab.on_wall) if tab.session.showing.page == "layers" else []


def _render(view: View) -> dict[str, Any]:
    return {"wall": data(view.session, view.library)}


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(
        actions=ACTIONS,
        queries=_queries,
        units=_units,
        outputs={"wall": Output("wall-data", "data")},
        render=_render,
        routes=add_routes,
    )
