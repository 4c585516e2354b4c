"""What a person can do with two circuits: hold one beside the page's, take it away, and swap them."""

from dataclasses import replace

from circuits.errors import InputError
from circuits.tracing.circuit import Circuit
from dashboard.library import Library
from dashboard.session.actions import ActionType, NoPayload, circuit_of
from dashboard.session.showing import work_of
from dashboard.session.state import Session


def _hold(session: Session, payload: NoPayload, library: Library) -> Session:
    return replace(session, beside=circuit_of(session))


def _forget(session: Session, payload: NoPayload, library: Library) -> Session:
    return replace(session, beside=None)


def _swap(session: Session, payload: NoPayload, library: Library) -> Session:
    """Put the held circuit onto the page, and hold the page's."""
    held, circuit = session.beside, session.work.circuit
    if held is None or circuit is None:
        raise InputError("There are no two circuits to swap; pin one first.")
    own = library.home(held)
    work = replace(work_of(held, own, session.work), circuit=held)
    return replace(session.changed(work), beside=circuit, requests=(), paused=False)


def with_other_circuit(session: Session, circuit: Circuit, library: Library) -> Session:
    """The session with a circuit from a file to compare the page's with, whatever its network."""
    held = circuit if library.fit.why_locked(circuit) else library.warmed(circuit)
    return replace(session, beside=held, showing=replace(session.showing, page="compare"))


ACTIONS = {
    "hold": ActionType(NoPayload, _hold),
    "forget": ActionType(NoPayload, _forget),
    "swap": ActionType(NoPayload, _swap),
}
