"""Gradient pictures of a unit as Dash components, for the panes of units and of edges."""

from dash import html

from circuits.tracing.circuit import Circuit
from dashboard.answers import Failure, Relative, SaliencyPicture
from dashboard.choice_texts import METHODS, STARTS
from dashboard.components import Component, figure, setting, waiting
from dashboard.session.state import Looking

_METHODS = {"gradient": "gradient", "gradient_x_input": "× input", "guided": "guided", "deconvnet": "deconv"}


_AT_LIMIT = (
    "at its peak it has reached the upper limit of its rectifier, so no small change of a pixel moves it; "
    "choose everywhere"
)


_STARTS = {"peak": "its peak", "map": "everywhere"}


def _saliency(
    title: str,
    spoken: str,
    saliency: SaliencyPicture | Failure | None,
    nothing: str = "all grey: with this method no pixel affects it here",
) -> Component:
    if not isinstance(saliency, SaliencyPicture):
        return waiting(title, saliency, "brighter: more of this colour raises it; darker: less")
    words = "brighter: more of this colour raises it; darker: less"
    if saliency.empty and saliency.at_limit:
        words = f"all grey: {_AT_LIMIT}"
    elif saliency.empty:
        words = nothing
    elif saliency.around is not None:
        words = f"cut out around row {saliency.around[0]}, column {saliency.around[1]}; {words}"
    return figure(title, saliency.webp.address, spoken, words, "")


def relative(label: str, circuit: Circuit, found: Relative | Failure | None) -> list[Component]:
    """A unit through the unit above it, beside that one by itself, around the same place."""
    if not isinstance(found, Relative):
        pictures = [waiting("Via the unit above", found), waiting("The unit above alone", found)]
        return [html.Div(pictures[:1] if isinstance(found, Failure) else pictures, className="pair")]
    upper = circuit.nodes[found.upper].called
    nothing = f"all grey: with this method no pixel affects {upper} here via {label}"
    child = _saliency(f"{label} via {upper}", f"Pixels by which {label} affects {upper}", found.child, nothing)
    parent = _saliency(f"{upper} alone", f"Pixels that {upper} depends on", found.parent)
    return [html.Div([child, parent], className="pair")]


NO_RECTIFIERS = "A transformer has no rectifiers, so guided and deconv pictures are not defined for it."


def controls(looking: Looking, methods: tuple[str, ...], *, placed: bool = True) -> Component:
    """The choice of how gradient pictures are made, among the methods that the network has.

    Args:
        looking: what is chosen.
        methods: of the network.
        placed: whether what the pictures start from has places, and so a peak and others.
    """
    method = looking.among(methods).method
    hint = METHODS[method] if len(methods) == len(METHODS) else f"{METHODS[method]} {NO_RECTIFIERS}"
    return html.Div(
        [
            setting("method", "Method", hint, methods, method, shown=_METHODS),
            *(
                [setting("start", "From", STARTS[looking.start], tuple(STARTS), looking.start, shown=_STARTS)]
                if placed
                else []
            ),
        ],
        className="controls",
    )
