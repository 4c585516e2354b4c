"""Hand-wired networks in which single ablations, joint ablation, gradients and their integrals are known to part.

Two colours of a photo, red a and green b, of 16 positions. conv1 holds them rectified, `top` what is made of them, the
logits are sums of `top` over positions.

    top:0   either    min(1, a + b)               = relu(1 - relu(1 - a - b))          saturated at a = b = 1
    top:1   leaky     min(1, a + b) + (a + b)/10                                       saturated, with a little gradient
    top:2   both      max(0, a + b - 1)                                                nothing without either
    top:3   sum       a + b                                                            linear
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from circuits import Network, Preprocessing, prepare
from tests.support.branched import convolution

POSITIONS = 16
_SEE = Preprocessing(size=(4, 4), resize=4, mean=(0.0,) * 3, std=(1.0,) * 3, interpolation="bilinear")


class Logic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = convolution([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
        self.inner = convolution([[-1.0, -1, 0], [1, 1, 0]], [1.0, 0.0])  # how much is missing to 1; the sum
        self.top = convolution([[-1.0, 0], [-1, 0.1], [0, 1], [0, 1]], [1.0, 1.0, -1.0, 0.0])
        self.fc = nn.Linear(4, 4)
        with torch.no_grad():
            self.fc.weight.copy_(POSITIONS * torch.eye(4))
            self.fc.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.top(torch.relu(self.inner(x))))
        return self.fc(x.mean((2, 3)))


class Halves(nn.Module):
    """A logit that reads its colours with one sign on the left half and with another on the right."""

    def __init__(self, left: Sequence[float], right: Sequence[float]) -> None:
        super().__init__()
        self.conv1 = convolution([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
        self.fc = nn.Linear(3 * POSITIONS, 2)
        sides = torch.tensor([left, right])  # (side, colour)
        with torch.no_grad():
            self.fc.weight.zero_()
            self.fc.weight[0] = sides.T[:, None, :].repeat_interleave(2, 2).expand(3, 4, 4).flatten()
            self.fc.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.conv1(x)).flatten(1))


def logic() -> Network:
    return prepare(
        Logic(), name="logic", source="by hand", preprocessing=_SEE, layers=["conv1", "top", "fc"],
        labels=["either", "leaky", "both", "sum"],
    )  # fmt: skip


def halves(left: Sequence[float], right: Sequence[float]) -> Network:
    return prepare(Halves(left, right), name="halves", source="by hand", preprocessing=_SEE, labels=["yes", "no"])
