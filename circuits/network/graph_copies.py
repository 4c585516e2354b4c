"""Segments in copies of their networks' graphs, in which some nodes are exchanged for others of the same values."""

from collections.abc import Callable
from dataclasses import replace

from torch import fx

from circuits.network.branches import BranchSegment
from circuits.network.segments import Segment

_Copy = tuple[fx.GraphModule, dict[fx.Node, fx.Node]]


class GraphCopies:
    """Copies of graphs, each made once, for as long as its network is there.

    Args:
        change: changes a node of a copy in place; it is given the network, the copy's graph and the node.
    """

    def __init__(self, change: Callable[[fx.GraphModule, fx.Graph, fx.Node], None]) -> None:
        self._change = change

    def of(self, traced: fx.GraphModule) -> _Copy:
        """The copy of a network's graph, and where each of its nodes is there."""
        # The copy knows its network, so that whoever else kept it would keep that too, for ever.
        kept: dict[GraphCopies, _Copy] = vars(traced.graph).setdefault("copies_of_circuits", {})
        if self not in kept:
            graph, node_of = fx.Graph(), dict[fx.Node, fx.Node]()
            graph.output(graph.graph_copy(traced.graph, node_of))
            for node in list(graph.nodes):
                self._change(traced, graph, node)
            copy = fx.GraphModule(traced, graph)
            copy.meta.update(traced.meta)
            kept[self] = copy, node_of
        return kept[self]

    def segment(self, segment: Segment) -> Segment:
        """The same function in the copy."""
        traced, node_of = self.of(segment.traced)
        moved = replace(segment, traced=traced, lower=node_of[segment.lower], upper=node_of[segment.upper])
        if not isinstance(segment, BranchSegment):
            return moved
        assert isinstance(moved, BranchSegment)
        constants = tuple((node_of[node], value) for node, value in segment.constants)
        return replace(moved, lowers=tuple(node_of[node] for node in segment.lowers), constants=constants)
