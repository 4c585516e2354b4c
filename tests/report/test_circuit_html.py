"""The page of a circuit is whole, harmless, and works in a browser without a server."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from circuits import Circuit, InputError, discard, load_photo, mean_of_photos, measure, to_html, trace
from circuits.network.network import Network
from circuits.network.prepare import prepare
from circuits.report.layout import WRAP, Slot, layered
from circuits.report.sentences import as_text, circuit_in_words, unit_in_words
from circuits.report.text import percent
from tests.support.handmade import Handmade, colour_photo, handmade_network
from tests.support.verified import halves, logic

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'&amp;"
CALLED = "</script><svg onload=\"document.title='owned'\">"
VOID = {"meta", "img", "link", "br", "input"}


class Outline(HTMLParser):
    """Elements and texts of a page; fails where tags do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        return [found for name, found in self.elements if name == tag and kind in (found.get("class") or "").split(" ")]


@pytest.fixture(scope="module")
def circuit() -> Circuit:
    return trace(handmade_network(), colour_photo(), "warm", depth=2, signs="both")


def hostile_circuit() -> Circuit:
    network = handmade_network()
    named: Network = prepare(
        Handmade(),
        name=HOSTILE,
        source=HOSTILE,
        preprocessing=network.preprocessing,
        labels=[HOSTILE, "cold"],
        check=False,
    )
    photo = load_photo(colour_photo().image, name=HOSTILE)
    traced = trace(named, photo, 0, depth=2)
    return traced.with_note(traced.root, HOSTILE + "\u2028").with_name("conv2:0", CALLED)


def embedded(page: str) -> Circuit:
    found = re.search(r'<script type="application/json" id="circuit">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return Circuit.from_dict(json.loads(found[1]))


def test_every_unit_and_edge_is_drawn_once_with_its_name(circuit: Circuit) -> None:
    outline = Outline(to_html(circuit))
    nodes = outline.all("a", "node")
    assert {node["data-id"] for node in nodes} == set(circuit.visible)
    assert len(nodes) == len(circuit.visible)
    drawn = {
        (edge["data-source"], edge["data-target"]) for edge in outline.all("path", "edge") if "data-source" in edge
    }
    assert drawn == set(circuit.graph.edges)
    assert {"fc", "conv2", "conv1"} <= set(outline.texts)


def test_a_persons_name_and_note_are_shown_in_the_graph_and_the_books(circuit: Circuit) -> None:
    page = to_html(circuit.with_name("conv2:0", "reds & roses").with_note("conv2:0", "see <photo 3>"))
    outline = Outline(page)
    (node,) = (node for node in outline.all("a", "node") if node["data-id"] == "conv2:0")
    assert node["aria-label"] == "reds & roses (conv2:0), value 24.0"
    assert "reds & roses ✎" in outline.texts
    assert "conv2:0 “reds & roses”" in outline.texts
    assert "see <photo 3>" in outline.texts
    assert "“" not in "".join(Outline(to_html(circuit)).texts).replace("Why warm?", "")


def test_edges_that_ablation_contradicts_are_dashed_and_say_what_it_found() -> None:
    traced = trace(handmade_network(), colour_photo(0.3, 0.5), "conv2:0", depth=1, signs="both")
    assert "disagrees" not in re.sub(r"<(style|script)>.*?</\1>", "", to_html(traced), flags=re.DOTALL)
    outline = Outline(to_html(measure(handmade_network(), traced)))
    edges = {edge["data-source"]: edge["class"] for edge in outline.all("path", "edge") if "data-source" in edge}
    assert edges == {"conv1:0": "edge for disagrees", "conv1:1": "edge against"}
    assert "conv1:0 → conv2:0: +9.54, by ablation +1.51; ablation disagrees" in outline.texts
    assert any("dashed: ablation disagrees" in text for text in outline.texts)


def test_edges_that_cancel_or_are_saturated_have_a_sign_that_the_legend_explains() -> None:
    cancels = halves([1.0, 1.0, 1.0], [-0.95, 0.0, 0.0])
    circuit = measure(cancels, trace(cancels, colour_photo(1.0, 1.0, 0.0), "yes", depth=1))
    outline = Outline(to_html(circuit))
    signs = {(mark["data-source"], mark["data-target"]) for mark in outline.all("text", "doubt")}
    assert signs == {("conv1:0", "fc:0")}
    assert "conv1:0 → fc:0: +0.400, by ablation +0.400; parts cancel" in outline.texts
    assert any(text.startswith(" parts cancel: the unit excites in some places") for text in outline.texts)
    assert not any("saturated" in text for text in outline.texts if "function" not in text)
    network = logic()
    circuit = measure(network, trace(network, colour_photo(1.0, 1.0, 0.0), "leaky", depth=2))
    outline = Outline(to_html(circuit))
    signs = {(mark["data-source"], mark["data-target"]) for mark in outline.all("text", "doubt")}
    assert signs == {("conv1:0", "top:1"), ("conv1:1", "top:1")}
    assert "conv1:0 → top:1: +1.60, by ablation +1.60; saturated" in outline.texts
    assert any(text.startswith(" saturated or past a threshold: gradients integrated") for text in outline.texts)


def test_negative_edges_are_marked_and_wider_ones_account_for_more(circuit: Circuit) -> None:
    edges = {
        edge["data-source"]: edge for edge in Outline(to_html(circuit)).all("path", "edge") if "data-source" in edge
    }
    assert edges["conv2:0"]["class"] == "edge for"
    assert edges["conv2:1"]["class"] == "edge against"
    assert float(edges["conv2:0"]["stroke-width"] or 0) > float(edges["conv2:1"]["stroke-width"] or 0)


def test_the_books_of_every_unit_stand_in_the_table(circuit: Circuit) -> None:
    page = to_html(circuit)
    row = page[page.index('<tr id="unit-0">') : page.index('<tr id="unit-1">')]
    cells = re.findall(r"<td>(.*?)</td>", row)
    books = circuit.nodes[circuit.root].books
    assert books is not None
    assert cells == ["3.84", "+3.74", "0", "+0.100", "100 %"]
    assert [books.value, books.shown, books.rest, books.bias] == pytest.approx([3.84, 3.74, 0, 0.1], abs=5e-3)


def test_every_unit_leads_to_its_row_without_a_script(circuit: Circuit) -> None:
    outline = Outline(to_html(circuit))
    rows = {row["id"] for row in outline.all("tr") if "id" in row}
    assert {node["href"] for node in outline.all("a", "node")} == {f"#{row}" for row in rows}


def test_the_page_carries_the_circuit_itself(circuit: Circuit) -> None:
    assert embedded(to_html(circuit)) == circuit


def test_the_same_circuit_gives_the_same_page(circuit: Circuit) -> None:
    assert to_html(circuit) == to_html(Circuit.from_dict(circuit.to_dict()))


def test_discarded_units_and_what_only_they_need_are_left_out(circuit: Circuit) -> None:
    smaller = discard(circuit, "conv2:0")
    page = to_html(smaller)
    assert {node["data-id"] for node in Outline(page).all("a", "node")} == set(smaller.visible)
    assert "conv2:0" not in smaller.visible
    assert f"Not shown: {len(smaller.nodes) - len(smaller.visible)} discarded" in page


def test_pictures_given_win_over_those_carried_and_both_are_packed_into_the_page(circuit: Circuit) -> None:
    from circuits.image.encode import from_data_uri, to_data_uri

    blue = to_data_uri(Image.new("RGB", (8, 8), "blue"), lossless=True)
    carrying = circuit.with_pictures(dict.fromkeys(circuit.nodes, blue))
    outline = Outline(to_html(carrying, pictures={circuit.root: Image.new("RGB", (8, 8), "red")}))
    images = [image["href"] or "" for image in outline.all("image")]
    assert len(images) == len(circuit.visible)
    assert from_data_uri(images[0]).getpixel((4, 4))[0] > 200
    assert from_data_uri(images[1]).getpixel((4, 4)) == (0, 0, 255)


def test_a_unit_without_a_picture_shows_where_it_fired_or_says_that_it_has_none(circuit: Circuit) -> None:
    outline = Outline(to_html(circuit))
    assert outline.texts.count("no picture") == len(circuit.visible)
    assert outline.all("image") == []
    both = {circuit.root: Image.new("RGB", (8, 8))}
    (fired,) = Outline(to_html(circuit, heat_maps=both)).all("g", "look")
    assert (fired["class"], "visibility" in fired) == ("look heat", False)
    (_, fired) = Outline(to_html(circuit, heat_maps=both, pictures=both)).all("g", "look")
    assert (fired["class"], fired["visibility"]) == ("look heat", "hidden")


@pytest.mark.parametrize(
    ("look", "first", "second"),
    [("picture", "picture", "patch"), ("patch", "patch", "patch"), ("heat", "heat", "patch")],
)
def test_units_show_what_is_asked_for_or_else_what_they_have(
    circuit: Circuit, look: str, first: str, second: str
) -> None:
    other = circuit.edges_into(circuit.root)[0].source
    image = Image.new("RGB", (8, 8))
    patches = {circuit.root: image, other: image}
    page = to_html(circuit, pictures={circuit.root: image}, patches=patches, heat_maps={circuit.root: image}, look=look)
    shown = [each["class"] for each in Outline(page).all("g", "look") if "visibility" not in each]
    assert shown == [f"look {first}", f"look {second}"]
    pressed = [each["data-look"] for each in Outline(page).all("button") if each.get("aria-pressed") == "true"]
    assert pressed == [look]


def test_what_units_cannot_show_is_refused(circuit: Circuit) -> None:
    with pytest.raises(InputError, match=r"Units cannot show 'x-ray'; choose one of picture, patch, heat\."):
        to_html(circuit, look="x-ray")


def test_every_unit_says_its_share_of_the_unit_that_it_feeds_most(circuit: Circuit) -> None:
    outline = Outline(to_html(circuit))
    texts = outline.texts
    above = circuit.edges_into(circuit.root)
    assert [percent(circuit.share(edge)) for edge in above] == ["86 %", "\N{MINUS SIGN}14 %"]
    assert "value 3.84" in texts
    assert {"86 %", "\N{MINUS SIGN}14 %"} <= set(texts)
    assert [text["class"] for text in outline.all("text", "inhibits")] == ["share inhibits"] * 2
    assert circuit_in_words(circuit) in texts
    says = {node["data-id"]: node.get("data-says") for node in outline.all("a", "node")}
    assert says == {name: as_text(circuit, unit_in_words(circuit, name)) or None for name in circuit.visible}


def test_long_names_are_written_whole(circuit: Circuit) -> None:
    name = "the left-facing head of a very long-haired dog, " + "x" * 30
    outline = Outline(to_html(circuit.with_name("conv2:0", name)))
    at = outline.texts.index("the left-facing")
    lines = [text for text in outline.texts[at : at + 30] if text.strip()]
    assert "".join(lines[:6]).replace(" ", "").startswith(name.replace(" ", ""))


def test_nothing_is_loaded_from_anywhere(circuit: Circuit) -> None:
    page = to_html(circuit, heat_maps={circuit.root: Image.new("RGB", (8, 8))})
    for _, attributes in Outline(page).elements:
        for key in ("src", "href", "action", "data", "poster", "srcset"):
            address = attributes.get(key)
            assert address is None or address.startswith(("data:image/", "#"))
    assert "http" not in page.replace("http-equiv", "")


def test_the_policy_lets_run_only_the_script_and_style_of_the_page(circuit: Circuit) -> None:
    page = to_html(circuit)
    (policy,) = [meta["content"] for meta in Outline(page).all("meta") if meta.get("http-equiv")]
    assert policy is not None
    for tag in ("script", "style"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    assert not any("style" in attributes or "onclick" in attributes for _, attributes in Outline(page).elements)


def test_hostile_names_and_notes_stay_text() -> None:
    circuit = hostile_circuit()
    page = to_html(circuit)
    outline = Outline(page)
    assert len(outline.all("script")) == 2
    assert not any("onerror" in attributes for _, attributes in outline.elements)
    assert outline.all("img")[0]["alt"] == "The photo as the network sees it"
    assert len(outline.all("img")) == 1
    assert sum(HOSTILE in text for text in outline.texts) >= 4
    assert embedded(page) == circuit


def test_a_wide_layer_is_broken_into_rows_and_no_two_units_share_a_place(circuit: Circuit) -> None:
    graph = circuit.unfrozen()
    plain = {**graph.nodes["conv1:0"], "expanded": False}
    for channel in range(10, 10 + 2 * WRAP):
        graph.add_node(f"conv1:{channel}", **{**plain, "channel": channel, "label": f"conv1:{channel}"})
        graph.add_edge(f"conv1:{channel}", "conv2:0", attribution=0.1, rank=channel)
    wide = Circuit(graph, circuit.photo)
    places = layered(wide)
    assert set(places) == set(wide.visible)
    assert len({(at.column, at.line) for at in places.values()}) == len(places)
    assert max(at.column for at in places.values()) < WRAP / 2
    assert max(at.line for at in places.values()) == 2 + (len(places) - 3 - 1) // WRAP
    assert places[wide.root] == Slot(0.0, 0, 0)
    Outline(to_html(wide))


def test_a_notebook_gets_the_page_in_a_frame_of_its_own(circuit: Circuit) -> None:
    (frame,) = Outline(circuit._repr_html_()).all("iframe")
    assert frame["srcdoc"] == to_html(circuit)


@pytest.fixture
def opened(browser: Any) -> Iterator[tuple[Any, list[str]]]:
    """A fresh page, and what it complains about or asks the network for."""
    page = browser.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if request.url.startswith("http") else None)
    yield page, troubles
    browser.close_page(page)


def test_in_a_browser_a_click_shows_the_books_and_the_edges(
    circuit: Circuit, opened: tuple[Any, list[str]], tmp_path: Path
) -> None:
    page, troubles = opened
    (tmp_path / "page.html").write_text(to_html(circuit), "utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    details = page.get_by_role("complementary", name="Details of the chosen unit")
    assert details.locator(".name").inner_text() == "warm"
    page.get_by_role("link", name="conv2:0, value").click()
    assert details.locator(".name").inner_text() == "conv2:0"
    books = circuit.nodes["conv2:0"].books
    assert books is not None
    assert "shown (2)\n+24.0" in details.inner_text()
    assert books.shown == pytest.approx(24.0, abs=0.05)
    details.get_by_role("button", name="warm").click()
    assert details.locator(".name").inner_text() == "warm"
    assert page.evaluate("document.activeElement.dataset.id") == "fc:0"
    page.keyboard.press("ArrowDown")
    assert details.locator(".name").inner_text() == "conv2:0"
    assert troubles == []


def test_in_a_browser_the_details_show_a_persons_name_and_what_ablation_found(
    circuit: Circuit, opened: tuple[Any, list[str]], tmp_path: Path
) -> None:
    page, troubles = opened
    named = measure(handmade_network(), circuit).with_name("conv2:0", "reds").with_name("fc:0", "hot")
    (tmp_path / "page.html").write_text(to_html(named), "utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    details = page.get_by_role("complementary", name="Details of the chosen unit")
    assert details.locator(".name").inner_text() == "hot"
    assert details.locator("p.quiet").all_inner_texts() == ["warm", "fc:0"]
    details.get_by_role("button", name="reds").click()
    assert details.locator(".name").inner_text() == "reds"
    assert details.locator("p.quiet").all_inner_texts() == ["conv2:0"]
    assert "+32.0 · 80 %\nablated +24.0" in details.inner_text()
    assert troubles == []


def test_in_a_browser_the_details_say_how_well_attribution_and_ablation_agree(
    opened: tuple[Any, list[str]], tmp_path: Path
) -> None:
    page, troubles = opened
    network, dim = logic(), mean_of_photos(logic(), [colour_photo(0.0, 0.0, 0.0)], source="black")
    circuit = measure(network, trace(network, colour_photo(1.0, 1.0, 0.0), "leaky", depth=2), baseline=dim)
    details = page.get_by_role("complementary", name="Details of the chosen unit")
    (tmp_path / "page.html").write_text(to_html(circuit), "utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    details.get_by_role("button", name="top:1").click()
    said = details.inner_text()
    assert "+1.60 · 50 %\nablated +1.60\nto its mean +1.60" in said
    assert details.locator(".warned").all_inner_texts() == ["∫ saturated: integrated +9.60"] * 2
    assert details.locator(".agreement").all_inner_texts() == [
        f"Set to {what}: rank correlation 1.00 over 3 units; attributions off by 0 %; all together +19.2."
        for what in ("zero", "their mean over black (1 photo)")
    ]
    (tmp_path / "page.html").write_text(to_html(discard(circuit, "conv1:0")), "utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    details.get_by_role("button", name="top:1").click()
    assert details.locator(".agreement").first.inner_text() == "Set to zero: rank correlation 1.00 over 3 units."
    assert troubles == []


def test_in_a_browser_the_switch_changes_what_all_units_show(
    circuit: Circuit, opened: tuple[Any, list[str]], tmp_path: Path
) -> None:
    page, troubles = opened
    image = Image.new("RGB", (8, 8))
    patches = dict.fromkeys(circuit.visible, image)
    (tmp_path / "page.html").write_text(to_html(circuit, pictures={circuit.root: image}, patches=patches), "utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    # The target has both; of the others there is only a patch, which they go on showing.
    shown = (
        "looks => looks.filter(each => getComputedStyle(each).visibility === 'visible').map(each => each.classList[1])"
    )
    looks = page.locator("svg.map .look")
    assert sorted(looks.evaluate_all(shown)) == ["patch"] * (len(circuit.visible) - 1) + ["picture"]
    page.get_by_role("button", name="Patch").click()
    assert looks.evaluate_all(shown) == ["patch"] * len(circuit.visible)
    assert page.get_by_role("button", name="Patch").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Picture").click()
    assert sorted(looks.evaluate_all(shown)) == ["patch"] * (len(circuit.visible) - 1) + ["picture"]
    assert troubles == []


def test_in_a_browser_the_circuit_can_be_saved_again(
    circuit: Circuit, opened: tuple[Any, list[str]], tmp_path: Path
) -> None:
    page, troubles = opened
    (tmp_path / "page.html").write_text(to_html(circuit), "utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the circuit as JSON").click()
    assert download.value.suggested_filename == "colour--warm--circuit.json"
    download.value.save_as(tmp_path / "saved.json")
    assert (tmp_path / "saved.json").read_text("utf-8") == circuit.to_json_text()
    assert troubles == []


def test_in_a_browser_hostile_names_run_nothing(opened: tuple[Any, list[str]], tmp_path: Path) -> None:
    page, troubles = opened
    (tmp_path / "page.html").write_text(to_html(hostile_circuit()), "utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    page.locator("a.node").nth(1).click()
    page.locator("a.node").nth(0).click()
    assert page.locator("#details .name").inner_text() == HOSTILE
    assert page.locator("#details .remark").inner_text().startswith(HOSTILE)
    page.get_by_role("link", name="(conv2:0), value").click()
    assert page.locator("#details .name").inner_text() == CALLED
    assert page.title() == f"Why {HOSTILE}?"
    assert troubles == []
