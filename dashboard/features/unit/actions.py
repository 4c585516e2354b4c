"""What a person can do with the chosen unit: name it, choose how it is expanded, measure its edges, see more of it."""

from dataclasses import dataclass, replace

from circuits.errors import InputError, listed
from circuits.naming.store import names_of
from circuits.report.atlas_sentences import keeps_in_words
from circuits.tracing.circuit import Circuit
from circuits.units import Group, Progress, Unit
from dashboard.answers import VARIANTS
from dashboard.choice_texts import SIGNS
from dashboard.library import Library
from dashboard.session.actions import ActionType, OnUnit, RequestType, circuit_of, node_of, requested
from dashboard.session.names import written
from dashboard.session.selection import network_of, outside_unit, selected
from dashboard.session.state import Request, Session, Typing, Work, expansion_of

TOPS = (3, 5, 8, 12)
"""Units below a unit that the page offers."""
KEPT = 64
"""Units whose own expansion is kept, and units whose further pictures are."""


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
    return _written(session, payload, library, "name")


def _note(session: Session, payload: Text, library: Library) -> Session:
    return _written(session, payload, library, "note")


def _written(session: Session, payload: Text, library: Library, field: str) -> Session:
    """The session with something written on a unit: one step of undo for as long as the field is not left.

    What is written on a channel is remembered for its network too; on a neuron, a group, or the difference of two
    classes it is in this circuit alone.
    """
    work, outside = session.work, outside_unit(session, library)
    circuit = None if work.locked and payload.unit == str(outside) else work.circuit
    if payload.unit and (circuit is None or payload.unit not in circuit.nodes):
        return _written_outside(session, payload, library, field)
    circuit, name = circuit_of(session), node_of(session, payload.unit)
    after = (Circuit.with_name if field == "name" else Circuit.with_note)(circuit, name, payload.text)
    node = after.nodes[name]
    if getattr(node, field) == getattr(circuit.nodes[name], field):
        return session
    if str(node.unit) == name and isinstance(node.unit, Unit) and node.position is None:
        facts, same = circuit.network, _goes_on(session, payload)
        work = written(session, facts.sha256, facts.name, node.unit, same=same, **{field: getattr(node, field)})
    return _noted(session, replace(work, circuit=after), payload)


def _written_outside(session: Session, payload: Text, library: Library, field: str) -> Session:
    """The session with something written on a unit that is not in the circuit."""
    network, unit = network_of(session, library), Unit.parse(payload.unit).whole
    network.check_unit(unit)
    known, same = names_of(network.sha256).of(unit), _goes_on(session, payload)
    work = written(session, network.sha256, network.name, unit, same=same, **{field: payload.text})
    if work.writing is None or work.writing.after == known:
        return session
    return _noted(session, work, payload)


def _goes_on(session: Session, payload: Text) -> bool:
    """Whether somebody goes on writing in a field that they have not left."""
    typing, work = session.typing, session.work
    return (
        typing is not None
        and (typing.edit, typing.writing) == (payload.edit, work.writing)
        and (typing.circuit is work.circuit)
    )


def _noted(session: Session, work: Work, payload: Text) -> Session:
    """The session with what was written, and the step noted for undo."""
    done = replace(session, work=work, future=()) if _goes_on(session, payload) else session.changed(work)
    return replace(done, typing=Typing(payload.edit, work.circuit, work.writing))


def _expansion(session: Session, payload: Expansion, library: Library) -> Session:
    """Choose how a unit is expanded; one that is expanded is expanded anew."""
    name = node_of(session, payload.unit)
    before = expansion_of(session, name)
    if payload.top not in (None, *TOPS) or payload.signs not in (None, *SIGNS):
        wish = f"top {payload.top}, signs {payload.signs}"
        ways = f"top {listed(map(str, TOPS))} and signs {listed(SIGNS)}"
        raise InputError(f"{wish} is not a way to expand a unit; there is {ways}.")
    chosen = replace(before, top=payload.top or before.top, signs=payload.signs or before.signs)
    reason = library.fit.why_not_expand(circuit_of(session), name, session.work.locked)
    most = library.fit.most_below(circuit_of(session))
    if not reason and payload.top is not None and most is not None and payload.top > most:
        reason = keeps_in_words(most)
    if reason:
        raise InputError(reason)
    others = tuple(entry for entry in session.expansions if entry[0] != name)
    session = replace(session, expansions=(*others, (name, chosen))[-KEPT:])
    request = OnUnit(name)
    if chosen == before or not (circuit_of(session).nodes[name].expanded or session.is_waiting("expand", request)):
        return session
    keep = [each for each in session.requests if (each.kind, each.payload) != ("expand", request)]
    choices = replace(chosen, top=min(chosen.top, most or chosen.top))
    return requested(session, "expand", request, choices=choices, keep=keep)


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
    if not library.fit.is_own(circuit):
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
    """Show a channel: in the graph if it is there, or else among all of its layer; beside the atlas where that is."""
    circuit, unit, showing = session.work.circuit, Unit.parse(payload.unit).whole, session.showing
    if circuit is not None and str(unit) in circuit.visible and library.fit.is_own(circuit):
        return selected(replace(session, showing=replace(showing, unit="")), str(unit))
    network_of(session, library).check_unit(unit)
    page = showing.page if showing.page == "atlas" else "layers"
    return replace(session, showing=replace(showing, page=page, layer=unit.layer, unit=str(unit)))


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
