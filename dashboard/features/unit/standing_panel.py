"""Where a unit stands in its layer in this photo, in a sentence and as a histogram of all the layer's units."""

from typing import Any

from dash import html

from circuits.evidence.layer_statistics import Standing
from circuits.report.sentences import alone_in_words
from circuits.report.text import number
from circuits.tracing.node import Node
from dashboard.answers import Failure
from dashboard.components import attributes, failed
from dashboard.glossary import with_term

Component = Any


def in_its_layer(node: Node, found: Standing | Failure | None) -> list[Component]:
    """A unit among those of its layer.

    Args:
        node: the unit.
        found: where it stands; `None` while it is being worked out.
    """
    alone, is_class = alone_in_words(node), node.label != str(node.unit)
    title = html.H2(f"In layer {node.unit.layer}{f': {alone}' if alone else ''}")
    if isinstance(found, Failure):
        return [title, *failed(found)]
    if found is None:
        return [title, html.Div(className="placeholder waiting histogram-room")]
    return [
        title,
        html.P(
            with_term(rank_in_words(found, "classes" if is_class else "channels"), "silent unit", "silent"),
            className="small",
        ),
        _histogram(node, found),
    ]


def rank_in_words(found: Standing, kind: str = "channels") -> str:
    """A unit's place in its layer, which is of channels or of classes.

    Example:
        >>> from circuits.units import Unit
        >>> rank_in_words(Standing(Unit("a", 3), 2.5, 2, 192, 57, (1,), (0.0, 1.0)))
        'The 2nd most active of the 192 channels; 57 are silent in this photo.'
        >>> rank_in_words(Standing(Unit("a", 3), 0.0, 6, 8, 3, (1,), (0.0, 1.0)))
        'Silent in this photo, like 2 of the other 7 channels.'
        >>> rank_in_words(Standing(Unit("a", 3), 1.0, 1, 8, 0, (1,), (0.0, 1.0)))
        'The most active of the 8 channels; none is silent in this photo.'
        >>> rank_in_words(Standing(Unit("fc", 3), 1.0, 2, 8, 3, (1,), (-1.0, 1.0)))
        'The 2nd highest of the 8 channels.'
        >>> rank_in_words(Standing(Unit("fc", 3), 1.0, 2, 8, 3, (1,), (-1.0, 1.0)), "classes")
        'The 2nd highest of the 8 classes.'
    """
    place = "" if found.rank == 1 else f"{ordinal(found.rank)} "
    if found.edges[0] < 0:  # logits: below zero is not silent
        return f"The {place}highest of the {found.channels} {kind}."
    if found.peak <= 0:
        others = f"like {found.silent - 1} of the other" if found.silent > 1 else "unlike the other"
        return f"Silent in this photo, {others} {found.channels - 1} channels."
    quiet = {0: "none is silent", 1: "1 is silent"}.get(found.silent, f"{found.silent} are silent")
    return f"The {place}most active of the {found.channels} channels; {quiet} in this photo."


def ordinal(count: int) -> str:
    """A place in a row.

    Example:
        >>> [ordinal(count) for count in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)]
        ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '102nd', '111th']
    """
    ending = "th" if 10 <= count % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"


def bin_of(found: Standing) -> int:
    """Which bin of the histogram a unit's peak lies in.

    Example:
        >>> from circuits.units import Unit
        >>> [bin_of(Standing(Unit("a", 0), peak, 1, 4, 0, (1, 2, 1), (0.0, 1.0, 2.0, 3.0))) for peak in (0.0, 1.0, 3.0)]
        [0, 1, 2]
    """
    inner = found.edges[1:-1]
    return sum(found.peak >= edge for edge in inner)


def _histogram(node: Node, found: Standing) -> Component:
    alone = alone_in_words(node)
    tallest, own = max(found.counts), bin_of(found)
    bars = []
    for place, count in enumerate(found.counts):
        words = (
            f"{number(found.edges[place])} to {number(found.edges[place + 1])}: {count} unit{'' if count == 1 else 's'}"
        )
        # By the root of the count, or the few that fire would be lost beside the many that do not.
        height = 100 * (count / tallest) ** 0.5
        bars.append(html.I(title=words, style={"--high": f"{height:.1f}%"}, className="own" if place == own else ""))
    spoken = (
        f"Highest activations of the {found.channels} units of {node.unit.layer} in this photo, from "
        f"{number(found.edges[0])} to {number(found.edges[-1])}; {alone or node.called} is at {number(found.peak)}"
    )
    return html.Div(
        [
            html.Div(bars, className="bars", role="img", **attributes(aria_label=spoken)),
            html.Div(
                [html.Span(number(found.edges[0])), html.Span(number(found.edges[-1]))], className="strip-ends muted"
            ),
        ],
        className="histogram",
    )
