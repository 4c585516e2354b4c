"""The right pane for an edge: what a lower unit does to an upper one, where it comes from and where it arrives."""

from collections.abc import Mapping
from typing import Any

from dash import html

from circuits.evaluation.card import Card
from circuits.report.atlas_sentences import estimate, inside
from circuits.report.sentences import has_places
from circuits.report.text import is_of_tokens, method_in_words, number, percent, place_in_words
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge
from circuits.tracing.node import Node
from dashboard.answers import EdgeShown, Failure, Signed
from dashboard.components import Pane, breakable, button, figure, notice, section, sends, waiting
from dashboard.features.edge.measured import measured_edge
from dashboard.glossary import term, with_term
from dashboard.gradient_pictures import controls, relative
from dashboard.session.state import Session
from dashboard.work.results import Answers
from dashboard.work.tiles import Tile

Component = Any


def chosen_edge(session: Session) -> Edge | None:
    """The edge that is chosen, if it is one of the circuit's."""
    circuit, chosen = session.work.circuit, session.work.edge
    if circuit is None or chosen is None or chosen[1] not in circuit.nodes:
        return None
    return next((edge for edge in circuit.edges_into(chosen[1]) if edge.source == chosen[0]), None)


def edge_panel(
    session: Session, circuit: Circuit, edge: Edge, found: Answers, tiles: Mapping[str, Tile], methods: tuple[str, ...]
) -> Pane:
    """The chosen edge.

    Args:
        session: whose edge.
        circuit: that it is in.
        edge: which.
        found: what was found out, by query.
        tiles: what the units show.
        methods: how gradient pictures can be made.
    """
    lower, upper = circuit.nodes[edge.source], circuit.nodes[edge.target]
    verb = "inhibits" if edge.attribution < 0 else "excites"
    parts = [
        html.H2(
            [*breakable(lower.called), html.Span(f" {verb} ", className=verb), *breakable(upper.called)],
            className="unit-title",
        ),
        html.P(["An edge of the ", term("circuit"), ". ", _back(session)], className="muted small"),
        _facts(circuit, edge),
        html.Div(
            [_end(lower, "lower", tiles), html.Span("→", className=f"arrow {verb}"), _end(upper, "upper", tiles)],
            className="ends",
        ),
        *([measured_edge(session, circuit, edge)] if circuit.collection is None else notice(session)),
        *_found_again(edge, found.get("card")),
    ]
    if not found:
        return Pane(parts)
    evidence = [html.Div(_maps(lower, upper, found.get("edge")), className="pair")]
    evidence += _difference(circuit, edge, found.get("edge"))
    if "relative" in found:  # which edges of groups have not
        evidence += relative(lower.called, circuit, found["relative"])
        evidence.append(controls(session.looking, methods, placed=has_places(upper)))
    return Pane(parts, evidence=[section("In this photo", "in-photo", evidence)])


def _back(session: Session) -> Component:
    circuit, selected = session.work.circuit, session.work.selected
    label = circuit.nodes[selected].called if circuit is not None and selected in circuit.nodes else "the circuit"
    return html.Button(
        f"Back to {label}",
        type="button",
        className="link",
        title="Esc",
        **sends("select"),
    )


def _facts(circuit: Circuit, edge: Edge) -> Component:
    share = term("gross attribution", f"share of {circuit.nodes[edge.target].called}")
    facts = [
        (term("attribution"), estimate(edge.attribution, edge.error)),
        (share, percent(circuit.share(edge))),
        ("rank", str(edge.rank)),
    ]
    if edge.consistency is not None:
        facts += [(term("consistency"), inside(edge.consistency, edge.photos or 0)), ("photos", str(edge.photos))]
    return html.Dl([html.Div([html.Dt(word), html.Dd(value)]) for word, value in facts], className="facts")


def _found_again(edge: Edge, card: Card | Failure | None) -> list[Component]:
    """In how many slightly changed photos the edge is found too, if the circuit was scored."""
    if not isinstance(card, Card) or card.stability is None:
        return []
    often, count = card.stability.edges.get((edge.source, edge.target)), len(card.changes)
    if often is None:
        return []
    words = f"Found again in {round(often * count)} of {count} slightly changed photos."
    title = "; ".join(str(change) for change in card.changes)
    return [html.P(words, className="small muted found-again", title=title)]


def _end(node: Node, which: str, tiles: Mapping[str, Tile]) -> Component:
    tile = tiles.get(node.id, Tile("none"))
    picture = tile.picture or tile.patch
    image = (
        html.Img(src=picture, alt="", className="large")
        if picture
        else html.Div("no picture", className="large placeholder")
    )
    choose = button(breakable(node.called), "select", {"unit": node.id}, title=f"Show the {which} unit")
    return html.Div([image, choose])


def _maps(lower: Node, upper: Node, found: EdgeShown | Failure | None) -> list[Component]:
    titles = f"Contributing positions of {lower.called}", f"Affected positions of {upper.called}"
    if isinstance(found, Failure):
        return [waiting(titles[0], found)]
    if found is None:
        return [waiting(title, None, "teal excites, orange inhibits") for title in titles]
    spoken = f"Positions of {lower.called} that contribute to {upper.called}, over the photo"
    maps = [_no_places(titles[0], lower) if found.from_scalar else _map(titles[0], spoken, found.lower)]
    if found.scalar:
        return [*maps, _no_places(titles[1], upper)]
    spoken = f"Positions of {upper.called} that {lower.called} contributes to, over the photo"
    return [*maps, _map(titles[1], spoken, found.upper)]


def _no_places(title: str, node: Node) -> Component:
    if is_of_tokens(node.unit.layer):
        return figure(title, "", "", "", f"{place_in_words(node.unit.layer, node.peak)}, at no place in the photo")
    return figure(title, "", "", "", f"{node.called} is a single value for the whole image")


def _map(title: str, spoken: str, shown: Signed) -> Component:
    words = [
        html.Span("teal", className="excites"), " excites, ", html.Span("orange", className="inhibits"),
        f" inhibits; strongest {number(shown.strongest)}",
    ]  # fmt: skip
    return figure(title, shown.webp.address, spoken, words, "")


def _difference(circuit: Circuit, edge: Edge, found: EdgeShown | Failure | None) -> list[Component]:
    """What the maps add up to, where that is not the edge's attribution."""
    if circuit.settings.mode == "sum" or not isinstance(found, EdgeShown):
        return []
    words = (
        f"The maps show gradient × activation, in total {number(found.lower.total, sign=True)}. The attribution, "
        f"{number(edge.attribution, sign=True)}, is computed by another method: {method_in_words(circuit)}."
    )
    return [html.P(with_term(words, "method"), className="small muted")]
