"""Instance normalisation with the right gradient: torch's own is wrong of one photo that lies channels last.

    y = (x − μ) / √(σ² + ε) · γ + β,   μ and σ² over the positions of each channel of each photo

Of one photo torch (2.14) puts the gradient of `F.instance_norm` at other channels and positions, if the gradient that
arrives lies channels last. A group norm of one channel a group has the same values, and a batch norm those of an
instance norm with running statistics.

Source: Ulyanov 2016, "Instance normalization: the missing ingredient for fast stylization".
"""

from typing import cast

import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

_Norm = nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d
_BATCH_NORMS: dict[type[nn.Module], type[nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d]] = {
    nn.InstanceNorm1d: nn.BatchNorm1d,
    nn.InstanceNorm2d: nn.BatchNorm2d,
    nn.InstanceNorm3d: nn.BatchNorm3d,
}


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """What `torch.nn.functional.instance_norm` computes of (N, C, …); running statistics stay what they are.

    >>> import torch
    >>> x = torch.arange(24.0).reshape(2, 3, 2, 2) ** 2
    >>> torch.allclose(instance_norm(x), F.instance_norm(x))
    True
    """
    if not use_input_stats:
        return F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    return F.group_norm(input, input.shape[1], weight, bias, eps)


class InstanceNorm(nn.Module):
    """What one of torch's instance norms without running statistics computes."""

    def __init__(self, norm: _Norm) -> None:
        super().__init__()
        self.weight: nn.Parameter | None = norm.weight
        self.bias: nn.Parameter | None = norm.bias
        self.eps = norm.eps

    def forward(self, input: Tensor) -> Tensor:
        """The normalised activation, (N, C, …)."""
        return instance_norm(input, weight=self.weight, bias=self.bias, eps=self.eps)


def replace_instance_norms(traced: fx.GraphModule) -> None:
    """Put these in the place of torch's, modules and functions, also inside of modules that are traced as wholes.

    >>> traced = fx.symbolic_trace(nn.Sequential(nn.InstanceNorm2d(3, track_running_stats=True), nn.InstanceNorm2d(3)))
    >>> replace_instance_norms(traced)
    >>> [type(part).__name__ for part in traced.children()]
    ['BatchNorm2d', 'InstanceNorm']
    """
    for node in traced.graph.nodes:
        if node.target is F.instance_norm:
            node.target = instance_norm
    for name, norm in list(traced.named_modules()):
        if type(norm) in _BATCH_NORMS:
            traced.set_submodule(name, _same(cast(_Norm, norm)))


def _same(norm: _Norm) -> nn.Module:
    if not norm.track_running_stats:
        return InstanceNorm(norm).eval()
    made = _BATCH_NORMS[type(norm)](norm.num_features, eps=norm.eps, affine=norm.affine)
    made.load_state_dict(norm.state_dict())
    return made.eval()
