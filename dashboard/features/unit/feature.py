"""The pane of a unit: one of the circuit, or one of the network outside it."""

from collections.abc import Sequence
from typing import Any

from circuits.groups.layer_direction import Subject
from circuits.tracing.groups import subject_of
from dashboard.breakdowns import inspect
from dashboard.components import Pane
from dashboard.feature import Feature, View
from dashboard.features.unit import group_panel, outside, variants
from dashboard.features.unit.actions import ACTIONS, REQUESTS
from dashboard.features.unit.queries import queries
from dashboard.features.unit.view import nothing_to_choose, unit
from dashboard.library import Library
from dashboard.session.names import outside_name
from dashboard.session.selection import outside_unit
from dashboard.session.state import Session
from dashboard.session.tabs import TabSession
from dashboard.work.pictures import batches
from dashboard.work.scheduler import Scheduler
from dashboard.work.tiles import Tile, second_class, unit_tile

OUTSIDE = "outside"
"""What the scripts call the tile of a chosen unit that is not in the circuit."""


def _units(tab: TabSession, work: Scheduler) -> Sequence[Sequence[Subject]]:
    """The chosen unit or group, alone; then the channels of a group."""
    session, library = tab.session, work.library
    circuit, outside = session.work.circuit, outside_unit(session, library)
    chosen: Subject | None = outside
    selected = session.work.selected
    if outside is None and circuit is not None and selected in circuit.nodes and library.fit.is_own(circuit):
        chosen = subject_of(circuit, selected)
    parts = [] if outside is not None else batches(group_panel.chosen_members(session, library))
    return [*([] if chosen is None else [[chosen]]), *parts]


def _tiles(view: View) -> dict[str, Tile]:
    chosen = outside_unit(view.session, view.library)
    if chosen is None:
        return {}
    return {OUTSIDE: unit_tile(chosen, view.library, view.work.previews, waiting=view.drawing)}


def _more(view: View) -> list[variants.Shown]:
    return variants.shown(view.session, view.library, view.work.previews, waiting=view.drawing)


def _members(view: View) -> list[Tile]:
    return group_panel.member_tiles(view.session, view.library, view.work.previews, waiting=view.drawing)


def _state(view: View) -> str:
    """What tells one state of further pictures, of a group's channels, and of a second class from another."""
    second = view.tiles.get(view.session.work.selected, Tile("none")).second
    parts = (variants.state(_more(view)), ",".join(tile.picture or tile.state for tile in _members(view)), second)
    return " ".join(part for part in parts if part)


def _pane(view: View) -> Pane | None:
    session, library = view.session, view.library
    circuit, name, chosen = session.work.circuit, session.work.selected, outside_unit(session, library)
    if chosen is not None:
        reached = library.gallery.activation(chosen)
        return outside.pane(session, chosen, _tiles(view)[OUTSIDE], reached, view.answers, library)
    if circuit is None:
        return nothing_to_choose(session)
    if session.work.edge is not None or name not in circuit.nodes:
        return None
    own, second = library.fit.is_own(circuit), second_class(circuit, library) if name == circuit.root else None
    subject = subject_of(circuit, name) if own else None
    against = None if second is None else unit_tile(second, library, view.work.previews, waiting=view.drawing)
    return unit(
        session,
        circuit,
        inspect(library, circuit, name, session.work.locked),
        view.tiles.get(name, Tile("none")),
        None if subject is None else library.gallery.activation(subject),
        view.answers,
        _more(view),
        _members(view),
        own=own,
        against=against,
    )


def naming(session: Session, library: Library) -> dict[str, str] | None:
    """The chosen unit with its name and note as they are kept; `None` if none is chosen."""
    work, outside = session.work, outside_unit(session, library)
    if outside is not None:
        said = outside_name(session, outside, library)
        label = library.network.unit_label(outside)
        return {"id": str(outside), "label": label, "name": said.name, "note": said.note}
    if work.circuit is None or work.edge is not None or work.selected not in work.circuit.nodes:
        return None
    node = work.circuit.nodes[work.selected]
    return {"id": node.id, "label": node.label, "name": node.name, "note": node.note}


def _data(view: View) -> dict[str, Any]:
    chosen = outside_unit(view.session, view.library)
    facts = {"unit": str(chosen), **_tiles(view)[OUTSIDE].facts()} if chosen is not None else None
    return {"outside": facts}


def feature() -> Feature:
    """The feature, for `app.py`."""
    return Feature(
        actions=ACTIONS,
        requests=REQUESTS,
        queries=queries,
        units=_units,
        drawings=variants.drawings,
        tiles=_tiles,
        pane=_pane,
        data=_data,
        chosen=lambda view: {"naming": naming(view.session, view.library)},
        state=_state,
    )
