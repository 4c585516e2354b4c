"""What a person can do with the circuit: choose in it, grow and prune it, and take a step back."""

from dataclasses import replace

import circuits
from circuits.errors import InputError
from circuits.tracing.circuit import Circuit
from dashboard.features.graph.picture_settings import manner_of
from dashboard.features.graph.view import closed, edges_from
from dashboard.features.graph.weak import reached
from dashboard.features.target.questions import written
from dashboard.library import Explorer
from dashboard.session.acting import Handler, asked, circuit_of, node_of
from dashboard.session.state import Ask, Choices, Session
from dashboard.work.queue import Progress

MORE = 5
MANY = 400
"""Units that the page shows at once; growing stops there."""
LEVELS = 3
"""Levels that a circuit grows by at once."""


def _why(session: Session, subject: str, explorer: Explorer) -> Session:
    if session.work.photo is None:
        raise InputError("There is no photo to explain; choose one first.")
    if session.work.locked:
        raise InputError(session.work.locked)
    return asked(session, "why", written(explorer.target(subject, like=session.work.circuit)), session.choices, ())


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
    circuit = circuit_of(session)
    if upper not in circuit.visible or all(edge.target != upper for edge in edges_from(circuit, lower)):
        raise InputError(f"{subject or 'Nothing'} is not an edge of this circuit; choose one in the graph.")
    if session.work.edge == (lower, upper):
        return session
    return replace(session, work=replace(session.work, edge=(lower, upper)))


def _expand(session: Session, subject: str, explorer: Explorer) -> Session:
    name = node_of(session, subject)
    session = _select(session, name, explorer)
    if circuit_of(session).nodes[name].expanded:
        return session
    return _ask_to_expand(session, name, explorer, manner_of(session, name))


def _more(session: Session, subject: str, explorer: Explorer) -> Session:
    """Expand a unit again, with more units below it."""
    name = node_of(session, subject)
    circuit = circuit_of(session)
    # Units that were discarded count: the strongest are found again before any further one.
    found = len(circuit.edges_into(name))
    return _ask_to_expand(session, name, explorer, replace(manner_of(session, name), top=found + MORE))


def _ask_to_expand(session: Session, name: str, explorer: Explorer, choices: Choices) -> Session:
    reason = explorer.why_not_expand(circuit_of(session), name, session.work.locked)
    if reason:
        raise InputError(reason)
    if any(ask.kind == "expand" and ask.subject == name for ask in session.asks):
        return session
    return asked(session, "expand", name, choices, session.asks)


def _level(session: Session, subject: str, explorer: Explorer) -> Session:
    """Expand every unit of a layer, by the layer's name or that of one of its units."""
    circuit = circuit_of(session)
    layer = circuit.nodes[subject].unit.layer if subject in circuit.nodes else subject
    if session.work.locked:
        raise InputError(session.work.locked)
    if layer in circuit.lowest:
        raise InputError(f"{layer} is the lowest layer: below it is only the image.")
    if not closed(circuit, layer):
        raise InputError(f"No unit of {layer or 'that layer'} is left to expand.")
    return _ask_to_grow(session, "level", layer)


def _grow(session: Session, subject: str, explorer: Explorer) -> Session:
    """Expand every unit, and again what is found, so many times."""
    if not subject.isdigit() or not 1 <= int(subject) <= LEVELS:
        raise InputError(f"{subject!r} is not a number of levels that a circuit grows by; that is 1 to {LEVELS}.")
    circuit = circuit_of(session)
    if session.work.locked:
        raise InputError(session.work.locked)
    if not closed(circuit):
        raise InputError("Every unit is expanded, down to the lowest layer.")
    return _ask_to_grow(session, "grow", subject)


def _ask_to_grow(session: Session, kind: str, subject: str) -> Session:
    refuse_if_many(circuit_of(session), session.showing.weak, "The circuit shows")
    if any(ask.kind == kind and ask.subject == subject for ask in session.asks):
        return session
    return asked(session, kind, subject, session.choices, session.asks)


def refuse_if_many(circuit: Circuit, weak: float, what: str) -> None:
    """Refuse a circuit that shows more units than the page can.

    Args:
        circuit: the circuit.
        weak: edges with a smaller share, in percent, are hidden.
        what: how the sentence begins.

    Raises:
        InputError: if it shows more than `MANY`; the sentence says how many, and what helps.
    """
    count = len(reached(circuit, weak))
    if count > MANY:
        raise InputError(
            f"{what} {count} units, and circuits grow here to {MANY} at most: hide more weak edges, discard units, or "
            "set fewer units below each, then grow again."
        )


def grown(session: Session, ask: Ask, explorer: Explorer, progress: Progress) -> Circuit:
    """The circuit grown as an ask wants it: by a layer's units, or by some levels.

    Raises:
        InputError: if it would show more units than the page can.
    """
    circuit = circuit_of(session)
    layer = ask.subject if ask.kind == "level" else None
    for _ in range(1 if layer is not None else int(ask.subject)):
        if not closed(circuit, layer):
            break
        circuit = explorer.grow(circuit, layer, ask.choices, progress)
        refuse_if_many(circuit, session.showing.weak, "Grown so far, the circuit would show")
    return circuit


def _collapse(session: Session, subject: str, explorer: Explorer) -> Session:
    """Take an expansion back."""
    name = node_of(session, subject)
    smaller = circuits.collapse(circuit_of(session), name)
    work = session.work
    edge = work.edge if work.edge is not None and smaller.graph.has_edge(*work.edge) else None
    selected = work.selected if work.selected in smaller.visible else name
    return session.changed(replace(work, circuit=smaller, selected=selected, edge=edge))


def _discard(session: Session, subject: str, explorer: Explorer) -> Session:
    name = node_of(session, subject)
    circuit = circuit_of(session)
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
    circuit = circuit_of(session)
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


HANDLERS: dict[str, Handler] = {
    "why": _why,
    "select": _select,
    "edge": _edge,
    "expand": _expand,
    "more": _more,
    "level": _level,
    "grow": _grow,
    "collapse": _collapse,
    "discard": _discard,
    "restore": _restore,
    "undo": _undo,
    "redo": _redo,
}
