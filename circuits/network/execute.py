"""Evaluation of a network's graph, run only as far as the wanted channels need it.

To compute some channels of a node,

1. walk down from it: an activation function or a pooling asks its input for the same channels, a concatenation asks
   each part for its own, an addition asks both sides;
2. a convolution or linear layer computes the asked channels with those rows of its weight alone, and asks for the
   whole of its input; any other operation is run whole, and the channels are picked from its output;
3. whatever is asked for whole is run in the order of the graph, what lies below being given.

One channel of an Inception block thus costs one branch, and one row of its last convolution.
"""

from collections.abc import Collection, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.network import operations as ops

Wanted = tuple[int, ...] | None
Ask = tuple[fx.Node, Wanted, bool]


def between(lower: fx.Node, upper: fx.Node) -> list[fx.Node]:
    """The nodes after `lower` that `upper` depends on, in order, `upper` included."""
    return needed([upper], {lower})


def run_all(
    traced: fx.GraphModule,
    known: dict[fx.Node, Any],
    wanted: Sequence[fx.Node],
    rectifier: ops.Rectifier | None = None,
) -> dict[fx.Node, Any]:
    """Run what the wanted nodes need, each node once, letting go of values when their last reader has run."""
    keep = set(wanted) | set(known)
    order = needed(wanted, set(known))
    readers = dict.fromkeys((*order, *known), 0)
    for node in order:
        for read in node.all_input_nodes:
            readers[read] += 1
    values = dict(known)
    for node in order:
        values[node] = ops.run_node(traced, node, values, rectifier)
        for read in node.all_input_nodes:
            readers[read] -= 1
            if readers[read] == 0 and read not in keep:
                del values[read]
    return values


def needed(wanted: Sequence[fx.Node], known: Collection[fx.Node]) -> list[fx.Node]:
    """The nodes to run for the wanted ones where some are known, in order."""
    seen: set[fx.Node] = set()
    waiting = [node for node in wanted if node not in known]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(read for read in node.all_input_nodes if read not in known)
    return sorted(seen)


class SlicedEvaluation:
    """One evaluation: which nodes must be run whole, and the values of those that were.

    Args:
        traced: the prepared network.
        known: values that are given, such as that of the image or of a lower layer.
        rectifier: run in place of rectifiers that are flat below zero.
    """

    def __init__(
        self, traced: fx.GraphModule, known: dict[fx.Node, Any], rectifier: ops.Rectifier | None = None
    ) -> None:
        self.traced = traced
        self._rectifier = rectifier
        self.values = dict(known)
        self._given = frozenset(known)
        self._known_parts: dict[Ask, list[Ask] | None] = {}

    def prepare(self, asks: Sequence[Ask]) -> None:
        """Run what some asks (node, channels, whether rectified) need whole, in one pass."""
        whole: list[fx.Node] = []
        for node, channels, rectified in asks:
            self._ask(node, channels, rectified, whole)
        if whole:
            self.values = run_all(self.traced, self.values, list(dict.fromkeys(whole)), self._rectifier)

    def _has(self, node: fx.Node, rectified: bool) -> bool:
        """Whether what is asked of a node is there; what is given is taken as it is, rectified or not."""
        if rectified or node in self._given or node not in self.values:
            return node in self.values
        return ops.kind(self.traced, node) not in ops.ACTIVATIONS | ops.CONCATENATIONS

    def _ask(self, node: fx.Node, channels: Wanted, rectified: bool, whole: list[fx.Node]) -> None:
        """Collect the nodes that must be run whole for some channels of `node`."""
        if self._has(node, rectified):
            return
        parts = self._parts(node, channels, rectified)
        if parts is None:
            whole.append(node)
        else:
            for part, asked, kept in parts:
                self._ask(part, asked, kept, whole)

    def _parts(self, node: fx.Node, channels: Wanted, rectified: bool) -> list[Ask] | None:
        """What `node` asks of its inputs for some channels; `None` if it is to be run whole. Found out once."""
        key = (node, channels, rectified)
        if key not in self._known_parts:
            self._known_parts[key] = self._find_parts(node, channels, rectified)
        return self._known_parts[key]

    def _find_parts(self, node: fx.Node, channels: Wanted, rectified: bool) -> list[Ask] | None:
        found = ops.kind(self.traced, node)
        first = node.args[0] if node.args else None
        if not rectified and found in ops.ACTIVATIONS and isinstance(first, fx.Node):
            return [(first, channels, True)]
        if found in ops.CONCATENATIONS and (inputs := ops.concatenated(node)) and not (rectified and channels is None):
            return [
                (part, asked, rectified)
                for part, asked in zip(inputs, split(inputs, channels), strict=True)
                if asked is None or asked
            ]
        if channels is None or not isinstance(first, fx.Node):
            return None
        if ops.is_channelwise(self.traced, node):
            return [(first, channels, True)]
        if found in ops.ADDITIONS and _same_shape(node):
            return [(side, channels, True) for side in node.all_input_nodes]
        if is_sliceable(self.traced, node):
            return [(first, None, True)]
        return None

    def value(self, node: fx.Node, channels: Wanted, rectified: bool = True) -> Tensor:
        """Some channels of a node whose needs were prepared; activations and merges are followed as in `_parts`."""
        if self._has(node, rectified):
            return self.picked(node, channels)
        parts = self._parts(node, channels, rectified)
        assert parts is not None
        found = ops.kind(self.traced, node)
        if found in ops.CONCATENATIONS:
            return self.concatenated(node, channels, rectified)
        inputs = {part: self.value(part, asked, kept) for part, asked, kept in parts}
        if not rectified and found in ops.ACTIVATIONS:
            return inputs[parts[0][0]]
        if channels is not None and is_sliceable(self.traced, node):
            return self.sliced(node, inputs[parts[0][0]], channels)
        result: Tensor = ops.run_node(self.traced, node, inputs, self._rectifier)
        return result

    def picked(self, node: fx.Node, channels: Wanted) -> Tensor:
        """Some channels of a node that was run whole."""
        value: Tensor = self.values[node]
        return value if channels is None else value.index_select(1, torch.tensor(channels, device=value.device))

    def sliced(self, node: fx.Node, x: Tensor, channels: tuple[int, ...]) -> Tensor:
        """Some channels of a convolution or linear layer, by those rows of its weight, from the whole of its input."""
        module = ops.called_module(self.traced, node)
        rows = torch.tensor(channels, device=x.device)
        assert isinstance(module, (nn.Conv2d, nn.Linear))
        weight = module.weight.index_select(0, rows)
        bias = None if module.bias is None else module.bias.index_select(0, rows)
        if isinstance(module, nn.Linear):
            return F.linear(x, weight, bias)
        return F.conv2d(x, weight, bias, module.stride, module.padding, module.dilation)

    def concatenated(self, node: fx.Node, channels: Wanted, rectified: bool) -> Tensor:
        """Some channels of a concatenation, in the order asked for, from the parts that hold them."""
        inputs = ops.concatenated(node)
        assert inputs is not None
        asked = split(inputs, channels)
        pieces = [
            self.value(part, some, rectified) for part, some in zip(inputs, asked, strict=True) if some is None or some
        ]
        return joined(inputs, channels, pieces)


def joined(parts: Sequence[fx.Node], channels: Wanted, pieces: Sequence[Tensor]) -> Tensor:
    """Some channels of a concatenation in the order asked for, from what those parts of it gave that hold any."""
    together = torch.cat(list(pieces), dim=1) if len(pieces) > 1 else pieces[0]
    if channels is None or list(channels) == sorted(channels):
        return together
    by_part = sorted(range(len(channels)), key=lambda place: part_of(parts, channels[place]))
    return together[:, torch.tensor(by_part).argsort()]


def part_of(parts: Sequence[fx.Node], channel: int) -> int:
    """Number of the part that a channel of a concatenation lies in."""
    for number, part in enumerate(parts):
        width = (ops.shape(part) or (0, 0))[1]
        if channel < width:
            return number
        channel -= width
    raise IndexError(channel)


def split(parts: Sequence[fx.Node], channels: Wanted) -> list[Wanted]:
    """The channels asked of each part of a concatenation, in its own numbering."""
    if channels is None:
        return [None] * len(parts)
    asked: list[Wanted] = []
    start = 0
    for part in parts:
        width = (ops.shape(part) or (0, 0))[1]
        asked.append(tuple(channel - start for channel in channels if start <= channel < start + width))
        start += width
    return asked


def _same_shape(node: fx.Node) -> bool:
    sides = [argument for argument in node.args[:2] if isinstance(argument, fx.Node)]
    shapes = [ops.shape(side) for side in sides]
    return len(sides) == 2 and shapes[0] is not None and shapes[0] == shapes[1] and len(shapes[0]) == 4


def is_sliceable(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node is a convolution or linear layer whose channels are rows of its weight."""
    if node.op != "call_module":
        return False
    module = ops.called_module(traced, node)
    if isinstance(module, nn.Linear):
        return len(ops.shape(node) or ()) == 2
    return type(module) is nn.Conv2d and module.groups == 1 and module.padding_mode == "zeros"
