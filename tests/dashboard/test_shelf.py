"""Sessions on disk: they come back after a restart, and damage or another network does no harm."""

import logging
import os
import time
from pathlib import Path

import pytest
from pretend import PaintedGallery, tiny_network

from circuits import trace
from circuits.images import Photo, Preprocessing
from circuits.networks import Network
from dashboard import actions
from dashboard.app import Settings, create_page
from dashboard.explorer import Explorer
from dashboard.sessions import Session
from dashboard.shelf import DAYS, Shelf

ANN, BOB = "a" * 32, "b" * 32


@pytest.fixture
def traced(network: Network, photo: Photo, explorer: Explorer) -> Session:
    circuit = trace(network, photo, 2, depth=2, top=3)
    return actions.with_circuit(actions.with_photo(Session(), photo, explorer), circuit, explorer)


@pytest.fixture
def shelf(tmp_path: Path, explorer: Explorer) -> Shelf:
    return Shelf(tmp_path / "sessions", explorer)


def test_a_session_comes_back_as_it_was(shelf: Shelf, traced: Session) -> None:
    shelf.keep(ANN, traced)
    back = shelf.fetch(ANN)
    assert back.work.circuit == traced.work.circuit
    assert back.work.selected == traced.work.selected
    assert back.work.photo == traced.work.photo
    assert back.work.locked == ""
    assert shelf.fetch(BOB) is None


def test_a_photo_without_a_circuit_comes_back_with_the_same_predictions(
    shelf: Shelf, photo: Photo, explorer: Explorer
) -> None:
    begun = actions.with_photo(Session(), photo, explorer)
    shelf.keep(ANN, begun)
    assert shelf.fetch(ANN).work.predictions == begun.work.predictions


def test_asking_why_after_a_restart_gives_the_same_circuit(
    shelf: Shelf, traced: Session, network: Network, photo: Photo
) -> None:
    shelf.keep(ANN, traced)
    again = trace(network, shelf.fetch(ANN).work.photo, 4, depth=2, top=3)
    assert again == trace(network, photo, 4, depth=2, top=3)


def test_a_crop_with_a_margin_is_cropped_to_itself(explorer: Explorer, photo: Photo) -> None:
    imagenet = Preprocessing((30, 30), 37, (0.5,) * 3, (0.5,) * 3, "bilinear")
    network = tiny_network()
    object.__setattr__(network, "preprocessing", imagenet)
    wide = Explorer(network, explorer.gallery)
    crop = imagenet.crop(photo.image)
    assert imagenet.crop(wide.uncropped(crop)).tobytes() == crop.tobytes()


def test_names_are_not_in_the_folder_and_only_the_owner_may_look(shelf: Shelf, traced: Session, tmp_path: Path) -> None:
    shelf.keep(ANN, traced)
    (file,) = (tmp_path / "sessions").iterdir()
    assert ANN not in file.name
    assert ANN not in file.read_text("utf-8")
    assert (tmp_path / "sessions").stat().st_mode & 0o077 == 0


def test_another_networks_page_does_not_open_it(
    shelf: Shelf, traced: Session, tmp_path: Path, gallery: PaintedGallery
) -> None:
    shelf.keep(ANN, traced)
    other = Shelf(tmp_path / "sessions", Explorer(tiny_network(seed=9), gallery))
    assert other.fetch(ANN) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"photo": {}}', '{"photo": null, "circuit": null}'])
def test_a_damaged_file_is_dropped(
    shelf: Shelf, traced: Session, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.keep(ANN, traced)
    (file,) = (tmp_path / "sessions").iterdir()
    file.write_text(text)
    with caplog.at_level(logging.WARNING):
        assert shelf.fetch(ANN) is None
    assert "A kept session cannot be read" in caplog.text
    assert not file.exists()


def test_old_files_are_swept_away(shelf: Shelf, traced: Session, tmp_path: Path, explorer: Explorer) -> None:
    shelf.keep(ANN, traced)
    (file,) = (tmp_path / "sessions").iterdir()
    past = time.time() - (DAYS + 1) * 24 * 3600
    os.utime(file, (past, past))
    Shelf(tmp_path / "sessions", explorer)
    assert not file.exists()


def test_a_folder_that_cannot_be_written_is_said_once(
    tmp_path: Path, traced: Session, explorer: Explorer, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    shelf = Shelf(tmp_path / "file" / "sessions", explorer)
    with caplog.at_level(logging.WARNING):
        shelf.keep(ANN, traced)
        shelf.keep(ANN, traced)
    assert caplog.text.count("Sessions are not kept over a restart") == 1


def test_a_restarted_page_finds_the_work_of_its_tab(
    network: Network, photo: Photo, gallery: PaintedGallery, tmp_path: Path
) -> None:
    settings = Settings(network, photo=photo, gallery=gallery, folder=tmp_path / "sessions")
    sent = {"session": ANN, "tab": "t", "queue": [{"number": 1, "kind": "why", "subject": "2"}]}
    before = create_page(settings)
    before.callbacks.act(sent)
    assert before.callbacks.background.tracing.wait(ANN, seconds=30)
    refresh = {"number": 2, "kind": "refresh", "subject": ""}
    first = before.callbacks.act(sent | {"queue": [refresh]})
    before.close()
    after = create_page(settings)
    opening = {"session": ANN, "tab": "u", "queue": [{"number": 1, "kind": "open", "subject": ""}]}
    second = after.callbacks.act(opening)
    after.close()
    assert {node["id"] for node in first["view"]["nodes"]} == {node["id"] for node in second["view"]["nodes"]}
    assert second["view"]["selected"] == "fc:2"
