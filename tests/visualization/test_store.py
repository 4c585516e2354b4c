"""Pictures on disk: found again, never shown damaged, written whole, in any number of processes."""

import json
import logging
import os
import tempfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from circuits import load_network
from circuits.errors import UnknownError
from circuits.image.preprocessing import Preprocessing
from circuits.network.network import Network
from circuits.network.prepare import prepare
from circuits.units import Unit
from circuits.visualization.render import Picture
from circuits.visualization.settings import DEFAULT, WEIGHTS, Settings
from circuits.visualization.store import DamagedError, PictureArchive, PictureStore, pack, pictures, unpack
from tests.support import limits
from training.builtin.pictures import all_units, build

QUICK = Settings(size=16, steps=1)


def network_of(seed: int) -> Network:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, 40, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40, 2))
    size = Preprocessing((16, 16), 16, (0.5,) * 3, (0.25,) * 3, "bilinear")
    return prepare(net, name="tiny", source="live", preprocessing=size)


@pytest.fixture(scope="module")
def network() -> Network:
    return network_of(0)


@pytest.fixture
def nothing(tmp_path: Path) -> PictureArchive:
    return PictureArchive(tmp_path / "none.zip")


@pytest.fixture
def store(tmp_path: Path, nothing: PictureArchive) -> PictureStore:
    return PictureStore(tmp_path / "pictures", shipped=nothing)


def picture_of(unit: str, *, seed: int = 0, activation: float = 1.25) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return Picture(Unit.parse(unit), Image.fromarray(pixels), activation, zoom=2)


def same(one: Picture | None, other: Picture) -> bool:
    return one is not None and (one.unit, one.activation, one.zoom, one.image.tobytes()) == (
        other.unit, other.activation, other.zoom, other.image.tobytes()
    )  # fmt: skip


def file_of(store: PictureStore, network: Network, unit: str, settings: Settings = DEFAULT) -> Path:
    found = store.path(store.key(network, unit, settings))
    assert found is not None
    return found


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_picture_is_found_again_bit_by_bit_also_by_another_store(store: PictureStore, network: Network) -> None:
    picture = picture_of("1:3", activation=1 / 3)
    assert store.get(network, "1:3") is None
    store.put(network, picture)
    assert same(store.get(network, "1:3"), picture)
    assert same(PictureStore(store.folder).get(network, Unit("1", 3)), picture)


def test_the_file_is_a_webp_image_that_any_program_reads(store: PictureStore, network: Network) -> None:
    store.put(network, picture_of("1:3"))
    file = file_of(store, network, "1:3")
    assert file.name == f"{store.key(network, '1:3')}.webp"
    with Image.open(file) as image:
        assert (image.format, image.size) == ("WEBP", (16, 16))
        assert image.convert("RGB").tobytes() == picture_of("1:3").image.tobytes()


def test_the_address_changes_with_all_that_a_picture_depends_on(store: PictureStore, network: Network) -> None:
    keys = [store.key(network, unit) for unit in ("1:3", "1:4", "4:1", "1:3@2,2")]
    keys += [store.key(network_of(1), "1:3")]
    changed = {"size": 64, "steps": 64, "seed": 1, "objective": "negative", "images": "pixels", "transform": "none"}
    changed |= dict.fromkeys(WEIGHTS, 0.5) | {"version": DEFAULT.version + 1}
    keys += [store.key(network, "1:3", replace(DEFAULT, **{name: value})) for name, value in changed.items()]
    assert len(set(keys)) == 5 + len(changed)
    assert set(changed) == set(vars(DEFAULT))
    assert all(len(key) == 64 and set(key) <= set("0123456789abcdef") for key in keys)


def test_the_address_is_the_same_for_the_same_network_and_all_neurons_of_a_channel(store: PictureStore) -> None:
    assert store.key(network_of(0), "1:3") == store.key(network_of(0), Unit("1", 3), Settings())
    assert store.key(network_of(0), "1:3@2,2") == store.key(network_of(0), "1:3@0,9")


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip_pixels(data: bytes) -> bytes:
    at = data.index(b"VP8L") + 40
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def raise_activation(data: bytes) -> bytes:
    assert b"1.25" in data
    return data.replace(b"1.25", b"9.25")


@pytest.mark.parametrize(
    "damage",
    [cut, flip_pixels, raise_activation, lambda data: b"", lambda data: b"not an image", lambda data: data[:-1]],
)
def test_a_damaged_entry_is_removed_and_drawn_anew(
    damage: Callable[[bytes], bytes], store: PictureStore, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    [good] = pictures(network, ["1:3"], settings=QUICK, store=store)
    good = replace(good, activation=1.25)
    store.put(network, good, QUICK)
    file = file_of(store, network, "1:3", QUICK)
    file.write_bytes(damage(file.read_bytes()))
    assert store.get(network, "1:3", QUICK) is None
    assert not file.exists()
    assert "is damaged" in caplog.text
    [anew] = pictures(network, ["1:3"], settings=QUICK, store=store)
    assert same(store.get(network, "1:3", QUICK), anew)


def test_the_path_of_a_damaged_entry_is_not_given_out_even_if_it_was_good_before(
    store: PictureStore, network: Network
) -> None:
    store.put(network, picture_of("1:3"))
    file = file_of(store, network, "1:3")
    file.write_bytes(cut(file.read_bytes()))
    assert store.path(store.key(network, "1:3")) is None
    assert not file.exists()


def test_pictures_put_in_each_others_place_are_not_shown(store: PictureStore, network: Network) -> None:
    store.put(network, picture_of("1:3", seed=3))
    store.put(network, picture_of("1:4", seed=4))
    one, other = (file_of(store, network, unit) for unit in ("1:3", "1:4"))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert store.get(network, "1:3") is None
    assert store.get(network, "1:4") is None


def test_no_damage_gives_another_picture_or_another_error() -> None:
    picture = picture_of("1:3")
    data = pack(picture, "ab")
    changes = [data[:length] for length in range(0, len(data), 37)]
    changes += [
        data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :] for at in range(0, len(data), 11) for bit in (1, 128)
    ]
    outcomes = []
    for changed in changes:
        try:
            outcomes.append(same(unpack(changed, "ab"), picture))
        except DamagedError:
            outcomes.append(True)
    assert all(outcomes)
    assert len(outcomes) > 150


def test_what_is_no_address_has_no_path(store: PictureStore, network: Network, tmp_path: Path) -> None:
    (tmp_path / "secret.webp").write_bytes(b"secret")
    for key in ("", "../secret", "ab", "/etc/passwd", store.key(network, "1:3").upper(), "0" * 64):
        assert store.path(key) is None


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_nothing_behind(
    error: BaseException, store: PictureStore, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: object, target: object) -> None:
        raise error

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "replace", fail)
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            store.put(network, picture_of("1:3"))
    else:
        store.put(network, picture_of("1:3"))
    assert files_in(tmp_path) == []


def test_where_the_folder_cannot_be_written_pictures_are_kept_until_the_process_ends(
    network: Network,
    nothing: PictureArchive,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "file").write_text("no folder")
    store = PictureStore(tmp_path / "file" / "pictures", shipped=nothing)
    drawn = pictures(network, ["1:3", "1:4"], settings=QUICK, store=store)
    assert same(store.get(network, "1:3", QUICK), drawn[0])
    assert same(store.get(network, "1:4", QUICK), drawn[1])
    assert file_of(store, network, "1:4", QUICK).is_file()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "Pictures are kept until this program ends, and no longer" in caplog.text


def test_a_picture_that_is_there_is_not_drawn_again(store: PictureStore, network: Network) -> None:
    told: list[int] = []

    def progress(done: int, total: int, message: str) -> None:
        told.append(total)

    first = pictures(network, ["1:3", "1:4"], settings=QUICK, store=store, progress=progress)
    assert told == [1]
    again = pictures(network, ["1:4", "1:3"], settings=QUICK, store=store, progress=progress)
    assert told == [1]
    assert same(again[1], first[0])
    assert same(again[0], first[1])
    pictures(network, ["1:3"], settings=replace(QUICK, seed=1), store=store, progress=progress)
    assert told == [1, 1]


def test_each_picture_is_handed_over_as_soon_as_it_is_there_those_in_the_store_first(
    store: PictureStore, network: Network
) -> None:
    pictures(network, ["4:1"], settings=QUICK, store=store)
    seen: list[str] = []
    units = [f"1:{n}" for n in range(40)] + ["4:1", "1:0"]
    drawn = pictures(
        network, units, settings=QUICK, store=store,
        progress=lambda done, total, message: seen.append(f"{done} of {total}"),
        on_picture=lambda picture: seen.append(str(picture.unit)),
    )  # fmt: skip
    first, rest = [f"1:{n}" for n in range(32)], [f"1:{n}" for n in range(32, 40)]
    assert seen == ["4:1", "1 of 2", *first, "2 of 2", *rest]
    assert [str(picture.unit) for picture in drawn] == units


def test_cancelling_keeps_what_is_finished_and_nothing_half(store: PictureStore, network: Network) -> None:
    def cancel(done: int, total: int, message: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pictures(network, [f"1:{n}" for n in range(40)], settings=QUICK, store=store, progress=cancel)
    assert len(files_in(store.folder)) == 32
    assert all(store.get(network, f"1:{n}", QUICK) is not None for n in range(32))
    assert all(store.get(network, f"1:{n}", QUICK) is None for n in range(32, 40))


def test_an_unknown_unit_is_refused_before_anything_is_drawn(store: PictureStore, network: Network) -> None:
    with pytest.raises(UnknownError, match=r"No unit 1:40 in tiny"):
        pictures(network, ["1:3", "1:40"], settings=QUICK, store=store)
    assert files_in(store.folder) == []


def test_many_writers_and_readers_of_one_picture_do_not_disturb_each_other(
    store: PictureStore, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    picture = picture_of("1:3")
    store.put(network, picture)
    outcomes: list[bool] = []

    def work() -> None:
        mine = PictureStore(store.folder)
        for _ in range(15):
            mine.put(network, picture)
            outcomes.append(same(mine.get(network, "1:3"), picture))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        limits.join(thread)
    assert outcomes == [True] * 60
    assert [file.suffix for file in files_in(store.folder)] == [".webp"]
    assert caplog.text == ""


@pytest.fixture
def archive(network: Network, nothing: PictureArchive, tmp_path: Path) -> Path:
    """An archive of the tiny network's first three units."""
    made = tmp_path / "shipped.zip"
    drawing = PictureStore(tmp_path / "drawing", shipped=nothing)
    build(network, made, units=[Unit("1", n) for n in range(3)], settings=QUICK, store=drawing)
    return made


def test_shipped_pictures_are_found_and_unpacked_by_their_address(
    network: Network, archive: Path, tmp_path: Path
) -> None:
    store = PictureStore(tmp_path / "pictures", shipped=PictureArchive(archive))
    found = store.get(network, "1:2", QUICK)
    assert found is not None
    assert (found.unit, found.image.size) == (Unit("1", 2), (16, 16))
    assert files_in(store.folder) == []
    file = file_of(store, network, "1:2", QUICK)
    assert same(unpack(file.read_bytes(), file.stem), found)


def test_shipped_pictures_tell_the_activation_of_the_compressed_image(network: Network, archive: Path) -> None:
    store = PictureStore(archive.parent / "pictures", shipped=PictureArchive(archive))
    for channel in range(3):
        found = store.get(network, Unit("1", channel), QUICK)
        assert found is not None
        inputs = network.preprocessing.normalize(
            torch.tensor(np.asarray(found.image.reduce(found.zoom))).permute(2, 0, 1)[None].float() / 255
        )
        assert found.activation == pytest.approx(float(network.activations(inputs)["1"][0, channel].max()), rel=1e-5)


def test_shipped_pictures_are_for_their_network_and_settings_alone(network: Network, archive: Path) -> None:
    store = PictureStore(archive.parent / "pictures", shipped=PictureArchive(archive))
    assert store.get(network_of(1), "1:2", QUICK) is None
    assert store.get(network, "1:2", replace(QUICK, seed=1)) is None
    assert store.get(network, "1:5", QUICK) is None


def test_a_damaged_archive_counts_as_empty(network: Network, archive: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = archive.read_bytes()
    archive.write_bytes(data[:-200])
    store = PictureStore(archive.parent / "pictures", shipped=PictureArchive(archive))
    assert store.get(network, "1:2", QUICK) is None
    assert "its pictures are drawn anew" in caplog.text


def test_a_damaged_member_of_the_archive_is_not_shown(
    network: Network, archive: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = bytearray(archive.read_bytes())
    at = data.index(b"WEBPVP8") + 20
    data[at] ^= 0xFF
    archive.write_bytes(bytes(data))
    store = PictureStore(archive.parent / "pictures", shipped=PictureArchive(archive))
    assert store.get(network, "1:0", QUICK) is None
    assert store.get(network, "1:1", QUICK) is not None
    assert "A picture in" in caplog.text


def test_building_an_archive_again_gives_the_same_bytes_and_draws_nothing(
    network: Network, archive: Path, nothing: PictureArchive
) -> None:
    told: list[int] = []
    again = archive.with_name("again.zip")
    build(
        network, again, units=[Unit("1", n) for n in range(3)], settings=QUICK,
        store=PictureStore(archive.parent / "drawing", shipped=nothing),
        progress=lambda done, total, message: told.append(done),
    )  # fmt: skip
    assert again.read_bytes() == archive.read_bytes()
    assert told == []


def test_all_units_are_those_of_every_layer_and_the_classes(network: Network) -> None:
    assert all_units(network) == [*(Unit("1", n) for n in range(40)), Unit("4", 0), Unit("4", 1)]


def test_the_package_has_a_picture_of_every_unit_of_the_built_in_network(tmp_path: Path) -> None:
    network = load_network("builtin")
    store = PictureStore(tmp_path)
    with (
        resources.files("circuits").joinpath("builtin", "pictures.zip").open("rb") as file,
        zipfile.ZipFile(file) as members,
    ):
        index = json.loads(members.read("index.json"))
        assert members.testzip() is None
    assert index["network"] == network.sha256
    assert [entry["key"] for entry in index["pictures"]] == [store.key(network, unit) for unit in all_units(network)]
    for layer in network.layers:
        found = store.get(network, f"{layer}:0")
        assert found is not None
        assert found.image.size == (DEFAULT.size, DEFAULT.size)
