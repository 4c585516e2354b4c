"""The right pane's part on this photo: what a unit saw, what it argued for, and which pixels it hangs on."""

from typing import Any

from dash import html

from circuits.report.text import number
from circuits.tracing.circuit import Circuit
from circuits.tracing.node import Node
from dashboard.components import failed, figure, section, waiting
from dashboard.features.target import view as panels
from dashboard.features.target.view import attributes
from dashboard.features.unit.evidence import METHODS, STARTS
from dashboard.features.unit.standing_panel import in_its_layer
from dashboard.session.state import Looking
from dashboard.work.findings import Failure, Glimpse, Places, Relative, Shot, Signed, Spot
from dashboard.work.topics import Found

Component = Any
_METHODS = {"gradient": "gradient", "gradient_x_input": "× input", "guided": "guided", "deconvnet": "deconv"}
_STARTS = {"peak": "its peak", "map": "everywhere"}


def in_photo(node: Node, circuit: Circuit, found: Found, looking: Looking) -> list[Component]:
    """Evidence from the photo itself; nothing for a circuit without its network or photo.

    Args:
        node: the chosen unit.
        circuit: where it is in.
        found: what was found out, by topic.
        looking: how gradient pictures are made.
    """
    if not found:
        return []
    label = circuit.nodes[circuit.root].called
    parts: list[Component] = in_its_layer(node, found["standing"]) if "standing" in found else []
    if "places" in found:
        parts += patches(node, found["places"], found.get("middle"))
    pictures = [_glimpse("Pixels that it hangs on", f"Pixels that {node.called} hangs on", found.get("glimpse"))]
    if "argument" in found:
        pictures.insert(0, _argument(node, label, found["argument"]))
    parts.append(html.Div(pictures, className="pair"))
    if "relative" in found:
        parts += relative(node.called, circuit, found["relative"])
    parts.append(controls(looking))
    return [section("In this photo", "in-photo", parts)]


def marked(found: Found) -> tuple[Spot, ...]:
    """The places to mark where a unit fired."""
    places = found.get("places")
    return places.spots if isinstance(places, Places) else ()


def patches(node: Node, places: Places | Failure | None, middle: Shot | Failure | None) -> list[Component]:
    """The patches, beside the same part of the unit's picture."""
    if isinstance(places, Failure):
        return failed(places)
    if places is None:
        tiles = [_patch(None, "", " ", name=str(place)) for place in range(4)]
        return [html.P("What it saw where it fired most:", className="small"), html.Ul(tiles, className="patches")]
    if places.whole:
        words = "Each of its positions sees the whole photo, so there are no patches to cut out."
        return [html.P(words, className="small muted")]
    if not places.spots:
        return [html.P("It did not fire anywhere in this photo.", className="small muted")]
    tiles = []
    for rank, spot in enumerate(places.spots, start=1):
        where = f"row {spot.position[0]}, column {spot.position[1]}"
        spoken = f"What {node.called} saw at {where}: activation {number(spot.value)}"
        tiles.append(_patch(spot.patch, spoken, f"{rank}: {number(spot.value)}", title=where, name=f"spot-{rank}"))
    if isinstance(middle, Shot):
        spoken = f"The same part of the picture of what {node.called} looks for"
        tiles.append(_patch(middle, spoken, "its picture", title=spoken, name="middle"))
    words = "What it saw where it fired most, and the same part of its picture:"
    if not isinstance(middle, Shot):
        words = "What it saw where it fired most:"
    return [html.P(words, className="small"), html.Ul(tiles, className="patches")]


def _patch(shot: Shot | None, spoken: str, caption: str, *, title: str = "", name: str = "") -> Component:
    words = html.Span(caption, className="numbers", title=title)
    if shot is None:
        return html.Li([html.Div(className="large placeholder waiting"), words], key=name)
    image = html.Img(src=shot.address, alt=spoken, className="large")
    enlarge = html.Button(
        image, type="button", className="enlarge", title=title or "Enlarge", **attributes(data_enlarge=spoken)
    )
    return html.Li([enlarge, words], key=name, className="of-picture" if name == "middle" else "")


def _argument(node: Node, target: str, argument: Signed | Failure | None) -> Component:
    title = f"Its argument for {target}"
    if not isinstance(argument, Signed):
        return waiting(title, argument, "where it came from")
    spoken = f"Where the argument of {node.called} for {target} came from, over the photo"
    words = [
        html.Span("Blue", className="blue"), f" spots raised {target}, ", html.Span("orange", className="orange"),
        f" ones lowered it; in all {number(argument.total, sign=True)}.",
    ]  # fmt: skip
    return figure(title, argument.shot.address, spoken, words, "")


def _glimpse(
    title: str,
    spoken: str,
    glimpse: Glimpse | Failure | None,
    nothing: str = "nothing: by this method no pixel moves it here",
) -> Component:
    if not isinstance(glimpse, Glimpse):
        return waiting(title, glimpse, "brighter: more of a colour helps; darker: less")
    words = "brighter: more of a colour helps; darker: less"
    if glimpse.empty:
        words = nothing
    elif glimpse.around is not None:
        words = f"cut out around row {glimpse.around[0]}, column {glimpse.around[1]}; {words}"
    return figure(title, glimpse.shot.address, spoken, words, "")


def relative(label: str, circuit: Circuit, found: Relative | Failure | None) -> list[Component]:
    """A unit through the unit above it, beside that one by itself, around the same place."""
    if not isinstance(found, Relative):
        pictures = [waiting("Through the unit above", found), waiting("The unit above, by itself", found)]
        return [html.Div(pictures[:1] if isinstance(found, Failure) else pictures, className="pair")]
    upper = circuit.nodes[found.upper].called
    nothing = f"all grey: by this method nothing of {label} reaches {upper} from here"
    child = _glimpse(f"{label}, through {upper}", f"Pixels through which {label} moves {upper}", found.child, nothing)
    parent = _glimpse(f"{upper} by itself", f"Pixels that {upper} hangs on", found.parent)
    return [html.Div([child, parent], className="pair")]


def controls(looking: Looking) -> Component:
    """The choice of how gradient pictures are made."""
    return html.Div(
        [
            panels.setting("method", "Method", METHODS[looking.method], tuple(METHODS), looking.method, shown=_METHODS),
            panels.setting("start", "From", STARTS[looking.start], tuple(STARTS), looking.start, shown=_STARTS),
        ],
        className="controls",
    )
