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

from circuits.report.circuit_svg import safe_picture, to_svg, width
from circuits.report.layout import Place, place
from circuits.report.text import ALONE, LABELS, MEANINGS, SIGNS, chance, network_and_source, number, percent

if TYPE_CHECKING:
    from circuits.tracing.circuit import Circuit
    from circuits.tracing.node import Node


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
    places = place(circuit)
    wide = width(places)
    style = _asset("circuit.css") + f"svg.map {{ max-width: {wide}px; min-width: {wide * 2 // 3}px; }}\n"
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
            '<section class="graph" aria-label="Circuit">',
            f'<div class="scroll">{to_svg(circuit, places, pictures, heat_maps)}</div>',
            _legend(circuit),
            "</section>",
            '<aside id="details" aria-label="Details of the chosen unit" aria-live="polite" hidden></aside>',
            "</main>",
            _table(circuit, places),
            _footer(circuit),
            f'<script type="application/json" id="circuit">{_data(circuit)}</script>',
            f"<script>{script}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


_LEGEND = """
<span><svg viewBox="0 0 34 9" aria-hidden="true"><path class="edge" d="M0 4.5H34" stroke-width="4"/></svg>
excites</span>
<span><svg viewBox="0 0 34 9" aria-hidden="true"><path class="edge against" d="M0 4.5H32M31 0V9"
stroke-width="4"/></svg>
inhibits</span>
<span>wider: a larger share of the upper unit</span>
<span>bar below a picture: how much of the attribution is shown</span>"""
_DISAGREES = """
<span><svg viewBox="0 0 34 9" aria-hidden="true"><path class="edge disagrees" d="M0 4.5H34" stroke-width="4"/></svg>
dashed: ablation disagrees (another sign, or more than a factor of two)</span>"""


def _legend(circuit: "Circuit") -> str:
    found = {name for unit in circuit.visible for edge in circuit.edges_into(unit) for name in edge.warnings}
    signs = "".join(
        f"\n<span><b>{SIGNS[name]}</b> {LABELS[name]}: {html.escape(MEANINGS[name])}</span>"
        for name in ("cancels", "saturates")
        if name in found
    )
    return f'<p class="legend">{_LEGEND}{_DISAGREES if "disagrees" in found else ""}{signs}\n</p>'


def _question(circuit: "Circuit") -> str:
    label = circuit.target.label
    return f"What drives {label}?" if circuit.target.kind in ("unit", "neuron") else f"Why “{label}”?"


def _header(circuit: "Circuit") -> str:
    photo, network = circuit.photo_info, circuit.network
    thumbnail = safe_picture(photo.thumbnail)
    figure = ""
    if thumbnail:
        figure = (
            f'<figure><img src="{thumbnail}" alt="The photo as the network sees it">'
            f"<figcaption>{html.escape(photo.name)}</figcaption></figure>"
        )
    rows = []
    for prediction in circuit.predictions:
        chosen = ' class="target"' if prediction.label == circuit.target.label else ""
        share = max(0.0, min(1.0, prediction.probability))
        rows.append(
            f'<tr{chosen}><th scope="row">{html.escape(prediction.label)}</th>'
            f'<td><svg viewBox="0 0 90 8" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="90" '
            f'height="8" rx="3"/><rect width="{90 * share:.2f}" height="8" rx="3"/></svg></td>'
            f"<td>{html.escape(chance(share))}</td></tr>"
        )
    about = f"Predictions, {ALONE}" if network.multi_label else "Predictions"
    caption = f"<caption>{ALONE.capitalize()}</caption>" if network.multi_label else ""
    table = f'<table class="predictions" aria-label="{about}">{caption}{"".join(rows)}</table>' if rows else ""
    return (
        f"<header>{figure}<div><h1>{html.escape(_question(circuit))}</h1>"
        f'<p class="quiet">{html.escape(network_and_source(network["name"], network["source"]))} on '
        f"{html.escape(photo.name)}. {_summary(circuit)}</p></div>"
        f"{table}</header>"
    )


def _summary(circuit: "Circuit") -> str:
    layers = {circuit.nodes[name].unit.layer for name in circuit.visible}
    edges = sum(len(circuit.edges_into(name)) for name in circuit.visible)
    return f"{len(circuit.visible)} units in {len(layers)} layers, {edges} edges."


def _table(circuit: "Circuit", places: Mapping[str, Place]) -> str:
    rows = [_row(circuit, name, f"unit-{index}") for index, name in enumerate(places)]
    heads = ("value", "shown", "rest", "bias", "coverage")
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        '<section class="books" aria-label="Books"><h2>The books of every unit: value = shown + rest + bias</h2><table>'
        f'<thead><tr><th scope="col">unit</th>{columns}<th scope="col" class="words">argues for</th>'
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table></section>"
    )


def _row(circuit: "Circuit", name: str, anchor: str) -> str:
    node, books = circuit.nodes[name], circuit.nodes[name].books
    cells = [number(node.value), "", "", "", ""]
    if books is not None:
        closing = number(books.bias, sign=True) + ("" if books.exact else " (remainder)")
        signed = [number(value, sign=True) for value in (books.shown, books.rest)]
        cells[1:] = [*signed, closing, percent(books.coverage)]
    above = circuit.graph.out_edges(name, data=True)
    feeds = sorted(
        ((target, row["attribution"]) for _, target, row in above if target in circuit.visible),
        key=lambda feed: -abs(feed[1]),
    )
    words = [f"<span>{html.escape(target)} ({number(share, sign=True)})</span>" for target, share in feeds[:3]]
    if len(feeds) > 3:
        words.append(f"<span>and {len(feeds) - 3} more</span>")
    label = "" if node.label == node.id else node.label
    called = html.escape(" ".join(part for part in (node.id, label, node.name and f"“{node.name}”") if part))
    note = f'<p class="note">{html.escape(node.note)}</p>' if node.note else ""
    return (
        f'<tr id="{anchor}"><th scope="row">{called}{note}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + f'<td class="words">{", ".join(words)}</td></tr>'
    )


def _footer(circuit: "Circuit") -> str:
    settings = ", ".join(f"{key} {value}" for key, value in circuit.settings.items())
    versions = ", ".join(f"{key} {value}" for key, value in circuit.graph.graph["versions"].items())
    hidden = len(circuit.nodes) - len(circuit.visible)
    left_out = f" Not shown: {hidden} discarded, or needed only by those." if hidden else ""
    return (
        '<footer><button type="button" id="save" hidden>Save the circuit as JSON</button>'
        f"<p>Settings: {html.escape(settings)}.{left_out} Made with {html.escape(versions)}.</p>"
        f'<p>Network <span class="code">{html.escape(circuit.network.sha256)}</span></p>'
        f'<p>Photo <span class="code">{html.escape(circuit.photo_info.sha256)}</span></p></footer>'
    )


def _data(circuit: "Circuit") -> str:
    """The circuit file for the script, without the pictures, which the graph already holds."""
    data = circuit.to_dict()
    data["nodes"] = [{key: value for key, value in row.items() if key != "picture"} for row in data["nodes"]]
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    # Inside a script element only "<" could end it or open a comment.
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _asset(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def node_to_html(node: "Node") -> str:
    """A unit of a circuit: its picture, if the circuit carries it, its value and its books."""
    image = safe_picture(node.picture)
    picture = f'<img src="{image}" width="120" alt="What {html.escape(node.id)} looks for"> ' if image else ""
    said = f"value {number(node.value)}, highest {number(node.max)} at row {node.peak[0]}, column {node.peak[1]}"
    if node.books is not None:
        books = node.books
        parts = (books.shown, books.rest, books.bias)
        shown, rest, bias = (number(part, sign=True) for part in parts)
        said += f"; shown {shown}, rest {rest}, {books.bias_name} {bias}, coverage {percent(books.coverage)}"
    name = html.escape(node.id if node.called == node.id else f"{node.id} {node.called}")
    return f"<p>{picture}<b>{name}</b>: {said}</p>"
