"""Preparing a module: the same outputs, nothing in place, batch norm folded, and the original left alone."""

import copy
from collections import Counter

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.errors import InputError
from circuits.network.rewrite import prepare_module
from tests.support.nets import SIDES, ZOO, difference, image_for, randomize, ready, seeded, zoo_module

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Body(nn.Module):
    """A convolution, then whatever a subclass does with its output x and a second tensor y."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 3, padding=1)
        self.b = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)
        self.scale = nn.Parameter(torch.tensor([0.5, -2.0, 3.0, 1.5])[:, None, None])

    def forward(self, image: Tensor) -> Tensor:
        return self.body(self.a(image), self.b(image))

    def body(self, x: Tensor, y: Tensor) -> Tensor:
        raise NotImplementedError


class ModuleThenOldName(Body):
    def body(self, x, y):
        old = x
        x = self.relu(x)
        return x + 10 * old


class FunctionalKeyword(Body):
    def body(self, x, y):
        F.relu(x, inplace=True)
        return x - y


class FunctionalPositional(Body):
    def body(self, x, y):
        F.relu(x, True)
        return x - y


class FunctionalAllKeywords(Body):
    def body(self, x, y):
        F.relu(input=x, inplace=True)
        return x - y


class FunctionalUnderscore(Body):
    def body(self, x, y):
        F.relu_(x)
        F.leaky_relu_(y, 0.2)
        return x - y


class TorchUnderscore(Body):
    def body(self, x, y):
        torch.relu_(x)
        torch.sigmoid_(y)
        return x - y


class PositionalHardtanh(Body):
    def body(self, x, y):
        F.hardtanh(x, -0.25, 0.5, True)
        return x - y


class MethodRelu(Body):
    def body(self, x, y):
        old = x
        x.relu_()
        return old - y


class MethodAdd(Body):
    def body(self, x, y):
        old = x
        x.add_(y, alpha=3)
        return old * y


class MethodMul(Body):
    def body(self, x, y):
        identity = x
        x = x.mul_(self.scale)
        return x + identity * y


class MethodsInARow(Body):
    def body(self, x, y):
        old = x
        x.clamp_(-0.5, 0.5).mul_(2).sub_(y)
        return old + x


class OperatorAdd(Body):
    def body(self, x, y):
        identity = x
        x += y
        return F.relu(x) + identity


class OperatorSubtract(Body):
    def body(self, x, y):
        identity = x
        x -= 0.5
        return F.relu(x) * identity


class OperatorMultiply(Body):
    def body(self, x, y):
        identity = x
        x *= y
        return F.relu(x) - 2 * identity


class OperatorDivide(Body):
    def body(self, x, y):
        identity = x
        x /= 4
        return x + identity * y


class OperatorPower(Body):
    def body(self, x, y):
        identity = x
        x **= 2
        return x + identity * y


class ResidualOverwritten(Body):
    """The classic: a block whose in-place relu changes the identity that it later adds."""

    def body(self, x, y):
        identity = x
        x = self.relu(x)
        x = x * y
        x += identity
        return self.relu(x) - identity


class ReluUsedThreeTimes(Body):
    def body(self, x, y):
        before = x - y
        return self.relu(self.relu(x) - self.relu(y)) + before + x + y


class DropoutHandsOnTheSameTensor(Body):
    def body(self, x, y):
        z = self.dropout(x)
        z.relu_()
        return x - y


class FunctionalDropoutHandsOnTheSameTensor(Body):
    def body(self, x, y):
        z = F.dropout(x, 0.5, self.training)
        z *= 2
        return x - y


class ModulesCalledWithKeywords(Body):
    def body(self, x, y):
        z = self.dropout(input=x)
        return self.relu(input=z) - y + 3 * x


class OutArgument(Body):
    def body(self, x, y):
        torch.add(x, y, out=x)
        return F.relu(x)


class NumbersAreNotOverwritten(Body):
    def body(self, x, y):
        rows = x.shape[2]
        same = rows
        rows += 1
        columns = x.size(3)
        columns *= 2
        return F.relu(x) * rows + same * y + columns


BODIES = [
    ModuleThenOldName,
    FunctionalKeyword,
    FunctionalPositional,
    FunctionalAllKeywords,
    FunctionalUnderscore,
    TorchUnderscore,
    PositionalHardtanh,
    MethodRelu,
    MethodAdd,
    MethodMul,
    MethodsInARow,
    OperatorAdd,
    OperatorSubtract,
    OperatorMultiply,
    OperatorDivide,
    OperatorPower,
    ResidualOverwritten,
    ReluUsedThreeTimes,
    DropoutHandsOnTheSameTensor,
    FunctionalDropoutHandsOnTheSameTensor,
    ModulesCalledWithKeywords,
    OutArgument,
    NumbersAreNotOverwritten,
]


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=seeded(3))


def outputs(module: nn.Module, image: Tensor) -> Tensor:
    """What a module says of a copy of the image, so that it may overwrite it."""
    with torch.no_grad():
        return module(image.clone())


def called(traced: fx.GraphModule) -> list[str]:
    return [str(node.target) for node in traced.graph.nodes if node.op == "call_module"]


@pytest.mark.parametrize("name", ZOO)
def test_outputs_of_the_zoo_are_unchanged(name):
    module = zoo_module(name)
    image = noise(2, 3, SIDES[name], SIDES[name])
    assert difference(outputs(prepare_module(module), image), outputs(module, image)) <= 1e-5


@pytest.mark.parametrize("name", ["vgg11_bn", "googlenet", "inception_v3", "resnet18", "mobilenet_v2", "mnasnet0_5"])
def test_no_batch_norm_is_left_where_each_follows_a_convolution(name):
    prepared = prepare_module(zoo_module(name))
    assert any(isinstance(part, BATCH_NORMS) for part in zoo_module(name).modules())
    assert not any(isinstance(part, BATCH_NORMS) for part in prepared.modules())


@pytest.mark.parametrize("kind", BODIES)
def test_in_place_operations_are_undone_with_the_same_outputs(kind):
    module = randomize(kind()).eval()
    image = noise(2, 3, 5, 5)
    prepared = prepare_module(module)
    kept = image.clone()
    assert difference(prepared(image), outputs(module, image)) <= 1e-5
    assert torch.equal(image, kept)
    assert not any(getattr(part, "inplace", False) for part in prepared.modules())
    written = [str(node.target) for node in prepared.graph.nodes if node.op == "call_method"]
    assert [name for name in written if name.endswith("_")] == []


@pytest.mark.parametrize("kind", BODIES)
def test_values_that_were_computed_stay_what_they_were(kind):
    prepared = prepare_module(randomize(kind()).eval())
    seen: list[tuple[Tensor, Tensor]] = []

    class Watch(fx.Interpreter):
        def run_node(self, n):
            value = super().run_node(n)
            if isinstance(value, Tensor):
                seen.append((value, value.clone()))
            return value

    with torch.no_grad():
        Watch(prepared).run(noise(1, 3, 5, 5))
    assert len(seen) > 3
    assert all(torch.equal(value, copied) for value, copied in seen)


def test_an_image_that_the_network_overwrites_is_left_alone():
    class Overwrites(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            image -= 0.5
            image.mul_(2)
            return F.relu(image, inplace=True)

    image = noise(1, 3, 4, 4)
    kept = image.clone()
    found = prepare_module(Overwrites())(image)
    assert torch.equal(image, kept)
    assert torch.equal(found, (2 * (kept - 0.5)).relu())


def test_the_original_module_is_not_changed():
    module = randomize(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5)))
    module.train()
    module[1].eval()
    module[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    prepare_module(module)
    after = module.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert [part.training for part in module] == [True, False, True, True]
    assert [value.requires_grad for value in module.parameters()] == [False, True, True, True]
    assert module[2].inplace
    assert isinstance(module[1], nn.BatchNorm2d)
    assert module[0].weight.is_contiguous()


def test_a_double_or_half_module_becomes_float32_and_its_original_stays():
    module = randomize(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))).double()
    prepared = prepare_module(module)
    assert {value.dtype for value in prepared.parameters()} == {torch.float32}
    assert {value.dtype for value in module.parameters()} == {torch.float64}


def test_parameters_are_frozen_and_every_part_is_in_eval_mode():
    prepared = prepare_module(randomize(ResidualOverwritten()).train())
    assert list(prepared.parameters())
    assert not any(value.requires_grad for value in prepared.parameters())
    assert not any(part.training for part in prepared.modules())


def test_convolution_weights_lie_channels_last():
    prepared = prepare_module(nn.Sequential(nn.Conv2d(3, 4, 3)))
    assert prepared.get_parameter("0.weight").is_contiguous(memory_format=torch.channels_last)


def test_parameters_of_five_dimensions_stay_as_they_lie():
    class Masked(Body):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mask", torch.rand(1, 2, 2, 1, 1, generator=seeded()))

        def body(self, x, y):
            return (x.reshape(-1, 2, 2, x.shape[2], x.shape[3]) * self.mask).flatten(1, 2) + y

    module = Masked().eval()
    image = noise(2, 3, 4, 4)
    assert difference(prepare_module(module)(image), outputs(module, image)) <= 1e-5


def test_view_is_allowed_on_tensors_that_lie_channels_last():
    class Views(Body):
        def body(self, x, y):
            return torch.cat(
                [x.view(x.size(0), -1), x.view_as(y).view(size=(2, -1)), y.view(torch.int32).float()[:, 0, 0]], 1
            )

    module = randomize(Views()).eval()
    image = noise(2, 3, 4, 4)
    prepared = prepare_module(module)
    found = prepared(image.contiguous(memory_format=torch.channels_last))
    assert torch.equal(found[:, :128].isnan(), torch.zeros(2, 128, dtype=torch.bool))
    assert difference(found[:, :128], outputs(module, image)[:, :128]) <= 1e-5


def test_dropout_and_identity_are_dropped():
    module = nn.Sequential(
        nn.Dropout(), nn.Conv2d(3, 4, 1), nn.Dropout2d(), nn.Identity(), nn.ReLU(), nn.AlphaDropout()
    )
    assert called(prepare_module(module)) == ["1", "4"]


def test_stochastic_depth_and_functional_dropout_are_dropped():
    prepared = prepare_module(zoo_module("efficientnet_b0"))
    functions = Counter(getattr(node.target, "__name__", "") for node in prepared.graph.nodes)
    assert functions["stochastic_depth"] == 0
    assert functions["add"] > 0


@pytest.mark.parametrize(
    "options",
    [
        {"groups": 4},
        {"groups": 2},
        {"groups": 1, "bias": False},
        {"groups": 1, "stride": 2, "padding": 1},
        {"groups": 4, "padding": 2, "padding_mode": "reflect"},
    ],
)
def test_batch_norm_is_folded_into_every_kind_of_convolution(options):
    module = randomize(nn.Sequential(nn.Conv2d(4, 8, 3, **options), nn.BatchNorm2d(8, eps=0.1), nn.ReLU())).eval()
    prepared = prepare_module(module)
    image = noise(2, 4, 7, 7)
    assert called(prepared) == ["0", "2"]
    assert difference(prepared(image), outputs(module, image)) <= 1e-5


def test_folded_weights_are_those_of_the_formula():
    convolution, norm = nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, eps=0.5)
    prepared = prepare_module(randomize(nn.Sequential(convolution, norm)))
    scale = norm.weight / (norm.running_var + 0.5).sqrt()
    torch.testing.assert_close(prepared.get_parameter("0.weight"), convolution.weight * scale[:, None, None, None])
    shift = (convolution.bias - norm.running_mean) * scale + norm.bias
    torch.testing.assert_close(prepared.get_parameter("0.bias"), shift)


def test_batch_norm_is_folded_into_a_linear_layer():
    module = randomize(nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.BatchNorm1d(5), nn.ReLU())).eval()
    prepared = prepare_module(module)
    assert called(prepared) == ["0", "1", "3"]
    assert difference(prepared(noise(3, 3, 2, 2)), outputs(module, noise(3, 3, 2, 2))) <= 1e-5


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, affine=False), nn.ReLU()),
        nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.BatchNorm1d(4, affine=False), nn.ReLU()),
        nn.Sequential(nn.Flatten(), nn.Linear(12, 4, bias=False), nn.BatchNorm1d(4), nn.ReLU()),
    ],
    ids=["convolution", "linear", "linear without bias"],
)
def test_batch_norm_without_scale_or_after_no_bias_keeps_the_outputs(module):
    randomize(module).eval()
    image = noise(3, 3, 2, 2)
    assert difference(prepare_module(module)(image), outputs(module, image)) <= 1e-5


class ReadTwice(nn.Module):
    """A convolution that the batch norm and another reader share."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv(image)
        return self.norm(x) + x


class SharedConvolution(ReadTwice):
    """A convolution that runs twice, once with a batch norm behind it."""

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(self.conv(self.conv(image)))


class WeightReadElsewhere(ReadTwice):
    """A convolution whose weight another operation reads too."""

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(self.conv(image)) + F.conv_transpose2d(image, self.conv.weight)


class PreActivation(ReadTwice):
    """The order batch norm, relu, convolution."""

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(F.relu(self.norm(image)))


@pytest.mark.parametrize("kind", [ReadTwice, SharedConvolution, WeightReadElsewhere, PreActivation])
def test_batch_norm_stays_where_no_convolution_alone_feeds_it(kind):
    module = randomize(kind()).eval()
    prepared = prepare_module(module)
    assert "norm" in called(prepared)
    assert difference(prepared(noise(1, 3, 4, 4)), outputs(module, noise(1, 3, 4, 4))) <= 1e-5


def test_one_batch_norm_behind_two_convolutions_is_folded_into_both():
    class SharedNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
            self.norm = nn.BatchNorm2d(4)

        def forward(self, image: Tensor) -> Tensor:
            return self.norm(input=self.one(image)).relu() - self.norm(self.two(image))

    module = randomize(SharedNorm()).eval()
    prepared = prepare_module(module)
    assert called(prepared) == ["one", "two"]
    assert difference(prepared(noise(1, 3, 4, 4)), outputs(module, noise(1, 3, 4, 4))) <= 1e-5


def test_batch_norm_without_running_statistics_is_kept():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False))
    assert called(prepare_module(module)) == ["0", "1"]


def test_modules_that_are_not_used_are_left_out():
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.spare = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

        def forward(self, image: Tensor) -> Tensor:
            self.spare(image)
            return self.used(image)

    assert [name for name, _ in prepare_module(Spare()).named_parameters()] == ["used.weight", "used.bias"]


class Untraceable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv(image)
        return x if x.mean() > 0 else -x


def hooks(module: nn.Module) -> int:
    """Number of hooks of any kind on any part."""
    kinds = [name for name in vars(module) if "_hooks" in name and isinstance(vars(module)[name], dict)]
    assert len(kinds) >= 8
    return sum(len(vars(part).get(kind, {})) for part in module.modules() for kind in kinds)


def test_a_network_that_fx_cannot_trace_gives_the_reason_in_a_sentence():
    expected = (
        r"^torch\.fx cannot trace my net, which is stopped by line \d+ of test_prepare\.py, `return x .*`: "
        r"symbolically traced variables .* control flow; write it differently, or move it into a module of its own"
    )
    with pytest.raises(InputError, match=expected):
        prepare_module(Untraceable(), name="my net")


def test_a_network_that_raises_without_a_word_still_gives_a_sentence():
    class Silent(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            raise KeyError

    with pytest.raises(InputError, match=r"^torch\.fx cannot trace network, which .*`raise KeyError`: KeyError; write"):
        prepare_module(Silent())


def test_there_are_no_hooks_after_preparing_nor_after_an_error():
    module = randomize(ResidualOverwritten())
    broken = Untraceable()
    assert hooks(prepare_module(module)) == hooks(module) == 0
    with pytest.raises(InputError, match="cannot trace"):
        prepare_module(broken)
    assert hooks(broken) == 0


def test_preparing_a_prepared_module_changes_nothing_more():
    once = prepare_module(zoo_module("resnet18"))
    twice = prepare_module(copy.deepcopy(once))
    image = noise(1, 3, 64, 64)
    assert called(once) == called(twice)
    assert torch.equal(once(image), twice(image))


def test_a_norm_over_tokens_is_not_folded_into_the_linear_layer_before_it():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.line, self.norm = nn.Conv2d(3, 8, 1), nn.Linear(64, 6), nn.BatchNorm1d(8)
            self.head = nn.Linear(8, 2)

        def forward(self, x):
            return self.head(self.norm(self.line(self.conv(x).relu().flatten(2))).mean(2))

    module = randomize(Tokens()).eval()
    network = ready(module)
    image = image_for(network)
    assert difference(network.logits(image), module(image).detach()) < 1e-5
