"""How the sheet of `circuits evidence` is laid out: sections of labelled pictures, below each other, of one width."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from circuits.visualization.contact_sheet import LINE, sheet

COLUMNS = 6


@dataclass(frozen=True)
class Cell:
    """A picture with its title and a word on it."""

    image: Image.Image
    title: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """Rows of cells under a heading.

    Args:
        title: above them.
        note: small print below the title.
        rows: of at most `COLUMNS` cells.
    """

    title: str
    note: str
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Look:
    """How it is drawn.

    Args:
        size: side of each picture, in pixels.
        start: of gradient pictures, `peak` or `map`.
        smooth: noisy copies of the photo that they are the mean of.
    """

    size: int = 192
    start: str = "peak"
    smooth: int = 0


def page(section: Section, columns: int, size: int) -> Image.Image:
    """A section as a picture; shorter rows have empty places at their ends."""
    cells = [cell for row in section.rows for cell in (*row, *[None] * (columns - len(row)))]
    return sheet(
        [None if cell is None else fitted(cell.image, size) for cell in cells],
        ["" if cell is None else cell.title for cell in cells],
        captions=["" if cell is None else cell.caption for cell in cells],
        columns=columns,
        title=section.title,
        note=section.note,
    )


def stacked(pages: Sequence[Image.Image]) -> Image.Image:
    """Pages one below the other, with a thin line between two.

    >>> stacked([Image.new("RGB", (40, 20)), Image.new("RGB", (30, 10))]).size
    (40, 38)
    """
    gap = 8
    width = max(page.width for page in pages)
    whole = Image.new("RGB", (width, sum(page.height for page in pages) + gap * (len(pages) - 1)), "white")
    top = 0
    for at, page in enumerate(pages):
        if at:
            ImageDraw.Draw(whole).line((gap, top + gap // 2, width - gap, top + gap // 2), fill=LINE)
            top += gap
        whole.paste(page, (0, top))
        top += page.height
    return whole


def fitted(image: Image.Image, size: int) -> Image.Image:
    """A picture as large as fits into a square, in its middle, on white.

    >>> fitted(Image.new("RGB", (20, 10)), 64).getpixel((32, 0))
    (255, 255, 255)
    """
    scale = size / max(image.size)
    new = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    smooth = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    shown = image.convert("RGB") if image.size == new else image.convert("RGB").resize(new, smooth)
    ground = Image.new("RGB", (size, size), "white")
    ground.paste(shown, ((size - new[0]) // 2, (size - new[1]) // 2))
    return ground


def mark(image: Image.Image, corners: tuple[float, float, float, float], text: str, *, ring: bool = False) -> None:
    """Draw a frame or a ring in white on black, with a number, visible on every ground."""
    draw = ImageDraw.Draw(image)
    shape = draw.ellipse if ring else draw.rectangle
    left, top, right, bottom = corners
    shape((left - 1, top - 1, right + 1, bottom + 1), outline="black")
    shape((left + 1, top + 1, right - 1, bottom - 1), outline="black")
    shape(corners, outline="white")
    letters = max(11, image.width // 14)
    font = ImageFont.load_default(size=letters)
    place = (left + (right - left) / 2, top + (bottom - top) / 2) if ring else (left + 3 + letters / 3, top + 2)
    if ring and right + letters < image.width:
        place, anchor = (right + 3, place[1]), "lm"
    else:
        anchor = "rm" if ring else "ma"
        place = (left - 3, place[1]) if ring else place
    draw.text(place, text, "white", font, anchor, stroke_width=2, stroke_fill="black")


def ringed(image: Image.Image, shape: tuple[int, ...], position: tuple[int, int], text: str = "") -> Image.Image:
    """A picture of what the network saw with a ring at a position of a layer of that shape."""
    radius = max(5, max(image.size) // 28)
    down, right = (position[0] + 0.5) / shape[0] * image.height, (position[1] + 0.5) / shape[1] * image.width
    mark(image, (right - radius, down - radius, right + radius, down + radius), text, ring=True)
    return image
