"""What a person can do with the wall of a layer's units and with two circuits side by side, and what is meant there."""

from circuits.errors import CircuitsError
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.library import Explorer
from dashboard.session.state import Session


def network_of(session: Session, explorer: Explorer) -> Network:
    """The network whose layers are on the wall: cut as the circuit's is, if that is its own."""
    circuit = session.work.circuit
    return explorer.network if circuit is None or session.work.locked else explorer.cut(circuit)


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


def spot_layer(session: Session, explorer: Explorer) -> str:
    """The layer that is asked: the one that was chosen, or else the highest with more than one position."""
    return session.spot_layer if session.spot_layer in explorer.placed else (explorer.placed or ("",))[-1]
