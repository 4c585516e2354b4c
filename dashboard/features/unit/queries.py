"""What is to be found out about the chosen unit: of the circuit, or of the network outside it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from circuits.evidence.layer_statistics import standing
from circuits.report.sentences import edges_from
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.session.selection import network_of, outside_unit, source_of
from dashboard.session.state import Session, expansion_of
from dashboard.work.evidence import Evidence, layer_query, relative_query, source_key
from dashboard.work.results import Query, digest, photo_key

if TYPE_CHECKING:
    from dashboard.work.scheduler import Scheduler

_SLOW = 4
"""Rank of the exemplars: a collection may take minutes."""


def queries(session: Session, work: "Scheduler") -> Sequence[Query]:
    """The queries of the chosen unit; none for a circuit that is locked, or while an edge is chosen."""
    outside, state = outside_unit(session, work.library), session.work
    if outside is not None:
        return _of_outside(outside, session, work.evidence)
    if state.circuit is None or state.locked or state.edge is not None or state.selected not in state.circuit.visible:
        return ()
    return _of_node(state.circuit, state.selected, session, work.evidence)


def upper_of(session: Session) -> str:
    """Id of the unit above that the chosen one is shown relative to: where it was reached from, else the strongest."""
    circuit, work = session.work.circuit, session.work
    if circuit is None:
        return ""
    above = [edge.target for edge in edges_from(circuit, work.selected)]
    return work.came_from if work.came_from in above else next(iter(above), "")


def _of_node(circuit: Circuit, name: str, session: Session, evidence: Evidence) -> list[Query]:
    node, looking, library = circuit.nodes[name], session.looking, evidence.library
    seen = library.cut(circuit), circuit, node.channel

    def query(kind: str, detail: str, work: Callable[[], object]) -> Query:
        return Query(kind, f"{photo_key(circuit)}/{node.unit}/{kind}{detail}", lambda progress: work(), 2)

    found = [query("heat", "", partial(evidence.heat, *seen))]
    if not node.expanded and not library.why_not_expand(circuit, name, ""):
        choices = expansion_of(session, name)
        how = f"{circuit.settings.mode}/{choices.top}/{circuit.root}/{node.value}/{digest(*circuit.layers)}"
        found.append(query("books", f"/{how}", partial(library.would_show, circuit, name, choices)))
    found.append(query("standing", "", partial(standing, *seen)))
    if library.network.labels and node.unit.layer != circuit.layers[-1]:
        found.append(query("pushes", f"/{digest(*circuit.layers)}", partial(evidence.pushes, *seen)))
    if not evidence.is_scalar(circuit, name):
        found.append(query("places", "", partial(evidence.places, *seen)))
        picture = library.key(circuit, name)
        if library.gallery.file(picture) is not None and not library.is_dead(circuit, name):
            found.append(query("middle", f"/{picture}", partial(evidence.middle, circuit, name)))
    if (name == circuit.root) == evidence.is_scalar(circuit, name):
        found.append(query("argument", f"/{circuit.root}", partial(evidence.argument, circuit, name)))
    method = f"/{looking.method}/{looking.start}"
    found.append(query("saliency", method, partial(evidence.saliency, circuit, name, looking)))
    if upper := upper_of(session):
        found.append(relative_query(circuit, name, upper, looking, evidence))
    key = f"{photo_key(circuit)}/{node.unit}/exemplars/{evidence.collection.stamp()}"
    return [*found, Query("exemplars", key, partial(evidence.collection.of, node.channel.whole, node.max), _SLOW)]


def _of_outside(unit: Unit, session: Session, evidence: Evidence) -> list[Query]:
    source, network = source_of(session), network_of(session, evidence.library)
    if source is None:
        return []
    subject = f"{digest(*source_key(source, rooted=False))}/{unit}"
    found = [] if session.showing.page == "layers" else [layer_query(network, source, unit.layer)]
    found.append(Query("heat", f"{subject}/heat-outside", lambda _: evidence.heat(network, source, unit), 2))
    if network.labels and unit.layer != network.layers[-1]:
        key = f"{subject}/pushes-outside/{digest(*network.layers)}"
        found.append(Query("pushes", key, lambda _: evidence.pushes(network, source, unit), 2))
    layer = network.layer(unit.layer)
    if layer.height * layer.width > 1:
        key = f"{subject}/places-outside"
        found.append(Query("places", key, lambda _: evidence.places(network, source, unit), 2))
    key = f"{subject}/exemplars-outside/{evidence.collection.stamp()}"
    return [*found, Query("exemplars", key, partial(evidence.exemplars, network, source, unit), _SLOW)]
