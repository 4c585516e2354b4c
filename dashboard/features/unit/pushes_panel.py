"""The classes whose logits a unit pushes up and down most."""

from typing import Any

from dash import html

from circuits.report.text import number
from dashboard.answers import ClassPushes, Failure
from dashboard.components import failed
from dashboard.glossary import with_term
from dashboard.work.results import Answers

Component = Any


def pushes(label: str, found: Answers, *, from_mean: bool = False) -> list[Component]:
    """The classes that a unit pushes, with by how much; nothing where that was not asked.

    Args:
        label: what the unit is called.
        found: what was found out, by query.
        from_mean: whether shares are measured from means.
    """
    if "pushes" not in found:
        return []
    title = html.H2("Classes it pushes up and down", title="It is ablated, and all above it computed anew")
    answer = found["pushes"]
    if isinstance(answer, Failure):
        return [title, *failed(answer)]
    if not isinstance(answer, ClassPushes):
        return [title, html.Div(className="placeholder waiting pushes-room")]
    if not answer.up and not answer.down:
        return [title, html.P(f"{label} does not affect any logit in this photo.", className="small muted")]
    sides = [_side("up", "Pushes up", answer.up), _side("down", "Pushes down", answer.down)]
    gone = "with its mean in its place" if from_mean else "without it"
    measured = "Measured by ablation: contributions, which are by the gradient, differ where the layers above bend."
    words = with_term(f"How much each logit would drop (+) or rise (−) {gone}. {measured}", "logit")
    return [title, html.Div(sides, className="pushes"), html.P(words, className="small muted")]


def _side(kind: str, words: str, classes: tuple[tuple[str, float], ...]) -> Component:
    rows = [
        html.Li(
            [html.Span(label, title=label, className="label"), html.Span(number(by, sign=True), className="numbers")]
        )
        for label, by in classes
    ]
    none = html.Li(html.Span("none", className="muted"))
    return html.Div([html.H3(words), html.Ul(rows or [none])], className=f"push {kind}")
