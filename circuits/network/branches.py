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

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx

from circuits.errors import InputError
from circuits.network import operations as ops
from circuits.network.dataflow import value_inputs, value_users
from circuits.network.execute import nodes_between, nodes_needed
from circuits.network.segments import Segment
from circuits.shapes import Activations

_MOST = 2**28
"""Numbers of one photo that lie side by side in memory, of which several copies are made: a gigabyte each."""


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

    The lower activations are passed as one tensor, made by `concatenate_padded`: their channels one after the other, on
    the largest height and width among them, zero where one is smaller. What is zero accounts for nothing, so that every
    formula of `attribution` holds as it stands.

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
        start = 0
        for node in self.lowers:
            shape = ops.shape(node)
            assert shape is not None
            rows, columns = shape[2:] if len(shape) == 4 else (1, 1)
            part = x[:, start : start + shape[1], :rows, :columns]
            values[node] = part if len(shape) == 4 else part.flatten(1)
            start += shape[1]
        return values


def concatenate_padded(activations: Sequence[Activations]) -> Activations:
    """Activations of several layers as one tensor, (N, Σ C, max H, max W), zero beyond a layer's own size.

    Example:
        >>> concatenate_padded([torch.ones(1, 2, 1, 1), torch.ones(1, 1, 2, 2)])[0].flatten(1).tolist()
        [[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]

    Raises:
        InputError: if that is too large for one photo, as where it lies itself beside tens of thousands of units.
    """
    if len(activations) == 1:
        return activations[0]
    rows, columns = (max(each.shape[at] for each in activations) for at in (2, 3))
    channels = sum(each.shape[1] for each in activations)
    if channels * rows * columns > _MOST:
        raise InputError(
            f"The layers below have {channels} channels, and the photo or the largest of these layers {rows} by "
            f"{columns} positions, which takes {4 * channels * rows * columns / 2**30:.0f} GB side by side; choose "
            "fewer layers, or take the lowest convolution, such as the embedding of the patches, among them."
        )
    return torch.cat([F.pad(each, (0, columns - each.shape[3], 0, rows - each.shape[2])) for each in activations], 1)


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
