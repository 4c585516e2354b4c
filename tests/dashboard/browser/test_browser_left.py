"""The left pane in a real browser: what a person does with photos, the crop, the search field and places."""

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from circuits import trace
from circuits.evidence.layer_statistics import firing_at
from circuits.image.photo import Photo, load_photo
from circuits.network.network import Network
from dashboard.app import Page
from dashboard.library import Library
from tests.support.places import box_of
from tests.support.pretend import PaintedGallery

Open = Callable[..., Any]
FIELD = "Find a class, a unit or a layer"


@pytest.fixture
def tab(open_tab: Open, served: str, expect: Any) -> Any:
    """The page, opened, with its predictions there."""
    opened = open_tab(served)
    expect(opened.get_by_role("button", name=re.compile("^why ")).first).to_be_visible()
    return opened


def painted(seed: int) -> tuple[bytes, Photo]:
    """A photo file of its own for every seed, and what it holds."""
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((96, 72), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue(), load_photo(image, name=f"{seed}.png")


def upload(tab: Any, expect: Any, seed: int) -> Photo:
    """Choose a photo and wait until it is shown."""
    data, photo = painted(seed)
    file = {"name": photo.name, "mimeType": "image/png", "buffer": data}
    tab.locator("#photo-upload input[type=file]").set_input_files(file)
    expect(tab.locator("#photo .name")).to_have_text(photo.name)
    return photo


def settled(tab: Any, expect: Any, wanted: set[str]) -> None:
    """Wait until just these units are drawn."""
    expect(tab.locator(".unit")).to_have_count(len(wanted))
    for name in wanted:
        expect(tab.locator(f'.unit[data-id="{name}"]')).to_have_count(1)


def press(tab: Any, *keys: str) -> None:
    """Press keys one after the other."""
    for key in keys:
        tab.keyboard.press(key)


def explained(tab: Any, expect: Any, words: str) -> None:
    """Wait until the pane says what is explained."""
    expect(tab.locator("#explained")).to_have_text(re.compile(f"^Explaining: {re.escape(words)}(, .*)?$"))


def test_photos_in_the_strip_switch_with_the_target_kept_and_undo_goes_back(
    tab: Any, expect: Any, network: Network, photo: Photo
) -> None:
    expect(tab.locator("#strip li")).to_have_count(0)
    second = upload(tab, expect, 1)
    third = upload(tab, expect, 2)
    strip = tab.locator("#strip")
    expect(strip.locator("[aria-pressed]")).to_have_count(3)
    expect(strip.get_by_role("button", name="2.png", exact=True)).to_have_attribute("aria-pressed", "true")
    tab.locator("#predictions").get_by_role("button", name="why dog?").click()
    explained(tab, expect, "dog")
    before = set(trace(network, third, "dog", depth=2, top=5).visible)
    settled(tab, expect, before)
    strip.get_by_role("button", name="1.png", exact=True).click()
    expect(tab.locator("#photo .name")).to_have_text("1.png")
    expect(strip.get_by_role("button", name="1.png", exact=True)).to_have_attribute("aria-pressed", "true")
    settled(tab, expect, set(trace(network, second, "dog", depth=2, top=5).visible))
    explained(tab, expect, "dog")
    expect(strip.locator("img").first).to_have_js_property("naturalWidth", 32)
    press(tab, "Control+z")
    expect(tab.locator("#photo .name")).to_have_text("2.png")
    settled(tab, expect, before)
    remove = strip.get_by_role("button", name=f"Remove {photo.name}")
    remove.focus()
    press(tab, "Enter")
    expect(strip.locator("[aria-pressed]")).to_have_count(2)
    expect(strip.get_by_role("button", name="Remove 2.png")).to_have_count(0)


def test_the_crop_is_dragged_and_the_network_sees_it(
    tab: Any, expect: Any, library: Library, network: Network, photo: Photo
) -> None:
    tab.locator("#predictions").get_by_role("button", name="why tree?").click()
    expect(tab.locator(".unit.root")).to_have_count(1)
    tab.get_by_role("button", name="Move the crop").click()
    box = tab.get_by_role("dialog", name="Move the crop")
    expect(box.get_by_alt_text("patches, all of it")).to_have_js_property("naturalWidth", 80)
    where = box.get_by_role("status")
    expect(where).to_have_text("60 × 60 of 80 × 60 pixels, from 10 across and 0 down")
    frame, stage = box.locator(".cropper-frame"), box_of(box.locator(".cropper-stage"))
    scale = stage["width"] / 80
    handle = box_of(box.locator(".cropper-handle"))
    x, y = handle["x"] + 8, handle["y"] + 8
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x - 20 * scale, y - 20 * scale, steps=3)
    tab.mouse.up()
    expect(where).to_have_text("40 × 40 of 80 × 60 pixels, from 10 across and 0 down")
    at = box_of(frame)
    tab.mouse.move(at["x"] + 20, at["y"] + 20)
    tab.mouse.down()
    tab.mouse.move(at["x"] + 20 + 500 * scale, at["y"] + 20 + 5 * scale, steps=3)
    tab.mouse.up()
    expect(where).to_have_text("40 × 40 of 80 × 60 pixels, from 40 across and 5 down")
    seen = tab.locator("#photo .sees img").get_attribute("src")
    box.get_by_role("button", name="Use this crop").click()
    expect(box).to_have_count(0)
    framed = photo.framed((40, 5, 80, 45))
    for row in library.predict(framed):
        expect(tab.locator(".prediction", has_text=row.label)).to_contain_text(f"{100 * row.probability:.1f} %")
    expect(tab.locator("#photo .sees img")).not_to_have_attribute("src", seen)
    settled(tab, expect, set(trace(network, framed, "tree", depth=2, top=5).visible))
    tab.get_by_role("button", name="Move the crop").click()
    box.get_by_role("button", name="Default crop").click()
    for row in library.predict(photo):
        expect(tab.locator(".prediction", has_text=row.label)).to_contain_text(f"{100 * row.probability:.1f} %")


def test_the_crop_is_sized_and_moved_by_keyboard_alone_and_escape_leaves_it(tab: Any, expect: Any, page: Page) -> None:
    tab.get_by_role("button", name="Move the crop").click()
    box = tab.get_by_role("dialog", name="Move the crop")
    box.get_by_role("slider", name="Size").focus()
    press(tab, "Home")
    expect(box.get_by_role("status")).to_have_text("8 × 8 of 80 × 60 pixels, from 36 across and 26 down")
    press(tab, "End")
    expect(box.get_by_role("status")).to_contain_text("60 × 60 of 80 × 60")
    press(tab, "Escape")
    expect(box).to_have_count(0)
    opener = tab.get_by_role("button", name="Move the crop")
    opener.focus()
    press(tab, "Enter")
    box = tab.get_by_role("dialog", name="Move the crop")
    where = box.get_by_role("status")
    expect(box.locator(".cropper-frame")).to_be_focused()
    press(tab, "Shift+ArrowRight")
    expect(where).to_have_text("60 × 60 of 80 × 60 pixels, from 18 across and 0 down")
    press(tab, "-", "ArrowDown", "ArrowLeft")
    expect(where).to_have_text("57 × 57 of 80 × 60 pixels, from 18 across and 2 down")
    press(tab, "Escape")
    expect(box).to_have_count(0)
    expect(opener).to_be_focused()
    (tab_session,) = page.callbacks.sessions._desks.values()
    assert tab_session.session.work.photo.window is None
    press(tab, "Enter", "Shift+ArrowRight", "Enter")
    expect(box).to_have_count(0)
    expect(tab.locator("#photo .sees img")).to_be_visible()
    tab.wait_for_function("() => document.getElementById('move-crop').dataset.photo.includes('\"moved\": true')")
    assert tab_session.session.work.photo.window == pytest.approx((17.52, 0, 77.52, 60), abs=0.01)


def test_a_class_is_asked_why_and_why_not_by_its_row_and_by_typing(
    tab: Any, expect: Any, network: Network, photo: Photo
) -> None:
    predictions = tab.locator("#predictions")
    expect(predictions.get_by_role("button", name="why not dog?")).to_have_count(0)
    predictions.get_by_role("button", name="why tree?").click()
    explained(tab, expect, "tree")
    expect(predictions.get_by_role("button", name="why not tree?")).to_have_count(0)
    predictions.get_by_role("button", name="why not dog?").click()
    explained(tab, expect, "tree, not dog")
    expect(tab.locator("#story")).to_contain_text(" than that for dog.")
    expect(predictions.get_by_role("button", name="why not dog?")).to_have_attribute("aria-pressed", "true")
    settled(tab, expect, set(trace(network, photo, "tree - dog", depth=2, top=5).visible))
    field = tab.get_by_role("combobox", name=FIELD)
    tab.locator("#graph").click(position={"x": 5, "y": 5})
    press(tab, "/")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-expanded", "false")
    tab.keyboard.type("tre")
    option = tab.get_by_role("option").first
    expect(option).to_contain_text("tree")
    expect(option).to_contain_text("%")
    expect(option).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(field).to_have_attribute("aria-activedescendant", option.get_attribute("id"))
    press(tab, "Enter")
    explained(tab, expect, "tree")
    expect(tab.get_by_role("option")).to_have_count(0)
    field.fill("do")
    expect(tab.get_by_role("option", name=re.compile("^dog, class.*Shift Enter: why not"))).to_be_visible()
    press(tab, "Shift+Enter")
    explained(tab, expect, "tree, not dog")
    field.fill("ship")
    tab.get_by_role("option").first.get_by_text("why not?", exact=True).click()
    explained(tab, expect, "tree, not <b>ship</b>")


def test_a_unit_and_a_neuron_are_found_and_explained(tab: Any, expect: Any, network: Network, photo: Photo) -> None:
    field = tab.get_by_role("combobox", name=FIELD)
    field.fill("c:4@1,2")
    expect(tab.get_by_role("option").first).to_contain_text("neuron")
    press(tab, "Enter")
    explained(tab, expect, "c:4 at row 1, column 2")
    settled(tab, expect, set(trace(network, photo, "c:4@1,2", depth=2, top=5).visible))
    field.fill("a:3")
    option = tab.get_by_role("option").first
    expect(option).to_have_attribute("aria-disabled", "true")
    expect(option).to_contain_text("a is the lowest layer; only the image is below it.")
    press(tab, "Enter")
    expect(tab.locator("#toasts")).to_contain_text("a is the lowest layer")
    explained(tab, expect, "c:4 at row 1, column 2")


def test_an_impatient_enter_waits_for_the_list_arrow_keys_choose_and_escape_empties_the_field(
    tab: Any, expect: Any
) -> None:
    field = tab.get_by_role("combobox", name=FIELD)
    field.fill("nothing of that name")
    expect(tab.locator("#search")).to_contain_text("Nothing found for “nothing of that name”.")
    field.fill("tree")
    expect(tab.get_by_role("option")).not_to_have_count(0)
    press(tab, "Escape")
    expect(tab.get_by_role("option")).to_have_count(0)
    expect(field).to_have_value("tree")
    press(tab, "Escape")
    expect(field).to_have_value("")
    field.focus()
    tab.keyboard.type("dog")
    press(tab, "Enter")
    explained(tab, expect, "dog")
    field.fill("c:1")
    expect(tab.get_by_role("option").first).to_contain_text("c:1")
    press(tab, "ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp", "ArrowUp")
    expect(tab.get_by_role("option").last).to_have_attribute("aria-selected", "true")
    press(tab, "ArrowDown", "ArrowDown", "Enter")
    explained(tab, expect, "c:10")
    for width, height in ((1280, 720), (1024, 768)):
        tab.set_viewport_size({"width": width, "height": height})
        last = box_of(tab.locator(".prediction").last)
        assert last["y"] + last["height"] <= height
        assert tab.locator(".pane.left").evaluate("pane => pane.scrollWidth <= pane.clientWidth")


def test_a_click_on_the_photo_lists_what_fires_there_and_why_makes_it_the_root(
    tab: Any, expect: Any, network: Network, photo: Photo, gallery: PaintedGallery
) -> None:
    picture = tab.locator("#photo .sees")
    box = box_of(picture)
    picture.click(position={"x": 0.3 * box["width"], "y": 0.6 * box["height"]})
    found = [firing for firing in firing_at(network, photo, "c", (0.3, 0.6), count=8) if firing.value > 0]
    spot = tab.get_by_role("region", name="What fires here?")
    expect(spot.locator(".address")).to_have_text([str(firing.unit.channel) for firing in found])
    assert tab.evaluate("document.documentElement.scrollHeight === innerHeight")
    expect(spot.locator(".peak")).to_have_count(sum(firing.peak_here for firing in found))
    expect(tab.locator(".spot-mark")).to_be_visible()
    expect(spot.locator('[data-tile]:not([data-state="ready"])')).to_have_count(0)
    expect(spot.locator("img").first).to_have_js_property("naturalWidth", 96)
    first = found[0].unit
    spot.get_by_role("button", name=f"why did {first.whole} fire here?").click()
    row, column = first.position
    explained(tab, expect, f"{first.whole} at row {row}, column {column}")
    expect(tab.locator(".unit.root")).to_have_attribute("data-id", str(first))
    # Of a unit, what fires here begins below it.
    tab.get_by_role("combobox", name="Layer", exact=True).select_option("c")
    spot.get_by_role("button", name=f"show {first.whole}").click()
    expect(tab.locator(".unit.root")).to_have_attribute("aria-pressed", "true")


def test_the_crosshair_is_moved_by_the_keyboard_and_another_layer_is_asked(
    tab: Any, expect: Any, network: Network, photo: Photo
) -> None:
    point = tab.get_by_role("button", name="What fires here?")
    point.focus()
    press(tab, "Enter")
    picture = tab.locator("#photo .sees")
    expect(picture).to_be_focused()
    expect(picture.locator(".cross")).to_be_visible()
    rows = network.layer("c").height
    press(tab, "ArrowLeft", "ArrowUp", "ArrowUp")
    place = (0.5 - 1 / rows, 0.0 if rows <= 4 else 0.5 - 2 / rows)
    expect(tab.locator("body > .spoken")).to_have_text(
        f"{round(100 * place[0])} % from the left, {round(100 * place[1])} % from the top"
    )
    press(tab, "Enter")
    found = [firing for firing in firing_at(network, photo, "c", place, count=8) if firing.value > 0]
    expect(tab.locator("#spot .address")).to_have_text([str(firing.unit.channel) for firing in found])
    press(tab, "Escape")
    expect(point).to_be_focused()
    expect(tab.locator("#spot li")).not_to_have_count(0)
    press(tab, "Escape")
    expect(tab.locator("#spot li")).to_have_count(0)
    tab.locator("#photo .sees").click()
    layer = tab.get_by_role("combobox", name="Layer", exact=True)
    expect(layer).to_have_value("c")
    layer.select_option("b")
    expect(tab.locator("#spot").get_by_role("button", name=re.compile("^why did b:")).first).to_be_visible()
    expect(layer).to_have_value("b")
    layer.select_option("a")
    expect(tab.locator("#spot")).to_contain_text("a is the lowest layer; only the image is below it.")
    expect(tab.locator("#spot").get_by_role("button", name=re.compile("^why did a:")).first).to_be_disabled()
    tab.get_by_role("button", name="Close what fires here").click()
    expect(tab.locator("#spot li")).to_have_count(0)
    expect(tab.locator(".spot-mark")).to_have_count(0)
