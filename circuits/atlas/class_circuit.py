"""The circuit of a class: its strongest units and links over all of its photos, as `trace` finds them for one photo.

1. The target is the logit of the class, its value the mean over the photos.
2. A unit's value is its mean contribution C_ki; its edges are the links E_kij that excite most (or, with both signs, of
   the largest size), each with its standard error, its consistency, and on how many photos it rests.
3. Level by level, as in a trace in mode `target`: means are linear, so that C_ki = shown + rest + bias closes as there.

The circuit of a unit is what it is made of whatever the class, as a trace of the unit in mode `sum`: a unit's value is
the mean of Σ_hw a over the photos of all classes, and its edges are its class-free links.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import networkx as nx

from circuits.atlas.facts import AtlasLink, Mean
from circuits.atlas.storage import CLASS_FREE, LINKS
from circuits.attribution.gradient import strongest as check_signs
from circuits.attribution.links import Link
from circuits.errors import CircuitsError, InputError
from circuits.naming.store import names_of
from circuits.tracing.circuit import Circuit
from circuits.tracing.circuit_file import attributes, number
from circuits.tracing.facts import CollectionInfo, NetworkInfo, TargetInfo, TraceSettings, as_int, tops_of
from circuits.tracing.visible import reaching
from circuits.units import Unit, as_unit

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas


def class_circuit(atlas: "Atlas", of: str | int | Unit, *, depth: int, top: int | Sequence[int], signs: str) -> Circuit:
    """The circuit of a class, or of a unit; `Atlas.circuit` says the rest."""
    import torch

    shown, levels = as_int(top), as_int(depth)
    tops = tops_of(shown, levels)
    check_signs(torch.zeros(1), 1, signs)
    _check_top(atlas, max(tops))
    root, means = _asked(atlas, of)
    graph = nx.DiGraph()
    means.add(graph, root)
    target = means.target(root, graph.nodes[str(root)]["value"])
    graph.nodes[str(root)]["label"] = target.label
    graph.graph |= attributes(
        NetworkInfo.of_row(atlas.record.subject.network), means.collection(), (), target,
        TraceSettings(mode=means.mode, top=shown, signs=signs, depth=levels),
    )  # fmt: skip
    waiting = [root]
    for level in range(levels):
        lower: dict[Unit, None] = {}
        for unit in waiting:
            lower |= dict.fromkeys(means.expand(graph, unit, tops[level], signs))
        waiting = [unit for unit in lower if not graph.nodes[str(unit)]["expanded"]]
    return Circuit(graph)


def _asked(atlas: "Atlas", of: str | int | Unit) -> "tuple[Unit, _CircuitMeans]":
    """The unit whose circuit is wanted, that of a class or another, and the means that it is made of."""
    unit = of if isinstance(of, Unit) else _named(atlas, of)
    if unit is None or unit.layer == atlas.layers[-1].name:
        found = atlas.find(unit.channel if unit is not None else of)  # type: ignore[arg-type]
        return Unit(atlas.layers[-1].name, found.number), _CircuitMeans(atlas, found.number)
    atlas.unit(unit)
    if unit.position is not None:
        raise InputError(f"An atlas has means over all positions, and {unit} is one of them; give {unit.whole}.")
    if refused := why_not_unit(atlas, unit):
        raise InputError(refused)
    return unit, _CircuitMeans(atlas, None)


def _named(atlas: "Atlas", of: str | int) -> Unit | None:
    """The unit that is called so, if no class is."""
    if isinstance(of, int) or of in atlas.record.subject.labels:
        return None
    if of in atlas.layer_names:
        raise InputError(f"{of} is a layer; give one of its units, such as {of}:0, or a class.")
    if of.rpartition(":")[0] in atlas.layer_names:
        return as_unit(of)
    with suppress(InputError):
        return Unit.parse(of)  # of a layer that the atlas does not have, which is then said
    return None


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
    graph = circuit.unfrozen()
    graph.remove_edges_from(list(graph.in_edges(str(unit))))
    _CircuitMeans(atlas, _class_of(circuit)).expand(graph, unit, top, signs)
    graph.remove_nodes_from(set(graph) - reaching(graph, circuit.root))
    return replace(circuit, graph=graph)


def why_not_expand(atlas: "Atlas", circuit: Circuit, unit: Unit) -> str:
    """Why a unit of a circuit cannot be expanded, in a sentence; "" if it can."""
    if not is_of_atlas(atlas, circuit):
        return (
            f"The atlas in {atlas.folder} does not have the photos of this circuit, {circuit.photo_info.name}; "
            "choose the class again to see it as the atlas has it now."
        )
    return _why_unlinked(atlas, unit)


def why_not_unit(atlas: "Atlas", unit: Unit) -> str:
    """Why there is no circuit of a unit over all photos, in a sentence; "" if there is."""
    try:
        atlas.links(unit, class_free=True)
    except CircuitsError as error:
        return str(error)
    return _why_unlinked(atlas, unit)


def _why_unlinked(atlas: "Atlas", unit: Unit) -> str:
    """Why a unit has no links to units below it, in a sentence; "" if it has."""
    if not atlas.layer(unit.layer).below:
        return f"{unit} is in the lowest layer; only the image is below it."
    if _is_linked(atlas, unit):
        return ""
    why = next((each.why for each in atlas.record.subject.unlinked if each.layer == unit.layer), "")
    return f"The atlas has no links below {unit}{f': {why}' * bool(why)}. The trace of a single photo answers there."


def is_of_atlas(atlas: "Atlas", circuit: Circuit) -> bool:
    """Whether a circuit is that of a class, or a unit, over the photos that are in the atlas now."""
    known, channel = circuit.collection, _class_of(circuit)
    if known is None or circuit.network.sha256 != atlas.record.subject.network["sha256"]:
        return False
    if channel is None:
        return atlas.has_class_free and known.sha256 == atlas.facts()["digest"]
    return channel in atlas.record.photos and known.sha256 == atlas.facts(channel)["digest"]


def _class_of(circuit: Circuit) -> int | None:
    """Number of the class that a circuit over several photos explains; `None` if it explains a unit."""
    return Unit.parse(circuit.root).channel if circuit.target.kind == "class" else None


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


@dataclass(frozen=True)
class _CircuitMeans:
    """The means that the circuit of a class is made of, or that of a unit.

    Args:
        atlas: that has them.
        of: the class; `None` for what units are made of whatever the class.
    """

    atlas: "Atlas"
    of: int | None

    @property
    def mode(self) -> str:
        """As `trace` calls shares of this kind."""
        return "sum" if self.of is None else "target"

    @property
    def kind(self) -> str:
        """How the atlas calls the links."""
        return CLASS_FREE if self.of is None else LINKS

    def target(self, root: Unit, value: float) -> TargetInfo:
        """What is explained."""
        label = str(root) if self.of is None else self.atlas.find(self.of).label
        return TargetInfo(kind="unit" if self.of is None else "class", unit=str(root), label=label, value=value)

    def collection(self) -> CollectionInfo:
        """The photos that the means are over."""
        facts, atlas = self.atlas.facts(self.of), self.atlas
        if self.of is None:
            called = "1 class" if len(atlas.classes) == 1 else f"{len(atlas.classes)} classes"
        else:
            called = atlas.find(self.of).label
        seen = atlas.record.subject.preprocessing
        height, width = seen["size"]
        return CollectionInfo(
            name=called, sha256=facts["digest"], photos=facts["photos"], batches=facts["batches"],
            input=(len(seen["mean"]), height, width),
        )  # fmt: skip

    def value(self, unit: Unit) -> Mean:
        """A unit's mean contribution to the class, or its activation, summed over positions as a trace has it."""
        told = self.atlas.unit(unit, self.of)
        return told.contribution if self.of is not None else _times(told.activation, self._positions(unit))

    def links(self, unit: Unit) -> list[AtlasLink]:
        """The kept links below a unit, in units of its value."""
        size = self._positions(unit)
        found = self.atlas.links(unit, self.of, class_free=self.of is None)
        return [replace(link, share=size * link.share, error=size * link.error) for link in found]

    def over_all(self, unit: Unit, name: str) -> float:
        """The `total` of all links below a unit, or their `gross`, in units of its value."""
        table = self.atlas.table(f"{self.kind}.{name}", unit.layer, self.of)
        return self._positions(unit) * float(table[unit.channel])

    def _positions(self, unit: Unit) -> int:
        layer = self.atlas.layer(unit.layer)
        return layer.height * layer.width if self.of is None else 1

    def add(self, graph: nx.DiGraph, unit: Unit) -> None:
        """Add the node of a unit: its value, and its mean peak."""
        value, peak = self.value(unit), self.atlas.unit(unit, self.of).peak
        graph.add_node(
            str(unit), layer=unit.layer, channel=unit.channel, label=str(unit), value=number(value.mean),
            max=number(peak.mean), peak=[0, 0], expanded=False, note="", discarded=False,
        )  # fmt: skip
        graph.nodes[str(unit)].update(names_of(self.atlas.record.subject.network["sha256"]).row_of(unit, str(unit)))
        if value.error == value.error:
            graph.nodes[str(unit)]["error"] = number(value.error)

    def expand(self, graph: nx.DiGraph, unit: Unit, top: int, signs: str) -> list[Unit]:
        """Put edges into a unit from the strongest below it, and what they leave of its value; the units below."""
        if not _is_linked(self.atlas, unit):
            return []
        links = _chosen(self.links(unit), top, signs)
        for rank, link in enumerate(links, start=1):
            if str(link.source) not in graph:
                self.add(graph, link.source)
            row: dict[str, Any] = {"attribution": number(link.share), "rank": rank, "photos": link.photos}
            row |= {"error": number(link.error)} if link.error == link.error else {}
            if link.share > 0:  # of links that inhibit it is not counted how often they are among the strongest
                row["consistency"] = number(link.consistency)
            graph.add_edge(str(link.source), str(unit), **row)
        shown, total = sum((link.share for link in links), 0.0), self.over_all(unit, "total")
        size, gross = sum((abs(link.share) for link in links), 0.0), self.over_all(unit, "gross")
        graph.nodes[str(unit)].update(
            expanded=True, shown=number(shown), rest=number(total - shown),
            coverage=number(min(1.0, size / gross) if gross else 0.0), gross=number(gross),
            **{"bias" if _is_exact(self.atlas, unit) else "remainder": number(self.value(unit).mean - total)},
        )  # fmt: skip
        return [link.source for link in links]


def _times(mean: Mean, count: int) -> Mean:
    return Mean(count * mean.mean, count * mean.error)


def _chosen(links: Sequence[AtlasLink], top: int, signs: str) -> list[AtlasLink]:
    if signs == "both":
        return sorted(links, key=lambda link: -abs(link.share))[:top]
    return [link for link in sorted(links, key=lambda link: -link.share) if link.share > 0][:top]
