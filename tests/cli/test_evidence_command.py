"""`circuits evidence`: its numbers, its sheet, and what it refuses."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
from PIL import Image

import circuits.visualization.store
from circuits.cli import _evidence_sheet
from circuits.cli._evidence_layout import Cell, Section, page, stacked
from circuits.cli._evidence_sheet import SheetStyle, held, whole_sheet
from circuits.cli._unit_evidence import UnitEvidence
from circuits.exemplars.build import index_photos
from circuits.tracing.trace import trace
from circuits.units import Unit
from circuits.visualization import metadata
from circuits.visualization.render import Picture
from circuits.visualization.settings import Settings
from tests.support.commandline import on_handmade, refusal, run, save_photo
from tests.support.handmade import colour_photo, handmade_network, levels

RED, GREEN, BLUE = levels(1.0, 0.5, 0.25)
UNIT0 = 2 * RED - GREEN
NO_PICTURES = ["--no-pictures", "--size", 64]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures and indices of a test are kept in a folder of its own."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "circuits"


@pytest.fixture
def reds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A store that has a red picture of every unit, but unit 2 of conv2 never activated; and what it was asked for."""
    asked: list[str] = []

    def pictures(network: object, units: list[Unit], **_: object) -> list[Picture]:
        asked.extend(map(str, units))
        red = Image.new("RGB", (Settings().size,) * 2, "red")
        return [Picture(unit, red, 0.0 if unit.channel == 2 else 7.0) for unit in units]

    monkeypatch.setattr(circuits.visualization.store, "pictures", pictures)
    return asked


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """A photo and the options of the hand-wired network."""
    options = ["--input-size" if text == "--size" else text for text in on_handmade(tmp_path)]
    return [str(save_photo(tmp_path)), *options]


def numbers_of(unit: str, asked: list[str], *more: object) -> dict[str, Any]:
    result = run("evidence", unit, *asked, "--json", *more)
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Section]:
    """The sections that a sheet is put together from, filled when it is."""
    found: list[Section] = []

    def kept(section: Section, columns: int, size: int) -> Image.Image:
        found.append(section)
        return page(section, columns, size)

    monkeypatch.setattr(_evidence_sheet, "page", kept)
    return found


def titles(section: Section) -> list[str]:
    return [cell.title for row in section.rows for cell in row]


def test_the_numbers_are_those_of_the_unit_in_the_photo(asked: list[str]) -> None:
    found = numbers_of("conv2:0", asked)
    assert found["unit"] == "conv2:0"
    assert found["photo"]["name"] == "photo.png"
    assert found["activation"] == pytest.approx(
        {"value": UNIT0, "sum": 16 * UNIT0, "positions": 16, "positive": 16}, abs=1e-4
    )
    assert found["peaks"] == [
        {
            "position": [0, 0],
            "value": pytest.approx(UNIT0, abs=1e-5),
            "box": {"top": 0, "left": 0, "bottom": 1, "right": 1},
        }
    ]
    assert found["target"] == {"id": "fc:0", "label": "warm", "attribution": pytest.approx(3 * UNIT0, abs=1e-4)}
    assert not {"parent", "path", "exemplars"} & set(found)
    assert [each["label"] for each in found["predictions"]] == ["warm", "cold"]


def test_the_target_may_be_another_class_and_an_argument_may_be_against_it(asked: list[str]) -> None:
    against = numbers_of("conv2:1", asked)["target"]
    towards = numbers_of("conv2:1", asked, "--target", "cold")["target"]
    assert against["attribution"] == pytest.approx(-(BLUE + 0.5), abs=1e-5)
    assert (towards["id"], towards["attribution"]) == ("fc:1", pytest.approx(BLUE + 0.5, abs=1e-5))


def test_a_unit_above_the_target_has_no_argument_for_it(asked: list[str]) -> None:
    assert numbers_of("fc:0", asked, "--target", "conv2:0")["target"]["attribution"] is None


def test_a_neuron_has_its_own_place_value_and_part_of_the_argument(asked: list[str]) -> None:
    found = numbers_of("conv2:0@2,3", asked)
    [peak] = found["peaks"]
    assert (peak["position"], peak["box"]) == ([2, 3], {"top": 2, "left": 3, "bottom": 3, "right": 4})
    assert found["activation"]["value"] == pytest.approx(UNIT0, abs=1e-5)
    assert found["target"]["attribution"] == pytest.approx(3 * UNIT0 / 16, abs=1e-5)


def test_a_class_is_called_by_its_label_and_sees_everything(asked: list[str]) -> None:
    found = numbers_of("fc:warm", asked)
    assert found["unit"] == "fc:0"
    assert found["peaks"][0]["box"] == {"top": 0, "left": 0, "bottom": 4, "right": 4}
    assert found["target"]["attribution"] == pytest.approx(found["activation"]["value"])


def test_a_silent_unit_has_no_peaks(asked: list[str]) -> None:
    found = numbers_of("conv2:2", asked)
    assert (found["peaks"], found["activation"]["value"], found["activation"]["positive"]) == ([], 0.0, 0)


def test_the_edge_to_a_parent_and_the_path_are_told(asked: list[str]) -> None:
    found = numbers_of("conv1:0", asked, "--parent", "conv2:0", "--path", "fc:warm,conv2:0@1,2,conv1:0")
    assert found["parent"] == {"unit": "conv2:0", "attribution": pytest.approx(16 * 2 * RED, abs=1e-4)}
    assert found["path"] == ["fc:0", "conv2:0@1,2", "conv1:0"]
    assert numbers_of("conv1:0", asked, "--path", "fc:warm, conv2:0")["path"] == ["fc:0", "conv2:0", "conv1:0"]


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_the_sheet_carries_the_numbers(tmp_path: Path, asked: list[str], ending: str) -> None:
    out = tmp_path / f"evidence.{ending}"
    result = run("evidence", "conv2:0", *asked, "-o", out, *NO_PICTURES, "--start", "map", "--smooth", 2)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"Wrote {out}.\n")
    numbers = numbers_of("conv2:0", asked, "--start", "map", "--smooth", 2)
    assert numbers["settings"] == {"start": "map", "smooth": 2}
    assert metadata.read(out) == numbers | {"settings": {"start": "map", "smooth": 2, "size": 64}}


def test_the_sheet_shows_photo_heat_argument_picture_patches_and_pixels(
    tmp_path: Path, asked: list[str], reds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = drawn(monkeypatch)
    assert run("evidence", "conv2:0", *asked, "-o", tmp_path / "a.png", "--size", 64).exit_code == 0
    overview, pixels = sections
    assert overview.title == "conv2:0 in photo.png"
    assert overview.note == "Handmade · activation 1.50 · fired at 100 % of 16 positions · contributes +4.49 to warm"
    seen = [
        "what the network saw",
        "where it fired",
        "contribution by position",
        "what it looks for",
        "the same, close",
    ]
    assert titles(overview) == seen
    assert reds == ["conv2:0", "conv2:0@2,2"]
    own = ["gradient", "gradient × input", "guided", "deconvnet"]
    assert titles(pixels) == ["patch 1", "its pixels 1", *own]  # one row, as there is room
    patch = pixels.rows[0][0].image
    assert (patch.size, patch.getpixel((0, 0))) == ((1, 1), (255, 128, 64))
    gradient = np.asarray(pixels.rows[0][2].image)
    assert (gradient == (255, 64, 128)).all()  # 2 red - green, at the one pixel that it sees
    assert "cut to patch 1" in pixels.note


def test_starting_at_the_map_asks_all_positions(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = drawn(monkeypatch)
    run("evidence", "conv2:0", *asked, "-o", tmp_path / "a.png", *NO_PICTURES, "--start", "map")
    gradient = np.asarray(sections[-1].rows[0][2].image)
    assert gradient[60, 60].tolist() == [255, 64, 128]
    assert "from its whole map" in sections[-1].note


def test_a_parent_and_a_path_have_sections_of_their_own(
    tmp_path: Path, asked: list[str], reds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = drawn(monkeypatch)
    more = ["--parent", "conv2:0", "--path", "fc:0,conv2:0", "--size", 64]
    assert run("evidence", "conv1:0", *asked, "-o", tmp_path / "a.png", *more).exit_code == 0
    parent, path = sections[2:]
    assert parent.title == "Contribution to conv2:0"
    assert parent.note.startswith("conv1:0 contributes +32.0 · ")
    through = "pixels, via the unit"
    assert titles(parent) == ["conv2:0", "where it arrives", "where it came from", through, through]
    assert np.asarray(parent.rows[0][4].image)[2, 2] == pytest.approx(
        [255, 128, 128], abs=20
    )  # red alone, through this unit
    assert path.title == "The path warm > conv2:0 > conv1:0"
    assert [[cell.title for cell in row] for row in path.rows] == [
        ["warm", "conv2:0", "conv1:0"],
        ["warm", "… > conv2:0", "… > conv1:0"],
    ]
    assert {"fc:0", "conv2:0", "conv1:0"} <= set(reds)
    assert "all zero" not in parent.note + path.note


def test_the_sheet_says_in_words_where_nothing_of_a_unit_reaches_the_one_above(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = drawn(monkeypatch)
    more = ["--parent", "conv2:0", "--path", "fc:0,conv2:0", *NO_PICTURES]
    assert run("evidence", "conv1:2", *asked, "-o", tmp_path / "a.png", *more).exit_code == 0
    parent, path = sections[-2:]
    assert parent.note.endswith(" · all zero: this unit does not affect conv2:0 there")
    assert [cell.caption for cell in parent.rows[0][-2:]] == ["guided gradient: all zero", "true gradient: all zero"]
    assert path.note.endswith(" · all zero: conv1:2 does not affect conv2:0 on this path")


@pytest.mark.usefixtures("reds")
def test_a_silent_unit_is_said_to_be_silent(tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sections = drawn(monkeypatch)
    assert run("evidence", "conv2:2", *asked, "-o", tmp_path / "a.png", "--size", 64).exit_code == 0
    overview, pixels = sections
    assert "silent here" in overview.note
    assert overview.rows[0][-1].caption == "no image found that activates it"
    assert titles(pixels)[0] == "gradient"


@pytest.mark.usefixtures("reds")
def test_a_class_has_no_maps_and_no_patches(tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sections = drawn(monkeypatch)
    assert run("evidence", "fc:0", *asked, "-o", tmp_path / "a.png", "--size", 64).exit_code == 0
    assert sections[0].title == "warm in photo.png"
    assert [titles(section) for section in sections] == [
        ["what the network saw", "what it looks for"],
        ["gradient", "gradient × input", "guided", "deconvnet"],
    ]


def test_pictures_are_drawn_only_where_they_are_wanted(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuits.visualization.store, "pictures", None)
    more = ["--parent", "fc:0", "--path", "fc:0", *NO_PICTURES]
    assert run("evidence", "conv2:0", *asked, "-o", tmp_path / "a.png", *more).exit_code == 0


def test_a_patch_of_a_unit_that_sees_everything_is_cut_to_the_pixels_that_matter() -> None:
    network, photo = handmade_network(), colour_photo()
    circuit = trace(network, photo, depth=1, top=1)
    evidence = UnitEvidence(network, photo, circuit, Unit("fc", 0))
    assert evidence.is_large(evidence.box(evidence.peaks[0].position))
    assert not evidence.mapped
    picture = np.zeros((64, 48, 3), dtype=np.float32)
    picture[40:44, 8:12] = -3.0
    picture[0, 0] = 0.1
    box = held(picture, 0.75)
    assert (box.height, box.width) == (6, 6)
    assert box.top <= 40
    assert box.bottom >= 44
    assert box.left <= 8
    assert box.right >= 12
    assert held(np.zeros((4, 6, 3), dtype=np.float32), 0.75).corners == (0, 0, 6, 4)


def collection(folder: Path) -> Path:
    """Ten photos, redder and redder, in two folders."""
    photos = folder / "collection"
    for at in range(10):
        group = photos / ("calm" if at < 7 else "hot")
        group.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (20 * at, 100, 0)).save(group / f"{at}.png")
    return photos


def test_an_index_tells_how_rare_the_activation_is_and_what_else_the_unit_fires_on(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = drawn(monkeypatch)
    into = tmp_path / "indices"
    index = index_photos(handmade_network(), collection(tmp_path), top=3, into=into)
    assert index.percentile("conv2:0", UNIT0) == 100.0
    found = numbers_of("conv2:0", asked, "--into", into)
    assert found["exemplars"] == {"photos": 10, "percentile": 100.0}
    assert run("evidence", "conv2:0", *asked, "-o", tmp_path / "a.png", *NO_PICTURES, "--into", into).exit_code == 0
    assert "higher than in 100 % of 10 photos" in sections[0].note
    last = sections[-1]
    assert last.title == "Other photos it fires on"
    assert last.note == (
        "10 photos in the folder collection · number: its highest pre-activation · most of them from: hot (3)"
    )
    assert [[cell.caption for cell in row] for row in last.rows] == [
        ["hot"] * 3,
        ["calm"] * 3,
        ["calm"] * 3,
        ["calm"] * 3,
    ]
    assert [row[0].title for row in last.rows] == [
        "most: 1.02",
        "slightly positive: 0.0784",
        "slightly negative: −0.0784",
        "least: −0.392",
    ]


def test_a_photo_of_the_index_that_is_gone_leaves_a_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, photo = handmade_network(), colour_photo()
    index = index_photos(network, collection(tmp_path), top=1, into=tmp_path / "indices")
    (tmp_path / "collection" / "hot" / "9.png").unlink()
    sections = drawn(monkeypatch)
    circuit = trace(network, photo, depth=1, top=1)
    whole_sheet(UnitEvidence(network, photo, circuit, Unit("conv2", 0), index=index), SheetStyle(size=64))
    assert sections[-1].rows[0][0].image.size == (64, 64)
    assert sections[-1].rows[1][0].image.size == (1, 1)


def test_an_index_without_the_units_layer_is_not_used(tmp_path: Path, asked: list[str]) -> None:
    network = handmade_network()
    index_photos(network, collection(tmp_path), layers=["conv1"], into=tmp_path / "indices")
    assert "exemplars" not in numbers_of("conv2:0", asked, "--into", tmp_path / "indices")


def test_sections_lie_below_each_other_and_are_as_wide_as_the_longest_row() -> None:
    cell = Cell(Image.new("RGB", (8, 4), "blue"), "a", "b")
    one = page(Section("One", "", ((cell,),)), 3, 64)
    other = page(Section("Other", "small print", ((cell, cell, cell), (cell,))), 3, 64)
    assert one.width == other.width
    whole = stacked([one, other])
    assert whole.height == one.height + other.height + 8
    assert (np.asarray(whole) == (0, 0, 255)).all(2).sum() == 5 * 64 * 32


@pytest.mark.parametrize(
    ("unit", "more", "sentence"),
    [
        ("conv2:0", [], "Nothing to write; give -o FILE for the sheet, --json for the numbers, or both."),
        ("conv2:0", ["-o", "a.txt"], "has no ending of a picture"),
        ("conv2:0", ["-o", "nowhere/a.png"], "there is no folder"),
        ("conv2:9", ["--json"], "No unit conv2:9 in Handmade; conv2 has 3 channels, from 0."),
        ("conv2:0@9,9", ["--json"], "No neuron conv2:0@9,9 in Handmade"),
        ("conv9:0", ["--json"], "No layer 'conv9' in Handmade"),
        ("conv2", ["--json"], "UNIT 'conv2' is 3 units; evidence is about one, such as conv2:0."),
        ("conv2:x", ["--json"], "'conv2:x' is not a unit"),
        ("conv2:0", ["--json", "--target", "tepid"], "tepid"),
        ("conv2:0", ["--json", "--parent", "conv1:0"], "--parent conv1:0 does not lie above conv2:0"),
        ("conv2:0", ["--json", "--parent", "conv2:1"], "--parent conv2:1 does not lie above conv2:0"),
        ("conv1:0", ["--json", "--path", "conv2:0,fc:0"], "The path conv2:0,fc:0,conv1:0 does not go down"),
        ("conv1:0", ["--json", "--path", "conv1:0"], "--path 'conv1:0' has no units above conv1:0"),
        ("conv1:0", ["--json", "--path", ""], "--path '' has no units above conv1:0"),
        ("conv1:0", ["--json", "--start", "middle"], "--start 'middle' does not exist; write peak or map."),
        ("conv1:0", ["--json", "--smooth", "-1"], "--smooth"),
        ("conv1:0", ["-o", "a.png", "--size", "8"], "--size"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence_and_nothing_is_written(
    tmp_path: Path,
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
    unit: str,
    more: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert sentence in refusal(run("evidence", unit, *asked, *more))
    assert sorted(tmp_path.iterdir()) == before


def test_a_photo_that_is_missing_is_refused(tmp_path: Path) -> None:
    assert "nothing.png" in refusal(run("evidence", "conv1:0", tmp_path / "nothing.png", "--json"))


def test_the_python_of_the_page_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text("utf-8")
    code = re.search(r"\*\*In Python\*\*.*?```python\n(.*?)```", page, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    assert names["heat_map"](names["network"], names["photo"], "conv5:4").max() > 0
