"""The circuit of a class: its strongest units and links over all of its photos, as `trace` finds them for one photo.

1. The target is the logit of the class, its value the mean over the photos.
2. A unit's value is its mean contribution C_ki; its edges are the links E_kij that excite most (or, with both signs, of
   the largest size), each with its standard error, its consistency, and on how many photos it rests.
3. Level by level, as in a trace in mode `target`: means are linear, so that C_ki = shown + rest + bias closes as there.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import networkx as nx

from circuits.attribution.gradient import strongest as check_signs
from circuits.errors import InputError
from circuits.naming.store import names_of
from circuits.tracing.circuit import Circuit
from circuits.tracing.circuit_file import attributes, number
from circuits.tracing.facts import CollectionInfo, NetworkInfo, TargetInfo, TraceSettings, as_int, tops_of
from circuits.tracing.visible import reaching
from circuits.units import Unit

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas
    from circuits.atlas.facts import AtlasLink


def class_circuit(atlas: "Atlas", of: str | int, *, depth: int, top: int | Sequence[int], signs: str) -> Circuit:
    """The circuit of a class; `Atlas.circuit` says the rest."""
    import torch

    shown, levels = as_int(top), as_int(depth)
    tops = tops_of(shown, levels)
    check_signs(torch.zeros(1), 1, signs)
    _check_top(atlas, max(tops))
    found, subject = atlas.find(of), atlas.record.subject
    root = Unit(subject.top, found.number)
    graph, facts = nx.DiGraph(), atlas.facts(found.number)
    _add(atlas, graph, root, found.number, found.label)
    channels = len(subject.preprocessing["mean"])
    height, width = subject.preprocessing["size"]
    graph.graph |= attributes(
        NetworkInfo.of_row(subject.network),
        CollectionInfo(
            name=found.label, sha256=facts["digest"], photos=found.photos, batches=facts["batches"],
            input=(channels, height, width),
        ),
        (),
        TargetInfo(kind="class", unit=str(root), label=found.label, value=graph.nodes[str(root)]["value"]),
        TraceSettings(mode="target", top=shown, signs=signs, depth=levels),
    )  # fmt: skip
    waiting = [root]
    for level in range(levels):
        lower: dict[Unit, None] = {}
        for unit in waiting:
            lower |= dict.fromkeys(_expand(atlas, graph, unit, found.number, tops[level], signs))
        waiting = [unit for unit in lower if not graph.nodes[str(unit)]["expanded"]]
    return Circuit(graph)


def expand_class(atlas: "Atlas", circuit: Circuit, unit: Unit, *, top: int, signs: str) -> Circuit:
    """The circuit of a class with the strongest links of one of its units; `Atlas.expand` says the rest."""
    if refused := atlas.why_not_expand(circuit, unit):
        raise InputError(refused)
    _check_top(atlas, top)
    graph, target = circuit.unfrozen(), Unit.parse(circuit.root)
    graph.remove_edges_from(list(graph.in_edges(str(unit))))
    _expand(atlas, graph, unit, target.channel, top, signs)
    graph.remove_nodes_from(set(graph) - reaching(graph, circuit.root))
    return replace(circuit, graph=graph)


def _check_top(atlas: "Atlas", top: int) -> None:
    kept = min(atlas.record.links)
    if top > kept:
        raise InputError(f"top is {top}, and an atlas keeps the {kept} strongest links of a unit; give {kept} at most.")


def _add(atlas: "Atlas", graph: nx.DiGraph, unit: Unit, of: int, label: str) -> None:
    """Add the node of a unit: its mean contribution, and its mean peak."""
    told, names = atlas.unit(unit, of), names_of(atlas.record.subject.network["sha256"])
    graph.add_node(
        str(unit), layer=unit.layer, channel=unit.channel, label=label, value=number(told.contribution.mean),
        max=number(told.peak.mean), peak=[0, 0], expanded=False, note="", discarded=False,
    )  # fmt: skip
    graph.nodes[str(unit)].update(names.row_of(unit, str(unit)))
    if told.contribution.error == told.contribution.error:
        graph.nodes[str(unit)]["error"] = number(told.contribution.error)


def _expand(atlas: "Atlas", graph: nx.DiGraph, unit: Unit, of: int, top: int, signs: str) -> list[Unit]:
    """Put edges into a unit from the strongest below it, and what they leave of its value; the units below."""
    if not atlas.is_linked(unit):
        return []
    told, links = atlas.unit(unit, of), _chosen(atlas.links(unit, of), top, signs)
    for rank, link in enumerate(links, start=1):
        if str(link.source) not in graph:
            _add(atlas, graph, link.source, of, str(link.source))
        row: dict[str, Any] = {"attribution": number(link.share), "rank": rank, "photos": link.photos}
        row |= {"error": number(link.error)} if link.error == link.error else {}
        if link.share > 0:  # of links that inhibit it is not counted how often they are among the strongest
            row["consistency"] = number(link.consistency)
        graph.add_edge(str(link.source), str(unit), **row)
    shown = sum((link.share for link in links), 0.0)
    size = sum((abs(link.share) for link in links), 0.0)
    graph.nodes[str(unit)].update(
        expanded=True, shown=number(shown), rest=number(told.total - shown),
        coverage=number(min(1.0, size / told.gross) if told.gross else 0.0), gross=number(told.gross),
        **{"bias" if atlas.is_exact(unit) else "remainder": number(told.contribution.mean - told.total)},
    )  # fmt: skip
    return [link.source for link in links]


def _chosen(links: "Sequence[AtlasLink]", top: int, signs: str) -> "list[AtlasLink]":
    if signs == "both":
        return sorted(links, key=lambda link: -abs(link.share))[:top]
    return [link for link in sorted(links, key=lambda link: -link.share) if link.share > 0][:top]
