"""Actions and requests: what a person did, as a typed payload, and what the network is then to work out.

1. An action arrives as JSON, `{"kind": …, "payload": {…}}`. Its kind names an `ActionType`, which reads the payload
   into a frozen dataclass and applies it: a function from a session to the next one that never waits for the network.
2. What takes the network longer is only noted in the session, as a `Request`. A worker runs it, and commits the result
   to whatever session there is by then.

Features declare their kinds in `ACTIONS` and `REQUESTS`; `Reducer` puts them together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

from circuits.errors import InputError, listed
from circuits.tracing.circuit import Circuit
from circuits.units import Progress
from dashboard.session.state import Choices, Request, Session, Work

if TYPE_CHECKING:
    from dashboard.library import Library


_LARGEST = 1e300


@dataclass(frozen=True)
class Action:
    """One thing that a person did: its kind and what it was done to."""

    kind: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class NoPayload:
    """The kind says it all."""


@dataclass(frozen=True)
class OnUnit:
    """A unit of the circuit by the id of its node, or of the network by its address; "" is the chosen one, or none."""

    unit: str = ""


@dataclass(frozen=True)
class ActionType:
    """How an action of a kind is read and applied.

    Args:
        payload: a dataclass of strings, numbers, tuples of them, or `None`.
        apply: from a session, the payload and the library to the next session; raises `CircuitsError` to refuse.
    """

    payload: type
    apply: Callable[[Session, Any, "Library"], Session]


@dataclass(frozen=True)
class RequestType:
    """How a request of a kind is worked out.

    Args:
        label: what is being done, in words.
        run: works it out; may take long, and calls its last argument, which raises to stop it.
        commit: takes the result into the newest session.
        independent: the result does not depend on the circuit that is on the page.
        remark: what to say of the sessions before and after; "" for nothing.
        loads: whether a network has to be loaded for a payload, which is done beside all else, in a queue of its own.
    """

    label: Callable[[Session, Any, "Library"], str]
    run: Callable[[Session, Request, "Library", Progress], Circuit | Work | Session]
    commit: Callable[[Session, Request, Any], Session] = lambda session, request, circuit: with_result(session, circuit)
    independent: bool = False
    remark: Callable[[Session, Session, Request], str] = lambda before, after, request: ""
    loads: Callable[[Any], bool] = lambda payload: False


class Reducer:
    """All kinds of actions and requests of a page."""

    def __init__(self, actions: Mapping[str, ActionType], requests: Mapping[str, RequestType]) -> None:
        self.actions = dict(actions)
        self.requests = dict(requests)

    def apply(self, session: Session, action: Action, library: "Library") -> Session:
        """The session after an action.

        Raises:
            CircuitsError: if there is no such action, its payload does not fit, or it cannot be done now.
        """
        kind = self.actions.get(action.kind)
        if kind is None:
            raise InputError(f"{action.kind!r} is not something this page can do; it knows {listed(self.actions)}.")
        return kind.apply(session, read_payload(action, kind.payload), library)

    def label(self, session: Session, request: Request, library: "Library") -> str:
        """What is done for a request, in words."""
        return self.requests[request.kind].label(session, request.payload, library)

    def run(
        self, session: Session, request: Request, library: "Library", progress: Progress
    ) -> Circuit | Work | Session:
        """Work out a request; takes as long as the network needs.

        Raises:
            CircuitsError: if the library refuses.
        """
        return self.requests[request.kind].run(session, request, library, progress)

    def commit(self, session: Session, request: Request, result: Circuit | Work | Session) -> Session:
        """The session with the result of a request; unchanged if the request was dropped meanwhile."""
        if request not in session.requests:
            return session
        return drop(self.requests[request.kind].commit(session, request, result), request)


def drop(session: Session, request: Request) -> Session:
    """The session without a request, which was answered or cannot be."""
    if request not in session.requests:
        return session
    return replace(session, requests=tuple(other for other in session.requests if other != request))


def with_result(session: Session, circuit: Circuit) -> Session:
    """The session with another circuit of the same target."""
    return session.changed(replace(session.work, circuit=circuit))


def requested(
    session: Session,
    kind: str,
    payload: object,
    *,
    choices: Choices | None = None,
    keep: Sequence[Request] | None = None,
) -> Session:
    """The session with something to work out.

    Args:
        session: before.
        kind: of the request.
        payload: what of.
        choices: how; the session's, if `None`.
        keep: the requests that go on beside it; all, if `None`, and then nothing is worked out twice.
    """
    if keep is None and session.is_waiting(kind, payload):
        return session
    request = Request(session.requested + 1, kind, payload, choices or session.choices)
    others = session.requests if keep is None else keep
    return replace(session, requests=(*others, request), requested=request.number, paused=False)


def circuit_of(session: Session) -> Circuit:
    """The circuit on the page.

    Raises:
        InputError: if there is none.
    """
    circuit = session.work.circuit
    if circuit is None:
        raise InputError("There is no circuit yet; press why? beside a prediction first.")
    return circuit


def node_of(session: Session, name: str) -> str:
    """The id of the node that is meant: the one named, or else the selected one.

    Raises:
        InputError: if it is not in the circuit.
    """
    circuit = circuit_of(session)
    meant = name or session.work.selected
    if meant not in circuit.nodes:
        raise InputError(f"{meant or 'Nothing'} is not a unit of this circuit; choose one in the graph.")
    return meant


def read_payload(action: Action, kind: type) -> Any:
    """The payload of an action as a value of its dataclass; fields that are not given keep their defaults.

    Raises:
        InputError: if a field is unknown, missing or of another type, or a number is not finite.

    Example:
        >>> read_payload(Action("expand", {"unit": "conv4:17"}), OnUnit)
        OnUnit(unit='conv4:17')
    """
    known = {field.name: field for field in fields(kind)}
    values = {}
    for name, value in action.payload.items():
        if name not in known or not _fits(value, known[name].type):
            wanted = ", ".join(f"{field.name}: {_type_name(field.type)}" for field in known.values()) or "nothing"
            raise InputError(f"{action.kind!r} takes {wanted}; the page sent {name} = {str(value)[:40]!r}.")
        values[name] = _read(value, known[name].type)
    try:
        return kind(**values)
    except TypeError:
        sent = ", ".join(values) or "nothing"
        raise InputError(f"{action.kind!r} needs {', '.join(known)}; the page sent {sent}.") from None


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a JSON value is of a field's type."""
    if isinstance(wanted, UnionType):
        return any(_fits(value, each) for each in get_args(wanted))
    if get_origin(wanted) is tuple:
        parts = get_args(wanted)
        if not isinstance(value, list) or (parts[-1] is not Ellipsis and len(value) != len(parts)):
            return False
        return all(_fits(each, parts[0]) for each in value)
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return value is None if wanted is type(None) else isinstance(value, wanted)


def _read(value: Any, wanted: Any) -> Any:
    """A JSON value that fits as Python has it: a list as a tuple, a whole number as a float where one is wanted."""
    kinds = get_args(wanted) if isinstance(wanted, UnionType) else (wanted,)
    if isinstance(value, list) and wanted is not object:
        [parts] = [get_args(kind) for kind in kinds if get_origin(kind) is tuple]
        return tuple(_read(each, parts[0]) for each in value)
    return float(value) if float in kinds and isinstance(value, int) else value


def _type_name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind)) if get_origin(kind) is None else str(kind)
