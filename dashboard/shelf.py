"""Sessions on disk, so that a reload after a restart of the server finds the work again.

A file holds one desk's newest circuit, its photo as the network saw it (not the original), and what was chosen; the
history is not kept. Its name is a hash of the session's name and the network's fingerprint, so that the folder gives
nobody's session name away and another network's page does not open it.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from circuits.circuit import Circuit
from circuits.errors import CircuitsError
from circuits.files import read_text, write_atomically
from circuits.images import Photo, from_data_uri
from dashboard.explorer import Explorer
from dashboard.sessions import Session, Work

DAYS = 14
_LOG = logging.getLogger(__name__)


class Shelf:
    """A folder of sessions of one network.

    Args:
        folder: where; made if it is missing, for this person's eyes only.
        explorer: the library, for the network of the page.
        clock: seconds since 1970, for tests.
    """

    def __init__(self, folder: Path, explorer: Explorer, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._explorer = explorer
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
        photo = {
            "name": work.photo.name,
            "sha256": work.photo.sha256,
            "width": work.photo.width,
            "height": work.photo.height,
            "crop": self._explorer.crop(work.photo, work.circuit, lossless=True),
        }
        circuit = work.circuit.to_dict() if work.circuit is not None else None
        text = json.dumps({"photo": photo, "circuit": circuit, "selected": work.selected}, allow_nan=False)
        try:
            write_atomically(self._file(name), text)
        except CircuitsError as error:
            self._works = False
            _LOG.warning("Sessions are not kept over a restart: %s", error)

    def fetch(self, name: str) -> Session | None:
        """The session that was kept, or `None` if there is none that can be read."""
        file = self._file(name)
        if not file.is_file():
            return None
        try:
            return Session(self._work(json.loads(read_text(file))))
        except (CircuitsError, ValueError, KeyError, TypeError) as error:
            _LOG.warning("A kept session cannot be read and is dropped: %s", error)
            with suppress(OSError):
                file.unlink()
            return None

    def _work(self, data: dict[str, Any]) -> Work:
        facts = data["photo"]
        crop = from_data_uri(facts["crop"])
        image = self._explorer.uncropped(crop)
        photo = Photo(str(facts["name"]), str(facts["sha256"]), int(facts["width"]), int(facts["height"]), image)
        predictions = self._explorer.predict(photo)
        if data["circuit"] is None:
            return Work(photo, predictions)
        circuit = Circuit.from_dict(data["circuit"])
        selected = str(data["selected"])
        locked = self._explorer.why_locked(circuit)
        known = selected if selected in circuit.visible else ""
        warm = circuit if locked else self._explorer.warmed(circuit)
        return Work(photo, circuit.predictions, warm, known, locked)

    def _file(self, name: str) -> Path:
        digest = hashlib.sha256(f"{name} {self._explorer.network.sha256}".encode()).hexdigest()
        return self._folder / f"{digest}.json"

    def _sweep(self) -> None:
        """Remove what nobody came back for."""
        oldest = self._clock() - DAYS * 24 * 3600
        with suppress(OSError):
            for file in self._folder.glob("*.json"):
                if file.stat().st_mtime < oldest:
                    file.unlink()
