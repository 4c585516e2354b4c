"""The Dash app: `create_app(settings)` builds one, with its own sessions and workers, and no globals."""

import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dash import Dash

from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from dashboard.callbacks import Callbacks
from dashboard.features.evaluation.routes import add_score_routes
from dashboard.features.export.routes import add_routes
from dashboard.features.layer.routes import add_wall_routes
from dashboard.features.target.routes import add_find_routes
from dashboard.features.unit.evidence import Evidence
from dashboard.features.what_if.routes import add_what_if
from dashboard.layout import layout
from dashboard.library import Explorer
from dashboard.security import protect
from dashboard.session import actions
from dashboard.session.state import Session, Sessions
from dashboard.session.storage import Shelf
from dashboard.wiring import connect
from dashboard.work.carried import add_carried
from dashboard.work.collection import Collection, StoredCollection
from dashboard.work.galleries import Gallery
from dashboard.work.queue import Lane
from dashboard.work.scheduler import Background

_INDEX = """<!DOCTYPE html>
<html lang="en">
  <head>
    {%metas%}
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{%title%}</title>
    {%favicon%}
    {%css%}
  </head>
  <body>
    {%app_entry%}
    <footer>{%config%}{%scripts%}{%renderer%}</footer>
  </body>
</html>"""


@dataclass(frozen=True)
class PageSettings:
    """What a page is made for.

    Args:
        network: the network that it explores.
        photo: the photo that every session begins with; the example cat if `None`.
        circuit: a circuit that every session begins with.
        gallery: pictures of the network's units; the person's own store if `None`.
        collection: what its units fire on elsewhere; the person's own index if `None`.
        host: the address that the page is served at.
        sessions: how many sessions are kept at once.
        folder: where sessions are kept over a restart; nowhere if `None`.
        token: what a browser must know to be let in; "" if everyone on this machine is.
    """

    network: Network
    photo: Photo | None = None
    circuit: Circuit | None = None
    gallery: Gallery | None = field(default=None, repr=False)
    collection: Collection | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    sessions: int = 64
    folder: Path | None = None
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Page:
    """A Dash app with its workers; close it when the server ends.

    Args:
        dash: the app.
        callbacks: what its callbacks do.
        token: what a browser must know to be let in.
    """

    dash: Dash
    callbacks: Callbacks
    token: str = field(default="", repr=False)

    def close(self) -> None:
        """End the workers, with work under way."""
        self.callbacks.background.close()


def create_app(settings: PageSettings) -> Dash:
    """The Dash app for a network; `create_page` also gives access to its workers."""
    return create_page(settings).dash


def create_page(settings: PageSettings) -> Page:
    """A page for a network: its Dash app, callbacks, routes, workers and safeguards."""
    collection = settings.collection or StoredCollection(settings.network)
    gallery = settings.gallery or _stored_gallery(settings.network)
    explorer = Explorer(settings.network, gallery, collection.baseline)
    first = _first_session(settings, explorer)
    tracing = Lane("tracing", prepare=partial(_use_threads, os.cpu_count() or 1))
    # One core stays free, or every other callback waits for the renderer.
    rendering = Lane("rendering", prepare=partial(_use_threads, max(1, (os.cpu_count() or 1) - 1)))
    looking = Lane("looking", prepare=partial(_use_threads, max(1, (os.cpu_count() or 1) - 1)))
    scoring = Lane("scoring", prepare=partial(_use_threads, max(1, (os.cpu_count() or 1) - 1)))

    shelf = Shelf(settings.folder, explorer) if settings.folder is not None else None

    def begin(name: str) -> Session:
        return (shelf.fetch(name) if shelf is not None else None) or first

    evidence = Evidence(explorer, collection)
    background = Background(explorer, tracing, rendering, looking, scoring, evidence)
    sessions = Sessions(begin, limit=settings.sessions, dropped=background.forget)
    callbacks = Callbacks(sessions, explorer, background, shelf)
    app = Dash(
        __name__,
        title="Circuit explorer",
        update_title="",
        serve_locally=True,
        enable_mcp=False,
        index_string=_INDEX,
        suppress_callback_exceptions=True,
    )
    app.layout = layout(settings.network)
    connect(app, callbacks)
    add_routes(app.server, explorer, background, sessions)
    add_wall_routes(app.server, sessions, background)
    add_find_routes(app.server, sessions, explorer)
    add_carried(app.server, callbacks.carried)
    add_score_routes(app.server, sessions, background)
    add_what_if(app.server, explorer, sessions)
    protect(app, host=settings.host, token=settings.token)
    return Page(app, callbacks, settings.token)


def _stored_gallery(network: Network) -> Gallery:
    from dashboard.work.gallery import StoredGallery

    return StoredGallery(network)


def _first_session(settings: PageSettings, explorer: Explorer) -> Session:
    """What a new tab shows: the given circuit or photo, or else the example with its predictions."""
    if settings.circuit is not None:
        return actions.with_circuit(Session(), settings.circuit, explorer)
    return actions.with_photo(Session(), settings.photo or explorer.example(""), explorer)


def _use_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)
