"""`circuits exemplars`: an index from the command line, on the hand-wired network."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from circuits.exemplars.finding import find_exemplars
from tests.support.commandline import on_handmade, refusal, run
from tests.support.handmade import handmade_network


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five photos of one colour: red from 0 to 1, in two folders."""
    for number, red in enumerate((0, 51, 102, 153, 255)):
        path = tmp_path / "photos" / ("dark" if red < 100 else "bright") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), (red, 0, 0), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def test_the_lists_of_a_unit_are_shown(folder: Path, tmp_path: Path) -> None:
    arguments = ["exemplars", folder, "--top", "2", "--into", tmp_path / "kept", *on_handmade(tmp_path)]
    result = run(*arguments, "--unit", "conv1:0", "--unit", "conv2:2")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0][:2] == ["5", "photos"]
    assert "9 units of Handmade in 3 layers, kept in" in result.stdout
    assert ["most", "bright/4.png", "1.00", "0,0"] in lines
    assert ["bright/3.png", "0.600", "0,0"] in lines
    assert ["slightly", "positive", "dark/1.png", "0.200", "0,0"] in lines
    assert ["least", "dark/0.png", "0", "0,0"] in lines
    assert [
        "peak",
        "0",
        "0.00800",
        "0.0400",
        "0.0800",
        "0.200",
        "0.400",
        "0.600",
        "0.840",
        "0.920",
        "0.984",
        "1.00",
    ] in lines
    assert ["slightly", "negative", "dark/1.png", "−0.200", "0,0"] in lines
    assert ["most:", "2", "×", "bright"] in lines


def test_json_tells_all_and_a_second_run_reads_nothing_again(folder: Path, tmp_path: Path) -> None:
    (folder / "notes.txt").write_text("no photo")
    (folder / "more").symlink_to(folder / "dark")
    arguments = ["exemplars", folder, "--into", tmp_path / "kept", *on_handmade(tmp_path), "--json", "--unit", "fc:0"]
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == [
        "Left out: more: links to folders, or to nothing, are not followed.",
        "Skipped: notes.txt is not an image that can be read; give a PNG, JPEG, WebP, GIF, TIFF, BMP, "
        "PPM or AVIF file.",
    ]
    facts = json.loads(result.stdout)
    assert (facts["photos"], facts["layers"], facts["exact"]) == (5, ["conv1", "conv2", "fc"], True)
    assert list(facts["skipped"]) == [str(folder / "notes.txt")]
    warm = facts["units"]["fc:0"]
    assert warm["most"][0]["photo"] == str(folder / "bright" / "4.png")
    assert warm["most"][0]["value"] == pytest.approx(3 * 2 - 0.5 + 0.1)
    assert warm["most"][0]["position"] == [0, 0]
    assert warm["slightly_negative"][0]["value"] == pytest.approx(-0.4)
    assert warm["peaks"]["50"] == pytest.approx(3 * 0.8 - 0.5 + 0.1)
    assert warm["classes"] == {"bright": 3, "dark": 2}
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*.json*")}
    assert json.loads(run(*arguments).stdout) == facts
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*.json*")} == before
    index = find_exemplars(handmade_network(), tmp_path / "kept")
    assert index is not None
    assert index.photos == 5


def test_only_the_first_few_skipped_files_are_named(folder: Path, tmp_path: Path) -> None:
    for number in range(8):
        (folder / f"{number}.txt").write_text("no photo")
    result = run("exemplars", folder, "--into", tmp_path / "kept", *on_handmade(tmp_path))
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 6
    assert lines[-1] == "Skipped: 3 more files."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing"], "There is no folder "),
        (["empty"], "There is no photo that can be read in "),
        (["photos", "--unit", "conv1"], "'conv1' is not a unit"),
        (["photos", "--unit", "conv9:1"], "No layer 'conv9' in "),
        (["photos", "--unit", "conv1:9"], "conv1 has 4 channels"),
        (["photos", "--layers", "conv9"], "Layer 'conv9' does not exist"),
        (["photos", "--top", "0"], "--top '0' is not a whole number from 1 to 100"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    arguments: list[str], sentence: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    given = [tmp_path / arguments[0], *arguments[1:], "--into", tmp_path / "kept", *on_handmade(tmp_path)]
    assert sentence in refusal(run("exemplars", *given))
