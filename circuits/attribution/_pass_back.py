"""The way back through the nodes between the upper layer's rows and the entries, for many units at once (`batched`).

All units pass the same network at the same photo, so that what depends on these alone is found once:

- an elementwise operation (an activation function, a batch norm, a scale) multiplies by its slope at the photo, and
  several in a row by one product of their slopes. Of a rectifier that is a mask, also of one with an upper limit;
- a convolution or linear layer multiplies by its transposed weight;
- an addition, a concatenation and a transposition only hand on;
- any other operation is run on as many copies of the photo as units are asked for, and autograd passes back.

A few units are taken at a time, so that their gradients stay in the processor's cache.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.grad import conv2d_input

from circuits.attribution._linear_vjp import through_matrix
from circuits.network import operations as ops
from circuits.network.execute import nodes_needed

_BLOCK = 4  # units at once
_MUCH = 20_000_000  # multiplications for one unit
Passed = Iterator[tuple[fx.Node, Tensor]]
"""Nodes that a node reads, and the gradients of some units in them."""


class PassBack:
    """Passes gradients back to some nodes, the heads, from nodes above them that it has run (`run`)."""

    def __init__(self, traced: fx.GraphModule, heads: Collection[fx.Node]) -> None:
        self._traced = traced
        self._heads = frozenset(heads)
        self._live = set(heads)
        self._steps: dict[fx.Node, Callable[[Tensor], Passed]] = {}
        self._slopes: dict[fx.Node, tuple[fx.Node, Tensor]] = {}

    def block(self, node: fx.Node) -> int:
        """How many units to pass back from a node at once: several where one is little work, one where it is much.

        A block is filled up where fewer are asked for, as the last bits of a product of matrices depend on its size.
        """
        below = nodes_needed([node], self._heads)
        return 1 if sum(map(self._work, below)) > _MUCH else _BLOCK

    def _work(self, node: fx.Node) -> int:
        """Multiplications of a convolution or linear layer for one unit."""
        module = ops.called_module(self._traced, node) if node.op == "call_module" else None
        shape = ops.shape(node) or ()
        if isinstance(module, nn.Conv2d):
            return module.weight.numel() * prod(shape[2:])
        return module.weight.numel() * prod(shape[1:-1]) if isinstance(module, nn.Linear) else 0

    def reaches(self, node: fx.Node) -> bool:
        """Whether a node depends on a head, or is one."""
        return node in self._live

    def run(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        """Run a node on the values of those that it reads, and note how it passes gradients back."""
        reads = [read for read in node.all_input_nodes if read in self._live]
        if not reads:
            return ops.run_node(self._traced, node, values)
        self._live.add(node)
        slope = ops.slope(self._traced, node, values, reads[0]) if len(reads) == 1 else None
        self._steps[node] = self._step(node, reads, values) if slope is None else self._scaled(node, reads[0], slope)
        return ops.run_node(self._traced, node, values)

    def gradients(self, node: fx.Node, above: Tensor) -> dict[fx.Node, Tensor]:
        """Gradients of several units in the heads that a node depends on, from those in the node, each (units, …)."""
        found = {node: above}
        for step in reversed([step for step in self._steps if step <= node]):
            if (gradient := found.pop(step, None)) is not None:
                for read, passed in self._steps[step](gradient):
                    found[read] = found[read] + passed if read in found else passed
        return found

    def _step(self, node: fx.Node, reads: Sequence[fx.Node], values: dict[fx.Node, Any]) -> Callable[[Tensor], Passed]:
        called, shape = ops.operation(self._traced, node), ops.shape(node) or ()
        module = ops.called_module(self._traced, node) if node.op == "call_module" else None
        parts = ops.concatenated(self._traced, node)
        if called.role == "addition" and not node.kwargs and all(ops.shape(read) == shape for read in reads):
            return lambda gradient: ((read, gradient) for read in node.args if read in reads)
        if parts is not None:
            widths = [(ops.shape(part) or (0, 0))[1] for part in parts]
            return lambda gradient: (
                (part, some) for part, some in zip(parts, gradient.split(widths, 1), strict=True) if part in reads
            )
        if isinstance(module, nn.Linear) or (type(module) is nn.Conv2d and ops.has_plain_padding(module)):
            return lambda gradient: iter([(reads[0], _transposed(module, gradient, ops.shape(reads[0]) or ()))])
        if dims := ops.permuted(self._traced, node):
            back = sorted(range(len(dims)), key=dims.__getitem__)
            return lambda gradient: iter([(reads[0], gradient.permute(back))])
        return self._by_autograd(node, reads, values)

    def _scaled(self, node: fx.Node, read: fx.Node, slope: Tensor) -> Callable[[Tensor], Passed]:
        if read in self._slopes and len(read.users) == 1:
            read, before = self._slopes[read]
            slope = slope * before
        self._slopes[node] = (read, slope)
        return lambda gradient: iter([(read, gradient * slope)])

    def _by_autograd(
        self, node: fx.Node, reads: Sequence[fx.Node], values: dict[fx.Node, Any]
    ) -> Callable[[Tensor], Passed]:
        known = {read: values[read] for read in node.all_input_nodes}
        graphs: dict[int, tuple[list[Tensor], Tensor]] = {}

        def passed(gradient: Tensor) -> Passed:
            if len(gradient) not in graphs:
                copies = {read: _copies(value, len(gradient)) for read, value in known.items() if ops.is_variable(read)}
                points = [copies[read].requires_grad_() for read in reads]
                with torch.enable_grad():
                    graphs[len(gradient)] = points, ops.run_node(self._traced, node, {**known, **copies})
            points, value = graphs[len(gradient)]
            found = torch.autograd.grad(value, points, gradient, retain_graph=True, materialize_grads=True)
            return zip(reads, found, strict=True)

        return passed


def _copies(value: Tensor, count: int) -> Tensor:
    return value.detach().expand(count, *value.shape[1:])


def _transposed(module: nn.Linear | nn.Conv2d, gradient: Tensor, shape: Sequence[int]) -> Tensor:
    """Gradients in what a convolution or linear layer reads, of that shape but for the rows, from those in its output."""
    if isinstance(module, nn.Linear):
        return through_matrix(gradient, module.weight)
    if ops.is_pointwise(module) and module.stride == (1, 1):
        return through_matrix(gradient.permute(0, 2, 3, 1), module.weight[:, :, 0, 0]).permute(0, 3, 1, 2)
    size = (len(gradient), *shape[1:])
    return conv2d_input(
        size, module.weight, gradient, module.stride, module.padding, module.dilation, module.groups  # type: ignore[arg-type]
    )
