"""The script that makes `docs/why-is-this-a-cat.md`, on the hand-wired network."""

import importlib.util
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from circuits import PictureStore
from circuits.units import Unit
from circuits.visualization.render import Picture
from tests.support.commandline import HANDMADE, save_photo
from tests.support.handmade import colour_photo, handmade_network

DOCS = Path(__file__).parents[1] / "docs"
NOTES = """
title = "Why is this warm?"
layers = ["conv1", "conv2", "fc"]
opening = "It is *red*.\\n\\nMore so than green."
closing = "## In the end\\n\\nThat is **all**."
[[step]]
unit = "fc:0"
text = "The class."
result = "red + … = warm"
kept = {"conv2:0" = "more red than green"}
[[step]]
unit = "conv2:0"
text = "Its half."
result = "red + … = more red than green"
kept = {"conv1:0" = "red & nothing else"}
discarded = {"conv1:9" = "not there"}
"""


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_why_is_this_a_cat", DOCS / "make_why_is_this_a_cat.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def reds(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that has a red picture of every unit."""

    def pictures(network: object, units: list[str], *, store: PictureStore) -> list[Picture]:
        return [Picture(Unit.parse(unit), Image.new("RGB", (128, 128), "red"), 1.0) for unit in units]

    monkeypatch.setattr(script, "pictures", pictures)


def notes_in(folder: Path) -> Path:
    file = folder / "notes.toml"
    file.write_text(NOTES, "utf-8")
    return file


@pytest.mark.usefixtures("reds")
def test_the_script_writes_the_whole_page_and_the_one_without_the_photo(script: ModuleType, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(script.main)
    network = ["--network", HANDMADE, "--store", str(tmp_path / "store")]
    out, docs = tmp_path / "out", tmp_path / "docs"
    asked = [str(save_photo(tmp_path)), str(out), *network, "--notes", str(notes_in(tmp_path)), "--docs", str(docs)]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    assert "conv2:0: notes on ['conv1:0', 'conv1:9'], but below it are ['conv1:0']." in " ".join(result.output.split())
    page = (out / "index.html").read_text("utf-8")
    assert sorted(path.name for path in out.iterdir()) == ["01.webp", "02.webp", "index.html"]
    for part in ("<p>It is <i>red</i>.</p>", "<h2>conv2:0</h2>", "red &amp; nothing else", "<h2>In the end</h2>"):
        assert part in page
    text = (docs / "why-is-this-a-cat.md").read_text("utf-8")
    assert text.startswith("# Why is this warm?\n\nIt is *red*.")
    assert "(images/why-is-this-a-cat/02.webp)" in text
    assert "- conv1:9, discarded: not there" in text
    with Image.open(docs / "images" / "why-is-this-a-cat" / "01.webp") as sheet:
        assert sheet.width == 10 + 2 * (128 + 10)


@pytest.mark.usefixtures("reds")
def test_the_page_without_the_photo_never_looks_at_its_pixels(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("input_crop", "gradient_picture", "relative_picture", "show_map"):
        monkeypatch.setattr(script, name, None)
    walk = script.Walk(handmade_network(), colour_photo(), PictureStore(tmp_path))
    script.synthetic_page(walk, script.read_notes(notes_in(tmp_path)), tmp_path)
    assert len(list((tmp_path / "images" / "why-is-this-a-cat").iterdir())) == 2


@pytest.mark.usefixtures("reds")
def test_what_was_discarded_comes_last_and_what_reaches_no_peak_is_said(script: ModuleType, tmp_path: Path) -> None:
    walk = script.Walk(handmade_network(), colour_photo(), PictureStore(tmp_path))
    step = script.Step("fc:0", "", "", {}, {"conv2:0": "for the sake of the test"})
    circuit = walk.below(step)
    [first, *_] = walk.children(step, circuit).rows
    assert [(cell.title, cell.caption) for cell in first] == [("conv2:0", "discarded, gave +4.49")]
    nothing = walk._patches(script.gradient_picture(walk.network, walk.photo, "conv2:2"))
    assert [cell.image.size for cell in nothing] == [(160, 160)] * 2


def test_the_notes_of_the_documentation_are_of_one_walk_down(script: ModuleType) -> None:
    notes = script.read_notes(DOCS / "why-is-this-a-cat.toml")
    layers = [step.unit.partition(":")[0] for step in notes.steps]
    assert layers == list(reversed(notes.layers[1:]))
    for upper, lower in pairwise(notes.steps):
        assert lower.unit in upper.words, f"{lower.unit} is followed, but it was not kept"
    assert all(len(step.words) + len(step.discarded) == 5 for step in notes.steps)


def test_the_committed_pictures_are_small_and_those_of_the_page() -> None:
    text = (DOCS / "why-is-this-a-cat.md").read_text("utf-8")
    files = sorted((DOCS / "images" / "why-is-this-a-cat").iterdir())
    assert [f"(images/why-is-this-a-cat/{file.name})" in text for file in files] == [True] * 11
    assert sum(file.stat().st_size for file in files) < 1_000_000
