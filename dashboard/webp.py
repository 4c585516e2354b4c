"""Pictures as WebP, which the page fetches by their content addresses."""

import base64
import hashlib
import io
from dataclasses import dataclass, field

from PIL import Image


@dataclass(frozen=True)
class WebP:
    """A picture made for the page, which it fetches by its content address.

    Args:
        key: sha256 of the bytes.
        data: the image, WebP.
    """

    key: str
    data: bytes = field(repr=False)

    @property
    def address(self) -> str:
        """Where the page fetches it."""
        return f"evidence/{self.key}.webp"

    @property
    def uri(self) -> str:
        """The picture itself, for a file that needs no server."""
        return f"data:image/webp;base64,{base64.b64encode(self.data).decode()}"


def webp(image: Image.Image) -> WebP:
    """An image for the page, under the address of its content.

    >>> webp(Image.new("RGB", (8, 8))).address[:9]
    'evidence/'
    """
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "WEBP", quality=88)
    return kept(buffer.getvalue())


def kept(data: bytes) -> WebP:
    """An image that is WebP already, under the address of its content."""
    return WebP(hashlib.sha256(data).hexdigest(), data)


def wide(image: Image.Image, side: int) -> Image.Image:
    """An image enlarged or reduced so that its longer side has so many pixels.

    >>> wide(Image.new("RGB", (20, 10)), 100).size
    (100, 50)
    """
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.BICUBIC)
