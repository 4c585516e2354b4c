"""The way back through the nodes between the upper layer's rows and the entries, for one unit after the other (`batched`).

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

_FEW = 0.5  # of a map: where a unit lights no more of it, a convolution is passed back from the lit positions alone
_MANY = 128  # outputs of a convolution for which that pays
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
        slope = ops.slope(self._traced, node, values, reads[0]) if len(reads) == 1 else None
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
    if ops.is_pointwise(module) and module.stride == (1, 1):
        return (gradient.permute(0, 2, 3, 1) @ module.weight[:, :, 0, 0]).permute(0, 3, 1, 2)
    stride, padding, dilation = geometry_of(module)
    if module.groups == 1 and len(module.weight) >= _MANY:
        rows = gradient.permute(0, 2, 3, 1).flatten(0, 2)
        lit = rows.any(1).nonzero().flatten()
        if len(lit) <= _FEW * len(rows):
            return _transposed_where_lit(module, rows[lit], lit, gradient.shape[3], shape)
    return conv2d_input(shape, module.weight, gradient, stride, padding, dilation, module.groups)


def _transposed_where_lit(module: nn.Conv2d, rows: Tensor, lit: Tensor, width: int, shape: Sequence[int]) -> Tensor:
    """The gradient in what a convolution reads, from the one in its output at those positions where it is not zero.

    Args:
        module: the convolution.
        rows: the gradient at these positions, (positions, outputs).
        lit: their numbers, row by row.
        width: columns of the output.
        shape: of what it reads.
    """
    stride, padding, dilation = geometry_of(module)
    _, inputs, rows_of_kernel, columns_of_kernel = module.weight.shape
    height, breadth = (shape[2 + side] + 2 * padding[side] for side in (0, 1))
    made = rows.new_zeros(height * breadth, inputs)
    parts = (rows @ module.weight.permute(0, 2, 3, 1).flatten(1)).view(len(rows), -1, inputs)
    row, column = (lit // width) * stride[0], (lit % width) * stride[1]
    for tap in range(rows_of_kernel * columns_of_kernel):
        down, right = dilation[0] * (tap // columns_of_kernel), dilation[1] * (tap % columns_of_kernel)
        made.index_add_(0, (row + down) * breadth + column + right, parts[:, tap])
    inner = made.view(1, height, breadth, inputs)[:, padding[0] : padding[0] + shape[2], padding[1] : padding[1] + shape[3]]
    return inner.permute(0, 3, 1, 2)
