"""What a person can do with the circuit: choose in it, grow and prune it, and take a step back."""

from dataclasses import dataclass, replace

import circuits
from circuits.errors import InputError
from circuits.report.atlas_sentences import keeps_in_words
from circuits.report.sentences import edges_from
from circuits.tracing.circuit import Circuit
from circuits.units import Progress
from dashboard.features.graph.weak import reached
from dashboard.library import Library, closed
from dashboard.session.actions import (
    ActionType,
    NoPayload,
    OnUnit,
    RequestType,
    circuit_of,
    node_of,
    requested,
)
from dashboard.session.selection import selected
from dashboard.session.state import Choices, Request, Session, expansion_of, usual_expansion

MORE = 5
MANY = 400
"""Units that the page shows at once; growing stops there."""
LEVELS = 3
"""Levels that a circuit grows by at once."""


@dataclass(frozen=True)
class EdgeOf:
    """An edge, by the ids of its ends."""

    lower: str = ""
    upper: str = ""


@dataclass(frozen=True)
class OnLayer:
    """A layer, by its name or that of one of its units."""

    layer: str


@dataclass(frozen=True)
class Levels:
    """How many levels to expand."""

    levels: int


def _select(session: Session, payload: OnUnit, library: Library) -> Session:
    return selected(session, payload.unit)


def _edge(session: Session, payload: EdgeOf, library: Library) -> Session:
    lower, upper = payload.lower, payload.upper
    circuit = circuit_of(session)
    if upper not in circuit.visible or all(edge.target != upper for edge in edges_from(circuit, lower)):
        named = f"{lower} → {upper}" if lower and upper else "Nothing"
        raise InputError(f"{named} is not an edge of this circuit; choose one in the graph.")
    if session.work.edge == (lower, upper):
        return session
    return replace(session, work=replace(session.work, edge=(lower, upper)))


def _expand(session: Session, payload: OnUnit, library: Library) -> Session:
    name = node_of(session, payload.unit)
    session = selected(session, name)
    if circuit_of(session).nodes[name].expanded:
        return session
    return _ask_to_expand(session, name, library, expansion_of(session, name))


def _more(session: Session, payload: OnUnit, library: Library) -> Session:
    """Expand a unit again, with more units below it."""
    name = node_of(session, payload.unit)
    circuit = circuit_of(session)
    # Units that were discarded count: the strongest are found again before any further one.
    found, most = len(circuit.edges_into(name)), library.fit.most_below(circuit)
    if most is not None and found >= most:
        raise InputError(keeps_in_words(most))
    return _ask_to_expand(session, name, library, replace(expansion_of(session, name), top=found + MORE))


def _ask_to_expand(session: Session, name: str, library: Library, choices: Choices) -> Session:
    reason = library.fit.why_not_expand(circuit_of(session), name, session.work.locked)
    if reason:
        raise InputError(reason)
    most = library.fit.most_below(circuit_of(session)) or choices.top
    return requested(session, "expand", OnUnit(name), choices=replace(choices, top=min(choices.top, most)))


def _level(session: Session, payload: OnLayer, library: Library) -> Session:
    """Expand every unit of a layer, by the layer's name or that of one of its units."""
    circuit = circuit_of(session)
    layer = circuit.nodes[payload.layer].unit.layer if payload.layer in circuit.nodes else payload.layer
    _check_grows(session, library)
    if layer in circuit.lowest:
        raise InputError(f"{layer} is the lowest layer; only the image is below it.")
    if not closed(circuit, layer):
        raise InputError(f"No unit of {layer or 'that layer'} is left to expand.")
    return _ask_to_grow(session, "level", OnLayer(layer))


def _grow(session: Session, payload: Levels, library: Library) -> Session:
    """Expand every unit, and again what is found, so many times."""
    if not 1 <= payload.levels <= LEVELS:
        raise InputError(f"{payload.levels} is not a number of levels to expand by; it is 1 to {LEVELS}.")
    circuit = circuit_of(session)
    _check_grows(session, library)
    if not closed(circuit):
        raise InputError("Every unit is expanded, down to the lowest layer.")
    return _ask_to_grow(session, "grow", payload)


def _check_grows(session: Session, library: Library) -> None:
    if refused := library.fit.why_not_grow(circuit_of(session), session.work.locked):
        raise InputError(refused)


def _ask_to_grow(session: Session, kind: str, payload: OnLayer | Levels) -> Session:
    refuse_if_many(circuit_of(session), session.showing.weak, "The circuit shows")
    return requested(session, kind, payload, choices=usual_expansion(session))


def refuse_if_many(circuit: Circuit, weak: float, what: str) -> None:
    """Refuse a circuit that shows more units than the page can.

    Args:
        circuit: the circuit.
        weak: edges with a smaller share, in percent, are hidden.
        what: how the sentence begins.

    Raises:
        InputError: if it shows more than `MANY`; the sentence says how many, and what helps.
    """
    count = len(reached(circuit, weak))
    if count > MANY:
        raise InputError(
            f"{what} {count} units, and this page shows {MANY} at most: hide more weak edges, discard units, or "
            "set fewer units per node, then expand again."
        )


def _grown(session: Session, request: Request, library: Library, progress: Progress) -> Circuit:
    """The circuit with the units of a layer expanded, or all, level by level; refused if the page could not show it."""
    circuit, payload = circuit_of(session), request.payload
    layer = payload.layer if isinstance(payload, OnLayer) else None
    for _ in range(payload.levels if isinstance(payload, Levels) else 1):
        if not closed(circuit, layer):
            break
        circuit = library.grow(circuit, layer, request.choices, progress)
        refuse_if_many(circuit, session.showing.weak, "Expanded so far, the circuit would show")
    return circuit


def _expanded(session: Session, request: Request, library: Library, progress: Progress) -> Circuit:
    return library.expand(circuit_of(session), request.payload.unit, request.choices)


def _nothing_new(before: Session, after: Session, request: Request) -> str:
    """That a unit has no further units to show, or none at all."""
    unit, known = request.payload.unit, len(circuit_of(before).edges_into(request.payload.unit))
    if len(circuit_of(after).edges_into(unit)) > known or 0 < request.choices.top <= known:
        return ""
    kind = "units that excite it" if request.choices.signs == "positive" else "units that contribute to it"
    return f"{unit} has no further {kind} in the layer below."


def _collapse(session: Session, payload: OnUnit, library: Library) -> Session:
    """Take an expansion back."""
    name = node_of(session, payload.unit)
    smaller = circuits.collapse(circuit_of(session), name)
    work = session.work
    edge = work.edge if work.edge is not None and smaller.graph.has_edge(*work.edge) else None
    chosen = work.selected if work.selected in smaller.visible else name
    return session.changed(replace(work, circuit=smaller, selected=chosen, edge=edge))


def _discard(session: Session, payload: OnUnit, library: Library) -> Session:
    name = node_of(session, payload.unit)
    circuit = circuit_of(session)
    if name == circuit.root:
        raise InputError(f"{circuit.nodes[name].label} is what the circuit explains; it cannot be discarded.")
    if circuit.nodes[name].discarded:
        return session
    smaller = library.discard(circuit, name)
    parent = next((edge.target for edge in edges_from(circuit, name)), "")
    chosen = session.work.selected
    if chosen not in smaller.visible:
        chosen = parent if parent in smaller.visible else smaller.root
    edge = session.work.edge
    kept = edge if edge is not None and smaller.visible.issuperset(edge) else None
    return session.changed(replace(session.work, circuit=smaller, selected=chosen, edge=kept))


def _restore(session: Session, payload: OnUnit, library: Library) -> Session:
    circuit, unit = circuit_of(session), payload.unit
    if unit not in circuit.nodes or not circuit.nodes[unit].discarded:
        raise InputError(f"{unit or 'Nothing'} is not a discarded unit of this circuit.")
    larger = library.restore(circuit, unit)
    chosen = unit if unit in larger.visible else session.work.selected
    return session.changed(replace(session.work, circuit=larger, selected=chosen, edge=None))


def _undo(session: Session, payload: NoPayload, library: Library) -> Session:
    if session.requests:
        return replace(session, requests=())
    if not session.past:
        return session
    *past, work = session.past
    return replace(session.with_work(work), past=tuple(past), future=(*session.future, session.work))


def _redo(session: Session, payload: NoPayload, library: Library) -> Session:
    if not session.future:
        return session
    *future, work = session.future
    return replace(session.with_work(work), past=(*session.past, session.work), future=tuple(future), requests=())


ACTIONS = {
    "select": ActionType(OnUnit, _select),
    "edge": ActionType(EdgeOf, _edge),
    "expand": ActionType(OnUnit, _expand),
    "more": ActionType(OnUnit, _more),
    "level": ActionType(OnLayer, _level),
    "grow": ActionType(Levels, _grow),
    "collapse": ActionType(OnUnit, _collapse),
    "discard": ActionType(OnUnit, _discard),
    "restore": ActionType(OnUnit, _restore),
    "undo": ActionType(NoPayload, _undo),
    "redo": ActionType(NoPayload, _redo),
}
REQUESTS = {
    "expand": RequestType(
        lambda session, payload, library: f"Expanding {payload.unit}", _expanded, remark=_nothing_new
    ),
    "level": RequestType(lambda session, payload, library: f"Expanding the units of {payload.layer}", _grown),
    "grow": RequestType(
        lambda session, payload, library: f"Growing by {payload.levels} level{'' if payload.levels == 1 else 's'}",
        _grown,
    ),
}
