"""Activation functions that are known by what they do: a curved function of each position by itself.

`torch.where(x > 0, x, x / 10)`, `x * torch.sigmoid(x)`, a gated unit or a module that nobody has heard of are
activation functions like those of `operations.OPERATIONS`, and `auto` takes them for such where there is none of these.
They are tried on random numbers. So is a rectifier: only a tensor that is never negative and often zero has units that
can be *dead*.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, fx

from circuits.network import operations as ops
from circuits.network.dataflow import depends_on_image, value_inputs
from circuits.network.execute import execute, nodes_between


def unlisted_activations(traced: fx.GraphModule, section: Sequence[fx.Node]) -> list[fx.Node]:
    """Those of some consecutive dominators that are an activation function of the last map or row before.

    Example:
        >>> from circuits.network.layers import dominators
        >>> from circuits.network.record_shapes import record_shapes
        >>> class Net(torch.nn.Module):
        ...     def forward(self, x):
        ...         x = 2 * x + 1
        ...         x = x * torch.sigmoid(x)
        ...         return x.cumsum(2)
        >>> traced = fx.symbolic_trace(Net())
        >>> record_shapes(traced, torch.zeros(1, 3, 4, 4))
        >>> [node.name for node in unlisted_activations(traced, dominators(traced))]
        ['mul_1']
    """
    tensors = [node for node in section if len(ops.shape(node) or ()) in (2, 4)]
    return [node for lower, node in pairwise(tensors) if _is_activation(traced, lower, node)]


def _is_activation(traced: fx.GraphModule, lower: fx.Node, node: fx.Node) -> bool:
    before, after = ops.shape(lower) or (), ops.shape(node) or ()
    steps = nodes_between(lower, node)
    if before[2:] != after[2:] or any(ops.is_mixing(traced, step) for step in steps):
        return False
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(before, generator=generator) for _ in range(2))
    places = torch.rand(before[2:], generator=generator) < 0.5
    tried = [one, other, torch.where(places, one, other), (one + other) / 2]
    of_one, of_other, of_both, of_mean = (_tried(traced, lower, node, x) for x in tried)
    if of_one is None or of_other is None or of_both is None or of_mean is None:
        return False
    is_local = len(before) == 2 or _same(of_both, torch.where(places, of_one, of_other))
    return is_local and not _same(of_mean, (of_one + of_other) / 2)


def is_rectified(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node's tensor is zero where its units are silent, and nowhere below: a rectifier's, or made of such.

    Example:
        >>> from circuits.network.record_shapes import record_shapes
        >>> class Net(torch.nn.Module):
        ...     def forward(self, x):
        ...         return torch.nn.functional.max_pool2d(torch.where(x > 0, x, 0.0), 2) + x.clamp(min=0).mean()
        >>> traced = fx.symbolic_trace(Net())
        >>> record_shapes(traced, torch.zeros(1, 3, 4, 4))
        >>> [node.name for node in traced.graph.nodes if is_rectified(traced, node)]
        ['where', 'max_pool2d', 'clamp']
    """
    known: bool | None = node.meta.get("is_rectified")
    if known is None:
        known = node.meta["is_rectified"] = _is_rectified(traced, node)
    return known


def _is_rectified(traced: fx.GraphModule, node: fx.Node) -> bool:
    called, inputs = ops.operation(traced, node), [read for read in value_inputs(node) if depends_on_image(read)]
    if called.cap is not None:
        return True
    if ops.is_mixing(traced, node) or not inputs or node.op == "output":
        return False
    if called.role in ("concatenation", "addition", "pool", "reshape"):
        is_whole = called.role != "addition" or len(inputs) == len(node.args)
        return is_whole and all(is_rectified(traced, read) for read in inputs)
    for lower in inputs:
        steps, shape = nodes_between(lower, node), ops.shape(lower)
        is_alone = not any(step.op == "placeholder" or ops.is_mixing(traced, step) for step in steps)
        if shape and shape == ops.shape(node) and is_alone:
            x = torch.randn(1024 // math.prod(shape) + 1, *shape[1:], generator=torch.Generator().manual_seed(0))
            value = _tried(traced, lower, node, x)
            return value is not None and bool((value >= 0).all()) and float((value == 0).float().mean()) > 0.2
    return False


def _tried(traced: fx.GraphModule, lower: fx.Node, node: fx.Node, x: Tensor) -> Tensor | None:
    """A node's value from that of a lower one; `None` if it needs more than that, or other numbers."""
    try:
        with torch.no_grad():
            value = execute(traced, {lower: x}, [node])[node]
    except (RuntimeError, IndexError, TypeError, KeyError):
        return None
    return value if isinstance(value, Tensor) and value.is_floating_point() else None


def _same(one: Tensor, other: Tensor) -> bool:
    scale = float(one.nan_to_num(0, 0, 0).abs().max())
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5 * scale, equal_nan=True)
