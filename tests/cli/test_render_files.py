"""The files of `circuits render`: pictures, sheets, boxes, settings; and what is left when it is stopped."""

import sys
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from PIL import Image

from circuits.cli import _render_drawing, _render_sheet
from circuits.cli._render_drawing import RenderedRow, beside_photos
from circuits.exemplars.build import index_photos
from circuits.units import Unit
from circuits.visualization import metadata
from circuits.visualization.contact_sheet import ContactSheet, box, sheet
from circuits.visualization.render import Picture, render
from circuits.visualization.settings import Settings
from circuits.visualization.store import PictureStore
from tests.support.commandline import HANDMADE, refusal, run, save_photo
from tests.support.handmade import handmade_network

NETWORK = ["--network", HANDMADE, "--input-size", 4, "--mean", "0,0,0", "--std", "1,1,1"]
SMALL = ["--size", 16, "--steps", 2]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pictures of a test are kept in a folder of its own."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "circuits" / "pictures"


@pytest.fixture
def reds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that has a red picture of every unit; even channels never activated."""

    def pictures(network: object, units: list[Unit], *, settings: Settings, **_: object) -> list[Picture]:
        red = Image.new("RGB", (settings.size,) * 2, "red")
        return [Picture(unit, red, float(unit.channel % 2)) for unit in units]

    monkeypatch.setattr(_render_drawing, "pictures", pictures)


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def test_one_unit_gives_its_picture_and_nothing_around_it(tmp_path: Path) -> None:
    out = tmp_path / "unit.png"
    result = run("render", "conv2:0", "-o", out, *NETWORK, *SMALL)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"Wrote {out}.\n")
    [picture] = render(handmade_network(), ["conv2:0"], settings=Settings(size=16, steps=2))
    assert np.array_equal(np.asarray(opened(out)), np.asarray(picture.image))
    record = metadata.read(out)
    assert record["values"] == [[picture.activation]]
    assert (record["units"], record["objective"]) == (["conv2:0"], "channel")
    assert record["network"] == {"name": "Handmade", "source": "as made", "sha256": handmade_network().sha256}
    assert record["settings"]["steps"] == 2
    assert set(record["versions"]) == {"circuits", "torch"}


def test_a_picture_is_drawn_once_and_found_the_next_time(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["render", "conv2:0", *NETWORK, *SMALL]
    assert run(*asked, "-o", tmp_path / "first.png").exit_code == 0
    assert len(list(own_cache.rglob("*.webp"))) == 1
    monkeypatch.setattr(sys.modules["circuits.visualization.visualize"], "GradientAscent", None)
    assert run(*asked, "-o", tmp_path / "second.png").exit_code == 0
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


@pytest.mark.parametrize(("ending", "format"), [("png", "PNG"), ("webp", "WEBP"), ("jpg", "JPEG"), ("JPEG", "JPEG")])
@pytest.mark.usefixtures("reds")
def test_several_units_give_a_labelled_sheet(tmp_path: Path, ending: str, format: str) -> None:
    out = tmp_path / f"sheet.{ending}"
    result = run("render", "fc:1", "conv1:1", "conv1:3", "fc:1", "conv2:1", "-o", out, *NETWORK, "--size", 64)
    assert result.exit_code == 0
    image = opened(out)
    titles, note = (
        ["class 1", "conv1:1", "conv1:3", "conv2:1"],
        "256 steps · seed 0 · number: highest activation reached",
    )
    wanted = {"captions": ["1.00"] * 4, "title": "Handmade · fc, conv1, conv2 · channel", "note": note}
    expected = sheet([Image.new("RGB", (64, 64), "red")] * 4, titles, **wanted)
    assert (image.format, image.size) == (format, expected.size)
    difference = np.abs(np.asarray(image.convert("RGB"), dtype=int) - np.asarray(expected))
    assert difference.mean() < (0.5 if format == "PNG" else 8)


@pytest.mark.parametrize(("grid", "columns", "rows"), [("2x4", 4, 2), ("4x2", 2, 4), ("1×8", 8, 1), ("9x3", 3, 3)])
@pytest.mark.usefixtures("reds")
def test_a_grid_is_rows_by_columns(tmp_path: Path, grid: str, columns: int, rows: int) -> None:
    out = tmp_path / "sheet.png"
    assert run("render", "conv1", "conv2", "fc:0", "-o", out, *NETWORK, "--size", 96, "--sheet", grid).exit_code == 0
    image = opened(out)
    red = (np.asarray(image.convert("RGB")) == (255, 0, 0)).all(axis=2)
    assert image.width == 8 + columns * (96 + 8)
    lines = rows * (96 + 8 + 19 + 16)
    assert lines < image.height < lines + 110
    assert red.sum() == 4 * 96**2  # the other channels never activated; a logit of zero is no dead unit


@pytest.mark.usefixtures("reds")
def test_one_picture_may_be_a_sheet_too(tmp_path: Path) -> None:
    assert run("render", "conv1:1", "-o", tmp_path / "a.png", *NETWORK, "--size", 128, "--sheet", "1x1").exit_code == 0
    layout = ContactSheet([Image.new("RGB", (128, 128))], ["conv1:1"], captions=["1.00"]).layout
    assert opened(tmp_path / "a.png").width == layout.size[0]


@pytest.mark.usefixtures("reds")
def test_a_unit_that_never_lit_up_is_a_box_and_is_told(tmp_path: Path) -> None:
    out = tmp_path / "unit.png"
    result = run("render", "conv1:2", "-o", out, *NETWORK)
    assert result.stderr.splitlines() == [
        "The unit never activated, whatever was drawn: conv1:2; a box stands for each picture.",
        f"Wrote {out}.",
    ]
    assert np.array_equal(np.asarray(opened(out)), np.asarray(box(128, "conv1:2", "never activated")))
    result = run("render", "conv1:0-3", "-o", out, *NETWORK)
    assert result.stderr.startswith("2 of 4 units never activated, whatever was drawn: conv1:0, conv1:2; a box stands")
    assert metadata.read(out)["values"] == [[0.0], [1.0], [0.0], [1.0]]


@pytest.mark.usefixtures("reds")
def test_a_unit_driven_down_is_not_expected_to_light_up(tmp_path: Path) -> None:
    out = tmp_path / "unit.png"
    result = run("render", "conv1:2", "-o", out, *NETWORK, "--objective", "negative")
    assert result.stderr == f"Wrote {out}.\n"
    assert opened(out).getpixel((64, 64)) == (255, 0, 0)
    assert metadata.read(out)["values"] == [[None]]


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        (["conv1:0", "--alpha"], (16, 16)),
        (["conv1:0", "--images", "plain"], (16, 16)),
        (["conv1:0", "--images", "maco", "--objective", "neuron"], (16, 16)),
        (["conv2:0", "--colours", "none", "--blur-image", "1"], (16, 16)),
        (["conv2:0", "--start", "{photo}", "--l2", "0.1"], (16, 16)),
        (["conv2:0", "--prior", "{own}:Prior"], (16, 16)),
        (["conv1:0,1", "conv2:0", "--objective", "joint"], (16, 16)),
        (["fc:0", "--objective", "logit"], (16, 16)),
        (["fc:0", "--objective", "probability", "--diverse", "3"], None),
        (["conv2", "--objective", "layer"], (16, 16)),
        (["conv2", "--objective", "inversion", "--photo", "{photo}"], (16, 16)),
        (["conv1", "conv2", "--objective", "caricature", "--photo", "{photo}", "--power", "2"], None),
        (["conv2", "--direction", "{direction}", "--power", "1"], (16, 16)),
        (["conv1:0", "conv2:0", "--interpolate", "3"], None),
        (["conv1:0", "conv2:0", "--filmstrip", "3"], None),
        (["conv1:0", "conv2:0", "--diverse", "2", "--sheet", "2x2"], None),
    ],
)
def test_everything_is_really_drawn(tmp_path: Path, arguments: list[str], size: tuple[int, int] | None) -> None:
    (tmp_path / "own.py").write_text(
        "from torch import nn\nfrom circuits.visualization.parameterization.learned import LearnedPrior\n"
        "def Prior():\n"
        "    return LearnedPrior(nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (3, 2, 2)), nn.Sigmoid()), (2,))\n"
    )
    (tmp_path / "direction.json").write_text('{"0": 1, "1": -0.5}')
    files = {"own": tmp_path / "own.py", "photo": save_photo(tmp_path), "direction": tmp_path / "direction.json"}
    out = tmp_path / "out.png"
    given = [text.format(**files) if text.startswith("{") else text for text in arguments]
    result = run("render", *given, "-o", out, *NETWORK, *SMALL)
    assert (result.exit_code, result.stderr) == (0, f"Wrote {out}.\n")
    image = opened(out)
    assert image.size == size if size else image.width > 40
    assert image.mode == ("RGBA" if "--alpha" in arguments else "RGB")
    assert all(isinstance(value, float) for values in metadata.read(out)["values"] for value in values)


def test_another_seed_gives_another_picture(tmp_path: Path) -> None:
    for seed in (0, 1):
        assert run("render", "conv2:0", "-o", tmp_path / f"{seed}.png", *NETWORK, *SMALL, "--seed", seed).exit_code == 0
    one, other = (np.asarray(opened(tmp_path / f"{seed}.png"), dtype=int) for seed in (0, 1))
    assert np.abs(one - other).mean() > 1


def test_ctrl_c_leaves_no_file_and_what_was_drawn_stays_in_the_store(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = PictureStore.put

    def stopped_after(store: PictureStore, network: object, picture: Picture, settings: Settings) -> None:
        if picture.unit.layer == "conv2":
            raise KeyboardInterrupt
        put(store, network, picture, settings)

    monkeypatch.setattr(PictureStore, "put", stopped_after)
    result = run("render", "conv1:0-1", "conv2:0", "-o", tmp_path / "out.png", *NETWORK, *SMALL)
    assert (result.exit_code, result.stderr) == (130, "Stopped.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]
    assert len(list(own_cache.rglob("*.webp"))) == 2


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_render_drawing, "pictures", None)
    nowhere = tmp_path / "nowhere" / "unit.png"
    assert "there is no folder" in refusal(run("render", "conv1:0", "-o", nowhere, *NETWORK, *SMALL))
    (tmp_path / "folder.png").mkdir()
    assert "is a folder" in refusal(run("render", "conv1:0", "-o", tmp_path / "folder.png", *NETWORK, *SMALL))


@pytest.mark.usefixtures("reds")
def test_where_photos_were_indexed_a_picture_says_how_many_excite_the_unit_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for at in range(5):
        Image.new("RGB", (4, 4), (250 - 50 * at, 0, 0)).save(photos / f"{at}.png")  # conv2:0 fires with 2 × red
    index_photos(handmade_network(), photos, layers=["conv2"])
    shown: list[dict[str, object]] = []
    monkeypatch.setattr(_render_sheet, "sheet", lambda **told: shown.append(told) or Image.new("RGB", (9, 9)))
    out = tmp_path / "sheet.png"
    assert run("render", "conv2:0-1", "conv1:1", "-o", out, *NETWORK).exit_code == 0
    assert shown[0]["captions"] == ["0", "1.00 (100 %)", "1.00"]  # never activated; above all of 0.5; not indexed
    assert str(shown[0]["note"]).endswith(" · in brackets: photos that excite it less")
    assert metadata.read(out)["shares"] == [[], [1.0], []]
    share = beside_photos(handmade_network(), [RenderedRow("", "conv2:0", (), ("",), ("1.00",), (1.0,))])[0].shares
    second, third = 200 / 255, 300 / 255  # a quarter of the photos, and half of them, lie below
    assert share == (pytest.approx(0.25 + 0.25 * (1 - second) / (third - second), abs=1e-5),)
    assert run("render", "conv2:0-1", "-o", out, *NETWORK, *SMALL, "--filmstrip", 2).exit_code == 0
    assert "shares" not in metadata.read(out)


@pytest.mark.usefixtures("reds")
def test_a_damaged_index_of_photos_does_not_matter_to_pictures(tmp_path: Path, own_cache: Path) -> None:
    save_photo(tmp_path)
    index = index_photos(handmade_network(), tmp_path, layers=["conv2"])
    for file in index.kept.glob("*/*.safetensors"):
        file.write_bytes(b"no longer")
    assert run("render", "conv1:1", "-o", tmp_path / "a.png", *NETWORK).exit_code == 0
