"""What a person can do with the page: settings, the middle pane's pages, and rendering."""

import re
from dataclasses import replace

from circuits.errors import InputError
from dashboard.features.graph.weak import STRONGEST
from dashboard.features.unit.evidence import METHODS, STARTS
from dashboard.library import MODES, SIGNS, Explorer
from dashboard.session.acting import Handler
from dashboard.session.state import PAGES, Session

MOST = 99
_HALVES = re.compile(r"\d{1,3}(\.[05])?")


def _same(session: Session, subject: str, explorer: Explorer) -> Session:
    return session


def _pause(session: Session, subject: str, explorer: Explorer) -> Session:
    scoring = replace(session.scoring, stopped=True) if session.scoring is not None else None
    return replace(session, paused=True, asks=(), scoring=scoring)


def _resume(session: Session, subject: str, explorer: Explorer) -> Session:
    return replace(session, paused=False)


def _set(session: Session, subject: str, explorer: Explorer) -> Session:
    """Change a setting, written `name=value`; it counts from the next why? on."""
    name, _, value = subject.partition("=")
    if name in ("depth", "top") and value.isdigit() and 1 <= int(value) <= MOST:
        counted = int(value)
        depth, top = (counted, session.choices.top) if name == "depth" else (session.choices.depth, counted)
        return replace(session, choices=replace(session.choices, depth=depth, top=top))
    if name == "method" and value in METHODS:
        return replace(session, looking=replace(session.looking, method=value))
    if name == "start" and value in STARTS:
        return replace(session, looking=replace(session.looking, start=value))
    if name == "weak" and _HALVES.fullmatch(value) and float(value) <= STRONGEST:
        return replace(session, showing=replace(session.showing, weak=float(value)))
    if name == "signs" and value in SIGNS:
        return replace(session, choices=replace(session.choices, signs=value))
    if name == "mode" and value in MODES:
        return replace(session, choices=replace(session.choices, mode=value))
    raise InputError(f"{subject!r} is not a setting that this page offers.")


def _page(session: Session, subject: str, explorer: Explorer) -> Session:
    """Show another page in the middle."""
    if subject not in PAGES:
        raise InputError(f"{subject!r} is not a page; there is {', '.join(PAGES)}.")
    return replace(session, showing=replace(session.showing, page=subject))


HANDLERS: dict[str, Handler] = {
    "open": _same,
    "refresh": _same,
    "look": _same,
    "again": _same,
    "pause": _pause,
    "resume": _resume,
    "set": _set,
    "page": _page,
}
