"""Sheets of pictures: where everything lies, what is cut, and how a file says how it was made."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from circuits.errors import InputError
from circuits.visualization import metadata
from circuits.visualization.contact_sheet import ContactSheet, box, near_square, on_chequers, sheet


def plain(colour: str = "red", side: int = 64) -> Image.Image:
    return Image.new("RGB", (side, side), colour)


def dark(page: Image.Image, area: tuple[int, int, int, int]) -> int:
    """Pixels with ink in an area (left, top, right, bottom)."""
    return int((np.asarray(page.convert("L").crop(area)) < 200).sum())


def test_a_sheet_without_texts_is_pictures_and_gaps() -> None:
    page = sheet([plain("red"), plain("lime"), plain("blue")], columns=2)
    assert page.size == (8 + 2 * (64 + 8), 8 + 2 * (64 + 8))
    for left, top, colour in ((8, 8, (255, 0, 0)), (80, 8, (0, 255, 0)), (8, 80, (0, 0, 255))):
        cell = np.asarray(page.crop((left, top, left + 64, top + 64)))
        assert (cell == colour).all()
    assert (np.asarray(page.crop((80, 80, 152, 152))) == 255).all()
    assert (np.asarray(page.crop((72, 0, 80, 152))) == 255).all()


def test_each_line_of_text_adds_its_own_height_and_no_more() -> None:
    images = [plain()] * 4
    bare = sheet(images).size
    assert bare == (152, 152)
    titled, captioned = sheet(images, ["a"] * 4).size, sheet(images, captions=["1"] * 4).size
    assert titled == (152, 152 + 2 * (13 + 6))
    assert captioned == (152, 152 + 2 * (11 + 5))
    assert sheet(images, ["a"] * 4, captions=["1"] * 4).size == (152, 152 + 2 * (13 + 6 + 11 + 5))
    assert sheet(images, title="t").size == (152, 152 + 8 + 18 + 6)
    assert sheet(images, title="t", note="n").size == (152, 152 + 8 + 18 + 6 + 11 + 6)


def test_letters_and_gaps_grow_with_the_pictures() -> None:
    layout = ContactSheet([plain(side=240)] * 2, ["a", "b"]).layout
    assert (layout.gap, layout.font, layout.small) == (20, 20, 16)
    assert layout.size == (20 + 2 * 260, 20 + 240 + 26 + 20)


def test_titles_stand_below_their_pictures_and_captions_below_titles() -> None:
    page = sheet([plain(side=128)], ["conv1:3"], captions=["2.50"])
    layout = ContactSheet([plain(side=128)], ["conv1:3"], captions=["2.50"]).layout
    left, top = layout.place(0)
    title, caption = top + 128, top + 128 + layout.font + 6
    assert dark(page, (left, title, left + 128, caption)) > 40
    assert dark(page, (left, caption, left + 128, page.height)) > 15
    assert dark(page, (0, 0, page.width, top)) == 0


def test_a_small_picture_stands_in_the_middle_of_a_cell_wide_enough_for_its_name() -> None:
    layout = ContactSheet([plain(side=32)], ["inception4a:17"]).layout
    assert 32 < layout.cell <= 110
    assert layout.place(0)[0] == layout.gap + (layout.cell - 32) // 2


def test_a_title_that_is_too_long_is_cut_and_stays_in_its_cell() -> None:
    images = [plain("white", 128)] * 2
    page = sheet(images, ["great white shark, white shark, man-eater", ""])
    layout = ContactSheet(images, ["great white shark, white shark, man-eater", ""]).layout
    assert layout.cell == 128
    assert dark(page, (10, 138, 138, 170)) > 100
    assert dark(page, (139, 0, page.width, page.height)) == 0
    font = ImageFont.load_default(size=layout.font)
    whole = "great white shark, white shark, man-eater"
    fitting = [whole[:end] for end in range(len(whole)) if font.getlength(whole[:end] + "…") <= 128]
    assert len(fitting[-1]) > 12
    assert np.array_equal(np.asarray(page), np.asarray(sheet(images, [fitting[-1].rstrip() + "…", ""])))


def test_letters_that_the_font_does_not_know_are_written_in_those_that_it_knows() -> None:
    for given, shown in (("café", "cafe"), ("−2.5 × 3", "-2.5 x 3"), ("1–9", "1-9"), ("cut…", "cut…")):
        assert np.array_equal(np.asarray(sheet([plain()], [given])), np.asarray(sheet([plain()], [shown])))


def test_rows_have_titles_on_the_left() -> None:
    images = [plain()] * 4
    layout = ContactSheet(images, columns=2, row_titles=["conv1:3", "conv1:4"]).layout
    page = sheet(images, columns=2, row_titles=["conv1:3", "conv1:4"])
    assert page.size == (layout.left + 152, 152)
    assert layout.place(2) == (layout.left + 8, 80)
    for top in (8, 80):
        assert dark(page, (0, top, layout.left, top + 64)) > 40


def test_a_heading_that_is_too_long_is_broken_between_its_parts() -> None:
    images = [plain("white")] * 2
    one, two = (
        ContactSheet(images, title=title).layout.head for title in ("tiny · conv1", "squeezenet1_1 · features.7")
    )
    assert one == 8 + 18 + 6
    assert two == 8 + 2 * (13 + 6)  # in smaller letters, as they do not fit
    assert ContactSheet(images, note="256 steps · seed 0 · number: activation").layout.head == 8 + 2 * (11 + 6)
    page = sheet(images, title="squeezenet1_1 · features.7")
    assert dark(page, (8, 8, 144, 27)) > 40
    assert dark(page, (8, 27, 144, 46)) > 40
    assert dark(page, (145, 0, page.width, page.height)) == 0


def test_an_empty_cell_stays_white() -> None:
    page = sheet([plain(), None, plain()], captions=["a", "", "c"], columns=3)
    assert page.size == (8 + 3 * 72, 8 + 64 + 16 + 8)
    assert (np.asarray(page.crop((73, 0, 151, page.height))) == 255).all()


def test_a_grid_is_nearly_square_and_rather_wide() -> None:
    assert [near_square(count) for count in (1, 2, 3)] == [1, 2, 3]
    for count in range(4, 200):
        columns = near_square(count)
        rows = -(-count // columns)
        assert columns * rows >= count
        assert 0 <= columns - rows <= 1


def test_a_box_stands_for_a_picture_that_does_not_exist() -> None:
    image = box(128, "conv1:3", "never activated")
    pixels = np.asarray(image)
    assert (image.size, image.mode) == ((128, 128), "RGB")
    assert pixels[0, 0].tolist() == [214, 214, 214]
    assert pixels[4, 4].tolist() == [244, 244, 244]
    assert dark(image, (2, 44, 126, 64)) > 20
    assert dark(image, (2, 64, 126, 84)) > 20
    assert dark(image, (2, 2, 126, 40)) == 0


def test_what_is_transparent_shows_a_chequered_ground() -> None:
    image = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 16, 16))
    shown = on_chequers(image)
    assert shown.mode == "RGB"
    assert shown.getpixel((4, 4)) == (255, 0, 0)
    assert {shown.getpixel((x, 20)) for x in range(32)} == {(255, 255, 255), (226, 226, 226)}
    assert sheet([image]).getpixel((8 + 4, 8 + 4)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        (([],), {}, "A sheet without pictures cannot be made"),
        (([None],), {}, "A sheet without pictures cannot be made"),
        (([plain(), plain(side=32)],), {}, r"Pictures of \(32, 32\) and \(64, 64\) pixels do not make a grid"),
        (([plain()], ["a", "b"]), {}, "given 2 titles; it needs 1"),
        (([plain()] * 2,), {"captions": ["a"]}, "given 1 captions; it needs 2"),
        (([plain()] * 3,), {"columns": 2, "row_titles": ["a"]}, "given 1 row titles; it needs 2"),
        (([plain()],), {"columns": 0}, "has no 0 columns"),
        (([plain(side=1024)] * 200,), {}, "200 pictures would have 15744×14696 pixels; draw fewer"),
    ],
)
def test_what_makes_no_sheet_is_refused(arguments: tuple[object, ...], options: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        sheet(*arguments, **options)


RECORD = {"network": {"name": "tiny"}, "units": ["conv1:3"], "label": "Müller’s cat", "values": [[1.5], [None]]}


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_a_picture_says_how_it_was_made(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"unit.{ending}"
    path.write_bytes(metadata.pack(plain(), metadata.format_of(path), RECORD))
    assert metadata.read(path) == RECORD
    with Image.open(path) as opened:
        assert opened.size == (64, 64)
        if ending == "png":
            assert json.loads(opened.text["circuits"]) == RECORD
            assert np.array_equal(np.asarray(opened), np.asarray(plain()))


def test_transparency_is_kept_where_the_format_has_it() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    for format, pixel in (("PNG", (255, 0, 0, 0)), ("JPEG", (255, 255, 255))):
        with Image.open(io.BytesIO(metadata.pack(clear, format, {}))) as opened:
            assert opened.getpixel((0, 0)) == pixel
    with Image.open(io.BytesIO(metadata.pack(clear, "WEBP", {}))) as opened:
        assert opened.convert("RGBA").getpixel((0, 0))[3] == 0


def test_a_picture_that_says_nothing_is_told_from_one_that_does(tmp_path: Path) -> None:
    for name, exif in (("bare.png", None), ("bare.jpg", None), ("other.jpg", "my holiday"), ("list.webp", "[1]")):
        described = Image.Exif()
        if exif:
            described[0x010E] = exif
        plain().save(tmp_path / name, exif=described)
        with pytest.raises(InputError, match="does not say how it was made"):
            metadata.read(tmp_path / name)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("conv1:3")
    with pytest.raises(InputError, match=r"is no picture; give a file that ends in \.png"):
        metadata.read(tmp_path / "note.png")
    with pytest.raises(InputError, match="cannot be read"):
        metadata.read(tmp_path)
    with pytest.raises(InputError, match=r"name it \.png, \.webp or \.jpg"):
        metadata.format_of("units.gif")


def test_what_does_not_fit_into_a_format_is_refused() -> None:
    with pytest.raises(InputError, match=r"do not fit into JPEG; write a \.png"):
        metadata.pack(plain(), "JPEG", {"units": ["conv1:3"] * 10_000})
    with pytest.raises(InputError, match=r"20000×8 pixels does not fit into WEBP; name the file \.png"):
        metadata.pack(Image.new("L", (20_000, 8)), "WEBP", {})
    with pytest.raises(ValueError, match="not JSON compliant"):
        metadata.pack(plain(), "PNG", {"value": float("nan")})
