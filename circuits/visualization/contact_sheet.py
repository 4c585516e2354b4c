"""Contact sheets: many pictures on one page, each with its name.

The font comes with Pillow, so that a sheet looks the same everywhere; it knows no accents, which are left out.
"""

import functools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from circuits.errors import InputError

INK, GREY, PALE, LINE = (26, 26, 26), (107, 107, 107), (244, 244, 244), (214, 214, 214)
LARGEST_PAGE = 150_000_000
"""Pixels of the largest sheet that is made."""

# Beyond the picture's own width, so that names stay readable below small pictures.
_WIDEST_TITLE = 110
_WIDEST_ROW_TITLE = 180
_BETWEEN = 6
_PART = " · "
_SAME = str.maketrans({"−": "-", "–": "-", "—": "-", "×": "x", "→": "-", "’": "'"})


@dataclass(frozen=True)
class Layout:
    """Where everything on a sheet lies, in pixels.

    Args:
        columns: pictures in a row.
        rows: how many.
        picture: width and height of one picture.
        cell: width of a cell, at least the picture's.
        titled: whether cells have a line for a title.
        captioned: whether cells have a line for a caption.
        head: height of what is above the first row.
        left: width of the titles of the rows.
    """

    columns: int
    rows: int
    picture: tuple[int, int]
    cell: int
    titled: bool = False
    captioned: bool = False
    head: int = 0
    left: int = 0

    @property
    def font(self) -> int:
        """Size of the titles' letters."""
        return max(13, min(28, self.picture[0] // 12))

    @property
    def small(self) -> int:
        """Size of the captions' letters."""
        return max(11, round(self.font * 0.82))

    @property
    def gap(self) -> int:
        """Between two cells, and around all of them."""
        return max(8, min(24, self.picture[0] // 12))

    @property
    def lines(self) -> int:
        """Height of the text below a picture."""
        return self.titled * (self.font + 6) + self.captioned * (self.small + 5)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet."""
        width = self.left + self.gap + self.columns * (self.cell + self.gap)
        height = self.head + self.gap + self.rows * (self.picture[1] + self.lines + self.gap)
        return width, height

    def place(self, number: int) -> tuple[int, int]:
        """Left and top of a cell's picture."""
        row, column = divmod(number, self.columns)
        left = self.left + self.gap + column * (self.cell + self.gap) + (self.cell - self.picture[0]) // 2
        return left, self.head + self.gap + row * (self.picture[1] + self.lines + self.gap)


@dataclass(frozen=True)
class ContactSheet:
    """Pictures of one size in a grid on white, row by row.

    Args:
        images: the pictures; `None` leaves a cell empty. What is transparent is shown on a chequered ground.
        titles: one a picture, below it; cut with … where it is too long.
        columns: pictures in a row; by default a near-square grid.
        title: above all.
        note: small print below the title; both are broken into lines at " · ".
        captions: one a picture, small and grey, below its title.
        row_titles: one a row, on the left.

    Raises:
        InputError: if there are no pictures, they differ in size, the numbers of texts do not fit, or the sheet would
            be too large.

    >>> ContactSheet([Image.new("RGB", (64, 64))] * 3, ["a", "b", "c"]).layout.size
    (224, 99)
    """

    images: Sequence[Image.Image | None]
    titles: Sequence[str] = ()
    columns: int | None = None
    title: str = ""
    note: str = ""
    captions: Sequence[str] = ()
    row_titles: Sequence[str] = ()

    @functools.cached_property
    def layout(self) -> Layout:
        """Where everything lies; only the sizes of the pictures matter."""
        sizes = sorted({image.size for image in self.images if image is not None})
        if not sizes:
            raise InputError("A sheet without pictures cannot be made; give at least one.")
        if len(sizes) > 1:
            raise InputError(f"Pictures of {sizes[0]} and {sizes[1]} pixels do not make a grid; give them one size.")
        if self.columns is not None and self.columns < 1:
            raise InputError(f"A sheet has no {self.columns} columns; give 1 or more.")
        count = len(self.images)
        columns = self.columns or near_square(count)
        rows = -(-count // columns)
        for what, texts, wanted in (
            ("titles", self.titles, count),
            ("captions", self.captions, count),
            ("row titles", self.row_titles, rows),
        ):
            if texts and len(texts) != wanted:
                raise InputError(f"A sheet was given {len(texts)} {what}; it needs {wanted}, one each.")
        plain = Layout(columns, rows, sizes[0], sizes[0][0], any(self.titles), any(self.captions))
        widest = max((_width(text, plain.font) for text in self.titles), default=0)
        left = min(_WIDEST_ROW_TITLE, max((_width(text, plain.font) for text in self.row_titles), default=0))
        cell = max(sizes[0][0], min(widest, _WIDEST_TITLE))
        layout = replace(plain, cell=cell, left=left + plain.gap if left else 0)
        if lines := self._heading(layout):
            layout = replace(layout, head=layout.gap + sum(letters + _BETWEEN for _, letters, _ in lines))
        if layout.size[0] * layout.size[1] > LARGEST_PAGE:
            raise InputError(
                f"A sheet of {count} pictures would have {layout.size[0]}×{layout.size[1]} pixels; "
                "draw fewer, or smaller ones."
            )
        return layout

    def draw(self) -> Image.Image:
        """The sheet, mode RGB."""
        layout = self.layout
        page = Image.new("RGB", layout.size, "white")
        draw = ImageDraw.Draw(page)
        top = layout.gap
        for text, letters, colour in self._heading(layout):
            draw.text((layout.gap, top), text, colour, _font(letters), "la")
            top += letters + _BETWEEN
        for row, text in enumerate(self.row_titles):
            middle = layout.place(row * layout.columns)[1] + layout.picture[1] / 2
            text = _cut(text, layout.font, layout.left - layout.gap)
            draw.text((layout.left, middle), text, INK, _font(layout.font), "rm")
        for number, image in enumerate(self.images):
            if image is None:
                continue
            left, top = layout.place(number)
            page.paste(on_chequers(image), (left, top))
            middle, below = left + layout.picture[0] / 2, top + layout.picture[1] + 4
            for shown, texts, letters, colour in (
                (layout.titled, self.titles, layout.font, INK),
                (layout.captioned, self.captions, layout.small, GREY),
            ):
                if shown:
                    draw.text((middle, below), _cut(texts[number], letters, layout.cell), colour, _font(letters), "ma")
                    below += letters + 5
        return page

    def _heading(self, layout: Layout) -> list[tuple[str, int, tuple[int, int, int]]]:
        """Lines above the first row, with the size and colour of their letters; broken between parts where too long."""
        room, large = layout.size[0] - 2 * layout.gap, round(layout.font * 1.35)
        if self.title and _width(self.title, large) > room:
            large = layout.font
        heading = []
        for text, letters, colour in ((self.title, large, INK), (self.note, layout.small, GREY)):
            lines: list[str] = []
            for part in text.split(_PART) if text else []:
                longer = f"{lines[-1]}{_PART}{part}" if lines else part
                if lines and _width(longer, letters) <= room:
                    lines[-1] = longer
                else:
                    lines.append(part)
            heading += [(_cut(line, letters, room), letters, colour) for line in lines]
        return heading


def sheet(images: Sequence[Image.Image | None], titles: Sequence[str] = (), **page: Any) -> Image.Image:
    """A `ContactSheet`, drawn.

    >>> sheet([Image.new("RGB", (64, 64))] * 3, columns=2).size
    (152, 152)
    """
    return ContactSheet(images, titles, **page).draw()


def box(size: int, *lines: str, letters: int | None = None) -> Image.Image:
    """A square in place of a picture that does not exist, with lines that say why, in letters of a size.

    >>> box(64, "conv1:3", "never lit up").size
    (64, 64)
    """
    image = Image.new("RGB", (size, size), PALE)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size - 1, size - 1), outline=LINE)
    letters = letters or max(9, min(26, size // 10))
    height = letters + 5
    for number, text in enumerate(lines):
        middle = size / 2 + (number - (len(lines) - 1) / 2) * height
        draw.text((size / 2, middle), _cut(text, letters, size - 6), GREY, _font(letters), "mm")
    return image


def near_square(count: int) -> int:
    """Columns of a grid that is about as wide as high, and rather wider; up to three are a row.

    >>> [near_square(count) for count in (1, 2, 3, 4, 5, 8, 40)]
    [1, 2, 3, 2, 3, 3, 7]
    """
    return count if count <= 3 else math.isqrt(count - 1) + 1


def on_chequers(image: Image.Image) -> Image.Image:
    """A picture in RGB; what is transparent in it shows a chequered ground.

    >>> on_chequers(Image.new("RGBA", (16, 16))).getpixel((0, 0))
    (255, 255, 255)
    """
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB")
    square = 8
    ground = Image.new("RGBA", image.size, "white")
    draw = ImageDraw.Draw(ground)
    for top in range(0, image.height, square):
        for left in range((top // square % 2 == 0) * square, image.width, 2 * square):
            draw.rectangle((left, top, left + square - 1, top + square - 1), fill=(226, 226, 226))
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _cut(text: str, letters: int, room: int) -> str:
    """As much of a text as there is room for, with … where something is left out."""
    text = _drawable(text)
    if _width(text, letters) <= room:
        return text
    while text and _width(text + "…", letters) > room:
        text = text[:-1].rstrip()
    return text + "…" if text else ""


def _drawable(text: str) -> str:
    """A text in the letters of the font: without accents."""
    apart = unicodedata.normalize("NFKD", text.translate(_SAME).replace("…", "\0"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).replace("\0", "…")


def _width(text: str, letters: int) -> int:
    return math.ceil(_font(letters).getlength(_drawable(text)))


@functools.lru_cache(maxsize=16)
def _font(letters: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=letters)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
