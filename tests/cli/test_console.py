"""What the commands write: nothing in a label or a file's name is an order to the terminal, and JSON is UTF-8."""

import io
import json
import sys

import pytest

from circuits.cli.console import PlainConsole, echo_json, note, plain_table, print_json, warn
from circuits.cli.main import main

HOSTILE = "cat\x1b]0;owned\x07\x1b[2J\x9b2J\u202e"
SHOWN = r"cat\x1b]0;owned\x07\x1b[2J\x9b2J\u202e"


def test_a_table_on_a_terminal_writes_orders_out() -> None:
    file = io.StringIO()
    console = PlainConsole(file=file, force_terminal=True, width=120)
    table = plain_table(("label",), numbers=())
    table.add_row(HOSTILE)
    console.print(table)
    console.print(f"It sees {HOSTILE}:", soft_wrap=True)
    assert file.getvalue().count(SHOWN) == 2
    assert not set("\x07\x9b\u202e") & set(file.getvalue())
    assert "\x1b]0" not in file.getvalue()


def test_notes_and_warnings_write_orders_out(capsys: pytest.CaptureFixture[str]) -> None:
    note(f"Wrote {HOSTILE}.")
    warn(f"{HOSTILE} is damaged.")
    assert capsys.readouterr().err == f"Wrote {SHOWN}.\nWarning: {SHOWN} is damaged.\n"


def test_json_says_the_same_without_orders_in_it(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    said = {"label": HOSTILE, "name": "caf\udce9 → 猫"}
    print_json(said)
    echo_json(json.dumps("→", ensure_ascii=False) + "\n")
    first, second = capfdbinary.readouterr().out.decode("utf-8").rsplit("\n", 2)[:2]
    assert json.loads(first) == said
    assert not set("\x1b\x07\x9b\u202e") & set(first)
    assert (second, "→ 猫" in first) == ('"→"', True)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-16"])
def test_a_pipe_of_another_code_page_gets_utf_8(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit, match="0"):
        main(["layers", "builtin"])
    stream.flush()
    assert "64×64" in stream.buffer.getvalue().decode("utf-8")
