"""The right pane's part on this photo: what a unit saw, what it contributed, and which pixels it depends on."""

from typing import Any

from dash import html

from circuits.report.sentences import has_places
from circuits.report.text import many, number, percent, place_in_words
from circuits.tracing.circuit import Circuit
from circuits.tracing.node import Node
from dashboard.answers import ClassTokenLooks, Failure, Places, Relative, Signed, Spot
from dashboard.components import attributes, failed, figure, section, waiting
from dashboard.features.unit.pushes_panel import pushes
from dashboard.features.unit.standing_panel import in_its_layer
from dashboard.glossary import term, with_term
from dashboard.gradient_pictures import _saliency, controls, relative
from dashboard.session.state import Looking
from dashboard.webp import WebP
from dashboard.work.results import Answers

Component = Any
_LOOKS = "Where the class token looks"


def in_photo(
    node: Node, circuit: Circuit, found: Answers, looking: Looking, methods: tuple[str, ...]
) -> list[Component]:
    """Evidence from the photo itself; nothing for a circuit without its network or photo.

    Args:
        node: the chosen unit.
        circuit: where it is in.
        found: what was found out, by query.
        looking: how gradient pictures are made.
        methods: how they can be.
    """
    if not found:
        return []
    label = circuit.nodes[circuit.root].called
    parts: list[Component] = pushes(node.called, found, from_mean=circuit.settings.baseline == "mean")
    parts += in_its_layer(node, found["standing"]) if "standing" in found else []
    if "places" in found:
        parts += patches(node, found["places"], found.get("middle"))
    whole = node.id == circuit.root
    pictures = [_argument("" if whole else node.called, label, found["argument"])] if "argument" in found else []
    if "saliency" in found:  # which a group has not
        words = f"Pixels that {node.called} depends on"
        pictures.append(_saliency("Pixels it depends on", words, found["saliency"]))
    looks, *heads = class_token_looks(label, found["attention"]) if "attention" in found else [None]
    parts += [html.Div([*pictures, *([looks] if looks else [])], className="pair"), *heads]
    if "relative" in found:
        parts += relative(node.called, circuit, found["relative"])
    upper = found.get("relative")
    begin = [node, *([circuit.nodes[upper.upper]] if isinstance(upper, Relative) else [])]
    parts += [controls(looking, methods, placed=any(map(has_places, begin)))] if "saliency" in found else []
    return [section("In this photo", "in-photo", parts)]


def marked(found: Answers) -> tuple[Spot, ...]:
    """The places to mark where a unit fired."""
    places = found.get("places")
    return places.spots if isinstance(places, Places) else ()


def patches(node: Node, places: Places | Failure | None, middle: WebP | Failure | None) -> list[Component]:
    """The patches, beside the same part of the unit's picture."""
    if isinstance(places, Failure):
        return failed(places)
    if places is None:
        tiles = [_patch(None, "", " ", name=str(place)) for place in range(4)]
        return [
            html.P(_where_most(":"), className="small"),
            html.Ul(tiles, className="patches"),
        ]
    if places.whole:
        words = with_term("It sees the whole photo (its receptive field), so there are no patches.", "receptive field")
        return [html.P(words, className="small muted")]
    if not places.spots:
        return [html.P("It is zero everywhere in this photo.", className="small muted")]
    middle = None if places.around else middle
    tiles = []
    for rank, spot in enumerate(places.spots, start=1):
        where = place_in_words(node.unit.layer, spot.position)
        spoken = f"Patch {where}, where {node.called} has activation {number(spot.value)}"
        title = where.removeprefix("at ")
        tiles.append(_patch(spot.patch, spoken, f"{rank}: {number(spot.value)}", title=title, name=f"spot-{rank}"))
    if isinstance(middle, WebP):
        spoken = f"The same part of the picture of what {node.called} looks for"
        tiles.append(_patch(middle, spoken, "its picture", title=spoken, name="middle"))
    words = _where_most(
        ", and the same part of its picture:" if isinstance(middle, WebP) else ":",
        around=places.around, negative=places.spots[0].value < 0,
    )  # fmt: skip
    return [html.P(words, className="small"), html.Ul(tiles, className="patches")]


def _where_most(end: str, *, around: bool = False, negative: bool = False) -> list[Component]:
    where = "where it is highest, nowhere above zero" if negative else "where it fired most"
    if around:
        words = f"It sees the whole photo (its receptive field). The places {where}, with what is around them{end}"
        return with_term(words, "receptive field")
    return with_term(f"Patches of the photo (receptive fields) {where}{end}", "receptive field", "receptive fields")


def _patch(webp: WebP | None, spoken: str, caption: str, *, title: str = "", name: str = "") -> Component:
    words = html.Span(caption, className="numbers", title=title)
    if webp is None:
        return html.Li([html.Div(className="large placeholder waiting"), words], key=name)
    image = html.Img(src=webp.address, alt=spoken, className="large")
    enlarge = html.Button(
        image, type="button", className="enlarge", title=title or "Enlarge", **attributes(data_enlarge=spoken)
    )
    return html.Li([enlarge, words], key=name, className="of-picture" if name == "middle" else "")


def class_token_looks(target: str, found: ClassTokenLooks | Failure | None) -> list[Component]:
    """Where the class token looks in a block: a figure of the mean over its heads, or `None`, and after it each head.

    Args:
        target: what is explained.
        found: the attention; `None` while it is being worked out.
    """
    title = term("attention", _LOOKS)
    if not isinstance(found, ClassTokenLooks):
        return [waiting(title, found)]
    if found.mean is None:
        return [None]
    count = len(found.heads)
    words = (
        f"Attention is not attribution: how much the class token reads from each patch, in the attention before "
        f"{found.layer}, and neither what it reads there nor what that does for {target}."
    )
    tiles = [
        _patch(picture, f"{_LOOKS}, head {head}", percent(share), name=f"head-{head}",
               title=f"Head {head}: {percent(share)} of its attention goes to patches, the rest to other tokens")
        for head, (picture, share) in enumerate(found.heads)
    ]  # fmt: skip
    return [
        figure(title, found.mean.address, f"{_LOOKS}, over the photo", f"mean of {many(count, 'head')}", ""),
        html.P(words, className="small muted"),
        html.P("Each head, with the share of its attention that goes to patches:", className="small"),
        html.Ul(tiles, className="patches"),
    ]


def _argument(unit: str, target: str, argument: Signed | Failure | None) -> Component:
    """What each position contributed to the target: those of a unit, or, of the target itself, of all units below."""
    title = f"Its contribution to {target}, by position" if unit else f"Contributions to {target}, by position"
    if not isinstance(argument, Signed):
        return waiting(title, argument, "where it came from")
    spoken = f"Where the contribution of {unit} to {target} came from, over the photo"
    spoken = spoken if unit else f"Where the contributions to {target} came from, over the photo"
    words = [
        html.Span("Teal", className="excites"), f" positions raise {target}, ",
        html.Span("orange", className="inhibits"),
        f" ones lower it; total {number(argument.total, sign=True)}, by the gradient along all paths, not by ablation.",
    ]  # fmt: skip
    return figure(title, argument.webp.address, spoken, words, "")
