"""What a person can do, as functions from a session to the next one. Nothing here waits for the network.

Work for the network (`why`, `expand`) is only noted, as an `Ask`; the worker calls `answer`, which may take
long, and the result enters the session through `settle`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from circuits.circuit import Circuit
from circuits.errors import InputError
from circuits.images import Photo
from dashboard.evidence import METHODS, STARTS
from dashboard.explorer import MODES, SIGNS, Explorer
from dashboard.jobs import Progress
from dashboard.sessions import Ask, Choices, Session, Work
from dashboard.view import edges_from

MORE = 5
MOST = 99


@dataclass(frozen=True)
class Action:
    """One thing that a person did: its kind and what it was done to."""

    kind: str
    subject: str = ""


def apply(session: Session, action: Action, explorer: Explorer) -> Session:
    """The session after an action.

    Args:
        session: before.
        action: what was done.
        explorer: the library, for what takes no time.

    Raises:
        CircuitsError: if it cannot be done; the sentence says why.
    """
    handler = _HANDLERS.get(action.kind)
    if handler is None:
        raise InputError(f"{action.kind!r} is not something this page can do; it knows {', '.join(_HANDLERS)}.")
    return handler(session, action.subject, explorer)


def with_photo(session: Session, photo: Photo, explorer: Explorer) -> Session:
    """The session with another photo and the network's predictions for it; its circuit is gone (undo helps)."""
    work = Work(photo=photo, predictions=explorer.predict(photo))
    changed = session.changed(work) if session.work.photo is not None else replace(session, work=work)
    return replace(changed, asks=(), paused=False)


def with_circuit(session: Session, circuit: Circuit, explorer: Explorer) -> Session:
    """The session with a circuit from a file; one of another network can be looked at but not expanded."""
    locked = explorer.why_locked(circuit)
    work = Work(
        photo=explorer.photo_of(circuit),
        predictions=circuit.predictions,
        circuit=circuit if locked else explorer.warmed(circuit),
        selected=circuit.root,
        locked=locked,
    )
    empty = session.work.photo is None and session.work.circuit is None
    changed = replace(session, work=work) if empty else session.changed(work)
    return replace(changed, asks=(), paused=False)


def answer(session: Session, ask: Ask, explorer: Explorer, progress: Progress) -> Circuit:
    """Work out an ask; takes as long as the network needs.

    Raises:
        CircuitsError: if the library refuses.
    """
    if ask.kind == "why":
        if session.work.photo is None:
            raise InputError("There is no photo to explain; choose one first.")
        return explorer.trace(session.work.photo, int(ask.subject), ask.choices, progress)
    return explorer.expand(_circuit(session), ask.subject, ask.choices)


def settle(session: Session, ask: Ask, circuit: Circuit) -> Session:
    """The session with the answer to an ask; unchanged if the ask was dropped meanwhile."""
    if ask not in session.asks:
        return session
    work = replace(session.work, circuit=circuit)
    done = session.changed(replace(work, selected=circuit.root, edge=None) if ask.kind == "why" else work)
    return replace(done, asks=_without(session.asks, ask))


def fail(session: Session, ask: Ask) -> Session:
    """The session after an ask that could not be answered."""
    if ask not in session.asks:
        return session
    return replace(session, asks=_without(session.asks, ask))


def _without(asks: tuple[Ask, ...], ask: Ask) -> tuple[Ask, ...]:
    return tuple(other for other in asks if other != ask)


def _circuit(session: Session) -> Circuit:
    circuit = session.work.circuit
    if circuit is None:
        raise InputError("There is no circuit yet; press why? beside a prediction first.")
    return circuit


def _node(session: Session, name: str) -> str:
    """The id of the node that is meant: the one named, or else the selected one."""
    circuit = _circuit(session)
    meant = name or session.work.selected
    if meant not in circuit.nodes:
        raise InputError(f"{meant or 'Nothing'} is not a unit of this circuit; choose one in the graph.")
    return meant


def _same(session: Session, subject: str, explorer: Explorer) -> Session:
    return session


def _example(session: Session, subject: str, explorer: Explorer) -> Session:
    return with_photo(session, explorer.example(subject), explorer)


def _ask(session: Session, kind: str, subject: str, choices: Choices, keep: tuple[Ask, ...]) -> Session:
    ask = Ask(session.asked + 1, kind, subject, choices)
    return replace(session, asks=(*keep, ask), asked=ask.number, paused=False)


def _why(session: Session, subject: str, explorer: Explorer) -> Session:
    if session.work.photo is None:
        raise InputError("There is no photo to explain; choose one first.")
    if session.work.locked:
        raise InputError(session.work.locked)
    if not subject.isdigit():
        raise InputError(f"{subject!r} is not the number of a class.")
    return _ask(session, "why", str(int(subject)), session.choices, ())


def _select(session: Session, subject: str, explorer: Explorer) -> Session:
    """Choose a unit; without a name, leave the chosen edge, or else choose none."""
    work, circuit = session.work, session.work.circuit
    if circuit is None or (subject and subject not in circuit.visible):
        return session
    if not subject and work.edge is not None:
        return replace(session, work=replace(work, edge=None))
    if subject == work.selected and work.edge is None:
        return session
    before = work.edge[1] if work.edge is not None else work.selected
    above = {edge.target for edge in edges_from(circuit, subject)}
    came_from = before if before in above else work.came_from if subject == work.selected else ""
    return replace(session, work=replace(work, selected=subject, edge=None, came_from=came_from))


def _edge(session: Session, subject: str, explorer: Explorer) -> Session:
    """Choose an edge, written `lower upper`."""
    lower, _, upper = subject.partition(" ")
    circuit = _circuit(session)
    if upper not in circuit.visible or all(edge.target != upper for edge in edges_from(circuit, lower)):
        raise InputError(f"{subject or 'Nothing'} is not an edge of this circuit; choose one in the graph.")
    if session.work.edge == (lower, upper):
        return session
    return replace(session, work=replace(session.work, edge=(lower, upper)))


def _expand(session: Session, subject: str, explorer: Explorer) -> Session:
    name = _node(session, subject)
    session = _select(session, name, explorer)
    if _circuit(session).nodes[name].expanded:
        return session
    return _ask_to_expand(session, name, explorer, session.choices)


def _more(session: Session, subject: str, explorer: Explorer) -> Session:
    """Expand a unit again, with more units below it."""
    name = _node(session, subject)
    circuit = _circuit(session)
    # Units that were discarded count: the strongest are found again before any further one.
    found = len(circuit.edges_into(name))
    return _ask_to_expand(session, name, explorer, replace(session.choices, top=found + MORE))


def _ask_to_expand(session: Session, name: str, explorer: Explorer, choices: Choices) -> Session:
    reason = explorer.why_not_expand(_circuit(session), name, session.work.locked)
    if reason:
        raise InputError(reason)
    if any(ask.kind == "expand" and ask.subject == name for ask in session.asks):
        return session
    return _ask(session, "expand", name, choices, session.asks)


def _discard(session: Session, subject: str, explorer: Explorer) -> Session:
    name = _node(session, subject)
    circuit = _circuit(session)
    if name == circuit.root:
        raise InputError(f"{circuit.nodes[name].label} is what the circuit explains; it cannot be discarded.")
    if circuit.nodes[name].discarded:
        return session
    smaller = explorer.discard(circuit, name)
    parent = next((edge.target for edge in edges_from(circuit, name)), "")
    selected = session.work.selected
    if selected not in smaller.visible:
        selected = parent if parent in smaller.visible else smaller.root
    edge = session.work.edge
    kept = edge if edge is not None and smaller.visible.issuperset(edge) else None
    return session.changed(replace(session.work, circuit=smaller, selected=selected, edge=kept))


def _restore(session: Session, subject: str, explorer: Explorer) -> Session:
    circuit = _circuit(session)
    if subject not in circuit.nodes or not circuit.nodes[subject].discarded:
        raise InputError(f"{subject or 'Nothing'} is not a discarded unit of this circuit.")
    larger = explorer.restore(circuit, subject)
    selected = subject if subject in larger.visible else session.work.selected
    return session.changed(replace(session.work, circuit=larger, selected=selected, edge=None))


def _undo(session: Session, subject: str, explorer: Explorer) -> Session:
    if session.asks:
        return replace(session, asks=())
    if not session.past:
        return session
    *past, work = session.past
    return replace(session, work=work, past=tuple(past), future=(*session.future, session.work))


def _redo(session: Session, subject: str, explorer: Explorer) -> Session:
    if not session.future:
        return session
    *future, work = session.future
    return replace(session, work=work, past=(*session.past, session.work), future=tuple(future), asks=())


def _pause(session: Session, subject: str, explorer: Explorer) -> Session:
    return replace(session, paused=True, asks=())


def _resume(session: Session, subject: str, explorer: Explorer) -> Session:
    return replace(session, paused=False)


def _set(session: Session, subject: str, explorer: Explorer) -> Session:
    """Change a setting, written `name=value`; it counts from the next why? on."""
    name, _, value = subject.partition("=")
    if name == "pictures" and value in ("on", "off"):
        return replace(session, embed=value == "on")
    if name in ("depth", "top") and value.isdigit() and 1 <= int(value) <= MOST:
        counted = int(value)
        depth, top = (counted, session.choices.top) if name == "depth" else (session.choices.depth, counted)
        return replace(session, choices=replace(session.choices, depth=depth, top=top))
    if name == "method" and value in METHODS:
        return replace(session, looking=replace(session.looking, method=value))
    if name == "start" and value in STARTS:
        return replace(session, looking=replace(session.looking, start=value))
    if name == "signs" and value in SIGNS:
        return replace(session, choices=replace(session.choices, signs=value))
    if name == "mode" and value in MODES:
        return replace(session, choices=replace(session.choices, mode=value))
    raise InputError(f"{subject!r} is not a setting that this page offers.")


_HANDLERS: dict[str, Callable[[Session, str, Explorer], Session]] = {
    "open": _same,
    "refresh": _same,
    "look": _same,
    "example": _example,
    "why": _why,
    "select": _select,
    "edge": _edge,
    "expand": _expand,
    "more": _more,
    "discard": _discard,
    "restore": _restore,
    "undo": _undo,
    "redo": _redo,
    "pause": _pause,
    "resume": _resume,
    "set": _set,
}
