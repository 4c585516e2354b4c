"""A circuit as a drawing in a file of its own: pictures inside, no script, nothing fetched, in light colours.

Colours are written out, because programs other than browsers know no CSS variables.
"""

import html
import re
from collections.abc import Iterator

from circuits.report.circuit_svg import safe_picture, to_svg, width
from circuits.report.layout import place
from circuits.report.text import ALONE, LABELS, SIGNS, chance, network_and_source, number
from circuits.tracing.circuit import Circuit

_STYLE = """
text { font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; fill: #1b1f27; }
.map text { font-size: 13px; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; }
.map .layer { font-weight: 600; }
.map .sub, .map .count { font-size: 11.5px; fill: #59616f; }
.map .sub { stroke: none; }
.question { font-size: 21px; font-weight: 650; }
.quiet { font-size: 12.5px; fill: #59616f; }
.row { font-size: 12.5px; }
.band { stroke: #dde1e8; stroke-width: 1; }
.edge { fill: none; stroke: #0b7a6f; }
.edge.against { stroke: #bd4310; }
.edge.disagrees { stroke-dasharray: 6 5; }
.map .doubt { font-size: 14px; font-weight: 700; text-anchor: middle; }
.arrow-for { fill: #0b7a6f; }
.arrow-against { fill: #bd4310; }
.tile, .track { fill: #e9ebf0; }
.frame { fill: none; stroke: #c9cfda; stroke-width: 1.5; }
.covered { fill: #59616f; }
.share { fill: #8896dd; }
image { clip-path: inset(0 round 10px); }
"""
_MARGIN = 24
_HEAD = 132
_FOOT = 44
_PHOTO = 100
_PREDICTIONS = 300
_CHARACTER = 7.4
# What XML 1.0 does not allow, however it is escaped.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LINKS = (re.compile(r'<a class="node" href="[^"]*"'), re.compile(r"</a>"))


def svg_file(circuit: Circuit) -> str:
    """The visible circuit as an SVG document: question, photo, predictions, graph with its pictures, legend.

    Args:
        circuit: what to draw; the pictures that its nodes carry are drawn.
    """
    places = place(circuit)
    graph = to_svg(circuit, places, {}, {})
    # Outside of the page there is no table for the units to lead to.
    graph = _LINKS[1].sub("</g>", _LINKS[0].sub('<g class="node"', graph))
    wide = max(width(places), 720)
    found = re.match(r'<svg class="map" viewBox="0 0 (\S+) (\S+)"', graph)
    assert found is not None
    inner, tall = float(found[1]), float(found[2])
    across, down = wide + 2 * _MARGIN, tall + _HEAD + _FOOT + 2 * _MARGIN
    left = _MARGIN + (wide - inner) / 2
    graph = graph.replace("<svg ", f'<svg x="{left:g}" y="{_MARGIN + _HEAD}" width="{inner:g}" height="{tall:g}" ', 1)
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across:g}" height="{down:g}" '
        f'viewBox="0 0 {across:g} {down:g}">',
        f"<title>{html.escape(_question(circuit))}</title>",
        f"<style>{html.escape(_STYLE, quote=False)}</style>",
        f'<rect width="{across:g}" height="{down:g}" fill="#ffffff"/>',
        *_head(circuit, across),
        graph,
        *_legend(circuit, down - _MARGIN - 8),
        "</svg>",
        "",
    ]
    return _FORBIDDEN.sub("�", "\n".join(parts))


def _question(circuit: Circuit) -> str:
    label = circuit.target.label
    return f"What drives {label}?" if circuit.target.kind in ("unit", "neuron") else f"Why “{label}”?"


def _head(circuit: Circuit, across: float) -> Iterator[str]:
    """Photo, question and predictions in a row over the graph."""
    photo, network = circuit.photo_info, circuit.network
    picture = safe_picture(photo.thumbnail)
    left = float(_MARGIN)
    if picture:
        yield (
            f'<image x="{left:g}" y="{_MARGIN}" width="{_PHOTO}" height="{_PHOTO}" '
            f'preserveAspectRatio="xMidYMid slice" href="{picture}"/>'
        )
        left += _PHOTO + 20
    rows = circuit.predictions[:5]
    room = across - left - (_PREDICTIONS + 2 * _MARGIN if rows else _MARGIN)
    facts = (
        network_and_source(network.name, network.source),
        f"on {photo.name}" + (f"; {ALONE}" if network.multi_label else ""),
        f"{len(circuit.visible)} units, target value {number(circuit.target.value)}",
    )
    yield f'<text class="question" x="{left:g}" y="{_MARGIN + 24}">{_fitted(_question(circuit), room / 1.6)}</text>'
    for line, fact in enumerate(facts):
        yield f'<text class="quiet" x="{left:g}" y="{_MARGIN + 50 + 19 * line}">{_fitted(fact, room)}</text>'
    start = across - _MARGIN - _PREDICTIONS
    for line, row in enumerate(rows):
        y = _MARGIN + 12 + 20 * line
        share = max(0.0, min(1.0, row.probability))
        weight = ' font-weight="650"' if row.label == circuit.target.label else ""
        yield f'<text class="row" x="{start}" y="{y}"{weight}>{_fitted(row.label, 150)}</text>'
        yield f'<rect class="track" x="{start + 160}" y="{y - 8}" width="84" height="7" rx="3"/>'
        yield f'<rect class="share" x="{start + 160}" y="{y - 8}" width="{84 * share:.2f}" height="7" rx="3"/>'
        said = html.escape(chance(share))
        yield f'<text class="row" x="{across - _MARGIN:g}" y="{y}" text-anchor="end">{said}</text>'


def _legend(circuit: Circuit, y: float) -> Iterator[str]:
    items = [
        ('<path class="edge" d="M0 -4H32" stroke-width="4"/>', 40, "excites"),
        ('<path class="edge against" d="M0 -4H32M31 -10V2" stroke-width="4"/>', 40, "inhibits"),
        ("", 0, "wider: a larger share of the unit above"),
        ('<rect class="track" y="-7" width="32" height="4" rx="2"/>'
         '<rect class="covered" y="-7" width="18" height="4" rx="2"/>', 40, "how much of its attribution is shown"),
    ]  # fmt: skip
    found = {name for unit in circuit.visible for edge in circuit.edges_into(unit) for name in edge.warnings}
    if "disagrees" in found:
        items.append(('<path class="edge disagrees" d="M0 -4H32" stroke-width="4"/>', 40, "ablation disagrees"))
    items += [("", 0, f"{SIGNS[name]} {LABELS[name]}") for name in ("cancels", "saturates") if name in found]
    x = float(_MARGIN)
    for mark, room, words in items:
        yield f'<g transform="translate({x:g} {y:g})">{mark}<text class="quiet" x="{room}">{words}</text></g>'
        x += room + 6.6 * len(words) + 26


def _fitted(text: str, room: float) -> str:
    """A text cut to about the room that it has, escaped."""
    most = max(8, int(room / _CHARACTER))
    return html.escape(text if len(text) <= most else text[: most - 1].rstrip() + "…")
