"""Further pictures of the chosen unit, under the first one: minimising image, and four diverse images."""

from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.report.text import number
from circuits.tracing.node import Node
from dashboard.answers import VARIANTS
from dashboard.components import attributes, sends
from dashboard.features.unit.variants import Shown
from dashboard.work.tiles import Tile

Component = Any
_HINTS = {
    "negative": "The image that lowers its activation most: the opposite of what it looks for",
    "diverse": "Four images optimised together and kept different, for a unit that responds to several things",
}


def more_pictures(node: Node, more: Sequence[Shown], *, offered: bool) -> list[Component]:
    """The choice of further pictures, and those that were chosen.

    Args:
        node: the unit.
        more: its further pictures that were asked for.
        offered: whether this network can draw it.
    """
    if not offered:
        return []
    open_kinds = {shown.kind for shown in more}
    buttons = [
        html.Button(
            label, type="button", title=_HINTS[kind], className="button tick small",
            **sends("pictures", unit=node.id, kind=kind), **attributes(aria_pressed=str(kind in open_kinds).lower()),
        )
        for kind, label in VARIANTS.items()
    ]  # fmt: skip
    choice = html.Div(
        [html.Span("More:", className="muted small"), *buttons],
        className="choose-more", role="group", **attributes(aria_label=f"More pictures of {node.called}"),
    )  # fmt: skip
    return [html.Div([choice, *(_row(node, shown) for shown in more)], className="more-pictures")]


def _row(node: Node, shown: Shown) -> Component:
    """The pictures of one kind with a line on what they are."""
    called = node.called
    if shown.kind == "negative":
        tiles = [_picture(shown.tiles[0], f"Minimising image of {called}", "")]
        words = _against(shown, called)
    else:
        count = len(shown.tiles)
        tiles = [
            _picture(
                tile,
                f"What {called} looks for, diverse image {place} of {count}",
                "" if reached is None else number(reached),
            )
            for place, (tile, reached) in enumerate(zip(shown.tiles, shown.activations, strict=True), start=1)
        ]
        words = _differ(shown)
    return html.Div(
        [html.Ul(tiles, className="patches"), html.P(words, className="small muted")],
        className=f"variants {shown.kind}",
        key=shown.kind,
    )


def _against(shown: Shown, called: str) -> str:
    [reached] = shown.activations
    if reached is None:
        return _unfinished(shown) or f"The image that lowers {called} most."
    what = (
        "with it, the unit does not activate at all"
        if reached <= 0
        else f"with it, the activation still reaches {number(reached)}"
    )
    return f"The image that lowers {called} most; {what}."


def _differ(shown: Shown) -> str:
    return _unfinished(shown) or "Optimised together and kept different; each number is the activation reached."


def _unfinished(shown: Shown) -> str:
    """How far the drawing is, in words; "" when it is done."""
    states = {tile.state for tile in shown.tiles}
    said = next((tile.said for tile in shown.tiles if tile.said), "")
    if states == {"ready"}:
        return ""
    if "none" in states:
        return "Not drawn: this was cancelled or failed. Press Resume, at the bottom, to try again."
    return said or "On its way …"


def _picture(tile: Tile, spoken: str, caption: str) -> Component:
    words = html.Span(caption, className="numbers")
    if not tile.picture:
        waiting = " waiting" if tile.state == "waiting" else ""
        return html.Li([html.Div(className=f"large placeholder{waiting}"), words])
    unfinished = tile.state == "drawing"
    spoken = f"{spoken}, unfinished" if unfinished else spoken
    image = html.Img(src=tile.picture, alt=spoken, className="large")
    enlarge = html.Button(image, type="button", className="enlarge", title=spoken, **attributes(data_enlarge=spoken))
    return html.Li([enlarge, words], className="unfinished" if unfinished else "")
