"""The command line. Answers go to standard output, progress and errors to standard error.

Exit codes: 0 done; 2 something given cannot be used, said in one sentence; 1 a fault of ours; 130 stopped by Ctrl-C.
Nothing heavy is imported before a command runs, so that `circuits --help` is instant.
"""

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from circuits.commands.explore import explore
from circuits.commands.layers import layers
from circuits.commands.predict import predict
from circuits.commands.render import render
from circuits.commands.trace import trace
from circuits.errors import CircuitsError


class _Sentences(TyperGroup):
    """Turns whatever goes wrong in a command into one sentence and an exit code."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **options: Any) -> Any:
        try:
            code = super().main(args, prog_name or "circuits", **(options | {"standalone_mode": False}))
        except CircuitsError as error:
            code = _say(f"Error: {error}", 2, error)
        except typer.TyperException as error:
            code = _say(f"Error: {error.format_message()} See {_path(error)} --help.", 2, error)
        except (KeyboardInterrupt, typer.Abort) as error:
            code = _say("Stopped.", 130, error)
        except OSError as error:
            if error.errno != errno.EPIPE:
                code = _fault(error)
            else:  # whoever read our output has had enough, as `head` does
                sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - kept open until the process ends
                code = 0
        except Exception as error:
            code = _fault(error)
        sys.exit(code if isinstance(code, int) else 0)


def _path(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "circuits"


def _fault(error: Exception) -> int:
    reason = " ".join(str(error).split())[:300]
    return _say(
        f"Error: circuits failed ({type(error).__name__}: {reason}), which is a fault of the program and not yours; "
        "set CIRCUITS_DEBUG=1 to see where, and report it with that.",
        1,
        error,
    )


def _say(sentence: str, code: int, error: BaseException) -> int:
    if os.environ.get("CIRCUITS_DEBUG") and code == 1:
        raise error
    typer.echo(" ".join(sentence.split()), err=True)
    return code


app = typer.Typer(cls=_Sentences, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"circuits {version('circuits')}")
        except PackageNotFoundError:
            typer.echo("circuits (not installed)")
        raise typer.Exit


@app.callback()
def _circuits(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Why does an image classifier see a cat? Walk down from the class through the units that argued for it."""


app.command()(explore)
app.command()(trace)
app.command()(predict)
app.command()(layers)
app.command()(render)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    Args:
        arguments: what was typed after `circuits`; by default what really was.
    """
    app(arguments)
