"""Unfinished pictures and plain tiles: what stands for a unit before, and instead of, its picture."""

import io
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PIL import Image

from circuits.network.network import Network
from circuits.units import Unit
from circuits.visualization.render import Picture
from circuits.visualization.settings import Settings
from circuits.visualization.store import PictureStore
from dashboard.app import Page
from dashboard.breakdowns import inspect
from dashboard.features.unit import view as inspector
from dashboard.work.gallery import StoredGallery
from dashboard.work.previews import Previews
from dashboard.work.tiles import DEAD, Tile
from tests.support.person import ANN, BOB, Person, ready
from tests.support.pretend import PaintedGallery

WAIT = 30.0
TREE = Unit("fc", 2)


@pytest.fixture
def client(page: Page) -> Any:
    return page.dash.server.test_client()


@pytest.fixture
def previews(page: Page) -> Previews:
    return page.callbacks.work.previews


@pytest.fixture
def drawing(ann: Person, gallery: PaintedGallery) -> Person:
    """Somebody who sees the target's picture after 16 steps."""
    gallery.gate.clear()
    gallery.sketches.put(16)
    ann.why("2")
    until(lambda: tile(ann)["state"] == "drawing")
    return ann


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, in small steps."""
    pause = Event()
    for _ in range(int(WAIT / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("The condition did not become true.")


def tile(person: Person, name: str = "fc:2") -> dict[str, Any]:
    """What a unit shows at the next poll."""
    return person.poll()["tiles"][name]


def grey(client: Any, address: str) -> int:
    """How light the image at an address is."""
    answer = client.get(f"/{address}")
    assert answer.status_code == 200
    image = Image.open(io.BytesIO(answer.data)).convert("L")
    return round(sum(image.tobytes()) / len(image.tobytes()))


def plain(level: int) -> Image.Image:
    """An image of one grey."""
    return Image.new("RGB", (16, 16), (level, level, level))


def test_an_unfinished_picture_is_shown_refined_and_replaced(
    drawing: Person, client: Any, gallery: PaintedGallery, previews: Previews
) -> None:
    first = tile(drawing)
    assert first["said"] == "still being drawn, step 16 of 256"
    assert grey(client, first["picture"]) == pytest.approx(16, abs=2)
    gallery.sketches.put(64)
    until(lambda: tile(drawing)["picture"] != first["picture"])
    second = tile(drawing)
    assert second["said"] == "still being drawn, step 64 of 256"
    assert grey(client, second["picture"]) == pytest.approx(64, abs=2)
    assert {other["state"] for other in drawing.poll()["tiles"].values()} == {"drawing", "waiting"}
    gallery.gate.set()
    told = drawing.rendered()
    found = Tile("ready", f"picture/{gallery.key(TREE)}.webp")
    assert told["tiles"]["fc:2"].items() >= found.facts().items() - {("patch", ""), ("heat", "")}
    assert ready(told) == set(drawing.nodes)
    assert len(previews) == 0


def test_the_line_over_it_goes_on_between_previews(drawing: Person) -> None:
    until(lambda: tile(drawing)["drawn"] == 0.25)
    assert tile(drawing)["said"] == "still being drawn, step 16 of 256"


def test_the_right_pane_shows_it_too_and_says_that_it_is_unfinished(drawing: Person) -> None:
    drawing.do("refresh")
    pane = str(drawing.pane)
    assert tile(drawing)["picture"] in pane
    assert "What tree looks for, unfinished" in pane
    assert "still being drawn, step 16 of 256" in pane


def test_an_unfinished_picture_is_neither_stored_nor_exported(drawing: Person, gallery: PaintedGallery) -> None:
    _, data = drawing.export(pictures=True)
    assert not any("picture" in node for node in data["nodes"])
    assert list(gallery.folder.iterdir()) == []


def test_browsers_do_not_keep_it(drawing: Person, client: Any) -> None:
    answer = client.get("/" + tile(drawing)["picture"])
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.mimetype == "image/webp"


def test_one_that_has_just_gone_is_answered_with_the_picture(
    drawing: Person, client: Any, gallery: PaintedGallery
) -> None:
    old = tile(drawing)["picture"]
    gallery.gate.set()
    drawing.rendered()
    answer = client.get(f"/{old}")
    assert answer.data == gallery.file(gallery.key(TREE)).read_bytes()
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["00000000-1", "..-1", "abcdabcd", "abcdabcd-", "ABCDABCD-1", "abcdabcd-x"])
def test_other_preview_addresses_are_not_found(client: Any, name: str) -> None:
    answer = client.get(f"/preview/{name}.webp")
    assert answer.mimetype != "image/webp"


def test_cancelling_takes_it_away_at_once_and_resume_draws_anew(
    drawing: Person, client: Any, gallery: PaintedGallery, previews: Previews
) -> None:
    old = tile(drawing)["picture"]
    page = drawing.do("pause")
    assert {tile["state"] for tile in page["view"]["status"]["tiles"].values()} == {"none"}
    assert old not in str(drawing.pane)
    until(lambda: len(previews) == 0)
    assert client.get(f"/{old}").status_code == 204
    gallery.gate.set()
    drawing.do("resume")
    assert ready(drawing.rendered()) == set(drawing.nodes)


def test_one_whose_drawing_fails_disappears(drawing: Person, gallery: PaintedGallery, previews: Previews) -> None:
    gallery.broken.add(TREE)
    gallery.gate.set()
    told = drawing.rendered()
    assert told["tiles"]["fc:2"]["state"] == "none"
    assert ready(told) == set(drawing.nodes) - {"fc:2"}
    assert len(previews) == 0


def test_a_preview_is_shared_by_all_who_wait_for_the_picture(drawing: Person, page: Page) -> None:
    bob = Person(page, BOB)
    bob.why("2")
    assert tile(bob)["picture"] == tile(drawing)["picture"]
    drawing.do("pause")
    assert tile(drawing)["state"] == "none"
    assert tile(bob)["state"] == "drawing"


def test_only_the_newest_previews_are_kept() -> None:
    previews = Previews(limit=2)
    for level, key in enumerate(["aa", "bb", "aa", "cc"]):
        previews.put(key, plain(level), 16, 256)
    assert len(previews) == 2
    assert previews.get("bb") is None
    assert previews.get("aa").address == "preview/aa-3.webp"


def test_no_address_is_used_twice_even_when_a_drawing_begins_again() -> None:
    previews = Previews()
    previews.put("aa", plain(0), 16, 256)
    first = previews.get("aa").address
    previews.drop(["aa", "never there"])
    previews.advance(["aa"], 0.5)
    assert previews.get("aa") is None
    previews.put("aa", plain(0), 16, 256)
    assert previews.get("aa").address != first


def test_the_library_shows_previews_before_the_picture_is_stored(network: Network, tmp_path: Path) -> None:
    stored = StoredGallery(network, PictureStore(tmp_path / "store"), Settings(size=32, steps=20))
    units = [Unit("b", 3), Unit("b", 5)]
    shown: list[tuple[Unit, int, int, bool]] = []

    def preview(unit: Unit, image: Image.Image, step: int, steps: int) -> None:
        shown.append((unit, step, steps, stored.file(stored.key(unit)) is None))
        assert image.size == (32, 32)

    stored.render(units, lambda *report: None, preview)
    assert shown == [(unit, 8, 20, True) for unit in units]
    assert all(stored.file(stored.key(unit)) for unit in units)


@pytest.mark.parametrize(("reached", "dead"), [(0.0, True), (-1.5, True), (0.25, False)])
def test_a_unit_is_dead_if_its_picture_reaches_nothing(
    network: Network, tmp_path: Path, reached: float, dead: bool
) -> None:
    store, unit = PictureStore(tmp_path / "store"), Unit("b", 3)
    stored = StoredGallery(network, store, Settings(size=32))
    assert not stored.dead(unit)
    store.put(network, Picture(unit, Image.new("RGB", (32, 32)), reached), Settings(size=32))
    assert stored.dead(unit) == dead
    assert stored.activation(unit) == reached


def test_a_dead_unit_is_a_plain_tile_that_says_so(ann: Person, gallery: PaintedGallery) -> None:
    gallery.dead_units.add(TREE)
    ann.why("2")
    told = ann.rendered()
    assert told["tiles"]["fc:2"].items() >= {"state": "dead", "picture": "", "said": DEAD, "drawn": 0.0}.items()
    ann.do("refresh")
    pane = str(ann.pane)
    assert DEAD in pane
    assert gallery.key(TREE) not in pane
    _, data = ann.export(pictures=True)
    assert [node["id"] for node in data["nodes"] if "picture" not in node] == ["fc:2"]


def test_a_dead_unit_that_this_photo_excites_is_said_to_be_excited(ann: Person, page: Page) -> None:
    ann.why("2")
    session = page.callbacks.sessions.tab(ANN).session
    circuit = session.work.circuit
    assert circuit.nodes[circuit.root].max > 0
    inspection = inspect(page.callbacks.library, circuit, circuit.root, "")
    pane = str(inspector.unit(session, session.work.circuit, inspection, Tile("dead"), 0.0).parts)
    assert "the optimisation reached an activation of 0; this photo does activate it" in pane


def test_the_activations_in_the_picture_and_in_this_photo_stand_side_by_side(ann: Person, page: Page) -> None:
    ann.why("2")
    ann.rendered()
    child = next(name for name in ann.nodes if name.startswith("c:"))
    ann.do("select", child)
    pane = str(ann.pane)
    node = page.callbacks.sessions.tab(ANN).session.work.circuit.nodes[child]
    assert f"activation up to {10 + node.unit.channel}.0 in this picture" in pane
    place = f"at row {node.peak[0]}, column {node.peak[1]}"
    assert f"activation up to {inspector.number(node.max)} in this photo, {place}" in pane
