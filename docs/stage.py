"""A page and a browser of its own, for the pictures that the scripts beside this file make."""

import math
import os
import queue
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter
from playwright.sync_api import expect, sync_playwright

from circuits import Photo, PictureStore, Unit, load_network, load_photo, pictures, trace
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.units import Progress
from dashboard.app import PageSettings, create_page
from dashboard.server import Running
from dashboard.work import pictures as drawing
from dashboard.work.gallery import StoredGallery
from dashboard.work.previews import OnPreview

sys.path.append(str(Path(__file__).parents[1]))
from tests.support.states import Stage

SIZE = (1280, 800)
_PATIENCE = 300_000


class GivenGallery(StoredGallery):
    """A gallery that begins empty and is given its pictures one by one, so that its states can be looked at.

    Args:
        network: whose units.
        store: where pictures are kept.
    """

    def __init__(self, network: Network, store: PictureStore) -> None:
        super().__init__(network, store)
        self.own, self.whole = store, network
        self.gate = threading.Event()
        self.gate.set()
        self.dead_units: set[Unit] = set()
        self.sketches: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.step: int | None = None
        self.given: set[str] = set()
        self.requested: set[str] = set()

    def key(self, unit: Unit) -> str:
        """Content address of a unit's picture."""
        key = super().key(unit)
        self.requested.add(key)
        return key

    def file(self, key: str) -> Path | None:
        """The file, once it was given; those of further pictures as soon as they are there."""
        return super().file(key) if key in self.given or key not in self.requested else None

    def dead(self, unit: Unit) -> bool:
        """Whether it is told to be."""
        return unit in self.dead_units or super().dead(unit)

    def render(self, units: Sequence[Unit], progress: Progress, preview: OnPreview) -> None:
        """Wait for the gate, showing sketches meanwhile; then give the pictures, which are made if they are missing."""
        shown = None
        while not self.gate.wait(timeout=0.02):
            progress(1, 4, "")
            if not self.sketches.empty():
                self.step = self.sketches.get()
            if self.step != shown:  # as well by a drawing that takes the place of the one that was asked first
                for unit in units:
                    preview(unit, self._unfinished(unit), self.step, 256)
                shown = self.step
        self.step = None
        super().render(units, progress, preview)
        self.given.update(self.key(unit) for unit in units)

    def _unfinished(self, unit: Unit) -> Image.Image:
        """About what a picture looks like after a few steps."""
        made = pictures(self.whole, [unit], store=self.own)[0].image
        return Image.blend(made.filter(ImageFilter.GaussianBlur(3)), Image.new("RGB", made.size, "#999999"), 0.4)


@contextmanager
def opened(
    *, network: str = "builtin", weights: str | None = None, photo: str = "example:cat", size: tuple[int, int] = SIZE
) -> Iterator[Stage]:
    """A tab with the page of a network, served from this process; its pictures and sessions are kept nowhere.

    Args:
        network: as `circuits.load_network` takes it.
        weights: its weights, if it needs some.
        photo: the photo that the page begins with.
        size: of the tab.
    """
    known, seen = load_network(network, weights=weights), load_photo(photo)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ["XDG_CACHE_HOME"] = folder
        drawing.LONGEST = math.inf  # nobody is there to be asked whether pictures may take minutes
        gallery = GivenGallery(known, PictureStore(folder))
        page = create_page(PageSettings(known, photo=seen, gallery=gallery))
        running = Running(page, host="127.0.0.1", port=0)
        thread = threading.Thread(target=running.run, daemon=True)
        thread.start()
        program = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        width, height = size
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
        tab = context.new_page()
        tab.set_default_timeout(_PATIENCE)
        expect.set_options(timeout=_PATIENCE)
        tab.goto(running.url)
        try:
            yield Stage(tab, expect, page, gallery, outside_unit(known, seen))
        finally:
            browser.close()
            running.close()
            thread.join(timeout=5)


def outside_unit(network: Network, photo: Photo) -> Circuit:
    """A circuit that looks as if it were another network's."""
    data: dict[str, Any] = trace(network, photo, depth=2, top=3).to_dict()
    data["graph"]["network"] |= {"name": "another network", "sha256": "0" * 64}
    return Circuit.from_dict(data)
