"""Measurements in a process of their own, whose memory holds nothing else.

A benchmark that is started with `--one` reads its question, a list in JSON, from standard input, and answers it.
"""

import json
import subprocess
import sys
from typing import Any


def ask(script: str, *question: Any) -> dict[str, float]:
    """The answer of a benchmark, the file at `script`, from a process of its own.

    Raises:
        RuntimeError: with the end of what it wrote, if it failed.
    """
    command = [sys.executable, script, "--one"]
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} failed on {question}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def read_question() -> list[Any]:
    """What this process was asked."""
    question: list[Any] = json.loads(sys.stdin.read())
    return question


def answer(found: dict[str, float]) -> None:
    """Answer it."""
    sys.stdout.write(json.dumps(found) + "\n")
