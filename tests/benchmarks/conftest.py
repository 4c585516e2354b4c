"""The network that the benchmarks of circuits are tried on."""

import pytest
from torch import nn

from circuits import Network
from tests.support.nets import randomize, ready


@pytest.fixture(scope="module")
def network() -> Network:
    def block(below: int, above: int) -> list[nn.Module]:
        return [nn.Conv2d(below, above, 3, padding=1), nn.ReLU()]

    stack = [*block(3, 8), *block(8, 10), *block(10, 9), *block(9, 12), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return ready(randomize(nn.Sequential(*stack, nn.Linear(12, 5))))
