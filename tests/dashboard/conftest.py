"""Pages of a tiny network, and a browser to open them in."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from circuits.image.photo import Photo, load_photo
from circuits.network.network import Network
from dashboard.app import Page, PageSettings, create_page
from dashboard.library import Library
from dashboard.server import Running
from tests.support import serving
from tests.support.chromium import Chromium
from tests.support.person import Person
from tests.support.pretend import PaintedCollection, PaintedGallery, tiny_network

# Milliseconds; a loaded machine is slow, and a test that passes does not wait so long.
PATIENCE = 30_000


@pytest.fixture(scope="session")
def network() -> Network:
    """The tiny network."""
    return tiny_network()


@pytest.fixture
def gallery(tmp_path: Path, network: Network) -> PaintedGallery:
    """An empty gallery of the tiny network."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    return PaintedGallery(folder, network)


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person's own pictures and indices have no part in tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def collection() -> PaintedCollection:
    """No collection, until photos are put into it."""
    return PaintedCollection()


@pytest.fixture
def library(network: Network, gallery: PaintedGallery) -> Library:
    """The library for the tiny network."""
    return Library(network, gallery)


@pytest.fixture(scope="session")
def photo() -> Photo:
    """A seeded photo with large patches of colour."""
    pixels = np.random.default_rng(3).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return load_photo(np.asarray(Image.fromarray(pixels).resize((80, 60), Image.Resampling.BICUBIC)), name="patches")


@pytest.fixture
def page(network: Network, gallery: PaintedGallery, collection: PaintedCollection, photo: Photo) -> Iterator[Page]:
    """A page without a server."""
    made = create_page(PageSettings(network, photo=photo, gallery=gallery, collection=collection))
    yield made
    made.close()


@pytest.fixture
def ann(page: Page) -> Person:
    """Somebody at that page."""
    return Person(page)


@pytest.fixture
def expect(browser: Any) -> Any:
    """Playwright's assertions, which wait."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    return expect


@pytest.fixture
def open_tab(browser: Chromium, served: str) -> Iterator[Callable[..., Any]]:
    """Opens an address as a person of their own would; any error in the console fails the test, unless tolerated."""
    tabs: list[Any] = []
    errors: list[str] = []

    def opened(url: str, *, tolerant: bool = False) -> Any:
        tab = browser.new_page(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        tabs.append(tab)
        tab.set_default_timeout(PATIENCE)
        if not tolerant:
            tab.on("pageerror", lambda error: errors.append(str(error)))
            tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        tab.goto(url)
        return tab

    yield opened
    for tab in tabs:
        browser.close_page(tab)
    assert not errors, errors


@pytest.fixture
def served(page: Page) -> Iterator[str]:
    """The address of the page, served by waitress."""
    with serving.served(Running(page, host="127.0.0.1", port=0)) as running:
        yield running.url
