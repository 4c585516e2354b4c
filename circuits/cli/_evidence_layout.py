"""How the sheet of `circuits evidence` is laid out: sections of labelled pictures, below each other, of one width."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from circuits.visualization.contact_sheet import LINE, sheet


@dataclass(frozen=True)
class Cell:
    """A picture with its title and a word on it."""

    image: Image.Image
    title: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """Rows of cells under a heading, with small print below its title."""

    title: str
    note: str
    rows: tuple[tuple[Cell, ...], ...]


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


def framed(image: Image.Image, corners: tuple[float, float, float, float], text: str) -> None:
    """Draw a numbered frame, its number within its top left corner."""
    left, top, _, _ = corners
    _mark(image, corners, text, (left + 3 + _letters(image) / 3, top + 2), "ma")


def ringed(image: Image.Image, shape: tuple[int, ...], position: tuple[int, int], text: str = "") -> Image.Image:
    """A picture of what the network saw with a ring at a position of a layer of that shape, its number beside it."""
    radius = max(5, max(image.size) // 28)
    down, right = (position[0] + 0.5) / shape[0] * image.height, (position[1] + 0.5) / shape[1] * image.width
    corners = right - radius, down - radius, right + radius, down + radius
    fits = corners[2] + _letters(image) < image.width
    place, anchor = ((corners[2] + 3, down), "lm") if fits else ((corners[0] - 3, down), "rm")
    _mark(image, corners, text, place, anchor, ring=True)
    return image


def _letters(image: Image.Image) -> int:
    return max(11, image.width // 14)


def _mark(
    image: Image.Image,
    corners: tuple[float, float, float, float],
    text: str,
    place: tuple[float, float],
    anchor: str,
    *,
    ring: bool = False,
) -> None:
    """White between two lines of black, so that it is visible on every ground."""
    draw = ImageDraw.Draw(image)
    shape = draw.ellipse if ring else draw.rectangle
    left, top, right, bottom = corners
    shape((left - 1, top - 1, right + 1, bottom + 1), outline="black")
    shape((left + 1, top + 1, right - 1, bottom - 1), outline="black")
    shape(corners, outline="white")
    font = ImageFont.load_default(size=_letters(image))
    draw.text(place, text, "white", font, anchor, stroke_width=2, stroke_fill="black")
