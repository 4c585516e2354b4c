"""What a session shows comes to be another photo or circuit, and the photo joins the strip."""

from dataclasses import replace
from typing import TYPE_CHECKING

from circuits.image.photo import Photo
from circuits.tracing.circuit import Circuit
from dashboard.session.state import STRIP, Session, Work, newer, photos_of

if TYPE_CHECKING:
    from dashboard.library import Library


def with_circuit(session: Session, circuit: Circuit, library: "Library") -> Session:
    """The session with a circuit from a file; one of a network that is not loaded can be looked at but not expanded."""
    return showing(session, work_of(circuit, library.home(circuit)), taken=True)


def work_of(circuit: Circuit, library: "Library") -> Work:
    """What the page shows of a circuit from a file."""
    locked = library.why_locked(circuit)
    return Work(
        photo=circuit.photo,
        predictions=circuit.predictions,
        circuit=circuit if locked else library.warmed(circuit),
        selected=circuit.root,
        locked=locked,
        network=library.name,
    )


def showing(session: Session, work: Work, *, taken: bool) -> Session:
    """The session with other work and its photo in the strip: in its old place, or last if it was taken just now."""
    strip = photos_of(session)
    if work.photo is not None:
        new, last = with_taken(strip, work.photo)
        work = replace(work, photo=new)
        known = any(photo.sha256 == new.sha256 for photo in strip)
        strip = last if taken or not known else tuple(new if photo.sha256 == new.sha256 else photo for photo in strip)
    empty = session.work.photo is None and session.work.circuit is None
    changed = session.with_work(work) if empty else session.changed(work)
    return replace(changed, photos=strip, requests=(), paused=False)


def with_taken(strip: tuple[Photo, ...], photo: Photo) -> tuple[Photo, tuple[Photo, ...]]:
    """A photo, whole if the strip has it whole, and the strip with it at its end."""
    known = next((each for each in strip if each.sha256 == photo.sha256), None)
    new = photo if known is None else newer(known, photo)
    return new, (*(each for each in strip if each is not known), new)[-STRIP:]
