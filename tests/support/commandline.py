"""Run the command line in this process on the hand-wired network, whose circuit is known."""

from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image
from typer.testing import CliRunner, Result

from circuits.cli.main import app

HANDMADE = f"{Path(__file__).with_name('handmade.py')}:Handmade"


def run(*arguments: object) -> Result:
    """What `circuits` does with the arguments; nothing is allowed to escape from it as an exception.

    A page is at any free port unless they name one: others, and tests beside this one, have the usual one.
    """
    with mock.patch("dashboard.waiting.PORT", 0):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="circuits")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def on_handmade(folder: Path) -> list[str]:
    """The options that describe the hand-wired network."""
    labels = folder / "labels.txt"
    labels.write_text("warm\ncold\n")
    return ["--network", HANDMADE, "--labels", str(labels), "--size", "4", "--mean", "0,0,0", "--std", "1,1,1"]


def save_photo(folder: Path, name: str = "photo.png") -> Path:
    """A photo of one colour, (1, 0.5, 0.25) in 8 bits."""
    path = folder / name
    Image.fromarray(np.full((4, 4, 3), (255, 128, 64), dtype=np.uint8)).save(path)
    return path


def refusal(result: Result) -> str:
    """The one sentence with which bad input was refused."""
    assert result.exit_code == 2, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    assert lines[0].endswith(".")
    assert "Traceback" not in result.output
    assert result.stdout == ""
    return lines[0]
