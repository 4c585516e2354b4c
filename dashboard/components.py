"""Framed pictures for the right pane: with a title, a caption, and room that is kept while they are on their way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dash import html

from dashboard.features.target.view import attributes, button
from dashboard.library import PICTURE
from dashboard.work.findings import Failure, Spot

Component = Any


@dataclass(frozen=True)
class Pane:
    """The right pane in parts; `fired` and `evidence` are made anew when evidence has come.

    Args:
        head: what was chosen, its numbers, and what can be done.
        looks: what it looks for.
        fired: where it fired.
        books: what its value is made of.
        evidence: from the photo and from elsewhere.
        foot: what stands under all of it.
    """

    head: list[Component]
    looks: list[Component] = field(default_factory=list)
    fired: list[Component] = field(default_factory=list)
    books: list[Component] = field(default_factory=list)
    evidence: list[Component] = field(default_factory=list)
    foot: list[Component] = field(default_factory=list)

    @property
    def parts(self) -> list[Component]:
        """All of it, from the top."""
        return [*self.head, *self.looks, *self.fired, *self.books, *self.evidence, *self.foot]


WAITING = "being worked out …"


def figure(
    title: str,
    source: str,
    spoken: str,
    caption: Any,
    missing: str,
    *,
    unfinished: float | None = None,
    marks: Sequence[Spot] = (),
) -> Component:
    """A picture that can be enlarged, or a plain tile that says why there is none.

    Args:
        title: over it.
        source: address of the picture; "" if there is none.
        spoken: the picture in words.
        caption: under it.
        missing: what the plain tile says.
        unfinished: how far the picture is drawn, 0 to 1, if it is not finished.
        marks: places to mark with their numbers.
    """
    said = [html.Figcaption(caption)] if caption else []
    if not source:
        return html.Figure([html.H2(title), html.Div(missing, className="large placeholder"), *said])
    image = html.Img(src=source, alt=spoken, width=PICTURE, height=PICTURE, className="large")
    dots = [
        html.I(
            str(number),
            className="mark",
            style={"left": _inside(spot.left), "top": _inside(spot.top)},
            **attributes(aria_hidden="true"),
        )
        for number, spot in enumerate(marks, start=1)
    ]
    enlarge = html.Button(
        [image, *dots], type="button", className="enlarge", title="Enlarge", **attributes(data_enlarge=spoken)
    )
    if unfinished is None:
        return html.Figure([html.H2(title), enlarge, *said])
    return html.Figure([html.H2(title), enlarge, *said], className="unfinished", style={"--drawn": unfinished})


def _inside(share: float) -> str:
    """A place on the picture for the middle of a mark, so that all of the mark is seen."""
    return f"{min(94.0, max(6.0, 100 * share)):.1f}%"


def waiting(title: str, finding: object, caption: str = "") -> Component:
    """The room of a picture that is on its way, or the sentence that says why it will not come."""
    if isinstance(finding, Failure):
        said = html.Div(failed(finding), className="large placeholder failed")
        return html.Figure([html.H2(title), said])
    room = html.Div(html.Span(WAITING, className="spoken"), className="large placeholder waiting")
    return html.Figure([html.H2(title), room, html.Figcaption(caption)])


def failed(failure: Failure) -> list[Component]:
    """Why something could not be found out, and the button that has it tried again."""
    sentence = html.P(failure.sentence, className="failed small")
    if not failure.topic:
        return [sentence]
    return [sentence, button("Try again", "again", failure.topic, className="small")]


def section(title: str, name: str, parts: Sequence[Component]) -> Component:
    """A titled part of the right pane, which can be folded away."""
    heading = html.Summary(html.H2(title, id=f"{name}-title", className="section-title"))
    return html.Details(
        [heading, *parts], id=f"{name}-section", className="evidence", open=True,
        role="group", **attributes(aria_labelledby=f"{name}-title"),
    )  # fmt: skip
