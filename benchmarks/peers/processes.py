"""Measurements in a process of their own, whose memory holds nothing else.

With `--one` a benchmark reads a question from standard input as JSON, how many threads it may use and what it is to
measure, and answers it.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch
import typer


def ask(script: str, threads: int, *question: Any) -> dict[str, float]:
    """The answer of a benchmark, the file at `script`, from a process of its own.

    Raises:
        RuntimeError: with the end of what it wrote, if it failed.
    """
    command = [sys.executable, script, "--one"]
    done = subprocess.run(command, input=json.dumps([threads, *question]), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} failed on {question}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_benchmark(main: Callable[..., None], measure: Callable[..., dict[str, float]]) -> None:
    """Run a benchmark's command; in a process that `ask` started, measure what it was asked instead."""
    if sys.argv[1:] != ["--one"]:
        typer.run(main)
        return
    threads, *question = json.loads(sys.stdin.read())
    torch.set_num_threads(threads)
    sys.stdout.write(json.dumps(measure(*question)) + "\n")
