"""Gradient × activation of many units at once, through no more of a segment than they need.

For units i of the upper layer, each with weights w_i on its map, S_ij = Σ_hw a_j · ∂f_i/∂a_j is found as follows.

1. The nodes that the lower layer reaches with its channels apart (rectifiers, pools, batch norms, depthwise
   convolutions) are its *front*. In such a node e the share of channel j is Σ_hw t_j · ∂f/∂e_j, where t_j = Σ a_j ·
   ∂e_j/∂a_j, what the channel puts into it to first order. Of a homogeneous operation (relu, pooling, flatten) t is e
   itself (Euler); where relu6 is at its limit, t is zero. The convolutions and linear layers that read the front are
   its *entries*, z = W ∗ e + b.
   Where shares are measured from a baseline b, t starts as a - b in the place of a; no gradient changes.
2. Likewise from the top: down to the last convolution or linear layer, its *exit*, nothing mixes the channels, so that
   one small pass back gives ∂f_i/∂r_i of all units at once, r_i being the exit's row for unit i.
3. Where an exit is an entry, S_ij = Σ_k W_ijk · ∂f_i/∂W_ijk: gradient × weight, summed over the kernel, is gradient ×
   activation, summed over space, because r is bilinear in the two. One gradient of a weight serves all units.
4. Elsewhere the exit's row of weights takes ∂f_i/∂r_i one step down, and a pass back (`_pass_back`) from there to the
   entries gives ∂f_i/∂z. Of an entry with a wide kernel, what each channel puts into z on its own, P_cj = W_cj ∗ t_j,
   is then made once for all units: S_ij = Σ_c Σ_hw ∂f_i/∂z_c · P_cj.
5. Where ∂f_i/∂r_i is one number g_i at all positions, as of a unit without a rectifier that is summed over its map, and
   the exit looks at one position at a time, S_ij = g_i Σ_c W_ic · H_cj: H_cj are the shares of what the exit reads,
   each channel summed over its positions, which are found once for all units if steps 1 to 3 are enough for them.
6. Who else reads the front, such as the addition at the end of a block, is answered by gradient × activation there.

The shares are those of a pass back for each unit, up to the rounding of sums taken in another order, which does not
depend on how many units are asked for at once (`_linear_vjp`): a unit expanded alone has the very numbers that it has
in a deeper trace.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

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
)
from circuits.attribution._rows import Leaf, SegmentRows
from circuits.network import operations as ops
from circuits.network.channelwise import is_on_last, is_pointwise, per_channel, permuted, row_layer
from circuits.network.execute import SlicedEvaluation, nodes_between, nodes_needed
from circuits.network.rows import is_one_at_a_time
from circuits.network.segments import Segment
from circuits.shapes import Activation

_UNITS = 128  # to be answered at once
_BYTES = 256 * 2**20


class BatchedAttribution:
    """What the units of an upper layer need of a segment that `is_understood`, for one photo's lower activation.

    Args:
        segment: from the lower layer to the upper.
        activation: of the lower layer.
        away: what is shared out of it, a - b where there is a baseline; the activation itself if `None`.
        block: how many units are asked for each time; any number if `None`.
    """

    def __init__(
        self, segment: Segment, activation: Activation, away: Activation | None = None, *, block: int | None = None
    ) -> None:
        self.segment = segment
        self._activation, self._away, self._block = activation, away, block or BLOCK
        self._always_alike = block is not None  # whoever gives the size of a block asks for the same units each time
        self.traced = segment.traced
        self.width = activation.shape[1]
        self._steps = nodes_between(segment.lower, segment.upper)
        self._given = segment.given(activation.detach())
        self._tangents = self._given if away is None else segment.given(away.detach())
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
        rows = SegmentRows(self.traced, self._given, self._tangents, self._front, known)
        rows.prepare([(self.segment.upper, tuple(channels), True)])
        size = len(channels) if self._always_alike or not self._is_sensitive else 1
        parts = [
            self._shares_of(rows, channels[start : start + size], weights[start : start + size])
            for start in range(0, len(channels), size)
        ]
        return torch.cat([maps for maps, _ in parts], 1), torch.cat([scores for _, scores in parts])

    def _shares_of(self, rows: SegmentRows, channels: Sequence[int], weights: Tensor) -> tuple[Tensor, Tensor]:
        rows.leaves.clear()
        with torch.enable_grad():
            read = ops.as_maps(rows.value(self.segment.upper, tuple(channels)))
            value = (read[0] * weights).sum()
            gradients = torch.autograd.grad(value, [leaf.value for leaf in rows.leaves], allow_unused=True)
        scores = read.new_zeros(len(channels), self.width)
        for leaf, gradient in zip(rows.leaves, gradients, strict=True):
            if gradient is not None:
                places = torch.tensor(leaf.places, device=scores.device)
                scores.index_add_(0, places, self._below(rows, leaf, gradient))
        return read.detach(), scores

    @cached_property
    def _is_sensitive(self) -> bool:
        """Whether something above the exits has other last bits where more channels are computed at once.

        Exponentials have, which the processor computes for several numbers together, and depthwise convolutions. So has
        the choice that a max pool makes among numbers of an exit that are equal up to their last bits.
        """
        waiting, seen = [self.segment.upper], {*self._given}
        while waiting:
            node = waiting.pop()
            if node in seen or row_layer(self.traced, node):
                continue
            called = ops.operation(self.traced, node)
            chooses = called.reach == "max pool" or ops.kind(self.traced, node) in _ADAPTIVE_MAX
            if called.role in ("smooth", "mixing") or (chooses and node not in self._front):
                return True
            seen.add(node)
            waiting.extend(node.all_input_nodes)
        return False

    def _below(self, rows: SegmentRows, leaf: Leaf, gradient: Tensor) -> Tensor:
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
        if source in self._front and not is_on_last(module, source):
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
            plain = all(is_pointwise(module) and module.stride == (1, 1) for module, _ in rows)
            if rows and linear and plain and node not in self._front and self._is_within(node, channels, run):
                part = replace(self.segment, upper=node)
                below = BatchedAttribution(part, self._activation, self._away, block=len(channels))
                return _Hidden(node, *below._shares(channels, self._activation.new_ones(len(channels), 1, 1)))
        return None

    def _is_within(self, node: fx.Node, channels: Sequence[int], run: SlicedEvaluation) -> bool:
        """Whether channels of a node need nothing else whole than the front."""
        return self._front.issuperset(run.needed_whole([(node, tuple(channels), True)]))

    def _down(
        self,
        rows: SegmentRows,
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
    before, after = ops.shape(node.args[0]) if node.args else None, ops.shape(node)
    if per_channel(traced, node) is not None:
        return True
    if before is None or after is None or len(after) < 2:
        return False
    flat = len(after) == 2 and len(before) == 4 and after[1] == before[1] * before[2] * before[3]
    flat = flat and ops.operation(traced, node).homogeneous
    return flat or ops.is_channelwise(traced, node)


_ADAPTIVE_MAX = (nn.AdaptiveMaxPool2d, nn.functional.adaptive_max_pool2d)
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
    known = known or permuted(traced, node) is not None or per_channel(traced, node) is not None
    if kind is nn.Conv2d:
        known = not isinstance(getattr(ops.called_module(traced, node), "padding", ""), str)
    maps = [node, *(read for read in node.all_input_nodes if read.op != "get_attr")]
    return known and all(len(ops.shape(each) or ()) in (2, 4) for each in maps)


def is_of_usual_size(segment: Segment, activation: Activation) -> bool:
    """Whether an activation has the size that the network's own photos give it, for which shapes were recorded."""
    return tuple(activation.shape[2:]) == (*(ops.shape(segment.lower) or ())[2:], 1, 1)[:2]


@dataclass(frozen=True, eq=False)
class _Hidden:
    """A node, its value, and the shares of its channels, each summed over its positions."""

    node: fx.Node
    value: Tensor
    shares: Tensor
