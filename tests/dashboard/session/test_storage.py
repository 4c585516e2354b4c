"""Sessions on disk: they come back after a restart, and damage or another network does no harm."""

import logging
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from circuits import trace
from circuits.image.photo import Photo
from circuits.network.network import Network
from dashboard.app import PageSettings, create_page
from dashboard.library import Library
from dashboard.session.questions import Wish
from dashboard.session.state import Choices, Looking, Request, Session, Showing
from dashboard.session.storage import DAYS, SessionStorage, copy_of
from dashboard.session.tabs import TabSessions, link_of
from tests.support import actions
from tests.support.actions import payload
from tests.support.pretend import PaintedGallery, tiny_network

ANN, BOB = "a" * 32, "b" * 32


@pytest.fixture
def traced(network: Network, photo: Photo, library: Library) -> Session:
    circuit = trace(network, photo, 2, depth=2, top=3)
    return actions.with_circuit(actions.with_photo(Session(), photo, library), circuit, library)


@pytest.fixture
def storage(tmp_path: Path, library: Library) -> SessionStorage:
    return SessionStorage(tmp_path / "sessions", library)


def test_a_session_comes_back_as_it_was(storage: SessionStorage, traced: Session) -> None:
    storage.keep(ANN, traced)
    back = storage.fetch(ANN)
    assert back.work.circuit == traced.work.circuit
    assert back.work.selected == traced.work.selected
    assert back.work.photo == traced.work.photo
    assert back.work.locked == ""
    assert storage.fetch(BOB) is None


def test_a_photo_without_a_circuit_comes_back_with_the_same_predictions(
    storage: SessionStorage, photo: Photo, library: Library
) -> None:
    begun = actions.with_photo(Session(), photo, library)
    storage.keep(ANN, begun)
    assert storage.fetch(ANN).work.predictions == begun.work.predictions


def test_asking_why_after_a_restart_gives_the_same_circuit(
    storage: SessionStorage, traced: Session, network: Network, photo: Photo
) -> None:
    storage.keep(ANN, traced)
    again = trace(network, storage.fetch(ANN).work.photo, 4, depth=2, top=3)
    assert again == trace(network, photo, 4, depth=2, top=3)


def test_a_photo_comes_back_with_the_part_of_it_that_was_shown(
    storage: SessionStorage, photo: Photo, network: Network, library: Library
) -> None:
    framed = network.preprocessing.framed(photo, (photo.width / 2, 0, photo.width, photo.height / 2))
    storage.keep(ANN, actions.with_photo(Session(), framed, library))
    back = storage.fetch(ANN).work.photo
    assert back == framed != photo
    assert trace(network, back, 2, depth=1) == trace(network, framed, 2, depth=1) != trace(network, photo, 2, depth=1)


def test_names_are_not_in_the_folder_and_only_the_owner_may_look(
    storage: SessionStorage, traced: Session, tmp_path: Path
) -> None:
    storage.keep(ANN, traced)
    (file,) = (tmp_path / "sessions").iterdir()
    assert ANN not in file.name
    assert ANN not in file.read_text("utf-8")
    assert (tmp_path / "sessions").stat().st_mode & 0o077 == 0


def test_another_networks_page_does_not_open_it(
    storage: SessionStorage, traced: Session, tmp_path: Path, gallery: PaintedGallery
) -> None:
    storage.keep(ANN, traced)
    other = SessionStorage(tmp_path / "sessions", Library(tiny_network(seed=9), gallery))
    assert other.fetch(ANN) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"photo": {}}', '{"photo": null, "circuit": null}'])
def test_a_damaged_file_is_dropped(
    storage: SessionStorage, traced: Session, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    storage.keep(ANN, traced)
    (file,) = (tmp_path / "sessions").iterdir()
    file.write_text(text)
    with caplog.at_level(logging.WARNING):
        assert storage.fetch(ANN) is None
    assert "A kept session cannot be read" in caplog.text
    assert not file.exists()


def test_old_files_are_swept_away(storage: SessionStorage, traced: Session, tmp_path: Path, library: Library) -> None:
    storage.keep(ANN, traced)
    (file,) = (tmp_path / "sessions").iterdir()
    past = time.time() - (DAYS + 1) * 24 * 3600
    os.utime(file, (past, past))
    SessionStorage(tmp_path / "sessions", library)
    assert not file.exists()


def test_a_folder_that_cannot_be_written_is_said_once(
    tmp_path: Path, traced: Session, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    storage = SessionStorage(tmp_path / "file" / "sessions", library)
    with caplog.at_level(logging.WARNING):
        storage.keep(ANN, traced)
        storage.keep(ANN, traced)
    assert caplog.text.count("Sessions are not kept over a restart") == 1


def test_a_restarted_page_finds_the_work_of_its_tab(
    network: Network, photo: Photo, gallery: PaintedGallery, tmp_path: Path
) -> None:
    settings = PageSettings(network, photo=photo, gallery=gallery, folder=tmp_path / "sessions")
    sent = {"session": ANN, "tab": "t", "queue": [{"number": 1, "kind": "why", "payload": payload("why", "2")}]}
    before = create_page(settings)
    before.callbacks.act(sent)
    assert before.callbacks.work.tracing.wait(ANN, seconds=30)
    refresh = {"number": 2, "kind": "refresh", "payload": payload("refresh", "")}
    first = before.callbacks.act(sent | {"queue": [refresh]})
    before.close()
    after = create_page(settings)
    opening = {"session": ANN, "tab": "u", "queue": [{"number": 1, "kind": "open", "payload": payload("open", "")}]}
    second = after.callbacks.act(opening)
    after.close()
    assert {node["id"] for node in first["view"]["nodes"]} == {node["id"] for node in second["view"]["nodes"]}
    assert second["view"]["selected"] == "fc:2"


def test_all_that_was_chosen_comes_back(storage: SessionStorage, traced: Session, photo: Photo) -> None:
    circuit = traced.work.circuit
    best = circuit.edges_into(circuit.root)[0]
    noted = circuit.with_note(best.source, "stripes")
    work = replace(traced.work, circuit=noted, selected=best.source, edge=(best.source, circuit.root))
    whole = replace(
        traced, work=replace(work, came_from=circuit.root, folded=frozenset({best.source})),
        choices=Choices(3, 8, "both", "target"), looking=Looking("deconvnet", "map"), showing=Showing(page="layers"),
        photos=(photo, photo.framed((10, 5, 40, 35))), spot_layer="b", beside=circuit,
    )  # fmt: skip
    storage.keep(ANN, whole)
    back = storage.fetch(ANN)
    assert back.found
    for name in ("circuit", "selected", "edge", "came_from", "folded", "photo"):
        assert getattr(back.work, name) == getattr(whole.work, name), name
    for name in ("choices", "looking", "showing", "photos", "spot_layer", "beside"):
        assert getattr(back, name) == getattr(whole, name), name
    assert back.work.circuit.nodes[best.source].note == "stripes"


def test_a_kept_photo_is_seen_through_its_window_to_the_pixel(
    storage: SessionStorage, traced: Session, photo: Photo, network: Network
) -> None:
    moved = photo.framed((10, 5, 40, 35))
    storage.keep(ANN, replace(traced, work=replace(traced.work, photo=moved, circuit=None, selected="")))
    back = storage.fetch(ANN).work.photo
    seen = network.preprocessing.crop_of(back)
    assert seen.tobytes() == network.preprocessing.crop_of(moved).tobytes()
    assert seen.tobytes() != network.preprocessing.crop_of(photo).tobytes()


def test_a_copy_has_the_work_and_not_the_history(storage: SessionStorage, traced: Session) -> None:
    sessions = TabSessions(lambda name: Session())
    tab_session = sessions.tab(ANN)
    tab_session.put(
        replace(
            traced, past=(traced.work,), requests=(Request(1, "why", Wish("0")),), requested=1, choices=Choices(top=8)
        )
    )
    copy = copy_of(ANN, sessions, None)
    assert copy.work is tab_session.session.work
    assert (copy.choices.top, copy.past, copy.requests, copy.found) == (8, (), (), True)
    assert len(sessions) == 1
    assert copy_of(BOB, sessions, storage) is None
    storage.keep(BOB, traced)
    assert copy_of(BOB, sessions, storage).work.circuit == traced.work.circuit


@pytest.mark.parametrize("name", ["", "x", "A" * 32, "../" * 8, "a" * 33])
def test_a_name_of_another_form_is_no_session_to_copy(storage: SessionStorage, name: str) -> None:
    assert copy_of(name, TabSessions(), storage) is None


def test_a_link_reads_a_session_and_is_not_its_name(traced: Session) -> None:
    sessions = TabSessions(lambda name: traced if name == ANN else Session())
    link = sessions.tab(ANN).link
    assert link == link_of(ANN) != ANN
    assert sessions.own(link) is None
    assert sessions.find(link) is sessions.find(ANN) is sessions.own(ANN)
    copy = copy_of(link, sessions, None)
    assert copy is not None
    assert copy.work.circuit is traced.work.circuit
    assert len(sessions) == 1
    # Who takes it for the name of a session has another one.
    assert sessions.tab(link).session.work.circuit is None


def test_a_link_finds_the_session_that_was_kept_and_writes_elsewhere(storage: SessionStorage, traced: Session) -> None:
    storage.keep(ANN, traced)
    link = link_of(ANN)
    assert storage.fetch(link) is None
    copy = copy_of(link, TabSessions(), storage)
    assert copy is not None
    assert copy.work.circuit == traced.work.circuit
    storage.keep(link, replace(traced, spot_layer="elsewhere"))
    again = storage.fetch(ANN)
    assert again is not None
    assert again.spot_layer == traced.spot_layer


def test_a_session_that_was_kept_before_there_were_links_is_found(storage: SessionStorage, traced: Session) -> None:
    storage.keep(ANN, traced)
    storage._file(link_of(ANN)).rename(storage._old_file(ANN))
    back = storage.fetch(ANN)
    assert back is not None
    assert back.work.circuit == traced.work.circuit
