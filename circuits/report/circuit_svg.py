"""A circuit as SVG: units as tiles with pictures and bars of coverage, and curved edges. It needs no script.

The drawing is part of the HTML page, where units are links to their rows of the table; and a file of its own, with the
question, the photo, the predictions and a legend, in light colours that are written out, because programs other than
browsers know no CSS variables.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from PIL import Image

from circuits.errors import printable
from circuits.image.encode import to_data_uri
from circuits.report.jinja import asset, fill, safe_picture
from circuits.report.layout import bands, layered, line_heights
from circuits.report.text import (
    ALONE,
    WARNING_LABELS,
    WARNING_SIGNS,
    cut,
    network_and_source,
    number,
    question,
    warning_label,
)
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge
from circuits.tracing.node import Node

_SIDE = 88
_GUTTER = 132
_CELL = 112
_BLOCK = 118
_LINE_GAP = 26.0
_BAND_GAP = 78.0
_MARGIN = 24
_HEAD = 132
_FOOT = 44
_PHOTO = 100
_PREDICTIONS = 300
_CHARACTER = 7.4

Pictures = Mapping[str, Image.Image]
"""Pictures by node id."""


@dataclass(frozen=True)
class Drawn:
    """A drawing of a circuit: the element, its size in its own pixels, and the units in the order of their links."""

    svg: Markup
    wide: int
    tall: float
    units: tuple[str, ...]


def draw(circuit: Circuit, pictures: Pictures, heat_maps: Pictures, *, links: bool = True, top: int = 0) -> Drawn:
    """The graph as an SVG element.

    Args:
        circuit: what to draw.
        pictures: what units look for; else those that the circuit carries.
        heat_maps: where units fired; drawn where there is no picture, else hidden for a script to show.
        links: whether units are links to `#unit-<number>`.
        top: where to put the element in another drawing, centred; with 0 it stands alone.
    """
    slots = dict(sorted(layered(circuit).items(), key=lambda each: (each[1].line, each[1].column)))
    heights = line_heights(slots, line=_BLOCK + _LINE_GAP, band=_BLOCK + _BAND_GAP)
    wide = round(_GUTTER + (max(5.0, *(2 * slot.column + 1 for slot in slots.values())) + 0.2) * _CELL)
    middle = _GUTTER + (wide - _GUTTER) / 2
    xy = {name: (middle + slot.column * _CELL, 14 + heights[slot.line]) for name, slot in slots.items()}
    tall = max(y for _, y in xy.values()) + _BLOCK + 16
    svg = fill(
        "graph.svg.j2",
        wide=wide,
        tall=tall,
        side=_SIDE,
        at=(_MARGIN + (max(wide, 720) - wide) / 2, top) if top else None,
        links=links,
        bands=_bands(circuit, xy),
        lines=list(_lines(circuit, xy)),
        tiles=[_tile(circuit.nodes[name], at, pictures, heat_maps) for name, at in xy.items()],
    )
    return Drawn(svg, wide, tall, tuple(xy))


def svg_file(circuit: Circuit) -> str:
    """The visible circuit as an SVG document: question, photo, predictions, graph with its pictures, legend.

    Args:
        circuit: what to draw; the pictures that its nodes carry are drawn.
    """
    photo, network = circuit.photo_info, circuit.network
    drawn = draw(circuit, {}, {}, links=False, top=_MARGIN + _HEAD)
    thumbnail, rows = safe_picture(photo.thumbnail), circuit.predictions[:5]
    across = max(drawn.wide, 720) + 2 * _MARGIN
    left = float(_MARGIN) + (_PHOTO + 20 if thumbnail else 0)
    room = across - left - (_PREDICTIONS + 2 * _MARGIN if rows else _MARGIN)
    facts = (
        network_and_source(network.name, network.source, network.explained).rstrip(","),
        f"on {photo.name}" + (f"; {ALONE}" if network.multi_label else ""),
        f"{len(circuit.visible)} units, target value {number(circuit.target.value)}",
    )
    document = fill(
        "file.svg.j2",
        across=across,
        down=drawn.tall + _HEAD + _FOOT + 2 * _MARGIN,
        margin=_MARGIN,
        left=left,
        style=asset("file.css"),
        question=question(circuit),
        title=_fitted(question(circuit), room / 1.6),
        facts=[_fitted(fact, room) for fact in facts],
        thumbnail=thumbnail,
        photo_side=_PHOTO,
        predictions=[(row, _fitted(row.label, 150.0)) for row in rows],
        start=across - _MARGIN - _PREDICTIONS,
        target=circuit.target.label,
        graph=drawn.svg,
        legend=list(_legend(circuit)),
    )
    return printable(str(document) + "\n")


def warnings_in(circuit: Circuit) -> set[str]:
    """The kinds of warnings that visible edges have."""
    return {name for unit in circuit.visible for edge in circuit.edges_into(unit) for name in edge.warnings}


def _bands(circuit: Circuit, xy: Mapping[str, tuple[float, float]]) -> list[dict[str, Any]]:
    return [
        {
            "layer": circuit.nodes[names[0]].unit.layer,
            "units": names,
            "top": (top := min(xy[name][1] for name in names)),
            "border": top - _BAND_GAP / 2,
        }
        for names in bands(circuit)
    ]


def _lines(circuit: Circuit, xy: Mapping[str, tuple[float, float]]) -> Iterator[dict[str, Any]]:
    """The edges into each unit; the strongest come last, on top of the others."""
    shares = {edge: abs(circuit.share(edge)) for name in xy for edge in circuit.edges_into(name)}
    largest = max(shares.values(), default=0.0) or 1.0
    for target, (to_x, to_y) in xy.items():
        for edge in reversed(circuit.edges_into(target)):
            x, y = xy[edge.source]
            end = to_y + _BLOCK + 3
            bend = max(24.0, (y - end) * 0.55)
            yield {
                "edge": edge,
                "kind": "against" if edge.attribution < 0 else "for",
                "path": f"M{x:g} {y - 2:g}C{x:g} {y - bend:g} {to_x:g} {end + bend:g} {to_x:g} {end:g}",
                "share": shares[edge] / largest,
                "words": _edge_in_words(edge),
                "signs": "".join(WARNING_SIGNS[name] for name in edge.warnings if name != "disagrees"),
                # A third of the way down the curve: there lines that end at one unit are apart.
                "sign_at": (0.784 * to_x + 0.216 * x, 0.784 * end + 0.216 * y + 0.252 * bend + 5),
            }


def _edge_in_words(edge: Edge) -> str:
    """An edge's attribution and, if it was measured, what ablation found and what is doubtful."""
    words = number(edge.attribution, sign=True)
    if edge.ablation is not None:
        words += f", by ablation {number(edge.ablation, sign=True)}"
    if edge.ablation_mean is not None:
        words += f", to its mean {number(edge.ablation_mean, sign=True)}"
    return words + "".join(f"; {warning_label(edge, name)}" for name in edge.warnings)


def _tile(node: Node, at: tuple[float, float], pictures: Pictures, heat_maps: Pictures) -> dict[str, Any]:
    position = "" if node.position is None else f" @{node.position[0]},{node.position[1]}"
    return {
        "node": node,
        "x": at[0],
        "y": at[1],
        "picture": to_data_uri(pictures[node.id]) if node.id in pictures else safe_picture(node.picture),
        "fired": to_data_uri(heat_maps[node.id]) if node.id in heat_maps else "",
        "name": cut(node.called if node.called != str(node.unit) else f"{node.number}{position}", 17),
        "called": f"{node.name} ({node.label})" if node.name else node.label,
    }


def _legend(circuit: Circuit) -> Iterator[dict[str, Any]]:
    items = [
        ("edge", "excites"),
        ("edge against", "inhibits"),
        ("", "wider: a larger share of the unit above"),
        ("bar", "coverage: the part of its gross attribution that is shown"),
    ]
    found = warnings_in(circuit)
    if "disagrees" in found:
        items.append(("edge disagrees", WARNING_LABELS["disagrees"]))
    items += [
        ("", f"{WARNING_SIGNS[name]} {WARNING_LABELS[name]}") for name in ("cancels", "saturates") if name in found
    ]
    x = float(_MARGIN)
    for mark, words in items:
        room = 40 if mark else 0
        yield {"x": x, "mark": mark, "room": room, "words": words}
        x += room + 6.6 * len(words) + 26


def _fitted(words: str, room: float) -> str:
    """A text cut to about the room that it has."""
    return cut(words, max(8, int(room / _CHARACTER)))
