"""Layers inside branches: the function below a unit where the chosen layers do not form a chain.

1. A tensor of the graph may be a layer if it has channels, depends on the image, and the logits depend on it.
2. The *lower layers* of a chosen tensor u are the nearest chosen ones on each path: those from which the graph has a
   path to u with no other chosen tensor on it. What lies between is a function u = F(l_1, …, l_n) of these tensors,
   each taken as an argument of its own, though one may be computed from another.
3. Attribution goes through F alone, S_lj = Σ_hw a_lj · ∂F/∂a_lj with the other arguments held as they are. Every path
   from the image to u is cut at one place, at the last chosen tensor on it, so that it is counted once, and
   f = Σ_l Σ_j S_lj + bias closes with the biases of F alone.
4. On a path with no chosen tensor the image itself is the last argument of F. What its colours account for is part of
   the rest; they are no units, and are never shown.

In a chain F is the segment from the one layer below. Below an addition of a block lie what came over the skip and what
the block added; below a concatenation, the last tensors of its branches.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx

from circuits.network import operations as ops
from circuits.network.dataflow import value_inputs, value_users
from circuits.network.execute import nodes_between, nodes_needed
from circuits.network.segments import Segment
from circuits.shapes import Activations


def on_paths(image: fx.Node, logits: fx.Node) -> list[fx.Node]:
    """The nodes above the image that depend on it and that the logits depend on, in the order of the graph."""
    dependent = {image: True}
    for node in nodes_between(image, logits):
        if any(read in dependent for read in value_inputs(node)):
            dependent[node] = True
    return list(dependent)[1:]


def fine(traced: fx.GraphModule, nodes: Sequence[fx.Node]) -> list[fx.Node]:
    """Of some nodes every activated or merged tensor, and the parts of every merge: concatenation or addition."""
    kept = [node for node in nodes if ops.is_merged_or_activated(traced, node)]
    merges = [node for node in kept if not ops.operation(traced, node).is_activation]
    parts = {read for merge in merges for read in value_inputs(merge)}
    return [node for node in nodes if node in parts or node in kept]


def nearest_below(node: fx.Node, chosen: Collection[fx.Node], image: fx.Node) -> list[fx.Node]:
    """The last chosen tensors on the paths from the image to a node, in the order of the graph.

    The image is one of them, the first, if some path has no chosen tensor on it.
    """
    ends = {image, *chosen}
    steps = nodes_needed(value_inputs(node), ends)
    return sorted({read for step in (node, *steps) for read in value_inputs(step) if read in ends})


@dataclass(frozen=True, eq=False)
class BranchSegment(Segment):
    """`h_upper = F(h_1, …, h_n)`: the function from several tensors to a layer above them.

    The lower activations are passed as one tensor, made by `pack`: their numbers one after the other, whatever the
    heights and widths are. A formula of `attribution` gives the share of each number; `LayersBelow.shares` sums these
    to those of channels.

    Args:
        traced: the prepared network.
        lower: the first of the lower nodes.
        upper: node of the upper layer.
        piecewise_linear: whether every operation between them is piecewise linear.
        lowers: the lower nodes, in the order in which they are packed.
        constants: values of further nodes, for one photo, which are not explained.
    """

    lowers: tuple[fx.Node, ...] = ()
    constants: tuple[tuple[fx.Node, Tensor], ...] = ()

    def given(self, x: Activations) -> dict[fx.Node, Tensor]:
        """The lower activations, each in the shape that it has in the graph."""
        values = {node: value.expand(len(x), *value.shape[1:]) for node, value in self.constants}
        shapes = [(ops.shape(node) or ())[1:] for node in self.lowers]
        parts = [x] if len(shapes) == 1 else torch.split(x.flatten(1), [math.prod(shape) for shape in shapes], 1)
        return values | {
            node: part.reshape(len(x), *shape) for node, part, shape in zip(self.lowers, parts, shapes, strict=True)
        }


def pack(activations: Sequence[Activations]) -> Activations:
    """Activations of several layers as one tensor, their numbers one after the other, (N, Σ C·H·W, 1, 1).

    A single one stays as it is.

    Example:
        >>> pack([torch.ones(1, 2, 1, 1), torch.zeros(1, 1, 2, 2)]).flatten().tolist()
        [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    if len(activations) == 1:
        return activations[0]
    return torch.cat([each.flatten(1) for each in activations], 1)[:, :, None, None]


def place_in_concatenation(
    traced: fx.GraphModule, lower: fx.Node, lowers: Collection[fx.Node], upper: fx.Node
) -> tuple[fx.Node, int] | None:
    """The concatenation through which a tensor enters one above it, and the channel at which it starts there.

    Activation functions and pools on the way there keep its channels. `None` if there is no such concatenation between
    the lower layers and the upper tensor, or more than one.
    """
    inside = set(nodes_needed([upper], lowers)) - {upper}
    places: list[tuple[fx.Node, int]] = []
    waiting = [lower]
    while waiting:
        node = waiting.pop()
        for user in value_users(node):
            if user not in inside:
                continue
            if parts := ops.concatenated(traced, user):
                widths = [(ops.shape(part) or (0, 0))[1] for part in parts]
                places += [(user, sum(widths[:number])) for number, part in enumerate(parts) if part is node]
            elif ops.is_channelwise(traced, user):
                waiting.append(user)
    return places[0] if len(places) == 1 else None
