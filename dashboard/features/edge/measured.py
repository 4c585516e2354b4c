"""What ablation says of edges, beside what attribution said: for one edge, and for all edges into a unit."""

from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.report.text import MEANINGS, SIGNS, error_in_words, joint_in_words, label, number, ranks_in_words, warning
from circuits.tracing.circuit import Circuit
from circuits.tracing.node import Node
from circuits.units import Edge
from dashboard.features.graph.view import edge_in_words
from dashboard.features.target.view import attributes, button
from dashboard.session.state import Session

Component = Any
HINT = "Silence each unit below in turn, and all shown at once, and see what is really lost"
_BARS = {
    "attribution": "The edge's share of the unit above, as this circuit finds it",
    "set to zero": "What the unit above loses when the lower one is silenced",
    "to its mean": "What it loses when the lower one is as it is on average over the collection",
    "integrated": "The edge's share by gradients integrated from zero",
}


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
        if circuit.settings.mode == "ablate":
            words = "This circuit's attributions are ablations already; measured again, they must be the same."
        parts = [html.P(words, className="small muted"), _button(session, circuit, edge.target, "Measure by ablation")]
    else:
        parts = [
            _bars(edge),
            html.P(verdict(circuit, edge), className=_tone(edge)),
            *(_doubt(circuit, edge, name) for name in edge.warnings if name != "disagrees"),
        ]
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
    """For the pane of a unit: each edge's attribution beside what is really lost, and how well the two agree.

    The button that has them measured is there while something about them is not known.
    """
    edges = [edge for edge in circuit.edges_into(node.id) if edge.source in circuit.visible]
    if not node.expanded or not edges:
        return []
    known = [edge for edge in edges if edge.ablation is not None]
    if not known:
        return [html.Div(_button(session, circuit, node.id, "Measure its edges"), className="measure-line small")]
    against = sum(edge.disagrees for edge in known)
    words = f"{against} of {len(known)} edges disagree" if against else _all(len(known))
    parts: list[Component] = [
        html.H2("Measured by ablation", id="ablated-title"),
        html.P(f"{words[0].upper()}{words[1:]}.", className=f"measure-line small {'against' if against else 'agreed'}"),
        _table(circuit, node, edges),
        *_agreements(circuit, node),
    ]
    if len(known) < len(edges) or not any(found.joint is not None for found in node.measured):
        stale = "Other units are shown now than when it was measured." if len(known) == len(edges) else ""
        parts += [html.P(stale, className="small muted")] if stale and node.measured else []
        parts.append(_button(session, circuit, node.id, "Measure its edges"))
    return [html.Section(parts, className="ablated", **attributes(aria_labelledby="ablated-title"))]


def _all(count: int) -> str:
    return "its edge agrees" if count == 1 else f"all {count} edges agree"


def _table(circuit: Circuit, node: Node, edges: Sequence[Edge]) -> Component:
    """Every edge's attribution and its ablations, and in the last row what all of them come to."""
    has_mean = any(edge.ablation_mean is not None for edge in edges)
    heads = ["attribution", "set to zero", *(["to its mean"] if has_mean else [])]
    rows = [
        _row(
            [_lower(circuit, edge), *([html.Span(marks(edge), className="doubts")] if edge.warnings else [])],
            [edge.attribution, edge.ablation, *([edge.ablation_mean] if has_mean else [])],
        )
        for edge in edges
    ]
    if len(edges) > 1 and node.books is not None:
        joint = {found.baseline: found.joint for found in node.measured}
        together = [joint.get(name) for name in ("zero", *(["mean"] if has_mean else []))]
        all_of_them = html.Span(
            "shown together", title="The sum of the attributions; and what is lost without all at once"
        )
        rows.append(_row([all_of_them], [node.books.shown, *together], kind="together"))
    return html.Table(
        [
            html.Thead(html.Tr([html.Th("unit below"), *(html.Th(head, scope="col") for head in heads)])),
            html.Tbody(rows),
        ],
        className="ablations small",
    )


def _row(head: list[Component], values: Sequence[float | None], *, kind: str = "") -> Component:
    cells = [html.Td("" if value is None else number(value, sign=True), className="numbers") for value in values]
    return html.Tr([html.Th(html.Div(head), scope="row"), *cells], className=kind)


def _lower(circuit: Circuit, edge: Edge) -> Component:
    called = circuit.nodes[edge.source].called
    return html.Button(
        called, type="button", className="link",
        **attributes(
            data_action="edge", data_arg=f"{edge.source} {edge.target}",
            aria_label=f"{called}: edge {edge_in_words(circuit, edge)}",
        ),
    )  # fmt: skip


def marks(edge: Edge) -> list[Component]:
    """A labelled mark for each warning about an edge."""
    return [
        html.Span(
            [html.B(SIGNS[name], **attributes(aria_hidden="true")), label(edge, name)],
            className=f"doubt {name}",
            title=f"{MEANINGS[name][0].upper()}{MEANINGS[name][1:]}.",
        )
        for name in edge.warnings
    ]


def _agreements(circuit: Circuit, node: Node) -> list[Component]:
    """How well attribution and ablation agree, for each baseline that was used."""
    found = []
    for agreement in node.measured:
        sentences = [
            ranks_in_words(agreement),
            error_in_words(agreement),
            joint_in_words(circuit, agreement, node.id),
        ]
        said = " ".join(sentence for sentence in sentences if sentence)
        if said:
            mean = f"Set to their mean over {agreement.source}:" if agreement.source else "Set to zero:"
            found.append(html.P([html.B(f"{mean} "), said], className="agreement small"))
    return found


def _button(session: Session, circuit: Circuit, name: str, words: str) -> Component:
    busy = any(ask.kind == "measure" and ask.subject == name for ask in session.asks)
    refused = session.work.locked
    press = button(
        "Measuring …" if busy else words, "measure", name, disabled=busy or bool(refused), title=refused or HINT,
        **attributes(aria_label=f"{words}: {circuit.nodes[name].called}"),
    )  # fmt: skip
    return html.Div([press, *([html.P(refused, className="reason")] if refused else [])])


def _doubt(circuit: Circuit, edge: Edge, name: str) -> Component:
    """A warning in a sentence, after its sign and name."""
    said = label(edge, name)
    return html.P([html.B(f"{said[0].upper()}{said[1:]}. "), warning(circuit, edge, name)], className=f"verdict {name}")


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
