"""Photos: of every format, damaged in every way, and what is no photo."""

import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.corpus import NET, Case

_FORMATS = {
    "png": {},
    "jpg": {"quality": 90},
    "webp": {"lossless": True},
    "bmp": {},
    "gif": {},
    "tif": {},
    "ppm": {},
}
_NAMES = {"jpg": "JPEG", "tif": "TIFF"}


def photos() -> Iterator[Case]:
    """Each format whole, cut short and overwritten; pictures of odd modes and sizes; names of every kind."""
    for ending, options in _FORMATS.items():
        data = _encoded(_NAMES.get(ending, ending.upper()), **options)
        yield _photo(f"whole {ending}", f"a.{ending}", data, exit=0)
        yield _photo(f"{ending} called otherwise", "a.xyz", data, exit=0)
        for tenths in (1, 4, 7, 9):
            cut = data[: len(data) * tenths // 10]
            yield _photo(f"{ending} cut at {tenths}0 %", f"a.{ending}", cut, exit=2)
            middle = len(data) * tenths // 10
            yield _photo(f"{ending} zeroed at {tenths}0 %", f"a.{ending}", _zeroed(data, middle))
    yield _photo(
        "jpg with a zeroed scan", "a.jpg", _zeroed(_encoded("JPEG"), 900, 400), exit=0, says="^Warning: a.jpg is dam"
    )
    yield _photo("progressive jpg", "a.jpg", _encoded("JPEG", progressive=True), exit=0, says="^$")
    yield _photo("a phone's jpg", "a.jpg", _encoded("JPEG", mode="RGB", exif=_exif()), exit=0, says="^$")
    for mode in ("1", "L", "P", "RGBA", "LA", "I;16", "CMYK"):
        kind = "TIFF" if mode == "CMYK" else "PNG"
        yield _photo(f"mode {mode}", "a.img", _encoded(kind, mode=mode), exit=0)
    for width, height in ((0, 4), (1, 1), (1, 200), (3, 20_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)):
        yield _photo(f"a png that claims {width}×{height}", "a.png", _claims(width, height), exit=2)
    for name, data in (
        ("nothing", b""),
        ("text", b"Dear diary"),
        ("zeros", bytes(5000)),
        ("html", b"<html>404</html>"),
        ("svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
        ("pdf", b"%PDF-1.7\n"),
        ("eps", b"%!PS-Adobe-3.0 EPSF-3.0\n"),
        ("heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("zip", b"PK\3\4" + bytes(60)),
        ("a start alone", b"\x89PNG\r\n\x1a\n"),
        ("jpeg's first bytes", b"\xff\xd8\xff\xe0"),
        ("a gif's head", b"GIF89a\xff\xff\xff\xff\0\0\0"),
    ):
        yield _photo(f"no photo but {name}", "a.jpg", data, exit=2)
    yield Case("a photo that is missing", ("predict", "nowhere.png", *NET), exit=2, says="There is no file nowhere.png")
    yield Case("a folder for a photo", ("predict", ".", *NET), exit=2, says="is a folder")
    yield Case("a photo without a name", ("predict", "", *NET), exit=2)
    yield Case("an example that is none", ("predict", "example:horse", *NET), exit=2, says="no example photo")
    if hasattr(os, "mkfifo"):
        fifo = {"a.png": lambda path: os.mkfifo(path)}
        yield Case("a pipe for a photo", ("predict", "a.png", *NET), fifo, exit=2, says="not a regular file")
        yield Case("an endless photo", ("predict", "/dev/zero", *NET), exit=2, says="not a regular file")
    for name in (
        os.fsdecode(b"caf\xe9.png"),
        "a\x1b]0;owned\x07.png",
        "a\nb.png",
        "\u202egnp.exe",
        "猫 é.png",
        "-.png",
        "a" * 250,
    ):
        arguments = ("trace", *NET, "--depth", "1", "-o", "o.json", "--graphml", "o.graphml", "--html", "o.html")
        more = ("--no-pictures", "--", name)
        yield Case(f"a photo called {ascii(name)[:30]}", (*arguments, *more), {name: _encoded("PNG")}, exit=0)
    yield Case("a name that no file can have", ("predict", "a" * 5000, *NET), exit=2)
    for window in (
        "0,0,8",
        "0,0,8,8,8",
        "8,8,0,0",
        "0,0,99,99",
        "nan,0,8,8",
        "0,0,inf,8",
        "a,b,c,d",
        "",
        "0,0," + "9" * 400 + ",8",
    ):
        yield Case(f"window {window[:20]}", ("predict", "photo.png", *NET, "--window", window), exit=2)


def large_photos() -> Iterator[Case]:
    """Photos of nearly as many pixels as are read, whose files are small."""
    side = 7_700
    for name, file, options in (
        ("png", "a.png", {}),
        ("jpg", "a.jpg", {}),
        ("progressive jpg", "a.jpg", {"progressive": True}),
        ("gif", "a.gif", {}),
    ):

        def write(path: Path, options: dict[str, object] = options) -> None:
            Image.new("RGB", (side, side), "orange").save(path, **options)

        yield Case(f"{name} of 59 megapixels", ("predict", file, *NET, "--json"), {file: write}, exit=0, slow=True)
    for mode in ("I;16", "RGBA", "1"):

        def write_mode(path: Path, mode: str = mode) -> None:
            Image.new(mode, (side, side)).save(path)

        yield Case(
            f"mode {mode} of 59 megapixels", ("predict", "a.png", *NET), {"a.png": write_mode}, exit=0, slow=True
        )


def _photo(name: str, file: str, data: bytes, exit: int | None = None, says: str = "") -> Case:
    return Case(name, ("predict", file, *NET, "--json"), {file: data}, exit=exit, says=says)


def _encoded(format: str, *, mode: str = "RGB", **options: object) -> bytes:
    pixels = np.random.default_rng(3).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((96, 80))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    elif mode != "RGB":
        image = image.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _zeroed(data: bytes, start: int, count: int | None = None) -> bytes:
    count = len(data) // 10 if count is None else count
    return data[:start] + bytes(min(count, len(data) - start)) + data[start + count :]


def _claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
