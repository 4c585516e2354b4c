"""What a person can do with how the circuit is drawn: lock units in place, and fold near-duplicates into one."""

from dataclasses import dataclass, replace

from circuits.errors import InputError
from dashboard.library import Library
from dashboard.session.actions import ActionType, NoPayload, OnUnit, circuit_of, node_of
from dashboard.session.state import Session


@dataclass(frozen=True)
class Place:
    """A place for a unit in the drawing, in its own pixels."""

    unit: str
    x: float
    y: float


@dataclass(frozen=True)
class Units:
    """Units by their ids."""

    units: tuple[str, ...] = ()


def _lock(session: Session, payload: Place, library: Library) -> Session:
    name, place = node_of(session, payload.unit), (round(payload.x, 1), round(payload.y, 1))
    circuit = circuit_of(session)
    if circuit.nodes[name].place == place:
        return session
    return session.changed(replace(session.work, circuit=circuit.with_place(name, place)))


def _release(session: Session, payload: OnUnit, library: Library) -> Session:
    """Let a unit go where the page puts it."""
    name = node_of(session, payload.unit)
    circuit = circuit_of(session)
    if circuit.nodes[name].place is None:
        return session
    return session.changed(replace(session.work, circuit=circuit.with_place(name, None)))


def _release_all(session: Session, payload: NoPayload, library: Library) -> Session:
    circuit = circuit_of(session)
    locked = [node.id for node in circuit.nodes.values() if node.place is not None]
    if not locked:
        raise InputError("No unit is locked in place; drag one to lock it.")
    for name in locked:
        circuit = circuit.with_place(name, None)
    return session.changed(replace(session.work, circuit=circuit))


def _fold(session: Session, payload: Units, library: Library) -> Session:
    """Fold the near-duplicates of units into them."""
    names = frozenset(payload.units)
    unknown = sorted(names - circuit_of(session).visible)
    if unknown or not names:
        raise InputError(f"{', '.join(unknown) or 'Nothing'} is not a unit of this circuit; choose one in the graph.")
    if names <= session.work.folded:
        return session
    return session.changed(replace(session.work, folded=session.work.folded | names))


def _unfold(session: Session, payload: Units, library: Library) -> Session:
    """Show the members of folded groups again; without units those of every group."""
    names = frozenset(payload.units) or session.work.folded
    if names.isdisjoint(session.work.folded):
        return session
    return session.changed(replace(session.work, folded=session.work.folded - names))


ACTIONS = {
    "lock": ActionType(Place, _lock),
    "release": ActionType(OnUnit, _release),
    "release_all": ActionType(NoPayload, _release_all),
    "fold": ActionType(Units, _fold),
    "unfold": ActionType(Units, _unfold),
}
