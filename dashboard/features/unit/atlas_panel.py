"""The right pane's part from the atlas: which classes a unit serves, what it is made of, and how sure that is."""

from typing import Any

from dash import html

from circuits.atlas.facts import ServedClass
from circuits.report.atlas_sentences import estimate, inside, served_in_words
from circuits.report.text import many, number, percent
from circuits.tracing.circuit import Circuit
from circuits.tracing.node import Node
from dashboard.answers import CollectionExemplars, Failure
from dashboard.atlas_answers import UnitInAtlas
from dashboard.components import WAITING, attributes, edge_link, failed, figure, section, sends
from dashboard.glossary import term, with_term
from dashboard.work.results import Answers

Component = Any
SHOWN = 6
"""Classes that are listed."""


def in_atlas(called: str, found: Answers, *, of: str = "") -> list[Component]:
    """Which classes of the atlas a unit serves, how strongly, and how sure that is; nothing without an atlas.

    Args:
        called: the unit.
        found: what was found out, by query.
        of: the class on the page, which is among those that are listed.
    """
    if "atlas" not in found:
        return []
    told = found["atlas"]
    if isinstance(told, Failure):
        parts = failed(told)
    elif not isinstance(told, UnitInAtlas):
        parts = [html.Div(html.Span(WAITING, className="spoken"), className="placeholder waiting chart-room")]
    elif told.overall is None:
        parts = [html.P(told.missing, className="small muted")]
    elif told.is_class:
        parts = _its_class(called, told)
    else:
        parts = _told(called, told, of)
    return [section("In the atlas", "in-atlas", parts)]


def _told(called: str, told: UnitInAtlas, of: str) -> list[Component]:
    assert told.overall is not None
    first = served_in_words(called, told.classes[0], len(told.classes))
    fires = f"It fires in {percent(told.overall.fires)} of all {many(told.overall.photos, 'photo')}."
    shown = [each for each in told.classes if each.rank <= SHOWN or each.label == of]
    return [
        html.P(f"{first} {fires}", className="small"),
        *_suggested(told),
        served_table(shown, of),
        *_made_of(told),
    ]


def _made_of(told: UnitInAtlas) -> list[Component]:
    """The units below that make up its activation whatever the class, each with how sure that is."""
    if not told.made_of:
        return []
    rows = []
    for link in told.made_of:
        name = html.Button(
            str(link.source), type="button", className="link", title=f"Show {link.source}",
            **sends("channel", unit=str(link.source)),
        )  # fmt: skip
        cells = (estimate(link.share, link.error), percent(link.share / told.gross if told.gross else 0.0))
        numbers = (*cells, inside(link.consistency, link.photos))
        rows.append(html.Tr([html.Th(name, scope="row"), *(html.Td(each, className="numbers") for each in numbers)]))
    head = (
        html.Th("unit below", scope="col"),
        html.Th(term("attribution"), scope="col"),
        html.Th(term("gross attribution", "share"), scope="col"),
        html.Th(term("consistency"), scope="col"),
    )
    return [
        html.H2(with_term("Made of, whatever the class", "class-free links", "whatever the class")),
        html.Table([html.Thead(html.Tr(head)), html.Tbody(rows)], className="places-table"),
        html.P(f"Shares of its mean activation over {many(told.made_of[0].photos, 'photo')}.", className="small muted"),
    ]


def _its_class(called: str, told: UnitInAtlas) -> list[Component]:
    """Of a class itself, which serves no other, its logit and the way to its page."""
    [own] = told.classes
    logit = estimate(own.contribution.mean, own.contribution.error, sign=False)
    words = f"Over {many(own.photos, 'photo')} of {called} its logit is {logit}. "
    return [html.P([words, _link(own, f"{own.label} in the atlas")], className="small")]


def _link(served: ServedClass, words: str) -> Component:
    return html.Button(
        words, type="button", className="link", title=f"{served.label} in the atlas",
        **sends("atlas-class", of=str(served.number)),
    )  # fmt: skip


def _suggested(told: UnitInAtlas) -> list[Component]:
    """A name that was found for it, with how well it fits; never as a fact. Or why there is none to be read."""
    if told.unsuggested:
        return [html.P(f"No suggested names: {told.unsuggested}", className="small muted")]
    suggestion = told.suggested
    if suggestion is None:
        return []
    return [html.P(["Suggested name: ", html.B(suggestion.name), f"; {suggestion.sentence}."], className="small muted")]


def served_table(classes: list[ServedClass], of: str = "") -> Component:
    """Classes with what a unit does for them."""
    heads = (
        html.Th("class", scope="col"),
        html.Th(term("attribution", "contribution"), scope="col"),
        html.Th(term("selectivity"), scope="col"),
        html.Th("rank", scope="col"),
        html.Th("photos", scope="col"),
    )
    return html.Table(
        [html.Thead(html.Tr(heads)), html.Tbody([_row(each, of) for each in classes])], className="places-table served"
    )


def _row(served: ServedClass, of: str) -> Component:
    current = attributes(aria_current="true") if served.label == of else {}
    return html.Tr(
        [
            html.Th(_link(served, served.label), scope="row"),
            html.Td(estimate(served.contribution.mean, served.contribution.error), className="numbers"),
            html.Td(number(served.selectivity, sign=True), className="numbers"),
            html.Td(str(served.rank), className="numbers"),
            html.Td(str(served.photos), className="numbers"),
        ],
        **current,
    )


def firing(node: Node, circuit: Circuit, found: Answers) -> Component:
    """In the place of where a unit fired in a photo, what it fires on most, or else what can be said over many."""
    told = found.get("exemplars")
    best = next(iter(told.groups.get("most", ())), None) if isinstance(told, CollectionExemplars) else None
    if best is not None:
        spoken = f"What {node.called} fires on most: {best.name}"
        return figure("What it fires on most", best.webp.address, spoken, f"{number(best.value)} in {best.name}", "")
    words = f"Means over {circuit.photo_info.name} have no single place; its mean peak is {number(node.max)}."
    return html.Figure([html.H2("Where it fired"), html.Div(words, className="large placeholder")])


def sampled_edges(node: Node, circuit: Circuit) -> list[Component]:
    """The edges into a unit of the circuit of a class, with how sure each is."""
    edges = [edge for edge in circuit.edges_into(node.id) if edge.source in circuit.visible]
    if not edges:
        return []
    rows = []
    for edge in edges:
        consistency = "" if edge.consistency is None else inside(edge.consistency, edge.photos or 0)
        cells = (
            html.Td(estimate(edge.attribution, edge.error), className="numbers"),
            html.Td(percent(circuit.share(edge)), className="numbers"),
            html.Td(consistency, className="numbers"),
        )
        name = edge_link(circuit, edge, circuit.nodes[edge.source].called)
        rows.append(html.Tr([html.Th(name, scope="row"), *cells]))
    head = (
        html.Th("edge from", scope="col"),
        html.Th(term("attribution"), scope="col"),
        html.Th(term("gross attribution", "share"), scope="col"),
        html.Th(term("consistency"), scope="col"),
    )
    photos = many(edges[0].photos or 0, "photo")
    return [
        html.Table([html.Thead(html.Tr(head)), html.Tbody(rows)], className="places-table sampled"),
        html.P(f"Means and standard errors over {photos}.", className="small muted"),
    ]
