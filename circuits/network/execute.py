"""Run the graph of a network: every node that is needed once, or only as far as the wanted channels need it.

To compute some channels of a node,

1. walk down from it: of an activation function or a pooling the same channels of its input are needed, of a
   concatenation those of each part, of an addition those of both sides;
2. a convolution or linear layer computes the wanted channels with those rows of its weight alone, from the whole of its
   input; any other operation is run whole, and the channels are picked from its output;
3. whatever is needed whole is run in the order of the graph, the values below being known.

One channel of an Inception block thus costs one branch, and one row of its last convolution.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.errors import InputError
from circuits.network import operations as ops
from circuits.network.channelwise import per_channel, row_layer
from circuits.network.dataflow import stand_in, value_inputs
from circuits.network.token_moves import TOKENS

Channels = tuple[int, ...] | None
"""Of a node, in the wanted order; all of them, if `None`."""
Request = tuple[fx.Node, Channels, bool]
"""A node, its channels, and whether it is taken rectified or before its activation function."""


def image_node(traced: fx.GraphModule) -> fx.Node:
    """The node of the image.

    Raises:
        InputError: if the network reads several inputs, or its output does not depend on any.
    """
    read: list[fx.Node] = [node for node in traced.graph.nodes if node.op == "placeholder" and node.users]
    if not read:
        raise InputError("The network's output does not depend on its input.")
    if len(read) > 1:
        raise InputError(f"The network reads {len(read)} inputs; a classifier of images reads one.")
    return read[0]


def nodes_needed(wanted: Sequence[fx.Node], known: Collection[fx.Node]) -> list[fx.Node]:
    """The nodes to run for the wanted ones where the values of some are known, in the order of the graph.

    What is only asked for its size, dtype or device is not run (`dataflow`).
    """
    needed: set[fx.Node] = set()
    waiting = [node for node in wanted if node not in known]
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting.extend(read for read in value_inputs(node) if read not in known)
    return sorted(needed)


def nodes_between(lower: fx.Node, upper: fx.Node) -> list[fx.Node]:
    """The nodes after `lower` that `upper` depends on, in the order of the graph, `upper` included."""
    return nodes_needed([upper], {lower})


def execute(
    traced: fx.GraphModule,
    known: Mapping[fx.Node, Any],
    wanted: Sequence[fx.Node],
    *,
    on_node: Callable[[fx.Node, dict[fx.Node, Any]], Any] | None = None,
) -> dict[fx.Node, Any]:
    """Run what the wanted nodes need, each node once, freeing each value after its last reader.

    In place of a tensor that is only asked for its size, and not run, stands one like it (`dataflow.stand_in`).

    Args:
        traced: the prepared network.
        known: values of nodes that are not run.
        wanted: nodes whose values are kept.
        on_node: computes a node from the values of those that it reads; `operations.run_node` if `None`.

    Returns:
        The values of the known and the wanted nodes.
    """
    order = nodes_needed(wanted, known)
    readers = Counter(read for node in order for read in node.all_input_nodes)
    kept = {*wanted, *known}
    values = dict(known)
    for node in order:
        values |= {read: stand_in(read, known) for read in node.all_input_nodes if read not in values}
        values[node] = ops.run_node(traced, node, values) if on_node is None else on_node(node, values)
        for read in node.all_input_nodes:
            readers[read] -= 1
            if readers[read] == 0 and read not in kept:
                del values[read]
    return values


class SlicedEvaluation:
    """Evaluates some channels of some nodes, and keeps the values of the nodes that had to be run whole.

    Args:
        traced: the prepared network.
        known: values of nodes that are not run, such as the image or a lower layer.
        rectifier: run in place of rectifiers that are zero below zero.
    """

    def __init__(
        self, traced: fx.GraphModule, known: Mapping[fx.Node, Any], rectifier: ops.Rectifier | None = None
    ) -> None:
        self.traced = traced
        self.values = dict(known)
        self._rectifier = rectifier
        self._given = frozenset(known)

    def prepare(self, requests: Sequence[Request]) -> None:
        """Run the nodes that some requests need whole, in one pass."""
        if whole := self.needed_whole(requests):
            self.values = execute(self.traced, self.values, whole, on_node=self._run_node)

    def needed_whole(self, requests: Sequence[Request]) -> list[fx.Node]:
        """The nodes that must be run whole for some requests."""
        whole: dict[fx.Node, None] = {}
        waiting = list(reversed(requests))
        while waiting:
            request = waiting.pop()
            if self._has(request[0], request[2]):
                continue
            inputs = self._inputs(*request)
            if inputs is None:
                whole[request[0]] = None
            else:
                waiting.extend(reversed(inputs))
        return list(whole)

    def _run_node(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        return ops.run_node(self.traced, node, values, self._rectifier)

    def _has(self, node: fx.Node, rectified: bool) -> bool:
        """Whether the value of a node is there; a given one is taken as it is, rectified or not."""
        if rectified or node in self._given or node not in self.values:
            return node in self.values
        is_kept = node.target not in TOKENS and not ops.operation(self.traced, node).is_activation
        return is_kept and not ops.concatenated(self.traced, node)

    def _inputs(self, node: fx.Node, channels: Channels, rectified: bool) -> list[Request] | None:
        """What some channels of a node need of its inputs; `None` if the node must be run whole."""
        called = ops.operation(self.traced, node)
        first = node.args[0] if node.args else None
        if not rectified and called.is_activation and isinstance(first, fx.Node):
            return [(first, channels, True)]
        if not rectified and node.target in TOKENS and isinstance(first, fx.Node):
            return [(first, None, False)]  # its channels come last
        if (parts := ops.concatenated(self.traced, node)) and not (rectified and channels is None):
            return [(part, some, rectified) for part, some, _ in split_channels(parts, channels)]
        if channels is not None and (maps := per_channel(self.traced, node)):
            return [(maps, channels, True)]
        if channels is None or not isinstance(first, fx.Node):
            return None
        if ops.is_channelwise(self.traced, node):
            return [(first, channels, True)]
        if called.role == "addition" and _adds_maps(node):
            return [(side, channels, True) for side in node.all_input_nodes]
        row = row_layer(self.traced, node)
        return None if row is None else [(row[1], None, True)]

    def value(self, node: fx.Node, channels: Channels, rectified: bool = True) -> Tensor:
        """Some channels of a node, computed from the values that `prepare` made."""
        if self.is_picked(node, channels, rectified):
            return self.picked(node, channels)
        if parts := ops.concatenated(self.traced, node):
            return self._concatenated(parts, channels, rectified)
        inputs = self._inputs(node, channels, rectified)
        assert inputs is not None
        values = {read: self.value(read, some, before) for read, some, before in inputs}
        if not rectified and ops.operation(self.traced, node).is_activation:
            return values[inputs[0][0]]
        if not rectified and node.target in TOKENS:
            whole: Tensor = self._run_node(node, values)
            return whole if channels is None else whole.index_select(1, torch.tensor(channels, device=whole.device))
        if channels is not None and row_layer(self.traced, node):
            return self.sliced(node, values[inputs[0][0]], channels)
        if channels is not None and (maps := per_channel(self.traced, node)):
            return self._per_channel(node, maps, values[maps], channels)
        result: Tensor = self._run_node(node, values)
        return result

    def is_picked(self, node: fx.Node, channels: Channels, rectified: bool) -> bool:
        """Whether some channels of a node are taken from its whole value, as it is there."""
        return self._has(node, rectified)

    def picked(self, node: fx.Node, channels: Channels) -> Tensor:
        """Some channels of a node that was run whole."""
        value: Tensor = self.values[node]
        return value if channels is None else value.index_select(1, torch.tensor(channels, device=value.device))

    def sliced(self, node: fx.Node, x: Tensor, channels: tuple[int, ...]) -> Tensor:
        """Some channels of a convolution or linear layer, by those rows of its weight, from the whole of its input."""
        row = row_layer(self.traced, node)
        assert row is not None
        module, (weight, bias) = row[0], _rows_of(torch.tensor(channels, device=x.device), row[0].weight, row[0].bias)
        assert weight is not None
        if isinstance(module, nn.Linear):
            made = F.linear(x, weight, bias)
            return ops.channels_first(made) if made.dim() == 4 else made
        return F.conv2d(x, weight, bias, module.stride, module.padding, module.dilation)

    def _per_channel(self, node: fx.Node, maps: fx.Node, x: Tensor, channels: tuple[int, ...]) -> Tensor:
        """Some channels of a node that has parameters for each one, from the same channels of what it reads."""
        rows = torch.tensor(channels, device=x.device)
        if node.op != "call_module":
            factors = [read for read in node.all_input_nodes if read is not maps]
            known = {factor: self._run_node(factor, {}).index_select(-3, rows) for factor in factors}
            product: Tensor = self._run_node(node, {**known, maps: x})
            return product
        module = ops.called_module(self.traced, node)
        if isinstance(module, nn.BatchNorm2d):
            mean, variance, weight, bias = _rows_of(
                rows, module.running_mean, module.running_var, module.weight, module.bias
            )
            return F.batch_norm(x, mean, variance, weight, bias, eps=module.eps)
        assert isinstance(module, nn.Conv2d)
        kernels, bias = _rows_of(rows, module.weight, module.bias)
        assert kernels is not None
        return F.conv2d(x, kernels, bias, module.stride, module.padding, module.dilation, len(channels))

    def part(self, part: fx.Node, channels: Channels, rectified: bool, places: tuple[int, ...]) -> Tensor:
        """Some channels of one part of a concatenation, which lie at some places among those that are wanted of all."""
        return self.value(part, channels, rectified)

    def _concatenated(self, parts: Sequence[fx.Node], channels: Channels, rectified: bool) -> Tensor:
        """Some channels of a concatenation, in the wanted order."""
        split = split_channels(parts, channels)
        values = [self.part(part, some, rectified, places) for part, some, places in split]
        together = torch.cat(values, dim=1) if len(values) > 1 else values[0]
        if channels is None or list(channels) == sorted(channels):
            return together
        order = torch.tensor([place for *_, places in split for place in places], device=together.device).argsort()
        return together[:, order]


def split_channels(parts: Sequence[fx.Node], channels: Channels) -> list[tuple[fx.Node, Channels, tuple[int, ...]]]:
    """The parts of a concatenation that hold any of some channels.

    Returns:
        Of each the node, the channels in its own numbering, and their places among the wanted channels.
    """
    if channels is None:
        return [(part, None, ()) for part in parts]
    split: list[tuple[fx.Node, Channels, tuple[int, ...]]] = []
    start = 0
    for part in parts:
        end = start + (ops.shape(part) or (0, 0))[1]
        places = tuple(place for place, channel in enumerate(channels) if start <= channel < end)
        if places:
            split.append((part, tuple(channels[place] - start for place in places), places))
        start = end
    return split


def _adds_maps(node: fx.Node) -> bool:
    """Whether both sides of an addition are maps of one shape."""
    sides = [argument for argument in node.args[:2] if isinstance(argument, fx.Node)]
    shapes = [ops.shape(side) for side in sides]
    return len(sides) == 2 and shapes[0] is not None and shapes[0] == shapes[1] and len(shapes[0]) == 4


def _rows_of(rows: Tensor, *parameters: Tensor | None) -> list[Tensor | None]:
    return [None if each is None else each.index_select(0, rows) for each in parameters]
