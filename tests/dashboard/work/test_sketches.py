"""No unit is blank: its patch of the photo at once, a sketch soon, the picture at last; and drawing that takes long."""

import io
from typing import Any

import pytest
from PIL import Image

from circuits.evidence.patches import patch
from circuits.network.network import Network
from circuits.units import Unit
from dashboard.app import Page
from dashboard.webp import wide
from dashboard.work import pictures
from dashboard.work.queue import Task, WorkQueue
from tests.support.person import Person
from tests.support.pretend import PaintedGallery


@pytest.fixture
def sketched(gallery: PaintedGallery) -> PaintedGallery:
    """A gallery whose pictures are sketched first."""
    gallery.sketch_part = 1 / 8
    return gallery


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any drawing takes too long to be begun without being asked for."""
    monkeypatch.setattr(pictures, "LONGEST", 0.0)


def opened(page: Page, address: str) -> Image.Image:
    answer = page.dash.server.test_client().get(f"/{address}", headers={"Host": "127.0.0.1"})
    assert answer.status_code == 200, address
    return Image.open(io.BytesIO(answer.data)).convert("RGB")


def states(told: dict[str, Any]) -> set[str]:
    return {tile["state"] for tile in told["tiles"].values()}


def draw_until_a_picture_is_begun(person: Person, gallery: PaintedGallery) -> None:
    """Poll as a page does, until all is sketched and the first picture is under way."""
    while not gallery.begun:
        person.poll()
        person.callbacks.work.rendering.wait(person.name, seconds=0.01)


def test_all_units_are_sketched_before_any_is_drawn_and_the_target_comes_last(
    ann: Person, sketched: PaintedGallery
) -> None:
    sketched.gate.clear()
    ann.why("2")
    draw_until_a_picture_is_begun(ann, sketched)
    own = {Unit.parse(name).whole for name in ann.nodes}
    assert set(sketched.sketched) == own
    assert len(sketched.sketched) == len(own)
    assert sketched.sketched[-1] == Unit("fc", 2)
    assert states(ann.poll()) == {"sketch"}
    sketched.gate.set()
    ann.rendered()
    assert states(ann.rendered()) == {"ready"}
    assert sketched.begun[-1] == Unit("fc", 2)


def order(person: Person, gallery: PaintedGallery) -> list[list[Unit]]:
    """The units whose pictures are missing, as they are going to be drawn together."""
    work, tab = person.callbacks.work, person.callbacks.sessions.find(person.name)
    assert tab is not None
    known = {gallery.key(unit): unit for group in work.pictures._groups(tab) for unit in group}
    return [[known[key] for key in task.key.split()] for task in work.pictures.missing(tab)]


def test_what_is_on_the_screen_is_drawn_first_and_the_target_last(ann: Person, sketched: PaintedGallery) -> None:
    sketched.gate.clear()
    ann.why("2")
    ann.poll()
    plain, target = order(ann, sketched), Unit("fc", 2)
    assert plain[-1] == [target]
    assert len(plain) >= 4
    for group in plain[1:-1]:
        ann.poll(str(group[-1]), str(target), "nowhere:7")
        assert order(ann, sketched) == [group, *(other for other in plain if other not in (group, [target])), [target]]
    ann.poll()
    assert order(ann, sketched) == plain
    sketched.gate.set()


def test_on_the_wall_its_units_are_drawn_before_those_of_the_graph(
    ann: Person, sketched: PaintedGallery, page: Page
) -> None:
    sketched.gate.clear()
    ann.why("2")
    ann.do("page", "layers")
    ann.do("wall-layer", "b")
    sent = {"session": ann.name, "layer": "b", "channels": [8, 9, 10, 11, 12]}
    client = page.dash.server.test_client()
    assert client.post("/wall/seen", json=sent, headers={"Host": "127.0.0.1"}).status_code == 200
    found = order(ann, sketched)
    # The chosen unit, which has a pane, then the wall, then the graph.
    assert found[0] == [Unit("fc", 2)]
    assert {*found[1], *found[2]} == {Unit("b", channel) for channel in sent["channels"]}
    assert len(found) > 3
    sketched.gate.set()


def test_a_sketch_is_shown_as_what_it_is_and_outlives_a_cancelled_drawing(
    ann: Person, sketched: PaintedGallery, page: Page
) -> None:
    sketched.gate.clear()
    ann.why("2")
    draw_until_a_picture_is_begun(ann, sketched)
    ann.do("pause")
    name = next(name for name in ann.nodes if name.startswith("c:"))
    tile = ann.poll()["tiles"][name]
    assert (tile["state"], tile["said"]) == ("sketch", "a sketch of 32 steps")
    channel = Unit.parse(name).channel
    assert opened(page, tile["picture"]).getpixel((5, 5)) == pytest.approx((channel,) * 3, abs=2)
    sketched.gate.set()


def test_what_would_take_long_is_only_sketched_until_it_is_asked_for(
    ann: Person, sketched: PaintedGallery, asked: None
) -> None:
    ann.why("2")
    ann.rendered()
    told = ann.rendered()
    assert sketched.begun == []
    assert told["can_refine"]
    assert told["text"].endswith(" coarse pictures; refining them takes a few seconds")
    child = next(name for name in ann.nodes if name.startswith("c:"))
    ann.do("select", child)
    ann.rendered()
    assert sketched.begun == [Unit.parse(child)]
    ann.do("refine")
    told = ann.rendered()
    assert states(told) == {"ready"}
    assert not told["can_refine"]


def test_what_cannot_be_sketched_is_said_and_holds_nothing_else_up(
    ann: Person, sketched: PaintedGallery, asked: None
) -> None:
    broken = Unit("fc", 2)
    sketched.broken.add(broken)
    ann.why("2")
    ann.rendered()
    told = ann.rendered()
    assert (told["text"], told["can_retry"], told["can_refine"]) == (
        "1 picture failed: no sketch for this one",
        True,
        True,
    )
    ann.do("refine")
    ann.rendered()
    told = ann.rendered()
    assert states(told) == {"ready", "none"}
    assert (told["text"], told["can_retry"]) == ("1 picture failed: no picture for this one", True)
    sketched.broken.clear()
    ann.do("resume")
    told = ann.rendered()
    assert (states(told), told["can_retry"]) == ({"ready"}, False)


def test_every_unit_shows_what_it_saw_in_the_photo(ann: Person, network: Network, page: Page) -> None:
    ann.why("2")
    told = ann.looked()["view"]["status"]
    circuit = ann.callbacks.sessions.tab(ann.name).session.work.circuit
    tiles = ann.poll()["tiles"] | told["tiles"]
    assert set(tiles) >= set(circuit.visible)
    for name in circuit.visible:
        tile, unit = tiles[name], circuit.nodes[name].unit
        whole = unit.layer == "fc"
        seen = circuit.photo if whole else patch(network, circuit, unit, circuit.nodes[name].peak)
        if not whole:
            shown = opened(page, tile["patch"])
            assert shown.size == wide(seen, 128).size
            difference = [abs(a - b) for a, b in zip(shown.tobytes(), wide(seen, 128).tobytes(), strict=True)]
            assert sum(difference) / len(difference) < 12  # WebP at its quality
        assert opened(page, tile["heat"]).size[0] == 128


def test_the_time_that_is_left_is_told_by_the_work_that_is_left() -> None:
    now = 0.0
    queue = WorkQueue("weights", clock=lambda: now)

    def quick(progress: Any) -> None:
        nonlocal now
        now += 2.0

    queue.want("ann", [Task("sketch", "sketch", quick, size=0, cost=0.5)])
    assert queue.wait("ann", seconds=5)
    assert queue.seconds_for(8.0) == pytest.approx(32.0)
    queue.close()


def test_the_wall_shows_what_every_unit_saw_until_it_is_drawn(
    ann: Person, network: Network, page: Page, gallery: PaintedGallery
) -> None:
    gallery.gate.clear()
    ann.why("2")
    ann.do("page", "layers")
    ann.looked()
    client = page.dash.server.test_client()
    sent = {"session": ann.name, "layer": "c", "channels": [3, 7]}
    told = client.post("/wall/seen", json=sent, headers={"Host": "127.0.0.1"}).json["tiles"]
    circuit = ann.callbacks.sessions.tab(ann.name).session.work.circuit
    for channel in ("3", "7"):
        assert told[channel]["state"] in ("waiting", "drawing")
        expected = wide(patch(network, circuit, f"c:{channel}"), 128)
        assert opened(page, told[channel]["patch"]).size == expected.size
    gallery.gate.set()
