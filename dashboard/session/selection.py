"""What a session is about: the network cut as it needs, what the units are looked at in, and the choice of a unit."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from circuits.errors import CircuitsError, InputError
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.tracing.levels import WITH_MEAN
from circuits.units import Unit
from dashboard.session.actions import requested
from dashboard.session.questions import Wish, written
from dashboard.session.state import Session

if TYPE_CHECKING:
    from dashboard.library import Library


def network_of(session: Session, library: "Library") -> Network:
    """The network, cut at the layers of the circuit on the page if that is its own, or at those of the atlas there."""
    circuit = session.work.circuit
    if session.showing.page == "atlas" and library.atlas is not None:
        return library.fit.cut_like_atlas
    if circuit is None or (session.work.locked and why_not_asked(session, library)):
        return library.network
    return library.fit.cut(circuit)


def why_not_asked(session: Session, library: "Library") -> str:
    """Why nothing else can be explained, in a sentence; "" if it can, as beside the circuit of a class."""
    circuit = session.work.circuit
    if circuit is not None and circuit.collection is not None and library.fit.is_own(circuit):
        return ""
    return session.work.locked


def source_of(session: Session) -> Circuit | Photo | None:
    """What units are looked at in: the circuit, else the photo; `None` if the network cannot look at either."""
    if session.work.locked:
        return None
    return session.work.circuit or session.work.photo


def layer_of(session: Session, library: "Library") -> str:
    """The layer whose units are all shown: the one that was chosen, or else the highest whose units are no classes."""
    network = network_of(session, library)
    chosen = session.showing.layer
    return chosen if chosen in network.layers else network.layers[-2 if network.labels else -1]


def spot_layer(session: Session, library: "Library") -> str:
    """The layer that was chosen to be asked what fires at a point; "" for the highest that has a share there."""
    return session.spot_layer if session.spot_layer in library.placed else ""


def outside_unit(session: Session, library: "Library") -> Unit | None:
    """The chosen unit if it is not in the circuit; only the layer's page and the comparison can choose one."""
    showing, circuit = session.showing, session.work.circuit
    if showing.page == "circuit" or not showing.unit:
        return None
    if circuit is not None and showing.unit in circuit.visible and library.fit.is_own(circuit):
        return None
    try:
        unit = Unit.parse(showing.unit)
        network_of(session, library).check_unit(unit)
    except CircuitsError:
        return None
    return unit.whole


def selected(session: Session, name: str) -> Session:
    """The session with a unit of the circuit chosen; without a name the chosen edge is left, or else the unit."""
    work, circuit = session.work, session.work.circuit
    if circuit is None or (name and name not in circuit.visible):
        return session
    if not name and work.edge is not None:
        return replace(session, work=replace(work, edge=None))
    if name == work.selected and work.edge is None:
        return session
    before = work.edge[1] if work.edge is not None else work.selected
    is_below = name in circuit.nodes and any(target == before for target in circuit.graph.successors(name))
    came_from = before if is_below and before in circuit.visible else work.came_from if name == work.selected else ""
    return replace(session, work=replace(work, selected=name, edge=None, came_from=came_from))


@dataclass(frozen=True)
class OfClass:
    """A class of the atlas, by its number; or a unit, which is explained over the photos of all classes."""

    number: int = -1
    unit: str = ""

    @property
    def of(self) -> int | Unit:
        """What is explained."""
        return Unit.parse(self.unit) if self.unit else self.number


def class_number(target: str, library: "Library") -> int | None:
    """The number of the class that a target is, as it was written; `None` if it is something else."""
    with suppress(CircuitsError):
        found = library.target(target)
        return found.unit.channel if found.kind == "class" else None
    return None


def ask_for_class(session: Session, of: int | Unit, library: "Library", kind: str = "class") -> Session:
    """The session that asks for the circuit of a class, in place of whatever it was waiting for.

    Args:
        session: before.
        of: number of the class; or a unit, over all photos.
        library: the library.
        kind: of the request: `class` shows it, `beside-class` compares the photo with it.

    Raises:
        CircuitsError: if there is no atlas, or no photo of the class in it.
    """
    if isinstance(of, Unit):
        return requested(session, kind, OfClass(unit=str(of)), keep=())
    library.of_atlas().find(of)
    return requested(session, kind, OfClass(of), keep=())


def traced_like(session: Session, target: str, library: "Library") -> Network:
    """The network cut at the layers that the trace of a target has: the photo's own, or others if it must be.

    Others are those of the atlas, and below the tokens of a transformer the hidden units that write them, from which a
    class leads back to the tokens.
    """
    work = session.work.behind if session.work.of_class else session.work
    circuit = None if work is None else work.circuit
    as_opened = circuit is None or library.fit.is_at_hidden(circuit.layers)
    own: Network = library.network if circuit is None or as_opened else library.fit.cut(circuit)
    like_atlas: tuple[Network, ...] = () if library.atlas is None else (library.fit.cut_like_atlas,)
    for network in (own, *like_atlas, library.fit.cut_at_hidden):
        if network is None:
            continue
        with suppress(CircuitsError):
            library.target(target, like=network)
            return network
    return own


GROUPS = (4, 8, 12, 16)
"""Numbers of groups of a layer that the page offers."""


def groups_of(session: Session) -> int:
    """By how many groups a layer it is explained: those asked for, the circuit's, or those chosen; 0 by channels.

    A fit may find fewer groups than were asked for, so it is the next number that the page offers. The direction of a
    mean does not count.
    """
    asked = next((request for request in session.requests if request.kind == "why"), None)
    if asked is not None:
        return asked.choices.groups
    circuit = session.work.circuit
    if circuit is None:
        return session.choices.groups
    most = max((each.groups - (each.source == WITH_MEAN) for each in circuit.dictionaries.values()), default=0)
    return next((count for count in GROUPS if count >= most), GROUPS[-1]) if most else 0


def why(session: Session, target: str, library: "Library", *, groups: int | None = None) -> Session:
    """The session that asks for the circuit of a target, in place of whatever it was waiting for.

    Args:
        session: before.
        target: as it was written.
        library: the library.
        groups: of a layer, 0 for channels; as the page explains now, if `None`.

    Raises:
        CircuitsError: if there is no photo, the circuit on the page is locked, or the target does not exist.
    """
    number = class_number(target, library) if session.work.of_class else None
    if number is not None:
        return ask_for_class(session, number, library)
    if session.work.photo is None:
        raise InputError("There is no photo to explain; choose one first.")
    if refused := why_not_asked(session, library):
        raise InputError(refused)
    like = traced_like(session, target, library)
    wish = Wish(written(library.target(target, like=like)))
    if groups is None and not library.fit.is_at_hidden(getattr(session.work.circuit, "layers", ())):
        groups = groups_of(session)
    choices = session.choices if groups is None else replace(session.choices, groups=groups)
    if library.fit.is_at_hidden(like.layers):
        choices = replace(choices, groups=0, baseline="zero")
    return requested(session, "why", wish, choices=choices, keep=())
