"""Sessions on disk, so that a reload after a restart of the server finds the work again.

A file holds one tab's newest circuit, its photos as the network saw them (not the originals), what was chosen and the
settings; the history is not kept. Its name is a hash of the session's link and the network's fingerprint, so that the
folder gives nobody's session away and another network's page does not open it.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuits.errors import CircuitsError
from circuits.files import read_text, write_atomically
from circuits.image.encode import from_data_uri
from circuits.image.photo import Photo
from circuits.tracing.circuit import Circuit
from dashboard.session.state import Choices, Looking, Session, Showing, Work
from dashboard.session.tabs import NAME, TabSession, TabSessions, link_of

if TYPE_CHECKING:
    from dashboard.library import Library

DAYS = 14
_LOG = logging.getLogger(__name__)


class SessionStorage:
    """A folder of sessions of one network.

    Args:
        folder: where; made if it is missing, for this person's eyes only.
        library: the library, for the network of the page.
        clock: seconds since 1970, for tests.
    """

    def __init__(self, folder: Path, library: "Library", *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._explorer = library
        self._clock = clock
        self._works = True
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()

    def keep(self, name: str, session: Session) -> None:
        """Write a session; a folder that cannot be written to is said once in the log and then left alone."""
        work = session.work
        if work.photo is None or not self._works:
            return
        kept = {
            "photo": self._photo(work.photo, work.circuit),
            "circuit": work.circuit.to_dict() if work.circuit is not None else None,
            "selected": work.selected,
            "edge": work.edge,
            "came_from": work.came_from,
            "folded": sorted(work.folded),
            "choices": asdict(session.choices),
            "looking": asdict(session.looking),
            "showing": asdict(session.showing),
            "spot_layer": session.spot_layer,
            "photos": [self._photo(photo, None) for photo in session.photos],
            "beside": session.beside.to_dict() if session.beside is not None else None,
        }
        try:
            write_atomically(self._file(link_of(name)), json.dumps(kept, allow_nan=False))
        except CircuitsError as error:
            self._works = False
            _LOG.warning("Sessions are not kept over a restart: %s", error)

    def keep_tab(self, tab: TabSession) -> bool:
        """Write what a tab has, if it changed and the person had a part in it; whether all of it can be had again."""
        if tab.kept != tab.revision:
            self.keep(tab.name, tab.session)
            tab.kept = tab.revision
        return not tab.revision or (self._works and self._file(link_of(tab.name)).is_file())

    def fetch(self, name: str) -> Session | None:
        """The session that was kept, or `None` if there is none that can be read."""
        file = self._file(link_of(name))
        return self._read(file if file.is_file() else self._old_file(name))

    def fetch_shared(self, link: str) -> Session | None:
        """The session that was kept and has this link, or `None`."""
        return self._read(self._file(link))

    def _read(self, file: Path) -> Session | None:
        if not file.is_file():
            return None
        try:
            return self._session(json.loads(read_text(file)))
        except (CircuitsError, ValueError, KeyError, TypeError) as error:
            _LOG.warning("A kept session cannot be read and is dropped: %s", error)
            with suppress(OSError):
                file.unlink()
            return None

    def _photo(self, photo: Photo, circuit: Circuit | None) -> dict[str, Any]:
        """A photo as the network saw it, to the pixel."""
        return {
            "name": photo.name,
            "sha256": photo.sha256,
            "width": photo.width,
            "height": photo.height,
            "window": photo.window,
            "crop": self._explorer.crop(photo, circuit, lossless=True),
        }

    def _session(self, data: dict[str, Any]) -> Session:
        return Session(
            self._work(data),
            choices=Choices(**data["choices"]),
            looking=Looking(**data["looking"]),
            showing=Showing(**data["showing"]),
            photos=tuple(_seen(facts) for facts in data["photos"]),
            spot_layer=str(data["spot_layer"]),
            beside=Circuit.from_dict(data["beside"]) if data["beside"] is not None else None,
            found=True,
        )

    def _work(self, data: dict[str, Any]) -> Work:
        photo = _seen(data["photo"])
        if data["circuit"] is None:
            return Work(photo, self._explorer.predict(photo))
        circuit = Circuit.from_dict(data["circuit"])
        locked = self._explorer.why_locked(circuit)
        visible = circuit.visible

        def known(name: object) -> str:
            return str(name) if name in visible else ""

        edge = [str(name) for name in data["edge"] or ()]
        return Work(
            photo,
            circuit.predictions,
            circuit if locked else self._explorer.warmed(circuit),
            known(data["selected"]),
            locked,
            known(data["came_from"]),
            (edge[0], edge[1]) if len(edge) == 2 and visible.issuperset(edge) else None,
            frozenset(map(str, data["folded"])),
        )

    def _file(self, link: str) -> Path:
        return self._old_file(f"link {link}")

    def _old_file(self, name: str) -> Path:
        """Where sessions were kept before they had links."""
        digest = hashlib.sha256(f"{name} {self._explorer.network.sha256}".encode()).hexdigest()
        return self._folder / f"{digest}.json"

    def _sweep(self) -> None:
        """Remove what nobody came back for."""
        oldest = self._clock() - DAYS * 24 * 3600
        with suppress(OSError):
            for file in self._folder.glob("*.json"):
                if file.stat().st_mtime < oldest:
                    file.unlink()


def _seen(facts: dict[str, Any]) -> Photo:
    """A photo of which no more is at hand than what the network saw."""
    window = facts["window"]
    return Photo(
        str(facts["name"]), str(facts["sha256"]), int(facts["width"]), int(facts["height"]),
        from_data_uri(facts["crop"]), None if window is None else tuple(window), whole=False,
    )  # fmt: skip


def copy_of(name: str, sessions: TabSessions, storage: SessionStorage | None) -> Session | None:
    """The session of that name for somebody else to go on with: its work and settings, without its history.

    Args:
        name: the link, as an address has it, whatever its form; older addresses have the session's own name.
        sessions: those of this server.
        storage: those that are kept, if they are.

    Returns:
        `None` if there is no such session here any more.
    """
    if NAME.fullmatch(name) is None:
        return None
    tab_session = sessions.find(name)
    if tab_session is None:
        return (storage.fetch_shared(name) or storage.fetch(name)) if storage is not None else None
    return replace(tab_session.session, past=(), future=(), requests=(), requested=0, paused=False, found=True)
