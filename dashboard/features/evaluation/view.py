"""The right pane while no unit is chosen: how good the circuit is, in words, bars, a curve, and changed photos."""

from typing import Any

from dash import html

from circuits.evaluation.card import Card
from circuits.report.text import share
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge
from dashboard.components import (
    WAITING,
    Pane,
    attributes,
    button,
    discarded,
    edge_link,
    failed,
    how_to,
    notice,
    sends,
    unbroken,
)
from dashboard.features.evaluation.bars import controls, kept_in_words, measures
from dashboard.features.evaluation.chart import curve
from dashboard.features.evaluation.queries import FEW, ShownScore
from dashboard.glossary import term, with_term
from dashboard.session.state import Session, photos_of

Component = Any
TITLE = "How good is this circuit?"
RARE = 5
"""Edges that are named because they are found least often."""
_NOT_COUNTED = "The what-if is not counted here: the score is of the network as it is."
_COMMAND = "circuits exemplars FOLDER"
_INSTEAD = {"zero": "zero", "mean": "their mean"}


def pane(session: Session, circuit: Circuit, scored: ShownScore) -> Pane:
    """The right pane while nothing is chosen: the circuit and its score."""
    foot = [*discarded(circuit), how_to("")]
    return Pane(head(session, circuit), evidence=panel(session, circuit, scored), foot=foot)


def head(session: Session, circuit: Circuit) -> list[Component]:
    """What the pane is about."""
    label, photo = circuit.nodes[circuit.root].called, circuit.photo_info.name
    words: list[Component] = [
        "The ",
        term("circuit"),
        " of ",
        html.B(label),
        " in the photo ",
        html.B(photo),
        ". Choose a unit in the graph to see it here.",
    ]
    return [*notice(session), html.H2(TITLE, className="unit-title"), html.P(words, className="muted small")]


def panel(session: Session, circuit: Circuit, scored: ShownScore) -> list[Component]:
    """The score, as far as it is there, and the button that asks for it.

    Args:
        session: whose circuit.
        circuit: the circuit.
        scored: what is known of its score.
    """
    if scored.refused:
        return [html.P(scored.refused, className="reason")]
    begin = _begin(session, circuit, scored)
    if scored.scoring is None:
        return [_meaning(circuit), begin]
    parts: list[Component] = [begin]
    if scored.failure is not None:
        parts += failed(scored.failure)
    if scored.card is None:
        room = html.Div(html.Span(WAITING, className="spoken"), className="placeholder waiting score-room")
        return [_meaning(circuit), *parts, *([room] if scored.busy else [])]
    card = scored.card
    chosen = scored.scoring.baseline or circuit.baseline.name
    baseline = chosen if chosen in card.baselines else card.baselines[0]
    kept = kept_in_words(card, baseline)
    parts += [html.P(kept, className="verdict-first")] if kept else []
    parts += [html.P(_NOT_COUNTED, className="notice small not-counted", role="note")]
    parts += [_baselines(card, baseline), *measures(card, baseline)]
    parts += _controls(card, baseline, scored)
    parts += _growing(card, baseline, scored)
    parts += _changed(circuit, card, scored)
    parts += _foot(card, scored)
    return [html.Div(parts, className="scores")]


def _meaning(circuit: Circuit) -> Component:
    label = circuit.nodes[circuit.root].called
    words = (
        f"Keep only the units of this circuit, ablate all others of its layers, and see how much of {label} is left. "
        "Then the reverse, and both again with equally many units chosen otherwise."
    )
    return html.P(with_term(words, "ablation", "ablate"), className="small")


def _begin(session: Session, circuit: Circuit, scored: ShownScore) -> Component:
    """The button that has the circuit scored, with a line on why it is there again; which photos it is scored in."""
    scoring = scored.scoring
    words, line = "Score it", ""
    if scoring is not None and scored.stale:
        words = "Score it again"
        line = (
            "The circuit has changed since it was scored; these numbers are from before the change."
            if scored.card
            else ""
        )
    elif scoring is not None and scoring.stopped and scored.missing:
        words, line = "Go on", "Cancelled before everything was computed."
    strip = scoring is not None and scoring.strip
    parts: list[Component] = []
    if scoring is None or words != "Score it":
        over = "strip" if strip else ""
        parts.append(button(words, "score", {"over": over}, className="main", title="Takes seconds, in the background"))
    parts += _photos(session, strip)
    told = [html.P(line, className="notice", role="note")] if line else []
    return html.Div([*told, html.Div(parts, className="buttons")], className="begin")


def _photos(session: Session, strip: bool) -> list[Component]:
    """The choice between the circuit's photo and the strip, where that has others."""
    count = len(photos_of(session))
    if count < FEW or session.scoring is None:
        return []
    choices = [
        _option("score", {"over": "photo"}, "its photo", "Score it in the photo that it was traced in", not strip),
        _option(
            "score", {"over": "strip"}, "both photos" if count == 2 else f"all {count} photos",
            "The same units and edges in every photo above the input, with intervals over the photos", strip,
        ),
    ]  # fmt: skip
    return [html.Div(choices, className="segments", role="group", **attributes(aria_label="Scored in"))]


def _option(action: str, payload: dict[str, str], words: str, title: str, pressed: bool) -> Component:
    return html.Button(
        words, type="button", title=title,
        **sends(action, **payload), **attributes(aria_pressed=str(pressed).lower()),
    )  # fmt: skip


def _baselines(card: Card, baseline: str) -> Component:
    """What ablated units are set to, and the choice where there are two."""
    layers = f"{len(card.units)} layer{'s' * (len(card.units) != 1)}"
    of = f"Units outside the circuit, in {layers}, are set to "
    if len(card.baselines) == 1:
        more: list[Component] = [f"{of}zero. To have them set to their mean too, make an index of photos: "]
        return html.P([*more, html.Code(_COMMAND), "."], className="small muted")
    sources = {each["name"]: each["source"] for each in card.settings["baselines"]}
    options = [
        _option(
            "baseline",
            {"baseline": name},
            _INSTEAD[name],
            f"Ablated units are set to {_INSTEAD[name]}",
            name == baseline,
        )
        for name in card.baselines
    ]
    source = f" over {sources['mean']}" if baseline == "mean" else ""
    group = html.Div(options, className="segments", role="group", **attributes(aria_label="Ablated units are set to"))
    return html.Div(
        [html.Span(of, className="small muted"), group, html.Span(source, className="small muted")], className="instead"
    )


def _controls(card: Card, baseline: str, scored: ShownScore) -> list[Component]:
    """As many units that were chosen in other ways, or the room for them."""
    words = with_term("Compared with equally many units chosen otherwise", "controls", "Compared")
    title, found = html.H2(words), controls(card, baseline)
    if found:
        return [title, *found]
    return [title, _room("controls")] if scored.busy else []


def _growing(card: Card, baseline: str, scored: ShownScore) -> list[Component]:
    """The curve over sizes."""
    title = html.H2("With fewer or more units")
    drawn = curve(card, baseline)
    if drawn is None:
        return [title, _room("curve")] if "card" in scored.missing and scored.busy else []
    return [title, *drawn]


def _changed(circuit: Circuit, card: Card, scored: ShownScore) -> list[Component]:
    """How much of the circuit is found again in slightly changed photos."""
    title, found = html.H2("In slightly changed photos"), card.stability
    if found is None or found.edge_mean is None or found.unit_mean is None:
        return [title, _room("line")] if "card" in scored.missing and scored.busy else []
    often = [share for share in found.edges.values() if share == 1]
    words = (
        f"The photo was mirrored, shifted, cropped or made noisy, {len(card.changes)} times in all: on average "
        f"{share(found.edge_mean)} of the edges are found again, and {share(found.unit_mean)} of the units. "
        f"{len(often)} of {len(found.edges)} edges are found every time."
    )
    if found.by_hand:
        words += f" {len(found.by_hand)} that were made by hand are left out."
    parts: list[Component] = [title, html.P(unbroken(words), className="small")]
    rare = [] if scored.stale else rarest(circuit, card)
    if rare:
        links = [
            html.Li(edge_link(circuit, edge, f"{_ends(circuit, edge)} {share(often)}")) for edge, often in rare
        ]  # fmt: skip
        told = html.Span("Least often:", className="muted")
        parts.append(html.Div([told, html.Ul(links)], className="edges-below small"))
    return parts


def rarest(circuit: Circuit, card: Card) -> list[tuple[Edge, float]]:
    """The edges that are found least often in changed photos, with how often; none that is always found."""
    if card.stability is None:
        return []
    known = {(edge.source, name): edge for name in circuit.visible for edge in circuit.edges_into(name)}
    found = sorted(card.stability.edges.items(), key=lambda each: (each[1], each[0]))
    return [(known[edge], often) for edge, often in found if often < 1 and edge in known][:RARE]


def _ends(circuit: Circuit, edge: Edge) -> str:
    return f"{circuit.nodes[edge.source].called} → {circuit.nodes[edge.target].called}"


def _room(kind: str) -> Component:
    return html.Div(html.Span(WAITING, className="spoken"), className=f"placeholder waiting score-{kind}-room")


def _foot(card: Card, scored: ShownScore) -> list[Component]:
    """What is left out and why, and the card as a file."""
    notes = [html.Li(note) for note in card.notes]
    parts: list[Component] = [html.Ul(notes, className="small muted notes")] if notes else []
    if "card" in scored.missing or scored.stale:
        return parts
    links = [
        html.A(label, href="", download="", className="button small", title=title, **attributes(data_export=path))
        for label, path, title in (
            ("JSON", "score.json", "All settings and numbers, to reproduce the score"),
            ("HTML page", "score.html", "A report that opens in any browser"),
        )
    ]
    return [*parts, html.Div([html.Span("Save the card:", className="small muted"), *links], className="save-card")]
