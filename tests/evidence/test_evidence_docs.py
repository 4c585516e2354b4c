"""docs/evidence.md: its commands and its snippets that begin with a network do what they say."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from circuits.exemplars.finding import find_exemplars
from circuits.network.loading import load_network
from tests.support.commandline import run
from tests.support.page_folder import page_folder

PAGE = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text("utf-8")
COMMANDS = re.findall(r"^    (circuits .*)$", PAGE, re.MULTILINE)
SNIPPETS = [
    text for text in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if "load_network(" in text
]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return page_folder(tmp_path, monkeypatch)


def arguments_of(command: str) -> list[str]:
    """What follows `circuits`, with random weights in place of a file's or of a download."""
    program, *arguments = shlex.split(command)
    assert program == "circuits"
    if "--weights" in arguments:
        arguments[arguments.index("--weights") + 1] = "random"
    elif "--network" in arguments:
        arguments += ["--weights", "random"]
    return arguments


def test_the_page_has_commands_of_both_kinds() -> None:
    assert {command.split()[1] for command in COMMANDS} == {"evidence", "exemplars"}
    assert len(COMMANDS) == 6
    assert len(SNIPPETS) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_gives_what_it_is_asked_for(place: Path, command: str) -> None:
    arguments = arguments_of(command)
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    if "-o" in arguments:
        with Image.open(arguments[arguments.index("-o") + 1]) as sheet:
            assert min(sheet.size) >= 192
    told = json.loads(result.stdout) if "--json" in arguments else None
    if arguments[0] == "evidence" and told is not None:
        assert told["unit"] == arguments[1]
    if arguments[0] == "exemplars":
        unit = arguments[arguments.index("--unit") + 1]
        assert unit in (told["units"] if told is not None else result.stdout)
        assert told is None or told["photos"] == 2


def test_the_snippets_of_the_page_run_one_after_the_other(place: Path) -> None:
    known: dict[str, Any] = {}
    for text in SNIPPETS:
        exec(compile(text, "evidence.md", "exec"), known)
    assert known["index"].photos == 2
    assert find_exemplars(load_network()) is not None
