"""The Dash app: `create_app(settings)` builds one, with its own sessions and workers, and no globals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dash import ClientsideFunction, Dash, Input, State
from dash import Output as DashOutput
from dash.exceptions import DependencyException

from circuits.atlas.atlas import Atlas
from circuits.atlas.shipped import atlas_of
from circuits.explorer import OtherNetwork
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from dashboard import ids
from dashboard.callbacks import ACTIONS, Callbacks
from dashboard.feature import Feature
from dashboard.features.atlas import feature as atlas
from dashboard.features.compare import feature as compare
from dashboard.features.edge import feature as edge
from dashboard.features.evaluation import feature as evaluation
from dashboard.features.export import feature as export
from dashboard.features.graph import feature as graph
from dashboard.features.help import feature as help
from dashboard.features.layer import feature as layer
from dashboard.features.network import feature as network
from dashboard.features.network.actions import Restored
from dashboard.features.photo import feature as photo
from dashboard.features.photo.actions import with_photo
from dashboard.features.point import feature as point
from dashboard.features.target import feature as target
from dashboard.features.unit import feature as unit
from dashboard.features.what_if import feature as what_if
from dashboard.layout import layout
from dashboard.library import Library
from dashboard.load_order import add_assets
from dashboard.security import protect
from dashboard.session.actions import Reducer
from dashboard.session.envelope import MalformedError
from dashboard.session.showing import with_circuit
from dashboard.session.state import Session
from dashboard.session.storage import SessionStorage
from dashboard.session.tabs import TabSessions
from dashboard.work.collection import Collection, StoredCollection
from dashboard.work.evidence import Evidence
from dashboard.work.galleries import Gallery
from dashboard.work.networks import Networks
from dashboard.work.routes import add_routes
from dashboard.work.scheduler import Scheduler, Workers

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
        network: the network that it opens with.
        photo: the photo that every session begins with; the example cat if `None`.
        circuit: a circuit that every session begins with.
        gallery: pictures of the network's units; the person's own store if `None`.
        collection: what its units fire on elsewhere; the person's own index if `None`.
        host: the address that the page is served at.
        sessions: how many sessions are kept at once.
        folder: where sessions are kept over a restart; nowhere if `None`.
        token: what a browser must know to be let in; "" if everyone on this machine is.
        label: what the page's menu calls the network; its name if "".
        others: further networks that can be chosen there, each loaded when it first is.
        exemplars: a folder of photos, which is indexed while the page is open, or an index; that of the atlas if
            `None`, or else the newest index.
        atlas: of one of the networks; that which ships with the network, if there is one, if `None`.
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
    label: str = ""
    others: Sequence[OtherNetwork] = ()
    exemplars: Path | None = None
    atlas: Atlas | None = field(default=None, repr=False)


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
        self.callbacks.work.workers.close()


def create_app(settings: PageSettings) -> Dash:
    """The Dash app for a network; `create_page` also gives access to its workers."""
    return create_page(settings).dash


def create_page(settings: PageSettings) -> Page:
    """A page for a network: its Dash app, callbacks, routes, workers and safeguards."""
    workers = Workers()

    def make(label: str, network: Network, networks: Networks) -> Scheduler:
        is_first = network is settings.network
        its_atlas = atlas_of(network, settings.atlas)
        source = settings.exemplars or (kept_in(its_atlas) if its_atlas is settings.atlas else None)
        collection = (settings.collection if is_first else None) or StoredCollection(network, source=source)
        gallery = (settings.gallery if is_first else None) or _stored_gallery(network)
        library = Library(
            network, gallery, collection.baseline, name=label, atlas=its_atlas, others=networks.library_of
        )
        parts = features(library, networks, restored)
        return Scheduler(library, Evidence(library, collection), parts, reducer(parts), workers)

    def restored(link: str, library: Library) -> Session | None:
        return storage.restored(link, library) if storage is not None else None

    networks = Networks(settings.label or settings.network.name, settings.network, settings.others, make)
    several = networks if settings.others else None
    folder, library = settings.folder, networks.first.library
    storage = SessionStorage(folder, library, several) if folder is not None else None

    first = _first_session(settings, library)

    def begin(name: str) -> Session:
        return (storage.fetch(name) if storage is not None else None) or first

    sessions = TabSessions(
        begin, limit=settings.sessions, dropped=workers.forget, seen=networks.only_seen,
        kept=storage.keep_tab if storage is not None else lambda tab: not tab.revision,
    )  # fmt: skip
    callbacks = Callbacks(sessions, networks, storage)
    app = Dash(
        __name__,
        title="Circuit explorer",
        update_title="",
        serve_locally=True,
        enable_mcp=False,
        include_assets_files=False,
        index_string=_INDEX,
        suppress_callback_exceptions=True,
    )
    add_assets(app)
    app.layout = layout()
    _connect(app, callbacks)
    add_routes(app.server, sessions, networks)
    for each in networks.first.features:
        each.routes(app.server, sessions, networks)
    app.server.register_error_handler(MalformedError, lambda error: (str(error), 400, {"Content-Type": "text/plain"}))
    app.server.register_error_handler(DependencyException, lambda error: ("There is no such script.", 404))
    protect(app, host=settings.host, token=settings.token)
    return Page(app, callbacks, settings.token)


def features(library: Library, networks: Networks, restored: Restored) -> tuple[Feature, ...]:
    """All features of the page. Of what is chosen the first that has a pane shows it, and its pictures come first."""
    return (
        unit.feature(),
        edge.feature(),
        point.feature(),
        layer.feature(),
        graph.feature(library),
        compare.feature(),
        atlas.feature(),
        evaluation.feature(),
        photo.feature(),
        target.feature(networks),
        what_if.feature(),
        export.feature(),
        help.feature(),
        network.feature(networks, restored),
    )


def reducer(parts: Sequence[Feature]) -> Reducer:
    """The kinds of actions and requests of all features, and of the page as a whole."""
    actions = {kind: action for part in parts for kind, action in part.actions.items()}
    return Reducer(ACTIONS | actions, {kind: request for part in parts for kind, request in part.requests.items()})


def _stored_gallery(network: Network) -> Gallery:
    from dashboard.work.gallery import StoredGallery

    return StoredGallery(network)


def kept_in(atlas: Atlas | None) -> Path | None:
    """Where the index of exemplars of an atlas is kept, if there is one."""
    return None if atlas is None or atlas.exemplars is None else atlas.exemplars.kept


def _first_session(settings: PageSettings, library: Library) -> Session:
    """What a new tab shows: the given circuit or photo, or else the example with its predictions."""
    session = Session(choices=library.usual_choices())
    if settings.circuit is not None:
        return with_circuit(session, settings.circuit, library)
    return with_photo(session, settings.photo or library.example(""), library)


def _connect(app: Dash, callbacks: Callbacks) -> None:
    """Register the callbacks on the app, not on Dash's global list."""
    sent, have = (ids.ACTIONS, "data"), (ids.HAVE, "data")
    app.callback(
        output={name: DashOutput(output.element, output.name) for name, output in callbacks.outputs.items()},
        inputs=[Input(*sent), State(*have)],
        prevent_initial_call=True,
    )(callbacks.act)
    app.callback(DashOutput(ids.RECEIVED, "data"), Input(ids.FILE, "data"), prevent_initial_call=True)(
        callbacks.receive
    )
    app.callback(
        DashOutput(ids.PROGRESS, "data"),
        Input(ids.TICK, "n_intervals"),
        State(*sent),
        State(*have),
        prevent_initial_call=True,
    )(callbacks.poll)
    _connect_scripts(app)


def _connect_scripts(app: Dash) -> None:
    """What runs in the browser alone; the functions are in `assets/`."""
    in_browser: Any = app.clientside_callback
    in_browser(
        ClientsideFunction("graph", "render"),
        DashOutput(ids.TICK, "disabled"),
        DashOutput(ids.TICK, "interval"),
        DashOutput(ids.STATUS, "children"),
        DashOutput(ids.METER, "value"),
        DashOutput(ids.METER, "max"),
        DashOutput(ids.METER, "hidden"),
        DashOutput(ids.CANCEL, "hidden"),
        DashOutput(ids.RESUME, "hidden"),
        DashOutput(ids.REFINE, "hidden"),
        DashOutput(ids.RETRY, "hidden"),
        Input(ids.VIEW, "data"),
        Input(ids.PROGRESS, "data"),
    )
    in_browser(ClientsideFunction("wall", "render"), Input(ids.WALL_DATA, "data"))
    in_browser(ClientsideFunction("circuits", "start"), Input(ids.START, "id"))
    for name, element, properties in (
        ("theme", ids.THEME, ("n_clicks",)),
        ("received", ids.RECEIVED, ("data",)),
        ("photo", ids.PHOTO_UPLOAD, ("contents", "filename")),
        ("circuit", ids.CIRCUIT_UPLOAD, ("contents", "filename")),
    ):
        first, *others = properties
        in_browser(
            ClientsideFunction("circuits", name),
            Input(element, first),
            *[State(element, other) for other in others],
            prevent_initial_call=True,
        )
