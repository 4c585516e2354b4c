"""Photos of chance and a network with trained-looking batch norms, for the tests of the recipe."""

import torch
from torch import nn

from circuits.builtin import architecture
from training.builtin import data


def generator(seed: int = 0) -> torch.Generator:
    """A source of chance with a seed."""
    return torch.Generator().manual_seed(seed)


def photos(count: int = 24, *, kinds: int = 3, size: int = 16) -> data.Photos:
    """Random photos of the first classes, in turn; the box of each is its middle."""
    source = generator(7)
    kind = torch.arange(count) % kinds
    pixels = torch.randint(0, 256, (count, 3, size, size), generator=source).to(torch.uint8)
    boxes = torch.tensor([0.25, 0.25, 0.75, 0.75]).repeat(count, 1)
    return data.Photos(pixels, kind.clone(), kind, boxes)


def trained_batch_norms() -> architecture.BuiltinNetwork:
    """A network whose batch norms have statistics, factors and shifts like after training."""
    torch.manual_seed(3)
    network = architecture.build(batch_norm=True).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return network
