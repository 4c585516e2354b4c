"""What `circuits evaluate` prints: the headline, scores beside controls, the curve, and what is left out."""

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from circuits.report.text import METHOD_NAMES, headline, interval, many, metric_name, over_name, overshoot, share

if TYPE_CHECKING:
    from circuits.evaluation.card import Card
    from circuits.evaluation.statistics import Estimate, ScoreRow


def report(console: Console, card: "Card") -> None:
    """Print a card."""
    console.print(headline(card), soft_wrap=True)
    if above := overshoot(card):
        console.print(above, soft_wrap=True)
    console.print()
    for over in dict.fromkeys((card.main, "own")):
        told = "; the last column is the faithfulness of the probability" if "probability" in card.metrics else ""
        console.print(f"Of the {metric_name(card, 'value')}, over {over_name(card, over)}{told}:", soft_wrap=True)
        for baseline in card.baselines:
            console.print(scores(card, over, baseline))
            console.print()
    if card.points:
        about = f"{card.baselines[0]} ablation, over {over_name(card, card.main)}"
        console.print(f"Faithfulness and completeness by units below each unit (top), {about}:", soft_wrap=True)
        console.print(curve(card))
    if card.stability is not None and card.stability.edge_mean is not None:
        found = card.stability
        console.print(
            f"In {many(len(card.changes), 'slightly changed photo')} {share(found.edge_mean)} of the edges and "
            f"{share(found.unit_mean)} of the units are found again, on average.",
            soft_wrap=True,
        )
    strangers = [photo.name for photo in card.photos if photo.agrees is False]
    if strangers:
        console.print(
            f"The network puts {len(strangers)} of {len(card.photos)} photos in another class: {', '.join(strangers)}.",
            soft_wrap=True,
        )
    for sentence in card.notes:
        console.print(sentence, soft_wrap=True)


def scores(card: "Card", over: str, baseline: str) -> Table:
    """The circuit and its controls over some photos, with one baseline."""
    chances = "probability" in card.metrics
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column(f"{baseline} ablation", no_wrap=True)
    for head in ("faithfulness", "completeness", "necessity", "edges", *(["probability"] if chances else [])):
        table.add_column(head, justify="right", min_width=len(head))
    for row in card.rows:
        if (row.over, row.baseline, row.metric) != (over, baseline, "value"):
            continue
        cells = [_faithfulness(row), _cell(row.completeness), _cell(row.necessity)]
        cells.append(_cell(row.edges) if row.edges is not None else "")
        if chances:
            cells.append(_faithfulness(card.row(row.method, over=over, baseline=baseline, metric="probability")))
        table.add_row(METHOD_NAMES[row.method], *cells, style="bold" if row.method == "circuit" else "")
    return table


def _faithfulness(row: "ScoreRow") -> str:
    return _cell(row.faithfulness) + (f"\n± {share(row.spread)}" if row.spread is not None else "")


def _cell(found: "Estimate") -> str:
    ends = interval(found).removesuffix(" %")
    return share(found.value) + (f"\n{ends}" if ends else "")


def curve(card: "Card") -> Table:
    """The curve with the first baseline: a row for each size, and the mean heights along it below."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    methods = [each for each in METHOD_NAMES if any(point.method == each for point in card.points)]
    for head in ("top", "units", "share"):
        table.add_column(head, justify="right", no_wrap=True)
    for method in methods:
        table.add_column(METHOD_NAMES[method], justify="right", no_wrap=True)
    some = [point for point in card.points if (point.baseline, point.metric) == (card.baselines[0], "value")]
    for top in dict.fromkeys(point.top for point in some):
        here = {point.method: point for point in some if point.top == top}
        first = here["circuit"]
        cells = [f"{share(here[each].faithfulness)}, {share(here[each].completeness)}" for each in methods]
        table.add_row(str(top), str(first.units), f"{100 * first.share:.1f} %", *cells)
    table.add_section()
    areas = {area.method: area for area in card.areas if (area.baseline, area.metric) == (card.baselines[0], "value")}
    means = [f"{share(areas[each].faithfulness)}, {share(areas[each].completeness)}" for each in methods]
    table.add_row("", "", "mean", *means)
    return table
