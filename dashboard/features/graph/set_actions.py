"""What a person can do with several units: mark them, and put those that are marked under one name."""

from dataclasses import dataclass, replace

from circuits.errors import InputError
from circuits.tracing.named_sets import named_sets, with_named_set
from dashboard.library import Library
from dashboard.session.actions import ActionType, NoPayload, OnUnit, circuit_of, node_of
from dashboard.session.state import Session


@dataclass(frozen=True)
class SetName:
    """A set by its name."""

    name: str


@dataclass(frozen=True)
class Naming:
    """A name for the units that are marked; `before` is the name of the set that is changed, "" of a new one."""

    name: str
    before: str = ""


def marked(session: Session) -> tuple[str, ...]:
    """Ids of the units that are marked, as far as they are visible."""
    circuit = session.work.circuit
    return () if circuit is None else tuple(name for name in session.marked if name in circuit.visible)


def _mark(session: Session, payload: OnUnit, library: Library) -> Session:
    """Mark a unit, or take its mark away; the first one is marked together with the unit that is selected."""
    name, others = node_of(session, payload.unit), marked(session)
    circuit, selected = circuit_of(session), session.work.selected
    if not others and selected in circuit.visible and selected not in (circuit.root, name):
        others = (selected,)
    if name in others:
        return replace(session, marked=tuple(other for other in others if other != name))
    return replace(session, marked=(*others, name))


def _unmark(session: Session, payload: NoPayload, library: Library) -> Session:
    return replace(session, marked=())


def _mark_set(session: Session, payload: SetName, library: Library) -> Session:
    """Mark the units of a set, so that it can be changed."""
    units = next((each.units for each in named_sets(circuit_of(session)) if each.name == payload.name), ())
    if not units:
        raise InputError(f"There is no named set {payload.name!r} in this circuit.")
    return replace(session, marked=units)


def _name_set(session: Session, payload: Naming, library: Library) -> Session:
    units = marked(session)
    if not units:
        raise InputError("No unit is marked; click units with Shift held down, or press m on them, then name them.")
    circuit = with_named_set(circuit_of(session), payload.name, units, before=payload.before)
    return replace(session.changed(replace(session.work, circuit=circuit)), marked=())


def _drop_set(session: Session, payload: SetName, library: Library) -> Session:
    circuit = circuit_of(session)
    if payload.name not in [each.name for each in named_sets(circuit)]:
        return session
    return session.changed(replace(session.work, circuit=with_named_set(circuit, payload.name, [])))


ACTIONS = {
    "mark": ActionType(OnUnit, _mark),
    "unmark": ActionType(NoPayload, _unmark),
    "mark_set": ActionType(SetName, _mark_set),
    "name_set": ActionType(Naming, _name_set),
    "drop_set": ActionType(SetName, _drop_set),
}
