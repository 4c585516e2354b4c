"""How good the circuit is: its score, which the right pane shows while nothing is chosen."""

from collections.abc import Sequence

from dashboard.components import Pane
from dashboard.feature import Feature, View
from dashboard.features.evaluation.actions import ACTIONS
from dashboard.features.evaluation.queries import shown, wanted
from dashboard.features.evaluation.routes import add_routes
from dashboard.features.evaluation.view import pane
from dashboard.session.state import Session
from dashboard.work.results import Query
from dashboard.work.scheduler import Scheduler


def _queries(session: Session, work: Scheduler) -> Sequence[Query]:
    return wanted(session, work.evidence)


def _pane(view: View) -> Pane | None:
    circuit = view.session.work.circuit
    if circuit is None:
        return None
    return pane(view.session, circuit, shown(view.session, view.work.evidence, view.answers, view.work.results))


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(actions=ACTIONS, queries=_queries, pane=_pane, routes=add_routes)
