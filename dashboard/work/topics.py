"""What the right pane needs to know of the chosen unit or edge, and the board that keeps what was found out.

1. A session's choice gives topics, in the order in which they are worked out: each has a key, made of what its answer
   depends on and of nothing else, so that people who look at the same thing share the work.
2. An answer is put on the board under its key, a failure too. Topics without an answer are asked for again by every
   poll; those of a unit that is no longer chosen are not, and so they are dropped.
3. The board forgets what was looked at longest ago.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, lru_cache, partial
from typing import Any

from circuits.tracing.circuit import Circuit
from dashboard.features.graph.picture_settings import manner_of
from dashboard.features.graph.view import edges_from
from dashboard.features.unit.evidence import Evidence
from dashboard.session.state import Session
from dashboard.work.findings import Shot
from dashboard.work.queue import Progress

_FIRST = frozenset({"heat", "books"})
# Shown as soon as they are there, whatever else is still waited for.
_BY_THEMSELVES = ("alike", "spot", "score", "controls", "card")
Found = Mapping[str, Any]
"""Findings by the name of their topic; `None` for what is still being worked out."""


@dataclass(frozen=True)
class Topic:
    """Something to find out.

    Args:
        name: `heat`, `books`, `standing`, `places`, `middle`, `argument`, `glimpse`, `relative`, `elsewhere`, `edge`
            or `alike`.
        key: what the answer is kept under.
        work: finds out; may call its argument, which raises to stop it.
    """

    name: str
    key: str
    work: Callable[[Progress], Any]


def topics(session: Session, evidence: Evidence) -> list[Topic]:
    """What is to be found out for a session, the first first; nothing for a circuit that is locked."""
    work, circuit = session.work, session.work.circuit
    if circuit is None or work.locked:
        return []
    found: list[Topic] = []
    if work.edge is not None:
        found = _of_edge(circuit, work.edge, session, evidence)
    elif work.selected in circuit.visible:
        found = _of_unit(circuit, work.selected, session, evidence)
    # A collection may take minutes.
    last = len(found) - (bool(found) and found[-1].name == "elsewhere")
    return [*found[:last], _alike(circuit, evidence), *found[last:]]


def upper_of(session: Session) -> str:
    """Id of the unit above that the chosen one is shown relative to: where it was reached from, else the strongest."""
    circuit, work = session.work.circuit, session.work
    if circuit is None:
        return ""
    above = [edge.target for edge in edges_from(circuit, work.selected)]
    return work.came_from if work.came_from in above else next(iter(above), "")


def _of_unit(circuit: Circuit, name: str, session: Session, evidence: Evidence) -> list[Topic]:
    subject, looking = f"{_photo(circuit)}/{circuit.nodes[name].unit}", session.looking
    method = f"{looking.method}/{looking.start}"
    found = [Topic("heat", f"{subject}/heat", lambda _: evidence.heat(circuit, name))]
    if not circuit.nodes[name].expanded and not evidence.explorer.why_not_expand(circuit, name, ""):
        choices = manner_of(session, name)
        manner = f"{circuit.settings['mode']}/{choices.top}/{circuit.root}/{circuit.nodes[name].value}"
        key = f"{subject}/books/{manner}/{_digest(' '.join(circuit.layers))}"
        found.append(Topic("books", key, lambda _: evidence.books(circuit, name, choices)))
    found.append(Topic("standing", f"{subject}/standing", lambda _: evidence.standing(circuit, name)))
    if not evidence.is_scalar(circuit, name):
        found.append(Topic("places", f"{subject}/places", lambda _: evidence.places(circuit, name)))
        picture = evidence.explorer.key(circuit, name)
        drawn = evidence.explorer.gallery.file(picture) is not None
        if drawn and not evidence.explorer.is_dead(circuit, name):
            found.append(Topic("middle", f"{subject}/middle/{picture}", lambda _: evidence.middle(circuit, name)))
        if name != circuit.root:
            key = f"{subject}/argument/{circuit.root}"
            found.append(Topic("argument", key, lambda _: evidence.argument(circuit, name)))
    found.append(Topic("glimpse", f"{subject}/glimpse/{method}", lambda _: evidence.glimpse(circuit, name, looking)))
    upper = upper_of(session)
    if upper:
        found.append(_relative(circuit, name, upper, session, evidence))
    stamp = evidence.collection.stamp()
    found.append(Topic("elsewhere", f"{subject}/elsewhere/{stamp}", partial(evidence.elsewhere, circuit, name)))
    return found


def _of_edge(circuit: Circuit, edge: tuple[str, str], session: Session, evidence: Evidence) -> list[Topic]:
    key = f"{_photo(circuit)}/{edge[0]}/edge/{edge[1]}"
    return [
        Topic("edge", key, lambda _: evidence.edge(circuit, *edge)),
        _relative(circuit, *edge, session, evidence),
    ]


def _alike(circuit: Circuit, evidence: Evidence) -> Topic:
    """Which units on the page are near-duplicates; the order of strength among them hangs on their edges."""
    shown = " ".join(sorted(f"{name}{'+' if circuit.nodes[name].expanded else ''}" for name in circuit.visible))
    key = f"{_photo(circuit)}/alike/{circuit.root}/{circuit.settings['mode']}/{_digest(shown)}"
    return Topic("alike", key, lambda _: evidence.alike(circuit))


def _relative(circuit: Circuit, lower: str, upper: str, session: Session, evidence: Evidence) -> Topic:
    looking = session.looking
    key = f"{_photo(circuit)}/{lower}/relative/{upper}/{looking.method}/{looking.start}"
    return Topic("relative", key, lambda _: evidence.relative(circuit, lower, upper, looking))


def _photo(circuit: Circuit) -> str:
    """What the answers depend on beside the unit: the photo as it is in the circuit, whatever its file says of it."""
    return _digest(circuit.photo_info.thumbnail)


@lru_cache(maxsize=64)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class Board:
    """What was found out, by topic; for many threads.

    Args:
        limit: findings kept; beyond it the one that was looked at longest ago is dropped, with its pictures.
    """

    def __init__(self, limit: int = 384) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, tuple[Any, dict[str, bytes]]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> Any:
        """A finding, or `None` if there is none yet."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: str, finding: Any) -> None:
        """Keep a finding."""
        pictures = {shot.key: shot.data for shot in shots(finding)}
        with self._lock:
            self._kept[key] = finding, pictures
            self._kept.move_to_end(key)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)

    def drop(self, key: str) -> None:
        """Forget a finding, so that it is looked for anew."""
        with self._lock:
            self._kept.pop(key, None)

    def picture(self, key: str) -> bytes | None:
        """A picture of a finding that is kept, by its content address."""
        with self._lock:
            return next((pictures[key] for _, pictures in self._kept.values() if key in pictures), None)

    def found(self, wanted: list[Topic]) -> dict[str, Any]:
        """The findings of some topics by name."""
        return {topic.name: self.get(topic.key) for topic in wanted}


def shots(finding: Any) -> Iterator[Shot]:
    """All pictures in a finding."""
    if isinstance(finding, Shot):
        yield finding
    elif is_dataclass(finding) and not isinstance(finding, type):
        for name in _fields(type(finding)):
            yield from shots(getattr(finding, name))
    elif isinstance(finding, tuple):
        for part in finding:
            yield from shots(part)
    elif isinstance(finding, Mapping):
        for part in finding.values():
            yield from shots(part)


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def token(subject: str, found: Found) -> str:
    """What tells one state of the findings from another: the page asks for them when it changes.

    There are three steps, so that the pane is not made anew for each finding: what is seen first, what is on this
    photo, and all of it.
    """
    waiting = [name for name, finding in found.items() if finding is None and name not in _BY_THEMSELVES]
    state = "all" if not waiting else "photo" if waiting == ["elsewhere"] else "some"
    if state == "some" and not _FIRST.intersection(waiting):
        state = "first"
    shown = [name for name in _BY_THEMSELVES if found.get(name) is not None]
    return " ".join((subject, state, *shown))
