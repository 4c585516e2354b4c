"""What fires at the point of the photo that a person chose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from circuits.evidence.layer_statistics import Firing, firing_at, highest_reaching
from circuits.units import Unit
from dashboard.session.selection import spot_layer
from dashboard.session.state import Session
from dashboard.work.results import Query

if TYPE_CHECKING:
    from dashboard.work.scheduler import Scheduler

NAME = "spot"
PREFIX = "spot "
"""Before the address of a unit at the point, among the tiles that the page is told."""
COUNT = 8


@dataclass(frozen=True)
class UnitsAtPoint:
    """The units of a layer that fire at a point.

    Args:
        layer: their layer.
        units: those with an activation above zero, highest first, at most `COUNT`.
        reaching: the highest layer whose units have a share at the point in what is explained; "" if none has.
    """

    layer: str
    units: tuple[Firing, ...]
    reaching: str


def query(session: Session, work: "Scheduler") -> Sequence[Query]:
    """What fires at the point; nothing if none was chosen, or the network cannot look."""
    state, photo, place, library = session.work, session.work.photo, session.work.spot, work.library
    chosen = spot_layer(session, library)
    if photo is None or place is None or state.locked or not library.placed:
        return ()
    circuit = state.circuit if state.circuit is not None and {*library.placed} <= {*state.circuit.layers} else None
    source = circuit or photo

    def find(_: object) -> UnitsAtPoint:
        reaching = highest_reaching(library.network, source, place)
        layer = chosen or (reaching if reaching in library.placed else library.placed[-1])
        firings = firing_at(library.network, source, layer, place, count=COUNT)
        return UnitsAtPoint(layer, tuple(firing for firing in firings if firing.value > 0), reaching)

    seen = f"{photo.sha256}/{photo.window}/{photo.whole}/{'' if circuit is None else circuit.root}"
    return (Query(NAME, f"{seen}/spot/{chosen}/{place[0]:.4f},{place[1]:.4f}", find, rank=0),)


def at_point(session: Session, work: "Scheduler") -> tuple[Unit, ...]:
    """The whole units that were found at the point, as far as they are known."""
    found = [work.results.get(each.key) for each in query(session, work)]
    return tuple(firing.unit.whole for each in found if isinstance(each, UnitsAtPoint) for firing in each.units)
