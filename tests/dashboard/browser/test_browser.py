"""What a person does, in a real browser; an error in its console fails the test."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from circuits.image.photo import Photo
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.app import Page
from tests.support.places import outcome
from tests.support.pretend import PaintedGallery

Open = Callable[..., Any]
UPDATE = re.compile("_dash-update-component")


@pytest.fixture
def tab(open_tab: Open, served: str, expect: Any) -> Any:
    """The page, opened, with its predictions there."""
    opened = open_tab(served)
    expect(opened.get_by_role("button", name=re.compile("^why ")).first).to_be_visible()
    return opened


def unit(tab: Any, name: str) -> Any:
    """The button of a unit in the graph."""
    return tab.locator(f'.unit[data-id="{name}"]')


def why(tab: Any, expect: Any, label: str = "tree") -> list[str]:
    """Ask why; the ids of the units that are drawn."""
    tab.locator("#predictions").get_by_role("button", name=f"why {label}?").click()
    expect(tab.locator(".unit.root")).to_have_count(1)
    return tab.locator(".unit").evaluate_all("units => units.map(unit => unit.dataset.id)")


def upload(tab: Any, field: str, name: str, data: bytes, kind: str = "image/png") -> None:
    """Choose a file in one of the two fields."""
    file = {"name": name, "mimeType": kind, "buffer": data}
    tab.locator(f"#{field} input[type=file]").set_input_files(file)


def test_upload_why_expand_export(tab: Any, expect: Any, photo: Photo, tmp_path: Path) -> None:
    photo.image.save(tmp_path / "mine.png")
    upload(tab, "photo-upload", "mine.png", (tmp_path / "mine.png").read_bytes())
    expect(tab.locator("#photo")).to_contain_text("mine.png")
    names = why(tab, expect)
    leaf = next(name for name in names if name.startswith("b:"))
    unit(tab, leaf).dblclick()
    expect(unit(tab, leaf)).to_have_class(re.compile("expanded"))
    expect(tab.locator(".unit")).not_to_have_count(len(names))
    with tab.expect_download() as waiting:
        tab.locator("#export-menu summary").click()
        tab.locator("#export-menu a").first.click()
    assert waiting.value.suggested_filename == "mine--tree--circuit.json"
    data = json.loads(Path(waiting.value.path()).read_text("utf-8"))
    circuit = Circuit.from_dict(data)
    assert circuit.nodes[leaf].expanded
    graph = nx.node_link_graph(data, edges="edges")
    assert graph.has_edge(circuit.edges_into(leaf)[0].source, leaf)
    assert circuit.photo_info.name == "mine.png"


def test_pictures_appear_and_the_progress_ends(tab: Any, expect: Any, gallery: PaintedGallery) -> None:
    gallery.gate.clear()
    why(tab, expect)
    expect(tab.locator("#status-text")).to_contain_text("Rendering tree: 0 of ")
    expect(tab.locator("#status-meter")).to_be_visible()
    gallery.gate.set()
    expect(tab.locator('.frame:not([data-state="ready"])')).to_have_count(0)
    expect(tab.locator("#status-text")).to_have_text(re.compile(r"^\d+ units and the class, \d+ edges$"))
    expect(tab.locator("#status-meter")).to_be_hidden()
    expect(tab.get_by_alt_text("What tree looks for")).to_be_visible()
    expect(tab.locator(".unit img").first).to_have_js_property("naturalWidth", 96)


def test_a_preview_is_refined_in_place_and_replaced_by_the_picture(
    tab: Any, expect: Any, gallery: PaintedGallery
) -> None:
    gallery.gate.clear()
    gallery.sketches.put(16)
    why(tab, expect)
    root, large = unit(tab, "fc:2"), tab.locator("#unit figure").first
    for step in (16, 64):
        said = f"still being drawn, step {step} of 256"
        expect(root).to_have_attribute("title", re.compile(said))
        expect(root).to_have_attribute("aria-label", re.compile(said))
        expect(root.locator(".frame")).to_have_attribute("data-state", "drawing")
        expect(large.get_by_alt_text("What tree looks for, unfinished")).to_be_visible()
        expect(large.locator("img")).to_have_attribute("src", root.locator("img").get_attribute("src"))
        expect(large.locator("figcaption")).to_have_text(said)
        expect(root.locator("img")).to_have_js_property("naturalWidth", 48)
        if step == 16:
            for image in (root.locator("img"), large.locator("img")):
                image.evaluate("image => { image.same = true; }")
            gallery.sketches.put(64)
    expect(large.locator("img")).to_have_js_property("same", True)
    gallery.gate.set()
    expect(root.locator(".frame")).to_have_attribute("data-state", "ready")
    expect(root.locator("img")).to_have_attribute("src", f"picture/{gallery.key(Unit('fc', 2))}.webp")
    expect(root.locator("img")).to_have_js_property("naturalWidth", 96)
    expect(root).not_to_have_attribute("title", re.compile("still being drawn"))
    expect(large.locator("figcaption")).to_have_text("activation 12.0 in this picture")
    expect(large.get_by_alt_text("What tree looks for", exact=True)).to_have_js_property("naturalWidth", 96)
    expect(root.locator("img")).to_have_js_property("same", True)


def test_a_cancelled_preview_goes_and_a_dead_unit_says_so(tab: Any, expect: Any, gallery: PaintedGallery) -> None:
    gallery.gate.clear()
    gallery.dead_units.add(Unit("fc", 2))
    gallery.sketches.put(16)
    why(tab, expect)
    root, large = unit(tab, "fc:2"), tab.locator("#unit figure").first
    expect(large.get_by_alt_text("What tree looks for, unfinished")).to_be_visible()
    tab.get_by_role("button", name="Cancel").click()
    expect(root.locator(".frame")).to_have_attribute("data-state", "none")
    expect(root.locator(".frame")).to_have_attribute("data-shows", "patch")
    expect(large).to_contain_text("not drawn yet")
    gallery.gate.set()
    tab.get_by_role("button", name="Resume").click()
    expect(root.locator(".frame")).to_have_attribute("data-state", "dead")
    expect(root).to_have_attribute("aria-label", re.compile("no image was found that activates this unit"))
    expect(large).to_contain_text("no image was found that activates this unit")
    expect(large.locator("img")).to_have_count(0)


def test_the_page_answers_while_pictures_are_rendered_and_cancel_stops_them(
    tab: Any, expect: Any, gallery: PaintedGallery
) -> None:
    gallery.gate.clear()
    names = why(tab, expect)
    child = next(name for name in names if name.startswith("c:"))
    unit(tab, child).click()
    expect(tab.locator("#unit .unit-title")).to_have_text(child)
    tab.get_by_role("button", name="Cancel").click()
    expect(tab.locator("#status-text")).to_contain_text("Rendering cancelled; ")
    gallery.gate.set()
    tab.get_by_role("button", name="Resume").click()
    expect(tab.locator('.frame[data-state="ready"]')).to_have_count(len(names))


def test_a_bad_file_is_a_toast_and_the_work_stays(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    upload(tab, "photo-upload", "notes.txt", b"hello", "text/plain")
    expect(tab.get_by_role("alert").last).to_contain_text("notes.txt is not an image that can be read")
    upload(tab, "circuit-upload", "no.json", b"{}", "application/json")
    expect(tab.get_by_role("alert").last).to_contain_text("This is no circuit")
    upload(tab, "circuit-upload", "diary.json", b"Dear diary", "application/json")
    expect(tab.get_by_role("alert").last.locator("code")).to_have_text("circuits trace -o")
    expect(tab.locator(".unit")).to_have_count(len(names))
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("alert")).to_have_count(2)


def test_a_file_over_the_limit_is_refused_before_it_is_sent(tab: Any, expect: Any) -> None:
    tab.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(11 * 2 ** 20 + 1)], "huge.png", { type: "image/png" }));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }""")
    expect(tab.get_by_role("alert")).to_contain_text("huge.png is larger than 11 MiB")


def test_a_photo_can_be_dropped_anywhere_and_pasted(tab: Any, expect: Any) -> None:
    make = """(kind, name) => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 40 });
        canvas.getContext("2d").fillRect(0, 0, 20, 40);
        return new Promise(resolve => canvas.toBlob(blob => {
            const data = new DataTransfer();
            data.items.add(new File([blob], name, { type: "image/png" }));
            const event = kind === "paste" ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
                : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
            document.querySelector("#graph").dispatchEvent(event);
            resolve();
        }));
    }"""
    outcome(tab, f"() => ({make})('drop', 'dropped.png')")
    expect(tab.locator("#photo")).to_contain_text("dropped.png")
    outcome(tab, f"() => ({make})('paste', 'pasted.png')")
    expect(tab.locator("#photo")).to_contain_text("pasted.png")


def test_all_photos_that_are_dropped_at_once_go_into_the_strip_up_to_its_limit(tab: Any, expect: Any) -> None:
    outcome(
        tab,
        """async () => {
        const data = new DataTransfer();
        for (let number = 0; number < 20; number++) {
            const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 40 });
            const context = canvas.getContext("2d");
            context.fillStyle = `rgb(${10 * number}, 90, 200)`;
            context.fillRect(0, 0, 30, 40);
            const blob = await new Promise(resolve => canvas.toBlob(resolve));
            data.items.add(new File([blob], `photo-${number}.png`, { type: "image/png" }));
        }
        const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
        document.querySelector("#graph").dispatchEvent(event);
    }""",
    )
    expect(tab.locator(".toast")).to_contain_text("The strip holds 12 photos: the first 12 of these 20 files")
    # They come in their order, so that with the last one all are there, and the photo of before has gone.
    expect(tab.locator('#strip .photo-choice[title="photo-11.png"]')).to_have_count(1)
    expect(tab.locator("#strip .photo-choice")).to_have_count(12)
    shown = {each.get_attribute("title") for each in tab.locator("#strip .photo-choice").all()}
    assert shown == {f"photo-{number}.png" for number in range(12)}


def test_discard_undo_redo_and_restore(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    child = next(name for name in names if name.startswith("c:"))
    unit(tab, child).click()
    tab.get_by_role("button", name="Discard").click()
    expect(unit(tab, child)).to_have_count(0)
    expect(tab.locator("#unit")).to_contain_text("Discarded (1)")
    tab.get_by_role("button", name="Undo").click()
    expect(tab.locator(".unit")).to_have_count(len(names))
    tab.get_by_role("button", name="Redo").click()
    expect(unit(tab, child)).to_have_count(0)
    tab.get_by_role("button", name=f"restore {child}").click()
    expect(tab.locator(".unit")).to_have_count(len(names))
    expect(unit(tab, child)).to_have_attribute("aria-pressed", "true")


def test_the_keyboard_is_enough(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    unit(tab, "fc:2").focus()
    tab.keyboard.press("ArrowDown")
    child = tab.evaluate("document.activeElement.dataset.id")
    assert child.startswith("c:")
    tab.keyboard.press("ArrowDown")
    leaf = tab.evaluate("document.activeElement.dataset.id")
    assert leaf.startswith("b:")
    tab.keyboard.press("e")
    expect(unit(tab, leaf)).to_have_class(re.compile("expanded"))
    tab.keyboard.press("Control+z")
    expect(tab.locator(".unit")).to_have_count(len(names))
    tab.keyboard.press("x")
    expect(unit(tab, leaf)).to_have_count(0)
    assert tab.evaluate("document.activeElement.classList.contains('unit')")
    assert tab.locator('.unit[tabindex="0"]').count() == 1
    zoom = "getComputedStyle(document.querySelector('#graph')).getPropertyValue('--zoom')"
    before = float(tab.evaluate(zoom))
    tab.keyboard.press("+")
    assert float(tab.evaluate(zoom)) == pytest.approx(1.2 * before)
    tab.keyboard.press("0")
    tab.keyboard.press("Escape")
    expect(tab.locator("#unit")).to_contain_text("Choose a unit in the graph")


def test_an_exported_circuit_can_be_imported_by_somebody_else(
    tab: Any, expect: Any, open_tab: Open, served: str
) -> None:
    names = why(tab, expect)
    with tab.expect_download() as waiting:
        tab.locator("#export-menu summary").click()
        tab.locator("#export-menu a").first.click()
    data = Path(waiting.value.path()).read_bytes()
    other = open_tab(served)
    expect(other.locator(".prediction")).to_have_count(5)
    upload(other, "circuit-upload", "patches--tree--circuit.json", data, "application/json")
    expect(other.locator(".unit")).to_have_count(len(names))
    upload(other, "circuit-upload", "x.json", data.replace(b'"sha256": "', b'"sha256": "0', 1)[:-1], "application/json")
    expect(other.get_by_role("alert")).to_contain_text("The circuit is not valid at graph/network/sha256")


def test_two_people_work_apart(tab: Any, expect: Any, open_tab: Open, served: str) -> None:
    names = why(tab, expect)
    other = open_tab(served)
    expect(other.locator(".prediction")).to_have_count(5)
    expect(other.locator(".unit")).to_have_count(0)
    label = next(text for text in other.locator(".prediction .label").all_inner_texts() if text != "tree")
    why(other, expect, label)
    expect(other.locator(".unit.root .name")).to_have_text(label)
    expect(tab.locator(".unit.root")).to_have_attribute("data-id", "fc:2")
    expect(tab.locator(".unit")).to_have_count(len(names))


def test_a_reload_keeps_the_work(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    tab.reload()
    expect(tab.locator(".unit")).to_have_count(len(names))
    tab.get_by_role("button", name="Undo").click()
    expect(tab.locator(".unit")).to_have_count(0)


def test_settings_apply_at_the_next_why(tab: Any, expect: Any) -> None:
    for choice in ("depth-1", "top-3", "signs-both"):
        tab.locator(f"#{choice}").click()
    expect(tab.get_by_text("Excitatory and inhibitory units, ranked by magnitude")).to_be_visible()
    assert len(why(tab, expect)) == 4


def test_quick_clicks_lose_nothing(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    for name in [name for name in names if name.startswith("c:")][:3]:
        tab.evaluate("name => window.circuits.send('discard', { unit: name })", name)
    expect(tab.locator("#unit")).to_contain_text("Discarded (3)")


def test_the_chosen_unit_has_a_chart_and_a_heat_map(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    child = next(name for name in names if name.startswith("c:"))
    unit(tab, child).click()
    expect(tab.get_by_alt_text(f"Where {child} fired, over the photo")).to_be_visible()
    expect(tab.locator("#unit .bar-chart tr")).not_to_have_count(0)
    expect(tab.locator("#unit .bar-chart")).to_contain_text("bias")
    expect(tab.locator("#unit")).to_contain_text("of everything that pushed it up or down")
    tab.get_by_title("Enlarge").last.click()
    expect(tab.get_by_role("dialog")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("dialog")).to_have_count(0)


def test_hovering_lights_a_units_neighbours_and_what_they_hold_of_it(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    child = next(name for name in names if name.startswith("c:"))
    unit(tab, child).hover()
    expect(unit(tab, "fc:2")).to_have_class(re.compile("near"))
    other = next(name for name in names if name.startswith("c:") and name != child)
    expect(unit(tab, other)).not_to_have_class(re.compile("near"))
    near = [name for name in names if name.startswith("b:") and "near" in unit(tab, name).get_attribute("class")]
    assert len(near) == 5
    assert all(re.fullmatch(r"−?(< )?\d+ %", unit(tab, name).locator(".share").inner_text()) for name in near)
    tab.mouse.move(5, 5)
    expect(tab.locator(".unit.near")).to_have_count(0)


def test_the_theme_can_be_switched_and_stays(tab: Any, expect: Any) -> None:
    expect(tab.locator("html")).to_have_attribute("data-theme", "light")
    tab.get_by_role("button", name="Light / dark").click()
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
    tab.reload()
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")


def test_labels_that_look_like_markup_stay_text(tab: Any, expect: Any) -> None:
    tab.get_by_role("button", name="why <b>ship</b>?").click()
    expect(tab.locator(".unit.root .name")).to_have_text("<b>ship</b>")
    expect(tab.locator("#unit .unit-title")).to_have_text("<b>ship</b>")


def test_a_server_that_is_gone_is_said(open_tab: Open, served: str, expect: Any) -> None:
    tab = open_tab(served, tolerant=True)
    expect(tab.locator(".prediction")).to_have_count(5)
    tab.route(UPDATE, lambda route: route.fulfill(status=500, body="no"))
    tab.evaluate("window.circuits.send('why', { target: '2' })")
    expect(tab.get_by_role("alert").first).to_contain_text("The server could not do that (status 500)")
    tab.unroute(UPDATE)
    tab.route(UPDATE, lambda route: route.abort())
    tab.evaluate("window.circuits.send('refresh')")
    gone = tab.locator("#offline")  # beside the toast of before, which stays for a while
    expect(gone).to_have_role("alert")
    expect(gone).to_contain_text("The server does not answer")
    tab.unroute(UPDATE)
    tab.evaluate("window.circuits.send('refresh')")
    expect(tab.get_by_text("Connected again.")).to_be_visible()
    expect(tab.locator(".unit.root")).to_have_attribute("data-id", "fc:2")


def test_pages_need_nothing_from_the_internet(open_tab: Open, served: str, page: Page, expect: Any) -> None:
    tab = open_tab("about:blank")
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(served)
    expect(tab.locator(".prediction")).to_have_count(5)
    why(tab, expect)
    expect(tab.locator("#unit .bar-chart tr")).not_to_have_count(0)
    assert [url for url in asked if not url.startswith((served, "data:", "blob:"))] == []
