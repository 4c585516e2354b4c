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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn

from circuits.attribution._linear_vjp import (
    BLOCK,
    is_wide,
    step_down,
    through_entry,
    through_matrix,
    through_wide_entry,
    weight_times_gradient,
    without_bias,
)
from circuits.attribution._pass_back import PassBack
from circuits.network import operations as ops
from circuits.network.execute import (
    Channels,
    Request,
    SlicedEvaluation,
    execute,
    nodes_between,
    nodes_needed,
    row_layer,
)
from circuits.network.rows import is_one_at_a_time
from circuits.network.segments import Segment
from circuits.shapes import Activation

_UNITS = 128  # to be answered at once
_BYTES = 256 * 2**20


class BatchedAttribution:
    """What the units of an upper layer need of a segment that `is_understood`, for one photo's lower activation."""

    def __init__(self, segment: Segment, activation: Activation, *, block: int = BLOCK) -> None:
        self.segment = segment
        self._activation, self._block = activation, block
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
        return self._shares(channels, weights)[1]

    def _shares(self, channels: Sequence[int], weights: Tensor) -> tuple[Tensor, Tensor]:
        """The maps of some units, (1, units, H, W), and their shares."""
        known = {} if self._hidden is None else {self._hidden.node: self._hidden.value}
        rows = _Rows(self.traced, self._given, self._front, known)
        units = tuple(channels)
        rows.prepare([(self.segment.upper, units, True)])
        with torch.enable_grad():
            read = ops.as_maps(rows.value(self.segment.upper, units))
            value = (read[0] * weights).sum()
            gradients = torch.autograd.grad(value, [leaf.value for leaf in rows.leaves], allow_unused=True)
        scores = read.new_zeros(len(units), self.width)
        for leaf, gradient in zip(rows.leaves, gradients, strict=True):
            if gradient is not None:
                places = torch.tensor(leaf.places, device=scores.device)
                scores.index_add_(0, places, self._below(rows, leaf, gradient))
        return read.detach(), scores

    def _below(self, rows: "_Rows", leaf: "_Leaf", gradient: Tensor) -> Tensor:
        """The shares of the units of one leaf, from the gradient of each one's value in its own channel of the leaf."""
        maps = ops.as_maps(gradient)[0]
        row = row_layer(self.traced, leaf.node) if leaf.is_row else None
        if row is None and leaf.node in self._front:
            own = (rows.tangents[leaf.node][0, list(leaf.channels)] * gradient[0]).flatten(1).sum(1)
            scores = maps.new_zeros(len(maps), (ops.shape(leaf.node) or (0, 0))[1])
            scores[torch.arange(len(maps), device=maps.device), list(leaf.channels)] = own
            return self._grouped(scores)
        if row is None:
            shape = (ops.shape(leaf.node) or ())[1:]

            def spread(own: Tensor, channel: int) -> Tensor:
                above = own.new_zeros(1, *shape)
                above[0, channel] = own.view(shape[1:])
                return above

            return self._down(rows, leaf.node, leaf.channels, maps, spread)
        module, source = row
        if source in self._front and not ops.is_on_last(module, source):
            return self._grouped(weight_times_gradient(module, leaf.channels, rows.tangents[source], maps, self._block))
        shape, is_even = ops.shape(source) or (), (maps == maps[:, :1, :1]).flatten(1).all(1)
        scores = maps.new_zeros(len(maps), self.width)
        if self._hidden is None or self._hidden.node is not source:
            is_even = torch.zeros_like(is_even)
        if self._hidden is not None and is_even.any():
            asked = torch.tensor(leaf.channels, device=maps.device)[is_even]
            weights = module.weight[asked].flatten(1) * maps[is_even, :1, 0]
            scores[is_even] = through_matrix(weights, self._hidden.shares)
        if not is_even.all():
            channels = [channel for channel, even in zip(leaf.channels, is_even.tolist(), strict=True) if not even]
            scores[~is_even] = self._down(
                rows, source, channels, maps[~is_even], lambda own, channel: step_down(module, [channel], shape, own)
            )
        return scores

    @cached_property
    def _hidden(self) -> "_Hidden | None":
        """What a pointwise exit reads, if the segment is linear from there on: step 5 of the file's head.

        `None` also where its shares would take a pass back through a convolution for each of its channels.
        """
        upper, run = self.segment.upper, SlicedEvaluation(self.traced, self._given)
        for node in run.needed_whole([(upper, (0,), True)]):
            above, channels = nodes_needed([upper], {node, *self._given}), tuple(range((ops.shape(node) or (0, 0))[1]))
            rows = [row for each in above if (row := row_layer(self.traced, each)) and row[1] is node]
            linear = not any(ops.operation(self.traced, each).is_activation for each in above)
            plain = all(ops.is_pointwise(module) and module.stride == (1, 1) for module, _ in rows)
            if rows and linear and plain and self._front.issuperset(run.needed_whole([(node, channels, True)])):
                below = BatchedAttribution(replace(self.segment, upper=node), self._activation, block=len(channels))
                return _Hidden(node, *below._shares(channels, torch.ones_like(self._activation[0, :1, :1, :1])))
        return None

    def _down(
        self,
        rows: "_Rows",
        node: fx.Node,
        channels: Sequence[int],
        maps: Tensor,
        start: Callable[[Tensor, int], Tensor],
    ) -> Tensor:
        """The shares of several units, one after the other, from how the gradient of each one starts in a node."""
        scores = maps.new_zeros(len(maps), self.width)
        if node not in rows.whole:
            rows.run_whole([node])
        if node not in self._front and not rows.back.reaches(node):
            return scores
        wide: dict[fx.Node, list[Tensor]] = {}
        for number, channel in enumerate(channels):
            above = start(maps[number : number + 1], channel)
            for head, gradient in rows.back.gradients(node, above).items():
                if head in self._front:
                    scores[number] += self._grouped(rows.tangents[head] * gradient)[0]
                    continue
                module, source = rows.entries[head]
                if is_wide(module):
                    wide.setdefault(head, []).append(gradient)
                else:
                    scores[number] += self._grouped(through_entry(module, rows.tangents[source], gradient))[0]
        for head, gradients in wide.items():
            module, source = rows.entries[head]
            scores += self._grouped(through_wide_entry(module, rows.tangents[source], torch.cat(gradients)))
        return scores

    def _grouped(self, shares: Tensor) -> Tensor:
        """Shares of a node of the front, (units, features, …), summed to those of the lower layer's channels."""
        # In one layout, whichever the maps have, for a sum in another order has other last bits.
        return shares.reshape(len(shares), self.width, -1).contiguous().sum(2)


def front(segment: Segment) -> frozenset[fx.Node]:
    """The lower node, and those that it reaches without its channels being mixed: step 1 of the file's head."""
    traced, nodes = segment.traced, {segment.lower}
    for node in nodes_between(segment.lower, segment.upper):
        if {read for read in node.all_input_nodes if read.op != "get_attr"} <= nodes and _keeps(traced, node):
            nodes.add(node)
    return frozenset(nodes)


def _keeps(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node keeps the channels of its input apart; flattening lays each one's positions side by side."""
    if not node.args:
        return False
    before, after = ops.shape(node.args[0]), ops.shape(node)
    if before is None or after is None or len(after) < 2:
        return False
    flat = len(after) == 2 and len(before) == 4 and after[1] == before[1] * before[2] * before[3]
    flat = flat and ops.operation(traced, node).homogeneous
    return flat or ops.is_channelwise(traced, node) or ops.per_channel(traced, node) is not None


_ROLES = ("concatenation", "addition", "rectifier", "smooth", "scaling")


def is_understood(segment: Segment) -> bool:
    """Whether a segment has one lower layer, and only operations that treat each photo of a batch as if it were alone.

    Example:
        >>> from circuits import load_network
        >>> network = load_network("squeezenet1_1", weights="random")
        >>> is_understood(network.segment("features.6", "features.7"))
        True
    """
    if type(segment) is not Segment or is_one_at_a_time(segment.traced):
        return False
    steps = [node for node in nodes_between(segment.lower, segment.upper) if node.op != "get_attr"]
    return len(ops.shape(segment.lower) or ()) in (2, 4) and all(_is_known(segment.traced, node) for node in steps)


def _is_known(traced: fx.GraphModule, node: fx.Node) -> bool:
    called, kind = ops.operation(traced, node), ops.kind(traced, node)
    known = called.homogeneous or called.role in _ROLES or kind is nn.Linear or called.reach == "layer norm"
    known = known or ops.permuted(traced, node) or ops.per_channel(traced, node)
    if kind is nn.Conv2d:
        known = not isinstance(getattr(ops.called_module(traced, node), "padding", ""), str)
    maps = [node, *(read for read in node.all_input_nodes if read.op != "get_attr")]
    return bool(known) and all(len(ops.shape(each) or ()) in (2, 4) for each in maps)


def is_of_usual_size(segment: Segment, activation: Activation) -> bool:
    """Whether an activation has the size that the network's own photos give it, for which shapes were recorded."""
    return tuple(activation.shape[2:]) == (*(ops.shape(segment.lower) or ())[2:], 1, 1)[:2]


@dataclass(frozen=True, eq=False)
class _Hidden:
    """A node, its value, and the shares of its channels, each summed over its positions."""

    node: fx.Node
    value: Tensor
    shares: Tensor


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

    def __init__(
        self,
        traced: fx.GraphModule,
        given: dict[fx.Node, Tensor],
        front: frozenset[fx.Node],
        known: dict[fx.Node, Tensor],
    ) -> None:
        super().__init__(traced, given)
        self.values |= known
        self.leaves: list[_Leaf] = []
        self.entries: dict[fx.Node, tuple[nn.Conv2d | nn.Linear, fx.Node]] = {}
        self.tangents = dict(given)
        self.whole = frozenset(given)
        self.back = PassBack(traced, ())
        self._front = front
        self._lower = given
        self._places: tuple[int, ...] | None = None

    def prepare(self, requests: Sequence[Request]) -> None:
        if whole := self.needed_whole(requests):
            self.run_whole(whole)

    def run_whole(self, whole: Sequence[fx.Node]) -> None:
        """Run some nodes whole; the entries' outputs, and the front where others read it, are the heads."""
        order = nodes_needed(whole, self._lower)
        for node in order:
            row = row_layer(self.traced, node)
            if row is not None and row[1] in self._front and not ops.is_on_last(*row):
                self.entries[node] = row
        self.back = PassBack(self.traced, {*self.entries, *self._front})
        with torch.no_grad():
            fronts = [node for node in order if node in self._front]
            values = execute(self.traced, self._lower, [*fronts, *self.entries], on_node=self._run_front)
            self.values |= execute(self.traced, values, whole, on_node=self.back.run)
        self.whole |= set(whole)

    def _run_front(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        """Run a node; of one of the front, also what each channel of the lower layer puts into it, to first order."""
        if node not in self._front:
            return ops.run_node(self.traced, node, values)
        value = ops.run_node(self.traced, node, values)
        read = next(read for read in node.all_input_nodes if read in self.tangents)
        if ops.operation(self.traced, node).homogeneous:
            self.tangents[node] = value
        elif (slope := ops.slope(self.traced, node, values, read)) is not None:
            self.tangents[node] = self.tangents[read] * slope
        else:
            self.tangents[node] = without_bias(ops.called_module(self.traced, node), self.tangents[read])
        return value

    def is_picked(self, node: fx.Node, channels: Channels, rectified: bool) -> bool:
        # Where the walk ends must not depend on what other units need run whole.
        whole = channels is None or node in self._given or self._inputs(node, channels, rectified) is None
        return whole and super().is_picked(node, channels, rectified)

    def picked(self, node: fx.Node, channels: Channels) -> Tensor:
        value = super().picked(node, channels)
        return value if channels is None else self._end(node, channels, value, is_row=False)

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
