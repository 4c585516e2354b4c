"""Pictures that circuit files carry, served by address, so that no callback has to bring them along."""

import base64
import binascii
import hashlib
import re
import threading
from collections import OrderedDict

LIMIT = 96 * 2**20
_URI = re.compile(r"data:image/(png|webp|jpeg);base64,")


class Carried:
    """Pictures from files, by content address; those that were asked for longest ago are dropped.

    Args:
        limit: bytes that are kept.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._size = 0
        self._addresses: dict[str, str] = {}
        self._kept: OrderedDict[str, tuple[str, bytes, str]] = OrderedDict()
        self._lock = threading.Lock()

    def address(self, uri: str) -> str:
        """Where the page fetches a picture; "" if its data are damaged.

        Args:
            uri: a data URI of a PNG, WebP or JPEG.
        """
        with self._lock:
            if uri not in self._addresses:
                self._put(uri)
            return self._addresses.get(uri, "")

    def get(self, key: str) -> tuple[str, bytes] | None:
        """Content type and bytes of a picture, or `None` if it is not here."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            kind, data, _ = self._kept[key]
            return kind, data

    def _put(self, uri: str) -> None:
        head = _URI.match(uri)
        if head is None:
            return
        try:
            data = base64.b64decode(uri[head.end() :], validate=True)
        except (binascii.Error, ValueError):
            return
        key = hashlib.sha256(uri.encode()).hexdigest()[:40]
        self._kept[key] = f"image/{head[1]}", data, uri
        self._addresses[uri] = f"carried/{key}"
        self._size += len(data)
        while self._size > self._limit and len(self._kept) > 1:
            _, (_, old, name) = self._kept.popitem(last=False)
            self._size -= len(old)
            del self._addresses[name]
