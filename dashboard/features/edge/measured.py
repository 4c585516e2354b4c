"""What ablation says of edges, beside what attribution said: for one edge, and for all edges into a unit."""

from typing import Any

from dash import html

from circuits.report.edge_words import warning_label, warning_sentence
from circuits.report.text import number
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge
from dashboard.components import attributes, measure_button
from dashboard.glossary import with_term
from dashboard.session.state import Session

Component = Any
_BARS = {
    "attribution": "The attribution of this edge in this circuit",
    "set to zero": "How much the unit above drops when the lower unit is set to zero",
    "to its mean": "How much it drops when the lower unit is set to its mean over the collection",
    "integrated": "The attribution of this edge by integrated gradients",
}


def measured_edge(session: Session, circuit: Circuit, edge: Edge) -> Component:
    """An edge's attribution and its ablation with a verdict, or the button that has it measured.

    Args:
        session: whose edge.
        circuit: that it is in.
        edge: which.
    """
    title = html.H2(with_term("Measured by ablation", "ablation"), id="measured-title")
    if edge.ablation is None:
        words = (
            f"Attribution is an estimate. Ablation measures how much {circuit.nodes[edge.target].called} really drops."
        )
        if circuit.settings.mode == "ablate":
            words = "The attributions of this circuit are ablations already; measuring again gives the same numbers."
        parts = [
            html.P(words, className="small muted"),
            measure_button(session, circuit, edge.target, "Measure by ablation"),
        ]
    else:
        parts = [
            _bars(edge),
            html.P(with_term(verdict(circuit, edge), "agreement", "agrees"), className=_tone(edge)),
            *(_doubt(circuit, edge, name) for name in edge.warnings if name != "disagrees"),
        ]
    return html.Section([title, *parts], className="measured", **attributes(aria_labelledby="measured-title"))


def verdict(circuit: Circuit, edge: Edge) -> str:
    """Whether attribution and ablation agree on an edge, in a sentence; "" if it was not measured."""
    if edge.ablated is None:
        return ""
    lower, upper = circuit.nodes[edge.source].called, circuit.nodes[edge.target].called
    lost, ablated = edge.ablated, "ablated" if edge.baseline == "zero" else "set to its mean"
    effect = f"{upper} {'drops' if lost > 0 else 'rises'} by {number(abs(lost))} when {lower} is {ablated}"
    if lost == 0:
        effect = f"{upper} does not change when {lower} is {ablated}"
    if not edge.disagrees:
        return f"Agrees: {effect}."
    if edge.attribution * lost < 0:
        return f"Disagrees: by ablation, {lower} {'inhibits' if lost < 0 else 'excites'} it; {effect}."
    size = "less than half" if abs(lost) < abs(edge.attribution) else "more than twice"
    return f"Disagrees: ablation gives {size} the attribution; {effect}."


def _doubt(circuit: Circuit, edge: Edge, name: str) -> Component:
    """A warning in a sentence, after its sign and name."""
    said = warning_label(edge, name)
    return html.P(
        [html.B(f"{said[0].upper()}{said[1:]}. "), warning_sentence(circuit, edge, name)], className=f"verdict {name}"
    )


def _bars(edge: Edge) -> Component:
    """Attribution, ablations and the integral as bars from one zero."""
    known = [
        ("attribution", edge.attribution),
        ("set to zero", edge.ablation),
        ("to its mean", edge.ablation_mean),
        ("integrated", edge.integrated),
    ]
    shown = [(word, value) for word, value in known if value is not None]
    most = max(abs(value) for _, value in shown) or 1.0
    both_signs = len({value > 0 for _, value in shown if value}) > 1
    rows = []
    for word, value in shown:
        width = 100 * abs(value) / most / (2 if both_signs else 1)
        left = (50 - width if value < 0 else 50) if both_signs else 0
        kind = "inhibits" if value < 0 else "excites"
        bar = html.Span(
            html.I(style={"left": f"{left:.1f}%", "width": f"{width:.1f}%"}, className=kind), className="bar"
        )
        said = html.Dt(word, title=_BARS[word])
        rows.append(html.Div([said, html.Dd([bar, html.Span(number(value, sign=True), className="numbers")])]))
    return html.Dl(rows, className="two-bars")


def _tone(edge: Edge) -> str:
    return "verdict disagrees" if edge.disagrees else "verdict agrees"
