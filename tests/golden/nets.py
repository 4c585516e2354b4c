"""Seeded random networks and photos for golden files, the same to the last bit on every machine.

Weights are multiples of 1/64 drawn by numpy, so that no generator of random floats has a say in them. The file stands
alone: the command line loads its classes by their names from a copy of it.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

SIDE = 24
LABELS = ("cat", "dog", "tree", "<b>ship</b>")


def _randomize(module: nn.Module, seed: int) -> None:
    """Give every parameter and statistic a seeded multiple of 1/64, of a size that keeps activations alive."""
    chance = np.random.default_rng(seed)
    with torch.no_grad():
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            if not value.is_floating_point():
                continue
            if value.ndim > 1:
                drawn = chance.normal(0, (2 / value[0].numel()) ** 0.5, tuple(value.shape))
            elif name.endswith(("bias", "running_mean")):
                drawn = chance.normal(0, 0.1, tuple(value.shape))
            else:
                drawn = chance.uniform(0.6, 1.4, tuple(value.shape))
            value.copy_(torch.from_numpy(np.round(drawn * 64) / 64))


class Plain(nn.Module):
    """Three rectified convolutions, batch norm and a linear layer: a chain."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.norm, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 10, 3, padding=1)
        self.three, self.fc = nn.Conv2d(10, 12, 3, padding=1), nn.Linear(12, len(LABELS))
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)
        _randomize(self, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.pool(self.relu(self.norm(self.one(x))))
        x = self.pool(self.relu(self.two(x)))
        x = self.relu(self.three(x))
        return self.fc(x.mean((2, 3)))


class Branched(nn.Module):
    """Two branches that are concatenated, then a block with a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.narrow, self.wide = nn.Conv2d(8, 5, 1), nn.Conv2d(8, 7, 3, padding=1)
        self.first, self.second = nn.Conv2d(12, 12, 3, padding=1), nn.Conv2d(12, 12, 3, padding=1)
        self.fc = nn.Linear(12, len(LABELS))
        _randomize(self, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = nn.functional.max_pool2d(torch.relu(self.stem(x)), 2)
        x = torch.cat([torch.relu(self.narrow(x)), torch.relu(self.wide(x))], 1)
        x = nn.functional.avg_pool2d(x, 2)
        x = torch.relu(x + self.second(torch.relu(self.first(x))))
        return self.fc(x.amax((2, 3)))


class Smooth(nn.Module):
    """Smooth activations, group norm and a sigmoid beside a skip: not piecewise linear."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.Conv2d(8, 12, 3, padding=1)
        self.gate, self.norm = nn.Conv2d(12, 12, 1), nn.GroupNorm(3, 12)
        self.fc = nn.Linear(12, len(LABELS))
        _randomize(self, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = nn.functional.gelu(self.one(x))
        x = nn.functional.silu(self.norm(self.two(x)))
        x = x + 2 * torch.sigmoid(self.gate(x))  # no product: both of its factors would have one share, a tie
        return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


def photo_pixels(seed: int, height: int = 30, width: int = 40) -> np.ndarray:
    """A seeded photo of large patches of colour, (height, width, 3), uint8; resized without interpolation."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    resized = Image.fromarray(patches).resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(resized)
