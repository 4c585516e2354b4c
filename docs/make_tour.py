"""The pictures of docs/tour.md and of the README.

    python docs/make_tour.py

A walk through the page on the example photo and the built-in network. The text of the tour is written by hand after a
look at the pictures: whoever changes what they show reads it again.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from stage import opened

from circuits.files import write_atomically
from tests.support.states import Stage

IMAGES = Path(__file__).with_name("images")
HERO = "02-why"
MOST = 120_000
"""Bytes of a picture."""


def tour(stage: Stage) -> Iterator[str]:
    """Lead the page through the tour; the name of each picture, when it is to be taken."""
    tab, expect = stage.tab, stage.expect
    stage.press("Move the crop")
    expect(tab.get_by_role("dialog").get_by_role("img")).to_have_js_property("complete", True)
    for key in ("-", "-", "-", "-", "Shift+ArrowUp"):
        tab.keyboard.press(key)
    yield "01-crop"
    tab.keyboard.press("Escape")
    tab.locator(".invitation button").click()
    tab.mouse.move(5, 5)
    expect(tab.locator(".unit.root")).to_be_visible()
    stage.quiet()
    child = stage.below(stage.root)
    leaf = stage.below(child)
    stage.choose(child)
    tab.evaluate("document.activeElement.blur()")
    stage.quiet()
    yield "02-why"
    tab.locator("#unit-evidence .histogram").evaluate("part => part.scrollIntoView()")
    yield "03-evidence"
    tab.locator("#what-if").evaluate("part => part.scrollIntoView()")
    tab.locator("#what-if input[type=range]").fill("0")
    expect(tab.locator("#what-if")).to_contain_text("→")
    yield "04-what-if"
    tab.locator("#what-if").get_by_role("button", name="Reset", exact=True).click()
    tab.locator("#unit-head").evaluate("part => part.scrollIntoView()")
    stage.unit(leaf).dblclick()
    expect(stage.unit(leaf).locator(".shown")).to_contain_text("%")
    tab.mouse.move(5, 5)
    stage.quiet()
    yield "05-expand"
    tab.evaluate("ends => window.circuits.send('edge', ends)", {"lower": stage.below(leaf), "upper": leaf})
    tab.locator(".measured button").click()
    expect(tab.locator(".measured .verdict").first).to_contain_text("ablated")
    stage.quiet()
    yield "06-edge"
    tab.locator("#weak").fill("3")
    expect(tab.locator("#weak-left")).to_be_visible()
    yield "07-weak"
    tab.locator("#weak").fill("0")
    tab.get_by_role("button", name="why not dog?").click()
    expect(tab.locator("#explained")).to_contain_text("dog")
    stage.quiet()
    yield "08-why-not"
    tab.keyboard.press("Control+z")
    expect(tab.locator("#explained")).not_to_contain_text("dog")
    stage.quiet()
    picture = tab.locator("#photo .sees")
    size = picture.bounding_box()
    picture.click(position={"x": 0.32 * size["width"], "y": 0.36 * size["height"]})
    expect(tab.locator("#spot li").first).to_be_visible()
    tab.mouse.move(5, 5)
    stage.quiet()
    yield "09-fires-here"
    stage.press("Close what fires here")
    stage.middle("layers")
    expect(tab.locator('#wall [data-state="ready"]').first).to_be_visible()
    stage.quiet()
    stage.quiet()  # what is beyond the edge is drawn after what is in sight
    yield "10-layers"
    stage.middle("compare")
    stage.press("Pin as left side")
    expect(tab.get_by_text("Pinned: ")).to_be_visible()
    tab.get_by_role("button", name="why dog?").click()
    expect(tab.locator("#compare table")).to_be_visible()
    stage.quiet()
    yield "11-compare"
    stage.middle("circuit")
    tab.locator("#export-menu > summary").click()
    yield "12-keep"


def main(out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = IMAGES) -> None:
    """Make the pictures of the tour, and the README's."""
    folder = out / "tour"
    folder.mkdir(parents=True, exist_ok=True)
    with opened() as stage:
        for name in tour(stage):
            webp = Image.open(io.BytesIO(stage.tab.screenshot(animations="disabled"))).convert("RGB")
            data = packed(webp)
            write_atomically(folder / f"{name}.webp", data)
            if name == HERO:
                write_atomically(out / "why-cat.webp", data)


def packed(image: Image.Image) -> bytes:
    """A picture as WebP of at most `MOST` bytes, as good as that allows."""
    for quality in range(90, 30, -6):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=quality, method=6)
        if buffer.tell() <= MOST:
            break
    return buffer.getvalue()


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
