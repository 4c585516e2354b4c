"""A circuit as SVG, laid out as on the page: units as tiles with their words, and curved edges. It needs no script.

The drawing is part of the HTML page, where units are links to their rows of the table; and a file of its own, with the
question, the photo, the predictions and a legend, in light colours that are written out, because programs other than
browsers know no CSS variables.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup
from PIL import Image

from circuits.errors import InputError, printable
from circuits.image.encode import to_data_uri
from circuits.report.arrangement import SIDE, STEP, WORDS, UnitPlace, arranged, bands_between, curve, ports, route
from circuits.report.atlas_sentences import estimated
from circuits.report.edge_words import WARNING_LABELS, WARNING_SIGNS, warning_label
from circuits.report.jinja import asset, fill, safe_picture
from circuits.report.layout import bands
from circuits.report.sentences import as_text, edges_from, unit_in_words
from circuits.report.text import ALONE, many, network_and_source, number, percent, question, units_in_words, wrapped
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge
from circuits.tracing.named_sets import names_of
from circuits.tracing.node import Node
from circuits.units import is_residual

_GUTTER = 116
_TOP = 18
_MARGIN = 24
_NARROWEST = 760
_PHOTO = 100
_PREDICTIONS = 320
# Words under a picture: so many cells in a line, and pixels to a line.
_CELLS, _ROOT_CELLS, _ROW = 16, 34, 15
# Average width of a letter in the head of a file: of the question, and of what stands under it.
_LARGE, _SMALL = 11.5, 6.6

Pictures = Mapping[str, Image.Image | str]
"""Pictures by node id, or data URIs of them."""
LOOKS = ("picture", "patch", "heat")
"""What units can show: what each looks for, the part of the photo where it fired most, and its activation over it."""


@dataclass(frozen=True)
class Looks:
    """What units can show, by node id, and which of it is shown.

    Args:
        picture: what they look for; those that the circuit carries are used where there is none.
        patch: the part of the photo where each fired most.
        heat: where each fired in the photo.
        first: which of `LOOKS` is shown; where a unit has none of that, another one.
        files: in the place of pictures, where they lie as files, relative to the page.
    """

    picture: Pictures = field(default_factory=dict)
    patch: Pictures = field(default_factory=dict)
    heat: Pictures = field(default_factory=dict)
    first: str = "picture"
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.first not in LOOKS:
            raise InputError(f"Units cannot show {self.first!r}; choose one of {', '.join(LOOKS)}.")

    def of(self, node: Node) -> dict[str, str]:
        """Data URIs, or files, of what a unit can show, what it shows first."""
        found = {"picture": safe_picture(node.picture)}
        if node.id in self.files:
            found["picture"] = self.files[node.id]
        found |= {look: _uri(getattr(self, look)[node.id]) for look in LOOKS if node.id in getattr(self, look)}
        order = sorted(LOOKS, key=lambda look: (look != self.first, LOOKS.index(look)))
        return {look: found[look] for look in order if found.get(look)}


NO_LOOKS = Looks()


def _uri(picture: Image.Image | str) -> str:
    return safe_picture(picture) if isinstance(picture, str) else to_data_uri(picture)


@dataclass(frozen=True)
class Drawn:
    """A drawing of a circuit: the element, its size in its own pixels, and the units in the order of their links.

    Args:
        svg: the element.
        wide: its width.
        tall: its height.
        units: their ids.
        looks: which of `LOOKS` there are.
    """

    svg: Markup
    wide: int
    tall: float
    units: tuple[str, ...]
    looks: tuple[str, ...]


def draw(
    circuit: Circuit,
    looks: Looks = NO_LOOKS,
    *,
    wrap: int | None = None,
    links: bool | Mapping[str, str] = True,
    top: float = 0.0,
) -> Drawn:
    """The graph as an SVG element.

    Args:
        circuit: what to draw.
        looks: what units show; what is not shown first is hidden, for a script to show.
        wrap: the most units in a line; as fits, if `None`.
        links: whether units are links, to `#unit-<number>`; or by id where each of them leads.
        top: where to put the element in another drawing, centred; with 0 it stands alone.
    """
    return _draw(circuit, looks, _plan(circuit, wrap), links=links, top=top)


@dataclass(frozen=True)
class _Plan:
    """Where everything goes: places around (0, 0), which lies at `shift`; `words` is their height under a picture."""

    places: Mapping[str, UnitPlace]
    names: Mapping[str, list[str]]
    words: int
    wide: int
    tall: float
    shift: tuple[float, float]


def _plan(circuit: Circuit, wrap: int | None) -> _Plan:
    names = {name: _name_lines(circuit, name) for name in circuit.visible}
    words = max(WORDS, *(_height(lines) + 4 for lines in names.values()))
    places = arranged(circuit, wrap=wrap, words=words)
    xs, ys = [place.x for place in places.values()], [place.y for place in places.values()]
    across = max(max(xs) - min(xs) + STEP, 5.2 * STEP)
    shift = (_GUTTER + (across - min(xs) - max(xs)) / 2, _TOP + SIDE / 2 - min(ys))
    return _Plan(places, names, words, round(_GUTTER + across), max(ys) + shift[1] + SIDE / 2 + words, shift)


def _draw(circuit: Circuit, looks: Looks, plan: _Plan, *, links: bool | Mapping[str, str], top: float) -> Drawn:
    tiles = [_tile(circuit, name, place, looks, plan.names[name]) for name, place in plan.places.items()]
    to = links if isinstance(links, Mapping) else {name: f"#unit-{at}" for at, name in enumerate(plan.places)}
    svg = fill(
        "graph.svg.j2",
        wide=plan.wide,
        tall=plan.tall,
        side=SIDE,
        row=_ROW,
        shift=plan.shift,
        at=(_MARGIN + (max(plan.wide, _NARROWEST) - plan.wide) / 2, top) if top else None,
        to=to if links else {},
        bands=_bands(circuit, plan.places),
        lines=list(_lines(circuit, plan)),
        tiles=tiles,
    )
    there = tuple(look for look in LOOKS if any(look in tile["looks"] for tile in tiles))
    return Drawn(svg, plan.wide, plan.tall, tuple(plan.places), there)


def svg_file(circuit: Circuit, looks: Looks = NO_LOOKS, *, wrap: int | None = None) -> str:
    """The visible circuit as an SVG document: question, photo, predictions, graph with its pictures, legend.

    Args:
        circuit: what to draw.
        looks: what units show.
        wrap: the most units in a line; as fits, if `None`.
    """
    photo, network = circuit.photo_info, circuit.network
    thumbnail = safe_picture(photo.thumbnail)
    plan = _plan(circuit, wrap)
    across = max(plan.wide, _NARROWEST) + 2 * _MARGIN
    left = float(_MARGIN) + (_PHOTO + 20 if thumbnail else 0)
    room = across - left - (_PREDICTIONS + 2 * _MARGIN if circuit.predictions else _MARGIN)
    facts = (
        network_and_source(network.name, network.source, network.explained).rstrip(","),
        f"on {photo.name}" + (f"; {ALONE}" if network.multi_label else ""),
        f"{units_in_words(circuit)}, target value {number(circuit.target.value)}",
    )
    title = wrapped(question(circuit), int(room / _LARGE))
    told = [line for fact in facts for line in wrapped(fact, int(room / _SMALL))]
    rows = [(row, wrapped(row.label, 24)) for row in circuit.predictions[:5]]
    head = max(_PHOTO, 26 * len(title) + 19 * len(told), sum(4 + 16 * len(lines) for _, lines in rows)) + 32
    drawn = _draw(circuit, looks, plan, links=False, top=float(_MARGIN + head))
    legend, lines = _legend(circuit, across)
    document = fill(
        "file.svg.j2",
        across=across,
        down=drawn.tall + head + 20 * lines + 24 + 2 * _MARGIN,
        margin=_MARGIN,
        left=left,
        style=asset("file.css"),
        question=question(circuit),
        title=title,
        facts=told,
        thumbnail=thumbnail,
        photo_side=_PHOTO,
        predictions=rows,
        start=across - _MARGIN - _PREDICTIONS,
        target=circuit.target.label,
        graph=drawn.svg,
        legend=legend,
        legend_at=_MARGIN + head + drawn.tall + 24,
    )
    return printable(str(document) + "\n")


def warnings_in(circuit: Circuit) -> set[str]:
    """The kinds of warnings that visible edges have."""
    return {name for unit in circuit.visible for edge in circuit.edges_into(unit) for name in edge.warnings}


def _name_lines(circuit: Circuit, name: str) -> list[str]:
    """What stands under a unit's picture, whole."""
    node = circuit.nodes[name]
    position = "" if node.position is None else f" @{node.position[0]},{node.position[1]}"
    called = node.called if node.called != str(node.unit) else f"{node.number}{position}"
    return wrapped(called + (" ✎" if node.note else ""), _ROOT_CELLS if name == circuit.root else _CELLS)


def _height(lines: Collection[str]) -> int:
    """Of a unit's words: room for the pill over the picture's lower edge, its name, and its share."""
    return 8 + _ROW * (len(lines) + 1)


def _bands(circuit: Circuit, places: Mapping[str, UnitPlace]) -> list[dict[str, Any]]:
    found = []
    for names in bands(circuit):
        middle = (places[names[0]].top + places[names[0]].bottom) / 2
        layer, groups = circuit.nodes[names[0]].unit.layer, [name for name in names if not is_residual(name)]
        count = many(len(groups), "unit" if layer not in circuit.dictionaries else "group")
        found.append({"layer": layer, "count": count, "middle": middle})
    return found


def _lines(circuit: Circuit, plan: _Plan) -> Iterator[dict[str, Any]]:
    """The edges into each unit; the strongest come last, on top of the others."""
    places, crossed = plan.places, bands_between(plan.places)
    for target in places:
        edges = [edge for edge in circuit.edges_into(target) if edge.source in places]
        arrive, under = ports(edges, places), _height(plan.names[target]) + 3
        for edge in reversed(edges):
            stops = route(places[target], places[edge.source], arrive[edge], under, plan.words, bands=crossed)
            yield {
                "edge": edge,
                "kind": _kind(edge),
                "path": curve(stops),
                "share": abs(circuit.share(edge)) ** 0.5,
                "words": _edge_in_words(edge),
                "signs": "".join(WARNING_SIGNS[name] for name in edge.warnings if name != "disagrees"),
                "sign_at": (stops[0][0], stops[0][1] + 22),
            }


def _kind(edge: Edge) -> str:
    """How an edge is drawn; of what is in no group in neither colour."""
    if is_residual(edge.source):
        return "neutral"
    return "against" if edge.attribution < 0 else "for"


def _edge_in_words(edge: Edge) -> str:
    """An edge's attribution, how sure it is, and what was found of it by ablation if it was measured."""
    words = estimated(edge)
    if edge.ablation is not None:
        words += f", by ablation {number(edge.ablation, sign=True)}"
    if edge.ablation_mean is not None:
        words += f", to its mean {number(edge.ablation_mean, sign=True)}"
    return words + "".join(f"; {warning_label(edge, name)}" for name in edge.warnings)


_PATCH = "It has no picture; this is the patch of the photo where it fired most."


def _tile(circuit: Circuit, name: str, place: UnitPlace, looks: Looks, lines: list[str]) -> dict[str, Any]:
    """A unit: where it stands, what it shows, and its words, of which the share is of the unit above it feeds most."""
    node = circuit.nodes[name]
    above = edges_from(circuit, name)
    part = circuit.share(above[0]) if above else 0.0
    shown = looks.of(node)
    instead = looks.first == "picture" and next(iter(shown), "picture") == "patch"
    says = as_text(circuit, unit_in_words(circuit, name))
    return {
        "node": node,
        "x": place.x,
        "y": place.y - SIDE / 2,
        "looks": shown,
        "root": name == circuit.root,
        "residual": is_residual(name),
        "lines": lines,
        "share": f"value {number(node.value)}" if name == circuit.root else percent(part),
        "inhibits": part < 0,
        "shown": "" if node.books is None else f"▾ {percent(node.books.coverage)}",
        "says": f"{says} {_PATCH}".lstrip() if instead else says,
        "sets": names_of(circuit, name),
        "called": f"{node.name} ({node.label})" if node.name else node.label,
    }


def _legend(circuit: Circuit, across: int) -> tuple[list[dict[str, Any]], int]:
    """What marks mean, each with its place in one of the lines, and how many lines that takes."""
    items = [
        ("edge", "excites"),
        ("edge against", "inhibits"),
        ("", "wider: a larger share of the unit above"),
        ("pill", "coverage: the part of its gross attribution that is shown"),
    ]
    if any(map(is_residual, circuit.visible)):
        items.append(("edge neutral", "not in any group"))
    found = warnings_in(circuit)
    if "disagrees" in found:
        items.append(("edge disagrees", WARNING_LABELS["disagrees"]))
    items += [
        ("", f"{WARNING_SIGNS[name]} {WARNING_LABELS[name]}") for name in ("cancels", "saturates") if name in found
    ]
    placed = []
    x, line = float(_MARGIN), 0
    for mark, words in items:
        room = {"": 0, "pill": 56}.get(mark, 40)
        wide = room + _SMALL * len(words) + 26
        if x > _MARGIN and x + wide - 26 > across - _MARGIN:
            x, line = float(_MARGIN), line + 1
        placed.append({"x": x, "line": line, "mark": mark, "room": room, "words": words})
        x += wide
    return placed, line + 1
