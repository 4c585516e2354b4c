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
    return showing(session, work_of(circuit, library.home(circuit), session.work), taken=True)


def work_of(circuit: Circuit, library: "Library", before: Work | None = None) -> Work:
    """What the page shows of a circuit from a file; beside that of a class stays the photo that was there before."""
    locked = library.fit.why_locked(circuit)
    if circuit.collection is not None:
        seen = Work(network=library.name) if before is None or before.network not in ("", library.name) else before
        return with_class(seen, circuit, library)
    return Work(
        photo=circuit.photo,
        predictions=circuit.predictions,
        circuit=circuit if locked else library.warmed(circuit),
        selected=circuit.root,
        locked=locked,
        network=library.name,
    )


def with_class(before: Work, circuit: Circuit, library: "Library") -> Work:
    """What the page shows of the circuit of a class, beside the photo that it showed before, and to which it goes back.

    What it showed of the photo is kept if it is about the same class.
    """
    photo = before.behind or before
    if photo.circuit is not None and (photo.of_class or photo.circuit.root != circuit.root):
        photo = Work(photo.photo, photo.predictions, network=photo.network)
    return Work(
        photo=before.photo,
        predictions=before.predictions,
        circuit=circuit,
        selected=before.selected if before.selected in circuit.visible else circuit.root,
        locked=library.fit.why_locked(circuit),
        network=library.name,
        behind=None if photo.photo is None else photo,
    )


def beside_class(before: Work, photo: Photo, library: "Library") -> Work:
    """What the page shows of another photo while it shows the circuit of a class: that stays."""
    seen = Work(photo, library.predict(photo), network=library.name)
    if before.circuit is None or before.circuit.network.sha256 != library.network.sha256:
        return seen
    return replace(before, photo=photo, predictions=seen.predictions, behind=seen)


def showing(session: Session, work: Work, *, taken: bool) -> Session:
    """The session with other work and its photo in the strip: in its old place, or last if it was taken just now."""
    strip = photos_of(session)
    if work.photo is not None:
        new, last = with_taken(strip, work.photo)
        behind = work.behind and replace(work.behind, photo=new)
        work = replace(work, photo=new, behind=behind)
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
