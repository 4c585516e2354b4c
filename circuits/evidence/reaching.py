"""Which pixels a value of the network can depend on, found by running the network on the numbers of its pixels.

1. Replace every operation of the graph by the largest of what each value of its output can depend on: a convolution by
   the largest in its window, an addition by the larger side, a mean by the largest; a reshape moves values as it does.
   Weights do not matter, and padding is nothing (-∞).
2. Run that on an image whose pixels hold the numbers of their rows. What comes out is the lowest row that each value
   sees; with the numbers negated, the highest; and the same for columns.

Exact for what `reach_steps` lists: stride, padding of every kind, dilation, groups, ceil_mode, uneven bins,
interpolation, branches, concatenations, shuffles, slices, and multiplication by what was pooled from everywhere. An
operation that is not listed is taken to see the whole image.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from circuits import operations as ops
from circuits.evidence.reach_steps import STEPS, Call, everything


def furthest(
    traced: fx.GraphModule, image: fx.Node, numbers: Tensor, wanted: Sequence[fx.Node]
) -> dict[fx.Node, Tensor]:
    """The largest of the pixels' numbers that each value of some nodes can depend on; -∞ where it depends on none.

    Args:
        traced: the prepared network.
        image: the image's node.
        numbers: one for each pixel, (1, c, h, w).
        wanted: nodes that make tensors.
    """
    order = _order(traced, wanted)
    last_reader = {read: node for node in order for read in node.all_input_nodes}
    values: dict[fx.Node, Any] = {image: numbers}
    dependent = {image}
    largest = float(numbers.max())
    with torch.no_grad():
        for node in order:
            reads = node.all_input_nodes
            if node is not image and dependent.isdisjoint(reads):
                values[node] = ops.run_node(traced, node, values)
            elif node is not image:
                call = Call(traced, node, values, [values[read] for read in reads if read in dependent], largest)
                values[node] = STEPS.get(ops.kind(traced, node), everything)(call)
                if any(isinstance(part, Tensor) for part in pytree.tree_leaves(values[node])):
                    dependent.add(node)
            for read in reads:
                if last_reader[read] is node and read not in wanted:
                    del values[read]
    return {node: values[node] for node in wanted}


def _order(traced: fx.GraphModule, wanted: Sequence[fx.Node]) -> list[fx.Node]:
    needed: set[fx.Node] = set()
    waiting = list(wanted)
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting.extend(node.all_input_nodes)
    return [node for node in traced.graph.nodes if node in needed]
