"""Write docs/command-line.md: every command and option, from the commands themselves.

python docs/make_command_line.py
"""

from pathlib import Path

import typer
from typer.cli import get_docs_for_click

from circuits.cli.main import app

PAGE = Path(__file__).with_name("command-line.md")


def page() -> str:
    """The whole page."""
    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="circuits", title="The command line")
    return text.rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
