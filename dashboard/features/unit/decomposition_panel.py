"""The decomposition of a unit's value: shown, rest and bias as a chart, as shares of the value, and in words."""

from typing import Any

from dash import html

from circuits.report.sentences import ALL, below_in_words
from circuits.report.text import number, percent
from circuits.tracing.circuit import Circuit
from circuits.tracing.node import Node
from circuits.units import IN_NO_GROUP, as_address
from dashboard.answers import Breakdown, Failure, Inspection
from dashboard.components import WAITING, edge_link, failed, unbroken
from dashboard.features.unit import charts
from dashboard.features.unit.measured import measured_edges
from dashboard.glossary import term, with_term
from dashboard.session.state import Session
from dashboard.work.results import Answers

Component = Any
# Below this share of all that adds up to it, a value is what is left of a draw, and shares of it say nothing.
_NEXT_TO_NOTHING = 0.02


def contributions(
    node: Node, session: Session, circuit: Circuit, inspection: Inspection, found: Answers
) -> list[Component]:
    """What a unit is made of.

    Args:
        node: the unit.
        session: whose.
        circuit: that it is in.
        inspection: what is known of it without the network.
        found: what was found out, by query.
    """
    broken = inspection.breakdown or found.get("books")
    below = {as_address(part.name).layer for part in broken.parts} if isinstance(broken, Breakdown) else ()
    title = f"Contributions from the layer{'s' if len(below) > 1 else ''} below"
    title += "" if node.expanded else ", not yet in the graph"
    if isinstance(broken, Failure):
        return [html.H2(title), *failed(broken)]
    if broken is None:
        room = html.Div(html.Span(WAITING, className="spoken"), className="placeholder waiting chart-room")
        return [html.H2(title), room] if "books" in found else []
    return [
        html.H2(title, title=f"Attributions of {node.called}"),
        charts.contributions(broken),
        html.P(
            [term("decomposition", "Decomposition"), unbroken(f": {sum_in_words(broken)}")], className="sum numbers"
        ),
        html.P(
            with_term(books_in_words(broken, in_target_units=inspection.in_target_units), "gross attribution", ALL),
            className="books muted",
        ),
        *([] if circuit.collection is not None else _edges_below(node, circuit)),
        *([] if circuit.collection is not None else measured_edges(session, circuit, node)),
    ]


def shares(broken: Breakdown) -> tuple[int, ...] | None:
    """Shown, rest and bias in percent of the value, rounded so that they add up to 100; the residual before the bias.

    Each is the signed part over the value; where parts of both signs nearly cancel they are large, and where the value
    is less than 2 % of all that adds up to it there are none.

    Example:
        >>> shares(Breakdown((), 6.0, 7, 0.2, "bias", 10.0, 0.4, 12.0, True, True))
        (38, 60, 2)
        >>> shares(Breakdown((), 6.0, 7, 0.2, "bias", 0.001, 0.4, 12.0, True, True)) is None
        True
    """
    residual = () if broken.residual is None else (broken.residual,)
    shown = broken.value - broken.rest - broken.bias - sum(residual)
    whole = broken.gross + abs(broken.bias)
    if abs(broken.value) <= _NEXT_TO_NOTHING * whole:
        return None
    exact = [100 * part / broken.value for part in (shown, broken.rest, *residual, broken.bias)]
    rounded = [int(part // 1) for part in exact]
    # What is lost in rounding down goes to those that lost most.
    order = sorted(range(len(exact)), key=lambda place: rounded[place] - exact[place])
    for place in order[: 100 - sum(rounded)]:
        rounded[place] += 1
    return tuple(rounded)


def sum_in_words(broken: Breakdown) -> str:
    """The books in one line.

    Example:
        >>> sum_in_words(Breakdown((), 6.0, 7, -0.8, "bias", 10.0, 0.4, 12.0, True, True))
        'of the value, shown 48 % + rest 60 % − bias 8 % = 100 %'
    """
    parts = shares(broken)
    if parts is None:
        what = "zero" if broken.value == 0 else f"{number(broken.value)}, small compared with its parts"
        return f"The value is {what}: the parts cancel, so percentages would be meaningless."
    in_none = () if broken.residual is None else (IN_NO_GROUP,)
    names = ("shown" if broken.expanded else "listed", "rest", *in_none, broken.bias_name)
    words = ""
    for name, part in zip(names, parts, strict=True):
        sign = ("−" if part < 0 else "") if not words else " − " if part < 0 else " + "
        words += f"{sign}{name} {abs(part)} %"
    return f"of the value, {words} = 100 %"


def books_in_words(broken: Breakdown, *, in_target_units: bool) -> str:
    """How much of the answer the named units hold, and what the last bars mean."""
    kind = "channel" if broken.residual is None else "group"
    words = below_in_words(broken.named, broken.rest_count, broken.coverage, named=not broken.expanded, kind=kind)
    if not broken.exact:
        words += (
            " The remainder is not attributed to any unit: this method, or a nonlinear step such as GELU or softmax, "
            "does not decompose the value exactly."
        )
    if broken.bias_name == "base":
        words += " Base is what the means of the layer below alone give; shares say how this photo differs from them."
    if in_target_units:
        words += " Attributions are in units of the target."
    return words


def _edges_below(node: Node, circuit: Circuit) -> list[Component]:
    """The edges into a unit, each of which can be chosen."""
    edges = [edge for edge in circuit.edges_into(node.id) if edge.source in circuit.visible]
    if not edges or any(edge.ablation is not None for edge in edges):  # what was measured lists them too
        return []
    rows = [
        html.Li(edge_link(circuit, edge, f"{circuit.nodes[edge.source].called} {percent(circuit.share(edge))}"))
        for edge in edges
    ]
    return [html.Div([html.Span("Its edges:", className="muted"), html.Ul(rows)], className="edges-below small")]
