"""What the commands write: tables to standard output, a progress bar to standard error."""

import json
import re
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from circuits.errors import in_one_line, printable

if TYPE_CHECKING:
    from circuits.network.network import Network

Report = Callable[[int, int, str], None]
_OBEYED = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
EVERY = 30.0
"""Seconds between two lines of progress where there is no terminal."""


class PlainConsole(Console):
    """A console that writes texts as they are, without markup, and never hands a terminal the orders in them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, emoji=False, markup=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """A text, as all cells of tables are given: what would move a cursor or name a window is written out."""
        return super().render_str(printable(text), **options)


_kept: list[TextIO] = []


def keep_answers_apart() -> None:
    """From now on only answers go to standard output; what a user's code prints as it runs goes to standard error."""
    if not _kept:
        _kept.append(sys.stdout)
        sys.stdout = sys.stderr


def put_output_back() -> None:
    """Let everybody print to standard output again."""
    if _kept:
        sys.stdout = _kept.pop()


def answers() -> TextIO:
    """Where answers are written: standard output."""
    return _kept[0] if _kept else sys.stdout


def output() -> Console:
    """Standard output; not wrapped to a screen where there is none, so that lines stay whole in files and pipes."""
    console = PlainConsole(file=answers())
    return console if console.is_terminal else PlainConsole(file=answers(), width=160)


def say(console: Console, text: str) -> None:
    """Sentences, wrapped between words to a terminal, and whole in files and pipes."""
    console.print(text, soft_wrap=not console.is_terminal)


def wrapped(parts: Sequence[str], width: int, *, indent: int = 0, between: str = ", ") -> str:
    """Parts, joined, in lines of at most so many columns; a line ends between two parts, never in one.

    >>> print(wrapped(["130: +10.2 (5 %)", "100: +9.07 (4 %)", "22: +8.40"], 36, indent=2))
      130: +10.2 (5 %), 100: +9.07 (4 %),
      22: +8.40
    """
    lines = [""]
    for part in parts:
        longer = lines[-1] + between + part if lines[-1] else part
        if lines[-1] and indent + cell_len(longer) + len(between.rstrip()) > width:
            lines[-1] += between.rstrip()
            longer = part
            lines.append("")
        lines[-1] = longer
    return "\n".join(" " * indent + line for line in lines)


def plain_table(heads: Sequence[str], numbers: Collection[int]) -> Table:
    """A table without lines, whose columns of numbers, counted from 0, are flush right."""
    table = Table(*heads, box=None, header_style="dim")
    for at in numbers:
        table.columns[at].justify = "right"
    return table


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    echo_json(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def echo_json(text: str) -> None:
    """A text of JSON on standard output, always in UTF-8; what a terminal might obey is escaped as JSON does."""
    text = _OBEYED.sub(lambda found: f"\\u{ord(found.group()):04x}", text.removesuffix("\n"))
    typer.echo(text.encode() if hasattr(answers(), "buffer") else text, file=answers())


def note(text: str) -> None:
    """A line for the person and not for the next program: on standard error."""
    typer.echo(in_one_line(text), err=True)


def note_tokens_from_zero(network: "Network", instead: str) -> None:
    """Say that shares of the residual stream say little from zero, and what to do instead, if the network has any."""
    if any(each.is_stream for each in network.layer_list):
        note(
            "From zero the shares of a transformer's tokens say little, because layer norms take out their size; "
            f"{instead}."
        )


def warn(text: str) -> None:
    """A warning for the person, on standard error: coloured on a terminal, and one line where there is none."""
    PlainConsole(stderr=True, soft_wrap=True).print(Text.assemble(("Warning: ", "bold yellow"), in_one_line(text)))


@contextmanager
def progress(start: str) -> Iterator[Report]:
    """A progress bar on standard error while the block runs; where that is no terminal, a line now and then.

    Yields:
        Call it with (done, total, message).
    """
    console = PlainConsole(stderr=True)
    if not console.is_terminal:
        yield _Lines(start)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(start, total=None)

        def report(done: int, total: int, message: str) -> None:
            bar.update(task, completed=done, total=total, description=printable(message or start))

        yield report


class _Lines:
    """Tells a file or a log, every half minute, how far the work is."""

    def __init__(self, start: str) -> None:
        self.what = start
        self.begun = self.last = time.monotonic()
        self.first, self.total = 0, -1

    def __call__(self, done: int, total: int, message: str) -> None:
        now = time.monotonic()
        if total != self.total:  # it begins, or goes over to other work
            self.what = self.what if self.total < 0 else message or self.what
            self.begun, self.first, self.total = now, done, total
        if now - self.last >= EVERY:
            self.last, did = now, done - self.first
            left = f", {duration((now - self.begun) * (total - done) / did)} left" if did > 0 and done < total else ""
            note(f"{self.what}: {done} of {total} done{left}.")


def duration(seconds: float) -> str:
    """About how long something takes, for people.

    >>> duration(0.4), duration(48.2), duration(130), duration(9000)
    ('about 1 s', 'about 50 s', 'about 2 min', 'about 2.5 h')
    """
    if seconds < 90:
        return f"about {max(1, round(seconds)) if seconds < 10 else round(seconds / 10) * 10} s"
    return f"about {round(seconds / 60)} min" if seconds < 90 * 60 else f"about {seconds / 3600:.1f} h"
