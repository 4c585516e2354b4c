"""A card as one HTML page that needs no server, no network, no script and no other file; light and dark."""

import base64
import hashlib
import html
import json
from importlib.resources import files
from typing import TYPE_CHECKING

from circuits.report import evaluation_tables as card_tables
from circuits.report.circuit_svg import safe_picture
from circuits.report.curve import beyond, curve_svg
from circuits.report.text import METHOD_NAMES, headline, interval, many, network_and_source, over_name, overshoot, share

if TYPE_CHECKING:
    from circuits.evaluation.card import Card


def to_html(card: "Card") -> str:
    """The card as a page: headline, scores beside controls, curve, photos, stability, and all settings."""
    style = _asset("circuit.css") + _asset("card.css")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{html.escape(_question(card))}</title>",
            f"<style>{style}</style>",
            "</head>",
            '<body class="scorecard">',
            _header(card),
            "<main>",
            _tiles(card),
            card_tables.scores(card),
            _curves(card),
            card_tables.photos(card),
            card_tables.stability(card),
            _reading(card),
            "</main>",
            _facts(card),
            "</body>",
            "</html>",
            "",
        ]
    )


def _asset(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _question(card: "Card") -> str:
    return f"How good is the circuit of “{card.circuit['target']['label']}”?"


def _header(card: "Card") -> str:
    picture = safe_picture(card.thumbnail)
    name = html.escape(card.circuit["photo"]["name"])
    image = f'<img src="{picture}" alt="The photo that the circuit was traced in">'
    figure = f"<figure>{image}<figcaption>{name}</figcaption></figure>" if picture else ""
    settings = card.circuit["settings"]
    layers = list(card.units)
    said = " · ".join(
        [
            network_and_source(card.network["name"], card.network["source"]),
            f"{len(layers)} layers, {layers[0]} to {layers[-1]}" if len(layers) > 1 else f"one layer, {layers[0]}",
            f"{card.circuit['units']} of {sum(card.widths.values())} units, {card.circuit['edges']} edges",
            f"mode {settings['mode']}, top {settings['top']}",
        ]
    )
    texts = [f'<p class="quiet">{html.escape(said)}</p>', f'<p class="lead">{html.escape(headline(card))}</p>']
    if above := overshoot(card):
        texts.append(f"<p>{html.escape(above)}</p>")
    texts += [f'<p class="remark">{html.escape(note)}</p>' for note in card.notes]
    return f"<header>{figure}<div><h1>{html.escape(_question(card))}</h1>{''.join(texts)}</div></header>"


def _tiles(card: "Card") -> str:
    """The four numbers that matter most, with the first baseline."""
    baseline = card.baselines[0]
    row = card.row("circuit", baseline=baseline)
    tiles = [
        ("Faithfulness", "of the target is kept by these units alone", row.faithfulness),
        ("Necessity", "of the target is lost without them", row.necessity),
    ]
    if row.edges is not None:
        tiles.append(("Edges", "of the target is carried by its edges alone", row.edges))
    shown = [_tile(name, share(found.value), interval(found), words) for name, words, found in tiles]
    if card.stability is not None and card.stability.edge_mean is not None:
        words = f"of its edges are found again in {many(card.changes, 'changed photo')}"
        shown.append(_tile("Stability", share(card.stability.edge_mean), "", words))
    about = html.escape(f"The score, with {baseline} ablation, over {over_name(card, card.main)}")
    return f'<section class="tiles" aria-label="{about}">{"".join(shown)}</section>'


def _tile(name: str, value: str, ends: str, words: str) -> str:
    between = f'<span class="ends">95 %: {ends}</span>' if ends else ""
    return f'<div class="tile"><h2>{name}</h2><p class="big">{value}</p>{between}<p class="quiet">{words}</p></div>'


_BEYOND = " Triangles lie beyond the drawing; point at one for its number."


def _curves(card: "Card") -> str:
    if not card.points:
        return ""
    figures = []
    for baseline in card.baselines:
        some = [point for point in card.points if (point.baseline, point.metric) == (baseline, "value")]
        found = [area for area in card.areas if (area.baseline, area.metric) == (baseline, "value")]
        for measure, said in (("faithfulness", "kept alone"), ("completeness", "left without them")):
            svg = curve_svg(some, measure, f"{measure} against size, {baseline} ablation")
            areas = ", ".join(f"{METHOD_NAMES[each.method]} {share(getattr(each, measure))}" for each in found)
            words = f"<b>{measure.capitalize()}</b> ({said}), {baseline} ablation. Mean height: {html.escape(areas)}."
            words += _BEYOND if beyond(some, measure) else ""
            figures += [f"<figure>{svg}<figcaption>{words}</figcaption></figure>"] if svg else []
    legend = "".join(
        f'<span><svg viewBox="0 0 34 9" aria-hidden="true"><path class="line {method}" d="M1 4.5H33"/></svg>'
        f"{METHOD_NAMES[method]}</span>"
        for method in dict.fromkeys(point.method for point in card.points)
    )
    tops = ", ".join(str(top) for top in dict.fromkeys(point.top for point in card.points))
    return (
        f'<section class="books"><h2>Score against size, {html.escape(over_name(card, card.main))}</h2>'
        f'<p class="legend">{legend}</p><div class="curves">{"".join(figures)}</div>'
        f'<p class="quiet">Circuits traced with {tops} units below each unit. The axis is logarithmic.</p></section>'
    )


_TERMS = (
    ("Ablated layers", "every layer below a unit that the circuit expands. Nothing else is touched."),
    (
        "Faithfulness",
        "(m(alone) − m(nothing)) / (m(whole) − m(nothing)): the circuit's units keep what arrives at them, every other "
        "channel of these layers is replaced. 100 % is all of the target, 0 % as if they were replaced too.",
    ),
    ("Necessity", "1 − the same for the rest without the circuit's units: what of the target is lost without them."),
    ("Edges", "faithfulness when every unit sees its own sources in the circuit and nothing else."),
    ("Zero and mean ablation", "what replaces a channel: silence, or its mean over a collection (see the settings)."),
    (
        "Intervals",
        "95 % percentile bootstrap over the photos; with few photos they say little. ± is the standard deviation over "
        "random draws.",
    ),
)


def _reading(card: "Card") -> str:
    rows = "".join(f"<dt>{name}</dt><dd>{html.escape(words)}</dd>" for name, words in _TERMS)
    rho = ", ".join(f"{layer} {_correlation(value)}" for layer, value in card.correlations.items())
    found = (
        "Rank correlation of attributions with those in the network with shuffled weights, by layer: "
        f"{html.escape(rho)}. Near 0 is what it should be."
    )
    told = f'<p class="quiet">{found}</p>' if rho else ""
    return f'<section class="books"><h2>How to read this</h2><dl class="terms">{rows}</dl>{told}</section>'


def _correlation(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _facts(card: "Card") -> str:
    facts = {
        "settings": {**card.settings, "circuit": card.circuit["settings"]},
        "versions": dict(card.versions),
        "network": card.network["sha256"],
        "circuit": card.circuit["sha256"],
    }
    text = html.escape(json.dumps(facts, ensure_ascii=False, indent=1))
    return (
        "<footer><details><summary>Settings, versions and fingerprints: the same give the same numbers</summary>"
        f'<pre class="code">{text}</pre></details></footer>'
    )
