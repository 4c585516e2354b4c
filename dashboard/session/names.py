"""What a person writes on a unit belongs to its network: it is remembered there, and forgotten again by undo."""

from dataclasses import replace
from typing import TYPE_CHECKING

from circuits.naming.names import UnitName
from circuits.naming.store import names_of, remember
from circuits.units import Unit
from dashboard.session.state import Session, Work, Writing

if TYPE_CHECKING:
    from dashboard.library import Library


def written(session: Session, fingerprint: str, network: str, unit: Unit, *, same: bool, **changes: str) -> Work:
    """The work of a session in which something was written on a unit.

    Args:
        session: before.
        fingerprint: of the unit's network.
        network: what that is called.
        unit: a channel of it.
        same: whether it goes on with what was written last.
        changes: the `name` or the `note`.

    Raises:
        InputError: if it is too long.
    """
    known, last = names_of(fingerprint).of(unit), session.work.writing
    before = last.before if same and last is not None else known
    after = UnitName(unit, changes.get("name", known.name), changes.get("note", known.note))
    return replace(session.work, writing=Writing(fingerprint, network, before, after))


def outside_name(session: Session, unit: Unit, library: "Library") -> UnitName:
    """What a unit that the circuit does not show is called: as its network says, or the circuit it was discarded in."""
    circuit = session.work.circuit
    if circuit is not None and str(unit) in circuit.nodes and not session.work.locked:
        node = circuit.nodes[str(unit)]
        return UnitName(unit, node.name, node.note)
    return names_of(library.network.sha256).of(unit)


def keep_names(before: Session, after: Session) -> None:
    """Remember what was written between two sessions; forget what a step back takes away.

    A step back or forth leaves alone what was changed since, in another tab or by a command.

    Raises:
        InputError: if names cannot be kept.
    """
    is_back = bool(before.past) and after.work is before.past[-1]
    is_step = is_back or (bool(before.future) and after.work is before.future[-1])
    earlier, later = (after.work, before.work) if is_back else (before.work, after.work)
    writing = later.writing
    if writing is None or writing is earlier.writing:  # what was done after it carries it along
        return
    said, instead_of = (writing.before, writing.after) if is_back else (writing.after, writing.before)
    if not is_step or names_of(writing.fingerprint).of(said.unit) == instead_of:
        remember(writing.fingerprint, said.unit, name=said.name, note=said.note, network=writing.network)
