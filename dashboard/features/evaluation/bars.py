"""The scores of a circuit as bars on one scale: what it keeps and leaves, and beside it as many other units."""

from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.evaluation.card import Card
from circuits.evaluation.estimates import Estimate
from circuits.evaluation.statistics import ScoreRow
from circuits.report.card_words import (
    METHOD_NAMES,
    METHOD_TEXTS,
    interval,
    left_out,
    metric_name,
    over_name,
    overshoot,
    scale_in_words,
)
from circuits.report.text import chance, number, share
from dashboard.components import attributes, sends, unbroken
from dashboard.glossary import with_term

Component = Any
_FURTHEST = (-1.0, 2.0)
"""Bars end here; the number beside them says the rest."""


def measures(card: Card, baseline: str) -> list[Component]:
    """Faithfulness, completeness and the edges, each in words, as a bar and as a number; and the raw values."""
    row = card.row("circuit", baseline=baseline)
    low, high = _scale(card, baseline)
    what = f"{metric_name(card, 'value')} of {card.circuit['target']['label']}"
    units, edges = card.circuit["units"], card.circuit["edges"]
    kept = "Faithfulness: its units as they are, all others ablated."
    left = "Completeness: its units ablated, all others as they are; lower is better."
    necessity = row.necessity.value
    lost = "" if necessity is None else f" What is lost, {share(necessity)}, is the necessity."
    along = "Only these edges carry the activations in the photo; all other connections carry the baseline."
    alone, without = (None, None) if row.values is None else (row.values.alone, row.values.without)
    rows = [
        _measure(f"Kept by its {units} units alone", row.faithfulness, alone, kept, low, high, "kept"),
        _measure("Remaining when they are ablated", row.completeness, without, left, low, high, "left", lost),
    ]
    if row.edges is not None:
        rows.append(_measure(f"Kept by its {edges} edges alone", row.edges, None, along, low, high, "kept"))
    others = left_out(card)
    return [
        *([_others(others)] if others else []),
        html.P(f"Percentages of the {what}{_over(card)}{scale_in_words(card, row)}", className="small of-what"),
        html.Dl(rows, className="measures"),
        html.P(_ticks(low), className="small muted"),
        *[html.P(words, className="small muted") for words in _beyond(card, row)],
        html.P(_raw(card, baseline), className="small muted numbers"),
    ]


def kept_in_words(card: Card, baseline: str) -> str:
    """What the circuit keeps by itself, and random units where they are scored, in a sentence; "" if undefined.

    Example:
        >>> from circuits import evaluate, load_network, trace
        >>> network = load_network()
        >>> card = evaluate(network, trace(network, "example:cat", depth=1), controls=False, ladder=(), stability=0)
        >>> kept_in_words(card, "zero")[:6]
        'Keeps '
    """
    values = {row.method: row.faithfulness.value for row in card.rows if _is(row, card, baseline)}
    own, random = values.get("circuit"), values.get("random")
    if own is None:
        return ""
    beside = "" if random is None else f"; random units keep {share(random)}"
    return unbroken(f"Keeps {share(own)} by itself{beside}.")


def _beyond(card: Card, row: ScoreRow) -> list[str]:
    """What is said of bars that end beyond 100 %, or left of 0 %, where there are some."""
    kept = [found.value for found in (row.faithfulness, row.edges) if found is not None and found.value is not None]
    said = [overshoot(card)] if kept and max(kept) > 1.05 else []
    if row.completeness.value is not None and row.completeness.value < -0.05:
        said.append("Below 0 %: without these units the target is lower than with all units of these layers ablated.")
    return [words for words in said if words]


def _others(words: str) -> Component:
    """How many photos are left out, with a button that has them scored too."""
    title = "Also score the photos that the network assigns to another class; percentages may not be defined for them"
    anyway = html.Button("Score all anyway", type="button", className="link", title=title, **sends("score", over="all"))
    return html.P([words, " ", anyway], className="notice", role="note")


def _over(card: Card) -> str:
    """In which photos, where it is not the circuit's own."""
    return "" if card.main == "own" else f", over {over_name(card, card.main)}"


def _ticks(low: float) -> str:
    """What the marks on the bars mean."""
    nothing = "the left edge is" if low == 0 else "the thin line on the left is"
    return f"On each bar {nothing} 0 %, and the thin line on the right 100 %."


def _measure(
    words: str, found: Estimate, value: float | None, hint: str, low: float, high: float, kind: str, lost: str = ""
) -> Component:
    between = interval(found)
    told = (
        html.Span(unbroken(f"95 % interval over the photos: {between}"), className="small muted numbers")
        if between
        else ""
    )
    measured = [] if value is None else [html.Span(number(value), className="small muted measured-value")]
    shown = html.Span([share(found.value), *measured], className="numbers big")
    return html.Div(
        [
            html.Dt(words),
            html.Dd([_bar(found.value, low, high, kind), shown, told]),
            html.Dd(
                [*with_term(hint, hint.partition(":")[0].lower()), *with_term(lost, "necessity")], className="hint"
            ),
        ]
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


def _is(row: ScoreRow, card: Card, baseline: str) -> bool:
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
            f"{name[0].upper()}{name[1:]}: {write(score.whole)} in the whole network, {write(score.alone)} with these "
            f"units alone{without}, {write(score.nothing)} with all units of these layers ablated."
        )
    where = "In its own photo: " if card.main == "photos" else ""
    return unbroken(where + " ".join(said))


def controls(card: Card, baseline: str) -> list[Component]:
    """A table of as many units that were chosen in other ways, on the scale of the circuit; nothing without any."""
    rows = [row for row in card.rows if _is(row, card, baseline)]
    if len(rows) < 2:
        return []
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
    names = [html.Th("units", scope="col"), html.Th("kept alone", scope="col"), html.Th("remaining", scope="col")]
    table = html.Table([html.Thead(html.Tr(names)), html.Tbody(cells)], className="controls-table numbers")
    words = "The thin bar of random units is the standard deviation over their draws, to both sides."
    drawn = any(row.spread for row in rows)
    more = [html.P(words, className="small muted")] if drawn else []
    return [html.P(verdict(rows), className="verdict-line"), table, *more]


def verdict(rows: Sequence[ScoreRow]) -> str:
    """Whether the circuit keeps more than chance and than the other choices, in a sentence or two."""
    values = {row.method: row.faithfulness.value for row in rows}
    own, random = values.get("circuit"), next((row for row in rows if row.method == "random"), None)
    if own is None or random is None or random.faithfulness.value is None:
        return "No percentage is defined here, so there is nothing to compare."
    chance, spread = random.faithfulness.value, random.spread or 0.0
    above, doubt = own - chance > 2 * spread, f" ± {share(spread)}"
    if random.advantage is not None and random.advantage.low is not None:
        above, doubt = random.advantage.low > 0, ""
    words = f"{'Better' if above else 'Not better'} than chance: random units keep {share(chance)}{doubt}."
    known = {name: value for name, value in values.items() if value is not None}
    others = [name for name in ("permuted", "activation", "gradient", "weights") if known.get(name, own) > own]
    if others:
        named = " and ".join(f"{METHOD_NAMES[name]} ({share(known[name])})" for name in others)
        does = ("does better", "do better") if own < 1 else ("keeps even more", "keep even more")
        words += f" {named[0].upper()}{named[1:]} {does[len(others) > 1]}."
    shuffled = values.get("randomised")
    if shuffled is not None and shuffled >= own:
        words += " A circuit of a network with shuffled weights keeps as much, so this score proves little."
    return unbroken(words)
