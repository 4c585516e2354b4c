"""Help: its documentation; the dialog is part of the page's layout."""

from dashboard.feature import Feature
from dashboard.features.help.routes import add_routes


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(routes=add_routes)
