"""What a person can do with photos: take one, go back to one, choose the part of it that the network is shown.

Showing a photo, or another part of it, is work for the network, a request of the kind `photo`. Until it is done the
page stays as it is; then photo, predictions and the circuit of the same target take their places in one step. The
target is kept however a photo came: from the strip, as an example, or as a file.
"""

from dataclasses import dataclass, replace

from circuits.errors import InputError
from circuits.image.photo import Photo, Window
from circuits.tracing.targets import target_of
from circuits.units import Progress
from dashboard.library import Library
from dashboard.session.actions import ActionType, RequestType, requested
from dashboard.session.questions import written
from dashboard.session.showing import beside_class, showing, with_taken
from dashboard.session.state import Request, Session, Work, key_of, photos_of


def with_photo(session: Session, photo: Photo, library: Library) -> Session:
    """The session with a photo that was taken just now.

    Without a circuit the network's predictions are there at once; else the photo joins the strip, and the same target
    is asked for in it, as with any photo of the strip.
    """
    if session.work.of_class:
        return showing(session, beside_class(session.work, photo, library), taken=True)
    if not _keeps_target(session.work):
        return showing(session, Work(photo=photo, predictions=library.predict(photo), network=library.name), taken=True)
    _, strip = with_taken(photos_of(session), photo)
    return requested(replace(session, photos=strip), "photo", Show(key_of(photo), photo.window, reframed=True), keep=())


def _keeps_target(work: Work) -> bool:
    """Whether there is a target that another photo can be asked for."""
    return work.circuit is not None and not work.locked


@dataclass(frozen=True)
class Example:
    """An example photo by its name; the first one for ""."""

    name: str = ""


@dataclass(frozen=True)
class OfStrip:
    """A photo of the strip by its key."""

    photo: str


@dataclass(frozen=True)
class CropWindow:
    """The part of the photo to show the network: left, top, right, bottom in its pixels; `None` for the centre."""

    window: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Show:
    """A photo that the network is to be shown: one of the strip, as it is there or through another window."""

    photo: str
    window: Window | None = None
    reframed: bool = False


def shown_by(request: Request) -> str:
    """Key of the photo of the strip that a request is about; "" if of none."""
    return request.payload.photo if request.kind == "photo" and isinstance(request.payload, Show) else ""


def _run(session: Session, request: Request, library: Library, progress: Progress) -> Work:
    """What the page shows of a photo: its predictions and, if there was a circuit, that of the same target.

    Raises:
        CircuitsError: if the photo is not there any more, or the target cannot be traced.
    """
    wish, before = request.payload, session.work
    if isinstance(wish, Example):
        photo = library.example(wish.name)
    else:
        photo = _find(session, wish.photo)
        photo = photo.framed(wish.window) if wish.reframed else photo
    if before.of_class:
        work = beside_class(before, photo, library)
    elif before.circuit is None or not _keeps_target(before):
        work = Work(photo, library.predict(photo), network=library.name)
    else:
        target = written(target_of(before.circuit))
        circuit = library.trace(photo, target, request.choices, progress, like=library.fit.cut(before.circuit))
        selected = before.selected if before.selected in circuit.visible else circuit.root
        work = Work(photo, circuit.predictions, circuit, selected, network=library.name)
    # The page asks for both at once, and should not wait for them.
    library.seen(photo, work.circuit)
    library.seen(photo, None)
    return work


def _commit(session: Session, request: Request, work: Work) -> Session:
    return showing(session, work, taken=isinstance(request.payload, Example))


def _find(session: Session, key: str) -> Photo:
    found = next((photo for photo in photos_of(session) if key_of(photo) == key), None)
    if found is None:
        raise InputError("That photo is not in the strip any more; drop or choose it again.")
    return found


def _example(session: Session, payload: Example, library: Library) -> Session:
    # Loaded here too, so that an unknown name is refused at once.
    library.example(payload.name)
    return requested(session, "photo", payload, keep=())


def _photo(session: Session, payload: OfStrip, library: Library) -> Session:
    """Show a photo of the strip."""
    photo = _find(session, payload.photo)
    if session.work.photo is not None and photo.sha256 == session.work.photo.sha256:
        return session
    return requested(session, "photo", Show(payload.photo), keep=())


def _forget(session: Session, payload: OfStrip, library: Library) -> Session:
    """Take a photo out of the strip."""
    photo = _find(session, payload.photo)
    if session.work.photo is not None and photo.sha256 == session.work.photo.sha256:
        raise InputError(f"{photo.name} is the photo that is shown; show another one before you remove it.")
    return replace(session, photos=tuple(each for each in photos_of(session) if each.sha256 != photo.sha256))


def _crop(session: Session, payload: CropWindow, library: Library) -> Session:
    """Show the network another part of the photo."""
    photo = session.work.photo
    if photo is None:
        raise InputError("There is no photo to crop; choose one first.")
    window = payload.window
    framed = photo.framed(None) if window is None else library.network.preprocessing.framed(photo, window)
    if framed == photo:
        return session
    return requested(session, "photo", Show(key_of(photo), framed.window, reframed=True), keep=())


ACTIONS = {
    "example": ActionType(Example, _example),
    "photo": ActionType(OfStrip, _photo),
    "forget-photo": ActionType(OfStrip, _forget),
    "crop": ActionType(CropWindow, _crop),
}
REQUESTS = {
    "photo": RequestType(
        lambda session, payload, library: "Showing the network the photo", _run, _commit, independent=True
    )
}
