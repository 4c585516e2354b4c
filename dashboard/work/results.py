"""Queries: what the page wants to be found out, and the results that are kept.

1. A session's choice gives queries, the first first. Each has a key, made of what its answer depends on and of nothing
   else, so that people who look at the same thing share the work.
2. An answer is kept under its key, a failure too. Queries without an answer are asked again by every poll; those of a
   unit that is no longer chosen are not, and so they are dropped.
3. What was looked at longest ago is forgotten.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, lru_cache
from typing import Any

from cachetools import LRUCache

from circuits.tracing.circuit import Circuit
from circuits.units import Progress
from dashboard.webp import WebP

_FIRST = frozenset({"heat", "books"})
# Shown as soon as they are there, whatever else is still waited for.
_BY_THEMSELVES = ("alike", "spot", "score", "controls", "card", "class_page", "unit_map")
IN_PHOTO = "in_photo"
"""Begin of the names of queries for what units did in the photo; the answers are on their tiles, not in a pane."""
SCORES = "scores"
"""Group of the queries that score a circuit."""
Answers = Mapping[str, Any]
"""Answers by the name of their query; `None` for what is still being worked out."""


@dataclass(frozen=True)
class Query:
    """Something to find out.

    Args:
        name: what the answer is called.
        key: what the answer is kept under.
        work: finds out; may call its argument, which raises to stop it.
        rank: queries of a lower rank are answered first.
        label: in words, for the status line.
        group: `SCORES` are worked out in a queue of their own, so that a person goes on looking meanwhile.
    """

    name: str
    key: str
    work: Callable[[Progress], Any]
    rank: int = 1
    label: str = ""
    group: str = ""


def method_key(circuit: Circuit) -> str:
    """What tells how the shares of a circuit were found: the mode, and the means that they are measured from."""
    return f"{circuit.settings.mode}/{circuit.graph.graph.get('means', {}).get('sha256', '')}"


def photo_key(circuit: Circuit) -> str:
    """What answers depend on beside the unit: the photo as it is in the circuit, whatever its file says of it."""
    return digest(circuit.photo_info.thumbnail)


@lru_cache(maxsize=64)
def digest(*facts: str) -> str:
    """A short name for facts."""
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


class ResultStore:
    """Answers by the keys of their queries; for many threads.

    Args:
        limit: answers kept; beyond it the one that was looked at longest ago is dropped, with its pictures.
    """

    def __init__(self, limit: int = 384) -> None:
        self._kept: LRUCache[str, tuple[Any, dict[str, bytes]]] = LRUCache(limit)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> Any:
        """An answer, or `None` if there is none yet."""
        with self._lock:
            return self._kept.get(key, (None,))[0]

    def put(self, key: str, answer: Any) -> None:
        """Keep an answer."""
        pictures = {webp.key: webp.data for webp in webps(answer)}
        with self._lock:
            self._kept[key] = answer, pictures

    def drop(self, key: str) -> None:
        """Forget an answer, so that it is looked for anew."""
        with self._lock:
            self._kept.pop(key, None)

    def picture(self, key: str) -> bytes | None:
        """A picture of an answer that is kept, by its content address."""
        with self._lock:
            return next((pictures[key] for _, pictures in self._kept.values() if key in pictures), None)

    def answers(self, wanted: Sequence[Query]) -> dict[str, Any]:
        """The answers to some queries by name."""
        return {query.name: self.get(query.key) for query in wanted}


def webps(answer: Any) -> Iterator[WebP]:
    """All pictures in an answer."""
    if isinstance(answer, WebP):
        yield answer
    elif is_dataclass(answer) and not isinstance(answer, type):
        for name in _fields(type(answer)):
            yield from webps(getattr(answer, name))
    elif isinstance(answer, tuple):
        for part in answer:
            yield from webps(part)
    elif isinstance(answer, Mapping):
        for part in answer.values():
            yield from webps(part)


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def token(subject: str, answers: Answers) -> str:
    """What tells one state of the answers from another: the page asks for them when it changes.

    There are three steps, so that the pane is not made anew for each answer: what is seen first, what is on this
    photo, and all of it.
    """
    answers = {name: answer for name, answer in answers.items() if not name.startswith(IN_PHOTO)}
    waiting = [name for name, answer in answers.items() if answer is None and name not in _BY_THEMSELVES]
    state = "all" if not waiting else "photo" if waiting == ["exemplars"] else "some"
    if state == "some" and not _FIRST.intersection(waiting):
        state = "first"
    shown = [name for name in _BY_THEMSELVES if answers.get(name) is not None]
    return " ".join((subject, state, *shown))
