"""`circuits render`: pictures of what units look for."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from circuits.commands.options import Labels, Mean, NetworkName, Std, Weights, get_network
from circuits.errors import InputError
from circuits.files import check_writable, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

_FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}


def render(
    units: Annotated[list[str], typer.Argument(metavar="UNIT…", help="Units such as inception4a:17 or fc:284.")],
    file: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", readable=False, help="A .png, .webp or .jpg file.")
    ],
    size: Annotated[int, typer.Option("--size", min=16, max=1024, help="Side of each picture.")] = 128,
    steps: Annotated[int, typer.Option(min=1, max=10_000, help="Steps of gradient ascent.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives another picture.")] = 0,
    network: NetworkName = "builtin",
    weights: Weights = None,
    labels: Labels = None,
    input_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Input size of the network in pixels, N or HxW.", rich_help_panel="Network"),
    ] = None,
    mean: Mean = None,
    std: Std = None,
) -> None:
    """Pictures of what units look for: one unit gives its picture, several a labelled sheet."""
    from circuits.commands.console import note, progress
    from circuits.units import Unit

    if file.suffix.lower() not in _FORMATS:
        raise InputError(f"{file} has no ending of a picture; name it .png, .webp or .jpg.")
    check_writable(file)
    wanted = [Unit.parse(text) for text in units]
    loaded = get_network(network, weights=weights, labels=labels, size=input_size, mean=mean, std=std)
    for unit in wanted:
        loaded.check_unit(unit)
    from circuits.visualization import render as render_units

    with progress("Rendering") as report:
        pictures = render_units(loaded, wanted, size=size, steps=steps, seed=seed, progress=report)
    images = [picture.image for picture in pictures]
    titles = [loaded.unit_label(picture.unit) for picture in pictures]
    whole = images[0] if len(images) == 1 else sheet(images, titles)
    buffer = io.BytesIO()
    whole.convert("RGB").save(buffer, _FORMATS[file.suffix.lower()], quality=92)
    write_atomically(file, buffer.getvalue())
    note(f"Wrote {file}.")


def sheet(images: "Sequence[Image.Image]", titles: "Sequence[str]") -> "Image.Image":
    """Pictures of one size in a near-square grid on white, each with its title below.

    >>> from PIL import Image
    >>> sheet([Image.new("RGB", (64, 64))] * 3, ["a", "b", "c"]).size
    (152, 184)
    """
    from PIL import Image, ImageDraw, ImageFont

    width, height = images[0].size
    gap, line = max(8, width // 8), max(16, width // 7)
    columns = max(1, round(len(images) ** 0.5))
    rows = -(-len(images) // columns)
    font = ImageFont.load_default(size=line * 0.7)
    page = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + line + gap) + gap), "white")
    draw = ImageDraw.Draw(page)
    for index, (image, title) in enumerate(zip(images, titles, strict=True)):
        left = gap + index % columns * (width + gap)
        top = gap + index // columns * (height + line + gap)
        page.paste(image, (left, top))
        while title and draw.textlength(title, font) > width:
            title = title.rstrip("…")[:-1] + "…" if len(title.rstrip("…")) > 1 else ""
        draw.text((left + width / 2, top + height + line / 2 + 1), title, "black", font, anchor="mm")
    return page
