"""What every action needs: its name and subject, the circuit and unit that are meant, a note of what to work out."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from circuits.errors import InputError
from circuits.tracing.circuit import Circuit
from dashboard.library import Explorer
from dashboard.session.state import Ask, Choices, Session


@dataclass(frozen=True)
class Action:
    """One thing that a person did: its kind and what it was done to."""

    kind: str
    subject: str = ""


Handler = Callable[[Session, str, Explorer], Session]
"""From a session, the subject of an action and the library to the next session; raises `CircuitsError` to refuse."""


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


def asked(session: Session, kind: str, subject: str, choices: Choices, keep: tuple[Ask, ...]) -> Session:
    """The session with something to work out, beside those asks that are kept."""
    ask = Ask(session.asked + 1, kind, subject, choices)
    return replace(session, asks=(*keep, ask), asked=ask.number, paused=False)
