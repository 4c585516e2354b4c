"""What a person can do about the question: ask it, and choose how the next one is answered."""

from dataclasses import dataclass, replace
from typing import Any

from circuits.errors import InputError, listed
from circuits.tracing.circuit import Circuit
from circuits.tracing.targets import target_of
from circuits.units import Progress
from dashboard.choice_texts import BASELINES, METHODS, MODES, SIGNS, STARTS, without_means
from dashboard.features.target import scope
from dashboard.library import Library
from dashboard.session.actions import ActionType, RequestType
from dashboard.session.questions import Wish, written
from dashboard.session.selection import GROUPS, ask_for_class, groups_of, traced_like, why
from dashboard.session.state import STRONGEST, Request, Session

MOST = 99
BUDGETS = (20, 40, 80)
"""Units of a whole circuit that the page offers."""


@dataclass(frozen=True)
class SettingChange:
    """Settings of the page, as far as they are to be changed; those of tracing count from the next question on."""

    depth: int | None = None
    top: int | None = None
    signs: str | None = None
    mode: str | None = None
    baseline: str | None = None
    method: str | None = None
    start: str | None = None
    weak: float | None = None
    units: int | None = None


@dataclass(frozen=True)
class GroupCount:
    """Groups of each layer by which the page is to explain; 0 for channels."""

    groups: int


_NAMES = {"signs": SIGNS, "mode": MODES, "baseline": BASELINES, "method": METHODS, "start": STARTS}


def _set(session: Session, payload: SettingChange, library: Library) -> Session:
    given = {name: value for name, value in vars(payload).items() if value is not None}
    for name, value in given.items():
        if not _is_offered(name, value):
            raise InputError(f"{name} = {value!r} is not a setting that this page offers.")

    if given.get("baseline") == "mean" and library.mean() is None:
        raise InputError(without_means(library.network.name))

    def part(*names: str) -> dict[str, Any]:
        return {name: given[name] for name in names if name in given}

    budget = {"units": 0} if "top" in given else {}  # either so many below each, or so many in all
    changed = replace(
        session,
        choices=replace(session.choices, **budget | part("depth", "top", "signs", "mode", "units", "baseline")),
        looking=replace(session.looking, **part("method", "start")),
        showing=replace(session.showing, **part("weak")),
    )
    # The circuit of a class takes no time, so it follows at once; one by groups is from a file, and none of an atlas.
    by_channels = session.work.of_class and not (session.work.circuit and session.work.circuit.dictionaries)
    again = by_channels and library.atlas is not None and given.keys() & {"depth", "top", "signs"}
    asked = scope.class_asked(session) if again else None
    return changed if asked is None else ask_for_class(changed, asked, library)


def _is_offered(name: str, value: Any) -> bool:
    if name in _NAMES:
        return value in _NAMES[name]
    if name == "units":
        return value in BUDGETS
    return _is_step(value) if name == "weak" else 1 <= value <= MOST


def _is_step(weak: float) -> bool:
    """Whether edges can be hidden up to this share, in percent: in steps of a half."""
    return 0 <= weak <= STRONGEST and (2 * weak).is_integer()


def _why(session: Session, payload: Wish, library: Library) -> Session:
    return why(session, payload.target, library)


def _groups(session: Session, payload: GroupCount, library: Library) -> Session:
    """Explain the same target by groups of channels, or by channels again."""
    count = payload.groups
    if count not in (0, *GROUPS):
        raise InputError(f"{count} is no number of groups that this page offers; there is {listed(map(str, GROUPS))}.")
    if count == groups_of(session):
        return session
    if session.work.of_class:
        raise InputError(session.work.locked)
    circuit, asked = session.work.circuit, [each for each in session.requests if each.kind == "why"]
    chosen = replace(session, choices=replace(session.choices, groups=count))
    if circuit is None and not asked:
        return chosen
    target = asked[-1].payload.target if asked else written(target_of(circuit)) if circuit is not None else ""
    return why(chosen, target, library, groups=count)


def _root(session: Session, payload: Wish, library: Library) -> Session:
    """Ask why a unit fired, and show the graph that will answer."""
    asked = why(session, payload.target, library)
    return replace(asked, showing=replace(asked.showing, page="circuit", unit=""))


def _trace(session: Session, request: Request, library: Library, progress: Progress) -> Circuit:
    work = session.work
    if work.photo is None:
        raise InputError("There is no photo to explain; choose one first.")
    target = request.payload.target
    return library.trace(work.photo, target, request.choices, progress, like=traced_like(session, target, library))


def _with_traced(session: Session, request: Request, circuit: Circuit) -> Session:
    work = session.work.behind if session.work.of_class and session.work.behind is not None else session.work
    return session.changed(replace(work, circuit=circuit, selected=circuit.root, edge=None))


def _label(session: Session, payload: Wish, library: Library) -> str:
    like = traced_like(session, payload.target, library)
    return f"Tracing {library.target(payload.target, like=like).label}"


ACTIONS = {
    "set": ActionType(SettingChange, _set),
    "groups": ActionType(GroupCount, _groups),
    "why": ActionType(Wish, _why),
    "root": ActionType(Wish, _root),
    **scope.ACTIONS,
}
REQUESTS = {"why": RequestType(_label, _trace, _with_traced, independent=True), **scope.REQUESTS}
