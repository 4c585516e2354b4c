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
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import circuits
from circuits.cli.atlas import atlas
from circuits.cli.atlas_export import atlas_export
from circuits.cli.atlas_site import atlas_site
from circuits.cli.class_circuit import class_circuit
from circuits.cli.compare import compare
from circuits.cli.console import put_output_back
from circuits.cli.doctor import doctor
from circuits.cli.evaluate import evaluate
from circuits.cli.evidence import evidence
from circuits.cli.exemplars import exemplars
from circuits.cli.explore import ExploreCommand, explore
from circuits.cli.groups import groups
from circuits.cli.layers import layers
from circuits.cli.names import names
from circuits.cli.options import with_options
from circuits.cli.predict import predict
from circuits.cli.render import render
from circuits.cli.trace import trace
from circuits.cli.what_if import what_if
from circuits.errors import CircuitsError, InputError, mixed_installation, printable, short
from circuits.files import versions

_NO_MEMORY = re.compile("can't allocate memory|out of memory|[Uu]nable to allocate|Cannot allocate memory|bad_alloc")
_NUMBERS: dict[Any, str] = {int: "whole number", float: "number"}
_LONGEST = 2000
"""Characters of a sentence; what was typed may be longer."""


class _Commands(TyperGroup):
    """Turns whatever goes wrong in a command into one sentence and an exit code; commands may be of two words."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is meant: `atlas site` before `atlas`, whose folder of that name is given as `./site`."""
        two = " ".join(args[:2])
        return super().resolve_command(ctx, [two, *args[2:]] if two in self.commands else args)

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
            code = _explain(error, list(options.get("args") or sys.argv[1:]))
        if code == 130:
            _say("Stopped.")
        sys.exit(code if isinstance(code, int) else 0)


def _check_installation() -> None:
    """Refuse to go on where `circuits` is another package, or no package any more; ours has warned on its own."""
    if "trace" not in dir(circuits):
        raise InputError(mixed_installation() or "The package circuits here is not circuit-explorer.")


def _explain(error: Exception, typed: Sequence[str] = ()) -> int:
    """Say what went wrong with what was typed; the exit code."""
    if isinstance(error, CircuitsError):
        _say(f"Error: {error}")
        return 2
    if hasattr(error, "format_message"):  # the command line does not fit: typer's word for it
        context = getattr(error, "ctx", None)
        message = _not_in_range(getattr(error, "param", None), typed) or error.format_message()
        message = message if message.endswith((".", "?", "!")) else f"{message}."
        _say(f"Error: {message} See {context.command_path if context else 'circuits'} --help.")
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


def _not_in_range(option: Any, typed: Sequence[str]) -> str:
    """What is wrong with a number that was given with an option; "" if that is not known."""
    kind = _NUMBERS.get(getattr(getattr(option, "type_descriptor", None), "annotation", None), "")
    for name in option.opts if kind else ():
        for at, text in enumerate(typed):
            value = text.removeprefix(f"{name}=") if text.startswith(f"{name}=") else "".join(typed[at + 1 : at + 2])
            if text.startswith(f"{name}=") or (text == name and value):
                least, most = option.min, option.max
                ends = [] if least is None else [f"from {least:g}"]
                ends += [] if most is None else [f"{'to' if ends else 'up to'} {most:g}"]
                return f"{name} {short(value)} is not a {' '.join((kind, *ends))}."
    return ""


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


_HELP = {"help_option_names": ["--help", "-h"]}
app = typer.Typer(cls=_Commands, pretty_exceptions_enable=False, context_settings=_HELP)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError

        try:
            typer.echo(f"circuits {versions()['circuits']}")
        except PackageNotFoundError:
            typer.echo("circuits (not installed)")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog="Try: circuits explore, or circuits trace example:cat")
def _circuits(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Why did an image classifier say cat? Follow its prediction down through the units that contributed to it."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


_COMMANDS: dict[Callable[..., None], str] = {
    explore: "circuits explore cat.jpg --network googlenet --network builtin",
    trace: 'circuits trace cat.jpg --target "cat - dog" -o cat.json',
    evaluate: "circuits evaluate cat.json photos/*.jpg --card card.html",
    compare: "circuits compare cat.json dog.json",
    predict: "circuits predict cat.jpg --network squeezenet1_1",
    what_if: "circuits what-if cat.jpg --unit conv4:17=0 --class dog",
    layers: "circuits layers squeezenet1_1",
    render: "circuits render conv4:17 fc:cat -o units.png",
    evidence: "circuits evidence conv7:281 cat.jpg -o evidence.png",
    groups: "circuits groups cats --target cat -o cats.safetensors",
    exemplars: "circuits exemplars photos --unit conv7:281",
    atlas: "circuits atlas photos --network googlenet -o atlas",
    atlas_site: "circuits atlas site atlas -o site",
    atlas_export: "circuits atlas export atlas --parquet tables",
    names: "circuits names conv7:281 'round eyes'",
    class_circuit: "circuits class cat --atlas atlas -o cat.json",
    doctor: "circuits doctor --network my_net.py:MyNet",
}
"""Each command with an example."""

_NAMES: dict[Callable[..., None], str] = {
    atlas_site: "atlas site",
    atlas_export: "atlas export",
    class_circuit: "class",
}
"""Of commands that are not called as their functions are."""

for _command, _example in _COMMANDS.items():
    _kind = ExploreCommand if _command is explore else None
    app.command(_NAMES.get(_command), cls=_kind, epilog=f"Example: {_example}", context_settings=_HELP)(
        with_options(_command)
    )


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
