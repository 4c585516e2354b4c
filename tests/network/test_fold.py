"""What depends on weights alone is computed once, and functions of weights become modules."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.network.prepare import prepare
from circuits.network.rewrite import prepare_module
from tests.support.nets import difference, randomize, ready


def noise(*shape: int) -> Tensor:
    """Seeded normal numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def outputs(module: nn.Module, image: Tensor) -> Tensor:
    """What a module puts out, without gradients."""
    with torch.no_grad():
        made: Tensor = module(image)
    return made


def targets(traced: fx.GraphModule) -> list[object]:
    """What the nodes of a graph call."""
    return [node.target for node in traced.graph.nodes if node.op not in ("placeholder", "output")]


class Standardised(nn.Conv2d):
    """A convolution whose weight is standardised in every pass, padded by half of its kernel."""

    def forward(self, image: Tensor) -> Tensor:
        flat = self.weight.reshape(1, self.out_channels, -1)
        weight = F.batch_norm(flat, None, None, training=True, momentum=0.0).reshape_as(self.weight)
        return F.conv2d(image, weight, self.bias, self.stride, padding=self.weight.shape[-1] // 2, groups=self.groups)


class Same(nn.Conv2d):
    """A convolution that pads as TensorFlow's "same" does, by the size of its input."""

    def forward(self, image: Tensor) -> Tensor:
        sides = zip(image.shape[-2:], self.kernel_size, self.stride, strict=True)
        down, across = [max((-(-side // step) - 1) * step + kernel - side, 0) for side, kernel, step in sides]
        pads = [across // 2, across - across // 2, down // 2, down - down // 2]
        return F.conv2d(F.pad(image, pads), self.weight, self.bias, self.stride)


class WithActivation(nn.BatchNorm2d):
    """A batch norm that is followed by its own activation function."""

    def forward(self, image: Tensor) -> Tensor:
        mean, variance = self.running_mean, self.running_var
        return F.relu(F.batch_norm(image, mean, variance, self.weight, self.bias, self.training, 0.1, self.eps))


class Functional(nn.Module):
    """Layers that are functions of parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv2d, self.shift = nn.Parameter(torch.empty(4, 3, 3, 3)), nn.Parameter(torch.empty(4))
        self.matrix = nn.Parameter(torch.empty(3, 4))

    def forward(self, image: Tensor) -> Tensor:
        maps = F.relu(F.conv2d(image, self.conv2d, self.shift, stride=[2]))
        return F.linear(maps.mean((2, 3)), F.normalize(self.matrix, dim=1))


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"groups": 3, "bias": False}], ids=str)
def test_a_weight_that_is_made_in_every_pass_is_made_once(options: dict[str, int]) -> None:
    module = randomize(nn.Sequential(Standardised(3, 6, 3, **options), nn.BatchNorm2d(6), nn.ReLU())).eval()
    traced = prepare_module(module)
    assert {type(part) for part in traced.children()} == {nn.Conv2d, nn.ReLU}
    assert targets(traced) == ["conv2d", "2"]
    assert difference(outputs(traced, noise(2, 3, 9, 9)), outputs(module, noise(2, 3, 9, 9))) <= 1e-5


def test_a_batch_norm_that_is_a_function_is_folded() -> None:
    module = randomize(nn.Sequential(nn.Conv2d(3, 4, 3), WithActivation(4), nn.Conv2d(4, 2, 1))).eval()
    traced = prepare_module(module)
    assert targets(traced) == ["0", F.relu, "2"]
    assert difference(outputs(traced, noise(2, 3, 9, 9)), outputs(module, noise(2, 3, 9, 9))) <= 1e-5


@pytest.mark.parametrize(("size", "pads"), [((16, 16), (0, 1, 0, 1)), ((15, 16), (0, 1, 1, 1))])
def test_padding_that_follows_the_size_is_that_of_the_photo(size: tuple[int, int], pads: tuple[int, ...]) -> None:
    module = randomize(nn.Sequential(Same(3, 4, 3, stride=2), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU())).eval()
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    network = ready(nn.Sequential(module, head).eval(), size)
    assert [tuple(node.args[1]) for node in network.traced.graph.nodes if node.target is F.pad] == [pads]
    assert network.layers == ("0.1", "0.3", "1.2")
    assert network.piecewise_linear


def test_layers_that_are_functions_of_parameters_keep_their_names() -> None:
    module = randomize(Functional()).eval()
    network = prepare(module, size=9, mean=(0.5,) * 3, std=(0.5,) * 3)
    assert network.layers == ("relu", "linear")
    assert {type(part) for part in network.traced.children()} == {nn.Conv2d, nn.Linear}
    assert difference(network.logits(noise(1, 3, 9, 9)), outputs(module, noise(1, 3, 9, 9))) <= 1e-5


def test_what_depends_on_the_image_stays_a_function() -> None:
    class Dynamic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernels = nn.Parameter(torch.empty(2, 3, 3, 1, 1))

        def forward(self, image: Tensor) -> Tensor:
            weight = self.kernels[0] * image.mean() + self.kernels[1]
            return F.conv2d(image, weight)

    module = randomize(Dynamic()).eval()
    traced = prepare_module(module)
    assert F.conv2d in targets(traced)
    assert difference(outputs(traced, noise(1, 3, 4, 4)), outputs(module, noise(1, 3, 4, 4))) <= 1e-6
