"""A circuit as one HTML page that needs no server, no network and no other file.

The graph is an SVG that is complete without scripts; the script adds the panel of details. A policy in the page
(CSP) lets run only the script and the style that it was made with, and load nothing from anywhere.
"""

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from PIL import Image

from circuits.images import to_data_uri
from circuits.placing import Place, place

if TYPE_CHECKING:
    from circuits.circuit import Circuit, Node

_SIDE = 88
_GUTTER = 132
_NO_PICTURES: Mapping[str, Image.Image] = {}


def to_html(
    circuit: "Circuit",
    *,
    pictures: Mapping[str, Image.Image] = _NO_PICTURES,
    heat_maps: Mapping[str, Image.Image] = _NO_PICTURES,
) -> str:
    """The circuit as a page: the graph, the predictions, the books of every unit, and the file itself.

    Args:
        circuit: what to show; discarded units and what only they need are left out.
        pictures: what units look for, by node id; those that the circuit carries are used where there is none.
        heat_maps: where units fired in the photo, by node id.

    Returns:
        UTF-8 HTML.
    """
    style = _asset("circuit.css") + f"\nsvg.map {{ max-width: {_width(circuit)}px; min-width: {_width(circuit) * 2 // 3}px; }}\n"
    script = _asset("circuit.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{_digest(style)}'; "
        f"script-src 'sha256-{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{html.escape(_question(circuit))}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            _header(circuit),
            "<main>",
            f'<section class="graph" aria-label="Circuit">{_graph(circuit, pictures, heat_maps)}{_LEGEND}</section>',
            '<aside id="details" aria-label="Details of the chosen unit" aria-live="polite" hidden></aside>',
            "</main>",
            _table(circuit),
            _footer(circuit),
            f'<script type="application/json" id="circuit">{_data(circuit)}</script>',
            f"<script>{script}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


_LEGEND = """<p class="legend">
<span><svg viewBox="0 0 34 9" aria-hidden="true"><path class="edge" d="M0 4.5H34" stroke-width="4"/></svg>argues for</span>
<span><svg viewBox="0 0 34 9" aria-hidden="true"><path class="edge against" d="M0 4.5H34" stroke-width="4"/></svg>argues
against</span><span>wider: a larger share of the upper unit</span><span>bar below a picture: how much of the
attribution is shown</span></p>"""


def _question(circuit: "Circuit") -> str:
    label = circuit.target["label"]
    return f"Why “{label}”?" if circuit.target["kind"] != "unit" else f"What drives {label}?"


def _header(circuit: "Circuit") -> str:
    graph = circuit.graph.graph
    photo, network = graph["photo"], graph["network"]
    thumbnail = _safe_picture(photo.get("thumbnail"))
    figure = ""
    if thumbnail:
        figure = (
            f'<figure><img src="{thumbnail}" alt="The photo as the network sees it">'
            f"<figcaption>{html.escape(photo['name'])}</figcaption></figure>"
        )
    rows = []
    for prediction in circuit.predictions:
        chosen = ' class="target"' if prediction.label == circuit.target["label"] else ""
        share = max(0.0, min(1.0, prediction.probability))
        rows.append(
            f'<tr{chosen}><th scope="row">{html.escape(prediction.label)}</th>'
            f'<td><svg viewBox="0 0 90 8" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="90" '
            f'height="8" rx="3"/><rect width="{90 * share:.2f}" height="8" rx="3"/></svg></td>'
            f"<td>{share:.1%}</td></tr>".replace("%</td>", " %</td>")
        )
    return (
        f"<header>{figure}<div><h1>{html.escape(_question(circuit))}</h1>"
        f'<p class="quiet">{html.escape(network["name"])} ({html.escape(network["source"])}) on '
        f"{html.escape(photo['name'])}. {_summary(circuit)}</p></div>"
        f'<table class="predictions" aria-label="Predictions">{"".join(rows)}</table></header>'
    )


def _summary(circuit: "Circuit") -> str:
    layers = {circuit.nodes[name].unit.layer for name in circuit.visible}
    edges = sum(len(circuit.edges_into(name)) for name in circuit.visible)
    return f"{len(circuit.visible)} units in {len(layers)} layers, {edges} edges."


def _graph(circuit: "Circuit", pictures: Mapping[str, Image.Image], heat_maps: Mapping[str, Image.Image]) -> str:
    places = place(circuit)
    tops = _tops(places)
    wide = _width(circuit)
    middle = _GUTTER + (wide - _GUTTER) / 2
    xy = {name: (middle + at.column * _CELL, tops[at.row]) for name, at in places.items()}
    height = max(tops.values()) + _BLOCK + 16
    parts = [
        f'<svg class="map" viewBox="0 0 {wide} {height:g}" role="group" aria-label="Units by layer, the target on top">',
        "<defs>",
        *(
            f'<marker id="{kind}" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="9" markerHeight="9" '
            f'markerUnits="userSpaceOnUse" orient="auto"><path class="arrow-{kind}" d="M0 0L8 4L0 8z"/></marker>'
            for kind in ("for", "against")
        ),
        "</defs>",
        *_bands(circuit, places, tops, wide),
        *_edges(circuit, xy),
        *(_node(circuit.nodes[name], index, xy[name], pictures, heat_maps) for index, name in enumerate(places)),
        "</svg>",
    ]
    return "\n".join(parts)


_CELL = 112
_BLOCK = 118
_ROW_GAP = 26
_BAND_GAP = 78


def _width(circuit: "Circuit") -> int:
    columns = [at.column for at in place(circuit).values()]
    return round(_GUTTER + (max(5.0, 2 * max(columns) + 1) + 0.2) * _CELL)


def _tops(places: Mapping[str, Place]) -> dict[int, float]:
    """Height of every row's upper edge; rows of one band stand closer together than bands."""
    bands = {at.row: at.band for at in places.values()}
    tops: dict[int, float] = {}
    y = 14.0
    for row in sorted(bands):
        if row:
            y += _BLOCK + (_ROW_GAP if bands[row] == bands[row - 1] else _BAND_GAP)
        tops[row] = y
    return tops


def _bands(circuit: "Circuit", places: Mapping[str, Place], tops: Mapping[int, float], wide: int) -> list[str]:
    parts = []
    first: dict[int, str] = {}
    for name, at in places.items():
        first.setdefault(at.band, name)
    for band, name in first.items():
        layer, y = circuit.nodes[name].unit.layer, tops[places[name].row]
        count = sum(at.band == band for at in places.values())
        shown = layer if len(layer) <= 16 else "…" + layer[-15:]
        if band:
            parts.append(f'<path class="band" d="M0 {y - _BAND_GAP / 2:g}H{wide}"/>')
        parts.append(
            f'<text class="layer" x="4" y="{y + 40:g}">{html.escape(shown)}<title>{html.escape(layer)}</title></text>'
            f'<text class="count" x="4" y="{y + 57:g}">{count} {"unit" if count == 1 else "units"}</text>'
        )
    return parts


def _edges(circuit: "Circuit", xy: Mapping[str, tuple[float, float]]) -> list[str]:
    parts = []
    for target in xy:
        books = circuit.nodes[target].books
        gross = books.gross if books is not None and books.gross > 0 else 1.0
        # The strongest are drawn last, on top of the others.
        for edge in reversed(circuit.edges_into(target)):
            (x, y), (to_x, to_y) = xy[edge.source], xy[target]
            end = to_y + _BLOCK + 3
            bend = max(24.0, (y - end) * 0.55)
            share = min(1.0, abs(edge.attribution) / gross)
            kind = "against" if edge.attribution < 0 else "for"
            parts.append(
                f'<path class="edge {kind}" data-source="{html.escape(edge.source)}" data-target="{html.escape(target)}" '
                f'd="M{x:g} {y - 2:g}C{x:g} {y - bend:g} {to_x:g} {end + bend:g} {to_x:g} {end:g}" '
                f'stroke-width="{1 + 7 * share**0.5:.2f}" opacity="{0.45 + 0.5 * share**0.5:.2f}" marker-end="url(#{kind})">'
                f"<title>{html.escape(edge.source)} → {html.escape(target)}: {edge.attribution:+.3g}</title></path>"
            )
    return parts


def _node(
    node: "Node",
    index: int,
    at: tuple[float, float],
    pictures: Mapping[str, Image.Image],
    heat_maps: Mapping[str, Image.Image],
) -> str:
    x, y = at[0] - _SIDE / 2, at[1]
    box = f'x="{x:g}" y="{y:g}" width="{_SIDE}" height="{_SIDE}"'
    uri = to_data_uri(pictures[node.id]) if node.id in pictures else _safe_picture(node.picture)
    inside = f'<rect class="tile" {box} rx="10"/>'
    if uri:
        inside += f'<image class="picture" {box} preserveAspectRatio="xMidYMid slice" href="{uri}"/>'
    else:
        number = f"{node.unit.channel}"
        inside += f'<text class="sub" x="{at[0]:g}" y="{y + _SIDE / 2 + 4:g}" text-anchor="middle">no picture</text>'
    if node.id in heat_maps:
        inside += f'<image class="fired" visibility="hidden" {box} href="{to_data_uri(heat_maps[node.id])}"/>'
    inside += f'<rect class="frame" {box} rx="10"/>'
    if node.books is not None:
        bar = f'x="{x:g}" y="{y + _SIDE + 4:g}" height="4" rx="2"'
        covered = _SIDE * max(0.0, min(1.0, node.books.coverage))
        inside += f'<rect class="track" {bar} width="{_SIDE}"/><rect class="covered" {bar} width="{covered:.1f}"/>'
    name = node.label if node.label != str(node.unit) else _short(node)
    inside += (
        f'<text x="{at[0]:g}" y="{y + _SIDE + 23:g}" text-anchor="middle">{html.escape(_cut(name, 17))}'
        f"{' ✎' if node.note else ''}</text>"
    )
    spoken = f"{node.label}, value {node.value:.3g}"
    return (
        f'<a class="node" href="#unit-{index}" data-id="{html.escape(node.id)}" aria-label="{html.escape(spoken)}">'
        f"<title>{html.escape(node.label)}</title>{inside}</a>"
    )


def _short(node: "Node") -> str:
    position = "" if node.unit.position is None else f" @{node.unit.position[0]},{node.unit.position[1]}"
    return f"{node.unit.channel}{position}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _table(circuit: "Circuit") -> str:
    rows = []
    for index, name in enumerate(place(circuit)):
        node, books = circuit.nodes[name], circuit.nodes[name].books
        above = circuit.graph.out_edges(name, data=True)
        feeds = [f"{target} ({row['attribution']:+.3g})" for _, target, row in above if target in circuit.visible]
        cells = ["", "", "", ""]
        if books is not None:
            closing = f"{books.bias:+.3g}" + ("" if books.exact else " (remainder)")
            cells = [f"{books.shown:+.3g}", f"{books.rest:+.3g}", closing, f"{books.coverage:.0%}".replace("%", " %")]
        called = html.escape(node.id if node.label == node.id else f"{node.id} {node.label}")
        rows.append(
            f'<tr id="unit-{index}"><th scope="row">{called}</th><td>{node.value:.4g}</td>'
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + f'<td class="words">{html.escape(", ".join(feeds))}</td>'
            + f'<td class="words">{html.escape(node.note)}</td></tr>'
        )
    heads = ("value", "shown", "rest", "bias", "coverage")
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        '<section class="books" aria-label="Books"><h2>The books of every unit: value = shown + rest + bias</h2><table>'
        f'<thead><tr><th scope="col">unit</th>{columns}<th scope="col" class="words">argues for</th>'
        f'<th scope="col" class="words">note</th></tr></thead><tbody>{"".join(rows)}</tbody></table></section>'
    )


def _footer(circuit: "Circuit") -> str:
    graph = circuit.graph.graph
    settings = ", ".join(f"{key} {json.dumps(value) if isinstance(value, list) else value}" for key, value in graph["settings"].items())
    versions = ", ".join(f"{key} {value}" for key, value in graph["versions"].items())
    hidden = len(circuit.nodes) - len(circuit.visible)
    left_out = f" {hidden} discarded or no longer needed {'unit is' if hidden == 1 else 'units are'} not shown." if hidden else ""
    return (
        '<footer><button type="button" id="save" hidden>Save the circuit as JSON</button>'
        f"<p>Settings: {html.escape(settings)}.{left_out} Made with {html.escape(versions)}.</p>"
        f'<p>Network <span class="code">{html.escape(graph["network"]["sha256"])}</span></p>'
        f'<p>Photo <span class="code">{html.escape(graph["photo"]["sha256"])}</span></p></footer>'
    )


def _data(circuit: "Circuit") -> str:
    """The circuit file for the script, without the pictures, which the graph already holds."""
    data = circuit.to_dict()
    data["nodes"] = [{key: value for key, value in row.items() if key != "picture"} for row in data["nodes"]]
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    # Inside a script element only "<" could end it or open a comment.
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _safe_picture(uri: str | None) -> str:
    return html.escape(uri) if uri is not None and uri.startswith("data:image/") else ""


def _asset(name: str) -> str:
    return files("circuits").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def for_notebook(circuit: "Circuit") -> str:
    """The page in a frame of its own, so that its style does not leak into the notebook around it."""
    page = html.escape(to_html(circuit))
    return f'<iframe srcdoc="{page}" width="100%" height="720" style="border: 0" title="Circuit"></iframe>'
