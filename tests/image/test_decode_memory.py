"""What a large picture costs while it is decoded: a few bytes a pixel, whatever the format, in a process of its own."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from circuits.errors import InputError
from circuits.image.photo import load_photo
from tests.support import limits

on_linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell the peak")

SIDE = 7700  # 59 megapixels
CEILING = 720  # MiB beyond what the process had before

_MEASURE = """
import re, sys
from pathlib import Path
from circuits.image.photo import load_photo
# Not `ru_maxrss`, which a process takes over from the one that started it.
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024
data = open(sys.argv[1], "rb").read()
load_photo(open(sys.argv[2], "rb").read())
before = peak()
photo = load_photo(data)
print(peak() - before, photo.image.getpixel((1, 1)))
"""


def cost(data: bytes, folder: Path) -> tuple[int, str]:
    """MiB that a photo takes at most while it is loaded, and a pixel of it."""
    small = io.BytesIO()
    Image.new("RGB", (9, 9)).save(small, "PNG")
    (folder / "large").write_bytes(data)
    (folder / "small").write_bytes(small.getvalue())
    said = limits.python("-c", _MEASURE, folder / "large", folder / "small").stdout
    mebibytes, _, pixel = said.strip().partition(" ")
    return int(mebibytes), pixel


def png(bits: int, colour: int, pixel: bytes, side: int = SIDE) -> bytes:
    """A PNG of one colour, made without its pixels ever being in memory."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packed, row = zlib.compressobj(1), b"\0" + pixel * side
    rows = b"".join(packed.compress(row) for _ in range(side)) + packed.flush()
    head = struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def webp(width: int, height: int) -> bytes:
    """A WebP of one colour in a few bytes, whose head claims any size."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 100, 50)).save(file, "WEBP", lossless=True)
    data = bytearray(file.getvalue())
    at = data.index(b"VP8L") + 9
    (bits,) = struct.unpack_from("<I", data, at)
    struct.pack_into("<I", data, at, (bits & ~(2**28 - 1)) | (width - 1) | (height - 1) << 14)
    return bytes(data)


def saved(kind: str, mode: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (SIDE, SIDE)).save(file, kind, **options)
    return file.getvalue()


def floats() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((SIDE, SIDE), np.float32)).save(file, "TIFF", compression="tiff_deflate")
    return file.getvalue()


@on_linux
@pytest.mark.parametrize(
    ("make", "pixel"),
    [
        (lambda: png(16, 0, b"\x80\x80"), "(128, 128, 128)"),
        (lambda: webp(6300, 6300), "(200, 100, 50)"),
    ],
    ids=["grey of 16 bits", "webp"],
)
def test_a_picture_of_many_pixels_in_few_bytes_costs_no_more_than_is_promised(
    make: Callable[[], bytes], pixel: str, tmp_path: Path
) -> None:
    taken, seen = cost(make(), tmp_path)
    assert seen == pixel
    assert 100 < taken < CEILING


@on_linux
@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: png(8, 6, b"\xff\x00\x00\x80"),
        lambda: saved("JPEG", "RGB"),
        lambda: saved("JPEG", "RGB", progressive=True, subsampling=0),
        lambda: saved("JPEG", "CMYK", progressive=True, subsampling=0),
        lambda: saved("PNG", "LA"),
        lambda: saved("PNG", "P", transparency=0),
        lambda: saved("GIF", "P"),
        lambda: saved("BMP", "L"),
        lambda: saved("PPM", "L"),
        lambda: saved("TIFF", "RGBA", compression="tiff_deflate", tiffinfo={278: SIDE}),
        lambda: saved("TIFF", "1", compression="group4"),
        floats,
    ],
)
def test_pictures_of_every_other_kind_cost_no_more(make: Callable[[], bytes], tmp_path: Path) -> None:
    assert 100 < cost(make(), tmp_path)[0] < CEILING


def test_formats_whose_decoders_hold_several_copies_have_a_lower_limit() -> None:
    with pytest.raises(InputError, match=r"has 7700×7700 pixels, over the limit of 40 megapixels for files of"):
        load_photo(webp(SIDE, SIDE), name="flat.webp")


def test_strips_change_no_pixel() -> None:
    """Every mode, higher than a strip, against the whole image converted at once."""
    noise = np.random.default_rng(0).integers(0, 256, (2100, 1000, 4), dtype=np.uint8)
    image = Image.fromarray(noise)
    white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    assert load_photo(image).image.tobytes() == white.tobytes()
    deep = noise[..., 0].astype(np.uint16) * 257
    assert (np.asarray(load_photo(Image.fromarray(deep)).image)[..., 1] == noise[..., 0]).all()
    turned = image.convert("RGB")
    turned.getexif()[0x0112] = 6
    file = io.BytesIO()
    turned.save(file, "PNG", exif=turned.getexif())
    assert load_photo(file.getvalue()).image.tobytes() == image.convert("RGB").transpose(Image.ROTATE_270).tobytes()


def test_an_image_of_somebodys_own_is_copied() -> None:
    own = Image.new("RGB", (8, 8), "red")
    photo = load_photo(own)
    own.paste("blue", (0, 0, 8, 8))
    assert photo.image.getpixel((0, 0)) == (255, 0, 0)
