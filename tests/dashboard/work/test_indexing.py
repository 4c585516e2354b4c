"""Photos that the page was started with are indexed in the background, as far as somebody wants them to be."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from circuits import trace
from circuits.errors import InputError
from circuits.exemplars.build import index_photos
from circuits.exemplars.finding import find_exemplars, kept_in, read_index
from circuits.exemplars.shipped import FREE_PHOTOS, FreePhotos, shipped_scores
from circuits.image.photo import Photo
from circuits.network.loading import load_network
from circuits.network.network import Network
from circuits.units import Unit
from dashboard.answers import CollectionExemplars, NoCollection
from dashboard.app import Page, PageSettings, create_page
from dashboard.features.unit.exemplars_panel import exemplars as exemplars_pane
from dashboard.work.collection import StoredCollection
from tests.support.person import ANN, BOB, Person
from tests.support.pretend import PaintedGallery, tiny_network

UNIT = Unit("b", 3)


def quiet(done: int, total: int, message: str) -> None:
    pass


@pytest.fixture
def photos(tmp_path: Path, photo: Photo) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(20):
        photo.image.rotate(17 * number).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def page(network: Network, gallery: PaintedGallery, photo: Photo, photos: Path) -> Iterator[Page]:
    made = create_page(PageSettings(network, photo=photo, gallery=gallery, exemplars=photos))
    yield made
    made.close()


class Gate:
    """Lets the indexing go on batch by batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.gate = threading.Event(), threading.Event()
        self.begun = 0

        def slow(*arguments: Any, progress: Any, **options: Any) -> Any:
            def tell(done: int, total: int, message: str) -> None:
                progress(done, total, message)
                self.reached.set()
                while not self.gate.wait(timeout=0.01):
                    progress(done, total, message)

            self.begun += 1
            return index_photos(*arguments, progress=tell, **options)

        monkeypatch.setattr("dashboard.work.collection.index_photos", slow)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


def exemplars(person: Person) -> Any:
    """What the pane says of the chosen unit."""
    tab = person.callbacks.sessions.tab(person.name)
    work = person.callbacks.networks.of(tab.session)
    assert work.looking.wait(person.name, seconds=30)
    with tab.lock:
        work.want_answers(tab)
    assert work.looking.wait(person.name, seconds=30)
    with tab.lock:
        return work.want_answers(tab)["exemplars"]


def test_the_bar_says_how_far_and_the_pane_has_them_when_all_are_indexed(
    gate: Gate, page: Page, ann: Person, network: Network, photos: Path
) -> None:
    ann.why("0")
    ann.rendered()
    assert gate.reached.wait(timeout=30)
    told = ann.poll()
    assert told["text"].startswith("Indexing photos, 8 of 20")
    assert (told["live"], told["can_cancel"], told["done"]) == (True, True, pytest.approx(8 / 20))
    assert exemplars(ann) == NoCollection(str(photos))
    assert f"The photos of {photos} are being indexed" in str(ann.do("refresh")["evidence"])
    gate.gate.set()
    assert page.callbacks.work.workers.indexing.wait(ANN, seconds=30)
    found = exemplars(ann)
    index = find_exemplars(network, folder=photos)
    assert isinstance(found, CollectionExemplars)
    assert index is not None
    assert found.photos == index.photos == 20
    assert ann.poll()["text"].endswith("edges")


def test_cancel_stops_it_and_resume_goes_on(gate: Gate, page: Page, ann: Person) -> None:
    ann.why("0")
    ann.rendered()
    assert gate.reached.wait(timeout=30)
    ann.do("pause")
    indexing = page.callbacks.work.workers.indexing
    assert indexing.wait(ANN, seconds=30)
    told = ann.poll()
    assert (told["text"], told["can_resume"]) == ("Indexing of photos cancelled; what was done is kept", True)
    gate.gate.set()
    ann.do("resume")
    assert indexing.wait(ANN, seconds=30)
    assert not page.callbacks.work.evidence.collection.is_due
    assert gate.begun == 2


def test_one_who_cancels_does_not_stop_it_for_another(gate: Gate, page: Page, ann: Person) -> None:
    bob = Person(page, BOB)
    assert gate.reached.wait(timeout=30)
    ann.do("pause")
    gate.gate.set()
    assert page.callbacks.work.workers.indexing.wait(BOB, seconds=30)
    bob.poll()
    assert (gate.begun, page.callbacks.work.evidence.collection.is_due) == (1, False)


def test_nothing_is_indexed_anew_that_was_before(
    page: Page, ann: Person, network: Network, photos: Path, gallery: PaintedGallery, photo: Photo
) -> None:
    assert page.callbacks.work.workers.indexing.wait(ANN, seconds=30)
    collection = StoredCollection(network, source=photos)
    assert isinstance(
        collection.of(UNIT, 1.0, quiet), CollectionExemplars
    )  # the old one, until the folder is looked at
    before = sorted(file.stat().st_mtime_ns for file in kept_in(None).rglob("*.safetensors"))
    collection.build(quiet)
    assert not collection.is_due
    assert sorted(file.stat().st_mtime_ns for file in kept_in(None).rglob("*.safetensors")) == before


def test_only_the_photos_that_were_given_are_shown(network: Network, photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "one"
    other.mkdir()
    (photos / "00.png").rename(other / "00.png")
    mine, last = index_photos(network, photos), index_photos(network, other)
    assert find_exemplars(network).folder == last.folder != mine.folder  # type: ignore[union-attr]
    found = StoredCollection(network, source=photos).of(UNIT, 1.0, quiet)
    assert isinstance(found, CollectionExemplars)
    assert found.photos == 19


@pytest.mark.parametrize("name", ["", "index.json"])
def test_an_index_that_was_made_before_is_taken_as_it_is(
    network: Network, photos: Path, tmp_path: Path, name: str
) -> None:
    index = index_photos(network, photos, into=tmp_path / "elsewhere")
    collection = StoredCollection(network, source=index.kept / name)
    assert not collection.is_due
    found = collection.of(UNIT, 1.0, quiet)
    assert isinstance(found, CollectionExemplars)
    assert [each.value for each in found.groups["most"]] == [each.value for each in index.of(UNIT).most]


def test_an_index_of_another_network_is_told_with_what_to_do(network: Network, photos: Path, tmp_path: Path) -> None:
    index = index_photos(tiny_network(seed=5, name="other"), photos, into=tmp_path / "elsewhere")
    sentence = f"was made with other, and not with tiny; give the folder of photos itself, {photos}, to have one made"
    with pytest.raises(InputError, match=sentence):
        read_index(index.kept, network)
    collection = StoredCollection(network, source=index.kept)
    with pytest.raises(InputError, match=sentence):
        collection.of(UNIT, 1.0, quiet)
    with pytest.raises(InputError, match="was made with other of other weights or another input size; give"):
        read_index(index.kept, tiny_network(seed=6, name="other"))


def test_what_goes_wrong_is_told_in_the_pane(
    network: Network, gallery: PaintedGallery, photo: Photo, tmp_path: Path
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("no photo")
    page = create_page(PageSettings(network, photo=photo, gallery=gallery, exemplars=folder))
    ann = Person(page)
    ann.why("0")
    assert page.callbacks.work.workers.indexing.wait(ANN, seconds=30)
    failure = exemplars(ann)
    page.close()
    assert "There is no photo that can be read in" in failure.sentence


def test_without_an_index_the_built_in_network_has_what_ships_with_it() -> None:
    collection, unit = StoredCollection(load_network()), Unit("conv7", 281)
    found, scores = collection.of(unit, 6.81, quiet), shipped_scores()
    assert isinstance(found, CollectionExemplars)
    assert (found.photos, found.free, found.missing) == (4650, len(FREE_PHOTOS), 0)
    assert (found.above, found.classes) == (scores.percentile(unit, 6.81), scores.classes_of(unit))
    free = FreePhotos(load_network()).of(unit)
    assert [(each.name, each.value) for each in found.groups["most"]] == [(each.name, each.value) for each in free]
    circuit = trace(load_network(), "example:cat", unit, depth=1, top=1)
    pane = str(exemplars_pane(circuit.nodes[circuit.root], {"exemplars": found}, None))
    assert "the 4,650 photos may not. For photos of your own, start with " in pane
    assert f"Most activating of {len(FREE_PHOTOS)} photos in the public domain" in pane
    assert collection.baseline() is None


def test_an_index_takes_the_place_of_what_ships(photos: Path) -> None:
    network = load_network()
    index_photos(network, photos)
    found = StoredCollection(network).of(Unit("conv7", 281), 1.0, quiet)
    assert isinstance(found, CollectionExemplars)
    assert (found.photos, found.free) == (20, None)
