"""What a person can do about the question: ask it, and choose how the next one is answered."""

from dataclasses import dataclass, replace
from typing import Any

from circuits.errors import InputError
from circuits.tracing.circuit import Circuit
from circuits.units import Progress
from dashboard.library import METHODS, MODES, SIGNS, STARTS, Library
from dashboard.session.actions import ActionType, RequestType, with_result
from dashboard.session.questions import Wish
from dashboard.session.selection import why
from dashboard.session.state import STRONGEST, Request, Session

MOST = 99


@dataclass(frozen=True)
class SettingChange:
    """SettingChange of the page, as far as they are to be changed; those of tracing count from the next question on."""

    depth: int | None = None
    top: int | None = None
    signs: str | None = None
    mode: str | None = None
    method: str | None = None
    start: str | None = None
    weak: float | None = None


_NAMES = {"signs": SIGNS, "mode": MODES, "method": METHODS, "start": STARTS}


def _set(session: Session, payload: SettingChange, library: Library) -> Session:
    given = {name: value for name, value in vars(payload).items() if value is not None}
    for name, value in given.items():
        offered = value in _NAMES[name] if name in _NAMES else _is_step(value) if name == "weak" else 1 <= value <= MOST
        if not offered:
            raise InputError(f"{name} = {value!r} is not a setting that this page offers.")

    def part(*names: str) -> dict[str, Any]:
        return {name: given[name] for name in names if name in given}

    return replace(
        session,
        choices=replace(session.choices, **part("depth", "top", "signs", "mode")),
        looking=replace(session.looking, **part("method", "start")),
        showing=replace(session.showing, **part("weak")),
    )


def _is_step(weak: float) -> bool:
    """Whether edges can be hidden up to this share, in percent: in steps of a half."""
    return 0 <= weak <= STRONGEST and (2 * weak).is_integer()


def _why(session: Session, payload: Wish, library: Library) -> Session:
    return why(session, payload.target, library)


def _root(session: Session, payload: Wish, library: Library) -> Session:
    """Ask why a unit fired, and show the graph that will answer."""
    asked = why(session, payload.target, library)
    return replace(asked, showing=replace(asked.showing, page="circuit", unit=""))


def _trace(session: Session, request: Request, library: Library, progress: Progress) -> Circuit:
    work = session.work
    if work.photo is None:
        raise InputError("There is no photo to explain; choose one first.")
    return library.trace(work.photo, request.payload.target, request.choices, progress, like=work.circuit)


def _with_traced(session: Session, request: Request, circuit: Circuit) -> Session:
    traced = with_result(session, circuit)
    return replace(traced, work=replace(traced.work, selected=circuit.root, edge=None))


def _label(session: Session, payload: Wish, library: Library) -> str:
    return f"Tracing {library.target(payload.target, like=session.work.circuit).label}"


ACTIONS = {
    "set": ActionType(SettingChange, _set),
    "why": ActionType(Wish, _why),
    "root": ActionType(Wish, _root),
}
REQUESTS = {"why": RequestType(_label, _trace, _with_traced, independent=True)}
