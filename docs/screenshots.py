"""Every state of the page as a picture, light and dark, to be looked at.

    python docs/screenshots.py [--out screenshots] [--network googlenet] [--only unit]

The page begins with the example photo. Nothing of a person's own pictures and sessions is used or changed.
"""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from stage import SIZE, opened

from tests.support.states import walk

NARROW = ((1440, 900), (1280, 720), (1024, 768), (390, 844))
WATCHED = ("predicted", "circuit", "panes folded", "circuit grown", "unit", "layers", "compare", "keys")
"""States that are looked at in other sizes too."""


def main(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("screenshots"),
    network: Annotated[str, typer.Option(help="Network, as circuits explore takes it.")] = "builtin",
    weights: Annotated[str | None, typer.Option(help="Its weights.")] = None,
    photo: Annotated[str, typer.Option(help="Photo that the page begins with.")] = "example:cat",
    only: Annotated[str, typer.Option(help="Only states with this in their names.")] = "",
) -> None:
    """Walk through the states of the page and write a picture of each."""
    out.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    with opened(network=network, weights=weights, photo=photo) as stage:
        tab = stage.tab
        for number, state in enumerate(walk(stage), start=1):
            if only not in state:
                continue
            console.print(state)
            name = f"{number:02}-{re.sub(r'[^a-z]+', '-', state.lower())}"
            for theme in ("dark", "light"):
                tab.emulate_media(color_scheme=theme)
                stage.expect(tab.locator("html")).to_have_attribute("data-theme", theme)
                tab.screenshot(path=out / f"{name}-{theme}.png", animations="disabled")
            if state in WATCHED:
                for width, height in NARROW:
                    tab.set_viewport_size({"width": width, "height": height})
                    tab.screenshot(path=out / f"{name}-{width}.png", animations="disabled")
                tab.set_viewport_size(dict(zip(("width", "height"), SIZE, strict=True)))


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
