"""What a person waits for on a network with trained weights: no unit is blank once the graph stands."""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from circuits.image.photo import load_photo
from circuits.network.loading import load_network
from circuits.network.network import Network
from dashboard.app import Page, PageSettings, create_page
from tests.support.nets import shared
from tests.support.places import outcome
from tests.support.pretend import PaintedCollection, PaintedGallery

MOST_PASSES = 2000
"""Forward passes of the network that may be made in the time until every unit shows something: about 30 units are
traced, cut out of the photo, sent and drawn by the browser, on any machine."""


@pytest.fixture(scope="module")
def network() -> Network:
    """SqueezeNet 1.1 as it was trained."""
    return load_network("squeezenet1_1", weights=str(shared("networks/squeezenet1_1.safetensors")))


@pytest.fixture
def page(network: Network, tmp_path: Path) -> Iterator[Page]:
    """A page on which no picture is ever finished, as on a machine that is busy with something else."""
    gallery = PaintedGallery(tmp_path, network)
    gallery.gate.clear()
    photo = load_photo(shared("photos/284_Siamese_cat.jpg"))
    made = create_page(PageSettings(network, photo=photo, gallery=gallery, collection=PaintedCollection()))
    yield made
    gallery.gate.set()
    made.close()


def test_no_unit_is_blank_once_the_graph_stands(
    open_tab: Callable[..., Any], served: str, expect: Any, network: Network
) -> None:
    tab = open_tab(served)
    why = tab.locator("#predictions .prediction button").first
    expect(why).to_be_visible()
    begun = time.perf_counter()
    why.click()
    expect(tab.locator(".unit.root")).to_have_count(1)
    blank = tab.locator(".unit .frame:not(:has(img[src]))")
    expect(blank).to_have_count(0)
    waited = time.perf_counter() - begun
    units = tab.locator(".unit").count()
    assert units > 20
    expect(tab.locator('.unit .frame[data-shows="patch"]')).to_have_count(units)
    widths = outcome(
        tab,
        """() => Promise.all([...document.querySelectorAll(".unit img")].map(
        image => image.decode().then(() => image.naturalWidth)))""",
    )
    assert min(widths) > 16
    assert waited < MOST_PASSES * forward_pass(network)


def forward_pass(network: Network) -> float:
    """Seconds that the bare network takes for a photo, the median of some."""
    image = torch.zeros(1, 3, 224, 224)
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        network.logits(image)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)
