"""What waits for a network to be loaded: a choice in the menu, a circuit from a file, or a session that was kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from circuits.tracing.circuit import Circuit
from dashboard.session.actions import requested
from dashboard.session.state import Session


@dataclass(frozen=True)
class Switch:
    """A network to go on with, by its label."""

    network: str


@dataclass(frozen=True, eq=False)
class OpenCircuit:
    """A circuit from a file, and the labels of the networks that may be its own."""

    labels: tuple[str, ...]
    circuit: Circuit


@dataclass(frozen=True)
class Restore:
    """The link of a session that was kept, and the labels of the networks that may be its own."""

    labels: tuple[str, ...]
    link: str


def ask_to_open(session: Session, circuit: Circuit, labels: Sequence[str]) -> Session:
    """The session that shows a circuit as soon as its network is loaded."""
    return requested(session, "open-circuit", OpenCircuit(tuple(labels), circuit), keep=())


def waiting_to_restore(labels: Sequence[str], link: str) -> Session:
    """A new session in whose place one that was kept comes as soon as its network is loaded."""
    return requested(Session(), "restore", Restore(tuple(labels), link), keep=())
