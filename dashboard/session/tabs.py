"""The browser tabs of a server: each holds its newest session under a lock, and a revision that counts the changes.

A tab has two names. The page draws the first one at random and tells nobody: who knows it may change the session. The
second one, the link, is a hash of the first: it stands in addresses, and lets others read the session and begin a copy.
"""

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from circuits.image.photo import Photo
from circuits.units import Unit
from dashboard.answers import Groups
from dashboard.session import originals
from dashboard.session.state import PHOTOS, Session
from dashboard.webp import WebP

MOST_WORDS = 800
"""Characters of a sentence; what is longer repeats something that was sent, and loses its middle."""
NAME = re.compile(r"[0-9a-f]{32}")
GRACE = 10.0
"""Seconds after which a page that was left has not merely been loaded again."""
UNUSED = 3600.0
"""Seconds without a sign of life after which a tab keeps no photo but what the network saw of it."""


def link_of(name: str) -> str:
    """The name under which others may read a session, 32 hexadecimal digits that do not give its own name away."""
    return hashlib.sha256(f"link {name}".encode()).hexdigest()[:32]


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
    left: float | None = None
    kept: int = 0
    born: str = field(default_factory=lambda: secrets.token_hex(8))
    photos: dict[str, bytes] = field(default_factory=dict)
    on_wall: tuple[Unit, ...] = ()
    on_screen: frozenset[str] = frozenset()
    shows: Changes = field(default_factory=Changes)
    alike: Groups = ()

    @property
    def link(self) -> str:
        return link_of(self.name)

    def is_left(self, now: float) -> bool:
        """Whether its page was closed, and not merely loaded again."""
        return self.left is not None and now - self.left >= GRACE

    def put(self, session: Session) -> None:
        """Replace the session (hold the lock); the revision moves only if it is another one."""
        if session is not self.session:
            self.replaced += session.work.circuit is not self.session.work.circuit
            if session.work.network != self.session.work.network:
                self.alike, self.on_wall = (), ()
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
        seen: makes what a network saw of a photo, which is left of those that are too many.
        kept: keeps a session that was left elsewhere; whether it can be dropped, for it will be found again.
    """

    def __init__(
        self,
        start: Callable[[str], Session] = lambda name: Session(),
        *,
        limit: int = 64,
        idle: float = 12 * 3600,
        clock: Callable[[], float] = time.monotonic,
        dropped: Callable[[str], None] = lambda name: None,
        seen: Callable[[Photo, str], Photo] = lambda photo, network: photo,
        kept: Callable[[TabSession], bool] = lambda tab: False,
    ) -> None:
        self._start = start
        self._limit = limit
        self._idle = idle
        self._clock = clock
        self._dropped = dropped
        self._seen = seen
        self._kept = kept
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
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            raise ValueError("A session's name is 32 hexadecimal digits.")
        with self._lock:
            now = self._clock()
            self._sweep(now, keep=name)
            tab_session = self._desks.get(name)
            if tab_session is None:
                tab_session = self._desks[name] = TabSession(name, self._start(name))
            tab_session.used, tab_session.left = now, None
            return tab_session

    def own(self, name: str) -> TabSession | None:
        """The tab of that name if there is one; none is made."""
        with self._lock:
            return self._desks.get(name)

    def find(self, name: str) -> TabSession | None:
        """The tab that may be read under a name, its link or its own one, if there is one."""
        with self._lock:
            links = (tab for tab in self._desks.values() if tab.link == name)
            return self._desks.get(name) or next(links, None)

    def leave(self, name: str) -> None:
        """A page was closed, or is being loaded again: if nobody comes back, what it held is let go of."""
        tab = self.own(name)
        if tab is not None and tab.left is None:
            tab.left = self._clock()
            timer = threading.Timer(GRACE, self.release)
            timer.daemon = True
            timer.start()

    def release(self) -> None:
        """Drop the tabs that were left, if they are kept elsewhere; of others, and of unused ones, only the photos."""
        now = self._clock()
        with self._lock:
            tabs = list(self._desks.values())
        old = [tab for tab in tabs if tab.is_left(now) or now - tab.used >= UNUSED]
        for tab in old:
            with tab.lock:
                if not (tab.is_left(now) and self._kept(tab) and self._forget(tab)):
                    tab.put(originals.without(tab.session, originals.originals(tab.session), self._seen))
        if old:
            originals.give_back()

    def _forget(self, tab: TabSession) -> bool:
        """Drop a tab, unless somebody has come back to it."""
        with self._lock:
            if tab.left is None:
                return False
            self._desks.pop(tab.name, None)
        self._dropped(tab.name)
        return True

    def fit(self, tab: TabSession) -> None:
        """Keep the photos of all tabs within the budget; the one given, whose lock nobody may hold, comes last."""
        self.release()
        with self._lock:
            tabs = sorted(self._desks.values(), key=lambda each: (each is tab, each.left is None, each.used))
        surplus = originals.too_many([each.session for each in tabs], originals.BUDGET)
        for each, files in zip(tabs, surplus, strict=True):
            if files:
                with each.lock:
                    each.put(originals.without(each.session, files, self._seen))
        originals.give_back()

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
