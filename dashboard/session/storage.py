"""Sessions on disk, so that a reload after a restart of the server finds the work again.

A file holds one tab's newest circuit, its photos as the network saw them (not the originals), what was chosen and the
settings; the history is not kept. Its name is a hash of the session's link and the network's fingerprint, so that the
folder gives nobody's session away and another network's page does not open it. Where a page has several networks, a
second small file names the one that was shown last, which may have to be loaded first.
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
from dashboard.session.opening import waiting_to_restore
from dashboard.session.state import Choices, Looking, Session, Showing, Work
from dashboard.session.tabs import NAME, TabSession, TabSessions, link_of

if TYPE_CHECKING:
    from dashboard.library import Library
    from dashboard.work.networks import Networks

DAYS = 14
_SHOWN = "shown"
_LOG = logging.getLogger(__name__)


class SessionStorage:
    """A folder of sessions.

    Args:
        folder: where; made if it is missing, for this person's eyes only.
        library: the library, for the network that the page opens with.
        networks: all networks of the page, if there are several.
        clock: seconds since 1970, for tests.
    """

    def __init__(
        self,
        folder: Path,
        library: "Library",
        networks: "Networks | None" = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._library = library
        self._networks = networks
        self._clock = clock
        self._works = True
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()

    def keep(self, name: str, session: Session) -> None:
        """Write a session; a folder that cannot be written to is said once in the log and then left alone."""
        work = session.work
        if (work.photo is None and not work.of_class) or not self._works:
            return
        library = self._library if self._networks is None else self._networks.of(session).library
        kept = {
            **_facts(library, work),
            "behind": _facts(library, work.behind) if work.behind is not None else None,
            "choices": asdict(session.choices),
            "looking": asdict(session.looking),
            "showing": asdict(session.showing),
            "spot_layer": session.spot_layer,
            "photos": [_photo(library, photo, None) for photo in session.photos],
            "beside": session.beside.to_dict() if session.beside is not None else None,
        }
        try:
            link, sha256 = link_of(name), library.network.sha256
            write_atomically(self._file(link, sha256), json.dumps(kept, allow_nan=False))
            if self._networks is not None:
                shown = {"name": library.network.name, "sha256": sha256}
                write_atomically(self._file(link, _SHOWN), json.dumps(shown))
        except CircuitsError as error:
            self._works = False
            _LOG.warning("Sessions are not kept over a restart: %s", error)

    def keep_tab(self, tab: TabSession) -> bool:
        """Write what a tab has, if it changed and the person had a part in it; whether all of it can be had again."""
        if tab.kept != tab.revision:
            self.keep(tab.name, tab.session)
            tab.kept = tab.revision
        own = [self._file(link_of(tab.name), library.network.sha256) for library in self._libraries]
        return not tab.revision or (self._works and any(file.is_file() for file in own))

    def fetch(self, name: str) -> Session | None:
        """The session that was kept, or `None` if there is none that can be read."""
        return self.fetch_shared(link_of(name)) or self._read(self._old_file(name), self._library)

    def fetch_shared(self, link: str) -> Session | None:
        """The session that was kept and has this link, or `None`.

        If its network has to be loaded, it is one that waits for it.
        """
        shown = self._shown(link)
        if shown is not None and self._networks is not None:
            name, sha256 = shown
            labels = self._networks.unloaded(name)
            if labels and self._networks.library_of(sha256) is None and self._file(link, sha256).is_file():
                return replace(waiting_to_restore(labels, link), found=True)
        ordered = sorted(self._libraries, key=lambda library: shown is None or library.network.sha256 != shown[1])
        return next((session for library in ordered if (session := self.restored(link, library)) is not None), None)

    def restored(self, link: str, library: "Library") -> Session | None:
        """The session that was kept with a network and has this link, or `None`."""
        return self._read(self._file(link, library.network.sha256), library)

    @property
    def _libraries(self) -> "list[Library]":
        return [self._library] if self._networks is None else [work.library for work in self._networks.ready]

    def _shown(self, link: str) -> tuple[str, str] | None:
        """Name and fingerprint of the network that a session showed last, if that is known."""
        try:
            shown = json.loads(read_text(self._file(link, _SHOWN)))
            return str(shown["name"]), str(shown["sha256"])
        except (CircuitsError, OSError, ValueError, KeyError, TypeError):
            return None

    def _read(self, file: Path, library: "Library") -> Session | None:
        if not file.is_file():
            return None
        try:
            return _session(json.loads(read_text(file)), library)
        except (CircuitsError, ValueError, KeyError, TypeError) as error:
            _LOG.warning("A kept session cannot be read and is dropped: %s", error)
            with suppress(OSError):
                file.unlink()
            return None

    def _file(self, link: str, sha256: str = "") -> Path:
        return self._old_file(f"link {link}", sha256)

    def _old_file(self, name: str, sha256: str = "") -> Path:
        """Where sessions were kept before they had links."""
        digest = hashlib.sha256(f"{name} {sha256 or self._library.network.sha256}".encode()).hexdigest()
        return self._folder / f"{digest}.json"

    def _sweep(self) -> None:
        """Remove what nobody came back for."""
        oldest = self._clock() - DAYS * 24 * 3600
        with suppress(OSError):
            for file in self._folder.glob("*.json"):
                if file.stat().st_mtime < oldest:
                    file.unlink()


def _facts(library: "Library", work: Work) -> dict[str, Any]:
    """What a person sees, but for the settings."""
    return {
        "photo": None if work.photo is None else _photo(library, work.photo, work.circuit),
        "circuit": work.circuit.to_dict() if work.circuit is not None else None,
        "selected": work.selected,
        "edge": work.edge,
        "came_from": work.came_from,
        "folded": sorted(work.folded),
    }


def _photo(library: "Library", photo: Photo, circuit: Circuit | None) -> dict[str, Any]:
    """A photo as the network saw it, to the pixel."""
    return {
        "name": photo.name,
        "sha256": photo.sha256,
        "width": photo.width,
        "height": photo.height,
        "window": photo.window,
        "crop": library.crop(photo, circuit, lossless=True),
    }


def _session(data: dict[str, Any], library: "Library") -> Session:
    return Session(
        _work(data, library),
        choices=Choices(**data["choices"]),
        looking=Looking(**data["looking"]),
        showing=Showing(**data["showing"]),
        photos=tuple(_seen(facts) for facts in data["photos"]),
        spot_layer=str(data["spot_layer"]),
        beside=Circuit.from_dict(data["beside"]) if data["beside"] is not None else None,
        found=True,
    )


def _work(data: dict[str, Any], library: "Library") -> Work:
    photo = None if data["photo"] is None else _seen(data["photo"])
    if data["circuit"] is None:
        return Work(photo, () if photo is None else library.predict(photo), network=library.name)
    circuit = Circuit.from_dict(data["circuit"])
    locked = library.fit.why_locked(circuit)
    visible = circuit.visible

    def known(name: object) -> str:
        return str(name) if name in visible else ""

    edge = [str(name) for name in data["edge"] or ()]
    behind = _work(data["behind"], library) if data.get("behind") is not None else None
    return Work(
        photo,
        library.predict(photo) if circuit.collection is not None and photo is not None else circuit.predictions,
        circuit if locked else library.warmed(circuit),
        known(data["selected"]),
        locked,
        known(data["came_from"]),
        (edge[0], edge[1]) if len(edge) == 2 and visible.issuperset(edge) else None,
        frozenset(map(str, data["folded"])),
        network=library.name,
        behind=behind,
    )


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
