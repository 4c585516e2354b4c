"""What is to be found out about the chosen unit: of the circuit, or of the network outside it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from circuits.evidence.layer_statistics import standing
from circuits.report.sentences import edges_from
from circuits.report.text import is_of_tokens
from circuits.tracing.circuit import Circuit
from circuits.tracing.groups import dictionaries_key
from circuits.tracing.node import Node
from circuits.tracing.writers import written_by
from circuits.units import Address, Group, Unit
from dashboard.atlas_library import unit_in_atlas
from dashboard.breakdowns import would_show
from dashboard.features.unit.written_panel import NAME as WRITTEN
from dashboard.library import Library
from dashboard.session.selection import network_of, outside_unit, source_of
from dashboard.session.state import Session, expansion_of
from dashboard.work.evidence import Evidence, layer_query, relative_query, source_key
from dashboard.work.results import Query, digest, method_key, photo_key

if TYPE_CHECKING:
    from dashboard.work.scheduler import Scheduler

_SLOW = 4
"""Rank of the exemplars: a collection may take minutes."""


def queries(session: Session, work: "Scheduler") -> Sequence[Query]:
    """The queries of the chosen unit; none for a circuit that is locked, or while an edge is chosen."""
    outside, state = outside_unit(session, work.library), session.work
    if outside is not None:
        return [*in_atlas(outside, work.library), *_of_outside(outside, session, work.evidence)]
    if state.circuit is not None and state.of_class and work.library.fit.is_own(state.circuit):
        chosen = state.circuit.nodes.get("" if state.edge else state.selected)
        return () if chosen is None else [*in_atlas(chosen.unit, work.library), *_elsewhere(chosen, work.evidence)]
    if state.circuit is None or state.locked or state.edge is not None or state.selected not in state.circuit.visible:
        return ()
    return _of_node(state.circuit, state.selected, session, work.evidence)


def in_atlas(unit: Address, library: Library) -> list[Query]:
    """What the atlas says of a unit; nothing of a group, or without an atlas."""
    network, atlas = library.network, library.atlas
    if atlas is None or not isinstance(unit, Unit):
        return []
    return [Query("atlas", f"{unit.whole}/atlas", lambda _: unit_in_atlas(network, atlas, unit), 1)]


def upper_of(session: Session) -> str:
    """Id of the unit above that the chosen one is shown relative to: where it was reached from, else the strongest."""
    circuit, work = session.work.circuit, session.work
    if circuit is None:
        return ""
    above = [edge.target for edge in edges_from(circuit, work.selected)]
    return work.came_from if work.came_from in above else next(iter(above), "")


def _of_node(circuit: Circuit, name: str, session: Session, evidence: Evidence) -> list[Query]:
    """The queries of a node: those of a group, and where it is a channel what can be asked of channels alone."""
    node, looking, library = circuit.nodes[name], session.looking, evidence.library
    seen = library.fit.cut(circuit), circuit, node.unit
    subject = f"{photo_key(circuit)}/{node.unit}"
    if isinstance(node.unit, Group):
        subject += f"/{dictionaries_key(circuit, node.unit.layer)}"

    def query(kind: str, detail: str, work: Callable[[], object]) -> Query:
        return Query(kind, f"{subject}/{kind}{detail}", lambda progress: work(), 2)

    found = in_atlas(node.unit, library)
    if not is_of_tokens(node.unit.layer):
        found.append(query("heat", "", partial(evidence.heat, *seen)))
    if not node.expanded and not library.fit.why_not_expand(circuit, name, ""):
        choices = expansion_of(session, name)
        below = digest(*circuit.layers, dictionaries_key(circuit))
        how = f"{method_key(circuit)}/{choices.top}/{circuit.root}/{node.value}/{below}"
        found.append(query("books", f"/{how}", partial(would_show, library, circuit, name, choices)))
    if isinstance(node.unit, Unit):
        found.append(query("standing", "", partial(standing, library.fit.cut(circuit), circuit, node.unit)))
    if seen[0].layer(node.unit.layer).is_stream:
        found.append(query(WRITTEN, f"/{circuit.root}", partial(written_by, library.network, circuit, name)))
    if library.network.labels and node.unit.layer != circuit.layers[-1]:
        found.append(query("pushes", f"/{digest(*circuit.layers)}", partial(evidence.pushes, *seen)))
    is_scalar = evidence.is_scalar(circuit, name)
    if not is_scalar:
        found.append(query("places", "", partial(evidence.places, *seen)))
    if (name == circuit.root) == is_scalar:
        found.append(query("argument", f"/{circuit.root}", partial(evidence.argument, circuit, name)))
    reading = (node.unit.layer, *([layer.name for layer in library.network.layer_list] if name == circuit.root else []))
    if any(map(is_of_tokens, reading)):
        found.append(query("attention", "", partial(evidence.class_token_looks, circuit, name)))
    if isinstance(node.unit, Group):
        return found
    if not is_scalar and evidence.has_middle(circuit, name):
        picture = library.key(circuit, name)
        if library.gallery.file(picture) is not None and not library.is_dead(circuit, name):
            found.append(query("middle", f"/{picture}", partial(evidence.middle, circuit, name)))
    method = f"/{looking.method}/{looking.start}"
    found.append(query("saliency", method, partial(evidence.saliency, circuit, name, looking)))
    upper = upper_of(session)
    if upper and evidence.has_relative(circuit, name, upper):
        found.append(relative_query(circuit, name, upper, looking, evidence))
    return [*found, *_elsewhere(node, evidence, subject)]


def _elsewhere(node: Node, evidence: Evidence, subject: str = "") -> list[Query]:
    """What a channel fires on in the collection, beside its peak here, which in the circuit of a class is the mean."""
    if not isinstance(node.unit, Unit):
        return []
    key = f"{subject or f'{node.id}/{node.max}'}/exemplars/{evidence.collection.stamp()}"
    return [Query("exemplars", key, partial(evidence.collection.of, node.unit.whole, node.max), _SLOW)]


def _of_outside(unit: Unit, session: Session, evidence: Evidence) -> list[Query]:
    source, network = source_of(session), network_of(session, evidence.library)
    if source is None:
        return []
    subject = f"{digest(*source_key(source, rooted=False))}/{unit}"
    found = [] if session.showing.page == "layers" else [layer_query(network, source, unit.layer)]
    if not is_of_tokens(unit.layer):
        found.append(Query("heat", f"{subject}/heat-outside", lambda _: evidence.heat(network, source, unit), 2))
    if network.labels and unit.layer != network.layers[-1]:
        key = f"{subject}/pushes-outside/{digest(*network.layers)}"
        found.append(Query("pushes", key, lambda _: evidence.pushes(network, source, unit), 2))
    if network.layer(unit.layer).has_places:
        key = f"{subject}/places-outside"
        found.append(Query("places", key, lambda _: evidence.places(network, source, unit), 2))
    key = f"{subject}/exemplars-outside/{evidence.collection.stamp()}"
    return [*found, Query("exemplars", key, partial(evidence.exemplars, network, source, unit), _SLOW)]
