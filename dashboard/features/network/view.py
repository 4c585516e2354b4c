"""The network's name and facts at the top of the page, and the menu of those that can be chosen."""

from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.network.network import Network
from circuits.report.text import ALONE, ONE_AT_A_TIME
from dashboard.components import attributes, sends
from dashboard.library import Library

Component = Any


def named(library: Library, labels: Sequence[str], loaded: Sequence[str], coming: str) -> list[Component]:
    """The network's name, as a menu if there are several, and what it is like.

    Args:
        library: of the network.
        labels: all networks of the page.
        loaded: those of them that are loaded.
        coming: the one that is on its way, or "".
    """
    network = library.network
    # Narrow windows cut what is said.
    title = f"{' · '.join(facts(network))}; {network.source}, sha256 {network.sha256[:12]}"
    if len(labels) < 2:
        return [html.Span(" · ".join((network.name, *facts(network))), className="muted small", title=title)]
    items = [html.Li(_item(label, label == library.name, label in loaded, label == coming)) for label in labels]
    menu = html.Details(
        [
            html.Summary(library.name, className="button", title="The network; choose another one"),
            html.Ul(items, className="menu-items"),
        ],
        id="network-menu", className="menu from-left",
        key=library.name,  # made anew, and so closed, when another one was chosen
    )  # fmt: skip
    return [menu, html.Span(" · ".join(facts(network)), className="muted small", title=title)]


def facts(network: Network) -> list[str]:
    """What a network is like, in a few words each."""
    height, width = network.preprocessing.size
    books = "attributions sum exactly" if network.piecewise_linear else "attributions leave a remainder"
    classes = f"{len(network.labels)} classes" if network.labels else "no classes"
    if network.multi_label:
        classes += f", {ALONE}"
    counts = f"{len(network.layers)} layers · {classes} · input {width} × {height}"
    notes = [text for text in (str(network.output), ONE_AT_A_TIME if network.is_one_at_a_time else "") if text]
    return [*notes, counts, books]


def _item(label: str, shown: bool, loaded: bool, coming: bool) -> Component:
    told = "shown now" if shown else "on its way" if coming else "loaded" if loaded else "loaded when it is chosen"
    words = [html.Span(label, className="menu-label"), html.Span(told, className="muted small")]
    return html.Button(
        words, type="button", className="menu-item", **sends("network", network=label),
        **attributes(**({"aria_current": "true"} if shown else {})),
    )  # fmt: skip
