"""What a person can do with the wall of a layer's units and with two circuits side by side, and what is meant there."""

from dataclasses import replace

from circuits.errors import InputError
from circuits.units import Unit
from dashboard.features.compare.actions import _forget, _hold, _swap
from dashboard.features.graph.actions import HANDLERS as _ON_CIRCUIT
from dashboard.library import Explorer
from dashboard.session.acting import Handler
from dashboard.session.selection import network_of
from dashboard.session.state import Session

ORDERS = ("here", "attribution", "number")


def layer_of(session: Session, explorer: Explorer) -> str:
    """The layer on the wall: the one that was chosen, or else the highest one whose units are no classes."""
    network = network_of(session, explorer)
    chosen = session.showing.layer
    return chosen if chosen in network.layers else network.layers[-2 if network.labels else -1]


def _layer(session: Session, subject: str, explorer: Explorer) -> Session:
    network_of(session, explorer).layer(subject)
    return replace(session, showing=replace(session.showing, layer=subject))


def _order(session: Session, subject: str, explorer: Explorer) -> Session:
    if subject not in ORDERS:
        raise InputError(f"{subject!r} is not an order of the wall; there is {', '.join(ORDERS)}.")
    return replace(session, showing=replace(session.showing, order=subject))


def _unit(session: Session, subject: str, explorer: Explorer) -> Session:
    """Choose a unit of the network, whether it is in the circuit or not; without a name, none."""
    circuit = session.work.circuit
    inside = circuit is not None and subject in circuit.visible and explorer.is_own(circuit)
    if inside or not subject:
        session = replace(session, showing=replace(session.showing, unit=""))
        return _ON_CIRCUIT["select"](session, subject, explorer)
    network_of(session, explorer).check_unit(Unit.parse(subject))
    return replace(session, showing=replace(session.showing, unit=subject))


def _root(session: Session, subject: str, explorer: Explorer) -> Session:
    """Ask why a unit fired, and show the graph that will answer."""
    asked = _ON_CIRCUIT["why"](session, subject, explorer)
    return replace(asked, showing=replace(asked.showing, page="circuit", unit=""))


HANDLERS: dict[str, Handler] = {
    "wall-layer": _layer,
    "wall-order": _order,
    "unit": _unit,
    "root": _root,
    "hold": _hold,
    "forget": _forget,
    "swap": _swap,
}
