"""A small classifier whose `forward` each test writes anew, and what it says of two photos."""

import torch
from torch import Tensor, nn

from circuits.network.network import Network
from tests.support.nets import ready, seeded


class Body(nn.Module):
    """Two convolutions and a linear layer, 3 × 8 × 8 to five classes, with seeded weights."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.low, self.high, self.fc = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 7, 3), nn.Linear(7, 5)
        self.relu = nn.ReLU()

    def maps(self, x: Tensor) -> Tensor:
        """The last maps, (N, 7, 4, 4)."""
        return self.relu(self.high(self.relu(self.low(x))))

    def head(self, maps: Tensor) -> Tensor:
        """Logits from the last maps."""
        return self.fc(maps.mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.head(self.maps(x))


def photos(count: int = 2) -> Tensor:
    """Photos of different brightness and contrast, (count, 3, 8, 8)."""
    noise = torch.randn(count, 3, 8, 8, generator=seeded(5))
    return noise * torch.linspace(1, 0.2, count)[:, None, None, None] + torch.linspace(0, 1, count)[:, None, None, None]


def says_the_same(module: nn.Module, network: Network | None = None) -> Network:
    """Check that a prepared module says of each photo what the module itself says of it alone."""
    network = network or ready(module)
    module = module.eval()
    with torch.no_grad():
        for photo in photos():
            torch.testing.assert_close(network.logits(photo[None]), module(photo[None].clone()), rtol=1e-5, atol=1e-6)
    return network
