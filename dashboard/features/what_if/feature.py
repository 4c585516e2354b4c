"""What if units were off, or stronger?"""

from typing import Any

from dashboard.feature import Feature, View
from dashboard.features.what_if.routes import add_routes
from dashboard.features.what_if.view import what_if


def _chosen(view: View) -> dict[str, Any]:
    return {"what_if": what_if(view.session, view.library, view.answers)}


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(chosen=_chosen, routes=add_routes)
