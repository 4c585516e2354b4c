"""Networks for tests: torchvision's with seeded weights that leave nothing trivial, and what is shared around them."""

import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from circuits.image.preprocessing import Preprocessing
from circuits.network.network import Network
from circuits.network.prepare import prepare

torch.set_num_threads(1)  # the networks of tests are so small that a second thread mostly waits

CLASSES = 10
SIDES = {
    "alexnet": 64,
    "vgg11_bn": 32,
    "squeezenet1_1": 64,
    "googlenet": 64,
    "inception_v3": 80,
    "resnet18": 64,
    "densenet121": 64,
    "mobilenet_v2": 64,
    "efficientnet_b0": 64,
    "shufflenet_v2_x0_5": 64,
    "regnet_y_400mf": 64,
    "convnext_tiny": 64,
    "mnasnet0_5": 64,
}
ZOO = tuple(SIDES)
_HEADS = {"alexnet": 256, "vgg11": 512, "vgg11_bn": 512, "vgg16": 512}
_MADE_WITH_VALUES = ("regnet", "swin", "maxvit")  # some of their buffers are tables
_WITH_AUXILIARY = ("googlenet", "inception_v3")
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def seeded(seed: int = 0) -> torch.Generator:
    """A source of chance with a seed."""
    return torch.Generator().manual_seed(seed)


def randomize(module: AnyModule, seed: int = 0) -> AnyModule:
    """Give every weight, bias and statistic of a module a seeded value that is neither zero nor one; in place.

    The size of the weights keeps activations of about one size at every depth.
    """
    source = seeded(seed)
    with torch.no_grad():
        for part in module.modules():
            for name, value in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]:
                if not value.is_floating_point():
                    if name == "num_batches_tracked":
                        value.zero_()
                elif name in ("bias", "running_mean"):
                    value.normal_(0, 0.1, generator=source)
                elif isinstance(part, _NORMS) or value.dim() == 0 or value.numel() == len(value):
                    value.uniform_(0.6, 1.4, generator=source)
                else:
                    value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=source)
    return module


def zoo(name: str, seed: int = 0, *, narrow: bool = True) -> nn.Module:
    """A torchvision classifier in eval mode with seeded random weights and 10 classes.

    If `narrow`, the wide heads of alexnet and vgg are made so, and their positions pooled to one, and MaxViT's windows
    are 2 by 2, so that it takes 64 pixels: the parts stay the same. `densenet_small` has ten dense layers for the 58
    of densenet121, in as many blocks.
    """
    from torchvision import models  # here, for the sake of processes that need none of it

    if narrow and name == "maxvit_t":
        small = models.MaxVit((64, 64), 64, 2, [64, 128, 256, 512], [2, 2, 5, 2], 32, 0.2, num_classes=CLASSES)
        return randomize(small, seed).eval()
    if name == "densenet_small":
        return randomize(models.DenseNet(8, (2, 3, 3, 2), 16, num_classes=CLASSES), seed).eval()
    options = {"aux_logits": False, "init_weights": False} if name in _WITH_AUXILIARY else {}
    with torch.device("cpu" if name.startswith(_MADE_WITH_VALUES) else "meta"):
        module: nn.Module = models.get_model(name, weights=None, num_classes=CLASSES, **options)
        if narrow and name in _HEADS:
            module.avgpool = nn.AdaptiveAvgPool2d(1)
            ends = [part for part in module.classifier if isinstance(part, nn.Linear)]
            for linear, (inputs, outputs) in zip(ends, [(_HEADS[name], 64), (64, 48), (48, CLASSES)], strict=True):
                linear.in_features, linear.out_features = inputs, outputs
                linear.weight, linear.bias = (
                    nn.Parameter(torch.empty(outputs, inputs)),
                    nn.Parameter(torch.empty(outputs)),
                )
    made = module if name.startswith(_MADE_WITH_VALUES) else module.to_empty(device="cpu")
    return randomize(made, seed).eval()


def preprocessing(side: int | tuple[int, int], *, channels: int = 3) -> Preprocessing:
    """What a network of that input size wants, normalised around one half."""
    size = (side, side) if isinstance(side, int) else side
    return Preprocessing(size, min(size), (0.5,) * channels, (0.25,) * channels, "bilinear")


def ready(
    module: nn.Module,
    side: int | tuple[int, int] = 8,
    *,
    channels: int = 3,
    layers: str | Sequence[str] = "auto",
    name: str = "tiny",
    check: bool = True,
) -> Network:
    """A module prepared as a network with that input size."""
    wanted = preprocessing(side, channels=channels)
    return prepare(module, name=name, source="live", preprocessing=wanted, layers=layers, check=check)


def with_normal_weights(made: Callable[[], nn.Module], size: tuple[int, int], *, seed: int, std: float) -> Network:
    """A module made by `made` and prepared as a network, with all parameters from a seeded normal distribution."""
    torch.manual_seed(seed)
    module = made()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=std)
    see = Preprocessing(size=size, resize=size[0], mean=(0.5,) * 3, std=(0.5,) * 3)
    return prepare(module, name="normal", source="seeded", preprocessing=see)


class BranchesAndSkip(nn.Module):
    """Two branches concatenated, a skip, pooling: everything that a segment slices."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.left, self.right = nn.Conv2d(6, 5, 1), nn.Conv2d(6, 4, 3, padding=1)
        self.add = nn.Conv2d(9, 9, 3, padding=1)
        self.fc = nn.Linear(9, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.stem(x)), 2)
        x = torch.cat([torch.relu(self.left(x)), torch.relu(self.right(x))], 1)
        x = torch.relu(x + self.add(x))
        return self.fc(x.mean((2, 3)))


@cache
def zoo_module(name: str) -> nn.Module:
    """The one copy of a torchvision classifier that tests may read and must not change."""
    return zoo(name)


@cache
def zoo_network(name: str) -> Network:
    """The one prepared copy of a torchvision classifier, at a small input size."""
    return ready(zoo_module(name), SIDES.get(name, 64), name=name)


def image_for(network: Network, count: int = 1, seed: int = 0) -> Tensor:
    """Seeded noise of the network's input size, (count, c, h, w)."""
    shape = (count, len(network.preprocessing.mean), *network.preprocessing.size)
    return torch.randn(shape, generator=seeded(seed))


def difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest expected magnitude."""
    assert found.shape == expected.shape, f"{tuple(found.shape)} is not {tuple(expected.shape)}"
    return float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))


def shared(path: str) -> Path:
    """A file of the folder that lies beside the repository; skips where it is missing, but not in CI."""
    import pytest

    found = Path(__file__).resolve().parents[3] / "shared" / path
    if not found.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"../shared/{path} is missing.")
        pytest.skip(f"../shared/{path} is not there.")
    return found
