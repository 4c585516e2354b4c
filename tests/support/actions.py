"""Actions in short form for tests: a kind and a text, such as `lock` and `c:3 120 340`."""

import json
from types import SimpleNamespace
from typing import Any

from circuits.tracing.circuit import Circuit
from circuits.units import Progress
from dashboard.app import features, reducer
from dashboard.feature import Feature
from dashboard.features.photo.actions import with_photo as with_photo
from dashboard.library import Library
from dashboard.session import actions as real
from dashboard.session.showing import with_circuit as with_circuit
from dashboard.session.state import Request, Session, Work
from dashboard.work.evidence import Evidence
from dashboard.work.networks import Networks
from dashboard.work.results import Query, ResultStore

_FIELD = {
    "example": "name", "photo": "photo", "forget-photo": "photo", "point-layer": "layer", "why": "target",
    "root": "target", "level": "layer", "wall-layer": "layer", "wall-order": "order", "score": "over",
    "baseline": "baseline", "page": "page", "network": "network", "again": "query", "open": "session",
}  # fmt: skip
_OF_UNIT = ("select", "expand", "more", "collapse", "discard", "restore", "release", "measure", "unit", "mark")


def payload(kind: str, text: str = "") -> dict[str, Any]:
    """The payload of an action.

    Example:
        >>> payload("lock", "c:3 120 340"), payload("set", "top=3"), payload("edge", "c:1 d:2")
        ({'unit': 'c:3', 'x': 120, 'y': 340}, {'top': 3}, {'lower': 'c:1', 'upper': 'd:2'})
    """
    if not text:
        return {}
    if kind in _OF_UNIT or kind in _FIELD:
        return {_FIELD.get(kind, "unit"): text}
    if kind in ("fold", "unfold"):
        return {"units": text.split()}
    if kind in ("grow", "look", "groups"):
        return {{"grow": "levels", "look": "revision", "groups": "groups"}[kind]: value(text)}
    if kind in ("crop", "point"):
        return {"window" if kind == "crop" else "at": [value(part) for part in text.split(",")]}
    if kind == "set":
        name, _, rest = text.partition("=")
        return {name: value(rest)}
    first, *rest = text.split(" ", 2 if kind in ("name", "note") else -1)
    if kind == "edge":
        return {"lower": first, "upper": rest[0] if rest else ""}
    if kind == "lock":
        return {"unit": first, **dict(zip(("x", "y", "more"), map(value, rest), strict=False))}
    if kind in ("name", "note"):
        return {"edit": first, "unit": rest[0], "text": rest[1] if len(rest) > 1 else ""}
    if kind == "expansion":
        name, _, chosen = rest[0].partition("=")
        return {"unit": first, name: value(chosen)}
    return {"unit": first, "kind": rest[0] if rest else ""} if kind == "pictures" else {"subject": text}


def value(text: str) -> Any:
    """A number if it is one."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def does(kind: str, text: str = "") -> dict[str, str]:
    """The attributes of an element that sends an action."""
    return {"data-action": kind, "data-payload": json.dumps(payload(kind, text))}


def Action(kind: str, text: str = "") -> real.Action:  # noqa: N802  # stands for the class
    """An action in short form."""
    return real.Action(kind, payload(kind, text))


def _features(library: Library) -> tuple[Feature, ...]:
    """The features of a page whose only network is that of the library."""
    alone = Networks(library.name, library.network, (), lambda *made: SimpleNamespace(library=library))  # type: ignore[return-value, arg-type]
    return features(library, alone, lambda link, library: None)


def apply(session: Session, action: real.Action, library: Library) -> Session:
    """The session after an action."""
    return reducer(_features(library)).apply(session, action, library)


def run(session: Session, request: Request, library: Library, progress: Progress) -> Circuit | Work:
    """The result of a request."""
    return reducer(_features(library)).run(session, request, library, progress)


def commit(session: Session, request: Request, result: Circuit | Work, library: Library) -> Session:
    """The session with a result."""
    return reducer(_features(library)).commit(session, request, result)


def subject(request: Request) -> Any:
    """What a request is about: the first field of its payload."""
    return next(iter(vars(request.payload).values()))


def wanted(session: Session, evidence: Evidence) -> list[Query]:
    """What is to be found out for a session, the first first."""
    work = SimpleNamespace(library=evidence.library, evidence=evidence, results=ResultStore())
    found = [query for feature in _features(evidence.library) for query in feature.queries(session, work)]
    return sorted(found, key=lambda query: query.rank)
