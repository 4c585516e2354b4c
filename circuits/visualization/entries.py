"""A picture as a file: a WebP image that carries what it shows, and a seal over both.

The record in the file's EXIF description is JSON: address, unit, activation, zoom, and `seal`, the sha256 of those and
of the pixels. A file that is cut short, altered, or put in another's place does not fit its seal or its address.
"""

import hashlib
import io
import json
import math

from PIL import Image

from circuits.units import Unit
from circuits.visualization.rendering import Picture

_DESCRIPTION = 0x010E


class DamagedError(Exception):
    """The bytes are not the picture that they are taken for."""


def pack(picture: Picture, key: str) -> bytes:
    """The file of a picture, lossless.

    >>> image = Image.new("RGB", (16, 16), "teal")
    >>> unpack(pack(Picture(Unit("conv1", 3), image, 2.5), "ab12"), "ab12").activation
    2.5
    """
    image = picture.image.convert("RGB")
    record: dict[str, object] = {
        "key": key,
        "unit": str(picture.unit),
        "activation": picture.activation,
        "zoom": picture.zoom,
    }
    record["seal"] = _seal(record, image)
    exif = Image.Exif()
    exif[_DESCRIPTION] = json.dumps(record)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=True, exif=exif)
    return buffer.getvalue()


def unpack(data: bytes, key: str) -> Picture:
    """The picture of a file.

    Raises:
        DamagedError: if the bytes are not the file that was packed under this key.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("WEBP",)) as opened:
            record = json.loads(opened.getexif()[_DESCRIPTION])
            image = opened.convert("RGB")
        seal = record.pop("seal")
        if record["key"] != key or seal != _seal(record, image) or not math.isfinite(record["activation"]):
            raise DamagedError(f"it is not the picture {key}")
        return Picture(Unit.parse(record["unit"]), image, float(record["activation"]), int(record["zoom"]))
    except DamagedError:
        raise
    except Exception as error:  # a damaged file makes decoders raise what they will
        raise DamagedError(str(error) or type(error).__name__) from error


def _seal(record: dict[str, object], image: Image.Image) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    digest.update(f"\n{image.width}x{image.height} RGB\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()
