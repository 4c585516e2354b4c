"""A card as one HTML page that needs no server, no network, no script and no other file; light and dark."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from circuits.evaluation.card import Card
from circuits.evaluation.statistics import ScoreRow
from circuits.report.card_words import METHOD_NAMES, headline, left_out, metric_name, over_name, overshoot
from circuits.report.curve import beyond, curve_svg
from circuits.report.jinja import asset, fill_page, safe_picture
from circuits.report.text import network_and_source


def to_html(card: Card) -> str:
    """The card as a page: headline, scores beside controls, curve, photos, stability, and all settings."""
    target, settings = card.circuit["target"]["label"], card.circuit["settings"]
    fingerprints = {
        "settings": {**card.settings, "circuit": settings},
        "versions": dict(card.versions),
        "network": card.network["sha256"],
        "circuit": card.circuit["sha256"],
    }
    layers, start = list(card.units), " from the mean" if settings.get("baseline") == "mean" else ""
    return fill_page(
        "card.html.j2",
        style=asset("circuit.css") + asset("card.css"),
        card=card,
        question=f"How good is the circuit of “{target}”?",
        thumbnail=safe_picture(card.thumbnail),
        facts=[
            network_and_source(card.network["name"], card.network["source"]),
            f"{len(layers)} layers, {layers[0]} to {layers[-1]}" if len(layers) > 1 else f"one layer, {layers[0]}",
            f"{card.circuit['units']} of {sum(card.widths.values())} units, {card.circuit['edges']} edges",
            f"mode {settings['mode']}{start}, top {settings['top']}",
        ],
        left_out=left_out(card),
        headline=headline(card),
        overshoot=overshoot(card),
        over=over_name(card, card.main),
        main=card.row("circuit", baseline=card.baselines[0]),
        tables=list(_tables(card)),
        curves=list(_curves(card)),
        settings=json.dumps(fingerprints, ensure_ascii=False, indent=1),
    )


def _tables(card: Card) -> Iterator[dict[str, Any]]:
    """The scores of each group of photos and metric: of every method, those of every baseline."""
    groups = dict.fromkeys((row.over, row.metric) for row in card.rows)
    for over, metric in sorted(groups, key=lambda group: (group[0] != card.main, group[1] != "value")):
        rows = {(row.method, row.baseline): row for row in card.rows if (row.over, row.metric) == (over, metric)}
        what = f"{metric_name(card, metric)} of {card.circuit['target']['label']}"
        yield {
            "title": f"{what[0].upper()}{what[1:]}, {over_name(card, over)}",
            "low": _lowest(rows.values()),
            "with_edges": {baseline for (_, baseline), row in rows.items() if row.edges is not None},
            "methods": {
                method: [rows[method, baseline] for baseline in card.baselines]
                for method in METHOD_NAMES
                if any(method == each for each, _ in rows)
            },
        }


def _lowest(rows: Iterable[ScoreRow]) -> float:
    """Where the bars of a table begin: at nothing, or left of it where a score is negative, at most at −100 %."""
    scores = [score for row in rows for score in (row.faithfulness, row.completeness, row.edges) if score is not None]
    return max(-1.0, min([0.0, *(score.value for score in scores if score.value is not None)]))


def _curves(card: Card) -> Iterator[dict[str, Any]]:
    for baseline in card.baselines:
        points = [point for point in card.points if (point.baseline, point.metric) == (baseline, "value")]
        for measure, words in (("faithfulness", "kept alone"), ("completeness", "remaining when ablated")):
            svg = curve_svg(points, measure, f"{measure} against size, {baseline} ablation")
            if svg:
                yield {
                    "svg": svg,
                    "measure": measure,
                    "words": words,
                    "baseline": baseline,
                    "areas": [area for area in card.areas if (area.baseline, area.metric) == (baseline, "value")],
                    "beyond": beyond(points, measure),
                }
