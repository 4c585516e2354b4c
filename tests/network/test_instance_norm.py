"""Instance normalisation: torch's values, and the gradient of them, also of one photo that lies channels last."""

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from circuits.attribution.gradient import Readout, gradient_times_activation
from circuits.tracing.run import ForwardCache
from tests.support.body import Body, photos, says_the_same


class Normed(Body):
    def __init__(self, norm: nn.Module | None) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        low = self.low(x).relu()
        low = F.instance_norm(low) if self.norm is None else self.norm(low)
        return self.head(self.relu(self.high(low)))


def running() -> nn.Module:
    norm = nn.InstanceNorm2d(6, affine=True, track_running_stats=True)
    for number, value in enumerate((*norm.parameters(), *norm.buffers())):
        if value.is_floating_point():
            value.data = torch.linspace(0.5, 1.5 + number, 6)
    return norm


def test_shares_are_those_of_the_definition_and_running_statistics_are_exact() -> None:
    for norm in (None, nn.InstanceNorm2d(6), nn.InstanceNorm2d(6, affine=True), running()):
        module = Normed(norm).eval()
        network = says_the_same(module)
        photo = photos(1)
        below = ForwardCache.of(network, photo).activations[network.layers[0]]
        point = below.clone(memory_format=torch.contiguous_format).double().requires_grad_()
        values = point.flatten(2)
        if norm is None or not isinstance(norm.running_mean, Tensor):
            scaled = (values - values.mean(2, keepdim=True)) / (values.var(2, False, keepdim=True) + 1e-5).sqrt()
        else:
            mean, variance, weight, bias = (
                each.double()[:, None] for each in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
            )
            scaled = (values - mean) / (variance + 1e-5).sqrt() * weight + bias
        high = F.conv2d(scaled.view_as(point), module.high.weight.double(), module.high.bias.double()).relu()
        (slope,) = torch.autograd.grad(high[0, 2].sum(), point)
        ours = gradient_times_activation(network.segment(*network.layers[:2]), below, Readout.of_unit(2))
        torch.testing.assert_close(ours.flatten().double(), (point * slope).sum((0, 2, 3)), rtol=1e-4, atol=1e-5)
        assert network.layer_list[1].piecewise_linear == (norm is not None and norm.running_mean is not None)
