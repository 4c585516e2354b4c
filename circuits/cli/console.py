"""What the commands write: tables to standard output, a progress bar to standard error."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

Report = Callable[[int, int, str], None]
EVERY = 30.0
"""Seconds between two lines of progress where there is no terminal."""


def output() -> Console:
    """Standard output; not wrapped to a screen where there is none, so that lines stay whole in files and pipes."""
    console = Console(highlight=False, emoji=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, emoji=False, markup=False, width=160)


def plain_table(heads: Sequence[str], numbers: Collection[int]) -> Table:
    """A table without lines, whose columns of numbers, counted from 0, are flush right."""
    table = Table(*heads, box=None, header_style="dim")
    for at in numbers:
        table.columns[at].justify = "right"
    return table


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def note(text: str) -> None:
    """A line for the person and not for the next program: on standard error."""
    typer.echo(text, err=True)


def warn(text: str) -> None:
    """A warning for the person, on standard error: coloured on a terminal, and one line where there is none."""
    console = Console(stderr=True, highlight=False, emoji=False, markup=False, soft_wrap=True)
    console.print(Text.assemble(("Warning: ", "bold yellow"), text))


@contextmanager
def progress(start: str) -> Iterator[Report]:
    """A progress bar on standard error while the block runs; where that is no terminal, a line now and then.

    Yields:
        Call it with (done, total, message).
    """
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield _Lines(start)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(start, total=None)

        def report(done: int, total: int, message: str) -> None:
            bar.update(task, completed=done, total=total, description=message or start)

        yield report


class _Lines:
    """Tells a file or a log, every half minute, how far the work is."""

    def __init__(self, start: str) -> None:
        self.start = start
        self.begun = self.last = time.monotonic()

    def __call__(self, done: int, total: int, message: str) -> None:
        now = time.monotonic()
        if now - self.last >= EVERY:
            self.last = now
            left = f", {duration((now - self.begun) * (total - done) / done)} left" if 0 < done < total else ""
            note(f"{self.start}: {done} of {total} done{left}.")


def duration(seconds: float) -> str:
    """About how long something takes, for people.

    >>> duration(0.4), duration(48.2), duration(130), duration(9000)
    ('about 1 s', 'about 50 s', 'about 2 min', 'about 2.5 h')
    """
    if seconds < 90:
        return f"about {max(1, round(seconds)) if seconds < 10 else round(seconds / 10) * 10} s"
    return f"about {round(seconds / 60)} min" if seconds < 90 * 60 else f"about {seconds / 3600:.1f} h"
