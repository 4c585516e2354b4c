"""The units and edges of a circuit as an SVG that needs no script: pictures, bars of coverage, curved edges."""

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

from PIL import Image

from circuits.image.encode import to_data_uri
from circuits.report.layout import Place
from circuits.report.text import SIGNS, label, number

if TYPE_CHECKING:
    from circuits.tracing.circuit import Circuit
    from circuits.tracing.node import Node
    from circuits.units import Edge


_SIDE = 88
_GUTTER = 132
_CELL = 112
_BLOCK = 118
_ROW_GAP = 26
_BAND_GAP = 78
# An arrow; and a bar across a line that inhibits, so that colour is not needed to tell the two apart. It stands before
# the end, where arrows of other lines would hide it.
_ENDS = {"for": "M0 0L8 4L0 8z", "against": "M-7.4 -2H-4.8V10H-7.4z"}


def to_svg(
    circuit: "Circuit",
    places: Mapping[str, Place],
    pictures: Mapping[str, Image.Image],
    heat_maps: Mapping[str, Image.Image],
) -> str:
    """The graph as an SVG element in which every unit is a link to its row, `#unit-<number>`, of the table.

    Args:
        circuit: what to draw.
        places: where its visible units stand.
        pictures: what units look for, by node id; else those that the circuit carries.
        heat_maps: where units fired, by node id; drawn where there is no picture, else hidden for a script to show.
    """
    tops = _tops(places)
    wide = width(places)
    middle = _GUTTER + (wide - _GUTTER) / 2
    xy = {name: (middle + at.column * _CELL, tops[at.row]) for name, at in places.items()}
    height = max(tops.values()) + _BLOCK + 16
    lines, signs = _edges(circuit, xy)
    parts = [
        f'<svg class="map" viewBox="0 0 {wide} {height:g}" role="group" aria-label="Units, the target on top">',
        "<defs>",
        *(
            f'<marker id="{kind}" viewBox="0 -1 8 10" refX="6" refY="4" markerWidth="9" markerHeight="11" '
            'markerUnits="userSpaceOnUse" orient="auto" overflow="visible">'
            f'<path class="arrow-{kind}" d="{end}"/></marker>'
            for kind, end in _ENDS.items()
        ),
        "</defs>",
        *_bands(circuit, places, tops, wide),
        *lines,
        *(_node(circuit.nodes[name], index, xy[name], pictures, heat_maps) for index, name in enumerate(places)),
        *signs,
        "</svg>",
    ]
    return "\n".join(parts)


def width(places: Mapping[str, Place]) -> int:
    """Width of the drawing in its own pixels."""
    widest = max(2 * at.column + 1 for at in places.values())
    return round(_GUTTER + (max(5.0, widest) + 0.2) * _CELL)


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


def _edges(circuit: "Circuit", xy: Mapping[str, tuple[float, float]]) -> tuple[list[str], list[str]]:
    """The lines, and the signs of warnings that stand on top of everything."""
    shares = {name: {edge.source: abs(circuit.share(edge)) for edge in circuit.edges_into(name)} for name in xy}
    largest = max((share for row in shares.values() for share in row.values()), default=0.0) or 1.0
    parts, marks = [], []
    for target in xy:
        # The strongest are drawn last, on top of the others.
        for edge in reversed(circuit.edges_into(target)):
            (x, y), (to_x, to_y) = xy[edge.source], xy[target]
            end = to_y + _BLOCK + 3
            bend = max(24.0, (y - end) * 0.55)
            share = shares[target][edge.source] / largest
            source, escaped = html.escape(edge.source), html.escape(target)
            kind = "against" if edge.attribution < 0 else "for"
            look = f"{kind} disagrees" if edge.disagrees else kind
            signs = "".join(SIGNS[name] for name in edge.warnings if name != "disagrees")
            parts.append(
                f'<path class="edge {look}" data-source="{source}" data-target="{escaped}" marker-end="url(#{kind})" '
                f'd="M{x:g} {y - 2:g}C{x:g} {y - bend:g} {to_x:g} {end + bend:g} {to_x:g} {end:g}" '
                f'stroke-width="{0.8 + 5.5 * share:.2f}" opacity="{0.45 + 0.5 * share:.2f}">'
                f"<title>{source} → {escaped}: {html.escape(_said(edge))}</title></path>"
            )
            if signs:
                # A third of the way down the curve: there lines that end at one unit are apart.
                at = (0.784 * to_x + 0.216 * x, 0.784 * end + 0.216 * y + 0.252 * bend + 5)
                middle = f'x="{at[0]:.1f}" y="{at[1]:.1f}"'
                marks.append(
                    f'<text class="doubt" {middle} data-source="{source}" data-target="{escaped}">{signs}</text>'
                )
    return parts, marks


def _said(edge: "Edge") -> str:
    """An edge's attribution and, if it was measured, what ablation found and what is doubtful."""
    measured = "" if edge.ablation is None else f", by ablation {number(edge.ablation, sign=True)}"
    measured += "" if edge.ablation_mean is None else f", to its mean {number(edge.ablation_mean, sign=True)}"
    return number(edge.attribution, sign=True) + measured + "".join(f"; {label(edge, name)}" for name in edge.warnings)


def _node(
    node: "Node",
    index: int,
    at: tuple[float, float],
    pictures: Mapping[str, Image.Image],
    heat_maps: Mapping[str, Image.Image],
) -> str:
    x, y = at[0] - _SIDE / 2, at[1]
    box = f'x="{x:g}" y="{y:g}" width="{_SIDE}" height="{_SIDE}"'
    picture = to_data_uri(pictures[node.id]) if node.id in pictures else safe_picture(node.picture)
    fired = to_data_uri(heat_maps[node.id]) if node.id in heat_maps else ""
    inside = f'<rect class="tile" {box} rx="10"/>'
    if picture:
        inside += f'<image class="picture" {box} preserveAspectRatio="xMidYMid slice" href="{picture}"/>'
    if fired:
        hidden = ' visibility="hidden"' if picture else ""
        inside += f'<image class="fired" {box}{hidden} preserveAspectRatio="xMidYMid slice" href="{fired}"/>'
    if not picture and not fired:
        inside += f'<text class="sub" x="{at[0]:g}" y="{y + _SIDE / 2 + 4:g}" text-anchor="middle">no picture</text>'
    inside += f'<rect class="frame" {box} rx="10"/>'
    if node.books is not None:
        bar = f'x="{x:g}" y="{y + _SIDE + 4:g}" height="4" rx="2"'
        covered = _SIDE * max(0.0, min(1.0, node.books.coverage))
        inside += f'<rect class="track" {bar} width="{_SIDE}"/><rect class="covered" {bar} width="{covered:.1f}"/>'
    name = node.called if node.called != str(node.unit) else _short(node)
    inside += (
        f'<text x="{at[0]:g}" y="{y + _SIDE + 23:g}" text-anchor="middle">{html.escape(_cut(name, 17))}'
        f"{' ✎' if node.note else ''}</text>"
    )
    both = f"{node.name} ({node.label})" if node.name else node.label
    spoken = f"{both}, value {number(node.value)}"
    return (
        f'<a class="node" href="#unit-{index}" data-id="{html.escape(node.id)}" aria-label="{html.escape(spoken)}">'
        f"<title>{html.escape(both)}</title>{inside}</a>"
    )


def _short(node: "Node") -> str:
    position = "" if node.unit.position is None else f" @{node.unit.position[0]},{node.unit.position[1]}"
    return f"{node.unit.channel}{position}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def safe_picture(uri: str | None) -> str:
    """A data URI of a picture, escaped for an attribute; nothing where it is none."""
    return html.escape(uri) if uri is not None and uri.startswith("data:image/") else ""
