"""The tables of a card's page: methods beside each other, photo by photo, and the edges that are found again."""

import html
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from circuits.evaluation.scores import Score
from circuits.report.text import (
    METHOD_NAMES,
    METHOD_TEXTS,
    chance,
    interval,
    many,
    metric_name,
    number,
    over_name,
    share,
)

if TYPE_CHECKING:
    from circuits.evaluation.card import Card
    from circuits.evaluation.statistics import Estimate, ScoreRow


_MOST_EDGES = 60
_HEADS = ("m(whole)", "m(nothing)", "m(alone)", "m(without)", "faithfulness", "necessity")


def scores(card: "Card") -> str:
    """A table for each group of photos and metric: methods down, baselines across; narrow ones in pairs."""
    kind = "pair" if len(card.baselines) == 1 else "wide"
    return f'<div class="{kind}">{"".join(_scores(card))}</div>'


def _scores(card: "Card") -> Iterator[str]:
    groups = dict.fromkeys((row.over, row.metric) for row in card.rows)
    for over, metric in sorted(groups, key=lambda group: (group[0] != card.main, group[1] != "value")):
        rows = [row for row in card.rows if (row.over, row.metric) == (over, metric)]
        what = f"{metric_name(card, metric)} of {card.circuit['target']['label']}"
        title = html.escape(f"{what[0].upper()}{what[1:]}, {over_name(card, over)}")
        head, second = ['<th class="words" scope="col" rowspan="2">units kept or ablated</th>'], []
        for baseline in card.baselines:
            names = ["faithfulness", "necessity", *(["edges"] if _has_edges(rows, baseline) else [])]
            head.append(f'<th class="group" scope="colgroup" colspan="{len(names)}">{baseline} ablation</th>')
            second += [f'<th scope="col">{name}</th>' for name in names]
        body = "".join(_line(card, method, rows) for method in METHOD_NAMES if any(r.method == method for r in rows))
        yield (
            f'<section class="books"><h2>{title}</h2><table><thead><tr>{"".join(head)}</tr>'
            f"<tr>{''.join(second)}</tr></thead><tbody>{body}</tbody></table></section>"
        )


def _has_edges(rows: "Sequence[ScoreRow]", baseline: str) -> bool:
    return any(row.baseline == baseline and row.edges is not None for row in rows)


def _line(card: "Card", method: str, rows: "Sequence[ScoreRow]") -> str:
    """One method's row of a table."""
    cells = []
    for baseline in card.baselines:
        row = next(row for row in rows if (row.method, row.baseline) == (method, baseline))
        spread = f"± {share(row.spread)}" if row.spread is not None else ""
        cells += [_cell(row.faithfulness, spread), _cell(row.necessity)]
        if _has_edges(rows, baseline):
            cells.append(_cell(row.edges))
    name = f"{METHOD_NAMES[method]}<small>{METHOD_TEXTS[method]}</small>"
    return f'<tr class="{method}"><th scope="row" class="words">{name}</th>{"".join(cells)}</tr>'


def _cell(found: "Estimate | None", spread: str = "") -> str:
    if found is None:
        return "<td></td>"
    small = "".join(f"<small>{text}</small>" for text in (interval(found), spread) if text)
    return f"<td>{_bar(found.value)}{small}</td>"


def _bar(value: float | None) -> str:
    """A score in words and as a bar, which is full at 100 %."""
    wide = 60 * max(0.0, min(1.0, value or 0.0))
    return (
        f'{share(value)}<svg viewBox="0 0 60 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="60" height="6" rx="2"/><rect width="{wide:.1f}" height="6" rx="2"/></svg>'
    )


def photos(card: "Card") -> str:
    """The circuit in each photo, with the first baseline."""
    baseline = card.baselines[0]
    rows = []
    for each in card.measured:
        if (each.baseline, each.metric) != (baseline, "value"):
            continue
        photo, score = card.photos[each.photo], each.scores[0]
        said = photo.prediction
        told = "" if said is None else f"{html.escape(said.label)} {html.escape(chance(said.probability))}"
        marks = [*(["its own"] if photo.own else []), *(["another class"] if photo.agrees is False else [])]
        small = f"<small>{', '.join(marks)}</small>" if marks else ""
        rows.append(
            f'<tr><th scope="row" class="words">{html.escape(photo.name)}{small}</th><td class="words">{told}</td>'
            f"{_four(score)}<td>{share(score.faithfulness)}</td><td>{share(score.necessity)}</td></tr>"
        )
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    words = '<th class="words" scope="col">photo</th><th class="words" scope="col">the network says</th>'
    return (
        f'<section class="books"><h2>Photo by photo, {baseline} ablation</h2><table><thead><tr>{words}{heads}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></section>"
    )


def _four(score: Score) -> str:
    without = 0.0 if score.without is None else score.without
    return "".join(f"<td>{number(value)}</td>" for value in (score.whole, score.nothing, score.alone, without))


def stability(card: "Card") -> str:
    """How often each edge is found again; empty if that was not asked for."""
    found = card.stability
    if found is None:
        return ""
    order = sorted(found.edges.items(), key=lambda each: -each[1])
    rows = "".join(
        f'<tr><th scope="row" class="words code">{html.escape(source)} → {html.escape(target)}</th>'
        f"<td>{_bar(survives)}</td></tr>"
        for (source, target), survives in order[:_MOST_EDGES]
    )
    more = f'<p class="quiet">{len(order) - _MOST_EDGES} more in the JSON.</p>' if len(order) > _MOST_EDGES else ""
    by_hand = (
        "1 edge was not judged: the search does not find it in the unchanged photo either."
        if len(found.by_hand) == 1
        else f"{len(found.by_hand)} edges were not judged: the search does not find them in the unchanged photo either."
    )
    hand = f'<p class="quiet">{by_hand}</p>' if found.by_hand else ""
    changed = html.escape("; ".join(str(change) for change in card.changes))
    mean = (
        f"<p>On average {share(found.edge_mean)} of the edges and {share(found.unit_mean)} of the units, in "
        f"{many(card.changes, 'changed photo')}: {changed}.</p>"
    )
    said = "" if found.edge_mean is None else mean
    heads = '<th class="words" scope="col">edge</th><th scope="col">found again</th>'
    return (
        '<section class="books"><h2>How often each edge is found again</h2>'
        f"{said}{hand}<details><summary>Edge by edge</summary>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}</details></section>"
    )
