"""What fires at the place that a person pointed at: the question for the looking lane, and the units to draw."""

from dataclasses import dataclass

from circuits.evidence.layer_statistics import Firing, firing_at
from circuits.units import Unit
from dashboard.library import Explorer
from dashboard.session.state import Session
from dashboard.work.topics import Board, Topic

TOPIC = "spot"
SPOTTED = "spot "
"""Before the address of a unit at the spot, among the tiles that the page is told."""
COUNT = 8


@dataclass(frozen=True)
class Firings:
    """The units of a layer that fire at a place.

    Args:
        layer: their layer.
        units: those with an activation above zero, highest first, at most `COUNT`.
    """

    layer: str
    units: tuple[Firing, ...]


def spot_layer(session: Session, explorer: Explorer) -> str:
    """The layer that is asked: the one that was chosen, or else the highest with more than one position."""
    return session.spot_layer if session.spot_layer in explorer.placed else (explorer.placed or ("",))[-1]


def spot_topic(session: Session, explorer: Explorer) -> Topic | None:
    """What is to be found out about the place; `None` if nobody pointed at one, or the network cannot look."""
    work, photo, place = session.work, session.work.photo, session.work.spot
    layer = spot_layer(session, explorer)
    if photo is None or place is None or work.locked or not layer:
        return None
    circuit = work.circuit if work.circuit is not None and layer in work.circuit.layers else None

    def find(_: object) -> Firings:
        found = firing_at(explorer.network, circuit or photo, layer, place, count=COUNT)
        return Firings(layer, tuple(firing for firing in found if firing.value > 0))

    seen = f"{photo.sha256}/{photo.window}/{photo.whole}"
    return Topic(TOPIC, f"{seen}/spot/{layer}/{place[0]:.4f},{place[1]:.4f}", find)


def spotted(session: Session, explorer: Explorer, board: Board) -> tuple[Unit, ...]:
    """The whole units that were found at the place, as far as they are known."""
    topic = spot_topic(session, explorer)
    found = board.get(topic.key) if topic is not None else None
    return tuple(firing.unit.whole for firing in found.units) if isinstance(found, Firings) else ()
