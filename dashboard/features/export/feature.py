"""The circuit as a file."""

from typing import Any

from dashboard.feature import Feature, View
from dashboard.features.export.exports import names
from dashboard.features.export.routes import add_routes
from dashboard.session.selection import layer_of


def _data(view: View) -> dict[str, Any]:
    return {"files": names(view.session, layer_of(view.session, view.library))}


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(data=_data, routes=add_routes)
