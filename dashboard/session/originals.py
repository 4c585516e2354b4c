"""Photos in memory: the bytes of their files, of all sessions within a budget, and beyond it what was seen of them.

A photo that is decoded takes ten times its file, so the strip and the history keep the files. Where even those are
more than the budget, the ones that are least needed go: the network's crop is left, as after a restart of the server.
"""

import ctypes
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from circuits.image.encoded import EncodedImage
from circuits.image.photo import Photo
from dashboard.session.state import Session, Work

BUDGET = 256 * 2**20
"""Bytes of the photos' files, over all sessions of a server."""


def originals(session: Session) -> list[EncodedImage]:
    """The files that a session holds, least needed first: those of its history, of its strip, and of what it shows."""
    works = [*session.past, *session.future, session.work]
    photos = [photo for work in works[:-1] for photo in _photos_of(work)] + list(session.photos) + _photos_of(works[-1])
    files = [photo.pixels for photo in photos if isinstance(photo.pixels, EncodedImage)]
    return list(dict.fromkeys(reversed(files)))[::-1]


def without(session: Session, files: Collection[EncodedImage], seen: Callable[[Photo, str], Photo]) -> Session:
    """The session without some files; `seen` makes what the network of a label saw of a photo."""
    if not files:
        return session
    gone = set(files)

    def goes(photo: Photo) -> bool:
        return isinstance(photo.pixels, EncodedImage) and photo.pixels in gone

    def photo_of(photo: Photo, network: str = session.work.network) -> Photo:
        return seen(photo, network) if goes(photo) else photo

    def work_of(work: Work) -> Work:
        if not any(map(goes, _photos_of(work))):
            return work
        circuit = work.circuit
        if circuit is not None and circuit.photo is not None:
            circuit = replace(circuit, photo=photo_of(circuit.photo, work.network))
        photo = None if work.photo is None else photo_of(work.photo, work.network)
        behind = None if work.behind is None else work_of(work.behind)
        return replace(work, photo=photo, circuit=circuit, behind=behind)

    return replace(
        session, work=work_of(session.work), photos=tuple(map(photo_of, session.photos)),
        past=tuple(map(work_of, session.past)), future=tuple(map(work_of, session.future)),
    )  # fmt: skip


def too_many(sessions: Sequence[Session], budget: int) -> list[list[EncodedImage]]:
    """The files to let go of, for each session, so that all together fit; the last one keeps what it shows.

    Args:
        sessions: the one that needs its photos least first.
        budget: bytes of all files that are kept; one that several sessions hold counts once.
    """
    held = [originals(session) for session in sessions]
    holders: dict[EncodedImage, int] = {}
    for files in held:
        for file in files:
            holders[file] = holders.get(file, 0) + 1
    total = sum(len(file.data) for file in holders)
    gone: list[list[EncodedImage]] = [[] for _ in sessions]
    for number, files in enumerate(held):
        for file in files[:-1] if number == len(held) - 1 else files:
            if total <= budget:
                return gone
            gone[number].append(file)
            holders[file] -= 1
            total -= 0 if holders[file] else len(file.data)
    return gone


def give_back() -> None:
    """Return what was freed to the system; glibc keeps what decoders used otherwise."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def _photos_of(work: Work) -> list[Photo]:
    traced = None if work.circuit is None else work.circuit.photo
    behind = [] if work.behind is None else _photos_of(work.behind)
    return [*behind, *(photo for photo in (traced, work.photo) if photo is not None)]
