"""Values that are worked out once for a key, by whichever thread asks first."""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from cachetools import LRUCache

Made = TypeVar("Made")


class Once:
    """Keeps the last values that were made, each for its key; two threads that ask at once may both make one.

    Args:
        most: how many are kept.

    Example:
        >>> once = Once(2)
        >>> once("sum", lambda: 1 + 1), once("sum", lambda: 5)
        (2, 2)
    """

    def __init__(self, most: int) -> None:
        self._kept: LRUCache[Hashable, Any] = LRUCache(most)
        self._lock = threading.Lock()

    def __call__(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """The value for a key, which is made outside the lock if there is none."""
        with self._lock:
            if key in self._kept:
                found: Made = self._kept[key]
                return found
        made = make()
        with self._lock:
            self._kept[key] = made
        return made
