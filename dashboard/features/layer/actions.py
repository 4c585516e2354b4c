"""What a person can do with the wall of a layer's units and with two circuits side by side, and what is meant there."""

from dataclasses import replace

from circuits.errors import CircuitsError, InputError
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.features.graph.actions import HANDLERS as _ON_CIRCUIT
from dashboard.library import Explorer
from dashboard.session.acting import Handler, circuit_of
from dashboard.session.state import Session, Work

ORDERS = ("here", "attribution", "number")


def network_of(session: Session, explorer: Explorer) -> Network:
    """The network whose layers are on the wall: cut as the circuit's is, if that is its own."""
    circuit = session.work.circuit
    return explorer.network if circuit is None or session.work.locked else explorer.cut(circuit)


def layer_of(session: Session, explorer: Explorer) -> str:
    """The layer on the wall: the one that was chosen, or else the highest one whose units are no classes."""
    network = network_of(session, explorer)
    chosen = session.showing.layer
    return chosen if chosen in network.layers else network.layers[-2 if network.labels else -1]


def source_of(session: Session) -> Circuit | Photo | None:
    """What tells what the units did: the circuit, else the photo; `None` if the network cannot look at either."""
    if session.work.locked:
        return None
    return session.work.circuit or session.work.photo


def stranger(session: Session, explorer: Explorer) -> Unit | None:
    """The chosen unit if it is not in the circuit; only the wall and the comparison can choose one."""
    showing, circuit = session.showing, session.work.circuit
    if showing.page == "circuit" or not showing.unit:
        return None
    if circuit is not None and showing.unit in circuit.visible and explorer.is_own(circuit):
        return None
    try:
        unit = Unit.parse(showing.unit)
        network_of(session, explorer).check_unit(unit)
    except CircuitsError:
        return None
    return unit.whole


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


HANDLERS: dict[str, Handler] = {
    "wall-layer": _layer,
    "wall-order": _order,
    "unit": _unit,
    "root": _root,
    "hold": _hold,
    "forget": _forget,
    "swap": _swap,
}
