"""The photo, its crop, and the strip of photos."""

from typing import Any

from dashboard.feature import Feature, Output, View
from dashboard.features.photo.actions import ACTIONS, REQUESTS
from dashboard.features.photo.routes import add_routes
from dashboard.features.photo.view import photo, strip


def _render(view: View) -> dict[str, Any]:
    session, library = view.session, view.library
    work = session.work
    crop = view.tab.show(library.seen(work.photo, work.circuit)) if work.photo is not None else ""
    return {"photo": photo(session, crop, library), "strip": strip(session, library, view.tab.show)}


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(
        actions=ACTIONS,
        requests=REQUESTS,
        outputs={"photo": Output("photo"), "strip": Output("strip")},
        render=_render,
        routes=add_routes,
    )
