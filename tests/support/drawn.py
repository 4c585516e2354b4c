"""Tiny networks with hand-set weights, whose optimum is known: what pictures are tested on."""

import torch
from torch import Tensor, nn

from circuits.image.preprocessing import Preprocessing
from circuits.network.network import Network
from circuits.network.prepare import prepare


def network_of(*modules: nn.Module, colours: int = 3, side: int = 64) -> Network:
    size = Preprocessing((side, side), side, (0.5,) * colours, (0.25,) * colours, "bilinear")
    return prepare(nn.Sequential(*modules), name="tiny", source="live", preprocessing=size)


def convolution(weight: Tensor, bias: float = 0.0) -> nn.Conv2d:
    """A convolution with these kernels, (out, in, k, k)."""
    made = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], padding=weight.shape[2] // 2)
    made.weight.data, made.bias.data = weight.float(), torch.full((len(weight),), bias)
    return made


def classifier(channels: int, classes: int = 2) -> list[nn.Module]:
    torch.manual_seed(0)
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


def edges() -> Network:
    """Channel 0 wants bright right of dark, channel 1 bright below dark; both five pixels wide, in all colours."""
    across = torch.tensor([-1.0, -1.0, 0.0, 1.0, 1.0]).expand(3, 5, 5) / 15
    return network_of(convolution(torch.stack([across, across.transpose(1, 2)])), nn.ReLU(), *classifier(2))


def two_layers() -> Network:
    torch.manual_seed(1)
    lower = convolution(torch.randn(6, 3, 3, 3) * 0.3)
    upper = convolution(torch.randn(20, 6, 3, 3) * 0.3)
    return network_of(lower, nn.ReLU(), nn.MaxPool2d(2), upper, nn.ReLU(), *classifier(20))
