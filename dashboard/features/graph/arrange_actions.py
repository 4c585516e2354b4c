"""What a person can do with how the circuit is drawn: lock units in place, and fold near-duplicates into one."""

from dataclasses import replace

from circuits.errors import InputError
from dashboard.library import Explorer
from dashboard.session.acting import Handler, circuit_of, node_of
from dashboard.session.state import Session


def _lock(session: Session, subject: str, explorer: Explorer) -> Session:
    """Lock a unit in a place, written `unit x y`."""
    name, *place = subject.split(" ")
    name = node_of(session, name)
    try:
        x, y = (round(float(value), 1) for value in place)
    except ValueError:
        raise InputError(f"{subject!r} is not a place; write the unit and two numbers, such as c:3 120 340.") from None
    circuit = circuit_of(session)
    if circuit.nodes[name].place == (x, y):
        return session
    return session.changed(replace(session.work, circuit=circuit.with_place(name, (x, y))))


def _release(session: Session, subject: str, explorer: Explorer) -> Session:
    """Let a unit go where the page puts it."""
    name = node_of(session, subject)
    circuit = circuit_of(session)
    if circuit.nodes[name].place is None:
        return session
    return session.changed(replace(session.work, circuit=circuit.with_place(name, None)))


def _release_all(session: Session, subject: str, explorer: Explorer) -> Session:
    circuit = circuit_of(session)
    locked = [node.id for node in circuit.nodes.values() if node.place is not None]
    if not locked:
        raise InputError("No unit is locked in place; drag one to lock it.")
    for name in locked:
        circuit = circuit.with_place(name, None)
    return session.changed(replace(session.work, circuit=circuit))


def _fold(session: Session, subject: str, explorer: Explorer) -> Session:
    """Fold groups of near-duplicates into units, whose ids stand in a row."""
    names = frozenset(subject.split())
    unknown = sorted(names - circuit_of(session).visible)
    if unknown or not names:
        raise InputError(f"{', '.join(unknown) or 'Nothing'} is not a unit of this circuit; choose one in the graph.")
    if names <= session.work.folded:
        return session
    return session.changed(replace(session.work, folded=session.work.folded | names))


def _unfold(session: Session, subject: str, explorer: Explorer) -> Session:
    """Show the members of a folded group again, or without a unit those of every group."""
    names = frozenset(subject.split()) or session.work.folded
    if names.isdisjoint(session.work.folded):
        return session
    return session.changed(replace(session.work, folded=session.work.folded - names))


HANDLERS: dict[str, Handler] = {
    "lock": _lock,
    "release": _release,
    "release_all": _release_all,
    "fold": _fold,
    "unfold": _unfold,
}
