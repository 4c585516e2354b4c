"""The switch beside the question: this photo, or those of the atlas, of a class its own, of a unit all; and both."""

from dataclasses import dataclass, replace
from typing import Any

from dash import html

from circuits.errors import InputError
from circuits.tracing.targets import target_of
from circuits.units import Progress, Unit
from dashboard import atlas_library
from dashboard.components import attributes, button, sends
from dashboard.library import Library
from dashboard.session.actions import ActionType, NoPayload, RequestType, circuit_of, requested
from dashboard.session.questions import Wish, explained, written
from dashboard.session.selection import OfClass, ask_for_class
from dashboard.session.showing import with_class
from dashboard.session.state import Request, Session, Work

Component = Any
_NO_PHOTO = "There is no photo; choose one first."


@dataclass(frozen=True)
class PhotosAsked:
    """What the question is asked of: the `photo`, or the `class`."""

    of: str


def class_asked(session: Session) -> int | Unit | None:
    """Number of the class, or the unit, that is explained, or is about to be; `None` of a difference or a neuron."""
    circuit, predictions = session.work.circuit, session.work.predictions
    if circuit is None:
        return predictions[0].index if predictions else None
    if circuit.target.kind == "unit":
        return target_of(circuit).unit
    classes = explained(circuit)
    return classes[0] if classes is not None and classes[1] is None else None


def why_not_class(session: Session, library: Library) -> str:
    """Why the question cannot be asked of a class, in a sentence; "" if it can."""
    asked, circuit = class_asked(session), session.work.circuit
    if asked is None and circuit is not None:
        return f"The atlas answers for one class at a time, and {circuit.target.label} is none."
    if asked is None:
        return "Choose a photo first, or a class on the page Atlas."
    if circuit is not None and not library.fit.is_own(circuit):
        return session.work.locked
    return atlas_library.why_not_class(library.network, library.atlas, asked)


def scope_switch(session: Session, library: Library) -> list[Component]:
    """The switch, and the button that compares the two; nothing without an atlas, but beside the circuit of a class."""
    work = session.work
    if not work.of_class and (library.atlas is None or not (work.predictions or work.circuit)):
        return []
    asked, refused = class_asked(session), why_not_class(session, library)
    of_unit = isinstance(asked, Unit)
    every = "all photos in the atlas" if of_unit else f"all photos of {_label_of(asked, library)} in the atlas"
    asking = any(request.kind == "class" for request in session.requests)
    photos = [
        ("photo", "This photo", "Explain the photo on the left", "" if work.photo is not None else _NO_PHOTO),
        ("class", "All photos" if of_unit else "The class", f"The same question for {every}", refused),
    ]
    shown = "class" if work.of_class or asking else "photo"
    segments = [
        html.Button(
            words, type="button", title=reason or title, disabled=bool(reason) and of != shown,
            **sends("scope", of=of), **attributes(aria_pressed=str(of == shown).lower()),
        )
        for of, words, title, reason in photos
    ]  # fmt: skip
    switch = html.Div(segments, className="segments", role="group", **attributes(aria_label="Photos explained"))
    if work.photo is None or work.circuit is None or refused or library.atlas is None:
        return [switch]
    busy = any(request.kind == "beside-class" for request in session.requests)
    beside = button(
        "Comparing …" if busy else "What is special here?", "beside-class", className="small", disabled=busy,
        title=f"Compare the units shown for this photo with those shown for {every}",
    )  # fmt: skip
    return [switch, beside]


def _label_of(asked: int | Unit | None, library: Library) -> str:
    return library.network.label(asked) if isinstance(asked, int) and asked < len(library.network.labels) else ""


def _scope(session: Session, payload: PhotosAsked, library: Library) -> Session:
    """Ask the same question of the class, or go back to the photo."""
    if payload.of not in ("photo", "class"):
        raise InputError(f"{payload.of!r} is not what a question can be asked of; there is photo and class.")
    if (payload.of == "class") == session.work.of_class:
        return replace(session, requests=tuple(each for each in session.requests if each.kind != "class"))
    if payload.of == "class":
        asked = class_asked(session)
        if refused := why_not_class(session, library):
            raise InputError(refused)
        return session if asked is None else ask_for_class(session, asked, library)
    behind = session.work.behind
    if behind is None:
        raise InputError(_NO_PHOTO)
    if behind.circuit is not None:
        return replace(session.changed(behind), requests=())
    return requested(session, "why", Wish(written(target_of(circuit_of(session)))), keep=())


def _beside(session: Session, payload: NoPayload, library: Library) -> Session:
    """Compare the photo with its class."""
    asked = class_asked(session)
    if session.work.photo is None:
        raise InputError(_NO_PHOTO)
    if asked is None or (refused := why_not_class(session, library)):
        raise InputError(why_not_class(session, library) if asked is None else refused)
    return ask_for_class(session, asked, library, kind="beside-class")


def _of_class(session: Session, request: Request, library: Library, progress: Progress) -> Work:
    circuit = atlas_library.circuit_of_class(library.of_atlas(), request.payload.of, request.choices)
    return with_class(session.work, circuit, library)


def _with_class(session: Session, request: Request, work: Work) -> Session:
    return replace(session.changed(work), showing=replace(session.showing, page="circuit", unit=""))


def _compared(session: Session, request: Request, library: Library, progress: Progress) -> Session:
    """The class on the left, and on the right the photo, traced as the class is."""
    usual = atlas_library.circuit_of_class(library.of_atlas(), request.payload.of, request.choices)
    work = session.work
    photo = (work.behind or work) if work.of_class else work
    assert photo.photo is not None
    circuit, told = photo.circuit, usual.settings
    if circuit is None or circuit.root != usual.root or circuit.layers != usual.layers or not _as(circuit, told):
        circuit = library.like_class(photo.photo, usual, progress)
    chosen = photo.selected if photo.selected in circuit.visible else circuit.root
    return replace(session, work=replace(photo, circuit=circuit, selected=chosen, edge=None), beside=usual)


def _as(circuit: Any, told: Any) -> bool:
    """Whether a circuit was traced with these settings."""
    return all(
        getattr(circuit.settings, name) == getattr(told, name) for name in ("mode", "baseline", "top", "signs", "depth")
    )


def _with_compared(session: Session, request: Request, found: Session) -> Session:
    shown = session if found.work.circuit is session.work.circuit else session.changed(found.work)
    return replace(shown, beside=found.beside, showing=replace(session.showing, page="compare", unit=""))


def _label(session: Session, payload: OfClass, library: Library) -> str:
    return f"The circuit of {payload.unit or library.network.label(payload.number)}"


ACTIONS = {"scope": ActionType(PhotosAsked, _scope), "beside-class": ActionType(NoPayload, _beside)}
REQUESTS = {
    "class": RequestType(_label, _of_class, _with_class, independent=True),
    "beside-class": RequestType(_label, _compared, _with_compared, independent=True),
}
