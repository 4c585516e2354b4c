"""The browser tabs of a server: each holds its newest session under a lock, and a revision that counts the changes."""

import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from circuits.units import Unit
from dashboard.answers import Groups, WebP
from dashboard.session.state import PHOTOS, Session

MOST_WORDS = 800
"""Characters of a sentence; what is longer repeats something that was sent, and loses its middle."""
_NAME = re.compile(r"[0-9a-f]{32}")


Facts = Mapping[str, Any]


@dataclass
class Changes:
    """Facts about the units of one tab, and since when they hold.

    Args:
        version: counts the changes.

    Example:
        >>> changes = Changes()
        >>> changes.note({"c:1": {"state": "waiting"}, "c:2": {"state": "ready"}})
        >>> heard = changes.version
        >>> changes.note({"c:1": {"state": "ready"}, "c:2": {"state": "ready"}})
        >>> changes.since(heard)
        {'c:1': {'state': 'ready'}}
    """

    version: int = 0
    _since: dict[str, tuple[Facts, int]] = field(default_factory=dict)

    def note(self, found: Mapping[str, Facts]) -> None:
        """Take in what holds of all units now; one that went and comes again is new."""
        changed = {name for name, facts in found.items() if name not in self._since or self._since[name][0] != facts}
        self.version += bool(changed)
        self._since = {
            name: (facts, self.version if name in changed else self._since[name][1]) for name, facts in found.items()
        }

    def since(self, version: int) -> dict[str, Facts]:
        """What changed after a version."""
        return {name: facts for name, (facts, at) in self._since.items() if at > version}


@dataclass(frozen=True)
class Toast:
    """A sentence for the person; `kind` is `error` or `info`."""

    number: int
    text: str
    kind: str = "error"


@dataclass
class TabSession:
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
        text = text if len(text) <= MOST_WORDS else f"{text[: MOST_WORDS // 2]} … {text[-MOST_WORDS // 2 :]}"
        self.toasts = (*self.toasts, Toast(self.said, text, kind))[-5:]

    def show(self, webp: WebP) -> str:
        """Keep a picture of one of the person's photos as long as the tab is there; where the page fetches it."""
        self.photos.pop(webp.key, None)
        self.photos[webp.key] = webp.data
        while len(self.photos) > PHOTOS:
            self.photos.pop(next(iter(self.photos)))
        return f"photo/{webp.key}.webp"

    def fresh(self, tab: str, number: int) -> bool:
        """Whether a page's numbered action is new; notes it, so that it is applied once."""
        if number <= self.seen.get(tab, 0):
            return False
        self.seen.pop(tab, None)
        self.seen[tab] = number
        while len(self.seen) > 16:
            self.seen.pop(next(iter(self.seen)))
        return True


class TabSessions:
    """All tabs of one server.

    Args:
        start: makes the session of a new tab, given its name.
        limit: tabs kept; beyond it the one used longest ago is dropped.
        idle: seconds without a sign of life after which a tab_session is dropped.
        clock: seconds, for tests.
        dropped: called with the name of each tab that is dropped.
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
        self._desks: dict[str, TabSession] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._desks)

    def tab(self, name: str) -> TabSession:
        """The tab of that name, made if there is none.

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
            tab_session = self._desks.get(name)
            if tab_session is None:
                tab_session = self._desks[name] = TabSession(name, self._start(name))
            tab_session.used = now
            return tab_session

    def find(self, name: str) -> TabSession | None:
        """The tab of that name if there is one; none is made."""
        with self._lock:
            return self._desks.get(name)

    def photo(self, key: str) -> bytes | None:
        """A picture of a photo that somebody here has, by its content address."""
        with self._lock:
            tab_sessions = list(self._desks.values())
        return next((tab_session.photos[key] for tab_session in tab_sessions if key in tab_session.photos), None)

    def _sweep(self, now: float, *, keep: str) -> None:
        old = [tab_session for tab_session in self._desks.values() if tab_session.name != keep]
        old.sort(key=lambda tab_session: tab_session.used)
        room = self._limit - 1
        for place, tab_session in enumerate(old):
            if now - tab_session.used > self._idle or len(old) - place > room:
                del self._desks[tab_session.name]
                self._dropped(tab_session.name)
