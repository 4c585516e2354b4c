"""What ablation says of edges, beside what attribution said: for one edge, and for all edges into a unit."""

from collections.abc import Sequence

from dash import html

from circuits.report.edge_words import (
    WARNING_MEANINGS,
    WARNING_SIGNS,
    error_in_words,
    joint_in_words,
    ranks_in_words,
    warning_label,
)
from circuits.report.text import number
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge
from circuits.tracing.node import Node
from dashboard.components import Component, attributes, edge_in_words, measure_button, sends
from dashboard.glossary import with_term
from dashboard.session.state import Session


def measured_edges(session: Session, circuit: Circuit, node: Node) -> list[Component]:
    """For the pane of a unit: each edge's attribution beside what is really lost, and how well the two agree.

    The button that has them measured is there while something about them is not known.
    """
    edges = [edge for edge in circuit.edges_into(node.id) if edge.source in circuit.visible]
    if not node.expanded or not edges:
        return []
    known = [edge for edge in edges if edge.ablation is not None]
    if not known:
        return [
            html.Div(measure_button(session, circuit, node.id, "Measure its edges"), className="measure-line small")
        ]
    against = sum(edge.disagrees for edge in known)
    words = f"{against} of {len(known)} edges disagree" if against else _all(len(known))
    parts: list[Component] = [
        html.H2(with_term("Measured by ablation", "ablation"), id="ablated-title"),
        html.P(
            with_term(f"{words[0].upper()}{words[1:]}.", "agreement", "agree"),
            className=f"measure-line small {'against' if against else 'agreed'}",
        ),
        _table(circuit, node, edges),
        *_agreements(circuit, node),
    ]
    if len(known) < len(edges) or not any(found.joint is not None for found in node.measured):
        stale = "The units shown have changed since the measurement." if len(known) == len(edges) else ""
        parts += [html.P(stale, className="small muted")] if stale and node.measured else []
        parts.append(measure_button(session, circuit, node.id, "Measure its edges"))
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
            "shown together", title="The sum of the attributions, and the drop when all are ablated together"
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
        **sends("edge", lower=edge.source, upper=edge.target),
        **attributes(aria_label=f"{called}: edge {edge_in_words(circuit, edge)}"),
    )  # fmt: skip


def marks(edge: Edge) -> list[Component]:
    """A labelled mark for each warning about an edge."""
    return [
        html.Span(
            [html.B(WARNING_SIGNS[name], **attributes(aria_hidden="true")), warning_label(edge, name)],
            className=f"doubt {name}",
            title=f"{WARNING_MEANINGS[name][0].upper()}{WARNING_MEANINGS[name][1:]}.",
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
            found.append(
                html.P(
                    [html.B(f"{mean} "), *with_term(said, "rank correlation", "Rank correlation")],
                    className="agreement small",
                )
            )
    return found
