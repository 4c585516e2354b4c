"""Settings inside a picture's file: JSON in the text chunk `circuits` of a PNG, else in the EXIF description."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from circuits.errors import InputError, listed

KEY = "circuits"
FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}
LARGEST_SIDE = {"PNG": 1 << 20, "WEBP": 16_383, "JPEG": 65_500}
"""Pixels along a side that each format can hold."""

DESCRIPTION = 0x010E
_LARGEST_EXIF = 65_000


def format_of(path: str | Path) -> str:
    """The format of pictures that a file's ending names.

    >>> format_of("units.png")
    'PNG'
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise InputError(f"{path} has no ending of a picture; name it .png, .webp or .jpg.")
    return FORMATS[ending]


def pack(image: Image.Image, format: str, record: Mapping[str, Any]) -> bytes:
    """The file of a picture that carries a record.

    Args:
        image: the picture; JPEG has no transparency, which is put on white.
        format: "PNG", "WEBP" or "JPEG".
        record: what JSON can hold.

    Raises:
        InputError: if the record or the picture is too large for the format.

    >>> with Image.open(io.BytesIO(pack(Image.new("RGB", (2, 2)), "PNG", {"seed": 3}))) as opened:
    ...     unpack(opened)
    {'seed': 3}
    """
    text = json.dumps({KEY: record} if format != "PNG" else record, allow_nan=False)
    if max(image.size) > LARGEST_SIDE[format]:
        raise InputError(
            f"A picture of {image.width}×{image.height} pixels does not fit into {format}; name the file .png."
        )
    buffer = io.BytesIO()
    if format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text(KEY, text)
        image.save(buffer, format, pnginfo=chunks)
        return buffer.getvalue()
    if len(text) > _LARGEST_EXIF:
        raise InputError(f"The settings of the pictures, {len(text)} bytes, do not fit into {format}; write a .png.")
    exif = Image.Exif()
    exif[DESCRIPTION] = text
    if format == "JPEG" and "A" in image.mode:
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    image.convert("RGB" if format == "JPEG" else image.mode).save(buffer, format, quality=92, exif=exif)
    return buffer.getvalue()


def unpack(image: Image.Image) -> dict[str, Any] | None:
    """The record that a picture carries, as `PIL.Image.open` gives it, or `None`."""
    text = image.info.get(KEY) if image.format == "PNG" else image.getexif().get(DESCRIPTION)
    try:
        record = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if isinstance(record, dict) and image.format != "PNG":
        record = record.get(KEY)
    return record if isinstance(record, dict) else None


def read(path: str | Path) -> dict[str, Any]:
    """How a picture was made, as its file says.

    Args:
        path: a file that `circuits render` wrote.

    Returns:
        network, units, objective, settings, versions, and values: for each unit the activation that each of its
        pictures reaches, or the value of another objective.

    Raises:
        InputError: if the file cannot be read, is no picture, or carries no such record.

    >>> read("missing.png")
    Traceback (most recent call last):
    circuits.errors.InputError: There is no file missing.png; check the path.
    """
    try:
        with Image.open(path, formats=sorted(set(FORMATS.values()))) as opened:
            record = unpack(opened)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}; check the path.") from None
    except UnidentifiedImageError:
        raise InputError(f"{path} is no picture; give a file that ends in {listed(FORMATS)}.") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path} cannot be read ({error}).") from None
    if record is None:
        raise InputError(f"{path} does not say how it was made; circuits render writes files that do.")
    return record
