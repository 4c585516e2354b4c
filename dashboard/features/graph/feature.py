"""The graph of the circuit."""

from collections.abc import Sequence
from typing import Any

from circuits.groups.layer_direction import Subject
from dashboard.answers import Alike
from dashboard.feature import Feature, Output, View
from dashboard.features.graph import actions, arrange_actions, set_actions
from dashboard.features.graph.drawing import Drawing, Drawings
from dashboard.features.graph.view import graph
from dashboard.library import Library
from dashboard.session.selection import outside_unit
from dashboard.session.state import Session
from dashboard.session.tabs import TabSession
from dashboard.work.evidence import in_photo_query
from dashboard.work.pictures import circuit_batches
from dashboard.work.results import Query, digest, method_key, photo_key
from dashboard.work.scheduler import Scheduler
from dashboard.work.tiles import Tile


def _queries(session: Session, work: Scheduler) -> Sequence[Query]:
    """What the units did in the photo, and which are near-duplicates, whose order depends on their edges."""
    circuit, evidence = session.work.circuit, work.evidence
    if circuit is None or session.work.locked:
        return ()
    in_photo = in_photo_query(circuit, evidence)
    if outside_unit(session, work.library) is not None:
        return (in_photo,)
    shown = " ".join(sorted(f"{name}{'+' if circuit.nodes[name].expanded else ''}" for name in circuit.visible))
    key = f"{photo_key(circuit)}/alike/{circuit.root}/{method_key(circuit)}/{digest(shown)}"
    return in_photo, Query("alike", key, lambda _: evidence.alike(circuit), 3)


def _units(tab: TabSession, work: Scheduler) -> Sequence[Sequence[Subject]]:
    return circuit_batches(tab.session.work.circuit, work.library)


def _render(view: View) -> dict[str, Any]:
    session = view.session
    return {
        "page": session.showing.page,
        "no_legend": session.work.circuit is None,
        "no_undo": not session.past and not session.requests,
        "no_redo": not session.future,
    }


def feature(library: Library) -> Feature:
    """The feature, for `app.py`; it keeps the drawings that were made last."""
    drawings = Drawings(library.channels)

    def drawing(view: View) -> Drawing | None:
        """The circuit as it is drawn; its near-duplicates as they were known last, until they are found again."""
        work, alike = view.session.work, view.answers.get("alike")
        if work.circuit is None:
            return None
        if isinstance(alike, Alike):
            view.tab.alike = alike.groups
        groups = () if work.of_class else view.tab.alike  # which are those of a photo
        locked = bool(view.library.fit.why_not_grow(work.circuit, work.locked))
        return drawings.of(work.circuit, groups, work.folded, locked=locked)

    def data(view: View) -> dict[str, Any]:
        selected = view.session.work.selected
        chosen = {"id": selected, "state": view.tiles.get(selected, Tile("none")).state}
        return graph(view.session, drawing(view), view.have.drawing) | {"chosen": chosen}

    return Feature(
        actions=actions.ACTIONS | arrange_actions.ACTIONS | set_actions.ACTIONS,
        requests=actions.REQUESTS,
        queries=_queries,
        units=_units,
        outputs={
            "page": Output("middle", "data-page"),
            "no_legend": Output("legend", "hidden"),
            "no_undo": Output("undo", "disabled"),
            "no_redo": Output("redo", "disabled"),
        },
        render=_render,
        data=data,
    )
