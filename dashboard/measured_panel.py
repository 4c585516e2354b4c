"""What ablation says of edges, beside what attribution said: for one edge, and for all edges into a unit."""

from typing import Any

from dash import html

from circuits.circuit import Circuit, Node
from circuits.units import Edge
from circuits.wording import number
from dashboard.panels import attributes, button
from dashboard.sessions import Session

Component = Any
HINT = "Silence each unit below in turn, and see what is really lost"


def measured_edge(session: Session, circuit: Circuit, edge: Edge) -> Component:
    """An edge's attribution and its ablation with a verdict, or the button that has it measured.

    Args:
        session: whose edge.
        circuit: that it is in.
        edge: which.
    """
    title = html.H2("Measured by ablation", id="measured-title")
    if edge.ablation is None:
        words = f"Attribution is an estimate: measure what {circuit.nodes[edge.target].called} really loses without it."
        if circuit.settings["mode"] == "ablate":
            words = "This circuit's attributions are ablations already; measured again, they must be the same."
        parts = [html.P(words, className="small muted"), _button(session, circuit, edge.target, "Measure by ablation")]
    else:
        parts = [_bars(edge, edge.ablation), html.P(verdict(circuit, edge), className=_tone(edge))]
    return html.Section([title, *parts], className="measured", **attributes(aria_labelledby="measured-title"))


def verdict(circuit: Circuit, edge: Edge) -> str:
    """Whether attribution and ablation agree on an edge, in a sentence; "" if it was not measured."""
    if edge.ablation is None:
        return ""
    lower, upper = circuit.nodes[edge.source].called, circuit.nodes[edge.target].called
    lost = edge.ablation
    effect = f"{upper} {'loses' if lost >= 0 else 'gains'} {number(abs(lost))} without {lower}"
    if lost == 0:
        effect = f"{upper} does not change without {lower}"
    if not edge.disagrees:
        return f"Agrees: {effect}."
    if edge.attribution * lost < 0:
        return f"Disagrees: ablation says that {lower} {'inhibits' if lost < 0 else 'excites'}; {effect}."
    size = "less than half" if abs(lost) < abs(edge.attribution) else "more than twice"
    return f"Disagrees: ablation says {size} of it; {effect}."


def measured_edges(session: Session, circuit: Circuit, node: Node) -> list[Component]:
    """For the pane of a unit: the button that has its edges measured, and what came of it."""
    edges = [edge for edge in circuit.edges_into(node.id) if edge.source in circuit.visible]
    if not node.expanded or not edges:
        return []
    known = [edge for edge in edges if edge.ablation is not None]
    parts: list[Component] = []
    if known:
        against = sum(edge.disagrees for edge in known)
        words = f"Measured by ablation: {against} of {len(known)} edges disagree." if against else ""
        parts.append(html.Span(words or f"Measured by ablation: {_all(len(known))}."))
    if len(known) < len(edges):
        parts.append(_button(session, circuit, node.id, "Measure its edges"))
    return [html.Div(parts, className="measure-line small")]


def _all(count: int) -> str:
    return "its edge agrees" if count == 1 else f"all {count} edges agree"


def _button(session: Session, circuit: Circuit, name: str, words: str) -> Component:
    busy = any(ask.kind == "measure" and ask.subject == name for ask in session.asks)
    refused = session.work.locked
    press = button(
        "Measuring …" if busy else words, "measure", name, disabled=busy or bool(refused), title=refused or HINT,
        **attributes(aria_label=f"{words}: {circuit.nodes[name].called}"),
    )  # fmt: skip
    return html.Div([press, *([html.P(refused, className="reason")] if refused else [])])


def _bars(edge: Edge, ablation: float) -> Component:
    """Attribution and ablation as two bars from one zero."""
    most = max(abs(edge.attribution), abs(ablation)) or 1.0
    both_signs = edge.attribution * ablation < 0
    rows = []
    for word, value in (("attribution", edge.attribution), ("ablation", ablation)):
        width = 100 * abs(value) / most / (2 if both_signs else 1)
        left = (50 - width if value < 0 else 50) if both_signs else 0
        kind = "inhibits" if value < 0 else "excites"
        bar = html.Span(
            html.I(style={"left": f"{left:.1f}%", "width": f"{width:.1f}%"}, className=kind), className="bar"
        )
        rows.append(html.Div([html.Dt(word), html.Dd([bar, html.Span(number(value, sign=True), className="numbers")])]))
    return html.Dl(rows, className="two-bars")


def _tone(edge: Edge) -> str:
    return "verdict disagrees" if edge.disagrees else "verdict agrees"
