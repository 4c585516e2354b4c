"""Activation functions that are known by what they do: a curved function of each position by itself.

`torch.where(x > 0, x, x / 10)`, `x * torch.sigmoid(x)`, a gated unit or a module that nobody has heard of are
activation functions like those of `operations.OPERATIONS`, and `auto` takes them for such where there is none of these.
They are tried on random numbers.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, fx

from circuits.network import operations as ops
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

    def function(x: Tensor) -> Tensor:
        with torch.no_grad():
            value: Tensor = execute(traced, {lower: x}, [node])[node]
        return value

    try:
        both = [function(x) for x in (one, other, torch.where(places, one, other), (one + other) / 2)]
    except (RuntimeError, IndexError, TypeError):  # it needs more than the lower tensor, or other numbers
        return False
    is_local = len(before) == 2 or _same(both[2], torch.where(places, both[0], both[1]))
    return is_local and not _same(both[3], (both[0] + both[1]) / 2)


def _same(one: Tensor, other: Tensor) -> bool:
    scale = float(one.nan_to_num(0, 0, 0).abs().max())
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5 * scale, equal_nan=True)
