"""Pictures out: pack one into a data URI, and unpack it."""

import base64
import binascii
import io

from PIL import Image

from circuits.decoding import decode
from circuits.errors import InputError


def to_data_uri(image: Image.Image, *, format: str = "webp", lossless: bool = False, quality: int = 82) -> str:
    """A picture as text that a page or a JSON file can hold.

    Args:
        image: the picture.
        format: "webp", "png" or "jpeg".
        lossless: keep every pixel (WebP; PNG always does).
        quality: 0 to 100, where not lossless.

    >>> from_data_uri(to_data_uri(Image.new("RGB", (2, 3), "red"), lossless=True)).getpixel((1, 2))
    (255, 0, 0)
    """
    buffer = io.BytesIO()
    if format == "webp":
        image.save(buffer, "WEBP", lossless=lossless, quality=quality, method=4, exact=lossless)
    elif format == "png":
        image.save(buffer, "PNG", optimize=True)
    elif format == "jpeg":
        image.convert("RGB").save(buffer, "JPEG", quality=quality, optimize=True)
    else:
        raise InputError(f"Pictures are packed as webp, png or jpeg, not as {format!r}.")
    return f"data:image/{format};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def from_data_uri(text: str) -> Image.Image:
    """The picture that `to_data_uri` packed, mode RGB.

    Raises:
        InputError: if the text is no data URI of an image, or the image is damaged or too large.
    """
    head, comma, body = text.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise InputError(f"A picture must be a data:image/…;base64 address; this one starts {text[:30]!r}.")
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("A picture in the file is damaged: its base64 text cannot be decoded.") from None
    return decode(data, "The picture in the file")
