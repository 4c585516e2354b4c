"""The pane of an edge."""

from dashboard.components import Pane
from dashboard.feature import Feature, View
from dashboard.features.edge.queries import queries
from dashboard.features.edge.view import chosen_edge, edge_panel


def _pane(view: View) -> Pane | None:
    session, circuit, edge = view.session, view.session.work.circuit, chosen_edge(view.session)
    if circuit is None or edge is None:
        return None
    return edge_panel(session, circuit, edge, view.answers, view.tiles, view.library.methods)


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(queries=queries, pane=_pane)
