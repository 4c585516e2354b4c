"""The states of the page, in an order in which each follows from the one before.

`walk` leads a tab through all of them, whatever the network, and yields the name of each while it is on the screen: the
checks of accessibility do this on a tiny network, `docs/screenshots.py` on the built-in one.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from unittest.mock import patch

from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.units import Progress, Unit
from dashboard.app import Page
from dashboard.work.queue import Task, WorkQueue
from tests.support import limits


class Held(Protocol):
    """A gallery whose `gate` holds pictures back; `pretend.PaintedGallery` says the rest."""

    gate: threading.Event
    dead_units: set[Unit]
    sketches: Any


@dataclass
class Stage:
    """A tab, and what is behind it.

    Args:
        tab: the page in a browser, just opened.
        expect: playwright's assertions.
        page: what serves it, in this process.
        gallery: its pictures.
        outside_unit: a circuit of a network that is not the page's.
    """

    tab: Any
    expect: Any
    page: Page
    gallery: Held
    outside_unit: Circuit

    def unit(self, name: str) -> Any:
        """The button of a unit in the graph."""
        return self.tab.locator(f'.unit[data-id="{name}"]')

    @property
    def circuit(self) -> Circuit:
        """The circuit on the page."""
        tab_session = self.page.callbacks.sessions.find(self.tab.evaluate("window.circuits.session"))
        assert tab_session is not None
        assert tab_session.session.work.circuit is not None
        return tab_session.session.work.circuit

    @property
    def root(self) -> str:
        """Id of the target."""
        return self.circuit.root

    def below(self, name: str, rank: int = 0) -> str:
        """Id of a unit below another one, by how much it gives it; the most if no rank is given."""
        return self.circuit.edges_into(name)[rank].source

    def choose(self, name: str) -> None:
        """Choose a unit of the graph."""
        self.unit(name).focus()
        self.tab.keyboard.press("Enter")
        self.expect(self.unit(name)).to_have_attribute("aria-pressed", "true")
        self.expect(self.tab.locator("#unit .unit-title")).to_have_text(self.circuit.nodes[name].called)

    def press(self, name: str) -> None:
        """Press the button of this name."""
        self.tab.get_by_role("button", name=name, exact=True).click()

    def middle(self, page: str) -> None:
        """Have the middle show another page."""
        self.tab.locator(f'.pages [data-page="{page}"]').click()
        self.expect(self.tab.locator(f'#middle[data-page="{page}"]')).to_have_count(1)

    def quiet(self) -> None:
        """Wait until nothing is drawn or found out any more."""
        self.expect(self.tab.locator("#status-meter")).to_be_hidden()
        self.expect(self.tab.locator(".waiting")).to_have_count(0)
        self.tab.wait_for_function(_SETTLED)


_SETTLED = """() => {
    const seen = element => {
        const box = element.getBoundingClientRect();
        return box.width > 0 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    };
    const states = ["waiting", "drawing", "unknown"];
    const frames = Array.from(document.querySelectorAll("[data-state]")).filter(seen);
    return !frames.some(frame => states.includes(frame.dataset.state))
        && Array.from(document.images).filter(seen).every(image => image.complete);
}"""


@contextmanager
def blocked(queue: WorkQueue) -> Iterator[None]:
    """Keep a queue busy, so that what it is asked for waits."""
    free, begun = threading.Event(), threading.Event()

    def hold(progress: Progress) -> None:
        begun.set()
        limits.happen(free, "the queue is let go")

    queue.want("held", [Task("held", "held", hold)])
    limits.happen(begun, "the queue begins to be busy")
    try:
        yield
    finally:
        free.set()


@contextmanager
def slow(library: Any) -> Iterator[None]:
    """Have the network stop in the middle of each circuit."""
    free, trace = threading.Event(), library.trace

    def held(photo: Any, target: Any, choices: Any, progress: Progress, **more: Any) -> Circuit:
        while not free.wait(timeout=0.02):
            progress(1, 3, "")
        return trace(photo, target, choices, progress, **more)

    library.trace = held
    try:
        yield
    finally:
        free.set()
        library.trace = trace


def walk(stage: Stage) -> Iterator[str]:
    """Lead a tab that was just opened through the states; the name of each, while it is there."""
    chapters = (
        of_photo, of_waiting, of_circuit, of_unit, of_edge, of_pruning, of_layers, of_comparing, of_groups, of_trouble
    )  # fmt: skip
    with patch("dashboard.work.evidence.near_duplicates", two_alike):
        for chapter in chapters:
            yield from chapter(stage)


def two_alike(network: Network, circuit: Circuit) -> tuple[tuple[str, ...], ...]:
    """The two strongest units below the target, whatever they are."""
    return (tuple(edge.source for edge in circuit.edges_into(circuit.root)[:2]),)


def of_photo(stage: Stage) -> Iterator[str]:
    """What can be done before there is a circuit."""
    tab, expect = stage.tab, stage.expect
    expect(tab.locator(".prediction")).to_have_count(5)
    expect(tab.locator(".invitation button")).to_be_visible()
    yield "predicted"
    tab.keyboard.press("?")
    expect(tab.get_by_role("dialog", name="Help")).to_be_visible()
    yield "keys"
    tab.keyboard.press("?")
    expect(tab.get_by_role("dialog")).to_have_count(0)
    tab.keyboard.press("/")
    tab.keyboard.type("ca")
    expect(tab.get_by_role("option").first).to_be_visible()
    yield "searching"
    tab.keyboard.type("xyz")
    expect(tab.get_by_text("Nothing found for")).to_be_visible()
    yield "nothing found"
    for _ in range(2):
        tab.keyboard.press("Escape")
    stage.press("Move the crop")
    expect(tab.get_by_role("dialog").get_by_role("img")).to_have_js_property("complete", True)
    for key in ("-", "-", "-", "-", "Shift+ArrowUp"):
        tab.keyboard.press(key)
    yield "crop being moved"
    tab.keyboard.press("Escape")
    picture = tab.locator("#photo .sees")
    size = picture.bounding_box()
    picture.click(position={"x": 0.6 * size["width"], "y": 0.4 * size["height"]})
    expect(tab.locator("#spot li").first).to_be_visible()
    stage.quiet()
    yield "what fires here"
    stage.press("Close what fires here")
    expect(tab.locator("#spot li")).to_have_count(0)
    stage.middle("layers")
    expect(tab.locator("#wall [data-state]").first).to_be_visible()
    stage.middle("compare")
    yield "compare without a circuit"
    stage.middle("circuit")


def of_waiting(stage: Stage) -> Iterator[str]:
    """The network at work, then the renderer."""
    tab, expect = stage.tab, stage.expect
    stage.gallery.gate.clear()
    with slow(stage.page.callbacks.library):
        tab.locator(".invitation button").click()
        expect(tab.locator("#status-text")).to_contain_text("Tracing")
        yield "tracing"
    expect(tab.locator(".unit.root")).to_be_visible()
    stage.gallery.sketches.put(16)
    expect(tab.locator('.unit .frame[data-state="drawing"]').first).to_be_visible()
    yield "rendering"
    stage.press("Cancel")
    expect(tab.get_by_role("button", name="Resume")).to_be_visible()
    yield "rendering cancelled"
    stage.gallery.gate.set()
    stage.press("Resume")
    stage.quiet()


def of_circuit(stage: Stage) -> Iterator[str]:
    """The circuit, and what its menus offer."""
    tab = stage.tab
    yield "circuit"
    for menu in ("Grow", "Arrange", "Export"):
        tab.locator("summary", has_text=menu).click()
        yield f"menu {menu}"
        tab.keyboard.press("Escape")
    stage.press("Full screen: the middle alone")
    stage.expect(tab.locator(".pane:visible")).to_have_count(0)
    yield "panes folded"
    stage.press("Full screen: the middle alone")
    stage.expect(tab.locator(".pane:visible")).to_have_count(2)
    count = tab.locator(".unit").count()
    tab.get_by_role("button", name=re.compile("^expand all")).first.click()
    stage.expect(tab.locator(".unit")).not_to_have_count(count)
    stage.quiet()
    yield "circuit grown"
    tab.keyboard.press("Control+z")
    stage.expect(tab.locator(".unit")).to_have_count(count)
    tab.locator(".unit.root").focus()
    tab.keyboard.press("Escape")
    stage.expect(tab.get_by_role("button", name="Score it", exact=True)).to_be_visible()
    yield "nothing chosen"
    with blocked(stage.page.callbacks.work.scoring):
        stage.press("How good is this circuit?")
        stage.expect(tab.locator(".score-room")).to_be_visible()
        yield "circuit being scored"
    stage.expect(tab.locator(".score-curve svg")).to_have_count(1)
    stage.quiet()
    yield "circuit scored"


def of_unit(stage: Stage) -> Iterator[str]:
    """A unit's pane: at once, with evidence, named, and without a picture."""
    tab, expect = stage.tab, stage.expect
    child = stage.below(stage.root)
    with blocked(stage.page.callbacks.work.looking):
        stage.choose(child)
        yield "unit chosen"
    stage.quiet()
    yield "unit"
    for part in ("what-if", "unit-books", "unit-evidence", "elsewhere-title"):
        tab.locator(f"#{part}").evaluate("part => part.scrollIntoView()")
        yield f"unit, at {part}"
    tab.locator("#unit-head").evaluate("part => part.scrollIntoView()")
    name = tab.get_by_label("Name", exact=True)
    name.fill("round eyes")
    yield "unit being named"
    name.press("Enter")
    expect(tab.locator("#unit .unit-title")).to_have_text("round eyes")
    tab.get_by_label("Note", exact=True).fill("Fires on both eyes, more on the left one.")
    expect(stage.unit(child)).to_contain_text("round")
    for kind in ("Minimising image", "Four diverse images"):
        tab.locator(".choose-more").get_by_role("button", name=kind).click()
    stage.quiet()
    yield "unit with a name and more pictures"
    for kind in ("Minimising image", "Four diverse images"):
        tab.locator(".choose-more").get_by_role("button", name=kind).click()
    slider = tab.locator("#what-if input[type=range]")
    slider.fill("0")
    expect(tab.locator("#what-if")).to_contain_text("→")
    tab.locator("#what-if").evaluate("part => part.scrollIntoView()")
    yield "what if"
    tab.locator("#what-if").get_by_role("button", name="Reset", exact=True).click()
    leaf = stage.below(child)
    stage.gallery.gate.clear()
    known = set(stage.circuit.visible)
    stage.choose(leaf)
    tab.keyboard.press("e")
    expect(stage.unit(leaf)).to_have_class(re.compile("expanded"))
    new = next(edge.source for edge in stage.circuit.edges_into(leaf) if edge.source not in known)
    stage.gallery.dead_units.add(Unit.parse(new))
    stage.gallery.gate.set()
    stage.choose(new)
    stage.quiet()
    yield "dead unit"
    tab.keyboard.press("Control+z")
    expect(stage.unit(new)).to_have_count(0)


def of_edge(stage: Stage) -> Iterator[str]:
    """An edge's pane."""
    tab, expect = stage.tab, stage.expect
    lower = stage.below(stage.root)
    tab.evaluate("ends => window.circuits.send('edge', ends)", {"lower": lower, "upper": stage.root})
    expect(tab.locator(".measured")).to_be_visible()
    stage.quiet()
    yield "edge"
    tab.locator(".measured button").click()
    expect(tab.locator(".measured .verdict").first).to_contain_text("ablated")
    stage.quiet()
    yield "edge, measured"
    tab.keyboard.press("Escape")
    stage.choose(stage.root)
    expect(tab.locator(".ablated")).to_contain_text("Set to zero")
    stage.quiet()
    yield "unit, measured"


def of_pruning(stage: Stage) -> Iterator[str]:
    """Less of the circuit."""
    tab, expect = stage.tab, stage.expect
    tab.locator("#weak").fill("3")
    expect(tab.locator("#weak-left")).to_be_visible()
    yield "weak edges hidden"
    tab.locator("#weak").fill("0")
    child = stage.below(stage.root)
    stage.unit(child).focus()
    tab.keyboard.press("f")
    expect(tab.locator(".unit.stack")).to_have_count(1)
    stage.quiet()
    yield "folded"
    tab.keyboard.press("f")
    expect(tab.locator(".unit.stack")).to_have_count(0)
    stage.choose(child)
    tab.keyboard.press("x")
    expect(stage.unit(child)).to_have_count(0)
    stage.quiet()
    yield "discarded"
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("button", name="Score it again")).to_be_visible()
    yield "score out of date"
    tab.keyboard.press("Control+z")
    expect(stage.unit(child)).to_have_count(1)


def of_layers(stage: Stage) -> Iterator[str]:
    """The wall of a layer."""
    tab, expect = stage.tab, stage.expect
    stage.middle("layers")
    expect(tab.locator('#wall [data-state="ready"]').first).to_be_visible()
    stage.quiet()
    yield "layers"
    outside = tab.locator('#wall .unit-card:not([aria-label*="in the circuit"])').first
    outside.click()
    expect(tab.locator("#unit .places-table")).to_be_visible()
    tab.mouse.move(5, 5)
    stage.quiet()
    yield "layers, unit chosen"


def of_comparing(stage: Stage) -> Iterator[str]:
    """Two circuits side by side."""
    tab, expect = stage.tab, stage.expect
    stage.middle("compare")
    yield "compare with one circuit"
    stage.press("Pin as left side")
    expect(tab.get_by_text("Pinned: ")).to_be_visible()
    yield "compare with a held circuit"
    tab.locator("#predictions .prediction:not(.explained)").first.get_by_role("button").first.click()
    expect(tab.locator("#compare table")).to_be_visible()
    stage.quiet()
    yield "compare"
    stage.middle("circuit")


def of_groups(stage: Stage) -> Iterator[str]:
    """The same target by groups of channels, and the panes of a group and of what is in none."""
    tab, expect = stage.tab, stage.expect
    stage.press("Groups")
    expect(tab.locator(".unit.residual").first).to_be_visible()
    stage.quiet()
    yield "circuit of groups"
    stage.choose(stage.below(stage.root))
    expect(tab.locator("#members-section .open-channel").first).to_be_visible()
    stage.quiet()
    yield "group"
    stage.choose(next(name for name in stage.circuit.visible if name.endswith("/rest")))
    stage.quiet()
    yield "what is in no group"


def of_trouble(stage: Stage) -> Iterator[str]:
    """What does not go as wished."""
    tab, expect = stage.tab, stage.expect
    file = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no photo"}
    tab.locator("#photo-upload input[type=file]").set_input_files(file)
    expect(tab.get_by_role("alert")).to_be_visible()
    yield "error"
    tab.keyboard.press("Escape")
    data = stage.outside_unit.to_json_text().encode()
    file = {"name": "outside_unit.json", "mimeType": "application/json", "buffer": data}
    tab.locator("#circuit-upload input[type=file]").set_input_files(file)
    expect(tab.locator("#unit .notice")).to_be_visible()
    stage.quiet()
    yield "circuit of another network"
    tab.context.set_offline(True)
    tab.evaluate("window.circuits.send('refresh')")
    expect(tab.locator("#offline")).to_be_visible()
    yield "offline"
    tab.context.set_offline(False)
    expect(tab.locator("#offline")).to_have_count(0)
