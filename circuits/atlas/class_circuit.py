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
from circuits.attribution.links import Link
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


def expand_class(
    atlas: "Atlas", circuit: Circuit, unit: Unit | str, *, top: int = 5, signs: str = "positive"
) -> Circuit:
    """The circuit of a class with the strongest links of one of its units, as `expand` has it of one photo.

    Args:
        atlas: the atlas.
        circuit: one that `Atlas.circuit` has made.
        unit: one of its units.
        top: units to show below it; an atlas keeps 8.
        signs: `positive` or `both`.

    Raises:
        InputError: if the circuit is not of this atlas, the unit has no links in it, or an option is out of range.
        UnknownError: if the unit is not in the circuit.
    """
    unit = Unit.parse(circuit.node(unit).id)
    if refused := why_not_expand(atlas, circuit, unit):
        raise InputError(refused)
    _check_top(atlas, top)
    graph, target = circuit.unfrozen(), Unit.parse(circuit.root)
    graph.remove_edges_from(list(graph.in_edges(str(unit))))
    _expand(atlas, graph, unit, target.channel, top, signs)
    graph.remove_nodes_from(set(graph) - reaching(graph, circuit.root))
    return replace(circuit, graph=graph)


def why_not_expand(atlas: "Atlas", circuit: Circuit, unit: Unit) -> str:
    """Why a unit of a circuit cannot be expanded, in a sentence; "" if it can."""
    if not is_of_atlas(atlas, circuit):
        return (
            f"The atlas in {atlas.folder} does not have the photos of this circuit, {circuit.photo_info.name}; "
            "choose the class again to see it as the atlas has it now."
        )
    if not atlas.layer(unit.layer).below:
        return f"{unit} is in the lowest layer; only the image is below it."
    if _is_linked(atlas, unit):
        return ""
    why = next((each.why for each in atlas.record.subject.unlinked if each.layer == unit.layer), "")
    return f"The atlas has no links below {unit}{f': {why}' * bool(why)}. The trace of a single photo answers there."


def is_of_atlas(atlas: "Atlas", circuit: Circuit) -> bool:
    """Whether a circuit is that of a class, over the photos that are in the atlas now."""
    known, root = circuit.collection, Unit.parse(circuit.root)
    if known is None or circuit.network.sha256 != atlas.record.subject.network["sha256"]:
        return False
    return root.channel in atlas.record.photos and known.sha256 == atlas.facts(root.channel)["digest"]


def _links_to(atlas: "Atlas", unit: Unit) -> list[Link]:
    own = (link for link in atlas.record.subject.links if link.upper == unit.layer)
    return [link for link in own if link.start <= unit.channel < link.start + link.rows]


def _is_linked(atlas: "Atlas", unit: Unit) -> bool:
    """Whether a unit has links to units below it."""
    return any(link.lowers for link in _links_to(atlas, unit))


def _is_exact(atlas: "Atlas", unit: Unit) -> bool:
    """Whether what the links of a unit leave of its contribution is the effective bias, and nothing else."""
    if unit.layer in {each.layer for each in atlas.record.subject.unlinked}:
        return False
    return atlas.layer(unit.layer).piecewise_linear and all(link.exact for link in _links_to(atlas, unit))


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
    if not _is_linked(atlas, unit):
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
        **{"bias" if _is_exact(atlas, unit) else "remainder": number(told.contribution.mean - told.total)},
    )  # fmt: skip
    return [link.source for link in links]


def _chosen(links: "Sequence[AtlasLink]", top: int, signs: str) -> "list[AtlasLink]":
    if signs == "both":
        return sorted(links, key=lambda link: -abs(link.share))[:top]
    return [link for link in sorted(links, key=lambda link: -link.share) if link.share > 0][:top]
