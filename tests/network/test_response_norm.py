"""Local response normalisation: torch's values and gradients, whatever the window."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from circuits.network.prepare import prepare
from circuits.network.response_norm import ResponseNorm, local_response_norm

SETTINGS = [(5, 1e-4, 0.75, 1.0), (4, 0.3, 0.75, 2.0), (1, 0.5, 1.0, 1.0), (2, 0.5, 0.6, 0.5), (9, 0.2, 0.75, 1.0)]
windows = pytest.mark.parametrize("settings", SETTINGS, ids=str)


def photo() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 6, 3, 4, generator=generator, dtype=torch.float64).requires_grad_()


@windows
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_torch(
    settings: tuple[int, float, float, float], layout: torch.memory_format
) -> None:
    x = photo()
    given = x.contiguous(memory_format=layout)
    ours, theirs = local_response_norm(given, *settings), F.local_response_norm(given, *settings)
    weights = torch.linspace(-1, 1, x.numel(), dtype=torch.float64).reshape(x.shape)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad((y * weights).sum(), x, retain_graph=True)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


@windows
def test_gradients_of_gradients_are_right(settings: tuple[int, float, float, float]) -> None:
    assert torch.autograd.gradgradcheck(lambda x: local_response_norm(x, *settings), photo()[:1, :, :1])


def test_gradients_of_several_values_are_taken_at_once() -> None:
    x = photo()
    y = local_response_norm(x, 5, 0.1)
    rows = torch.eye(4, dtype=torch.float64)[:, None, None, None].expand(4, 2, 6, 3, 4)
    [together] = torch.autograd.grad(y, x, rows, is_grads_batched=True, retain_graph=True)
    for row, gradient in zip(rows, together, strict=True):
        torch.testing.assert_close(gradient, torch.autograd.grad(y, x, row, retain_graph=True)[0])


class Functional(nn.Module):
    def __init__(self, *, function: bool) -> None:
        super().__init__()
        self.conv, self.function, self.norm = nn.Conv2d(3, 6, 3), function, nn.LocalResponseNorm(5, alpha=0.2, k=2.0)
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).relu()
        x = F.local_response_norm(x, 5, 0.2, k=2.0) if self.function else self.norm(x)
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("function", [False, True])
def test_prepared_networks_have_it_in_place_of_torchs(function: bool) -> None:
    module = Functional(function=function).eval()
    network = prepare(module)
    x = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    called = [node.target for node in network.traced.graph.nodes]
    assert local_response_norm in called or type(network.traced.get_submodule("norm")) is ResponseNorm
    assert type(module.norm) is nn.LocalResponseNorm
    torch.testing.assert_close(network.traced(x), module(x))
