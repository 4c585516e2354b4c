"""docs/visualization.md: its pictures exist, and its snippets and commands do what they say."""

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from tests.support.commandline import run
from tests.support.page_folder import page_folder

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "visualization.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SNIPPETS = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [line for language, text in BLOCKS if not language for line in text.splitlines()]
SHEETS = re.findall(r"!\[[^]]+\]\((images/visualization/\w+\.webp)\)", PAGE)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    page_folder(tmp_path, monkeypatch)
    Path("weights.json").write_text(json.dumps({"17": 1, "5": -0.5}))
    return tmp_path


def gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gallery"] = module
    spec.loader.exec_module(module)
    return module


def test_every_picture_of_the_page_exists_and_is_one_of_the_gallery() -> None:
    made = {f"images/visualization/{section.__name__}.webp" for section in gallery().SECTIONS}
    assert set(SHEETS) == made
    assert {str(file.relative_to(DOCS)) for file in (DOCS / "images" / "visualization").iterdir()} == made
    for name in SHEETS:
        with Image.open(DOCS / name) as sheet:
            assert sheet.format == "WEBP"
            assert np.asarray(sheet.convert("RGB")).std() > 20, name


def test_the_snippets_of_the_page_run_one_after_the_other(place: Path) -> None:
    known: dict[str, Any] = {
        "generator": nn.Sequential(nn.Linear(128, 48), nn.Unflatten(1, (3, 4, 4)), nn.Tanh()),
    }
    assert run("render", "conv4:17", "conv6:3", "-o", "units.png").exit_code == 0  # the page's first command
    for text in SNIPPETS:
        exec(compile(text, "visualization.md", "exec"), known)
    assert {"cat.png", "facet.png", "page.png"} <= {file.name for file in place.iterdir()}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_writes_its_file(place: Path, command: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "circuits"
    if "--network" in arguments:
        arguments += ["--weights", "random"]
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    with Image.open(arguments[arguments.index("-o") + 1]) as picture:
        assert min(picture.size) >= 64
