"""What a person can do with the wall of a layer's units and with two circuits side by side, and what is meant there."""

from dataclasses import replace

from circuits.errors import InputError
from circuits.tracing.circuit import Circuit
from dashboard.library import Explorer
from dashboard.session.acting import circuit_of
from dashboard.session.state import Session, Work


def _hold(session: Session, subject: str, explorer: Explorer) -> Session:
    """Keep the circuit, to compare it with those that come."""
    return replace(session, beside=circuit_of(session))


def _forget(session: Session, subject: str, explorer: Explorer) -> Session:
    return replace(session, beside=None)


def _swap(session: Session, subject: str, explorer: Explorer) -> Session:
    """Put the held circuit onto the page, and hold the page's."""
    held, circuit = session.beside, session.work.circuit
    if held is None or circuit is None:
        raise InputError("There are no two circuits to swap; hold one first.")
    work = Work(held.photo, held.predictions, held, held.root, explorer.why_locked(held))
    return replace(session.changed(work), beside=circuit, asks=(), paused=False)


def with_beside(session: Session, circuit: Circuit, explorer: Explorer) -> Session:
    """The session with a circuit from a file to compare the page's with, whatever its network."""
    held = circuit if explorer.why_locked(circuit) else explorer.warmed(circuit)
    return replace(session, beside=held, showing=replace(session.showing, page="compare"))
