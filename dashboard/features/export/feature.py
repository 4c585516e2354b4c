"""The circuit as a file."""

from dashboard.feature import Feature
from dashboard.features.export.routes import add_routes


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(routes=add_routes)
