"""Unfinished pictures: what is being drawn, as it is after a few steps. Kept in memory, never stored or exported."""

import io
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from PIL import Image

from circuits.groups.layer_direction import Subject

OnPreview = Callable[[Subject, Image.Image, int, int], None]
"""Called with a unit, its unfinished picture, the steps taken, and the steps at most."""

OnVariant = Callable[[str, Image.Image, int, int], None]
"""The same for a further picture of a unit, by its key."""


@dataclass(frozen=True)
class Preview:
    """A picture that is not finished.

    Args:
        address: for the page; another one each time, so that browsers fetch it anew.
        step: steps taken until it looked so.
        steps: steps at most.
        drawn: how far the drawing is by now, 0 to 1.
        data: the image, WebP.
    """

    address: str
    step: int
    steps: int
    drawn: float
    data: bytes = field(repr=False)


class Previews:
    """The newest preview of each unit that is being drawn, and sketches, by the key of the picture; for many threads.

    Args:
        limit: of each kind so many are kept; beyond it the oldest is dropped.

    >>> previews = Previews()
    >>> previews.put("ab12", Image.new("RGB", (16, 16), "teal"), 16, 256)
    >>> previews.get("ab12").address, previews.get("ab12").drawn
    ('preview/ab12-1.webp', 0.0625)
    >>> previews.drop(["ab12"])
    >>> previews.get("ab12") is None
    True
    """

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._kept: dict[str, Preview] = {}
        self._sketches: dict[str, Preview] = {}
        self._number = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, key: str, image: Image.Image, step: int, steps: int) -> None:
        """Show an image in place of the one before."""
        self._put(self._kept, key, image, step, steps)

    def keep_sketch(self, key: str, image: Image.Image, steps: int) -> None:
        """Keep a coarse picture until there is the finished one, whatever becomes of the drawing."""
        self._put(self._sketches, key, image, steps, steps)

    def _put(self, kept: dict[str, Preview], key: str, image: Image.Image, step: int, steps: int) -> None:
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "WEBP", quality=80)
        with self._lock:
            self._number += 1
            kept.pop(key, None)
            address = f"preview/{key}-{self._number}.webp"
            kept[key] = Preview(address, step, steps, step / steps, buffer.getvalue())
            while len(kept) > self._limit:
                kept.pop(next(iter(kept)))

    def advance(self, keys: Collection[str], drawn: float) -> None:
        """Note how far the drawing of some pictures is, 0 to 1."""
        with self._lock:
            for key in keys:
                if key in self._kept:
                    self._kept[key] = replace(self._kept[key], drawn=drawn)

    def get(self, key: str) -> Preview | None:
        """The newest preview, or `None` if the picture is not being drawn, or too early."""
        return self._kept.get(key)

    def sketch(self, key: str) -> Preview | None:
        """The coarse picture, or `None` if there is none yet."""
        return self._sketches.get(key)

    def drop(self, keys: Collection[str]) -> None:
        """Forget previews, because their pictures are finished or given up."""
        with self._lock:
            for key in keys:
                self._kept.pop(key, None)
