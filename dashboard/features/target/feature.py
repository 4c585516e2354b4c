"""What is explained: the question, the predictions, the search, and the settings of the next explanation."""

from typing import Any

from dashboard import ids
from dashboard.feature import Feature, Output, View
from dashboard.features.target import view as panels
from dashboard.features.target.actions import ACTIONS, REQUESTS
from dashboard.features.target.routes import add_routes
from dashboard.features.target.scope import scope_switch
from dashboard.features.target.units_switch import units_switch
from dashboard.work.networks import Networks


def _render(view: View, networks: Networks) -> dict[str, Any]:
    session, library, circuit = view.session, view.library, view.session.work.circuit
    most = None if circuit is None else library.fit.most_below(circuit)
    return {
        "explained": panels.explained(session, library),
        "predictions": [
            *panels.predictions(session, library),
            *panels.unsure(session, library, networks.labels),
        ],
        "settings": panels.settings(session, library.depths, library.modes, library.mean(), most=most),
        "units_switch": [*scope_switch(session, library), *units_switch(session)],
        "story": panels.story(session, library),
        "invitation": panels.invitation(session),
        "no_invitation": session.work.circuit is not None,
    }


def feature(networks: Networks) -> Feature:
    """The feature, for `app.py`.

    Args:
        networks: those that can be chosen on the page.
    """
    return Feature(
        actions=ACTIONS,
        requests=REQUESTS,
        outputs={name: Output(name) for name in ("explained", "predictions", "settings", "story", "invitation")}
        | {"no_invitation": Output("invitation", "hidden"), "units_switch": Output(ids.UNITS_SWITCH)},
        render=lambda view: _render(view, networks),
        routes=add_routes,
    )
