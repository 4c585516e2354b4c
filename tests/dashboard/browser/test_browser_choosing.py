"""Networks and classes that are chosen from a list, in a real browser, with the keyboard alone."""

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from circuits import predict, trace
from circuits.explorer import OtherNetwork
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.report.text import chance
from dashboard.app import Page, PageSettings, create_page
from tests.support.places import outcome
from tests.support.pretend import PaintedCollection, PaintedGallery, tiny_network

Open = Callable[..., Any]
MANY = ("cat", *(f"thing {number}" for number in range(1, 1000)))


class Gated:
    """Another network of a thousand classes, which is loaded as soon as it may be."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gallery: PaintedGallery | None = None
        self.network = tiny_network(seed=5, name="other", labels=MANY)

    def __call__(self) -> Network:
        assert self.gate.wait(timeout=60)
        return self.network


@pytest.fixture
def other() -> Gated:
    return Gated()


@pytest.fixture
def page(
    network: Network, gallery: PaintedGallery, photo: Photo, other: Gated, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Page]:
    def own(network: Network) -> PaintedGallery:
        other.gallery = PaintedGallery(gallery.folder, network)
        other.gallery.gate.clear()
        return other.gallery

    monkeypatch.setattr("dashboard.app._stored_gallery", own)
    made = create_page(
        PageSettings(
            network, photo=photo, gallery=gallery, collection=PaintedCollection(),
            others=(OtherNetwork("other", "other", other),),
        )
    )  # fmt: skip
    yield made
    other.gate.set()
    if other.gallery is not None:
        other.gallery.gate.set()
    made.close()


@pytest.fixture
def tab(open_tab: Open, served: str, expect: Any) -> Any:
    opened = open_tab(served)
    expect(opened.locator("#predictions .prediction")).to_have_count(5)
    return opened


def choose(tab: Any, expect: Any, label: str) -> None:
    """Open the menu of networks with the keyboard, and choose one."""
    tab.locator("#network-menu summary").focus()
    tab.keyboard.press("Enter")
    tab.keyboard.press("ArrowDown")
    item = tab.locator("#network-menu .menu-item", has_text=label)
    while not item.evaluate("item => item === document.activeElement"):
        tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    expect(tab.locator("#network-menu")).not_to_have_attribute("open", "")


def drawn(tab: Any, expect: Any, wanted: set[str]) -> None:
    expect(tab.locator(".unit")).to_have_count(len(wanted))
    assert set(tab.locator(".unit").evaluate_all("units => units.map(unit => unit.dataset.id)")) == wanted


def test_another_network_is_chosen_and_undo_goes_back(
    tab: Any, expect: Any, network: Network, other: Gated, photo: Photo
) -> None:
    tab.locator("#predictions").get_by_role("button", name="why cat?").click()
    mine = set(trace(network, photo, 0, depth=2, top=5).visible)
    expect(tab.locator('.unit.root[data-id="fc:0"]')).to_have_count(1)
    drawn(tab, expect, mine)
    choose(tab, expect, "other")
    expect(tab.locator("#status-text")).to_have_text("Loading other …")
    # The page stays as it was, and can be used, until the network is there.
    tab.locator(".unit.root").click()
    drawn(tab, expect, mine)
    other.gate.set()
    expect(tab.locator("#network-menu summary")).to_have_text("other")
    expect(tab.locator("#network")).to_contain_text("1000 classes")
    expect(tab.locator("#toasts")).to_contain_text("other knows cat too, which is still explained.")
    drawn(tab, expect, set(trace(other.network, photo, 0, depth=2, top=5).visible))
    expect(tab.locator(".unit .frame:not(:has(img[src]))")).to_have_count(0)
    tab.get_by_role("button", name=re.compile("^Undo")).click()
    expect(tab.locator("#network-menu summary")).to_have_text("tiny")
    drawn(tab, expect, mine)
    choose(tab, expect, "other")
    expect(tab.locator("#network-menu summary")).to_have_text("other")
    drawn(tab, expect, set(trace(other.network, photo, 0, depth=2, top=5).visible))


def pictures(tab: Any, where: str) -> list[str]:
    """What the shown pictures of units are of: layer, channel and the beginning of the network's fingerprint."""
    found = tab.locator(f"{where} img").evaluate_all("all => all.map(image => image.src)")
    keys = [re.search(r"picture/([0-9a-f]+)\.webp", address) for address in found]
    return [bytes.fromhex(key[1]).decode() for key in keys if key is not None]


def test_no_picture_of_the_network_before_is_shown_where_units_are_called_the_same(
    tab: Any, expect: Any, network: Network, other: Gated
) -> None:
    other.gate.set()
    tab.locator("#predictions").get_by_role("button", name="why cat?").click()
    expect(tab.locator('.unit .frame[data-shows="picture"]')).not_to_have_count(0)
    assert {name.split(":")[2] for name in pictures(tab, ".unit")} == {network.sha256[:8]}
    tab.get_by_role("button", name="Layers").click()
    wall = "#wall .unit-card"
    expect(tab.locator(f"{wall} img").first).to_be_visible()
    choose(tab, expect, "other")
    expect(tab.locator("#network-menu summary")).to_have_text("other")
    expect(tab.locator("#wall")).to_be_visible()
    assert pictures(tab, wall) == []
    tab.get_by_role("button", name="Circuit", exact=True).click()
    expect(tab.locator(".unit.root")).to_be_visible()
    assert pictures(tab, ".unit") == []
    assert other.gallery is not None
    other.gallery.gate.set()
    expect(tab.locator('.unit .frame:not([data-shows="picture"])')).to_have_count(0)
    assert {name.split(":")[2] for name in pictures(tab, ".unit")} == {other.network.sha256[:8]}


def option(tab: Any) -> Any:
    return tab.locator('#search [role="option"][aria-selected="true"]')


def test_all_classes_are_listed_in_both_orders_and_one_is_explained(
    tab: Any, expect: Any, other: Gated, photo: Photo
) -> None:
    other.gate.set()
    choose(tab, expect, "other")
    expect(tab.locator("#network-menu summary")).to_have_text("other")
    ranked = predict(other.network, photo, top=1000)
    field = tab.get_by_role("combobox")
    field.focus()
    tab.keyboard.press("ArrowDown")
    expect(option(tab)).to_have_attribute("aria-posinset", "1")
    expect(option(tab)).to_have_attribute("aria-setsize", "1000")
    expect(option(tab)).to_have_text(f"{ranked[0].label}{chance(ranked[0].probability)}class")
    shown = tab.locator("#search .search-label").all_inner_texts()
    assert 10 <= len(shown) <= 40  # of a thousand
    assert shown == [row.label for row in ranked[: len(shown)]]
    tab.keyboard.press("End")
    expect(option(tab)).to_have_attribute("aria-posinset", "1000")
    expect(option(tab).locator(".search-label")).to_have_text(ranked[-1].label)
    expect(option(tab)).to_be_in_viewport()
    assert tab.locator("#search [role=option]").count() <= 40
    # By name, numbers in their order.
    tab.keyboard.press("ArrowRight")
    expect(tab.get_by_role("button", name="by name")).to_have_attribute("aria-pressed", "true")
    expect(option(tab).locator(".search-label")).to_have_text("cat")
    for _ in range(3):
        tab.keyboard.press("PageDown")
    expect(option(tab).locator(".search-label")).to_have_text("thing 27")
    expect(option(tab)).to_be_in_viewport()
    tab.keyboard.press("Enter")
    expect(tab.locator("#explained")).to_contain_text("Explaining: thing 27, ")
    expect(tab.locator(".unit.root")).to_be_focused()


def test_the_list_opens_by_a_click_becomes_results_while_something_is_written_and_closes(tab: Any, expect: Any) -> None:
    options = tab.locator("#search [role=option]")
    field = tab.get_by_role("combobox")
    field.click()
    expect(options).to_have_count(6)
    expect(field).to_have_attribute("aria-expanded", "true")
    tab.keyboard.type("tre")
    expect(options).to_have_count(1)
    for _ in range(3):
        tab.keyboard.press("Backspace")
    expect(options).to_have_count(6)
    tab.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(field).to_have_attribute("aria-expanded", "false")
    button = tab.get_by_role("button", name="All classes")
    button.click()
    expect(options).to_have_count(6)
    tab.get_by_role("button", name="by name").click()
    expect(tab.locator("#search .search-label").first).to_have_text("<b>ship</b>")
    expect(field).to_be_focused()
    button.click()
    expect(options).to_have_count(0)


def test_a_class_of_the_list_is_held_against_the_one_that_is_explained(tab: Any, expect: Any) -> None:
    tab.locator("#predictions").get_by_role("button", name="why tree?").click()
    expect(tab.locator(".unit.root")).to_have_count(1)
    tab.get_by_role("combobox").click()
    dog = tab.locator("#search [role=option]", has_text="dog")
    dog.locator(".search-other").click()
    expect(tab.locator("#explained")).to_contain_text("Explaining: tree, not dog")
    tab.get_by_role("combobox").click()
    expect(tab.locator("#search [role=option]", has_text="tree").locator(".search-other")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_menu_and_the_list_have_no_grave_fault(tab: Any, expect: Any, theme: str) -> None:
    tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
    expect(tab.locator("html")).to_have_attribute("data-theme", theme)
    tab.evaluate(Axe().axe_script)
    found = []
    tab.locator("#network-menu summary").click()
    expect(tab.locator("#network-menu .menu-item").first).to_be_visible()
    found += outcome(tab, "() => axe.run().then(found => found.violations)")
    tab.keyboard.press("Escape")
    tab.get_by_role("combobox").click()
    expect(tab.locator("#search [role=option]")).to_have_count(6)
    found += outcome(tab, "() => axe.run().then(found => found.violations)")
    grave = [fault for fault in found if fault["impact"] in ("serious", "critical")]
    assert [(fault["id"], [node["html"][:200] for node in fault["nodes"]]) for fault in grave] == []
