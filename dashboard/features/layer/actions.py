"""What a person can do with all units of a layer: choose the layer and the order, and choose a unit."""

from dataclasses import dataclass, replace

from circuits.errors import InputError
from circuits.units import Unit
from dashboard.library import Library
from dashboard.session.actions import ActionType, OnUnit
from dashboard.session.selection import network_of, selected
from dashboard.session.state import Session

ORDERS = ("here", "attribution", "number")


@dataclass(frozen=True)
class LayerShown:
    """The layer whose units are shown."""

    layer: str


@dataclass(frozen=True)
class Order:
    """How they are sorted, one of `ORDERS`."""

    order: str


def _layer(session: Session, payload: LayerShown, library: Library) -> Session:
    network_of(session, library).layer(payload.layer)
    return replace(session, showing=replace(session.showing, layer=payload.layer))


def _order(session: Session, payload: Order, library: Library) -> Session:
    if payload.order not in ORDERS:
        raise InputError(f"{payload.order!r} is not an order of the wall; there is {', '.join(ORDERS)}.")
    return replace(session, showing=replace(session.showing, order=payload.order))


def _unit(session: Session, payload: OnUnit, library: Library) -> Session:
    """Choose a unit of the network, whether it is in the circuit or not; without a name, none."""
    circuit, unit = session.work.circuit, payload.unit
    inside = circuit is not None and unit in circuit.visible and library.fit.is_own(circuit)
    if inside or not unit:
        return selected(replace(session, showing=replace(session.showing, unit="")), unit)
    network_of(session, library).check_unit(Unit.parse(unit))
    return replace(session, showing=replace(session.showing, unit=unit))


ACTIONS = {
    "wall-layer": ActionType(LayerShown, _layer),
    "wall-order": ActionType(Order, _order),
    "unit": ActionType(OnUnit, _unit),
}
