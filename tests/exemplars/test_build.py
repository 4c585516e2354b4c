"""Making an index: in parts, after being killed, with damaged files, when photos come and go."""

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image
from torch import nn

from circuits.errors import InputError, UnknownError
from circuits.exemplars.build import index_photos
from circuits.exemplars.finding import find_exemplars
from circuits.exemplars.loader import files_in
from circuits.image.preprocessing import Preprocessing
from circuits.network.network import Network
from circuits.network.prepare import prepare
from tests.support import limits
from tests.support.collections_of_photos import SIDE, all_told, save_photos, tiny_network


def test_an_index_that_is_continued_equals_one_made_at_once(network: Network, folder: Path, tmp_path: Path) -> None:
    index_photos(network, folder, into=tmp_path / "grown")
    save_photos(folder, 30, start=40)
    Image.new("RGB", (SIDE, SIDE), "white").save(folder / "aaa.png")  # before all others
    read: list[tuple[int, int]] = []
    grown = index_photos(network, folder, into=tmp_path / "grown", progress=lambda d, t, m: read.append((d, t)))
    at_once = index_photos(network, folder, into=tmp_path / "new")
    assert read == [(48, 71), (56, 71), (64, 71), (71, 71)]
    assert grown.photos == at_once.photos == 71
    assert all_told(grown, network) == all_told(at_once, network)
    nothing: list[int] = []
    again = index_photos(network, folder, into=tmp_path / "grown", progress=lambda d, t, m: nothing.append(d))
    assert nothing == []
    assert all_told(again, network) == all_told(grown, network)


class _StoppedError(Exception):
    pass


def test_what_was_finished_before_an_exception_is_not_done_again(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    def stop(done: int, total: int, message: str) -> None:
        if done >= 24:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        index_photos(network, folder, into=tmp_path / "kept", progress=stop)
    assert find_exemplars(network, tmp_path / "kept") is None
    done: list[int] = []
    index = index_photos(network, folder, into=tmp_path / "kept", progress=lambda d, t, m: done.append(d))
    assert done == [24, 32, 40]
    assert all_told(index, network) == all_told(index_photos(network, folder, into=tmp_path / "new"), network)
    files = sorted(path.name for path in index.kept.rglob("*") if path.is_file())
    assert [name for name in files if name.startswith("arrays")] == ["arrays-000004.safetensors"]
    assert "progress.json" not in files


_PROGRAM = """
import sys, time
from pathlib import Path
from circuits.exemplars import build
from circuits.exemplars.build import index_photos
from tests.support.handmade import handmade_network
build.CHUNK = 16
def slowly(done, total, message):
    print(done, flush=True)
    time.sleep(0.2 if done < 40 else 60)
index_photos(handmade_network(), Path(sys.argv[1]), into=Path(sys.argv[2]), progress=slowly)
"""


def test_a_killed_process_has_lost_at_most_its_last_chunk_and_keeps_others_out_until_then(
    folder: Path, tmp_path: Path
) -> None:
    from tests.support.handmade import handmade_network

    network = handmade_network()
    arguments = ("-c", _PROGRAM, str(folder), str(tmp_path / "kept"))
    with limits.child(*arguments, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 40:
                break
        with pytest.raises(InputError, match="Another process is at work on the index"):
            index_photos(network, folder, into=tmp_path / "kept")
        [place] = (tmp_path / "kept").iterdir()
        limits.until(lambda: any(place.glob("*/arrays-000002*")), "two chunks are written")
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done: list[int] = []
    index = index_photos(network, folder, into=tmp_path / "kept", progress=lambda d, t, m: done.append(d))
    assert done == [40]
    assert all_told(index, network) == all_told(index_photos(network, folder, into=tmp_path / "new"), network)


def test_files_that_are_no_photos_are_skipped_said_and_tried_again_when_they_change(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    plain = index_photos(network, folder, into=tmp_path / "plain")
    whole = (folder / "cats" / "0001.png").read_bytes()
    (folder / "broken.png").write_bytes(whole[:50])
    (folder / "notes.txt").write_text("not a photo")
    (folder / ".hidden").write_text("not looked at")
    index = index_photos(network, folder, into=tmp_path / "kept")
    assert index.photos == 40
    assert set(index.skipped) == {folder / "broken.png", folder / "notes.txt"}
    assert index.skipped[folder / "notes.txt"].endswith(
        "is not an image that can be read; give a PNG, JPEG, WebP, GIF, TIFF, BMP, PPM or AVIF file."
    )
    assert all_told(index, network) == all_told(plain, network)
    (folder / "broken.png").write_bytes(whole)
    again = index_photos(network, folder, into=tmp_path / "kept")
    assert again.photos == 41
    assert set(again.skipped) == {folder / "notes.txt"}
    assert all_told(again, network) == all_told(index_photos(network, folder, into=tmp_path / "new"), network)


@pytest.mark.parametrize("how", ["removed", "changed"])
def test_a_photo_that_is_no_longer_what_it_was_makes_the_index_anew(
    how: str, network: Network, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index_photos(network, folder, into=tmp_path / "kept")
    photo = folder / "cats" / "0001.png"
    if how == "removed":
        photo.unlink()
    else:
        photo.write_bytes((folder / "cats" / "0002.png").read_bytes())
    done: list[int] = []
    index = index_photos(network, folder, into=tmp_path / "kept", progress=lambda d, t, m: done.append(d))
    assert done[0] == 8
    assert "changed or removed since they were indexed (cats/0001.png)" in caplog.text
    assert all_told(index, network) == all_told(index_photos(network, folder, into=tmp_path / "new"), network)
    assert len([path for path in index.kept.iterdir() if path.is_dir()]) == 1


def test_a_photo_with_a_new_date_and_the_same_bytes_is_the_same(network: Network, folder: Path, tmp_path: Path) -> None:
    index_photos(network, folder, into=tmp_path)
    os.utime(folder / "cats" / "0001.png", (1, 1))
    done: list[int] = []
    assert index_photos(network, folder, into=tmp_path, progress=lambda d, t, m: done.append(d)).photos == 40
    assert done == []


def test_the_newest_index_of_the_same_network_and_preprocessing_is_found(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    assert find_exemplars(network, tmp_path / "kept") is None
    first = index_photos(network, folder, top=3, into=tmp_path / "kept")
    second = index_photos(network, folder / "cats", layers=["one", "one"], into=tmp_path / "kept")
    assert first.kept != second.kept
    found = find_exemplars(network, tmp_path / "kept")
    assert found is not None
    assert (found.folder, found.top, found.layers) == (folder / "cats", 9, ("one",))
    assert found.of("one:1").classes == ()
    wider = find_exemplars(network, tmp_path / "kept", layers=network.layers)
    assert wider is not None
    assert wider.kept == first.kept  # the newest of those that have these layers
    with pytest.raises(UnknownError, match=r"Layer 'fc' is not in the index of .*, which has one\."):
        found.of("fc:0")
    with pytest.raises(UnknownError, match=r"No unit one:9; one has 5 channels, from 0\."):
        found.of("one:9")
    assert find_exemplars(tiny_network(0.5), tmp_path / "kept") is None


def test_an_index_of_an_older_version_counts_as_missing_says_so_and_is_made_anew(
    network: Network, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = index_photos(network, folder, into=tmp_path)
    record = index.kept / "index.json"
    record.write_text(record.read_text().replace("circuits-exemplars/2", "circuits-exemplars/1"))
    assert find_exemplars(network, tmp_path) is None
    assert "of an older version, circuits-exemplars/1: index the photos again to use them" in caplog.text
    assert all_told(index_photos(network, folder, into=tmp_path), network) == all_told(index, network)
    assert find_exemplars(network, tmp_path) is not None


def test_damaged_files_of_an_index_cost_no_more_than_the_work(network: Network, folder: Path, tmp_path: Path) -> None:
    index = index_photos(network, folder, into=tmp_path)
    whole = all_told(index, network)
    (index.kept / "index.json").write_text('{"format": "circuits-exempl')
    assert find_exemplars(network, tmp_path) is None
    assert all_told(index_photos(network, folder, into=tmp_path), network) == whole
    [arrays] = index.kept.glob("*/arrays-*")
    arrays.write_bytes(arrays.read_bytes()[:100])
    with pytest.raises(InputError, match="is damaged"):
        find_exemplars(network, tmp_path)
    assert all_told(index_photos(network, folder, into=tmp_path), network) == whole


def test_photos_in_which_the_network_overflows_are_skipped(folder: Path, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1e20)
        net[0].bias.zero_()
        net[4].bias.zero_()
    see = Preprocessing((SIDE, SIDE), SIDE, (0.0,) * 3, (1.0,) * 3, "bilinear")
    network = prepare(net, name="huge", source="live", preprocessing=see, check=False)
    Image.new("RGB", (SIDE, SIDE), "black").save(folder / "black.png")
    index = index_photos(network, folder, into=tmp_path)
    dark = [path for path in folder.rglob("*.png") if not np.asarray(Image.open(path)).any()]
    assert index.photos == len(dark) < 41
    assert set(index.skipped.values()) == {"The network puts out NaN or infinity for it."}


def test_what_cannot_be_indexed_is_refused_in_a_sentence(network: Network, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no folder .*missing; give one with photos in it\."):
        index_photos(network, tmp_path / "missing", into=tmp_path / "kept")
    with pytest.raises(InputError, match=r"top is 0; a list has at least 1 photo\."):
        index_photos(network, folder, top=0, into=tmp_path / "kept")
    with pytest.raises(InputError, match="No layers were given; tiny has one, "):
        index_photos(network, folder, layers=[], into=tmp_path / "kept")
    with pytest.raises(UnknownError, match="No layer 'three' in tiny"):
        index_photos(network, folder, layers=["three"], into=tmp_path / "kept")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written to .*; choose another folder"):
        index_photos(network, folder, into=tmp_path / "file")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no photo")
    with pytest.raises(
        InputError,
        match=r"There is no photo that can be read in .*, which has 1 files \(notes\.txt is not .*\); give others",
    ):
        index_photos(network, tmp_path / "empty", into=tmp_path / "kept")


def test_who_waits_gets_what_the_other_process_made(
    network: Network, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found: list[int] = []
    second = threading.Thread(
        target=lambda: found.append(index_photos(network, folder, into=tmp_path / "kept", wait=True).photos)
    )

    def meanwhile(done: int, total: int, message: str) -> None:
        if second.ident is None:
            second.start()
            limits.until(lambda: "waiting until it is done" in caplog.text, "the second one says that it waits")

    index_photos(network, folder, into=tmp_path / "kept", progress=meanwhile)
    limits.join(second)
    assert found == [40]


def test_only_the_photos_of_a_list_are_indexed_by_the_classes_that_it_names(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    files = [replace(entry, label="mine") for entry in files_in(folder)][:3]
    index = index_photos(network, folder, photos=files, into=tmp_path / "kept")
    assert index.photos == 3
    again = find_exemplars(network, tmp_path / "kept")
    assert again is not None
    assert again.of("one:0").classes == (("mine", 3),)
    others = [replace(entry, label="yours") for entry in files]
    assert index_photos(network, folder, photos=others, into=tmp_path / "kept").of("one:0").classes == (("yours", 3),)


def test_where_files_cannot_be_locked_the_index_is_made_with_a_warning(
    network: Network, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(lock: FileLock) -> None:
        raise NotImplementedError("no locks here")

    monkeypatch.setattr(FileLock, "_acquire", refuse)
    assert index_photos(network, folder, into=tmp_path / "kept").photos == 40
    assert "cannot be locked; nothing keeps a second process out" in caplog.text


def test_a_second_index_in_the_same_process_has_to_wait_too(network: Network, folder: Path, tmp_path: Path) -> None:
    said: list[str] = []

    def meanwhile(done: int, total: int, message: str) -> None:
        with pytest.raises(
            InputError, match=r"Another process is at work on the index in .*; wait until it is done"
        ) as refusal:
            index_photos(network, folder, into=tmp_path / "kept")
        said.append(str(refusal.value))

    index_photos(network, folder, into=tmp_path / "kept", progress=meanwhile)
    assert len(said) == 5
    assert index_photos(network, folder, into=tmp_path / "kept").photos == 40
