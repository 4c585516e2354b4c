"""A circuit as one HTML page that needs no server, no network and no other file.

The graph is an SVG that is complete without scripts; the script adds the panel of details. A policy in the page
(CSP) lets run only the script and the style that it was made with, and load nothing from anywhere.
"""

import json

from markupsafe import Markup

from circuits.report.atlas_sentences import sureness
from circuits.report.circuit_svg import Looks, Pictures, draw, warnings_in
from circuits.report.file_names import file_name
from circuits.report.jinja import asset, fill, fill_page, safe_picture
from circuits.report.sentences import circuit_in_words, from_mean_in_words
from circuits.report.text import network_and_source, question, units_in_words
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge
from circuits.tracing.named_sets import named_sets
from circuits.tracing.node import Node

_NO_PICTURES: Pictures = {}
_LOOKS = {
    "picture": ("Picture", "What each unit looks for, drawn by the network"),
    "patch": ("Patch", "The part of the photo where each unit fired most"),
    "heat": ("Heat map", "Where each unit fired in the photo"),
}
"""What the switch over the graph offers, as on the page."""


def to_html(
    circuit: Circuit,
    *,
    pictures: Pictures = _NO_PICTURES,
    patches: Pictures = _NO_PICTURES,
    heat_maps: Pictures = _NO_PICTURES,
    look: str = "picture",
    wrap: int | None = None,
) -> str:
    """The circuit as a page: the graph, the predictions, the books of every unit, and the file itself.

    Args:
        circuit: what to show; discarded units and what only they need are left out.
        pictures: what units look for, by node id; those that the circuit carries are used where there is none.
        patches: the parts of the photo where units fired most, by node id.
        heat_maps: where units fired in the photo, by node id.
        look: what units show first, `picture`, `patch` or `heat`; whoever reads the page can switch to the others.
        wrap: the most units in a line of the graph; as fits, if `None`.

    Returns:
        UTF-8 HTML.

    Raises:
        InputError: if units cannot show that.
    """
    return page_of(circuit, Looks(pictures, patches, heat_maps, look), wrap=wrap)


def page_of(circuit: Circuit, looks: Looks, *, wrap: int | None = None) -> str:
    """The circuit as a page whose units show some looks; `to_html` says the rest."""
    drawn = draw(circuit, looks, wrap=wrap)
    return fill_page(
        "circuit.html.j2",
        style=asset("circuit.css") + f"svg.map {{ width: {drawn.wide}px; }}\n",
        script=asset("graph.js") + asset("circuit.js"),
        question=question(circuit),
        says=circuit_in_words(circuit),
        sure="" if circuit.collection is None else sureness(circuit),
        circuit=circuit,
        units=units_in_words(circuit),
        source=network_and_source(circuit.network.name, circuit.network.source, circuit.network.explained).rstrip(","),
        layers={circuit.nodes[name].unit.layer for name in circuit.visible},
        edges=sum(len(circuit.edges_into(name)) for name in circuit.visible),
        thumbnail=safe_picture(circuit.photo_info.thumbnail),
        multi_label=circuit.network.multi_label,
        graph=drawn.svg,
        look=looks.first,
        looks=[(each, *_LOOKS[each]) for each in drawn.looks],
        warnings=warnings_in(circuit),
        rows=[(circuit.nodes[name], _feeds(circuit, name)) for name in drawn.units],
        sets=[(each.name, [circuit.nodes[name] for name in each.units]) for each in named_sets(circuit)],
        hidden=len(circuit.nodes) - len(circuit.visible),
        closing="bias" if circuit.baseline.name == "zero" else "base",
        from_mean=from_mean_in_words(circuit),
        file=_data(circuit),
        file_name=file_name(circuit, "circuit", "json"),
    )


def node_to_html(node: Node) -> str:
    """A unit of a circuit: its picture, if the circuit carries it, its value and its books."""
    return str(fill("node.html.j2", node=node, picture=safe_picture(node.picture)))


def _feeds(circuit: Circuit, name: str) -> list[Edge]:
    """The edges from a unit to visible units above it, the strongest first."""
    rows = circuit.graph.out_edges(name, data=True)
    start = circuit.settings.baseline
    edges = [Edge.of_row(name, target, row, start) for _, target, row in rows if target in circuit.visible]
    return sorted(edges, key=lambda edge: -abs(edge.attribution))


def _data(circuit: Circuit) -> Markup:
    """The circuit file for the script, without the pictures, which the graph already holds."""
    data = circuit.to_dict()
    data["nodes"] = [{key: value for key, value in row.items() if key != "picture"} for row in data["nodes"]]
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    # Inside a script element only "<" could end it or open a comment.
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))
