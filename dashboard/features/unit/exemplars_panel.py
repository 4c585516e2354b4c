"""The right pane's part on other photos: what a unit fires on in a collection, and where this one stands among them."""

from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.report.sentences import alone_in_words
from circuits.report.text import many, number
from circuits.tracing.node import Node
from dashboard.answers import CollectionExemplars, Failure, NoCollection, ShownExemplar
from dashboard.components import WAITING, attributes, failed, section
from dashboard.glossary import term
from dashboard.work.results import Answers

Component = Any
GROUPS = {
    "most": "Most activating",
    "slightly_positive": "Slightly positive",
    "slightly_negative": "Slightly negative",
    "least": "Least activating",
}
COMMAND = "circuits explore --exemplars FOLDER"
_CLASSES = 3
# Of the strip's zones: these percents are told apart.
_ZONES = ((0, 50), (50, 90), (90, 99), (99, 100))


def exemplars(node: Node, found: Answers, reached: float | None, *, of: str = "") -> list[Component]:
    """Evidence from a collection of photos; nothing for a circuit without its network.

    Args:
        node: the chosen unit.
        found: what was found out, by query.
        reached: activation that the unit's picture reached, if there is one.
        of: the class whose circuit it is in; "" if that is one of a photo.
    """
    if "exemplars" not in found:
        return []
    told = found["exemplars"]
    if isinstance(told, CollectionExemplars):
        parts = _told(node, told, reached, of)
    elif isinstance(told, NoCollection) and told.coming:
        words = f"The photos of {told.coming} are being indexed; what it fires on there is shown when that is done."
        parts = [html.P(words, className="small")]
    elif isinstance(told, NoCollection):
        begin: list[Component] = ["To see what it fires on in photos of your own, start with "]
        parts = [html.P([*begin, html.Code(COMMAND), "."], className="small")]
    elif isinstance(told, Failure):
        parts = failed(told)
    else:
        room = html.Div(html.Span(WAITING, className="spoken"), className="placeholder waiting strip-room")
        parts = [room, html.Div([_skeleton(title) for title in GROUPS.values()], className="pair groups")]
    alone = alone_in_words(node)
    return [section(f"In other photos: {alone}" if alone else "In other photos", "elsewhere", parts)]


def _told(node: Node, told: CollectionExemplars, reached: float | None, of: str) -> list[Component]:
    alone, words = alone_in_words(node), in_words(told, reached, of)
    if alone:
        words = f"{alone}: {words[0].lower()}{words[1:]}"
    parts: list[Component] = [html.P(words, className="small"), *_strip(told, reached, of or "here")]
    if told.free is None and (any(told.groups.values()) or not told.missing):
        groups = [_group(node, title, told.groups.get(kind, ())) for kind, title in GROUPS.items()]
        parts.append(html.Div(groups, className="pair groups"))
    if told.classes:
        count = sum(times for _, times in told.classes)
        whose = f" of {alone}" if alone else ""
        named = ", ".join(f"{name} {times}" for name, times in told.classes[:_CLASSES])
        parts.append(html.P(f"Most activating classes{whose}, of {count} photos: {named}.", className="small muted"))
    if told.free is not None:
        scores = f"These scores ship with the network; the {told.photos:,} photos may not."
        words = f"{scores} For photos of your own, start with "
        parts.append(html.P([words, html.Code(COMMAND), "."], className="small"))
        title = f"Most activating of {told.free} photos in the public domain"
        parts.append(html.Div(_group(node, title, told.groups.get("most", ())), className="groups free"))
    if told.missing:
        gone: list[Component] = [f"{told.missing} of these photos can no longer be read"]
        if told.command:
            gone += ["; to leave them out, run ", html.Code(told.command), " again, with this network"]
        parts.append(html.P([*gone, "."], className="small muted"))
    return parts


def in_words(told: CollectionExemplars, reached: float | None, of: str = "") -> str:
    """Where this photo, or the mean over those of a class, and the unit's picture stand among those of the collection.

    Example:
        >>> in_words(CollectionExemplars({}, 4650, ((0.0, 0.0), (100.0, 8.0)), 6.0, 99.2, ()), 16.0)
        'Its activation here, 6.00, is higher than in 99 % of 4,650 photos. Its picture reaches 16.0, 2.0 times the
        highest of all.'
    """
    peak = f"Its mean peak in photos of {of}" if of else "Its activation here"
    share = "all" if told.above >= 100 else "none" if told.above <= 0 else f"{int(told.above)} %"
    share = "less than 1 %" if 0 < told.above < 1 else share
    words = f"{peak}, {number(told.here)}, is higher than in {share} of {many(told.photos, 'photo')}."
    highest = told.quantiles[-1][1]
    if reached is not None and highest > 0:
        words += f" Its picture reaches {number(reached)}, {reached / highest:.1f} times the highest of all."
    return words


def outdone_in_words(reached: float | None, found: Answers, here: float = 0.0) -> str:
    """That photos excite a unit more than its picture, as the end of a caption; "" if none is known to.

    Args:
        reached: what it reaches in its picture; `None` if there is none.
        found: what was found out, by query: the highest of a collection.
        here: its highest activation in this photo.
    """
    told = found.get("exemplars")
    highest = max(here, told.quantiles[-1][1] if isinstance(told, CollectionExemplars) else here)
    if reached is None or highest <= reached:
        return ""
    return f"; photos excite it more, up to {number(highest)}: look at those too"


def _strip(told: CollectionExemplars, reached: float | None, here: str) -> list[Component]:
    """The collection's activations as a strip, with this photo and the unit's picture on it."""
    levels = dict(told.quantiles)
    values = [*levels.values(), told.here, *([] if reached is None else [reached])]
    low, high = min(values), max(values)
    if high <= low:
        return []

    def place(value: float) -> float:
        return 100 * (value - low) / (high - low)

    def zone(rank: int, start: float, end: float) -> Component:
        left, width = place(levels[start]), place(levels[end]) - place(levels[start])
        words = f"{start} to {end} % of the photos: {number(levels[start])} to {number(levels[end])}"
        style = {"left": f"{left:.2f}%", "width": f"{width:.2f}%"}
        return html.I(className=f"zone zone-{rank}", title=words, style=style)

    zones = [zone(rank, *ends) for rank, ends in enumerate(_ZONES)]
    marks = [_mark("here", here, place(told.here))]
    if reached is not None:
        marks.append(_mark("picture", "its picture", place(reached)))
    spoken = f"Activations from {number(low)} to {number(high)}; half of the photos stay below {number(levels[50])}"
    bar = html.Div([*zones, *marks], className="strip", role="img", **attributes(aria_label=spoken))
    ends = html.Div([html.Span(number(low)), html.Span(number(high))], className="strip-ends numbers muted")
    return [bar, ends]


def _mark(kind: str, words: str, left: float) -> Component:
    side = "after" if left < 50 else "before"
    return html.B(html.Span(words), className=f"at at-{kind} {side}", style={"left": f"{left:.2f}%"})


def _group(node: Node, title: str, shown: Sequence[ShownExemplar]) -> Component:
    heading = html.H2(term("exemplars", title) if title == GROUPS["most"] else title)
    if not shown:
        return html.Div([heading, html.P("There are none.", className="small muted")])
    return html.Div([heading, html.Ul([_exemplar(node, each) for each in shown], className="exemplars")])


def _exemplar(node: Node, each: ShownExemplar) -> Component:
    of = f", {each.group}" if each.group else ""
    words = f"{number(each.value)}: {each.name}{of}"
    spoken = f"{node.label} in {each.name}{of}: {number(each.value)}"
    image = html.Img(src=each.webp.address, alt=spoken, className="large")
    return html.Li(
        html.Button(image, type="button", className="enlarge", title=words, **attributes(data_enlarge=spoken))
    )


def _skeleton(title: str) -> Component:
    tiles = [html.Li(html.Div(className="large placeholder waiting")) for _ in range(9)]
    return html.Div([html.H2(title), html.Ul(tiles, className="exemplars", **attributes(aria_hidden="true"))])
