"""The forward run of a segment for some units of its upper layer, as attribution in batches needs it (`batched`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from circuits.attribution._linear_vjp import without_bias
from circuits.attribution._pass_back import PassBack
from circuits.network import operations as ops
from circuits.network.channelwise import is_on_last, row_layer, slope_of
from circuits.network.execute import Channels, Request, SlicedEvaluation, execute, nodes_needed


@dataclass(eq=False)
class Leaf:
    """A node at which the walk down from the upper layer ends: the units that end there, and their channels of it."""

    node: fx.Node
    channels: tuple[int, ...]
    places: tuple[int, ...]
    value: Tensor
    is_row: bool


class SegmentRows(SlicedEvaluation):
    """A run that stops the gradient above the front, and notes where the walk down from the asked channels ends."""

    def __init__(
        self,
        traced: fx.GraphModule,
        given: dict[fx.Node, Tensor],
        tangents: dict[fx.Node, Tensor],
        front: frozenset[fx.Node],
        known: dict[fx.Node, Tensor],
    ) -> None:
        super().__init__(traced, given)
        self.values |= known
        self.leaves: list[Leaf] = []
        self.entries: dict[fx.Node, tuple[nn.Conv2d | nn.Linear, fx.Node]] = {}
        self.tangents = dict(tangents)
        self.whole = frozenset(given)
        self.back = PassBack(traced, ())
        self._front = front
        self._lower = given
        self._places: tuple[int, ...] | None = None

    def prepare(self, requests: Sequence[Request]) -> None:
        if whole := self.needed_whole(requests):
            self.run_whole(whole)

    def run_whole(self, whole: Sequence[fx.Node]) -> None:
        """Run some nodes whole; the entries' outputs, and the front where others read it, are the heads.

        Those that were run whole before are run again, so that one way back leads from all of them.
        """
        self.whole |= set(whole)
        whole = [node for node in sorted(self.whole) if node not in self._lower]
        order = nodes_needed(whole, self._lower)
        for node in order:
            row = row_layer(self.traced, node)
            if row is not None and row[1] in self._front and not is_on_last(*row):
                self.entries[node] = row
        self.back = PassBack(self.traced, {*self.entries, *self._front})
        with torch.no_grad():
            fronts = [node for node in order if node in self._front]
            values = execute(self.traced, self._lower, [*fronts, *self.entries], on_node=self._run_front)
            self.values |= execute(self.traced, values, whole, on_node=self.back.run)

    def _run_front(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        """Run a node; of one of the front, also what each channel of the lower layer puts into it, to first order."""
        if node not in self._front:
            return ops.run_node(self.traced, node, values)
        value = ops.run_node(self.traced, node, values)
        read = next(read for read in node.all_input_nodes if read in self.tangents)
        if ops.operation(self.traced, node).homogeneous:
            # Euler's theorem, where all that lies below is homogeneous too, or else the operation's own derivative.
            is_all = self.tangents[read] is values[read]
            self.tangents[node] = value if is_all else self._pushed(node, values, read)
        elif (slope := slope_of(self.traced, node, values, read)) is not None:
            self.tangents[node] = self.tangents[read] * slope
        else:
            self.tangents[node] = without_bias(ops.called_module(self.traced, node), self.tangents[read])
        return value

    def _pushed(self, node: fx.Node, values: dict[fx.Node, Any], read: fx.Node) -> Tensor:
        """What the tangent of a node that is read becomes: the derivative, in v, of the gradient of v · output."""
        with torch.enable_grad():
            point = values[read].detach().requires_grad_()
            made = ops.run_node(self.traced, node, {**values, read: point})
            v = torch.zeros_like(made, requires_grad=True)
            (gradient,) = torch.autograd.grad(made, point, v, create_graph=True)
            pushed: Tensor = torch.autograd.grad(gradient, v, self.tangents[read])[0]
        return pushed

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
        self.leaves.append(Leaf(node, channels, places, value.detach().requires_grad_(), is_row))
        return self.leaves[-1].value

    def part(self, part: fx.Node, channels: Channels, rectified: bool, places: tuple[int, ...]) -> Tensor:
        outer = self._places
        self._places = places if outer is None else tuple(outer[place] for place in places)
        value = super().part(part, channels, rectified, places)
        self._places = outer
        return value
