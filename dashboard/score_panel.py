"""The right pane while no unit is chosen: how good the circuit is, in words, bars, a curve, and changed photos."""

from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.circuit import Circuit
from circuits.evaluation import Card
from circuits.evaluation.card_words import METHOD_NAMES, METHOD_TEXTS, interval, metric_name, overshoot, share
from circuits.evaluation.intervals import Estimate
from circuits.evaluation.summing_up import Row
from circuits.units import Edge
from circuits.wording import chance, number
from dashboard.edge_panel import edge_link
from dashboard.frames import WAITING, failed
from dashboard.on_photo import photos_of
from dashboard.panels import attributes, button
from dashboard.score_chart import curve
from dashboard.scores import FEW, Scored
from dashboard.sessions import Session

Component = Any
TITLE = "How good is this circuit?"
RARE = 5
"""Edges that are named because they are found least often."""
_FURTHEST = (-1.0, 2.0)
"""Bars end here; the number beside them says the rest."""
_COMMAND = "circuits exemplars FOLDER"
_INSTEAD = {"zero": "zero", "mean": "their mean"}


def head(session: Session, circuit: Circuit) -> list[Component]:
    """What the pane is about."""
    label, photo = circuit.nodes[circuit.root].called, circuit.graph.graph["photo"]["name"]
    words: list[Component] = [
        "The circuit of ",
        html.B(label),
        " in the photo ",
        html.B(photo),
        ". Choose a unit in the graph to see it here.",
    ]
    notice = [html.P(session.work.locked, className="notice", role="note")] if session.work.locked else []
    return [*notice, html.H2(TITLE, className="unit-title"), html.P(words, className="muted small")]


def panel(session: Session, circuit: Circuit, scored: Scored) -> list[Component]:
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
    baseline = scored.scoring.baseline if scored.scoring.baseline in card.baselines else card.baselines[0]
    parts += [_baselines(card, baseline), *_measures(card, baseline)]
    parts += _controls(card, baseline, scored)
    parts += _growing(card, baseline, scored)
    parts += _changed(circuit, card, scored)
    parts += _foot(card, scored)
    return [html.Div(parts, className="scores")]


def _meaning(circuit: Circuit) -> Component:
    label = circuit.nodes[circuit.root].called
    return html.P(
        f"Keep only the units of this circuit, ablate all others of its layers, and see how much of {label} is left. "
        "Then the other way round. And the same with as many units that were chosen in other ways.",
        className="small",
    )


def _begin(session: Session, circuit: Circuit, scored: Scored) -> Component:
    """The button that has the circuit scored, with a line on why it is there again; which photos it is scored in."""
    scoring = scored.scoring
    words, line = "Score it", ""
    if scoring is not None and scored.stale:
        words = "Score it again"
        line = "The circuit has changed since it was scored: these are the numbers of before." if scored.card else ""
    elif scoring is not None and scoring.stopped and scored.missing:
        words, line = "Go on", "Cancelled before all was known."
    strip = scoring is not None and scoring.strip
    parts: list[Component] = []
    if scoring is None or words != "Score it":
        over = "strip" if strip else ""
        parts.append(button(words, "score", over, className="main", title="Takes seconds, in the background"))
    parts += _photos(session, strip)
    told = [html.P(line, className="notice", role="note")] if line else []
    return html.Div([*told, html.Div(parts, className="deeds")], className="begin")


def _photos(session: Session, strip: bool) -> list[Component]:
    """The choice between the circuit's photo and the strip, where that has others."""
    count = len(photos_of(session))
    if count < FEW or session.scoring is None:
        return []
    choices = [
        _option("score", "photo", "its photo", "Score it in the photo that it was traced in", not strip),
        _option(
            "score", "strip", f"all {count} of the strip",
            "The same units and edges in every photo of the strip, with intervals over the photos", strip,
        ),
    ]  # fmt: skip
    return [html.Div(choices, className="segments", role="group", **attributes(aria_label="Scored in"))]


def _option(action: str, subject: str, words: str, title: str, pressed: bool) -> Component:
    return html.Button(
        words, type="button", title=title,
        **attributes(data_action=action, data_arg=subject, aria_pressed=str(pressed).lower()),
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
        _option("baseline", name, _INSTEAD[name], f"Ablated units are set to {_INSTEAD[name]}", name == baseline)
        for name in card.baselines
    ]
    source = f" over {sources['mean']}" if baseline == "mean" else ""
    group = html.Div(options, className="segments", role="group", **attributes(aria_label="Ablated units are set to"))
    return html.Div(
        [html.Span(of, className="small muted"), group, html.Span(source, className="small muted")], className="instead"
    )


def _measures(card: Card, baseline: str) -> list[Component]:
    """Faithfulness, completeness and the edges, each in words, as a bar and as a number; and the raw values."""
    row = card.row("circuit", baseline=baseline)
    low, high = _scale(card, baseline)
    what = f"{metric_name(card, 'value')} of {card.circuit['target']['label']}"
    units, edges = card.circuit["units"], card.circuit["edges"]
    kept = "Faithfulness: its units as they are, all others ablated."
    left = "Completeness: its units ablated, all others as they are. Low is good; the rest is lost (necessity)."
    along = "Only these edges carry what the photo says; what would come along others is the ablated value."
    rows = [
        _measure(f"Kept by its {units} units alone", row.faithfulness, kept, low, high, "kept"),
        _measure("Left without them", row.completeness, left, low, high, "left"),
    ]
    if row.edges is not None:
        rows.append(_measure(f"Kept by its {edges} edges alone", row.edges, along, low, high, "kept"))
    more = overshoot(card)
    return [
        html.P(f"Of the {what}{_over(card)}:", className="small of-what"),
        html.Dl(rows, className="measures"),
        *([html.P(more, className="small muted")] if more and baseline == "zero" else []),
        html.P(_raw(card, baseline), className="small muted numbers"),
    ]


def _over(card: Card) -> str:
    """In which photos, and of how many of them the network says what the circuit explains."""
    if card.main == "own":
        return ""
    given = [photo for photo in card.photos if photo.given]
    agreed = [photo.agrees for photo in given if photo.agrees is not None]
    label = card.circuit["target"]["label"]
    said = f" ({sum(agreed)} of which the network calls {label})" if agreed else ""
    return f", over {len(given)} photos{said}"


def _measure(words: str, found: Estimate, hint: str, low: float, high: float, kind: str) -> Component:
    between = interval(found)
    told = (
        html.Span(_unbroken(f"95 % interval over the photos: {between}"), className="small muted numbers")
        if between
        else ""
    )
    value = html.Span(share(found.value), className="numbers big")
    return html.Div(
        [html.Dt(words), html.Dd([_bar(found.value, low, high, kind), value, told]), html.Dd(hint, className="hint")]
    )


def _bar(value: float | None, low: float, high: float, kind: str, spread: float | None = None) -> Component:
    """A bar from zero, on a scale with a line at 1; what lies outside is cut off."""

    def place(point: float) -> float:
        return 100 * (min(max(point, low), high) - low) / (high - low)

    parts: list[Component] = [html.B(style={"left": f"{place(point):.1f}%"}) for point in (0.0, 1.0) if low < point]
    if value is not None:
        start, end = sorted((place(0.0), place(value)))
        parts.append(html.I(style={"left": f"{start:.1f}%", "width": f"{end - start:.1f}%"}, className=kind))
    if value is not None and spread:
        start, end = place(value - spread), place(value + spread)
        parts.append(html.U(style={"left": f"{start:.1f}%", "width": f"{end - start:.1f}%"}))
    return html.Span(parts, className="bar", **attributes(aria_hidden="true"))


def _scale(card: Card, baseline: str) -> tuple[float, float]:
    """One scale for all bars: from 0, or the lowest score, to 1, or the highest."""
    rows = [row for row in card.rows if _is(row, card, baseline)]
    scores = [score for row in rows for score in (row.faithfulness, row.completeness, row.edges) if score is not None]
    values = [score.value for score in scores if score.value is not None]
    return max(_FURTHEST[0], min([0.0, *values])), min(_FURTHEST[1], max([1.0, *values]))


def _is(row: Row, card: Card, baseline: str) -> bool:
    return (row.over, row.baseline, row.metric) == (card.main, baseline, "value")


def _raw(card: Card, baseline: str) -> str:
    """What the target is in its own photo in each of the conditions; of a class also the probability."""
    said = []
    for each in card.measured:
        if each.photo != 0 or each.baseline != baseline:
            continue
        score, write = each.scores[0], chance if each.metric == "probability" else number
        name = metric_name(card, each.metric)
        without = f", {write(score.without)} without them" if score.without is not None else ""
        said.append(
            f"{name[0].upper()}{name[1:]}: {write(score.whole)} in all, {write(score.alone)} alone{without}, "
            f"{write(score.nothing)} with nothing of these layers."
        )
    where = "In its own photo: " if card.main == "photos" else ""
    return _unbroken(where + " ".join(said))


def _unbroken(words: str) -> str:
    """A sentence in which numbers stay on the line of their signs."""
    return words.replace(" %", "\u00a0%").replace("± ", "±\u00a0")


def _controls(card: Card, baseline: str, scored: Scored) -> list[Component]:
    """As many units that were chosen in other ways, on the scale of the circuit."""
    rows = [row for row in card.rows if _is(row, card, baseline)]
    title = html.H2("Beside as many units chosen in other ways")
    if len(rows) < 2:
        return [title, _room("controls")] if scored.busy else []
    low, high = _scale(card, baseline)
    cells = []
    for row in rows:
        draws = f" ({card.settings['draws']} draws)" if row.method == "random" else ""
        cells.append(
            html.Tr(
                [
                    html.Th(METHOD_NAMES[row.method], scope="row", title=f"{METHOD_TEXTS[row.method]}{draws}"),
                    html.Td(
                        [_bar(row.faithfulness.value, low, high, "kept", row.spread), share(row.faithfulness.value)]
                    ),
                    html.Td([_bar(row.completeness.value, low, high, "left"), share(row.completeness.value)]),
                ],
                className="own" if row.method == "circuit" else "",
            )
        )
    names = [html.Th("units", scope="col"), html.Th("kept alone", scope="col"), html.Th("left without", scope="col")]
    table = html.Table([html.Thead(html.Tr(names)), html.Tbody(cells)], className="controls-table numbers")
    return [title, html.P(verdict(rows), className="verdict-line"), table]


def verdict(rows: Sequence[Row]) -> str:
    """Whether the circuit keeps more than chance and than the other choices, in a sentence or two."""
    values = {row.method: row.faithfulness.value for row in rows}
    own, random = values.get("circuit"), next((row for row in rows if row.method == "random"), None)
    if own is None or random is None or random.faithfulness.value is None:
        return "Nothing in these layers moves the target, so that there is nothing to compare."
    chance, spread = random.faithfulness.value, random.spread or 0.0
    above, doubt = own - chance > 2 * spread, f" ± {share(spread)}"
    if random.advantage is not None and random.advantage.low is not None:
        above, doubt = random.advantage.low > 0, ""
    words = f"{'Better' if above else 'Not better'} than chance: random units keep {share(chance)}{doubt}."
    others = [name for name in ("activation", "gradient", "weights") if (values.get(name) or 0.0) > own]
    if others:
        named = " and ".join(f"{METHOD_NAMES[name]} ({share(values[name])})" for name in others)
        words += f" More is kept by {named}."
    shuffled = values.get("randomised")
    if shuffled is not None and shuffled >= own:
        words += " A circuit of a shuffled network keeps as much: this says little of what was learned."
    return _unbroken(words)


def _growing(card: Card, baseline: str, scored: Scored) -> list[Component]:
    """The curve over sizes."""
    title = html.H2("With fewer or more units")
    drawn = curve(card, baseline)
    if drawn is None:
        return [title, _room("curve")] if "card" in scored.missing and scored.busy else []
    return [title, *drawn]


def _changed(circuit: Circuit, card: Card, scored: Scored) -> list[Component]:
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
    parts: list[Component] = [title, html.P(_unbroken(words), className="small")]
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


def _foot(card: Card, scored: Scored) -> list[Component]:
    """What is left out and why, and the card as a file."""
    notes = [html.Li(note) for note in card.notes]
    parts: list[Component] = [html.Ul(notes, className="small muted notes")] if notes else []
    if "card" in scored.missing or scored.stale:
        return parts
    links = [
        html.A(label, href="", download="", className="button small", title=title, **attributes(data_export=path))
        for label, path, title in (
            ("JSON", "score.json", "All settings and numbers, so that others can find the same"),
            ("HTML page", "score.html", "All of it to read, in any browser"),
        )
    ]
    return [*parts, html.Div([html.Span("Save the card:", className="small muted"), *links], className="save-card")]
