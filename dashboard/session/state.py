"""What one person has done so far (a value), and the desks that hold it, one a browser tab.

A `Session` is never changed, only replaced. A `Desk` holds the newest one under its lock, together with a
revision that counts the replacements, so that the page can tell whether what it shows is the newest.
"""

import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from circuits.image.photo import Photo
from circuits.network.predict import Prediction
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.features.graph.folding import Groups
from dashboard.session.changes import Changes
from dashboard.work.findings import Shot

HISTORY = 50
PHOTOS = 24
_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Choices:
    """How the next circuit is to be found; the words are those of `circuits.trace`."""

    depth: int = 2
    top: int = 5
    signs: str = "positive"
    mode: str = "sum"


@dataclass(frozen=True)
class Looking:
    """How gradient pictures are made; the words are those of `circuits.evidence.gradient_picture`."""

    method: str = "guided"
    start: str = "peak"


PAGES = ("circuit", "layers", "compare")


@dataclass(frozen=True)
class Showing:
    """What the middle of the page shows, and how.

    Args:
        page: one of `PAGES`.
        weak: edges with a smaller share, in percent of the upper unit's gross attribution, are hidden.
        layer: whose units are on the wall; the one below the top if "".
        order: how the wall is sorted: `here`, `attribution` or `number`.
        unit: address of the unit that was chosen on the wall or in the comparison and is not in the circuit, or "".
    """

    page: str = "circuit"
    weak: float = 0
    layer: str = ""
    order: str = "here"
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Work:
    """What undo goes back to.

    Args:
        photo: the photo, or `None` before there is one.
        predictions: the network's answers to it, most likely first.
        circuit: the circuit on the page.
        selected: id of the chosen node, or "".
        locked: why this circuit cannot be expanded, or "" if it can.
        came_from: id of the unit above from which the chosen one was reached, or "".
        edge: ids of the lower and the upper unit of the chosen edge, which is shown instead of the chosen unit.
        folded: ids of the units whose near-duplicates are folded into them.
        spot: a place in the crop, (x, y) as shares of it, of which the person asks what fires there.
    """

    photo: Photo | None = None
    predictions: tuple[Prediction, ...] = ()
    circuit: Circuit | None = None
    selected: str = ""
    locked: str = ""
    came_from: str = ""
    edge: tuple[str, str] | None = None
    folded: frozenset[str] = frozenset()
    spot: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Typing:
    """What was written last about a unit; what is written next while the field is not left is the same step of undo.

    Args:
        edit: tells one stay in a field from another.
        circuit: as it was written.
    """

    edit: str
    circuit: Circuit


@dataclass(frozen=True)
class Scoring:
    """A circuit that a person wants scored.

    Args:
        key: tells it from others; a circuit that was changed has another one.
        strip: over all photos of the strip, and not in its own alone.
        baseline: of the scores that are shown, what ablated units are set to: `zero` or `mean`.
        stopped: the person cancelled it.
    """

    key: str
    strip: bool = False
    baseline: str = "zero"
    stopped: bool = False


@dataclass(frozen=True)
class Ask:
    """Something that the library is to work out, by its kind: see `actions.answer`."""

    number: int
    kind: str
    subject: str
    choices: Choices = Choices()


@dataclass(frozen=True, eq=False)
class Session:
    """One person's work, its history, and what is being worked out.

    Args:
        work: what the page shows.
        past: what undo brings back, newest last.
        future: what redo brings back, newest last.
        asks: what is being worked out, in order.
        asked: number of the last ask.
        paused: the person cancelled the rendering of pictures.
        choices: settings for the next circuit.
        looking: how gradient pictures are made.
        showing: what the middle of the page shows.
        photos: the strip, in the order in which they were taken.
        spot_layer: the layer that is asked what fires at a spot.
        beside: the circuit that the one on the page is compared with.
        found: it is not the beginning, but was kept or copied from another session.
        manners: how single units are expanded, by id, where that was chosen for them.
        more: units whose further pictures are shown, each with the kind of picture; chosen last comes last.
        typing: what was written last.
        scoring: which circuit is to be scored.
    """

    work: Work = Work()
    past: tuple[Work, ...] = ()
    future: tuple[Work, ...] = ()
    asks: tuple[Ask, ...] = ()
    asked: int = 0
    paused: bool = False
    choices: Choices = Choices()
    looking: Looking = Looking()
    showing: Showing = Showing()
    photos: tuple[Photo, ...] = ()
    spot_layer: str = ""
    beside: Circuit | None = None
    found: bool = False
    manners: tuple[tuple[str, Choices], ...] = ()
    more: tuple[tuple[str, str], ...] = ()
    typing: Typing | None = None
    scoring: Scoring | None = None

    def changed(self, work: Work) -> "Session":
        """This session with other work, and the step noted for undo."""
        return replace(self, work=work, past=(*self.past, self.work)[-HISTORY:], future=())


@dataclass(frozen=True)
class Toast:
    """A sentence for the person; `kind` is `error` or `info`."""

    number: int
    text: str
    kind: str = "error"


@dataclass
class Desk:
    """The place of one browser tab: its newest session, and the lock under which it is replaced."""

    name: str
    session: Session
    lock: threading.RLock = field(default_factory=threading.RLock)
    revision: int = 0
    replaced: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    toasts: tuple[Toast, ...] = ()
    said: int = 0
    used: float = 0.0
    kept: int = 0
    born: str = field(default_factory=lambda: secrets.token_hex(8))
    photos: dict[str, bytes] = field(default_factory=dict)
    on_wall: tuple[Unit, ...] = ()
    shows: Changes = field(default_factory=Changes)
    alike: Groups = ()

    def put(self, session: Session) -> None:
        """Replace the session (hold the lock); the revision moves only if it is another one."""
        if session is not self.session:
            self.replaced += session.work.circuit is not self.session.work.circuit
            self.session = session
            self.revision += 1

    def say(self, text: str, kind: str = "error") -> None:
        """Add a sentence for the person; the last few are kept until the page has shown them."""
        self.said += 1
        self.toasts = (*self.toasts, Toast(self.said, text, kind))[-5:]

    def show(self, shot: Shot) -> str:
        """Keep a picture of one of the person's photos as long as the desk; where the page fetches it."""
        self.photos.pop(shot.key, None)
        self.photos[shot.key] = shot.data
        while len(self.photos) > PHOTOS:
            self.photos.pop(next(iter(self.photos)))
        return f"photo/{shot.key}.webp"

    def fresh(self, tab: str, number: int) -> bool:
        """Whether a page's numbered action is new; notes it, so that it is applied once."""
        if number <= self.seen.get(tab, 0):
            return False
        self.seen.pop(tab, None)
        self.seen[tab] = number
        while len(self.seen) > 16:
            self.seen.pop(next(iter(self.seen)))
        return True


class Sessions:
    """All desks of one server.

    Args:
        start: makes the session of a new desk, given its name.
        limit: desks kept; beyond it the one used longest ago is dropped.
        idle: seconds without a sign of life after which a desk is dropped.
        clock: seconds, for tests.
        dropped: called with the name of each desk that is dropped.
    """

    def __init__(
        self,
        start: Callable[[str], Session] = lambda name: Session(),
        *,
        limit: int = 64,
        idle: float = 12 * 3600,
        clock: Callable[[], float] = time.monotonic,
        dropped: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._start = start
        self._limit = limit
        self._idle = idle
        self._clock = clock
        self._dropped = dropped
        self._desks: dict[str, Desk] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._desks)

    def desk(self, name: str) -> Desk:
        """The desk of that name, made if there is none.

        Args:
            name: 32 hexadecimal digits, drawn at random by the page.

        Raises:
            ValueError: if the name has another form.
        """
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise ValueError("A session's name is 32 hexadecimal digits.")
        with self._lock:
            now = self._clock()
            self._sweep(now, keep=name)
            desk = self._desks.get(name)
            if desk is None:
                desk = self._desks[name] = Desk(name, self._start(name))
            desk.used = now
            return desk

    def find(self, name: str) -> Desk | None:
        """The desk of that name if there is one; none is made."""
        with self._lock:
            return self._desks.get(name)

    def photo(self, key: str) -> bytes | None:
        """A picture of a photo that somebody here has, by its content address."""
        with self._lock:
            desks = list(self._desks.values())
        return next((desk.photos[key] for desk in desks if key in desk.photos), None)

    def _sweep(self, now: float, *, keep: str) -> None:
        old = [desk for desk in self._desks.values() if desk.name != keep]
        old.sort(key=lambda desk: desk.used)
        room = self._limit - 1
        for place, desk in enumerate(old):
            if now - desk.used > self._idle or len(old) - place > room:
                del self._desks[desk.name]
                self._dropped(desk.name)
