"""Photos stay in memory as their files, within one budget, and are let go of when their page is left."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from circuits.image.encoded import EncodedImage
from circuits.image.photo import Photo
from circuits.network.network import Network
from dashboard.app import Page, PageSettings, create_page
from dashboard.library import Library
from dashboard.session.originals import originals, too_many, without
from dashboard.session.state import Session, Work
from dashboard.session.tabs import GRACE, UNUSED, TabSessions
from tests.support.person import ANN, BOB, Person
from tests.support.pretend import PaintedGallery


def file_of(seed: int, side: int = 60) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def take(library: Library) -> Callable[[int], Photo]:
    return lambda seed: library.photo(file_of(seed), f"{seed}.png")


def sizes(session: Session) -> int:
    return sum(len(file.data) for file in originals(session))


def test_a_photo_that_was_sent_is_kept_as_its_file_and_its_crop(ann: Person) -> None:
    ann.send(file_of(1), "one.png")
    photo = ann.callbacks.sessions.tab(ANN).session.work.photo
    assert photo is not None
    assert isinstance(photo.pixels, EncodedImage)
    assert photo.pixels.data == file_of(1)
    assert photo.whole
    assert photo.image.tobytes() == Image.open(io.BytesIO(file_of(1))).tobytes()


def test_the_file_gives_what_the_pixels_give_for_every_window(library: Library, take: Callable[[int], Photo]) -> None:
    from circuits.image.photo import load_photo

    see, packed, plain = library.network.preprocessing, take(1), load_photo(file_of(1), name="1.png")
    assert packed == plain
    for window in (None, (0.0, 0.0, 40.0, 40.0), (3.0, 5.0, 33.0, 35.0)):
        crop = see.crop_of(packed.framed(window))
        assert crop.tobytes() == see.crop_of(plain.framed(window)).tobytes()
        crop.paste("red", (0, 0, 4, 4))  # nobody else's
        assert see.crop_of(packed.framed(window)).tobytes() == see.crop_of(plain.framed(window)).tobytes()


def test_of_the_files_the_history_goes_first_and_what_is_shown_last(take: Callable[[int], Photo]) -> None:
    one, two, three = (take(seed) for seed in range(3))
    session = Session(Work(three), past=(Work(one), Work(two)), photos=(two, three))
    assert originals(session) == [one.pixels, two.pixels, three.pixels]


def test_all_sessions_are_held_to_one_budget_and_what_several_have_counts_once(take: Callable[[int], Photo]) -> None:
    one, two, three = (take(seed) for seed in range(3))
    size = len(file_of(0))
    old, new = Session(Work(two), photos=(one, two)), Session(Work(three), photos=(one, three))
    assert too_many([old, new], 10 * size) == [[], []]
    assert too_many([old, new], 3 * size + 99) == [[], []]
    assert too_many([old, new], 2 * size + 99) == [[one.pixels, two.pixels], []]
    assert too_many([old, new], 0) == [[one.pixels, two.pixels], [one.pixels]]


def test_what_is_left_of_a_photo_is_what_the_network_saw(library: Library, take: Callable[[int], Photo]) -> None:
    photo = take(1).framed((3, 5, 33, 35))
    session = Session(Work(photo), past=(Work(photo),), photos=(photo,))
    crop = library.network.preprocessing.crop_of(photo)
    after = without(session, originals(session), lambda photo, network: library.only_seen(photo))
    assert originals(after) == []
    for left in (after.work.photo, after.past[0].photo, after.photos[0]):
        assert left == photo
        assert not left.whole
        assert library.network.preprocessing.crop_of(left).tobytes() == crop.tobytes()
    assert without(session, [], lambda photo, network: library.only_seen(photo)) is session


def test_many_photos_of_many_people_stay_within_the_budget(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = 8 * len(file_of(0)) + 99
    monkeypatch.setattr("dashboard.session.originals.BUDGET", budget)
    people = [Person(page, f"{number:032x}") for number in range(4)]
    for seed in range(5):
        for number, person in enumerate(people):
            person.send(file_of(100 * number + seed), f"{seed}.png")
            held = [sizes(page.callbacks.sessions.tab(each.name).session) for each in people]
            assert sum(held) <= budget
            assert held[number] > 0
    [newest] = [page.callbacks.sessions.tab(people[-1].name).session.work.photo]
    assert newest is not None
    assert newest.whole
    assert [len(page.callbacks.sessions.tab(each.name).session.photos) for each in people] == [6] * 4


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_page_that_was_left_holds_no_photo_after_a_while_but_one_that_was_loaded_again_does(
    library: Library, take: Callable[[int], Photo]
) -> None:
    clock, photo = Clock(), take(1)
    sessions = TabSessions(
        lambda name: Session(Work(photo), photos=(photo,)),
        clock=clock,
        seen=lambda photo, network: library.only_seen(photo),
    )
    for name in (ANN, BOB):
        sessions.tab(name)
        sessions.leave(name)
    clock.now = GRACE / 2
    sessions.release()
    sessions.tab(BOB)  # the page was loaded again
    clock.now = 2 * GRACE
    sessions.release()
    assert originals(sessions.tab(ANN).session) == []
    assert originals(sessions.tab(BOB).session) == [photo.pixels]
    clock.now += UNUSED
    sessions.release()
    assert originals(sessions.tab(BOB).session) == []


def test_a_session_that_was_left_and_is_kept_on_disk_is_dropped(take: Callable[[int], Photo]) -> None:
    clock, dropped = Clock(), []
    sessions = TabSessions(
        lambda name: Session(Work(take(1))), clock=clock, dropped=dropped.append, kept=lambda tab: True
    )
    sessions.tab(ANN)
    sessions.leave(ANN)
    sessions.leave("no session")
    clock.now = GRACE
    sessions.release()
    assert (len(sessions), dropped) == (0, [ANN])


def test_only_the_last_steps_of_the_history_keep_their_activations(ann: Person) -> None:
    for seed in range(5):
        ann.send(file_of(seed), f"{seed}.png")
        ann.why()
    past = ann.callbacks.sessions.tab(ANN).session.past
    warm = [work.circuit.cache is not None for work in past if work.circuit is not None]
    assert len(warm) >= 4
    assert not any(warm[:-3])
    ann.do("undo")
    ann.do("undo")
    assert ann.seen["view"]["nodes"]


def test_a_page_that_keeps_sessions_drops_those_that_were_left_and_has_them_again(
    network: Network, photo: Photo, gallery: PaintedGallery, tmp_path: Path
) -> None:
    page = create_page(PageSettings(network, photo=photo, gallery=gallery, folder=tmp_path))
    ann, clock = Person(page), Clock()
    ann.send(file_of(1), "one.png")
    nodes = set(ann.why()["view"]["nodes"][0])
    sessions = page.callbacks.sessions
    sessions._clock = clock
    clock.now = sessions.tab(ANN).used
    page.dash.server.test_client().post("/leave", data=ANN)
    clock.now += GRACE
    sessions.release()
    assert len(sessions) == 0
    back = sessions.tab(ANN).session
    assert back.work.circuit is not None
    assert back.work.photo is not None
    assert (back.work.photo.name, back.work.photo.whole) == ("one.png", False)
    assert set(Person(page).seen["view"]["nodes"][0]) == nodes
    page.close()
