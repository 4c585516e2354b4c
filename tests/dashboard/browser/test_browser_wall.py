"""The wall of a layer in a real browser."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from circuits.units import Unit
from tests.dashboard.browser.test_browser import unit, why
from tests.support.pretend import PaintedGallery

Open = Callable[..., Any]


@pytest.fixture
def tab(open_tab: Open, served: str, expect: Any) -> Any:
    """The page with its predictions."""
    opened = open_tab(served)
    expect(opened.get_by_role("button", name=re.compile("^why ")).first).to_be_visible()
    return opened


def wall(tab: Any) -> Any:
    """Go to the wall."""
    tab.get_by_role("button", name="Layers").click()
    return tab.locator("#wall")


def tile(tab: Any, channel: int) -> Any:
    """The button of a unit on the wall."""
    return tab.locator(f'#wall .unit-card[data-channel="{channel}"]')


def channels(tab: Any) -> list[int]:
    """The units on the wall, in order."""
    return tab.locator("#wall .unit-card").evaluate_all("tiles => tiles.map(tile => Number(tile.dataset.channel))")


def table(tab: Any) -> Any:
    """What the page was told that the units did."""
    with tab.expect_response(re.compile(r"wall/[0-9a-f]{32}\.json")) as waiting:
        wall(tab)
    return waiting.value.json()


def test_all_units_are_on_the_wall_which_is_walked_by_keyboard_and_filtered(tab: Any, expect: Any) -> None:
    told = table(tab)
    expect(tab.locator("#wall .unit-card")).to_have_count(20)
    order = sorted(range(20), key=lambda channel: (-told["activations"][channel], channel))
    expect(tab.locator("#wall .unit-card").first).to_have_attribute("data-channel", str(order[0]))
    assert channels(tab) == order
    expect(tile(tab, order[0]).locator(".here")).to_have_text(told["activations_said"][order[0]])
    silent = f" · {len(told['silent'])} silent in this photo" if told["silent"] else ""
    expect(tab.locator(".wall-summary")).to_have_text(f"c · 20 units{silent}")
    expect(tile(tab, 3)).to_have_attribute("title", re.compile(r"^c:3\nactivation .* here"))
    tab.locator('[data-order="number"]').click()
    assert channels(tab) == list(range(20))
    expect(tab.locator('[data-order="number"]')).to_have_attribute("aria-pressed", "true")
    expect(tab.locator('[data-order="attribution"]')).to_have_attribute("aria-disabled", "true")
    expect(tab.locator('[data-order="attribution"]')).to_have_attribute("title", re.compile(r"^Press why\?"))
    wall(tab)
    tab.locator('[data-order="number"]').click()
    tab.locator('[data-order="number"]').focus()
    tab.keyboard.press("Tab")
    expect(tile(tab, 0)).to_be_focused()
    assert tab.locator('#wall .unit-card[tabindex="0"]').count() == 1
    across = tab.locator(".wall-grid").evaluate("grid => getComputedStyle(grid).gridTemplateColumns.split(' ').length")
    tab.keyboard.press("ArrowRight")
    expect(tile(tab, 1)).to_be_focused()
    tab.keyboard.press("ArrowDown")
    expect(tile(tab, 1 + across)).to_be_focused()
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("ArrowLeft")
    expect(tile(tab, 0)).to_be_focused()
    tab.keyboard.press("End")
    expect(tile(tab, 19)).to_be_focused()
    tab.keyboard.press("Home")
    tab.keyboard.press("Enter")
    expect(tile(tab, 0)).to_have_attribute("aria-pressed", "true")
    expect(tile(tab, 0)).to_be_focused()
    expect(tab.locator("#unit .unit-title")).to_have_text("c:0")
    tab.keyboard.press("Escape")
    expect(tile(tab, 0)).to_have_attribute("aria-pressed", "false")
    wall(tab)
    expect(tab.locator("#wall .unit-card")).to_have_count(20)
    field = tab.get_by_label("Show only units with this number or name")
    field.fill("1")
    tab.locator('[data-order="number"]').click()
    assert channels(tab) == [1, *range(10, 20)]
    expect(tab.locator(".wall-summary")).to_contain_text("11 shown")
    field.fill("99")
    expect(tab.locator(".wall-summary")).to_contain_text("no unit has this number or name")
    field.fill("")
    tab.get_by_label("Layer", exact=True).select_option("fc")
    expect(tab.locator("#wall .unit-card")).to_have_count(6)
    field.fill("ship")
    expect(tab.locator("#wall .unit-card .name")).to_have_text(["<b>ship</b>"])
    field.press("Enter")
    expect(tile(tab, 4)).to_be_focused()


def test_with_a_circuit_the_wall_sorts_by_attribution_and_rings_its_units(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    told = table(tab)
    tab.locator('[data-order="attribution"]').click()
    order = sorted(range(20), key=lambda channel: (-told["shares"][channel], channel))
    expect(tab.locator("#wall .unit-card").first).to_have_attribute("data-channel", str(order[0]))
    assert channels(tab) == order
    expect(tile(tab, order[-1]).locator(".share")).to_have_class("share inhibits")
    expect(tile(tab, order[-1]).locator(".share")).to_have_text(told["shares_said"][order[-1]])
    inside = tab.locator("#wall .unit-card.inside").evaluate_all(
        "tiles => tiles.map(tile => `c:${tile.dataset.channel}`)"
    )
    assert sorted(inside) == sorted(name for name in names if name.startswith("c:"))
    expect(tab.locator(".wall-summary")).to_contain_text("share of the attribution to tree")


def test_only_what_is_on_the_screen_is_drawn_and_scrolling_draws_more(
    open_tab: Open, served: str, expect: Any, gallery: PaintedGallery
) -> None:
    tab = open_tab(served)
    tab.set_viewport_size({"width": 820, "height": 420})
    expect(tab.get_by_role("button", name=re.compile("^why ")).first).to_be_visible()
    with tab.expect_response(re.compile(r"wall/[0-9a-f]{32}\.json")):
        tab.locator('[data-action="page"][data-payload*="layers"]').click()
    tab.locator('[data-order="number"]').click()
    expect(tile(tab, 0).locator(".frame")).to_have_attribute("data-state", "ready")
    expect(tile(tab, 0).locator("img")).to_have_js_property("naturalWidth", 96)
    drawn = {each.channel for each in gallery.begun}
    assert 0 in drawn
    assert 19 not in drawn
    expect(tile(tab, 19).locator(".frame")).to_have_attribute("data-state", "unknown")
    tab.locator(".wall-grid").evaluate("grid => { grid.scrollTop = grid.scrollHeight; }")
    expect(tile(tab, 19).locator(".frame")).to_have_attribute("data-state", "ready")
    assert Unit("c", 19) in gallery.begun


def test_a_waiting_a_drawing_and_a_dead_tile_say_so_and_the_status_line_follows(
    tab: Any, expect: Any, gallery: PaintedGallery
) -> None:
    gallery.paint(Unit("c", 5))
    gallery.dead_units.add(Unit("c", 5))
    gallery.gate.clear()
    wall(tab)
    tab.locator('[data-order="number"]').click()
    expect(tile(tab, 5).locator(".frame")).to_have_attribute("data-state", "dead")
    expect(tile(tab, 5)).to_have_attribute("aria-label", re.compile("no image was found that activates this unit"))
    expect(tile(tab, 9).locator(".frame")).to_have_attribute("data-state", "waiting")
    expect(tab.locator("#status-text")).to_contain_text(re.compile("^Rendering c:"))
    gallery.sketches.put(16)
    expect(tab.locator('#wall .frame[data-state="drawing"]')).to_have_count(1)
    gallery.gate.set()
    expect(tab.locator('#wall .frame:not([data-state="ready"])')).to_have_count(1)
    expect(tab.locator("#status-meter")).to_be_hidden()


def test_a_unit_outside_the_circuit_is_shown_and_asked_why_it_fired(
    tab: Any, expect: Any, gallery: PaintedGallery
) -> None:
    names = why(tab, expect)
    wall(tab)
    channel = next(channel for channel in range(20) if f"c:{channel}" not in names)
    gallery.gate.clear()
    tile(tab, channel).click()
    pane = tab.locator("#unit")
    expect(pane).to_contain_text(f"layer c, channel {channel}; not in the circuit")
    expect(pane.get_by_alt_text(f"Where c:{channel} fired, over the photo")).to_be_visible()
    expect(pane.locator(f'[data-unit="c:{channel}"]')).to_contain_text("of 20")
    gallery.gate.set()
    expect(pane.get_by_alt_text(f"What c:{channel} looks for", exact=True)).to_be_visible()
    expect(pane.locator("figcaption").first).to_have_text(f"activation up to {10 + channel}.0 in this picture")
    pane.get_by_role("button", name="Why did this fire here?").click()
    expect(unit(tab, f"c:{channel}")).to_have_class(re.compile("root"))
    expect(tab.locator("#graph")).to_be_visible()


def test_hovering_shows_the_picture_large_and_a_chosen_circuits_unit_is_selected(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    wall(tab)
    inside = next(name for name in names if name.startswith("c:"))
    picture = tile(tab, int(inside[2:]))
    expect(picture.locator(".frame")).to_have_attribute("data-state", "ready")
    picture.hover()
    expect(tab.locator(".wall-zoom")).to_be_visible()
    expect(tab.locator(".wall-zoom img")).to_have_attribute("src", picture.locator("img").get_attribute("src"))
    picture.click()
    expect(tab.locator("#unit .unit-title")).to_have_text(inside)
    tab.get_by_role("button", name="Circuit", exact=True).click()
    expect(tab.locator(".wall-zoom")).to_be_hidden()
    expect(unit(tab, inside)).to_have_class(re.compile("selected"))
