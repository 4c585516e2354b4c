"""Shares of many units at once equal a pass back for each, and do not depend on who is asked for with whom."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from circuits import load_network, prepare
from circuits.attribution._linear_vjp import (
    in_blocks,
    is_wide,
    step_down,
    through_entry,
    through_wide_entry,
    weight_times_gradient,
)
from circuits.attribution.batched import BatchedAttribution, front, is_of_usual_size, is_understood
from circuits.attribution.gradient import Readout, gradients_times_activation, integrated_gradients
from circuits.network.network import Network
from tests.support import reference
from tests.support.nets import image_for, randomize, ready, with_normal_weights


@pytest.fixture(autouse=True)
def _same_numbers_every_time() -> None:
    torch.manual_seed(0)


class Blocks(nn.Module):
    """Strides, dilation, skips, branches, pools before convolutions, flattened maps: what a segment may hold."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.first, self.second = nn.Conv2d(6, 5, 3, 2, 1), nn.Conv2d(5, 8, (3, 1), padding=(1, 0))
        self.down = nn.Conv2d(6, 8, 1, 2)
        self.one, self.reduce, self.wide = (
            nn.Conv2d(8, 3, 1),
            nn.Conv2d(8, 4, 1),
            nn.Conv2d(4, 5, 3, padding=2, dilation=2),
        )
        self.pooled = nn.Conv2d(8, 2, 1)
        self.a, self.b, self.c = nn.Conv2d(10, 4, 1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 10, 1)
        self.hidden, self.fc = nn.Linear(40, 7), nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = torch.relu(self.second(torch.relu(self.first(x))) + self.down(x))
        wide = torch.relu(self.wide(torch.relu(self.reduce(x))))
        pooled = torch.relu(self.pooled(F.max_pool2d(x, 3, 1, 1)))
        x = torch.cat([torch.relu(self.one(x)), wide, pooled], 1)
        x = torch.relu(self.c(torch.relu(self.b(torch.relu(self.a(x))))) + x)
        x = torch.flatten(F.adaptive_avg_pool2d(F.max_pool2d(x, 2), 2), 1)
        return self.fc(torch.relu(self.hidden(x)))


LAYERS = ["stem", "relu_2", "cat", "relu_9", "hidden", "fc"]


@pytest.fixture(scope="module")
def network() -> Network:
    found = with_normal_weights(Blocks, (12, 10), seed=2, std=0.4)
    assert len(found.layers) == len(LAYERS)
    return found


@pytest.fixture(scope="module")
def image() -> Tensor:
    return torch.randn(1, 3, 12, 10, generator=torch.Generator().manual_seed(5))


def pairs() -> list[tuple[int, int]]:
    """Neighbours, and layers two apart, so that a segment holds several convolutions on its way."""
    return [(lower, upper) for lower in range(5) for upper in (lower + 1, lower + 2) if upper < 6]


@pytest.mark.parametrize(("lower", "upper"), pairs())
def test_shares_of_all_units_at_once_equal_the_slow_definition_of_each(
    network: Network, image: Tensor, lower: int, upper: int
) -> None:
    names = network.layers
    network.traced.double()
    try:
        activations = network.activations(image.double())
        segment, activation = network.segment(names[lower], names[upper]), activations[names[lower]]
        assert is_understood(segment)
        width = activations[names[upper]].shape[1]
        found = list(gradients_times_activation(segment, activation, map(Readout.of_unit, range(width))))
        assert len(found) == width
        for channel, scores in enumerate(found):
            slow = reference.gradient_times_activation(reference.sum_of_channel(segment, channel), activation)
            torch.testing.assert_close(scores, slow, rtol=1e-11, atol=1e-11)
        assert float(torch.stack(found).abs().max()) > 1e-2
    finally:
        network.traced.float()


@pytest.mark.parametrize(("lower", "upper"), pairs())
def test_a_unit_has_the_same_shares_to_the_last_bit_alone_and_among_others(
    network: Network, image: Tensor, lower: int, upper: int
) -> None:
    names = network.layers
    activations = network.activations(image)
    segment, activation = network.segment(names[lower], names[upper]), activations[names[lower]]
    width = activations[names[upper]].shape[1]
    asked = [(7 * number) % width for number in range(37)]
    together = list(gradients_times_activation(segment, activation, map(Readout.of_unit, asked)))
    for channel, scores in zip(asked[:9], together, strict=False):
        (alone,) = gradients_times_activation(segment, activation, [Readout.of_unit(channel)])
        assert torch.equal(alone, scores)


def test_readouts_of_several_channels_and_weighted_maps_are_shared_out_too(network: Network, image: Tensor) -> None:
    names = network.layers
    activations = network.activations(image)
    segment, activation = network.segment(names[1], names[2]), activations[names[1]]
    _, width, height, columns = activations[names[2]].shape
    weights = torch.randn(2, height, columns, generator=torch.Generator().manual_seed(1))
    readouts = [
        Readout((0, width - 1), weights),
        Readout.of_difference(4, 1),
        Readout.of_neuron(5, (1, 2), height, columns),
    ]
    for readout, scores in zip(readouts, gradients_times_activation(segment, activation, readouts), strict=True):
        point = activation.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(readout.value(segment(point)).sum(), point)
        torch.testing.assert_close(scores, (activation * gradient).sum((0, 2, 3)), rtol=1e-5, atol=1e-5)


def test_the_front_is_what_the_layer_reaches_with_its_channels_apart(network: Network) -> None:
    names = network.layers
    assert {node.name for node in front(network.segment(names[1], names[2]))} == {
        network.layer(names[1]).node.name, "max_pool2d",
    }  # fmt: skip
    assert {"flatten", "max_pool2d_1", "adaptive_avg_pool2d"} < {
        node.name for node in front(network.segment(names[3], names[4]))
    }


def test_what_is_not_understood_is_answered_by_a_pass_back_for_each() -> None:
    class Smooth(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = F.gelu(F.local_response_norm(self.b(F.gelu(self.a(x))), 3))
            return self.fc(x.mean((2, 3)))

    torch.manual_seed(0)
    network = prepare(Smooth(), name="smooth", size=8)
    lower, upper, top = network.layers
    assert not is_understood(network.segment(lower, upper))
    assert is_understood(network.segment(upper, top))
    activation = network.activations(torch.randn(1, 3, 8, 8))[lower]
    segment = network.segment(lower, upper)
    for channel, scores in enumerate(gradients_times_activation(segment, activation, map(Readout.of_unit, range(5)))):
        slow = reference.gradient_times_activation(reference.sum_of_channel(segment, channel), activation)
        torch.testing.assert_close(scores, slow, rtol=1e-5, atol=1e-6)


GEOMETRIES = [
    ((3, 3), 1, 1, 1),
    ((3, 3), 2, 1, 1),
    ((1, 1), 1, 0, 1),
    ((1, 1), 2, 0, 1),
    ((3, 1), 1, 2, 2),
    ((5, 3), 3, 0, 1),
]


@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), GEOMETRIES)
def test_the_three_steps_of_a_convolution_equal_what_autograd_gives(
    kernel: tuple[int, int], stride: int, padding: int, dilation: int
) -> None:
    torch.manual_seed(1)
    module = nn.Conv2d(4, 6, kernel, stride, padding, dilation).double()
    x = torch.randn(1, 4, 11, 9, dtype=torch.float64, requires_grad=True)
    y = module(x)
    above = torch.randn(18, *y.shape[1:], dtype=torch.float64)
    rows = [0, 5, 5]
    own = torch.randn(1, 3, *y.shape[2:], dtype=torch.float64)
    for number, channel in enumerate(rows):
        (slope,) = torch.autograd.grad((y[0, channel] * own[0, number]).sum(), x, retain_graph=True)
        torch.testing.assert_close(step_down(module, rows, x.shape, own[0])[number], slope[0])
        shares = weight_times_gradient(module, rows, x.detach(), own[0])[number]
        torch.testing.assert_close(shares, (x * slope).sum((0, 2, 3)))
    if is_wide(module):
        found = through_wide_entry(module, x.detach(), above)
    else:
        found = torch.cat([through_entry(module, x.detach(), one) for one in above.split(1)])
    for number in (0, 15, 16, 17):
        (slope,) = torch.autograd.grad((y[0] * above[number]).sum(), x, retain_graph=True)
        torch.testing.assert_close(found[number], (x * slope).sum((0, 2, 3)))


def test_rows_are_filled_up_with_zeros() -> None:
    blocks = in_blocks(torch.ones(5, 2), 4)
    assert [block.sum(1).tolist() for block in blocks] == [[2, 2, 2, 2], [2, 0, 0, 0]]


def test_many_units_of_a_large_map_are_asked_for_in_parts(network: Network, image: Tensor) -> None:
    names = network.layers
    segment = network.segment(names[0], names[1])
    batched = BatchedAttribution(segment, network.activations(image)[names[0]])
    assert batched.at_once == 128
    assert batched.size == (6, 5)


def test_an_activation_of_another_size_is_answered_one_by_one():
    network = load_network("squeezenet1_1", weights="random")
    segment = network.segment("features.6", "features.7")
    lower = torch.rand(1, 256, 5, 6)
    assert not is_of_usual_size(segment, lower)
    got = list(gradients_times_activation(segment, lower, [Readout.of_unit(17), Readout.of_neuron(4, (1, 2), 5, 6)]))
    for scores, value in zip(got, (lambda upper: upper[0, 17].sum(), lambda upper: upper[0, 4, 1, 2]), strict=True):
        point = lower.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(value(segment(point)), point)
        torch.testing.assert_close(scores, (lower * gradient).sum((0, 2, 3)))


class LastPooled(nn.Module):
    """As many columns as channels, whose mean is taken over rows and columns of a tensor with channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.b(self.a(x).relu()).relu().permute(0, 2, 3, 1).mean((1, 2)))


class RowsRead(nn.Module):
    """A mean over channels and rows, as many columns as channels: what is left are columns, not channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.b(self.a(x).relu()).relu().mean((1, 2)))


class SizedByAnother(nn.Module):
    """A pool that is told its size by another branch."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, stride=2), nn.Linear(9, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x).relu()
        y = self.b(x).relu()
        return self.head(torch.cat([y, F.adaptive_avg_pool2d(x, y.shape[-2:])], 1).mean((2, 3)))


@pytest.mark.parametrize("kind", [LastPooled, RowsRead, SizedByAnother])
def test_what_shapes_alone_do_not_tell_is_answered_as_by_a_pass_back(kind: type[nn.Module]) -> None:
    network = ready(randomize(kind()), check=False)
    activations = network.activations(image_for(network))
    for lower, upper in zip(network.layers, network.layers[1:], strict=False):
        segment, activation = network.segment(lower, upper), activations[lower]
        channels = range(activations[upper].shape[1])
        found = gradients_times_activation(segment, activation, [Readout.of_unit(channel) for channel in channels])
        for channel, scores in zip(channels, found, strict=True):
            point = activation.clone().requires_grad_()
            whole = segment(point)
            torch.testing.assert_close(whole, activations[upper])
            torch.testing.assert_close(segment(activation, [channel]), activations[upper][:, [channel]])
            (gradient,) = torch.autograd.grad(whole[:, channel].sum(), point)
            torch.testing.assert_close(scores, (activation * gradient).sum((0, 2, 3)), rtol=1e-4, atol=1e-5)


class Pooled(nn.Module):
    """A layer, something that keeps its channels apart, a pool, and a convolution that reads one position at a time."""

    def __init__(self, between: nn.Module, pool: nn.Module) -> None:
        super().__init__()
        self.below, self.head = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 5, 1)
        self.between, self.pool = between, pool

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.between(4 * self.below(x).relu())))


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.ReLU()], ids=str)
@pytest.mark.parametrize("between", [nn.SiLU(), nn.BatchNorm2d(6), nn.ReLU6()], ids=lambda part: type(part).__name__)
def test_a_pool_hands_on_what_each_channel_puts_into_it(between: nn.Module, pool: nn.Module) -> None:
    network = ready(randomize(Pooled(between, pool)), check=False, layers=["below", "head"])
    activation = network.activations(image_for(network))["below"]
    segment = network.segment("below", "head")
    assert is_understood(segment)
    for channel, scores in enumerate(gradients_times_activation(segment, activation, map(Readout.of_unit, range(5)))):
        point = activation.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(segment(point)[:, channel].sum(), point)
        torch.testing.assert_close(scores, (activation * gradient).sum((0, 2, 3)), rtol=1e-4, atol=1e-5)


def test_a_unit_that_depends_on_nothing_below_has_no_shares() -> None:
    class Coordinates(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.head = nn.Conv2d(3, 4, 1), nn.Conv2d(6, 5, 1), nn.Linear(5, 2)
            self.places = nn.Parameter(torch.rand(1, 2, 8, 8))

        def forward(self, x: Tensor) -> Tensor:
            x = self.a(x).relu()
            x = torch.cat([x, self.places.expand(x.shape[0], -1, -1, -1)], 1)
            return self.head(self.b(x).relu().mean((2, 3)))

    network = ready(Coordinates(), check=False, layers=["a", "cat", "b"])
    activations = network.activations(image_for(network))
    segment = network.segment("a", "cat")
    (own, constant) = gradients_times_activation(segment, activations["a"], map(Readout.of_unit, (1, 5)))
    assert own.tolist() == [0, pytest.approx(float(activations["a"][0, 1].sum()), rel=1e-5), 0, 0]
    assert constant.tolist() == [0, 0, 0, 0]
    assert integrated_gradients(segment, activations["a"], Readout.of_unit(5)).tolist() == [0, 0, 0, 0]
