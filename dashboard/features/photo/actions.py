"""What a person can do with photos: take one, go back to one, choose what is seen of it, ask what fires there.

Showing a photo, or another part of it, is work for the network, an `Ask` of the kind `photo`; its subject is the key of
the photo in the strip, followed by the window if another one is wanted, or `example:` and a name. Until the answer is
there the page stays as it is; then photo, predictions and the circuit of the same target take their places in one step.
"""

import math
from dataclasses import replace

from circuits.errors import InputError
from circuits.image.photo import Photo
from circuits.tracing.circuit import Circuit
from circuits.tracing.targets import target_of
from dashboard.features.target.questions import written
from dashboard.library import Explorer
from dashboard.session.acting import Handler, asked
from dashboard.session.state import Ask, Session, Work
from dashboard.work.queue import Progress

STRIP = 12
"""Photos in the strip; the one taken longest ago goes."""
_KEY = 16
_DEFAULT = "default"
_EXAMPLE = "example:"


def with_photo(session: Session, photo: Photo, explorer: Explorer) -> Session:
    """The session with another photo and the network's predictions for it; its circuit is gone (undo helps)."""
    return _showing(session, Work(photo=photo, predictions=explorer.predict(photo)), taken=True)


def with_circuit(session: Session, circuit: Circuit, explorer: Explorer) -> Session:
    """The session with a circuit from a file; one of another network can be looked at but not expanded."""
    locked = explorer.why_locked(circuit)
    work = Work(
        photo=circuit.photo,
        predictions=circuit.predictions,
        circuit=circuit if locked else explorer.warmed(circuit),
        selected=circuit.root,
        locked=locked,
    )
    return _showing(session, work, taken=True)


def key_of(photo: Photo) -> str:
    """What the strip calls a photo, whichever part of it is shown."""
    return photo.sha256[:_KEY]


def photos_of(session: Session) -> tuple[Photo, ...]:
    """The strip: the photos that were taken, newest last, among them the one that is shown, as it is shown."""
    shown = session.work.photo
    if shown is None:
        return session.photos
    if all(photo.sha256 != shown.sha256 for photo in session.photos):
        return (*session.photos, shown)[-STRIP:]
    return tuple(_newer(photo, shown) for photo in session.photos)


def meant_by(session: Session, ask: Ask) -> str:
    """Key of the photo that an ask of the kind `photo` is about; "" for an example."""
    return "" if ask.subject.startswith(_EXAMPLE) else ask.subject.partition(" ")[0]


def answer(session: Session, ask: Ask, explorer: Explorer, progress: Progress) -> Work:
    """What the page shows of a photo: its predictions and, if there was a circuit, that of the same target.

    Raises:
        CircuitsError: if the photo is not there any more, or the target cannot be traced.
    """
    photo = _photo_for(session, ask.subject, explorer)
    before = session.work
    if before.circuit is None or before.locked or ask.subject.startswith(_EXAMPLE):
        work = Work(photo, explorer.predict(photo))
    else:
        wish = written(target_of(before.circuit))
        circuit = explorer.trace(photo, wish, ask.choices, progress, like=before.circuit)
        selected = before.selected if before.selected in circuit.visible else circuit.root
        work = Work(photo, circuit.predictions, circuit, selected)
    # The page asks for both at once, and should not wait for them.
    explorer.seen(photo, work.circuit)
    explorer.seen(photo, None)
    return work


def settle(session: Session, ask: Ask, work: Work) -> Session:
    """The session with the photo that was asked for."""
    return _showing(session, work, taken=ask.subject.startswith(_EXAMPLE))


def _showing(session: Session, work: Work, *, taken: bool) -> Session:
    """The session with other work and its photo in the strip: in its old place, or last if it was taken just now."""
    strip = photos_of(session)
    if work.photo is not None:
        known = next((photo for photo in strip if photo.sha256 == work.photo.sha256), None)
        new = work.photo if known is None else _newer(known, work.photo)
        work = replace(work, photo=new)
        if taken or known is None:
            strip = (*(photo for photo in strip if photo is not known), new)[-STRIP:]
        else:
            strip = tuple(new if photo is known else photo for photo in strip)
    empty = session.work.photo is None and session.work.circuit is None
    changed = replace(session, work=work) if empty else session.changed(work)
    return replace(changed, photos=strip, asks=(), paused=False)


def _newer(old: Photo, new: Photo) -> Photo:
    """Of two views of one photo the newer; a whole photo is kept for one of which only the crop is at hand."""
    if new.sha256 != old.sha256:
        return old
    return replace(old, window=new.window) if old.whole and not new.whole else new


def _photo_for(session: Session, subject: str, explorer: Explorer) -> Photo:
    if subject.startswith(_EXAMPLE):
        return explorer.example(subject.removeprefix(_EXAMPLE))
    key, _, window = subject.partition(" ")
    photo = _find(session, key)
    if window == _DEFAULT:
        return photo.framed(None)
    return photo.framed(_corners(window)) if window else photo


def _find(session: Session, key: str) -> Photo:
    found = next((photo for photo in photos_of(session) if key_of(photo) == key), None)
    if found is None:
        raise InputError("That photo is not in the strip any more; drop or choose it again.")
    return found


def _corners(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise InputError(f"{text!r} is not a window; write left, top, right and bottom, with commas.") from None


def _example(session: Session, subject: str, explorer: Explorer) -> Session:
    # Loaded here too, so that an unknown name is refused at once.
    explorer.example(subject)
    return asked(session, "photo", f"{_EXAMPLE}{subject}", session.choices, ())


def _photo(session: Session, subject: str, explorer: Explorer) -> Session:
    """Show a photo of the strip."""
    photo = _find(session, subject)
    if session.work.photo is not None and photo.sha256 == session.work.photo.sha256:
        return session
    return asked(session, "photo", subject, session.choices, ())


def _forget(session: Session, subject: str, explorer: Explorer) -> Session:
    """Take a photo out of the strip."""
    photo = _find(session, subject)
    if session.work.photo is not None and photo.sha256 == session.work.photo.sha256:
        raise InputError(f"{photo.name} is the photo that is shown; show another one before you remove it.")
    return replace(session, photos=tuple(each for each in photos_of(session) if each.sha256 != photo.sha256))


def _crop(session: Session, subject: str, explorer: Explorer) -> Session:
    """Show the network another part of the photo: `left,top,right,bottom` in its pixels; "" for the centre."""
    photo = session.work.photo
    if photo is None:
        raise InputError("There is no photo to crop; choose one first.")
    framed = explorer.network.preprocessing.framed(photo, _corners(subject)) if subject else photo.framed(None)
    if framed == photo:
        return session
    window = _DEFAULT if framed.window is None else ",".join(map(repr, framed.window))
    return asked(session, "photo", f"{key_of(photo)} {window}", session.choices, ())


def _spot(session: Session, subject: str, explorer: Explorer) -> Session:
    """Ask what fires at a place, `x,y` in shares of the crop; "" asks no more."""
    if not subject:
        return replace(session, work=replace(session.work, spot=None)) if session.work.spot is not None else session
    if session.work.photo is None or session.work.locked:
        raise InputError(session.work.locked or "There is no photo to point at; choose one first.")
    try:
        across, down = (float(share) for share in subject.split(","))
    except ValueError:
        across = down = math.nan
    if not (0 <= across <= 1 and 0 <= down <= 1):
        raise InputError(f"{subject!r} is not a place in the photo; write x and y as shares of its sides, 0 to 1.")
    return replace(session, work=replace(session.work, spot=(across, down)))


def _spot_layer(session: Session, subject: str, explorer: Explorer) -> Session:
    """Choose the layer that is asked what fires at a place."""
    if subject not in explorer.placed:
        raise InputError(f"{subject!r} has no places to fire at; these layers have: {', '.join(explorer.placed)}.")
    return replace(session, spot_layer=subject)


HANDLERS: dict[str, Handler] = {
    "example": _example,
    "photo": _photo,
    "forget-photo": _forget,
    "crop": _crop,
    "spot": _spot,
    "spot-layer": _spot_layer,
}
