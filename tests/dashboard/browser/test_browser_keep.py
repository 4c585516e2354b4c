"""What outlives a moment, in a real browser: files, addresses, a server that goes and comes back, a phone's photo."""

import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from dashboard.app import Page, PageSettings, create_page
from dashboard.server import Running
from tests.dashboard.browser.test_browser import unit, upload, why
from tests.support import limits
from tests.support.pretend import PaintedCollection, PaintedGallery

Open = Callable[..., Any]


@pytest.fixture
def tab(open_tab: Open, served: str, expect: Any) -> Any:
    """The page, opened, with its predictions there."""
    return opened(open_tab, served, expect)


def opened(open_tab: Open, url: str, expect: Any, **more: Any) -> Any:
    made = open_tab(url, **more)
    expect(made.get_by_role("button", name=re.compile("^why ")).first).to_be_visible()
    return made


def saved(tab: Any, item: str) -> tuple[str, bytes]:
    """Choose an item of the menu; the name and the bytes of the file."""
    tab.locator("#export-menu > summary").click()
    with tab.expect_download() as waiting:
        tab.locator("#export-menu .menu-item").filter(has=tab.get_by_text(item, exact=True)).click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_every_file_of_the_menu_can_be_saved(tab: Any, expect: Any, gallery: PaintedGallery) -> None:
    names = why(tab, expect)
    expect(tab.locator('.frame:not([data-state="ready"])')).to_have_count(0)
    name, data = saved(tab, "JSON")
    assert name == "patches--tree--circuit.json"
    assert set(Circuit.from_dict(json.loads(data)).visible) == set(names)
    assert b'"picture"' not in data
    assert saved(tab, "JSON with pictures")[1].count(b'"picture"') == len(names)
    name, data = saved(tab, "HTML page")
    assert (name, data[:15]) == ("patches--tree--circuit.html", b"<!DOCTYPE html>")
    name, data = saved(tab, "GraphML")
    assert name == "patches--tree--circuit.graphml"
    assert data.count(b"<node ") == len(names)
    name, data = saved(tab, "SVG")
    assert name == "patches--tree--circuit.svg"
    assert data.count(b'class="look picture"') == len(names)


def test_the_png_is_twice_the_drawing_and_shows_its_pictures(tab: Any, expect: Any, gallery: PaintedGallery) -> None:
    why(tab, expect)
    expect(tab.locator('.frame:not([data-state="ready"])')).to_have_count(0)
    _, drawing = saved(tab, "SVG")
    size = re.search(rb'<svg xmlns="[^"]+" width="(\d+)" height="(\d+)"', drawing)
    name, data = saved(tab, "Whole graph (PNG)")
    image = Image.open(io.BytesIO(data)).convert("RGB")
    assert name == "patches--tree--circuit.png"
    assert image.size == (2 * int(size[1]), 2 * int(size[2]))
    # The painted pictures have one colour each, which must be found in the drawing.
    painted = np.random.default_rng(2).integers(60, 230, 3)
    near = np.abs(np.asarray(image, dtype=int) - painted).max(axis=2) <= 8
    assert near.sum() > 20_000


def test_the_menu_works_by_keyboard_and_closes(tab: Any, expect: Any) -> None:
    menu = tab.locator("#export-menu")
    summary = menu.locator("summary")
    expect(summary).to_have_attribute("aria-disabled", "true")
    summary.click()
    expect(menu).not_to_have_attribute("open", "")
    why(tab, expect)
    expect(summary).to_have_attribute("aria-disabled", "false")
    summary.focus()
    tab.keyboard.press("Enter")
    expect(menu).to_have_attribute("open", "")
    tab.keyboard.press("ArrowDown")
    expect(menu.locator(".menu-item").nth(0)).to_be_focused()
    tab.keyboard.press("ArrowUp")
    expect(menu.locator(".menu-item").nth(7)).to_be_focused()
    tab.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(summary).to_be_focused()
    expect(tab.locator(".unit.selected")).to_have_count(1)
    summary.click()
    tab.locator("#status-text").click()
    expect(menu).not_to_have_attribute("open", "")


def test_the_link_of_the_menu_is_the_address_of_the_view(tab: Any, expect: Any) -> None:
    why(tab, expect)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.locator("#export-menu > summary").click()
    tab.locator("#export-menu").get_by_text("Copy link").click()
    expect(tab.get_by_text("Link copied. It works on this machine only")).to_be_visible()
    assert tab.evaluate("navigator.clipboard.readText()") == tab.url
    assert "#view=" in tab.url


def test_the_address_opens_a_copy_that_goes_its_own_way(tab: Any, open_tab: Open, expect: Any, page: Page) -> None:
    names = why(tab, expect)
    leaf = next(name for name in names if name.startswith("c:"))
    unit(tab, leaf).click()
    expect(unit(tab, leaf)).to_have_class(re.compile("selected"))
    assert re.search(r"#view=[0-9a-f]{32}$", tab.url)
    own = tab.evaluate("window.circuits.session")
    assert own not in tab.url
    links = tab.evaluate("Array.from(document.querySelectorAll('[href], [src]'), each => each.href || each.src)")
    assert any("/export/" in link for link in links)
    assert not [link for link in links if own in link]
    other = open_tab(tab.url)
    expect(other.locator(".unit")).to_have_count(len(names))
    expect(unit(other, leaf)).to_have_class(re.compile("selected"))
    assert other.url != tab.url
    unit(other, leaf).click()
    other.keyboard.press("x")
    expect(unit(other, leaf)).to_have_count(0)
    tab.reload()
    expect(tab.locator(".unit")).to_have_count(len(names))
    other.reload()
    expect(other.locator(".unit").first).to_be_visible()
    expect(unit(other, leaf)).to_have_count(0)


@pytest.mark.parametrize("name", ["0" * 32, "..%2F..%2Fetc", "<b>x</b>"])
def test_an_address_that_is_not_kept_is_said(open_tab: Open, served: str, expect: Any, name: str) -> None:
    made = opened(open_tab, f"{served}#view={name}", expect)
    expect(made.locator(".toast")).to_contain_text("The view in the address is not kept here any more")
    expect(made.locator("#photo")).to_contain_text("patches")


def test_an_address_typed_into_an_open_page_is_opened(tab: Any, open_tab: Open, served: str, expect: Any) -> None:
    names = why(tab, expect)
    other = opened(open_tab, served, expect)
    other.evaluate("name => { location.hash = name; }", tab.url.split("#")[1])
    expect(other.locator(".unit")).to_have_count(len(names))
    assert other.url != tab.url


class Server:
    """A server that can be stopped and started again at the same port."""

    def __init__(self, settings: PageSettings) -> None:
        self.settings = settings
        self.port = 0
        self.running: Running | None = None
        self.start()

    def start(self) -> None:
        self.page = create_page(self.settings)
        self.running = Running(self.page, host="127.0.0.1", port=self.port)
        self.port = self.running.port
        self.url = self.running.url
        self.thread = threading.Thread(target=self.running.run, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        if self.running is not None:
            self.running.close()
            limits.join(self.thread)
            self.running = None


@pytest.fixture
def settings(network: Network, photo: Photo, gallery: PaintedGallery, tmp_path: Path) -> PageSettings:
    return PageSettings(network, photo=photo, gallery=gallery, collection=PaintedCollection(), folder=tmp_path / "kept")


@pytest.fixture
def serving(settings: PageSettings) -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def start(*, keep: bool) -> Server:
        made.append(Server(settings if keep else replace(settings, folder=None)))
        return made[-1]

    yield start
    for server in made:
        server.stop()


def test_a_restarted_server_with_a_shelf_has_the_circuit_again(
    serving: Callable[..., Server], open_tab: Open, expect: Any
) -> None:
    server = serving(keep=True)
    tab = opened(open_tab, server.url, expect, tolerant=True)
    names = why(tab, expect)
    server.stop()
    unit(tab, names[1]).click()
    banner = tab.locator("#offline")
    expect(banner).to_contain_text(f"circuits explore --port {server.port}")
    expect(banner).to_have_attribute("role", "alert")
    drawn = tab.locator("#predictions button").first
    expect(drawn).to_have_css("filter", "grayscale(1)")
    drawn.click(force=True)
    server.start()
    expect(banner).to_have_count(0)
    # The click that found no server is not lost, the one on the button that looked disabled was none.
    expect(unit(tab, names[1])).to_have_class(re.compile("selected"))
    expect(tab.locator(".unit")).to_have_count(len(names))
    expect(tab.locator(".toast.restore")).to_have_count(0)
    assert len(server.page.callbacks.sessions.find(tab.url[-32:]).session.requests) == 0


@pytest.mark.parametrize("reload", [False, True])
def test_a_restarted_server_without_a_shelf_is_offered_the_circuit(
    serving: Callable[..., Server], open_tab: Open, expect: Any, reload: bool
) -> None:
    server = serving(keep=False)
    tab = opened(open_tab, server.url, expect, tolerant=True)
    names = why(tab, expect)
    key = f"circuits-saved-{tab.url[-32:]}"
    tab.wait_for_function("key => localStorage.getItem(key)", arg=key)
    server.stop()
    server.start()
    if reload:
        tab.reload()
    else:
        unit(tab, names[1]).click()
    offer = tab.locator(".toast.restore")
    expect(offer).to_contain_text("does not have your circuit any more. This browser kept tree")
    offer.get_by_role("button", name="Restore the circuit").click()
    expect(tab.locator(".unit")).to_have_count(len(names))
    expect(offer).to_have_count(0)
    assert set(tab.locator(".unit").evaluate_all("units => units.map(unit => unit.dataset.id)")) == set(names)


def test_what_was_meant_for_a_lost_session_is_not_done_to_a_new_one(
    serving: Callable[..., Server], open_tab: Open, expect: Any
) -> None:
    server = serving(keep=False)
    tab = opened(open_tab, server.url, expect, tolerant=True)
    server.stop()
    server.start()
    tab.get_by_role("button", name="why tree?").click()
    expect(tab.locator(".toast").first).to_contain_text("does not have your session any more")
    assert server.page.callbacks.sessions.find(tab.url[-32:]).session.requests == ()
    why(tab, expect)


def test_the_browser_keeps_the_last_three_sessions(serving: Callable[..., Server], open_tab: Open, expect: Any) -> None:
    server = serving(keep=False)
    tab = opened(open_tab, server.url, expect)
    tab.evaluate(
        "() => ['a', 'b', 'c'].forEach((name, at) => localStorage.setItem("
        "'circuits-saved-' + name.repeat(32), JSON.stringify({ name, at, json: '{}' })))"
    )
    why(tab, expect)
    tab.wait_for_function("key => localStorage.getItem(key)", arg=f"circuits-saved-{tab.url[-32:]}")
    kept = set(tab.evaluate("Object.keys(localStorage).filter(key => key.startsWith('circuits-saved-'))"))
    assert kept == {f"circuits-saved-{name}" for name in (tab.url[-32:], "c" * 32, "b" * 32)}


def phone_photo() -> bytes:
    """A photo of 12 megapixels as a phone stores it: lying on its side, with the turn noted beside it."""
    rows, columns = np.mgrid[0:3024, 0:4032]
    noise = np.random.default_rng(0).integers(0, 40, (3024, 4032), dtype=np.uint8)
    pixels = np.stack([(columns // 17 % 200) + noise, (rows // 13 % 200) + noise, 90 + noise], axis=2).astype(np.uint8)
    pixels[:, :400] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=84, exif=exif)
    return buffer.getvalue()


def test_a_phones_photo_arrives_upright(tab: Any, expect: Any, page: Page) -> None:
    data = phone_photo()
    assert 3e6 < len(data) < 11e6
    upload(tab, "photo-upload", "IMG_2041.jpg", data, "image/jpeg")
    expect(tab.locator("#photo")).to_contain_text("IMG_2041.jpg")
    expect(tab.locator("#photo")).to_contain_text("3024 × 4032")
    image = tab.locator("#photo img")
    assert re.fullmatch(r"photo/[0-9a-f]{64}\.webp", image.get_attribute("src"))
    expect(image).to_have_js_property("naturalWidth", 32)
    # What lay left is on top: red, in the photo that the page's session holds.
    (tab_session,) = [page.callbacks.sessions.find(tab.url[-32:])]
    red = tab_session.session.work.photo.image.getpixel((1500, 100))
    assert red[0] > 240
    assert red[1] < 15
    why(tab, expect, label=tab.locator("#predictions .label").first.inner_text())
