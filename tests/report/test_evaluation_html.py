"""The page of a card: complete, safe, and readable on a small screen."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from circuits import Baseline, Card, evaluate, trace
from circuits.cli.evaluate import print_card
from circuits.evaluation.estimates import Estimate
from circuits.evaluation.stability import Stability
from circuits.evaluation.statistics import CurvePoint
from circuits.report.card_words import headline, interval, over_name, overshoot
from circuits.report.curve import beyond, curve_svg
from circuits.report.text import number, share
from tests.support.handmade import colour_photo, handmade_network


@pytest.fixture(scope="module")
def card() -> Card:
    network = handmade_network()
    circuit = trace(network, colour_photo(), "warm", depth=2, top=2)
    others = [colour_photo(0.5, 0.5, 1.0), colour_photo(1.0, 0.75, 0.0)]
    return evaluate(
        network,
        circuit,
        others,
        resamples=20,
        draws=2,
        ladder=(1, 2),
        stability=2,
        baselines=[Baseline.zero()],
        all_photos=True,
    )


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "rect", "line", "polyline", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def test_the_page_says_every_number_of_its_tables_and_loads_nothing(card: Card) -> None:
    text = card.to_html()
    page = Page(text)
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe")]
    assert all(str(attrs["src"]).startswith("data:image/") for tag, attrs in page.tags if tag == "img")
    [policy] = [attrs["content"] for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy).startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert headline(card) in page.text
    for row in card.rows:
        assert share(row.faithfulness.value) in page.text
        assert interval(row.completeness) in page.text
    for photo in card.photos:
        assert photo.name in page.text
    assert "another class" in page.text
    assert "mirrored; shifted" in page.text
    assert card.network["sha256"] in page.text
    assert "(kept alone), zero ablation. Area under the curve: this circuit " in page.text
    assert [tag for tag, attrs in page.tags if attrs.get("class") == "curve"] == ["svg", "svg"]


def test_what_people_named_is_shown_as_text(card: Card) -> None:
    evil = "<img src=x onerror=alert(1)>"
    circuit = {**card.circuit, "target": {**card.circuit["target"], "label": evil}}
    circuit["photo"] = {**circuit["photo"], "name": evil}
    photos = tuple(replace(photo, name=evil) for photo in card.photos)
    marked = replace(card, circuit=circuit, photos=photos, network={**card.network, "name": evil}, notes=(evil,))
    text = marked.to_html()
    assert evil not in text
    assert not [attrs for tag, attrs in Page(text).tags if tag == "img" and attrs.get("src") == "x"]
    assert Page(text).text.count(evil) >= 6


def test_a_thumbnail_that_is_no_picture_is_left_out(card: Card) -> None:
    page = Page(replace(card, thumbnail="javascript:alert(1)").to_html())
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_a_notebook_shows_the_page_in_a_frame(card: Card) -> None:
    shown = card._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')
    assert shown.endswith('title="Scores of a circuit"></iframe>')


def test_an_evaluation_of_little_makes_a_page_too() -> None:
    network = handmade_network()
    circuit = trace(network, colour_photo(), "conv2:0@1,1", depth=1, top=2)
    bare = evaluate(network, circuit, controls=False, ladder=(), stability=0)
    page = Page(bare.to_html())
    assert "of the activation of conv2:0@1,1" in page.text
    assert "one layer, conv1" in page.text
    assert "Score against size" not in page.text
    assert "found again" not in page.text


def test_scores_are_written_for_people() -> None:
    assert (share(0.5), share(1.2), share(-0.004), share(123.4), share(-12.6)) == (
        "50 %",
        "120 %",
        "0 %",
        "12340 %",
        "−1260 %",
    )
    assert interval(Estimate(0.5, -0.1, 0.6)) == "−10 to 60 %"
    assert interval(Estimate(0.5, 0.1, 60.0)) == "10 to 6000 %"


def test_a_score_above_one_is_explained_where_there_is_one(card: Card) -> None:
    assert overshoot(card).startswith("More than 100 % is no error")
    calm = tuple(
        replace(row, faithfulness=Estimate(0.5), necessity=Estimate(0.5)) if row.method == "circuit" else row
        for row in card.rows
    )
    assert overshoot(replace(card, rows=calm)) == ""


def test_a_score_that_is_not_defined_is_said(card: Card) -> None:
    undefined = tuple(replace(row, faithfulness=Estimate(None), necessity=Estimate(None)) for row in card.rows)
    values = card.row("circuit").values
    assert headline(replace(card, rows=undefined)) == (
        f"No share of the logit of warm can be given for these {card.circuit['units']} units over "
        f"{over_name(card, card.main)}. It is {number(values.whole)} in the whole network, {number(values.alone)} "
        "with them "
        f"alone, {number(values.without)} without them, {number(values.nothing)} with all channels of these layers "
        "ablated."
    )


def point(share_of_units: float, value: float | None, method: str = "circuit") -> CurvePoint:
    return CurvePoint("own", "zero", "value", method, 1, round(1000 * share_of_units), share_of_units, value, value)


def test_the_curve_is_drawn_to_scale() -> None:
    svg = curve_svg([point(0.01, 0.0), point(0.1, 0.5), point(1.0, 1.0)], "faithfulness", "title")
    [places] = re.findall(r'<polyline class="line circuit" points="([^"]*)"/>', svg)
    (x1, y1), (x2, y2), (x3, y3) = [tuple(map(float, place.split(","))) for place in places.split()]
    assert x2 == pytest.approx((x1 + x3) / 2, abs=0.1)
    assert y2 == pytest.approx((y1 + y3) / 2, abs=0.1)
    assert x1 < x3
    assert y1 > y3
    ticks = re.findall(r'text-anchor="end">([^<]*)</text>', svg)
    assert ticks == ["0 %", "25 %", "50 %", "75 %", "100 %"]
    assert re.findall(r'text-anchor="middle">([\d.]+ %)</text>', svg) == [
        "1 %",
        "2 %",
        "5 %",
        "10 %",
        "20 %",
        "50 %",
        "100 %",
    ]


def test_the_axis_has_a_line_at_nothing_and_at_all_whatever_the_scores() -> None:
    svg = curve_svg([point(0.01, -0.1), point(0.1, 1.8), point(0.2, 40.0)], "faithfulness", "title")
    ticks = re.findall(r'text-anchor="end">([^<]*)</text>', svg)
    assert ticks == ["−50 %", "0 %", "50 %", "100 %", "150 %", "200 %", "250 %"]
    assert svg.count('class="axis"') == 2
    for low, high in ((-0.05, 1.46), (-0.2, 1.0), (0.0, 1.3), (-0.6, 1.2)):
        svg = curve_svg([point(0.01, low), point(0.1, high)], "faithfulness", "title")
        assert {"0 %", "100 %"} <= set(re.findall(r'text-anchor="end">([^<]*)</text>', svg))
        assert svg.count('class="axis"') == 2
    assert curve_svg([point(0.1, None)], "faithfulness", "title") == ""


def test_a_point_beyond_the_drawing_is_a_triangle_at_its_border(card: Card) -> None:
    points = [point(0.01, -3.0), point(0.1, 0.5), point(1.0, 40.0)]
    svg = curve_svg(points, "faithfulness", "title")
    low, high = [
        [tuple(map(float, place.split(","))) for place in places.split()]
        for places in re.findall(r'<polygon class="dot circuit" points="([^"]*)">', svg)
    ]
    assert low[2][1] > low[0][1] == low[1][1]
    assert high[2][1] < high[0][1] == high[1][1]
    assert svg.count("<circle") == 1
    assert "10 units: -3.00" in svg
    assert beyond(points, "faithfulness")
    edge = [point(0.01, -1.0), point(0.1, None), point(1.0, 2.5)]
    assert not beyond(edge, "faithfulness")
    assert "<polygon" not in curve_svg(edge, "faithfulness", "title")
    words = "Triangles lie beyond the drawing; point at one for its number."
    far = replace(card, points=tuple(replace(each, faithfulness=40.0, completeness=0.5) for each in card.points))
    near = replace(card, points=tuple(replace(each, faithfulness=0.5, completeness=0.5) for each in card.points))
    assert (Page(far.to_html()).text.count(words), Page(near.to_html()).text.count(words)) == (1, 0)


def test_a_stability_of_no_edge_is_not_told_and_one_photo_is_one(card: Card) -> None:
    none = replace(card, stability=Stability({}, {}, (("conv1:0", "conv2:0"),)))
    shown = StringIO()
    print_card(Console(file=shown, width=200), none)
    assert "changed photo" not in shown.getvalue()
    text = Page(none.to_html()).text
    assert "changed photos" not in text
    assert "1 edge was not judged" in text
    one = replace(card, changes=card.changes[:1])
    shown = StringIO()
    print_card(Console(file=shown, width=200), one)
    assert "In 1 slightly changed photo 100 % of the edges" in shown.getvalue()
    assert "in 1 changed photo: mirrored." in Page(one.to_html()).text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_a_screen(card: Card, browser: Any, tmp_path: Path, scheme: str) -> None:
    file = tmp_path / "card.html"
    file.write_text(card.to_html(), encoding="utf-8")
    for width in (360, 1280):
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".tile").count() == 4
        assert page.locator("h1").evaluate("e => getComputedStyle(e).color") == (
            "rgb(29, 27, 24)" if scheme == "light" else "rgb(240, 236, 228)"
        )
        assert said == []
        browser.close_page(page)
