"""Waits with an end: what does not happen in time fails a test with a sentence, and keeps nobody waiting for ever."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds; a loaded machine is slow, and a test that passes does not wait so long."""


def join(thread: threading.Thread, seconds: float = PATIENCE) -> None:
    """Wait for a thread to end."""
    thread.join(seconds)
    assert not thread.is_alive(), f"The thread {thread.name} has not ended within {seconds:g} s."


def happen(event: threading.Event, what: str, seconds: float = PATIENCE) -> None:
    """Wait for an event."""
    assert event.wait(seconds), f"Within {seconds:g} s it has not happened that {what}."


def until(holds: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"Within {seconds:g} s it has not happened that {what}."
        time.sleep(0.01)


def python(*arguments: str | Path, check: bool = True, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run Python in a process of its own to its end, which has to be a good one unless `check` is not wanted."""
    pipe = subprocess.PIPE
    given = {"stdout": pipe, "stderr": pipe, "text": True, "timeout": PATIENCE} | options
    return subprocess.run((sys.executable, *arguments), check=check, **given)


@contextmanager
def child(*arguments: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Python in a process of its own, whose output can be read; it is ended after a while, and with the block."""
    pipe = subprocess.PIPE
    with subprocess.Popen((sys.executable, *arguments), stdout=pipe, stderr=pipe, text=True, **options) as process:
        late = threading.Timer(PATIENCE, process.kill)
        late.start()
        try:
            yield process
        finally:
            late.cancel()
            process.kill()
