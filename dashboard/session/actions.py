"""What a person can do, as functions from a session to the next one. Nothing here waits for the network.

Work for the network (`why`, `expand`) is only noted, as an `Ask`; the worker calls `answer`, which may take
long, and the result enters the session through `settle`.
"""

from dataclasses import replace

from circuits.errors import InputError
from circuits.tracing.circuit import Circuit
from dashboard.features.evaluation import actions as on_score
from dashboard.features.graph import actions as on_circuit
from dashboard.features.graph import arrange_actions as on_graph
from dashboard.features.graph import page_actions as on_page
from dashboard.features.layer import actions as on_wall
from dashboard.features.photo import actions as on_photo
from dashboard.features.photo.actions import with_circuit as with_circuit
from dashboard.features.photo.actions import with_photo as with_photo
from dashboard.features.unit import actions as on_unit
from dashboard.library import Explorer
from dashboard.session.acting import Action as Action
from dashboard.session.acting import Handler, circuit_of
from dashboard.session.state import Ask, Session, Work
from dashboard.work.queue import Progress

_HANDLERS: dict[str, Handler] = {
    **on_page.HANDLERS,
    **on_photo.HANDLERS,
    **on_circuit.HANDLERS,
    **on_graph.HANDLERS,
    **on_wall.HANDLERS,
    **on_unit.HANDLERS,
    **on_score.HANDLERS,
}


def apply(session: Session, action: Action, explorer: Explorer) -> Session:
    """The session after an action.

    Args:
        session: before.
        action: what was done.
        explorer: the library, for what takes no time.

    Raises:
        CircuitsError: if it cannot be done; the sentence says why.
    """
    handler = _HANDLERS.get(action.kind)
    if handler is None:
        raise InputError(f"{action.kind!r} is not something this page can do; it knows {', '.join(_HANDLERS)}.")
    return handler(session, action.subject, explorer)


def answer(session: Session, ask: Ask, explorer: Explorer, progress: Progress) -> Circuit | Work:
    """Work out an ask; takes as long as the network needs.

    Returns:
        the circuit that is to be shown, or, of an ask for a photo, all that is.

    Raises:
        CircuitsError: if the library refuses.
    """
    if ask.kind == "why":
        if session.work.photo is None:
            raise InputError("There is no photo to explain; choose one first.")
        return explorer.trace(session.work.photo, ask.subject, ask.choices, progress, like=session.work.circuit)
    if ask.kind == "photo":
        return on_photo.answer(session, ask, explorer, progress)
    if ask.kind in ("level", "grow"):
        return on_circuit.grown(session, ask, explorer, progress)
    if ask.kind == "measure":
        return on_unit.measured(session, ask, explorer, progress)
    return explorer.expand(circuit_of(session), ask.subject, ask.choices)


def settle(session: Session, ask: Ask, found: Circuit | Work) -> Session:
    """The session with the answer to an ask; unchanged if the ask was dropped meanwhile."""
    if ask not in session.asks:
        return session
    if isinstance(found, Work):
        return on_photo.settle(session, ask, found)
    circuit = found
    work = replace(session.work, circuit=circuit)
    done = session.changed(replace(work, selected=circuit.root, edge=None) if ask.kind == "why" else work)
    return replace(done, asks=_without(session.asks, ask))


def fail(session: Session, ask: Ask) -> Session:
    """The session after an ask that could not be answered."""
    if ask not in session.asks:
        return session
    return replace(session, asks=_without(session.asks, ask))


def _without(asks: tuple[Ask, ...], ask: Ask) -> tuple[Ask, ...]:
    return tuple(other for other in asks if other != ask)
