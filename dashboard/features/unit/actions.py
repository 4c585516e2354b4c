"""What a person can do with the chosen unit: name it, choose how it is expanded, measure its edges, see more of it."""

from collections.abc import Callable
from dataclasses import replace

from circuits.errors import InputError
from circuits.tracing.circuit import Circuit
from dashboard.features.graph.picture_settings import manner_of
from dashboard.library import SIGNS, Explorer
from dashboard.session.acting import Handler, asked, circuit_of, node_of
from dashboard.session.state import Ask, Session, Typing
from dashboard.work.findings import VARIANTS
from dashboard.work.queue import Progress

TOPS = (3, 5, 8, 12)
"""Units below a unit that the page offers."""
KEPT = 64
"""Units whose own manner is kept, and units whose further pictures are."""

Write = Callable[[Circuit, str, str], Circuit]


def _name(session: Session, subject: str, explorer: Explorer) -> Session:
    """Call a unit something, written `edit id name`; an empty name takes the name away."""
    return _written(session, subject, Circuit.with_name)


def _note(session: Session, subject: str, explorer: Explorer) -> Session:
    """Note something on a unit, written `edit id note`."""
    return _written(session, subject, Circuit.with_note)


def _written(session: Session, subject: str, write: Write) -> Session:
    """The session with something written on a unit: one step of undo for as long as the field is not left."""
    edit, _, said = subject.partition(" ")
    meant, _, text = said.partition(" ")
    before = circuit_of(session)
    name = node_of(session, meant)
    after = write(before, name, text)
    if (after.nodes[name].name, after.nodes[name].note) == (before.nodes[name].name, before.nodes[name].note):
        return session
    work = replace(session.work, circuit=after)
    same = session.typing is not None and session.typing.edit == edit and session.typing.circuit is before
    done = replace(session, work=work, future=()) if same else session.changed(work)
    return replace(done, typing=Typing(edit, after))


def _manner(session: Session, subject: str, explorer: Explorer) -> Session:
    """Choose how a unit is expanded, written `id top=8` or `id signs=both`; one that is expanded is expanded anew."""
    meant, _, chosen = subject.partition(" ")
    option, _, value = chosen.partition("=")
    name = node_of(session, meant)
    before = manner_of(session, name)
    if option == "top" and value.isdigit() and int(value) in TOPS:
        manner = replace(before, top=int(value))
    elif option == "signs" and value in SIGNS:
        manner = replace(before, signs=value)
    else:
        raise InputError(f"{chosen!r} is not a way to expand a unit; there is top= one of {TOPS} and signs= {SIGNS}.")
    reason = explorer.why_not_expand(circuit_of(session), name, session.work.locked)
    if reason:
        raise InputError(reason)
    others = tuple(entry for entry in session.manners if entry[0] != name)
    session = replace(session, manners=(*others, (name, manner))[-KEPT:])
    under_way = any(ask.kind == "expand" and ask.subject == name for ask in session.asks)
    if manner == before or not (circuit_of(session).nodes[name].expanded or under_way):
        return session
    keep = tuple(ask for ask in session.asks if (ask.kind, ask.subject) != ("expand", name))
    return asked(session, "expand", name, manner, keep)


def _measure(session: Session, subject: str, explorer: Explorer) -> Session:
    """Measure the edges into a unit by ablation."""
    name = node_of(session, subject)
    circuit = circuit_of(session)
    if session.work.locked:
        raise InputError(session.work.locked)
    if not circuit.nodes[name].expanded:
        raise InputError(f"{circuit.nodes[name].called} is not expanded, so it has no edges to measure.")
    if any(ask.kind == "measure" and ask.subject == name for ask in session.asks):
        return session
    return asked(session, "measure", name, session.choices, session.asks)


def measured(session: Session, ask: Ask, explorer: Explorer, progress: Progress) -> Circuit:
    """The circuit with what ablation says of the edges into a unit.

    Raises:
        CircuitsError: if the library refuses.
    """
    return explorer.measure(circuit_of(session), ask.subject, progress)


def _more(session: Session, subject: str, explorer: Explorer) -> Session:
    """Show further pictures of a unit, written `id negative` or `id diverse`, or put them away again."""
    meant, _, kind = subject.partition(" ")
    name = node_of(session, meant)
    circuit = circuit_of(session)
    if kind not in VARIANTS:
        raise InputError(f"{kind!r} is no kind of picture; there are {', '.join(VARIANTS)}.")
    if not explorer.is_own(circuit):
        raise InputError(f"{explorer.network.name} cannot draw units of {circuit.network['name']}.")
    entry = str(circuit.nodes[name].unit.whole), kind
    others = tuple(each for each in session.more if each != entry)
    if entry in session.more:
        return replace(session, more=others)
    # Whoever asks for a picture wants the drawing to go on.
    return replace(session, more=(*others, entry)[-KEPT:], paused=False)


HANDLERS: dict[str, Handler] = {
    "name": _name,
    "note": _note,
    "manner": _manner,
    "measure": _measure,
    "pictures": _more,
}
