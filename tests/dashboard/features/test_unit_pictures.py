"""Further pictures of a unit: drawn when they are asked for, shown as they come about, kept, and cancelled."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from dash import no_update
from PIL import Image

from circuits.evidence.maps import target_map
from circuits.image.encode import show_map
from circuits.network.network import Network
from circuits.report.text import number
from circuits.tracing.source import input_crop
from circuits.units import Unit
from circuits.visualization.settings import Settings
from circuits.visualization.store import PictureStore
from dashboard.app import Page
from dashboard.webp import webp
from dashboard.work.gallery import StoredGallery
from tests.dashboard.features.test_view import find, words
from tests.support.person import ANN, Person
from tests.support.pretend import PaintedGallery

WAIT = 30.0
TREE = Unit("fc", 2)


@pytest.fixture
def client(page: Page) -> Any:
    return page.dash.server.test_client()


@pytest.fixture
def drawn(ann: Person) -> Person:
    """Somebody whose circuit has all its pictures."""
    ann.why("2")
    ann.rendered()
    return ann


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, in small steps."""
    pause = Event()
    for _ in range(int(WAIT / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("The condition did not become true.")


def images(person: Person, begin: str) -> list[Any]:
    """The pictures in the pane whose words begin so."""
    return [each for each in find(person.pane) if type(each).__name__ == "Img" and each.alt.startswith(begin)]


def test_a_difference_shows_both_pictures_and_its_own_map_in_the_graph(ann: Person, network: Network) -> None:
    ann.why("2 - 1")
    ann.rendered()
    ann.looked()
    circuit, library = ann.callbacks.sessions.tab(ann.name).session.work.circuit, ann.callbacks.library
    ann.do("refresh")
    tile = ann.nodes[circuit.root]
    one, other = (f"picture/{library.gallery.key(Unit(network.layers[-1], channel))}.webp" for channel in (2, 1))
    assert (tile["picture"], tile["second"]) == (one, other)
    shown = show_map(input_crop(network, circuit), target_map(network, circuit), size=128)
    assert tile["heat"] == webp(shown).address
    assert "Contributions to tree - dog, by position" in words(ann.pane)
    ann.why("2")
    ann.rendered()
    ann.do("refresh")
    assert ann.nodes["fc:2"]["second"] == ""


def test_a_difference_shows_both_of_its_classes_and_both_logits(ann: Person, network: Network) -> None:
    ann.why("2 - 1")
    ann.rendered()
    session = ann.callbacks.sessions.tab(ann.name).session
    logits = network.logits(network.preprocessing.input_of(session.work.photo))[0].tolist()
    assert [each.alt for each in images(ann, "What ")] == ["What tree looks for", "What dog looks for"]
    assert words(ann.seen["looks"]).startswith("For: tree")
    assert words(ann.seen["fired"]).startswith("Against: dog")
    facts = {words(each.children[0]): words(each.children[1]) for each in find(ann.pane, className="facts")[0].children}
    assert facts == {
        "difference": number(logits[2] - logits[1]),
        "logit of tree": number(logits[2]),
        "logit of dog": number(logits[1]),
    }


def test_nothing_further_is_drawn_unasked(drawn: Person, gallery: PaintedGallery) -> None:
    assert gallery.drawn == []
    assert "More:" in words(drawn.pane)
    assert not find(drawn.pane, className="variants negative")


def test_what_a_unit_is_against_is_drawn_when_asked_and_served(
    drawn: Person, gallery: PaintedGallery, client: Any
) -> None:
    drawn.do("pictures", "fc:2 negative")
    drawn.rendered()
    drawn.do("refresh")
    assert gallery.drawn == [(TREE, "negative")]
    [image] = images(drawn, "Minimising image of tree")
    assert image.src == f"picture/{gallery.variants(TREE, 'negative')[0].key}.webp"
    answer = client.get(f"/{image.src}")
    assert (answer.status_code, answer.mimetype) == (200, "image/webp")
    assert "immutable" in answer.headers["Cache-Control"]
    assert "The image that lowers tree most; with it, the unit does not activate at all" in words(drawn.pane)


def test_four_that_differ_come_with_what_each_reaches(drawn: Person, gallery: PaintedGallery) -> None:
    drawn.do("pictures", "fc:2 diverse")
    drawn.rendered()
    drawn.do("refresh")
    found = images(drawn, "What tree looks for, ")
    assert [image.alt for image in found] == [
        f"What tree looks for, diverse image {place} of 4" for place in (1, 2, 3, 4)
    ]
    assert len({image.src for image in found}) == 4
    captions = [each.children for each in find(drawn.pane, className="numbers")]
    assert {"1.00", "2.00", "3.00", "4.00"} <= {each for each in captions if isinstance(each, str)}


def test_they_are_put_away_and_come_back_without_being_drawn_again(drawn: Person, gallery: PaintedGallery) -> None:
    drawn.do("pictures", "fc:2 negative")
    drawn.rendered()
    child = next(name for name in drawn.nodes if name.startswith("c:"))
    drawn.do("select", child)
    assert not images(drawn, "Minimising image of tree")
    drawn.do("select", "fc:2")
    assert len(images(drawn, "Minimising image of tree")) == 1
    drawn.do("pictures", "fc:2 negative")
    assert not images(drawn, "Minimising image of tree")
    drawn.do("pictures", "fc:2 negative")
    assert len(images(drawn, "Minimising image of tree")) == 1
    assert gallery.drawn == [(TREE, "negative")]


def test_unfinished_ones_are_shown_with_progress_and_can_be_cancelled(
    drawn: Person, gallery: PaintedGallery, page: Page
) -> None:
    gallery.gate.clear()
    gallery.sketches.put(16)
    drawn.do("pictures", "fc:2 diverse")
    until(lambda: "preview/" in drawn.poll()["evidence"])
    told = drawn.poll()
    assert told["text"].startswith("Rendering tree, four diverse images: 0 of 4 pictures")
    assert told["can_cancel"]
    drawn.do("refresh")
    assert len(images(drawn, "What tree looks for, diverse image 1 of 4, unfinished")) == 1
    assert "still being drawn, step 16 of 256" in words(drawn.pane)
    drawn.do("pause")
    until(lambda: len(page.callbacks.work.previews) == 0)
    assert "Not drawn: this was cancelled" in words(drawn.pane)
    assert drawn.poll()["can_resume"]
    gallery.gate.set()
    drawn.do("resume")
    drawn.rendered()
    drawn.do("refresh")
    assert len(images(drawn, "What tree looks for, ")) == 4


def test_asking_for_a_picture_after_a_cancel_lets_the_drawing_go_on(drawn: Person, gallery: PaintedGallery) -> None:
    drawn.do("pause")
    drawn.do("pictures", "fc:2 negative")
    drawn.rendered()
    assert gallery.drawn == [(TREE, "negative")]


def test_the_chosen_unit_comes_first(drawn: Person, gallery: PaintedGallery, page: Page) -> None:
    gallery.gate.clear()
    child = next(name for name in drawn.nodes if name.startswith("c:"))
    drawn.do("pictures", "fc:2 negative")
    until(lambda: gallery.drawn == [(TREE, "negative")])
    drawn.do("pictures", f"{child} negative")
    drawn.do("pictures", "fc:2 diverse")
    drawn.do("select", child)
    labels = [task.label for task in page.callbacks.work.pictures.missing(drawn.callbacks.sessions.tab(ANN))]
    assert labels[0] == f"{child}, minimising image"
    gallery.gate.set()


@pytest.mark.parametrize("kind", ["", "sideways", "standard"])
def test_other_kinds_are_refused(drawn: Person, kind: str) -> None:
    assert "is no kind of picture" in drawn.do("pictures", f"fc:2 {kind}")["view"]["toasts"][-1]["text"]


@pytest.mark.parametrize(("kind", "count"), [("negative", 1), ("diverse", 4)])
def test_the_store_keeps_them_beside_the_standard_picture(
    network: Network, tmp_path: Path, kind: str, count: int
) -> None:
    store, settings, unit = PictureStore(tmp_path / "store"), Settings(size=32, steps=20), Unit("b", 3)
    stored = StoredGallery(network, store, settings)
    assert [variant.activation for variant in stored.variants(unit, kind)] == [None] * count
    shown: list[tuple[str, int, int]] = []

    def preview(key: str, image: Image.Image, step: int, steps: int) -> None:
        shown.append((key, step, steps))
        assert image.size == (32, 32)

    stored.draw_variants(unit, kind, lambda *report: None, preview)
    variants = stored.variants(unit, kind)
    keys = [variant.key for variant in variants]
    assert shown == [(key, 8, 20) for key in keys]
    assert len({*keys, stored.key(unit)}) == count + 1
    files = [stored.file(key) for key in keys]
    assert len({file.read_bytes() for file in files}) == count
    assert stored.file(stored.key(unit)) is None
    assert all(variant.activation is not None for variant in variants)
    assert StoredGallery(network, store, settings).variants(unit, kind) == variants


def test_what_a_unit_is_against_excites_it_less_than_what_it_looks_for(network: Network, tmp_path: Path) -> None:
    stored = StoredGallery(network, PictureStore(tmp_path / "store"), Settings(size=32, steps=20))
    unit = Unit("b", 3)
    stored.render([unit], lambda *report: None, lambda *sketch: None)
    stored.draw_variants(unit, "negative", lambda *report: None, lambda *sketch: None)
    [against] = stored.variants(unit, "negative")
    assert against.activation < stored.activation(unit)


def test_a_drawing_that_is_cancelled_leaves_nothing_in_the_store(network: Network, tmp_path: Path) -> None:
    stored = StoredGallery(network, PictureStore(tmp_path / "store"), Settings(size=32, steps=20))

    def stop(done: int, total: int, message: str) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        stored.draw_variants(Unit("b", 3), "diverse", stop, lambda *sketch: None)
    assert [variant.activation for variant in stored.variants(Unit("b", 3), "diverse")] == [None] * 4


def test_a_picture_that_is_finished_while_evidence_is_asked_for_comes_with_it(
    ann: Person, gallery: PaintedGallery
) -> None:
    gallery.gate.clear()
    ann.why("2")
    assert "on its way" in words(ann.seen["looks"])
    gallery.gate.set()
    ann.rendered()
    # The page takes the state of the chosen unit from the view, and asks no more once that says that it is ready.
    looks = {"revision": ann.callbacks.sessions.tab(ANN).revision}
    sent = {"session": ANN, "tab": "tab", "queue": [{"number": 99, "kind": "look", "payload": looks}]}
    seen = ann.callbacks.act(sent)
    assert seen["head"] is no_update
    assert seen["view"]["chosen"]["state"] == "ready"
    assert seen["looks"] is not no_update
    assert "on its way" not in words(seen["looks"])
