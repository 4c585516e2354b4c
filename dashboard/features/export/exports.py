"""Circuits as files to download: JSON, a page, drawings and GraphML, and the menu that offers them.

Each is fetched from an address of its own, so that nothing large passes through a callback. An export never makes
anything: it carries the pictures that are finished, and no session begins because somebody asked for its file.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dash import html

from circuits.report.circuit import page_of
from circuits.report.circuit_svg import Looks, svg_file
from circuits.report.file_names import file_name, named_file
from circuits.tracing.circuit import Circuit
from circuits.tracing.circuit_file import to_graphml
from dashboard.answers import InPhoto
from dashboard.components import attributes
from dashboard.session.state import Session
from dashboard.session.tabs import TabSessions
from dashboard.work.evidence import in_photo_query
from dashboard.work.networks import Networks
from dashboard.work.scheduler import Scheduler

Component = Any


@dataclass(frozen=True)
class File:
    """A file to download: its name, its content type, and its bytes."""

    name: str
    kind: str
    data: bytes


@dataclass(frozen=True)
class ExportOptions:
    """How a file shows a circuit.

    Args:
        pictures: it carries the finished pictures of units, and what they did in the photo; units without stay without.
        look: what they show first, of `circuits.report.circuit_svg.LOOKS`.
        wrap: the most units in a line, as on the page; as fits, if `None`.
    """

    pictures: bool = False
    look: str = "picture"
    wrap: int | None = None


_WRITERS: dict[str, tuple[str, Callable[[Circuit, Looks, int | None], str | bytes]]] = {
    "json": ("application/json", lambda circuit, looks, wrap: circuit.to_json_text()),
    "html": ("text/html", lambda circuit, looks, wrap: page_of(circuit, looks, wrap=wrap)),
    "svg": ("image/svg+xml", lambda circuit, looks, wrap: svg_file(circuit, looks, wrap=wrap)),
    "graphml": ("application/graphml+xml", lambda circuit, looks, wrap: to_graphml(circuit.to_networkx())),
}
_MENU = (
    ("Copy link", "", "Opens a copy of this page, in any browser that reaches this address", "link"),
    ("Picture of what is on screen (PNG)", "", "This part of the graph, as it looks now", "screen"),
    ("JSON", "circuit.json", "The circuit, to go on with here or in Python", ""),
    ("JSON with pictures", "circuit.json?pictures=1", "The same with every finished picture in it", ""),
    ("HTML page", "circuit.html?pictures=1", "Opens in any browser, without a server or the internet", ""),
    ("SVG", "circuit.svg?pictures=1", "A drawing that stays sharp, for a paper or a slide", ""),
    ("Whole graph (PNG)", "circuit.svg?pictures=1", "All of it, drawn as in the SVG", "png"),
    ("GraphML", "circuit.graphml", "The graph for Gephi, yEd and Cytoscape, without pictures", ""),
)


def export(sessions: TabSessions, networks: Networks, name: str, kind: str, options: ExportOptions) -> File | None:
    """The circuit of a session as a file.

    Args:
        sessions: those of this server; none is made.
        networks: whose work knows the finished pictures, and what units did in the photo.
        name: of the session.
        kind: `json`, `html`, `svg` or `graphml`.
        options: how the file shows it.

    Returns:
        `None` if there is no such session, it has no circuit, or there is no such kind of file.

    Raises:
        InputError: if units cannot show what is asked for.
    """
    tab_session = sessions.find(name)
    if tab_session is None or kind not in _WRITERS:
        return None
    circuit = tab_session.session.work.circuit
    if circuit is None:
        return None
    content_type, write = _WRITERS[kind]
    work = networks.of(tab_session.session)
    looks = Looks(first=options.look)
    if options.pictures:
        looks = _looks(circuit, work, options.look) if kind in ("html", "svg") else looks
        circuit = work.library.with_pictures(circuit)
    content = write(circuit, looks, options.wrap)
    data = content.encode() if isinstance(content, str) else content
    return File(file_name(circuit, "circuit", kind), content_type, data)


def _looks(circuit: Circuit, work: Scheduler, first: str) -> Looks:
    """Sketches where there is no picture yet, and what units did in the photo, as far as it is known."""
    if not work.library.fit.is_own(circuit):
        return Looks(first=first)
    drawn, seen = sketches(circuit, work), work.results.get(in_photo_query(circuit, work.evidence).key)
    if not isinstance(seen, InPhoto):
        return Looks(picture=drawn, first=first)
    patches, maps = ({name: webp.uri for name, webp in found.items()} for found in (seen.patches, seen.maps))
    return Looks(picture=drawn, patch=patches, heat=maps, first=first)


def sketches(circuit: Circuit, work: Scheduler) -> dict[str, str]:
    """Data URIs of the sketches of units and groups whose picture is not finished, by node id."""
    found = {}
    for name in circuit.nodes:
        key = work.library.key(circuit, name)
        sketch = work.previews.sketch(key) if key and work.library.gallery.file(key) is None else None
        if sketch is not None:
            found[name] = f"data:image/webp;base64,{b64encode(sketch.data).decode()}"
    return found


def names(session: Session, layer: str) -> dict[str, str]:
    """Names of the files that the browser makes itself.

    Args:
        session: whose page.
        layer: whose units the wall shows.
    """
    circuit, photo = session.work.circuit, session.work.photo
    if session.showing.page == "layers":
        of = circuit.photo_info.name if circuit is not None else photo.name if photo is not None else ""
        return {"picture": named_file(of, layer, "units", "png")}
    return {"picture": "" if circuit is None else file_name(circuit, "picture", "png")}


def menu() -> Component:
    """The menu that offers the files; `export.js` gives its links their addresses and closes it."""
    items = [html.Li(_item(*item)) for item in _MENU]
    return html.Details(
        [
            html.Summary("Export", className="button", title="Save the circuit as a file"),
            html.Ul(items, className="menu-items"),
        ],
        id="export-menu",
        className="menu",
    )


def _item(label: str, path: str, purpose: str, made: str) -> Component:
    """A link to a file, or a button for what the browser makes itself."""
    words = [html.Span(label, className="menu-label"), html.Span(purpose, className="muted small")]
    if made == "link":
        return html.Button(words, type="button", className="menu-item", **attributes(data_copy_link=made))
    if made == "screen":
        return html.Button(words, type="button", className="menu-item", **attributes(data_save=made))
    if made:
        return html.Button(words, type="button", className="menu-item", **attributes(data_export=path, data_made=made))
    return html.A(words, href="", download="", className="menu-item", **attributes(data_export=path))
