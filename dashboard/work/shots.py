"""Images made ready for the page."""

import hashlib
import io

from PIL import Image

from dashboard.work.findings import Shot


def shot(image: Image.Image) -> Shot:
    """An image for the page, under the address of its content.

    >>> shot(Image.new("RGB", (8, 8))).address[:9]
    'evidence/'
    """
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "WEBP", quality=88)
    return kept(buffer.getvalue())


def kept(data: bytes) -> Shot:
    """An image that is WebP already, under the address of its content."""
    return Shot(hashlib.sha256(data).hexdigest(), data)


def wide(image: Image.Image, side: int) -> Image.Image:
    """An image enlarged or reduced so that its longer side has so many pixels.

    >>> wide(Image.new("RGB", (20, 10)), 100).size
    (100, 50)
    """
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.BICUBIC)
