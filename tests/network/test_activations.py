"""Activation functions known by what they do, gradients of one's own, and modules that are torch's in all but name."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from circuits.attribution.gradient import Readout, gradient_times_activation
from circuits.network.layers import all_names
from circuits.network.plain_modules import make_plain
from circuits.network.predict import predict
from circuits.tracing.run import ForwardCache
from circuits.tracing.trace import trace
from circuits.units import Unit
from tests.support import reference
from tests.support.nets import difference, image_for, ready


class Acting(nn.Module):
    """Two convolutions, each with an activation function, and a linear layer over the means."""

    def __init__(self, act: Callable[[Tensor], Tensor], inner: int = 6) -> None:
        super().__init__()
        self.one, self.two, self.fc = nn.Conv2d(3, 6, 3), nn.Conv2d(inner, 6, 3), nn.Linear(inner, 4)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.act(self.two(self.act(self.one(x)))).mean((2, 3)))


class Bent(nn.Module):
    """An activation function of several steps, in a module of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.log1p(x.abs()) * torch.sign(x)


class Straight(torch.autograd.Function):
    """Rounds, and lets the gradient pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return (4 * x).round() / 4

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class Apart(torch.autograd.Function):
    """Twice the sine of x, whose gradient is that of x; what it needs is set up apart."""

    @staticmethod
    def forward(x: Tensor, times: float) -> Tensor:
        return times * x.sin()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        ctx.times = inputs[1]
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradient * ctx.times * x.sign(), None


class Halved(torch.autograd.Function):
    """x times its sigmoid, whose gradient is taken to be half of what it is; it keeps what it needs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, power: int) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x) ** power

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        slope: Tensor = torch.sigmoid(x) * (1 + x * (1 - torch.sigmoid(x)))
        return gradient * slope / 2, None


def gated(x: Tensor) -> Tensor:
    """The first half of the channels, by as much as the second says."""
    a, b = x.chunk(2, 1)
    return a * torch.tanh(b)


ACTS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "swish": (lambda x: x * torch.sigmoid(x), 6),
    "mish": (lambda x: x * torch.tanh(F.softplus(x)), 6),
    "where": (lambda x: torch.where(x > 0, x, x.exp() - 1), 6),
    "maximum": (lambda x: torch.maximum(x, x / 5), 6),
    "square": (lambda x: (x + 1) ** 2, 6),
    "clipped": (lambda x: torch.clamp(x, -0.1, 0.1), 6),
    "module": (Bent(), 6),
    "torch's": (nn.Softsign(), 6),
    "rrelu": (nn.RReLU(), 6),
    "functional": (F.hardshrink, 6),
    "glu": (nn.GLU(1), 3),
    "gated": (gated, 3),
    "maxout": (lambda x: x.unflatten(1, (3, 2)).amax(2), 3),
    "rounded": (Straight.apply, 6),
    "apart": (lambda x: Apart.apply(x, 2.0), 6),
    "halved": (lambda x: Halved.apply(x, 1), 6),
}


@pytest.mark.parametrize("name", ACTS)
def test_every_activation_function_makes_its_layers(name: str) -> None:
    module = Acting(*ACTS[name]).eval()
    network = ready(module, 8)
    assert len(network.layers) == 3
    image = image_for(network)
    run = ForwardCache.of(network, image)
    with torch.no_grad():
        one = module.act(module.one(image))
        two = module.act(module.two(one))
    assert difference(run.activations[network.layers[0]], one) <= 1e-5
    assert difference(run.activations[network.layers[1]], two) <= 1e-5
    assert len(network.with_layers("fine").layers) >= 3


@pytest.mark.parametrize("name", ["rounded", "halved", "apart", "swish", "gated"])
def test_shares_are_those_of_autograd_through_the_module_itself(name: str) -> None:
    module = Acting(*ACTS[name]).eval()
    network = ready(module, 8)
    activation = ForwardCache.of(network, image_for(network)).activations[network.layers[0]]
    shares = gradient_times_activation(network.segment(*network.layers[:2]), activation, Readout.of_unit(2))
    expected = reference.gradient_times_activation(lambda a: module.act(module.two(a))[0, 2].sum(), activation)
    assert float(expected.abs().max()) > 0.01
    assert difference(shares, expected) <= 1e-5


def test_a_plain_step_between_two_convolutions_makes_no_layer() -> None:
    convolutions = [nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)]
    module = nn.Sequential(convolutions[0], nn.ReLU(), convolutions[1], nn.AvgPool2d(1), convolutions[2], nn.Flatten())
    assert ready(module, 8).layers == ("1", "5")


def test_without_any_activation_function_the_outputs_of_convolutions_are_layers() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 5, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 2),
    )
    assert ready(module, 8).layers == ("0", "2", "5")


def test_a_single_linear_layer_predicts_and_says_why_it_is_not_traced() -> None:
    network = ready(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), 8)
    assert network.layers == ("1",)
    assert len(predict(network, "example:cat", top=9)) == 4
    with pytest.raises(ValueError, match=r"^The network has no layer between the photo and its logits"):
        trace(network, "example:cat")


class BothPools(nn.Module):
    """Maximum and mean of each map, side by side."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([F.adaptive_max_pool2d(x, 1), F.adaptive_avg_pool2d(x, 1)], 1).flatten(1)


def test_a_layer_is_not_lost_behind_a_block_whose_inside_would_come_next() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), BothPools(), nn.Linear(8, 3))
    assert ready(module, 8).layers == ("1", "3", "5")


class OwnConvolution(nn.Conv2d):
    """Another name, and an initialisation of its own."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=0.2)
        assert self.bias is not None
        nn.init.zeros_(self.bias)


class Standardized(nn.Conv2d):
    """Weight standardisation."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


def pruned(module: nn.Module) -> nn.Module:
    """Half of its weights zero for good."""
    return prune.remove(prune.random_unstructured(module, "weight", 0.5), "weight")


KINDS: dict[str, Callable[[int, int], nn.Module]] = {
    "subclass": lambda a, b: OwnConvolution(a, b, 3),
    "spectral": lambda a, b: parametrizations.spectral_norm(nn.Conv2d(a, b, 3)),
    "weight norm": lambda a, b: parametrizations.weight_norm(nn.Conv2d(a, b, 3)),
    "pruned": lambda a, b: pruned(nn.Conv2d(a, b, 3)),
    "standardized": lambda a, b: Standardized(a, b, 3),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.SyncBatchNorm])
def test_convolutions_of_every_kind_have_their_layers_and_outputs(kind: str, norm: type[nn.Module]) -> None:
    made = KINDS[kind]
    module = nn.Sequential(
        made(3, 4), norm(4), nn.ReLU(), made(4, 5), norm(5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(5, 3),
    ).eval()  # fmt: skip
    network = ready(module, 8)
    assert network.layers == ("2", "5", "8")
    assert network.piecewise_linear
    image = image_for(network)
    with torch.no_grad():
        assert difference(network.logits(image), module(image)) <= 1e-5  # the module works as it did


def test_what_a_subclass_overrides_keeps_it_what_it_is() -> None:
    made = make_plain(nn.Sequential(OwnConvolution(3, 4, 1), Standardized(4, 4, 1)))
    assert [type(part) for part in made] == [nn.Conv2d, Standardized]


@pytest.mark.parametrize(("training", "linear"), [(False, True), (True, False)])
def test_a_functional_batch_norm_is_linear_if_it_knows_its_statistics(training: bool, linear: bool) -> None:
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 2)
            self.register_buffer("mean", torch.full((4,), 0.1))
            self.register_buffer("var", torch.full((4,), 2.0))

        def forward(self, x: Tensor) -> Tensor:
            known = (None, None) if training else (self.mean, self.var)
            x = F.batch_norm(self.two(F.relu(self.one(x))), *known, training=training)
            return self.fc(F.relu(x).mean((2, 3)))

    network = ready(Normed().eval(), 8)
    layer = "two" if linear else "relu_1"  # one that knows them is folded into the convolution
    assert network.layers == ("one", layer, "fc")
    assert network.layer(layer).piecewise_linear == linear


RECTIFIED: dict[str, tuple[Callable[[Tensor], Tensor], bool]] = {
    "relu": (F.relu, True),
    "relu6": (nn.ReLU6(), True),
    "clamped": (lambda x: x.clamp(min=0), True),
    "where": (lambda x: torch.where(x > 0, x, 0.0), True),
    "maximum": (lambda x: torch.maximum(x, torch.zeros_like(x)), True),
    "threshold": (nn.Threshold(0.0, 0.0), True),
    "leaky": (nn.LeakyReLU(0.1), False),
    "gelu": (F.gelu, False),
    "sigmoid": (torch.sigmoid, False),
    "swish": (lambda x: x * torch.sigmoid(x), False),
}


@pytest.mark.parametrize("name", RECTIFIED)
def test_only_units_of_rectified_layers_can_be_dead(name: str) -> None:
    act, expected = RECTIFIED[name]
    network = ready(Acting(act).eval(), 8)
    assert [layer.is_rectified for layer in network.layer_list] == [expected, expected, False]
    assert [network.can_be_dead(Unit(layer, 0)) for layer in network.layers] == [expected, expected, False]
    assert not network.can_be_dead(Unit("one.pre" if name == "relu" else "fc", 0))


def test_sums_and_concatenations_of_rectified_tensors_are_rectified_and_others_are_not() -> None:
    class Merged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(8, 4, 1)
            self.fc = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.a(x))
            x = torch.cat([x, F.max_pool2d(F.relu(self.b(x)), 1)], 1)
            x = self.c(x)
            return self.fc((F.relu(x) + x).mean((2, 3)))

    network = ready(Merged().eval(), 8)
    assert [layer.is_rectified for layer in network.layer_list] == [True, True, False, False]


class NoGradient(torch.autograd.Function):
    """A rectifier whose gradient nobody wrote."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        raise NotImplementedError("not written yet. Ask again")


def test_a_gradient_that_fails_is_told_in_a_sentence_and_predictions_need_none() -> None:
    network = ready(Acting(NoGradient.apply).eval(), 8)
    assert len(network.layers) == 3
    assert len(predict(network, "example:cat")) == 4
    assert trace(network, "example:cat", depth=2, mode="ablate").nodes
    expected = r"^Nothing can be explained through NoGradient; its backward fails: not written yet\.$"
    with pytest.raises(ValueError, match=expected):
        trace(network, "example:cat", depth=3)


def test_a_convolution_of_another_forward_is_no_block_and_gives_its_name() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.three = Standardized(3, 4, 3), Standardized(4, 4, 3), Standardized(4, 4, 3)
            self.fc = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.one(x))
            x = F.relu(self.three(self.two(x)))
            return self.fc(x.mean((2, 3)))

    network = ready(Named().eval(), 8)
    assert network.layers == ("one", "three", "fc")
    assert {"one.pre", "two", "three.pre"} <= set(all_names(network.traced).values())
