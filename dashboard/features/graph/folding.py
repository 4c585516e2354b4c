"""Near-duplicates on the page: which units are marked as such, and which are folded into one.

Folding is only a way of showing: the circuit keeps all its units. A folded group stands as one unit, the one that it
was folded into; edges that then lie on one another are one edge, whose attribution is the sum of theirs.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import WARNINGS, Edge
from dashboard.answers import Groups


@dataclass(frozen=True)
class Folds:
    """The groups of a circuit, as far as they are visible.

    Args:
        groups: members by the id of each member, the strongest first.
        into: the unit that stands for a unit that is folded away, by id.
    """

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    into: Mapping[str, str] = field(default_factory=dict)

    def stands(self, name: str) -> str:
        """The unit that is drawn for a unit: itself, unless it is folded away."""
        return self.into.get(name, name)

    def members(self, name: str) -> tuple[str, ...]:
        """The units that a drawn unit stands for, itself first."""
        return (name, *(each for each in self.groups.get(name, ()) if self.into.get(each) == name))


def folds(circuit: Circuit, groups: Groups, folded: Collection[str]) -> Folds:
    """Which units of a circuit are alike, and which of those are folded away.

    Args:
        circuit: the circuit.
        groups: as `circuits.evidence.near_duplicates` finds them, of this circuit or of how it was before.
        folded: ids of the units into which groups are folded.
    """
    found: dict[str, tuple[str, ...]] = {}
    into: dict[str, str] = {}
    for group in groups:
        members = tuple(name for name in group if name in circuit.visible and name not in found)
        if len(members) < 2:
            continue
        found.update(dict.fromkeys(members, members))
        stands = next((name for name in members if name in folded), "")
        if stands:
            into.update({name: stands for name in members if name != stands})
    return Folds(found, into)


@dataclass(frozen=True)
class Merged:
    """An edge as it is drawn: one of the circuit, or several that lie on one another.

    Args:
        source: id of the lower unit that is drawn.
        target: id of the upper one.
        parts: the edges of the circuit, the strongest first.
    """

    source: str
    target: str
    parts: tuple[Edge, ...]

    @property
    def attribution(self) -> float:
        """Their sum."""
        return sum(edge.attribution for edge in self.parts)

    @property
    def size(self) -> float:
        """The sum of their magnitudes, which is what coverage counts."""
        return sum(abs(edge.attribution) for edge in self.parts)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful about one of them or more."""
        found = {name for edge in self.parts for name in edge.warnings}
        return tuple(name for name in WARNINGS if name in found)

    @property
    def disagrees(self) -> bool:
        """Whether the ablation contradicts the attribution in one of them."""
        return "disagrees" in self.warnings


def merged(circuit: Circuit, fold: Folds, order: Sequence[str]) -> list[Merged]:
    """The edges between the units that are drawn, by the upper unit in the order given, then by rank."""
    found: list[Merged] = []
    for target in order:
        parts: dict[str, list[Edge]] = {}
        for member in fold.members(target):
            for edge in circuit.edges_into(member):
                if edge.source in circuit.visible:
                    parts.setdefault(fold.stands(edge.source), []).append(edge)
        for source, edges in parts.items():
            edges.sort(key=lambda edge: (-abs(edge.attribution), edge.source, edge.target))
            found.append(Merged(source, target, tuple(edges)))
    return found
