"""Evidence in a real browser: a unit's appears, an edge has its own pane, and neither loses the focus."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.dashboard.browser.test_browser import unit, why
from tests.support.places import box_of
from tests.support.pretend import PaintedCollection

Open = Callable[..., Any]


@pytest.fixture
def tab(open_tab: Open, served: str, expect: Any) -> Any:
    """The page with the circuit of `tree`."""
    opened = open_tab(served)
    why(opened, expect)
    return opened


def edges(tab: Any, upper: str) -> list[str]:
    """The edges into a unit, from left to right."""
    names = tab.locator(f'.edge[data-edge$=" {upper}"]').evaluate_all("all => all.map(edge => edge.dataset.edge)")
    places = {name: box_of(unit(tab, name.split()[0]))["x"] for name in names}
    return sorted(names, key=lambda name: places[name])


def on_the_line(tab: Any, name: str) -> tuple[float, float]:
    """A place on the screen close to a line's upper end, two pixels beside it."""
    x, y = tab.locator(f'.edge[data-edge="{name}"] .wide').evaluate("""way => {
        const place = way.getPointAtLength(way.getTotalLength() * 0.45), grid = way.getScreenCTM();
        return [place.x * grid.a + grid.e, place.y * grid.d + grid.f];
    }""")
    return x + 2, y


def test_choosing_a_unit_shows_what_it_saw_and_what_it_fires_on(
    tab: Any, expect: Any, collection: PaintedCollection
) -> None:
    pane = tab.locator("#unit")
    expect(pane).to_contain_text("circuits explore --exemplars FOLDER")
    collection.photos = 40
    collection.gate.clear()
    child = edges(tab, "fc:2")[0].split()[0]
    unit(tab, child).click()
    expect(pane.get_by_alt_text(re.compile(f"^Patch at row .*, where {child} has activation"))).not_to_have_count(0)
    expect(pane.get_by_alt_text(f"Where the contribution of {child} to tree came from, over the photo")).to_be_visible()
    expect(pane.locator(".pair .mark").first).to_have_text("1")
    expect(pane.locator(".exemplars .waiting")).to_have_count(36)
    for picture in pane.locator("img").all():  # one that is not there yet is as high as its words
        expect(picture).not_to_have_js_property("naturalWidth", 0)
    before = box_of(pane.locator("#elsewhere-title"))["y"]
    pane.locator(".bar-chart").evaluate("chart => { chart.same = true; }")
    collection.gate.set()
    expect(pane.get_by_alt_text(re.compile(f"^{child} in .*, red things"))).to_have_count(11)
    expect(pane.get_by_alt_text(re.compile(f"^{child} in ")).last).to_have_js_property("naturalWidth", 16)
    assert box_of(pane.locator("#elsewhere-title"))["y"] == before
    expect(pane.locator(".bar-chart")).to_have_js_property("same", True)
    tab.locator("#method-deconvnet").focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#method-deconvnet")).to_have_attribute("aria-pressed", "true")
    expect(tab.locator("#method-deconvnet")).to_be_focused()


def test_an_edge_can_be_chosen_with_the_mouse_and_left_with_escape(tab: Any, expect: Any) -> None:
    name = edges(tab, "fc:2")[0]
    lower = name.split()[0]
    edge, title = tab.locator(f'.edge[data-edge="{name}"]'), tab.locator("#unit .unit-title")
    expect(edge).to_have_attribute("aria-label", re.compile(rf"^{lower} excites tree, \d+ %$"))
    tab.mouse.click(*on_the_line(tab, name))
    expect(title).to_have_text(re.compile(f"{lower}\\s+excites\\s+tree"))
    expect(edge).to_have_attribute("aria-pressed", "true")
    expect(tab.get_by_alt_text(f"Positions of {lower} that contribute to tree, over the photo")).to_be_visible()
    expect(tab.get_by_alt_text(f"Pixels by which {lower} affects tree")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(title).to_have_text("tree")
    expect(edge).to_have_attribute("aria-pressed", "false")


def test_the_graph_can_still_be_dragged_by_a_line(tab: Any, expect: Any) -> None:
    x, y = on_the_line(tab, edges(tab, "fc:2")[0])
    before = box_of(unit(tab, "fc:2"))["x"]
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + 60, y, steps=4)
    tab.mouse.up()
    assert box_of(unit(tab, "fc:2"))["x"] == pytest.approx(before + 60, abs=1)
    expect(tab.locator("#unit .unit-title")).to_have_text("tree")


def test_edges_can_be_reached_with_the_keyboard(tab: Any, expect: Any) -> None:
    first, second, *_ = edges(tab, "fc:2")
    unit(tab, "fc:2").focus()
    tab.keyboard.press("l")
    expect(tab.locator(f'.edge[data-edge="{first}"]')).to_be_focused()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Enter")
    expect(tab.locator("#unit .unit-title")).to_contain_text(second.split()[0])
    expect(tab.locator(f'.edge[data-edge="{second}"]')).to_be_focused()
    tab.keyboard.press("ArrowDown")
    expect(unit(tab, second.split()[0])).to_be_focused()
    unit(tab, "fc:2").click()
    tab.get_by_role("button", name=re.compile(f": edge {first.split()[0]} excites tree")).press("Enter")
    expect(tab.locator("#unit .unit-title")).to_contain_text(first.split()[0])
    expect(tab.locator("#unit")).to_be_focused()
