"""Random networks of what people write in `forward`: branches, skips, sizes, gradients and activations of their own."""

import random
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from tests.support.nets import randomize


class Step(torch.autograd.Function):
    """1 where a number is positive, else 0; its gradient is that of a line between -1 and 1."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The step."""
        ctx.save_for_backward(x)
        return (x > 0).to(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The gradient of the line."""
        (x,) = ctx.saved_tensors
        passed: Tensor = gradient * (x.abs() <= 1) / 2
        return passed


ACTIVATIONS = {
    "relu": F.relu,
    "where": lambda x: torch.where(x > 0, x, x / 8),
    "clamp": lambda x: x.clamp(min=0),
    "swish": lambda x: x * torch.sigmoid(x),
    "step": lambda x: x + Step.apply(x),
}


class Piece(nn.Module):
    """A step of a random network, 6 channels to 6; `before` is an earlier tensor, whose size alone may be read."""

    def __init__(self, kind: str, activation: str) -> None:
        super().__init__()
        self.kind, self.activation = kind, activation
        self.one, self.two = nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 6, 1)
        self.level_bias = nn.Parameter(torch.ones(1))
        self.wide, self.more = nn.Conv2d(12, 6, 1), nn.Conv2d(7, 6, 1)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        """The piece's output, (N, 6, H, W)."""
        act = ACTIVATIONS[self.activation]
        if self.kind == "chain":
            return act(self.one(x))
        if self.kind == "skip":
            return act(self.one(x) + x)
        if self.kind == "branches":
            return torch.cat([act(self.one(x)), act(self.two(x))], 1)[:, 3:9]
        if self.kind == "merged":
            return act(self.wide(torch.cat([x, act(self.one(x))], 1)))
        if self.kind == "resized":
            return act(F.interpolate(self.one(F.max_pool2d(x, 2)), size=before.shape[2:]))
        if self.kind == "reshaped":
            n, _, h, w = before.size()
            return act(self.one(x).view(n, 6, -1).reshape(n, 6, h, w)).to(before)
        if self.kind == "padded":
            return act(self.more(torch.cat([x, self.level_bias * before.new_ones(before.size(0), 1, 4, 4)], 1)))
        assert self.kind == "scaled"
        return act(self.two(x) + self.level_bias * torch.ones_like(before[:, :1])).expand_as(x) / before.dim()


KINDS = ("chain", "skip", "branches", "merged", "resized", "reshaped", "padded", "scaled")


class RandomNetwork(nn.Module):
    """Two to five random pieces for images of 4 by 4 pixels, and three classes."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        chance = random.Random(seed)
        made = [Piece(chance.choice(KINDS), chance.choice(list(ACTIVATIONS))) for _ in range(chance.randint(2, 5))]
        self.stem, self.pieces, self.fc = nn.Conv2d(3, 6, 3, padding=1), nn.ModuleList(made), nn.Linear(6, 3)
        self.before = [chance.randint(0, place) for place in range(len(made))]
        randomize(self, seed)

    def forward(self, image: Tensor) -> Tensor:
        """Logits, (N, 3)."""
        tensors = [F.relu(self.stem(image))]
        for piece, before in zip(self.pieces, self.before, strict=True):
            tensors.append(piece(tensors[-1], tensors[before]))
        return self.fc(tensors[-1].flatten(2).mean(2).view(image.size(0), -1))

    def __repr__(self) -> str:
        return f"{[(piece.kind, piece.activation) for piece in self.pieces]}"
