"""What `circuits evaluate` prints: the headline, scores beside controls, the curve, and what is left out."""

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from circuits.evaluation.card_words import METHOD_NAMES, headline, interval, metric_name, over_name, overshoot, share

if TYPE_CHECKING:
    from circuits.evaluation.card import Card
    from circuits.evaluation.intervals import Estimate
    from circuits.evaluation.summing_up import Row


def report(console: Console, card: "Card") -> None:
    """Print a card."""
    console.print(headline(card), soft_wrap=True)
    if above := overshoot(card):
        console.print(above, soft_wrap=True)
    for over in dict.fromkeys((card.main, "own")):
        console.print(f"\nOver {over_name(card, over)}:")
        console.print(scores(card, over))
    if card.points:
        console.print(f"By size, {card.baselines[0]} ablation, over {over_name(card, card.main)}:")
        console.print(curve(card))
    if card.stability is not None:
        found = card.stability
        console.print(
            f"In {len(card.changes)} slightly changed photos {share(found.edge_mean)} of the edges and "
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


def scores(card: "Card", over: str) -> Table:
    """The circuit and its controls over some photos: each baseline a block."""
    chances = "probability" in card.metrics
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column("ablation", no_wrap=True)
    table.add_column("units", no_wrap=True)
    heads = ["faithfulness", "completeness", "necessity", "edges", *(["probability"] if chances else [])]
    for head in heads:
        table.add_column(head, justify="right")
    for baseline in card.baselines:
        for row in card.rows:
            if (row.over, row.baseline, row.metric) != (over, baseline, "value"):
                continue
            cells = [_faithfulness(row), _cell(row.completeness), _cell(row.necessity)]
            cells.append(_cell(row.edges) if row.edges is not None else "")
            if chances:
                beside = card.row(row.method, over=over, baseline=baseline, metric="probability")
                cells.append(_faithfulness(beside))
            style = "bold" if row.method == "circuit" else ""
            table.add_row(baseline, METHOD_NAMES[row.method], *cells, style=style)
        table.add_section()
    what = metric_name(card, "value")
    table.caption = f"of the {what}" + ("; the last column is the faithfulness of the probability" if chances else "")
    return table


def _faithfulness(row: "Row") -> str:
    spread = f" ± {share(row.spread)}" if row.spread is not None else ""
    return _cell(row.faithfulness, spread)


def _cell(found: "Estimate", spread: str = "") -> str:
    ends = interval(found)
    return f"{share(found.value)}{spread}" + (f"\n{ends}" if ends else "")


def curve(card: "Card") -> Table:
    """The curve with the first baseline: a row for each size, and the areas below."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    methods = [each for each in METHOD_NAMES if any(point.method == each for point in card.points)]
    for head in ("below each unit", "units", "share"):
        table.add_column(head, justify="right", no_wrap=True)
    for method in methods:
        table.add_column(f"{METHOD_NAMES[method]}\nfaithful, complete", justify="right", no_wrap=True)
    some = [point for point in card.points if (point.baseline, point.metric) == (card.baselines[0], "value")]
    for top in dict.fromkeys(point.top for point in some):
        here = {point.method: point for point in some if point.top == top}
        first = here["circuit"]
        cells = [f"{share(here[each].faithfulness)}, {share(here[each].completeness)}" for each in methods]
        table.add_row(str(top), str(first.units), f"{100 * first.share:.1f} %", *cells)
    table.add_section()
    areas = {area.method: area for area in card.areas if (area.baseline, area.metric) == (card.baselines[0], "value")}
    means = [f"{share(areas[each].faithfulness)}, {share(areas[each].completeness)}" for each in methods]
    table.add_row("mean height", "", "", *means)
    return table
