"""The command line. Answers go to standard output, progress and errors to standard error.

Exit codes: 0 done; 2 something given cannot be used, said in one sentence; 1 a fault of ours; 130 stopped by Ctrl-C.
Nothing heavy is imported before a command runs, so that `circuits --help` is instant.
"""

import errno
import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import circuits
from circuits.cli.compare import compare
from circuits.cli.console import put_output_back
from circuits.cli.doctor import doctor
from circuits.cli.evaluate import evaluate
from circuits.cli.evidence import evidence
from circuits.cli.exemplars import exemplars
from circuits.cli.explore import explore
from circuits.cli.layers import layers
from circuits.cli.options import short, with_options
from circuits.cli.predict import predict
from circuits.cli.render import render
from circuits.cli.trace import trace
from circuits.cli.what_if import what_if
from circuits.errors import CircuitsError, InputError, mixed_installation, printable
from circuits.files import versions

_NO_MEMORY = re.compile("can't allocate memory|out of memory|[Uu]nable to allocate|Cannot allocate memory|bad_alloc")
_LONGEST = 2000
"""Characters of a sentence; what was typed may be longer."""


class _Sentences(TyperGroup):
    """Turns whatever goes wrong in a command into one sentence and an exit code."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run, and leave with the exit code."""
        try:
            _check_installation()
            try:
                code = super().main(*arguments, **(options | {"standalone_mode": False}))
            finally:
                put_output_back()
            if sys.stdout is not None:  # a program may have been started without one
                sys.stdout.flush()
        except (KeyboardInterrupt, typer.Abort):
            code = 130
        except SystemExit as left:  # typer and rich leave like this when the reader of our output has gone
            code = 0 if _is_broken_pipe(left.__context__) else left.code
        except Exception as error:
            code = _explain(error)
        if code == 130:
            _say("Stopped.")
        sys.exit(code if isinstance(code, int) else 0)


def _check_installation() -> None:
    """Refuse to go on where `circuits` is another package, or no package any more; ours has warned on its own."""
    if "trace" not in dir(circuits):
        raise InputError(mixed_installation() or "The package circuits here is not circuit-explorer.")


def _explain(error: Exception) -> int:
    """Say what went wrong; the exit code."""
    if isinstance(error, CircuitsError):
        _say(f"Error: {error}")
        return 2
    if hasattr(error, "format_message"):  # the command line does not fit: typer's word for it
        context = getattr(error, "ctx", None)
        _say(f"Error: {error.format_message()} See {context.command_path if context else 'circuits'} --help.")
        return 2
    if _is_broken_pipe(error):
        _drop_output()
        return 0
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _drop_output()
        _say("Error: No space is left on the disk that is written to; free some and try again.")
        return 2
    if isinstance(error, OSError) and isinstance(error.filename, str):  # such as a name that no file can have
        _say(f"Error: {short(error.filename)} cannot be used as a file ({error.strerror}); check its name.")
        return 2
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        _say("Error: There is not enough memory for this; give a smaller --size, network or number.")
        return 2
    if os.environ.get("CIRCUITS_DEBUG"):
        raise error
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}".rstrip(": ")
    _say(
        f"Error: circuits itself failed ({reason}); run it again with CIRCUITS_DEBUG=1 to see where, and report that "
        "with the command."
    )
    return 1


def _drop_output() -> None:
    """Let what is still in the buffer of standard output go nowhere, so that it cannot fail once more."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_broken_pipe(error: BaseException | None) -> bool:
    """Whether the reader of our output has had enough, as `head` has."""
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _say(sentence: str) -> None:
    """One line on standard error, whole, so that programs can read it too."""
    sentence = printable(" ".join(sentence.split()))
    typer.echo(
        sentence if len(sentence) <= _LONGEST else f"{sentence[: _LONGEST // 2]} … {sentence[-_LONGEST // 2 :]}",
        err=True,
    )


class _Printable(logging.Formatter):
    """Writes what is logged without what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        """The message, on one line."""
        return printable(super().format(record))


app = typer.Typer(cls=_Sentences, add_completion=False, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError

        try:
            typer.echo(f"circuits {versions()['circuits']}")
        except PackageNotFoundError:
            typer.echo("circuits (not installed)")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _circuits(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Why does an image classifier see a cat? Walk down from the class through the units that argued for it."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for _command in (explore, trace, evaluate, compare, predict, what_if, layers, render, evidence, exemplars, doctor):
    app.command()(with_options(_command))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    Args:
        arguments: what was typed after `circuits`; by default what really was.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # on Windows files and pipes would get its code page, which has no −
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")
    if logging.lastResort is not None:  # what the library notes names files, and so does what others log
        logging.lastResort.setFormatter(_Printable())
    # Photos that are too large are refused in a sentence of ours.
    warnings.filterwarnings("ignore", ".*decompression bomb", RuntimeWarning)
    app(arguments)
