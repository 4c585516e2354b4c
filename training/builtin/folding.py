"""The built-in network in training: a cheaper order of steps, and the network without batch norms."""

import torch
from torch import Tensor
from torch.nn import functional

from circuits.builtin.architecture import BuiltinNetwork, build

POOLED = (1, 2, 4, 6)
"""Stages that a 2×2 max pooling follows: 64 pixels become 32, 16, 16, 8, 8, 4 from conv2 on."""


def pooled_features(network: BuiltinNetwork, x: Tensor) -> Tensor:
    """The averaged output of the last stage, (n, channels), what `fc` reads; a cheaper order of steps.

    Taking the maximum and rectifying can be swapped, max(relu(a)) = relu(max(a)), and rectifying the
    pooled map is four times less work, which dominates training on a processor.
    """
    for number, stage in enumerate(network.stages(), start=1):
        x = stage.before_rectifier(x)
        x = functional.relu(network.pool(x) if number in POOLED else x)
    return torch.flatten(network.average(x), 1)


@torch.no_grad()
def fold(network: BuiltinNetwork) -> BuiltinNetwork:
    """The same function without batch norms: each is folded into the convolution before it.

    In evaluation a batch norm is g · (a - m) / sqrt(v + e) + b with fixed g, m, v, b, so a convolution
    with weight w becomes one with weight s · w and bias b - s · m, where s = g / sqrt(v + e).

    Args:
        network: any `BuiltinNetwork`; it is left as it is.

    Returns:
        A network of plain convolutions with bias, float32, in evaluation mode.
    """
    plain = build()
    for old, new in zip(network.stages(), plain.stages(), strict=True):
        norm, weight = old.norm, old.convolution.weight
        assert new.convolution.bias is not None
        if norm is None:
            assert old.convolution.bias is not None
            new.convolution.weight.copy_(weight)
            new.convolution.bias.copy_(old.convolution.bias)
            continue
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        new.convolution.weight.copy_(weight * scale[:, None, None, None])
        new.convolution.bias.copy_(norm.bias - scale * norm.running_mean)
    plain.fc.load_state_dict(network.fc.state_dict())
    return plain.eval()
