"""What a person can do with the chosen unit: name it, choose how it is expanded, measure its edges, see more of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from circuits.errors import InputError, listed
from circuits.tracing.circuit import Circuit
from circuits.units import Group, Progress, Unit
from dashboard.answers import VARIANTS
from dashboard.library import SIGNS, Library
from dashboard.session.actions import ActionType, OnUnit, RequestType, circuit_of, node_of, requested
from dashboard.session.selection import network_of, selected
from dashboard.session.state import Request, Session, Typing, expansion_of

TOPS = (3, 5, 8, 12)
"""Units below a unit that the page offers."""
KEPT = 64
"""Units whose own expansion is kept, and units whose further pictures are."""

Write = Callable[[Circuit, str, str], Circuit]


@dataclass(frozen=True)
class Text:
    """Something written on a unit; `edit` tells one stay in the field from another."""

    edit: str
    unit: str
    text: str


@dataclass(frozen=True)
class Expansion:
    """How a unit is to be expanded; what is `None` stays."""

    unit: str
    top: int | None = None
    signs: str | None = None


@dataclass(frozen=True)
class Pictures:
    """Further pictures of a unit, of a kind of `VARIANTS`."""

    unit: str
    kind: str


def _name(session: Session, payload: Text, library: Library) -> Session:
    """Call a unit something; an empty name takes the name away."""
    return _written(session, payload, Circuit.with_name)


def _note(session: Session, payload: Text, library: Library) -> Session:
    return _written(session, payload, Circuit.with_note)


def _written(session: Session, payload: Text, write: Write) -> Session:
    """The session with something written on a unit: one step of undo for as long as the field is not left."""
    before = circuit_of(session)
    name = node_of(session, payload.unit)
    after = write(before, name, payload.text)
    if (after.nodes[name].name, after.nodes[name].note) == (before.nodes[name].name, before.nodes[name].note):
        return session
    work, typing = replace(session.work, circuit=after), session.typing
    same = typing is not None and typing.edit == payload.edit and typing.circuit is before
    done = replace(session, work=work, future=()) if same else session.changed(work)
    return replace(done, typing=Typing(payload.edit, after))


def _expansion(session: Session, payload: Expansion, library: Library) -> Session:
    """Choose how a unit is expanded; one that is expanded is expanded anew."""
    name = node_of(session, payload.unit)
    before = expansion_of(session, name)
    if payload.top not in (None, *TOPS) or payload.signs not in (None, *SIGNS):
        wish = f"top {payload.top}, signs {payload.signs}"
        ways = f"top {listed(map(str, TOPS))} and signs {listed(SIGNS)}"
        raise InputError(f"{wish} is not a way to expand a unit; there is {ways}.")
    chosen = replace(before, top=payload.top or before.top, signs=payload.signs or before.signs)
    reason = library.why_not_expand(circuit_of(session), name, session.work.locked)
    if reason:
        raise InputError(reason)
    others = tuple(entry for entry in session.expansions if entry[0] != name)
    session = replace(session, expansions=(*others, (name, chosen))[-KEPT:])
    request = OnUnit(name)
    if chosen == before or not (circuit_of(session).nodes[name].expanded or session.is_waiting("expand", request)):
        return session
    keep = [each for each in session.requests if (each.kind, each.payload) != ("expand", request)]
    return requested(session, "expand", request, choices=chosen, keep=keep)


def _measure(session: Session, payload: OnUnit, library: Library) -> Session:
    """Measure the edges into a unit by ablation."""
    name = node_of(session, payload.unit)
    node = circuit_of(session).nodes[name]
    if session.work.locked:
        raise InputError(session.work.locked)
    if not node.expanded:
        raise InputError(f"{node.called} is not expanded, so it has no edges to measure.")
    return requested(session, "measure", OnUnit(name))


def _measured(session: Session, request: Request, library: Library, progress: Progress) -> Circuit:
    return library.measure(circuit_of(session), request.payload.unit, progress)


def _pictures(session: Session, payload: Pictures, library: Library) -> Session:
    """Show further pictures of a unit, or put them away again."""
    name, kind = node_of(session, payload.unit), payload.kind
    circuit = circuit_of(session)
    if kind not in VARIANTS:
        raise InputError(f"{kind!r} is no kind of picture; there are {', '.join(VARIANTS)}.")
    if not library.is_own(circuit):
        raise InputError(f"{library.network.name} cannot draw units of {circuit.network['name']}.")
    if isinstance(circuit.nodes[name].unit, Group):
        raise InputError(f"{circuit.nodes[name].called} is a group of channels, which has one picture at most.")
    entry = str(circuit.nodes[name].unit.whole), kind
    others = tuple(each for each in session.more if each != entry)
    if entry in session.more:
        return replace(session, more=others)
    # Whoever asks for a picture wants the drawing to go on.
    return replace(session, more=(*others, entry)[-KEPT:], paused=False)


def _channel(session: Session, payload: OnUnit, library: Library) -> Session:
    """Show a channel of a group: in the graph if it is there, or else among all channels of its layer."""
    circuit, unit = circuit_of(session), Unit.parse(payload.unit).whole
    if str(unit) in circuit.visible:
        return selected(session, str(unit))
    network_of(session, library).check_unit(unit)
    return replace(session, showing=replace(session.showing, page="layers", layer=unit.layer, unit=str(unit)))


ACTIONS = {
    "channel": ActionType(OnUnit, _channel),
    "name": ActionType(Text, _name),
    "note": ActionType(Text, _note),
    "expansion": ActionType(Expansion, _expansion),
    "measure": ActionType(OnUnit, _measure),
    "pictures": ActionType(Pictures, _pictures),
}
REQUESTS = {
    "measure": RequestType(lambda session, payload, library: f"Measuring the edges of {payload.unit}", _measured)
}
