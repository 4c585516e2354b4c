"""What the product says is what it said: golden files made anew and compared, numbers within a tolerance.

`make.py` says how they are made, how they are compared byte for byte, and when to make those of the repository anew.
"""

import shutil
from pathlib import Path

import pytest

from tests.golden.compare import difference, differences
from tests.golden.make import PARTS, main, make

STORED = Path(__file__).parent / "files"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    make(folder, brief=True)
    return folder


@pytest.mark.parametrize("part", PARTS)
def test_what_is_said_is_what_was_said(made: Path, part: str) -> None:
    assert differences(made / part, STORED / part, tolerant=True) == {}


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("circuits/branched/sum-both.json", '"rank": 1', '"rank": 2'),
        ("circuits/branched/sum-both.json", '"label": "dog"', '"label": "dogs"'),
        ("changes/branched/said.graphml", "cat", "cats"),
        ("changes/branched/said.html", 'class="', 'class="x'),
        ("changes/branched/said.html", "</title>", " again</title>"),
        ("commands/branched/predict.txt", "cat", "cats"),
        ("page/plain/04-select.json", "Collapse", "Fold"),
    ],
)
def test_a_difference_is_found(tmp_path: Path, name: str, before: str, after: str) -> None:
    text = (STORED / name).read_text("utf-8")
    assert before in text
    changed = tmp_path / Path(name).name
    changed.write_text(text.replace(before, after, 1), "utf-8")
    assert difference(changed, STORED / name, tolerant=True)
    assert difference(changed, STORED / name, trees=True)
    assert difference(changed, STORED / name)


@pytest.mark.parametrize(("factor", "same"), [(1 + 1e-6, True), (1 + 1e-3, False)])
def test_numbers_may_differ_in_their_last_bits_alone(tmp_path: Path, factor: float, same: bool) -> None:
    written, changed = tmp_path / "written.json", tmp_path / "changed.json"
    written.write_text('{"edges": [{"attribution": 0.7312, "rank": 1}], "digest": "digest:0123456789abcdef0123"}')
    text = written.read_text().replace("0.7312", repr(0.7312 * factor)).replace("0123456789", "9876543210")
    changed.write_text(text)
    assert (difference(changed, written, tolerant=True) == "") is same
    assert difference(changed, written)


def test_pages_are_compared_by_what_is_in_them(tmp_path: Path) -> None:
    one, other = tmp_path / "one.html", tmp_path / "other.html"
    one.write_text('<p class="a" id="b">Two  words</p>')
    other.write_text('<p id="b"\n class="a">\n Two words\n</p>')
    assert difference(one, other, trees=True) == ""
    assert difference(one, other)


def test_files_that_come_and_go_are_named(tmp_path: Path) -> None:
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").write_text("the same")
    found = differences(tmp_path / "after", tmp_path / "before")
    assert found == {"after.txt": "is new", "before.txt": "is not made any more"}


def test_the_script_says_which_files_differ_and_leaves_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PARTS, "networks", lambda stage: stage.to.json("networks/names", list(stage.networks)))
    assert main(["--only", "networks", str(tmp_path)]) == 0
    assert main(["--only", "networks", "--against", str(tmp_path)]) == 0
    changed = tmp_path / "networks" / "names.json"
    changed.write_text(changed.read_text("utf-8").replace("plain", "plane"), "utf-8")
    shutil.copy(changed, tmp_path / "networks" / "other.json")
    assert main(["--only", "networks", "--against", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "networks/names.json: line " in said
    assert "networks/other.json: is not made any more" in said
