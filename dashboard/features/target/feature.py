"""What is explained: the question, the predictions, the search, and the settings of the next explanation."""

from typing import Any

from dashboard.feature import Feature, Output, View
from dashboard.features.target import view as panels
from dashboard.features.target.actions import ACTIONS, REQUESTS
from dashboard.features.target.routes import add_routes


def _render(view: View) -> dict[str, Any]:
    session = view.session
    return {
        "explained": panels.explained(session, view.library),
        "predictions": [*panels.predictions(session), *panels.unsure(session, view.library)],
        "settings": panels.settings(session, view.library.depths),
        "story": panels.story(session, view.library),
        "invitation": panels.invitation(session),
        "no_invitation": session.work.circuit is not None,
    }


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(
        actions=ACTIONS,
        requests=REQUESTS,
        outputs={name: Output(name) for name in ("explained", "predictions", "settings", "story", "invitation")}
        | {"no_invitation": Output("invitation", "hidden")},
        render=_render,
        routes=add_routes,
    )
