"""What stands between convolutions: limits, batch norms, depthwise convolutions, channels that come last, gates."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from circuits.attribution.batched import BatchedAttribution, front, is_understood
from circuits.attribution.gradient import Readout, gradients_times_activation
from circuits.network.network import Network
from tests.support import reference
from tests.support.nets import image_for, randomize, ready


class Inverted(nn.Module):
    """Inverted residuals (MobileNet v2): wide, depthwise, narrow, with a limit on what is between and a skip."""

    def __init__(self, limited: Callable[[], nn.Module] = nn.ReLU6, scale: float = 6.0, wide: int = 20) -> None:
        super().__init__()
        self.scale = scale
        self.stem, self.last, self.fc = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 9, 1), nn.Linear(9, 3)
        self.wide, self.deep, self.narrow = (
            nn.Conv2d(5, wide, 1),
            nn.Conv2d(wide, wide, 3, 1, 1, groups=wide),
            nn.Conv2d(wide, 5, 1),
        )
        self.wide2, self.deep2 = nn.Conv2d(5, wide, 1), nn.Conv2d(wide, wide, 3, 2, 1, groups=wide)
        self.narrow2 = nn.Conv2d(wide, 5, 1)
        self.limit = nn.ModuleList(limited() for _ in range(6))

    def forward(self, x: Tensor) -> Tensor:
        x = self.limit[0](self.scale * self.stem(x))
        x = x + self.narrow(self.limit[1](self.deep(self.limit[2](self.scale * self.wide(x)))))
        x = self.narrow2(self.limit[3](self.deep2(self.limit[4](self.scale * self.wide2(x)))))
        return self.fc(self.limit[5](self.scale * self.last(x)).mean((2, 3)))


class Dense(nn.Module):
    """Batch norms after concatenations (DenseNet), which no convolution alone feeds."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.fc = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(13, 3)
        self.reduce = nn.ModuleList(nn.Conv2d(4 + 3 * n, 6, 1) for n in range(3))
        self.wide = nn.ModuleList(nn.Conv2d(6, 3, 3, padding=1) for _ in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm2d(4 + 3 * n) for n in range(4))

    def forward(self, x: Tensor) -> Tensor:
        parts = [torch.relu(self.stem(x))]
        for reduce, wide, norm in zip(self.reduce, self.wide, self.norms[:3], strict=True):
            parts.append(wide(torch.relu(reduce(torch.relu(norm(torch.cat(parts, 1)))))))
        return self.fc(torch.relu(self.norms[3](torch.cat(parts, 1))).mean((2, 3)))


class Last(nn.Module):
    """Blocks whose linear layers read the channels last, with a number a channel before the skip (ConvNeXt)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.fc = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6, 3)
        self.deep = nn.ModuleList(nn.Conv2d(6, 6, 3, padding=1, groups=6) for _ in range(2))
        self.norm = nn.ModuleList(nn.LayerNorm(6) for _ in range(2))
        self.wide = nn.ModuleList(nn.Linear(6, 12) for _ in range(2))
        self.narrow = nn.ModuleList(nn.Linear(12, 6) for _ in range(2))
        self.scales = nn.ParameterList(torch.linspace(-1, 2, 6)[:, None, None] for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        for deep, norm, wide, narrow, scale in zip(
            self.deep, self.norm, self.wide, self.narrow, self.scales, strict=True
        ):
            y = narrow(nn.functional.gelu(wide(norm(deep(x).permute(0, 2, 3, 1)))))
            x = x + scale * y.permute(0, 3, 1, 2)
        return self.fc(x.mean((2, 3)))


class Gated(nn.Module):
    """Squeeze and excitation: channels times what a small network makes of them, then a pool and a wide convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body, self.after = (
            nn.Conv2d(3, 5, 3, padding=1),
            nn.Conv2d(5, 6, 3, padding=1),
            nn.Conv2d(6, 5, 3),
        )
        self.less, self.more, self.fc = nn.Conv2d(6, 3, 1), nn.Conv2d(3, 6, 1), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.silu(self.body(torch.relu(self.stem(x))))
        gate = torch.sigmoid(self.more(torch.relu(self.less(x.mean((2, 3), keepdim=True)))))
        x = nn.functional.max_pool2d(x * gate, 3, 2, 1)
        return self.fc(torch.relu(self.after(x)).mean((2, 3)))


class OneChannel(nn.Module):
    """Convolutions of one channel into one, which are depthwise and row by row at once."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.one, self.two, self.fc = (
            nn.Conv2d(3, 1, 3),
            nn.Conv2d(1, 1, 3),
            nn.Conv2d(1, 4, 1),
            nn.Linear(4, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(torch.relu(self.one(nn.functional.silu(self.stem(x)))))
        return self.fc(self.two(torch.sigmoid(x)).mean((2, 3)))


class TwoExits(nn.Module):
    """A sum of two pointwise convolutions: what units need of the first may be known, and is not of the second."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.narrow, self.wide = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 6, 1), nn.Conv2d(5, 4, 3, padding=1)
        self.left, self.right, self.fc = nn.Conv2d(6, 7, 1), nn.Conv2d(4, 7, 1), nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = self.left(nn.functional.silu(self.narrow(x))) + self.right(self.wide(x))
        return self.fc(x.mean((2, 3)))


KINDS: dict[str, Callable[[], nn.Module]] = {
    "limit, reached": Inverted,
    "limit, not reached": lambda: Inverted(scale=0.2),
    "limits on both sides": lambda: Inverted(lambda: nn.Hardtanh(-0.5, 0.7), 1.0),
    "few channels, depthwise": lambda: Inverted(wide=9),
    "one channel": OneChannel,
    "two exits": TwoExits,
    "batch norm after concatenation": Dense,
    "channels last": Last,
    "gates": Gated,
}


@pytest.fixture(scope="module", params=KINDS)
def network(request: pytest.FixtureRequest) -> Network:
    return ready(randomize(KINDS[request.param]()), (8, 7), check=False, name=request.param)


def segments(network: Network) -> Iterator[tuple[str, str]]:
    """Neighbours, and layers two apart."""
    names = network.layers
    yield from pairwise(names)
    yield from zip(names, names[2:], strict=False)


def test_shares_equal_the_slow_definition(network: Network) -> None:
    network.traced.double()
    try:
        activations = network.activations(image_for(network).double())
        for lower, upper in segments(network):
            segment, activation = network.segment(lower, upper), activations[lower]
            assert is_understood(segment)
            width = activations[upper].shape[1]
            found = list(gradients_times_activation(segment, activation, map(Readout.of_unit, range(width))))
            for channel, scores in enumerate(found):
                slow = reference.gradient_times_activation(reference.sum_of_channel(segment, channel), activation)
                torch.testing.assert_close(scores, slow, rtol=1e-11, atol=1e-11)
            assert float(torch.stack(found).abs().max()) > 1e-3
    finally:
        network.traced.float()


def test_a_unit_has_the_same_bits_alone_and_among_others_whatever_their_weights(network: Network) -> None:
    activations = network.activations(image_for(network))
    for lower, upper in segments(network):
        segment, activation = network.segment(lower, upper), activations[lower]
        width, height, columns = activations[upper].shape[1:]
        uneven = torch.randn(1, height, columns, generator=torch.Generator().manual_seed(1))
        asked = [Readout((channel % width,), uneven if channel % 3 == 0 else None) for channel in range(width + 3)]
        asked.append(Readout.of_neuron(1 % width, (height - 1, 0), height, columns))
        asked.insert(1, Readout(tuple(channel % width for channel in range(9))))  # too many to be answered with others
        together = list(gradients_times_activation(segment, activation, asked))
        point = activation.clone().requires_grad_()
        whole = segment(point)
        for readout, scores in zip(asked, together, strict=True):
            (alone,) = gradients_times_activation(segment, activation, [readout])
            assert torch.equal(alone, scores)
            (slope,) = torch.autograd.grad(readout.value(whole).sum(), point, retain_graph=True)
            torch.testing.assert_close(scores, (activation * slope).sum((0, 2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(3, 1, 1), nn.AdaptiveMaxPool2d(3)], ids=["max", "adaptive max"])
def test_a_pool_chooses_alike_alone_and_among_others_where_numbers_are_equal_but_for_their_last_bits(
    pool: nn.Module,
) -> None:
    below = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 1), nn.Hardtanh(-0.4, 0.6))
    above = nn.Sequential(nn.Conv2d(5, 6, 1), pool, nn.Flatten(), nn.LazyLinear(3))
    module = nn.Sequential(below, above)
    module(torch.zeros(1, 3, 5, 8))
    differ = 0.0
    for seed in range(12):
        randomize(module, seed)
        with torch.no_grad():
            below[1].weight *= 9  # type: ignore[operator]
        network = ready(module, (5, 8), check=False, layers=["0.2", "1.1", "1.3"])
        activation, segment = network.activations(image_for(network, 1, seed))["0.2"], network.segment("0.2", "1.1")
        together = list(gradients_times_activation(segment, activation, map(Readout.of_unit, range(6))))
        for unit, scores in enumerate(together):
            (alone,) = gradients_times_activation(segment, activation, [Readout.of_unit(unit)])
            differ = max(differ, float((alone - scores).abs().max()))
    assert differ == 0


def test_limits_are_reached_where_they_should_be_and_not_elsewhere() -> None:
    for scale, reached in ((6.0, True), (0.2, False)):
        network = ready(randomize(Inverted(scale=scale)), (8, 7), check=False)
        image = image_for(network)
        assert bool((network.activations(image)[network.layers[0]] == 6).any()) is reached


def test_the_front_crosses_what_keeps_channels_apart() -> None:
    class Front(nn.Module):
        """Before the next convolution: a rectifier with a limit, a batch norm, and a depthwise convolution."""

        def __init__(self) -> None:
            super().__init__()
            self.stem, self.side, self.next = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 5, 3)
            self.norm, self.deep, self.fc = nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, groups=4), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            x = x + self.side(x)
            x = self.deep(nn.functional.relu6(8 * self.norm(nn.functional.hardtanh(x))))
            return self.fc(torch.relu(self.next(x)).mean((2, 3)))

    network = ready(randomize(Front()), 10, check=False, layers=["add", "next", "fc"])
    segment, image = network.segment("add", network.layers[1]), image_for(network)
    assert len(front(segment)) == 6  # the sum, its limit, the norm, eight times it, the other limit, the depthwise
    network.traced.double()
    try:
        activation = network.activations(image.double())["add"]
        found = gradients_times_activation(segment, activation, map(Readout.of_unit, range(5)))
        for channel, scores in enumerate(found):
            slow = reference.gradient_times_activation(reference.sum_of_channel(segment, channel), activation)
            torch.testing.assert_close(scores, slow, rtol=1e-11, atol=1e-11)
    finally:
        network.traced.float()


def test_what_units_without_a_rectifier_have_in_common_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = ready(randomize(Inverted()), (8, 7), check=False)
    lower, upper = network.layers[0], network.layers[1]
    asked: list[int] = []
    kept = BatchedAttribution._down

    def down(self: BatchedAttribution, rows: object, node: object, channels: list[int], *rest: object) -> Tensor:
        asked.extend(channels)
        return kept(self, rows, node, channels, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(BatchedAttribution, "_down", down)
    activation = network.activations(image_for(network))[lower]
    segment = network.segment(lower, upper)
    list(gradients_times_activation(segment, activation, map(Readout.of_unit, range(5))))
    assert asked == []
    list(gradients_times_activation(segment, activation, [Readout.of_unit(1), Readout.of_neuron(2, (0, 0), 8, 7)]))
    assert asked == [2]
