"""A network is copied without what others have hung on it, whatever that is, and theirs stays as it is."""

import functools
import threading
import types

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from circuits.attribution.gradient import Readout, gradient_times_activation
from circuits.errors import InputError
from circuits.network.copying import plain_copy
from tests.support.body import Body, photos, says_the_same
from tests.support.nets import ready

HOOKS = [name for name in vars(nn.Module()) if "_hooks" in name]


def shares(module: nn.Module) -> Tensor:
    """Of the class 1, from the layer below."""
    network = ready(module)
    activation = network.activations(photos()[:1])["relu_1"]
    return gradient_times_activation(network.segment("relu_1", "fc"), activation, Readout.of_unit(1))


def test_hooks_are_left_behind_and_stay_on_the_original():
    module, seen = Body().train(), []
    module.relu.register_full_backward_hook(lambda part, down, up: tuple(each.clamp(min=0) for each in down))
    module.high.register_forward_hook(lambda part, given, made: seen.append(made) or made * 2)
    module.low.register_forward_pre_hook(lambda part, given: seen.append(given))
    module.fc.weight.register_hook(lambda gradient: gradient * 0)
    before = {part: [dict(vars(part)[name] or {}) for name in HOOKS] for part in module.modules()}
    assert torch.equal(shares(module), shares(Body()))
    assert seen == []
    assert {part: [dict(vars(part)[name] or {}) for name in HOOKS] for part in module.modules()} == before
    assert all(part.training for part in module.modules())
    assert len(module.fc.weight._backward_hooks) == 1


def test_a_hook_that_forward_sets_on_its_features_is_left_out():
    class Hooked(Body):
        def forward(self, x):
            maps = self.maps(x)
            maps.register_hook(self.keep)
            maps.retain_grad()
            return self.head(maps)

        def keep(self, gradient):
            raise AssertionError

    assert torch.equal(shares(Hooked()), shares(Body()))


def test_a_photo_whose_gradient_is_asked_for_is_traced():
    class Saliency(Body):
        def forward(self, x):
            x.requires_grad = True
            return super().forward(x.requires_grad_())

    assert torch.equal(shares(Saliency()), shares(Body()))


class Keeps(Body):
    def forward(self, x):
        self.kept = {"maps": [self.maps(x)]}
        return self.head(self.kept["maps"][0])


def test_results_that_a_network_has_kept_are_copied_without_their_graph():
    module = Keeps()
    module(photos()).sum().backward()
    kept = module.kept["maps"][0]
    copied = plain_copy(module).kept["maps"][0]
    assert torch.equal(copied, kept)
    assert (copied.requires_grad, kept.requires_grad) == (False, True)
    assert torch.equal(shares(module), shares(Body()))


def test_attributes_that_nobody_can_copy_are_shared():
    module = Body()
    module.lock, module.torch, module.numbers = threading.Lock(), [torch], (number for number in range(3))
    copied = plain_copy(module)
    assert (copied.lock is module.lock, copied.torch[0], copied.numbers is module.numbers) == (True, torch, True)
    says_the_same(module)


@pytest.mark.parametrize(
    "norm",
    [
        pytest.param(nn.utils.weight_norm, marks=pytest.mark.filterwarnings("ignore:.*weight_norm")),
        nn.utils.spectral_norm,
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        parametrizations.orthogonal,
    ],
)
def test_weights_that_are_made_in_every_pass_are_evaluated_once(norm):
    module = Body()
    module.high = norm(module.high)
    module(photos()).sum().backward()  # which leaves a weight with a graph behind
    names = sorted(dict(module.named_parameters()))
    network = says_the_same(module)
    assert sorted(dict(network.traced.named_parameters())) == sorted(dict(Body().named_parameters()))
    assert sorted(dict(module.named_parameters())) == names
    assert network.layers == ready(Body()).layers


def test_masks_of_pruning_are_applied_and_stay_on_the_original():
    module = Body()
    prune.l1_unstructured(module.low, "weight", 0.5)
    prune.ln_structured(module.high, "weight", 0.5, n=2, dim=0)
    prune.random_unstructured(module.high, "bias", 0.5)
    network = says_the_same(module)
    assert float((network.traced.low.weight == 0).float().mean()) == pytest.approx(0.5, abs=0.01)
    assert prune.is_pruned(module)


def test_lazy_modules_are_made_by_a_first_pass_and_always_alike():
    def lazy():
        return nn.Sequential(
            nn.LazyConv2d(6, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5)
        )  # fmt: skip

    module = lazy()
    first, second = ready(module), ready(lazy())
    assert first.layers == ("2", "4")
    assert first.sha256 == second.sha256
    assert isinstance(module[4].weight, nn.UninitializedParameter)


def wrapped_whole():
    return nn.DataParallel(Body())


def wrapped_part():
    module = Body()
    module.high = nn.DataParallel(nn.Sequential(module.high))
    return module


@pytest.mark.parametrize(("make", "high"), [(wrapped_whole, "high"), (wrapped_part, "high.0")])
def test_data_parallel_comes_off(make, high):
    module = make()
    network = says_the_same(module)
    assert high in dict(network.traced.named_modules())
    assert any(type(part) is nn.DataParallel for part in module.modules())


def test_what_torch_compile_returns_comes_off():
    whole, part = torch.compile(Body()), Body()
    part.high = torch.compile(part.high)
    expected = ready(Body()).logits(photos())
    for module in (whole, part, nn.DataParallel(whole)):
        network = ready(module)
        assert torch.equal(network.logits(photos()), expected)
        assert network.layers == ("relu", "relu_1", "fc")


def averaged(self, x):
    return (self.head(self.maps(x)) + self.head(self.maps(x).flip(1))) / 2


def patched_method():
    module = Body()
    module.forward = types.MethodType(averaged, module)
    return module


def patched_closure():
    module = Body()
    before = module.forward
    module.forward = lambda x: before(x) * 2 + module.fc.bias
    return module


def patched_partial():
    module = Body()
    module.forward = functools.partial(averaged, module)
    return module


def patched_part():
    module = Body()
    module.relu.forward = lambda x: F.leaky_relu(x, 0.3)
    return module


@pytest.mark.parametrize("make", [patched_method, patched_closure, patched_partial, patched_part])
def test_a_forward_that_was_replaced_on_the_object_is_what_is_explained(make):
    module = make()
    network = says_the_same(module)
    own = {weight.data_ptr() for weight in module.parameters()}
    assert own.isdisjoint(weight.data_ptr() for weight in network.traced.parameters())


class Quantised(nn.Linear):
    """Stands for a layer of a library that quantises."""


Quantised.__module__ = "torchao.quantization"


def quantised():
    module = Body()
    module.fc = Quantised(7, 5)
    return module


def of_whole_numbers():
    module = Body()
    module.fc.weight = nn.Parameter(torch.zeros(5, 7, dtype=torch.int8), requires_grad=False)
    return module


def without_weights():
    with torch.device("meta"):
        return Body()


def exported():
    return torch.export.export(Body().eval(), (photos()[:1],)).module()


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: torch.jit.trace(Body().eval(), photos()[:1]), r"^tiny is TorchScript, .*; give the Python class"),
        (exported, r"^tiny is a program of torch\.export, .*; give the module"),
        (quantised, r"^tiny is quantised \(fc is a Quantised\), .*; give the network as it was before"),
        (of_whole_numbers, r"^tiny is quantised \(fc is a Linear\), "),
        (without_weights, r"^tiny has no weights: those of low are on the meta device; load them first\.$"),
    ],
)
def test_what_has_no_code_or_no_gradient_is_refused_by_name(make, expected):
    with pytest.raises(InputError, match=expected):
        ready(make())


def test_a_module_that_refuses_to_be_copied_is_refused_with_its_reason():
    class Single(Body):
        def __deepcopy__(self, memo):
            raise RuntimeError("there can be only one")

    with pytest.raises(InputError, match=r"^tiny cannot be copied, .*: there can be only one\.$"):
        ready(Single())


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_scripted_parts_and_functions_are_run_as_they_are():
    mish = torch.jit.script(_mish)

    class Scripted(Body):
        def __init__(self):
            super().__init__()
            self.high = torch.jit.script(nn.Sequential(self.high, nn.ReLU()))

        def forward(self, x):
            return self.head(self.high(mish(self.low(x))))

    network = says_the_same(Scripted())
    assert network.layers == ("_mish", "high", "fc")
    activation = network.activations(photos()[:1])["high"]
    share = gradient_times_activation(network.segment("high", "fc"), activation, Readout.of_unit(1))
    weights = network.traced.fc.weight[1]
    torch.testing.assert_close(share, activation.mean((2, 3))[0] * weights)


def _mish(x):
    return x * torch.tanh(F.softplus(x))


@pytest.mark.filterwarnings("ignore:.*torch.ao.quantization:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Please use quant_min and quant_max:UserWarning")
def test_what_training_for_quantisation_rounds_is_rounded():
    from torch.ao import quantization

    module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for part in (module[0], module[4]):
            part.reset_parameters()
    module.qconfig = quantization.get_default_qat_qconfig("x86")
    module = quantization.prepare_qat(module.train())
    module(photos(6))
    module.eval().apply(quantization.disable_observer)
    network = says_the_same(module)
    assert network.layers[0] == "1"
    assert not any(layer.piecewise_linear for layer in network.layer_list[1:])


def test_names_that_graph_modules_have_themselves_may_be_a_networks_own():
    class Named(Body):
        def __init__(self) -> None:
            super().__init__()
            self.code, self.graph = nn.Linear(5, 5), nn.Parameter(torch.linspace(0.5, 1, 5))
            self.register_buffer("meta", torch.ones(5))

        def forward(self, x: Tensor) -> Tensor:
            return self.code(super().forward(x)) * self.graph + self.meta

    says_the_same(Named())


def test_a_forward_that_leaves_or_has_no_classes_gets_a_sentence():
    class Leaves(Body):
        def forward(self, x: Tensor) -> Tensor:
            raise SystemExit(3)

    class Nothing(Body):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[:, :0]

    with pytest.raises(InputError, match=r"^tiny does not take an input of .*: 3 \(line .*SystemExit"):
        ready(Leaves())
    with pytest.raises(InputError, match=r"The network's output is \(1, 0\): neither logits"):
        ready(Nothing())
