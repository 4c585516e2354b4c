"""The atlas in a real browser: from the address of a class to its circuit, and the map of units."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from circuits.image.photo import Photo
from circuits.network.network import Network
from dashboard.app import Page, PageSettings, create_page
from tests.dashboard.test_accessibility import GRAVE
from tests.support.places import outcome
from tests.support.pretend import PaintedGallery
from tests.support.small_atlas import small_atlas


@pytest.fixture
def page(network: Network, gallery: PaintedGallery, photo: Photo, tmp_path: Path) -> Iterator[Page]:
    """A page with an atlas."""
    atlas = small_atlas(tmp_path / "atlas", network)
    made = create_page(PageSettings(network, photo=photo, gallery=gallery, atlas=atlas))
    yield made
    made.close()


def test_from_the_address_of_a_class_to_its_circuit_and_back(
    open_tab: Callable[..., Any], served: str, expect: Any
) -> None:
    tab = open_tab(f"{served}#class=dog", tolerant=True)  # axe is no script of the page's own
    faults = []

    def check(state: str) -> None:
        for theme, rules in (("light", "{}"), ("dark", "{runOnly: ['color-contrast']}")):
            tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
            expect(tab.locator("html")).to_have_attribute("data-theme", theme)
            found = outcome(tab, f"() => axe.run({rules}).then(found => found.violations)")
            grave = (each for each in found if each["impact"] in GRAVE)
            faults.extend((state, theme, each["id"], each["nodes"][0]["html"][:120]) for each in grave)

    tab.evaluate(Axe().axe_script)
    expect(tab.locator("#atlas .class-head h2")).to_have_text("dog")
    expect(tab.locator('#atlas .unit-card .frame[data-state="ready"]').first).to_be_visible()
    expect(tab).to_have_url(re.compile(r"#view=[0-9a-f]{32}&class=dog$"))
    check("a class")

    tab.locator("#atlas-find").press_sequentially("ca")
    expect(tab.locator("#atlas .class-card:visible")).to_have_count(1)
    expect(tab.locator("#atlas-find")).to_be_focused()
    check("all classes")
    tab.keyboard.press("Enter")
    expect(tab.locator("#atlas .class-head h2")).to_have_text("cat")

    tab.get_by_role("button", name="Show its circuit").click()
    expect(tab.locator("#story")).to_contain_text("The logit for cat is")
    expect(tab.locator("#story")).to_contain_text("the mean over 10 photos")
    expect(tab.locator("#in-atlas-section")).to_contain_text("Over 10 photos of cat its logit is")
    expect(tab.locator('#look [data-look="heat"]')).to_be_disabled()
    check("the circuit of a class")
    tab.get_by_role("button", name="This photo", exact=True).click()
    expect(tab.locator("#story")).not_to_contain_text("the mean over")
    expect(tab.locator("#story")).to_contain_text("The logit for cat is")

    tab.get_by_role("button", name="Atlas", exact=True).click()
    tab.get_by_role("button", name="Map of units").click()
    expect(tab.locator("#unit-map .points path")).to_have_count(20)
    point = tab.locator("#unit-map .points path").nth(3).bounding_box()
    tab.mouse.move(point["x"] - 30, point["y"] - 30)
    tab.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    expect(tab.locator("#map-card")).to_have_text(re.compile(r"^c:\d+$"))
    name = tab.locator("#map-card").text_content()
    tab.mouse.down()
    tab.mouse.up()
    expect(tab.locator("#unit .unit-title")).to_have_text(name)
    check("a map")

    tab.set_viewport_size({"width": 390, "height": 844})  # of a phone, where the pane lies below the page
    tab.locator("#in-atlas-section [data-action=atlas-class]").first.click()
    expect(tab.locator("#atlas .class-head h2")).to_be_in_viewport()
    assert not faults, faults
