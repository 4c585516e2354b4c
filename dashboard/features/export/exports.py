"""Circuits as files to download: JSON, a page, drawings and GraphML, and the menu that offers them.

Each is fetched from an address of its own, so that nothing large passes through a callback. An export never makes
anything: it carries the pictures that are finished, and no session begins because somebody asked for its file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dash import html

from circuits.report.circuit import to_html
from circuits.report.circuit_svg import svg_file
from circuits.tracing.circuit import Circuit
from circuits.tracing.circuit_file import to_graphml
from dashboard.components import attributes, file_name
from dashboard.library import Library
from dashboard.session.tabs import TabSessions

Component = Any


@dataclass(frozen=True)
class File:
    """A file to download: its name, its content type, and its bytes."""

    name: str
    kind: str
    data: bytes


_WRITERS: dict[str, tuple[str, Callable[[Circuit], str | bytes]]] = {
    "json": ("application/json", Circuit.to_json_text),
    "html": ("text/html", to_html),
    "svg": ("image/svg+xml", svg_file),
    "graphml": ("application/graphml+xml", lambda circuit: to_graphml(circuit.to_networkx())),
}
_MENU = (
    ("JSON", "circuit.json", "The circuit, to go on with here or in Python", ""),
    ("JSON with pictures", "circuit.json?pictures=1", "The same with every finished picture in it", ""),
    ("HTML page", "circuit.html?pictures=1", "Opens in any browser, without a server or the internet", ""),
    ("SVG", "circuit.svg?pictures=1", "A drawing that stays sharp, for a paper or a slide", ""),
    ("PNG", "circuit.svg?pictures=1", "The same drawing as pixels, twice the size of the screen", "png"),
    ("GraphML", "circuit.graphml", "The graph for Gephi, yEd and Cytoscape, without pictures", ""),
)


def export(sessions: TabSessions, library: Library, name: str, kind: str, *, pictures: bool) -> File | None:
    """The circuit of a session as a file.

    Args:
        sessions: those of this server; none is made.
        library: the library, which knows the finished pictures.
        name: of the session.
        kind: `json`, `html`, `svg` or `graphml`.
        pictures: whether to put the finished pictures of units in; units without one stay without.

    Returns:
        `None` if there is no such session, it has no circuit, or there is no such kind of file.
    """
    tab_session = sessions.find(name)
    circuit = tab_session.session.work.circuit if tab_session is not None else None
    if circuit is None or kind not in _WRITERS:
        return None
    content_type, write = _WRITERS[kind]
    content = write(library.with_pictures(circuit) if pictures else circuit)
    data = content.encode() if isinstance(content, str) else content
    return File(f"circuit-{file_name(circuit.target['label'])}.{kind}", content_type, data)


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
    if made:
        return html.Button(words, type="button", className="menu-item", **attributes(data_export=path, data_made=made))
    return html.A(words, href="", download="", className="menu-item", **attributes(data_export=path))
