"""Slow, plain definitions of every formula, straight from the papers, in float64.

Nothing here is shared with the library but the traced graph: segments are run whole, nothing is sliced or batched.
"""

import functools
from collections.abc import Callable, Iterator
from operator import attrgetter

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

Function = Callable[[Tensor], Tensor]


def sum_of_channel(function: Function, channel: int) -> Function:
    """f_i(a) = Σ_hw of one channel of function(a), for one example."""
    return lambda a: function(a)[0, channel].sum()


def gradient_times_activation(f: Function, activation: Tensor) -> Tensor:
    """S_j = Σ_hw a_j · ∂f/∂a_j, with a loop over channels."""
    a = activation.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(f(a), a)
    scores = []
    for channel in range(a.shape[1]):
        total = 0.0
        for row in range(a.shape[2]):
            for column in range(a.shape[3]):
                total += float(activation[0, channel, row, column] * gradient[0, channel, row, column])
        scores.append(total)
    return torch.tensor(scores, dtype=activation.dtype)


def numeric_gradient_times_activation(f: Function, activation: Tensor, *, step: float = 1e-6) -> Tensor:
    """The same by finite differences, with no automatic differentiation at all."""
    scores = torch.zeros(activation.shape[1], dtype=activation.dtype)
    for channel, row, column in np.ndindex(*activation.shape[1:]):
        nudge = torch.zeros_like(activation)
        nudge[0, channel, row, column] = step
        slope = (f(activation + nudge) - f(activation - nudge)) / (2 * step)
        scores[channel] += activation[0, channel, row, column] * slope
    return scores


def integrated_gradients(f: Function, activation: Tensor, *, steps: int = 2000) -> Tensor:
    """S_j = Σ_hw a_j · ∫₀¹ ∂f(αa)/∂a_j dα by the midpoint rule, one point at a time."""
    total = torch.zeros_like(activation)
    for step in range(steps):
        a = (activation * (step + 0.5) / steps).requires_grad_()
        (gradient,) = torch.autograd.grad(f(a), a)
        total += gradient / steps
    return (activation * total).sum((0, 2, 3))


def ablation(f: Function, activation: Tensor) -> Tensor:
    """S_j = f(a) - f(a with a_j = 0), one channel at a time."""
    scores = []
    for channel in range(activation.shape[1]):
        without = activation.clone()
        without[:, channel] = 0
        scores.append(float(f(activation) - f(without)))
    return torch.tensor(scores, dtype=activation.dtype)


def _capped(cap: Tensor, x: Tensor) -> Tensor:
    return torch.minimum(x.clamp(min=0), cap)


def _batch_norms(traced: fx.GraphModule) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, float]]:
    """Mean, variance, weight, bias and ε of the batch norms of a graph, be they modules or functions."""
    for norm in traced.modules():
        if isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d)):
            yield norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps
    for node in traced.graph.nodes:
        if node.target is F.batch_norm:
            read = [node.args[1], node.args[2], node.kwargs["weight"], node.kwargs["bias"]]
            mean, variance, weight, bias = (attrgetter(str(each.target))(traced) for each in read)
            yield mean, variance, weight, bias, node.kwargs["eps"]


def effective_bias(traced: fx.GraphModule, f: Function, activation: Tensor) -> float:
    """Σ over effective biases b · ∂f/∂b: how much of f the constants of a piecewise linear function account for.

    The constants are the biases of convolutions, linear layers and batch norms, and the running means that the latter
    subtract, γ (x - μ) / √(σ² + ε) + β = γ x / √(σ² + ε) + (β - γ μ / √(σ² + ε)). Around a point such a function is
    linear in its input and these constants together. So it is in the cap of a ReLU6.
    """
    for mean, variance, weight, bias, eps in _batch_norms(traced):
        with torch.no_grad():
            bias -= weight * mean / torch.sqrt(variance + eps)
            mean.zero_()
    constants = [value for name, value in traced.named_parameters() if name.endswith("bias")]
    for part in traced.modules():
        if isinstance(part, nn.ReLU6):  # where it is full, its cap is handed on
            cap = torch.tensor(6.0, dtype=activation.dtype)
            part.forward = functools.partial(_capped, cap)
            constants.append(cap)
    for value in constants:
        value.requires_grad_()
    try:
        value = f(activation)
        if not value.requires_grad:  # no constant plays a part, as of a linear layer without a bias
            return 0.0
        gradients = torch.autograd.grad(value, constants, allow_unused=True)
        pairs = zip(constants, gradients, strict=True)
        return sum(float((value * gradient).sum().detach()) for value, gradient in pairs if gradient is not None)
    finally:
        for value in constants:
            value.requires_grad_(False)
