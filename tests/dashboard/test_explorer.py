"""The window onto the library: circuits of other layers, and the gallery over the picture store."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from circuits import load_network, trace
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from circuits.visualization.settings import Settings
from circuits.visualization.store import PictureStore
from dashboard.app import PageSettings, create_page
from dashboard.breakdowns import inspect
from dashboard.library import Library
from dashboard.session.state import Choices, Session
from dashboard.work.gallery import StoredGallery
from dashboard.work.queue import CancelledError
from tests.support import actions
from tests.support.actions import payload
from tests.support.pretend import PaintedGallery

QUICK = Settings(size=32, steps=2)


def quiet(done: int, total: int, message: str) -> None:
    """A progress callback that nobody listens to."""


def unseen(unit: Unit, image: Image.Image, step: int, steps: int) -> None:
    """A preview that nobody looks at."""


@pytest.fixture
def stored(network: Network, tmp_path: Path) -> StoredGallery:
    return StoredGallery(network, PictureStore(tmp_path / "store"), QUICK)


def test_a_rendered_picture_is_in_the_store_with_its_activation(stored: StoredGallery) -> None:
    units = [Unit("b", 3), Unit("b", 5)]
    assert [stored.file(stored.key(unit)) for unit in units] == [None, None]
    assert stored.activation(units[0]) is None
    stored.render(units, quiet, unseen)
    assert all(stored.file(stored.key(unit)).read_bytes()[8:12] == b"WEBP" for unit in units)
    assert stored.activation(units[0]) >= 0


def test_rendering_stops_when_it_is_cancelled(stored: StoredGallery) -> None:
    def stop(done: int, total: int, message: str) -> None:
        raise CancelledError

    with pytest.raises(CancelledError, match=r"^$"):
        stored.render([Unit("b", 3)], stop, unseen)
    assert stored.file(stored.key(Unit("b", 3))) is None


def test_the_message_of_each_step_is_not_shown(stored: StoredGallery) -> None:
    told: list[tuple[int, int, str]] = []
    stored.render([Unit("b", 3)], lambda *report: told.append(report), unseen)
    assert {message for _, _, message in told} == {""}
    assert told[-1][0] == told[-1][1]


def test_a_unit_of_a_layer_chosen_by_hand_can_be_rendered(network: Network, tmp_path: Path) -> None:
    few = StoredGallery(network.with_layers(["a", "fc"]), PictureStore(tmp_path / "store"), QUICK)
    few.render([Unit("c", 1)], quiet, unseen)
    assert few.file(few.key(Unit("c", 1))) is not None


def test_a_circuit_of_layers_chosen_by_hand_can_be_expanded(
    network: Network, photo: Photo, gallery: PaintedGallery
) -> None:
    traced = trace(network, photo, 0, depth=1, top=2, layers=["a", "c", "fc"])
    library = Library(network, gallery)
    session = actions.with_circuit(Session(), Circuit.from_dict(traced.to_dict()), library)
    child = session.work.circuit.edges_into("fc:0")[0].source
    assert session.work.locked == ""
    grown = library.expand(session.work.circuit, child, Choices(top=3))
    assert {edge.source.split(":")[0] for edge in grown.edges_into(child)} == {"a"}
    breakdown = inspect(library, grown, child, "").breakdown
    assert breakdown.rest_count == 12 - 3


def test_a_circuit_with_layers_that_the_network_lacks_is_locked(library: Library, photo: Photo) -> None:
    data = library.trace(photo, 0, Choices(depth=1), quiet).to_dict()
    data["graph"]["network"]["layers"].insert(0, "stem")
    locked = library.fit.why_locked(Circuit.from_dict(data))
    assert locked.startswith("This circuit's layers are not those of tiny: Layer 'stem' does not exist")


def test_the_built_in_networks_page_has_the_cat_and_its_predictions(tmp_path: Path) -> None:
    network = load_network()
    page = create_page(PageSettings(network, gallery=StoredGallery(network, PictureStore(tmp_path / "store"))))
    sent = {"session": "a" * 32, "tab": "t", "queue": [{"number": 1, "kind": "open", "payload": payload("open", "")}]}
    view = page.callbacks.act(sent)
    page.close()
    assert len(view["predictions"]) == 5
    assert "cat, cropped as the network sees it" in str(view["photo"])


def test_whether_there_is_a_picture_is_remembered_for_a_moment(network: Network, tmp_path: Path) -> None:
    now = [100.0]
    store, unit = PictureStore(tmp_path / "store"), Unit("b", 3)
    page = StoredGallery(network, store, QUICK, clock=lambda: now[0])
    key = page.key(unit)
    assert page.file(key) is None
    # Drawn by another program: not seen at once, but half a second later.
    StoredGallery(network, store, QUICK).render([unit], quiet, unseen)
    now[0] += 0.4
    assert page.file(key) is None
    now[0] += 0.2
    file = page.file(key)
    assert file is not None
    assert file.is_file()
    file.unlink()
    now[0] += 4.0
    assert page.file(key) == file
    now[0] += 2.0
    assert page.file(key) is None
    # What it draws itself is there at once.
    page.render([unit], quiet, unseen)
    assert page.file(key) == file


def test_a_number_in_an_action_is_the_class_of_that_number_whatever_labels_say(
    network: Network, gallery: PaintedGallery, photo: Photo
) -> None:
    digits = replace(network, labels=tuple(str(number) for number in reversed(range(len(network.labels)))))
    library = Library(digits, gallery)
    assert library.target("0").id == "fc:0"
    assert library.target("0 - 2").id == "fc:0-2"
    assert library.trace(photo, "1", Choices(depth=1), quiet).root == "fc:1"
