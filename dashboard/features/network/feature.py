"""The network that the page is about, and the choice of another one."""

from typing import Any

from dashboard.feature import Feature, Output, View
from dashboard.features.network.actions import Restored, actions, requests
from dashboard.features.network.view import named
from dashboard.session.opening import Switch
from dashboard.work.networks import Networks


def feature(networks: Networks, restored: Restored) -> Feature:
    """The feature, for `app.py`."""

    def render(view: View) -> dict[str, Any]:
        payloads = (request.payload for request in view.session.requests)
        coming = next((each.network for each in payloads if isinstance(each, Switch)), "")
        loaded = [label for label in networks.labels if networks.is_ready(label)]
        return {"network": named(view.library, networks.labels, loaded, coming)}

    return Feature(
        actions=actions(networks),
        requests=requests(networks, restored),
        outputs={"network": Output("network")},
        render=render,
    )
