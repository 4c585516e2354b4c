"""Gradient pictures the slow way: a net of two convolutions, run back by its formulas in float64, without autograd."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from circuits.image.photo import Photo, load_photo
from circuits.network.network import Network
from tests.support.nets import randomize, ready

SIDE = 6
# What a rectifier lets through of what comes from above (g), given what came from below (z).
RULES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gradient": lambda g, z: g * (z > 0),
    "guided": lambda g, z: g * (z > 0) * (g > 0),
    "deconvnet": lambda g, z: g * (g > 0),
}
Rectified = Callable[[Tensor], Tensor]


class Two(nn.Module):
    """Convolution, rectifier, convolution, rectifier, mean, classes."""

    def __init__(self, rectified: Callable[[], Rectified] = nn.ReLU) -> None:
        super().__init__()
        self.one, self.two, self.fc = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 4, 3, padding=1), nn.Linear(4, 2)
        self.first, self.second = rectified(), rectified()
        randomize(self, 3)
        self.one.weight.data *= 4
        self.two.weight.data *= 0.3

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.one(x))
        x = self.second(self.two(x))
        return self.fc(x.mean((2, 3)))


def two(rectified: Callable[[], Rectified] = nn.ReLU) -> Network:
    return ready(Two(rectified), SIDE)


def lower_and_upper(network: Network) -> tuple[str, str]:
    lower, upper, _ = network.layers
    return lower, upper


def photo(seed: int = 0, side: int = SIDE) -> Photo:
    return load_photo(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8), name="noise")


def pixels(shown: Photo) -> Tensor:
    """The photo on its scale of 0 to 1, (1, 3, h, w)."""
    return torch.from_numpy(np.array(shown.image)).permute(2, 0, 1)[None].double() / 255


class Slow:
    """One image's way up and back through `Two`, at hand at every step."""

    def __init__(self, network: Network, image: Tensor, cap: float = float("inf")) -> None:
        state = {name: value.double() for name, value in network.traced.state_dict().items()}
        self.weights = [state["one.weight"], state["two.weight"]]
        biases = [state["one.bias"], state["two.bias"]]
        self.cap = cap
        x = (image - 0.5) / 0.25
        self.before, self.after = [], []
        for weight, bias in zip(self.weights, biases, strict=True):
            self.before.append(F.conv2d(x, weight, bias, padding=1))
            x = self.before[-1].clamp(0, cap)
            self.after.append(x)

    def back(self, g: Tensor, rule: str, steps: Sequence[int]) -> Tensor:
        """From a gradient of the activations of layer `steps[0]`, through the steps, to what lies below them."""
        for step in steps:
            g = RULES[rule](g * (self.before[step] < self.cap), self.before[step])
            g = F.conv_transpose2d(g, self.weights[step], padding=1)
        return g

    def start(self, channel: int, start: str) -> Tensor:
        """What is sent back from a unit of the upper layer."""
        weights = torch.zeros_like(self.after[1])
        activation = self.after[1][0, channel]
        if start == "map":
            weights[0, channel] = activation
        else:
            weights[0, channel].view(-1)[activation.argmax()] = 1
        return weights


def as_picture(g: Tensor) -> np.ndarray:
    """A gradient with respect to the network's input as one with respect to pixels, (h, w, colours)."""
    return (g / 0.25)[0].permute(1, 2, 0).numpy()


def off(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, relative to the largest expected magnitude."""
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 0
    return float(np.abs(found - expected).max() / np.abs(expected).max())
