"""The way back through the nodes between the rows of the upper layer and the entries (`batched`).

All units pass the same network at the same photo, so that what depends on these alone is found once:

- an elementwise operation (an activation function, a batch norm, a scale) multiplies by its slope at the photo, and
  several in a row by the product of their slopes. Of a rectifier that is a mask, also of one with an upper limit;
- a convolution or linear layer multiplies by its transposed weight;
- an addition, a concatenation and a transposition only hand on;
- through any other operation autograd passes back.

Units are taken one by one: what one needs stays in the processor's cache, a unit asked for alone costs no more than its
part, and its numbers cannot depend on the others.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.grad import conv2d_input

from circuits.attribution._linear_vjp import geometry_of
from circuits.network import operations as ops
from circuits.network.channelwise import has_plain_padding, is_pointwise, permuted, slope_of

Passed = Iterator[tuple[fx.Node, Tensor]]
"""Nodes that a node reads, and a unit's gradients in them."""


class PassBack:
    """Passes gradients back to some nodes, the heads, from nodes above them that it has run (`run`)."""

    def __init__(self, traced: fx.GraphModule, heads: Collection[fx.Node]) -> None:
        self._traced = traced
        self._live = set(heads)
        self._steps: dict[fx.Node, Callable[[Tensor], Passed]] = {}
        self._slopes: dict[fx.Node, tuple[fx.Node, Tensor]] = {}

    def reaches(self, node: fx.Node) -> bool:
        """Whether a node depends on a head, or is one."""
        return node in self._live

    def run(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        """Run a node on the values of those that it reads, and note how it passes gradients back."""
        reads = [read for read in node.all_input_nodes if read in self._live]
        if not reads:
            return ops.run_node(self._traced, node, values)
        self._live.add(node)
        slope = slope_of(self._traced, node, values, reads[0]) if len(reads) == 1 else None
        self._steps[node] = self._step(node, reads, values) if slope is None else self._scaled(node, reads[0], slope)
        return ops.run_node(self._traced, node, values)

    def gradients(self, node: fx.Node, above: Tensor) -> dict[fx.Node, Tensor]:
        """A unit's gradients in the heads that a node depends on, from its gradient in the node, each (1, …)."""
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
            sides = [side for side in node.args if isinstance(side, fx.Node) and side in reads]
            return lambda gradient: ((side, gradient) for side in sides)
        if parts is not None:
            widths = [(ops.shape(part) or (0, 0))[1] for part in parts]
            return lambda gradient: (
                each for each in zip(parts, torch.split(gradient, widths, 1), strict=True) if each[0] in reads
            )
        if isinstance(module, nn.Linear) or (type(module) is nn.Conv2d and has_plain_padding(module)):
            return lambda gradient: iter([(reads[0], _transposed(module, gradient, ops.shape(reads[0]) or ()))])
        if dims := permuted(self._traced, node):
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
        points = {read: values[read].detach().requires_grad_() for read in reads}
        with torch.enable_grad():
            made = ops.run_node(self._traced, node, {**values, **points})

        def passed(gradient: Tensor) -> Passed:
            wanted = list(points.values())
            found = torch.autograd.grad(made, wanted, gradient, retain_graph=True, materialize_grads=True)
            return zip(reads, found, strict=True)

        return passed


def _transposed(module: nn.Linear | nn.Conv2d, gradient: Tensor, shape: Sequence[int]) -> Tensor:
    """The gradient in what a convolution or linear layer reads, of that shape, from the one in its output."""
    if isinstance(module, nn.Linear):
        return gradient @ module.weight
    if is_pointwise(module) and module.stride == (1, 1):
        return (gradient.permute(0, 2, 3, 1) @ module.weight[:, :, 0, 0]).permute(0, 3, 1, 2)
    stride, padding, dilation = geometry_of(module)
    passed: Tensor = conv2d_input(  # type: ignore[no-untyped-call]
        shape, module.weight, gradient, stride, padding, dilation, module.groups
    )
    return passed
