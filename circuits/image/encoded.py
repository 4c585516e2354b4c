"""Images that are kept as the bytes of their files, which is a tenth of what their pixels take."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from cachetools import LRUCache
from PIL import Image

from circuits.image.decode import decode

_CROPS = 4
_AT_HAND = 24_000_000
"""Pixels of the images that were looked at last and stay decoded, over all photos."""


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """An image as a file's bytes: decoded again whenever it is looked at, while what was cut out of it is kept.

    Args:
        data: of the file, which has been decoded once.
        name: what errors call it.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (4, 2), "red").save(file, "PNG")
        >>> EncodedImage(file.getvalue(), "red.png").decoded().size
        (4, 2)
    """

    data: bytes = field(repr=False)
    name: str
    _crops: "LRUCache[Hashable, Image.Image]" = field(default_factory=lambda: LRUCache(_CROPS), repr=False)

    def decoded(self) -> Image.Image:
        """All of it, upright and RGB; nobody may change it."""
        with _lock:
            image = _decoded.get(self)
        if image is None:
            image = decode(self.data, self.name)
            with _lock:
                if image.width * image.height <= _AT_HAND:
                    _decoded[self] = image
        return image

    def cut(self, key: Hashable, make: Callable[[], Image.Image]) -> Image.Image:
        """What is made of it under a key; the last few are kept."""
        with _lock:
            image = self._crops.get(key)
        if image is None:
            image = make()
            with _lock:
                self._crops[key] = image
        return image.copy()


_lock = threading.Lock()
_decoded: "LRUCache[EncodedImage, Image.Image]" = LRUCache(_AT_HAND, getsizeof=lambda image: image.width * image.height)
