"""Redirected rectifiers: known gradients of nets whose hidden layer is silent for one image of two."""

import operator
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.image.preprocessing import Preprocessing
from circuits.network import operations
from circuits.network.network import Network
from circuits.network.prepare import prepare
from circuits.network.rectifiers import redirected_relu


class Functional(nn.Module):
    """Two convolutions of one pixel and a function between them."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.lower, self.between, self.upper = nn.Conv2d(1, 3, 1), between, nn.Conv2d(3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.upper(self.between(self.lower(x))).flatten(1)


RECTIFIERS: dict[str, Callable[[], nn.Module]] = {
    "nn.ReLU": lambda: Functional(nn.ReLU()),
    "nn.ReLU in place": lambda: Functional(nn.ReLU(inplace=True)),
    "F.relu": lambda: Functional(F.relu),
    "torch.relu": lambda: Functional(torch.relu),
    "the method": lambda: Functional(operator.methodcaller("relu")),
    "by keyword": lambda: Functional(lambda x: F.relu(input=x)),
    "nn.ReLU6": lambda: Functional(nn.ReLU6()),
    "F.relu6": lambda: Functional(F.relu6),
}
each = pytest.mark.parametrize("make", RECTIFIERS.values(), ids=RECTIFIERS.keys())


def two_layers(module: nn.Module) -> Network:
    """h = (x − 1, 2x − 2, −x − 3) rectified; logit = 5·h₀ − 7·h₁ + 11·h₂: silent, all three, at x = −1."""
    parts = dict(module.named_children())
    lower, upper = parts["lower"], parts["upper"]
    assert isinstance(lower, nn.Conv2d)
    assert isinstance(upper, nn.Conv2d)
    assert lower.bias is not None
    assert upper.bias is not None
    lower.weight.data, lower.bias.data = (
        torch.tensor([1.0, 2.0, -1.0]).reshape(3, 1, 1, 1),
        -torch.tensor([1.0, 2.0, 3.0]),
    )
    upper.weight.data, upper.bias.data = torch.tensor([[5.0, -7.0, 11.0]]).reshape(1, 3, 1, 1), torch.zeros(1)
    preprocessing = Preprocessing((1, 1), 1, (0.5,), (0.25,), "bilinear")
    return prepare(module, name="two layers", source="live", preprocessing=preprocessing)


def pull(network: Network, *levels: float, sign: float = -1.0, rectifier: operations.Rectifier | None) -> list[float]:
    """Gradient, at images of one pixel, of sign times the logit."""
    images = torch.tensor(levels).reshape(-1, 1, 1, 1).requires_grad_(True)
    logits = network.segment(None, network.layers[-1])(images, rectifier=rectifier)
    (gradient,) = torch.autograd.grad(sign * logits.sum(), images)
    return [float(level) for level in gradient.flatten()]


def test_a_rectifier_that_lets_nothing_through_is_given_what_wakes_it() -> None:
    x = torch.tensor([[-1.0, -2.0, -3.0], [-1.0, -2.0, 3.0], [0.0, -2.0, -3.0]], requires_grad=True)
    upward = torch.tensor([[-1.0, 4.0, -7.0]]).expand(3, 3)  # gradients of something to be made small
    values = redirected_relu(x)
    (gradient,) = torch.autograd.grad((values * upward).sum(), x)
    assert torch.equal(values, x.relu())
    assert gradient.tolist() == [[-1.0, 0.0, -7.0], [0.0, 0.0, -7.0], [-1.0, 0.0, -7.0]]


def test_nothing_is_made_up_where_no_gradient_arrives_or_all_of_it_pushes_down() -> None:
    x = torch.full((2, 3, 2, 2), -1.0, requires_grad=True)
    downward = torch.stack([torch.zeros(3, 2, 2), torch.rand(3, 2, 2)])
    (gradient,) = torch.autograd.grad((redirected_relu(x) * downward).sum(), x)
    assert not gradient.any()


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5, 5)])
def test_where_something_passes_the_gradient_is_the_usual_to_the_bit(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    weights = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    for dtype in (torch.float32, torch.bfloat16):
        (ours,) = torch.autograd.grad((redirected_relu(x.to(dtype)) * weights).sum(), x)
        (usual,) = torch.autograd.grad((x.to(dtype).relu() * weights).sum(), x)
        assert torch.equal(ours, usual)


@each
def test_a_silent_image_is_pushed_up_and_the_other_is_left_alone(make: Callable[[], nn.Module]) -> None:
    network = two_layers(make())
    usual = pull(network, -1.0, 2.0, rectifier=None)
    assert usual == [0.0, -5.0 + 14.0]  # h₀ and h₁ pass at x = 2
    # At x = −1 ascent on the logit wants h₀ and h₂ larger; h₁ counts against it and stays silent.
    assert pull(network, -1.0, 2.0, rectifier=redirected_relu) == [-5.0 + 11.0, usual[1]]
    # Descent wants h₁ alone.
    assert pull(network, -1.0, 2.0, sign=1.0, rectifier=redirected_relu) == [2.0 * -7.0, -usual[1]]


@each
def test_values_do_not_change_and_nothing_is_left_behind(make: Callable[[], nn.Module]) -> None:
    network = two_layers(make())
    images = torch.linspace(-9, 9, 12).reshape(-1, 1, 1, 1)
    before = network.logits(images)
    segment = network.segment(None, network.layers[-1])
    assert torch.equal(segment(images, rectifier=redirected_relu).flatten(1), before)
    assert torch.equal(segment(images, [0], rectifier=redirected_relu).flatten(1), before)
    assert pull(network, -1.0, rectifier=None) == [0.0]
    assert not any(module._forward_hooks or module._backward_hooks for module in network.traced.modules())


@pytest.mark.parametrize("make", [RECTIFIERS["nn.ReLU6"], RECTIFIERS["F.relu6"]])
def test_the_cap_of_a_rectifier_is_kept(make: Callable[[], nn.Module]) -> None:
    network = two_layers(make())
    segment = network.segment(None, network.layers[-1])
    assert segment(torch.full((1, 1, 1, 1), 100.0), rectifier=redirected_relu).item() == 6.0 * 5.0 - 6.0 * 7.0
    # At x = 5, h₁ = 8 is capped and h₀ passes. At x = 100 nothing does: silent h₂ is pushed up, the others stay.
    assert pull(network, 5.0, 100.0, rectifier=redirected_relu) == [-5.0, 11.0]


def test_a_slice_of_channels_is_run_with_the_rectifier_too() -> None:
    network = two_layers(RECTIFIERS["nn.ReLU"]())
    images = torch.full((1, 1, 1, 1), -1.0, requires_grad=True)
    hidden = network.segment(None, network.layers[0])
    for channels, slope in (([1], 2.0), ([2], -1.0), (None, 1.0 + 2.0 - 1.0)):
        (gradient,) = torch.autograd.grad(-hidden(images, channels, rectifier=redirected_relu).sum(), images)
        assert gradient.item() == -slope
    (without,) = torch.autograd.grad(-hidden(images, [1], rectified=False, rectifier=redirected_relu).sum(), images)
    assert without.item() == -2.0


def test_the_rectifiers_of_several_layers_read_at_once_are_redirected() -> None:
    network = two_layers(RECTIFIERS["F.relu"]())
    images = torch.full((1, 1, 1, 1), -1.0, requires_grad=True)
    asks = [(network.layers[0], (0,), True), (network.layers[-1], None, True)]
    hidden, logits = network.read(images, asks, rectifier=redirected_relu)
    (gradient,) = torch.autograd.grad(-(hidden.sum() + logits.sum()), images)
    assert gradient.item() == -1.0 - 5.0 + 11.0
    (plain,) = torch.autograd.grad(-sum(part.sum() for part in network.read(images, asks)), images)
    assert plain.item() == 0.0


def test_leaky_and_smooth_activations_are_run_as_they_are() -> None:
    for activation in (nn.LeakyReLU(0.1), nn.GELU(), nn.Hardtanh()):
        network = two_layers(Functional(activation))
        assert pull(network, -1.0, rectifier=redirected_relu) == pull(network, -1.0, rectifier=None)


def test_any_function_may_stand_in_for_a_rectifier() -> None:
    network = two_layers(RECTIFIERS["nn.ReLU"]())
    asked = []

    def straight(x: Tensor) -> Tensor:
        asked.append(tuple(x.shape))
        return x

    assert pull(network, -1.0, rectifier=straight) == [-(5.0 - 14.0 - 11.0)]
    assert asked == [(1, 3, 1, 1)]


def test_a_node_that_is_no_rectifier_is_run_as_usual() -> None:
    network = two_layers(RECTIFIERS["the method"]())
    nodes: list[fx.Node] = [node for node in network.traced.graph.nodes if node.op == "call_module"]
    given = {nodes[0].all_input_nodes[0]: torch.ones(1, 1, 1, 1)}
    with_rectifier = operations.run_node(network.traced, nodes[0], given, redirected_relu)
    assert with_rectifier.flatten().tolist() == [0.0, 0.0, -4.0]
