"""Which nodes of a graph lead to its target."""

from collections.abc import Callable

import networkx as nx


def reaching(
    graph: nx.DiGraph,
    root: str,
    *,
    passed: Callable[[str], bool] = lambda name: True,
    followed: Callable[[str, str], bool] = lambda lower, upper: True,
) -> frozenset[str]:
    """The target, and the nodes from which it is reached through nodes that pass, over edges that are followed."""
    kept = nx.subgraph_view(graph, filter_node=lambda name: name == root or passed(name), filter_edge=followed)
    return frozenset({root, *nx.ancestors(kept, root)})


def visible_in(graph: nx.DiGraph, root: str) -> frozenset[str]:
    """The nodes from which the target can be reached without passing a discarded one."""
    return reaching(graph, root, passed=lambda name: not graph.nodes[name]["discarded"])
