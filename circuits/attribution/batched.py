"""Gradient × activation of many units at once, through no more of a segment than they need.

For units i of the upper layer, each with weights w_i on its map, S_ij = Σ_hw a_j · ∂f_i/∂a_j is found as follows.

1. An operation that acts on each channel alone and is piecewise linear without a constant (relu, pooling, flatten)
   hands the share of a channel on as it is: Σ_hw a_j · ∂f/∂a_j = Σ_hw e_j · ∂f/∂e_j for its output e
   (Euler's theorem on homogeneous functions, of degree 1). The nodes that the lower layer reaches in this way are its
   *front*, and the convolutions and linear layers that read them its *entries*, z = W ∗ e + b.
2. Likewise from the top: down to the last convolution or linear layer, its *exit*, nothing mixes the channels, so that
   one small pass back gives ∂f_i/∂r_i of all units at once, r_i being the exit's row for unit i.
3. Where an exit is an entry, S_ij = Σ_k W_ijk · ∂f_i/∂W_ijk: gradient × weight, summed over the kernel, is gradient ×
   activation, summed over space, because r is bilinear in the two. One gradient of a weight serves all units.
4. Elsewhere the exit's row of weights takes ∂f_i/∂r_i one step down, and one pass back, batched over the units, from
   there to the entries gives ∂f_i/∂z. Of an entry with a wide kernel, what each channel puts into z on its own, P_cj =
   W_cj ∗ e_j, is then made once for all units: S_ij = Σ_c Σ_hw ∂f_i/∂z_c · P_cj.
5. Who else reads the front, such as the addition at the end of a block, is answered by gradient × activation there.

The shares are those of a pass back for each unit, up to the rounding of sums taken in another order, which does not
depend on how many units are asked for at once (`_linear_vjp`): a unit expanded alone has the very numbers that it has
in a deeper trace.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, fx, nn

from circuits.attribution._linear_vjp import in_blocks, step_down, through_entry, weight_times_gradient
from circuits.network import operations as ops
from circuits.network.execute import (
    Channels,
    Request,
    SlicedEvaluation,
    execute,
    is_sliceable,
    nodes_between,
    nodes_needed,
)
from circuits.network.segments import Segment
from circuits.shapes import Activation

_UNITS = 64  # to be answered at once
_BYTES = 256 * 2**20
_BLOCK = 4  # units in a pass back through further convolutions, which costs a lot for each


class BatchedAttribution:
    """What the units of an upper layer need of a segment that `is_understood`, for one photo's lower activation."""

    def __init__(self, segment: Segment, activation: Activation) -> None:
        self.segment = segment
        self.traced = segment.traced
        self.width = activation.shape[1]
        self._steps = nodes_between(segment.lower, segment.upper)
        self._given = segment.given(activation.detach())
        self._front = front(segment)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the upper layer."""
        shape = ops.shape(self.segment.upper)
        assert shape is not None
        return (shape[2], shape[3]) if len(shape) == 4 else (1, 1)

    @property
    def at_once(self) -> int:
        """How many units to ask for at once, within the memory bound."""
        largest = max(prod(ops.shape(node) or (0,)) for node in [self.segment.lower, *self._steps])
        return max(1, min(_UNITS, _BYTES // (16 * largest)))

    def shares(self, channels: Sequence[int], weights: Tensor) -> Tensor:
        """The shares of some units, (units, c), from the weights of each one's map in its value, (units, H, W)."""
        rows = _Rows(self.traced, self._given, self._front)
        units = tuple(channels)
        rows.prepare([(self.segment.upper, units, True)])
        with torch.enable_grad():
            read = ops.as_maps(rows.value(self.segment.upper, units))
            value = (read[0] * weights).sum()
            gradients = torch.autograd.grad(value, [leaf.value for leaf in rows.leaves], allow_unused=True)
        scores = read.new_zeros(len(units), self.width)
        for leaf, gradient in zip(rows.leaves, gradients, strict=True):
            if gradient is not None:
                scores[torch.tensor(leaf.places, device=scores.device)] += self._below(rows, leaf, gradient)
        return scores

    def _below(self, rows: "_Rows", leaf: "_Leaf", gradient: Tensor) -> Tensor:
        """The shares of the units of one leaf, from the gradient of each one's value in its own channel of the leaf."""
        if not leaf.is_row:
            value = rows.values[leaf.node].detach()
            spread = value.new_zeros(len(leaf.places), *value.shape[1:])
            spread[torch.arange(len(leaf.places), device=value.device), list(leaf.channels)] = gradient[0]
            if leaf.node in self._front:
                return self._grouped(value * spread)
            return self._down(rows, leaf.node, spread)
        module, source = ops.called_module(self.traced, leaf.node), leaf.node.all_input_nodes[0]
        x = rows.values[source].detach()
        if source in self._front:
            return self._grouped(weight_times_gradient(module, leaf.channels, x, gradient))
        return self._down(rows, source, step_down(module, leaf.channels, x, gradient))

    def _down(self, rows: "_Rows", node: fx.Node, above: Tensor) -> Tensor:
        """The shares of several units from the gradient of each one's value in a node above the entries."""
        scores = above.new_zeros(len(above), self.width)
        if not rows.values[node].requires_grad:
            return scores
        heads = list(rows.heads.items())
        for (head, leaf), gradient in zip(heads, self._pass_back(rows, node, above), strict=True):
            if gradient is None:
                continue
            if head in self._front:
                scores += self._grouped(leaf.detach() * gradient)
            else:
                module, source = ops.called_module(self.traced, head), head.all_input_nodes[0]
                scores += self._grouped(through_entry(module, rows.values[source].detach(), gradient))
        return scores

    def _pass_back(self, rows: "_Rows", node: fx.Node, above: Tensor) -> list[Tensor | None]:
        """Gradients of several units in the heads, each (units, …), from those in a node above; `None` if none."""
        deep = any(ops.is_mixing(self.traced, step) for step in nodes_needed([node], set(rows.heads) | self._front))
        parts = []
        for some in in_blocks(above, _BLOCK) if deep else [above]:
            parts.append(
                torch.autograd.grad(
                    rows.values[node], list(rows.heads.values()), some[:, None], retain_graph=True,
                    is_grads_batched=True, allow_unused=True,
                )
            )  # fmt: skip
        return [None if each[0] is None else torch.cat(each)[: len(above), 0] for each in zip(*parts, strict=True)]

    def _grouped(self, shares: Tensor) -> Tensor:
        """Shares of a node of the front, (units, features, …), summed to those of the lower layer's channels."""
        # In one layout, whichever the maps have, for a sum in another order has other last bits.
        return shares.reshape(len(shares), self.width, -1).contiguous().sum(2)


def front(segment: Segment) -> frozenset[fx.Node]:
    """The lower node, and those that it reaches without its channels being mixed: step 1 of the file's head."""
    traced, nodes = segment.traced, {segment.lower}
    for node in nodes_between(segment.lower, segment.upper):
        if ops.operation(traced, node).homogeneous and set(node.all_input_nodes) <= nodes and _keeps(traced, node):
            nodes.add(node)
    return frozenset(nodes)


def _keeps(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node keeps the channels of its input apart; flattening lays each one's positions side by side."""
    before, after = ops.shape(node.all_input_nodes[0]), ops.shape(node)
    if before is None or after is None or len(after) < 2:
        return False
    flat = len(after) == 2 and len(before) == 4 and after[1] == before[1] * before[2] * before[3]
    return flat or ops.is_channelwise(traced, node)


def is_understood(segment: Segment) -> bool:
    """Whether a segment has one lower layer, and only operations for which the file's head holds and gradients batch.

    Example:
        >>> from circuits import load_network
        >>> network = load_network("squeezenet1_1", weights="random")
        >>> is_understood(network.segment("features.6", "features.7"))
        True
    """
    if type(segment) is not Segment:
        return False
    for node in nodes_between(segment.lower, segment.upper):
        called, kind = ops.operation(segment.traced, node), ops.kind(segment.traced, node)
        known = called.homogeneous or called.role in ("concatenation", "addition") or kind in (nn.Conv2d, nn.Linear)
        if not known or len(ops.shape(node) or ()) not in (2, 4):
            return False
        if kind is nn.Conv2d and isinstance(getattr(ops.called_module(segment.traced, node), "padding", ""), str):
            return False
        if any(len(ops.shape(read) or ()) not in (2, 4) for read in node.all_input_nodes):
            return False
    return len(ops.shape(segment.lower) or ()) in (2, 4)


def is_of_usual_size(segment: Segment, activation: Activation) -> bool:
    """Whether an activation has the size that the network's own photos give it, for which shapes were recorded."""
    return tuple(activation.shape[2:]) == (*(ops.shape(segment.lower) or ())[2:], 1, 1)[:2]


@dataclass(eq=False)
class _Leaf:
    """A node at which the walk down from the upper layer ends: the units that end there, and their channels of it."""

    node: fx.Node
    channels: tuple[int, ...]
    places: tuple[int, ...]
    value: Tensor
    is_row: bool


class _Rows(SlicedEvaluation):
    """A run that stops the gradient above the front, and notes where the walk down from the asked channels ends."""

    def __init__(self, traced: fx.GraphModule, given: dict[fx.Node, Tensor], front: frozenset[fx.Node]) -> None:
        super().__init__(traced, given)
        self.leaves: list[_Leaf] = []
        self.heads: dict[fx.Node, Tensor] = {}
        self._front = front
        self._places: tuple[int, ...] | None = None

    def prepare(self, requests: Sequence[Request]) -> None:
        """Run what is needed whole; the entries' outputs, and the front where others read it, are the heads."""
        whole = self.needed_whole(requests)
        order = nodes_needed(whole, self.values)
        given = set(self.values)
        entries = [node for node in order if node.all_input_nodes[0] in self._front and is_sliceable(self.traced, node)]
        fronts = [node for node in order if node in self._front]
        with torch.no_grad():
            self.values = execute(self.traced, self.values, [*fronts, *entries])
        above = [node for node in order if node not in self._front and node not in entries]
        read = {read for node in above for read in node.all_input_nodes}
        for node in (*entries, *sorted(self._front & (set(order) | given) & read)):
            self.heads[node] = self.values[node] = self.values[node].detach().requires_grad_()
        if above:
            with torch.enable_grad():
                self.values = execute(self.traced, self.values, whole)

    def picked(self, node: fx.Node, channels: Channels) -> Tensor:
        value = super().picked(node, channels)
        if channels is None:
            return value
        return self._end(node, channels, value, is_row=node in self.heads and node not in self._front)

    def sliced(self, node: fx.Node, x: Tensor, channels: tuple[int, ...]) -> Tensor:
        with torch.no_grad():
            value = super().sliced(node, x, channels)
        return self._end(node, channels, value, is_row=True)

    def _end(self, node: fx.Node, channels: tuple[int, ...], value: Tensor, *, is_row: bool) -> Tensor:
        places = tuple(range(len(channels))) if self._places is None else self._places
        self.leaves.append(_Leaf(node, channels, places, value.detach().requires_grad_(), is_row))
        return self.leaves[-1].value

    def part(self, part: fx.Node, channels: Channels, rectified: bool, places: tuple[int, ...]) -> Tensor:
        outer = self._places
        self._places = places if outer is None else tuple(outer[place] for place in places)
        value = super().part(part, channels, rectified, places)
        self._places = outer
        return value
