"""Segments: the function between two layers equals what the whole network does, channel by channel and gradient too."""

import weakref
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.errors import InputError, UnknownError
from circuits.network import operations
from circuits.network.execute import execute
from circuits.network.network import Network
from tests.support.nets import ZOO, difference, image_for, randomize, ready, seeded, zoo_module, zoo_network


def steps(network: Network) -> list[tuple[str | None, str]]:
    """Each layer with the one below it, `None` below the lowest."""
    return list(pairwise([None, *network.layers]))


def inputs(network: Network, count: int = 2) -> dict[str | None, Tensor]:
    """The image (under `None`) and the activation of every layer."""
    images = image_for(network, count)
    return {None: images, **network.activations(images)}


@pytest.mark.parametrize("name", ZOO)
def test_the_segments_one_after_another_are_the_whole_network(name):
    network = zoo_network(name)
    images = image_for(network, 2)
    with torch.no_grad():
        expected = zoo_module(name)(images.clone())
        x = images
        for lower, upper in steps(network):
            x = network.segment(lower, upper)(x)
            layer = network.layer(upper)
            assert x.shape == (2, layer.channels, layer.height, layer.width)
    assert difference(x.flatten(1), expected) <= 1e-5
    assert difference(network.logits(images), expected) <= 1e-5


@pytest.mark.parametrize("name", ZOO)
def test_some_channels_are_the_same_as_in_the_full_result_in_any_order_and_repeated(name):
    network = zoo_network(name)
    stored = inputs(network)
    source = seeded(5)
    with torch.no_grad():
        for lower, upper in steps(network):
            segment = network.segment(lower, upper)
            count = network.layer(upper).channels
            drawn = torch.randint(0, count, (5,), generator=source).tolist()
            for channels in ([count - 1, 0, count // 2, 0, *drawn], drawn[:1], sorted(drawn)):
                found = segment(stored[lower], channels)
                assert difference(found, stored[upper][:, channels]) <= 2e-5, (upper, channels)


@pytest.mark.parametrize("name", ["googlenet", "resnet18", "mobilenet_v2"])
def test_a_segment_over_several_layers_is_the_segments_between_them(name):
    network = zoo_network(name)
    stored = inputs(network)
    layers = network.layers
    for lower, upper in [(None, layers[2]), (layers[1], layers[5]), (layers[3], layers[-1])]:
        with torch.no_grad():
            found = network.segment(lower, upper)(stored[lower], [7, 2])
        assert difference(found, stored[upper][:, [7, 2]]) <= 2e-5


ACTIVATIONS = {
    "alexnet": F.relu,
    "squeezenet1_1": F.relu,
    "googlenet": F.relu,
    "inception_v3": F.relu,
    "resnet18": F.relu,
    "densenet121": F.relu,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_activation_function_of_what_is_not_rectified_is_the_activation(name):
    network = zoo_network(name)
    stored = inputs(network)
    with torch.no_grad():
        for lower, upper in steps(network)[:-1]:
            segment = network.segment(lower, upper)
            before = segment(stored[lower], rectified=False)
            assert float(before.min()) < 0, upper
            # Mixed_6a and Mixed_7a, and no others, hold a max pool of what is rectified already: it stays as it is.
            assert difference(F.relu(before), stored[upper]) <= 2e-5
            channels = [before.shape[1] - 1, 3, 3, before.shape[1] // 2, 0]
            assert difference(segment(stored[lower], channels, rectified=False), before[:, channels]) <= 2e-5


def test_the_pre_activation_of_a_smooth_or_clipped_layer_gives_its_activation():
    for name, layer, function in [
        ("mobilenet_v2", "features.0.2", F.relu6),
        ("mobilenet_v2", "features.18.2", F.relu6),
        ("efficientnet_b0", "features.8.2", F.silu),
        ("regnet_y_400mf", "trunk_output.block2.block2-1", F.relu),
    ]:
        network = zoo_network(name)
        stored = inputs(network)
        below = network.below(layer)
        with torch.no_grad():
            before = network.segment(below, layer)(stored[below], rectified=False)
        assert difference(function(before), stored[layer]) <= 2e-5
        assert float((before - stored[layer]).abs().max()) > 0.1


def test_a_layer_without_activation_function_is_the_same_rectified_or_not():
    network = zoo_network("mobilenet_v2")
    stored = inputs(network)
    for lower, upper in [("features.3", "features.4"), ("features.18.2", "classifier.1")]:
        with torch.no_grad():
            found = network.segment(lower, upper)(stored[lower], [3, 1], rectified=False)
        assert difference(found, stored[upper][:, [3, 1]]) <= 2e-5


def outputs_of(module: nn.Module, names: list[str], images: Tensor) -> dict[str, Tensor]:
    """Outputs of some parts of a module, as they were when the part handed them on, with their gradients' graph."""
    found: dict[str, Tensor] = {}
    handles = [
        module.get_submodule(name).register_forward_hook(lambda _, __, y, name=name: found.__setitem__(name, y))
        for name in names
    ]
    try:
        found["logits"] = module(images)
    finally:
        for handle in handles:
            handle.remove()
    return found


@pytest.mark.parametrize(
    ("name", "lower", "upper"),
    [
        ("squeezenet1_1", "features.6", "features.9"),
        ("googlenet", "inception3b", "inception4a"),
        ("googlenet", "inception4d", "inception5b"),
        ("resnet18", "layer2.0", "layer2.1"),
        ("resnet18", "layer1.1", "layer4.1"),
        ("densenet121", "features.transition1.relu", "features.transition2.relu"),
        ("mobilenet_v2", "features.4", "features.5"),
        ("inception_v3", "Mixed_6a", "Mixed_6b"),
        ("efficientnet_b0", "features.4.1", "features.4.2"),
        ("shufflenet_v2_x0_5", "stage3.1", "stage3.2"),
        ("convnext_tiny", "features.3.0", "features.3.1"),
    ],
)
def test_gradients_are_those_of_autograd_through_the_original_module(name, lower, upper):
    network = zoo_network(name)
    images = image_for(network)
    whole = outputs_of(zoo_module(name), [lower, upper], images.clone())
    channels = [4, 9]
    weights = torch.randn(whole[upper][:, channels].shape, generator=seeded(2))
    (expected,) = torch.autograd.grad((whole[upper][:, channels] * weights).sum(), whole[lower])
    point = network.activations(images, [lower])[lower].requires_grad_()
    value = (network.segment(lower, upper)(point, channels) * weights).sum()
    (found,) = torch.autograd.grad(value, point)
    assert difference(point.detach(), whole[lower].detach()) <= 1e-5
    assert difference(found, expected) <= 1e-4


@pytest.mark.parametrize("name", ["alexnet", "squeezenet1_1", "resnet18", "efficientnet_b0"])
def test_gradients_of_a_logit_reach_the_image_as_through_the_original_module(name):
    network = zoo_network(name)
    images = image_for(network, 2).requires_grad_()
    (expected,) = torch.autograd.grad(zoo_module(name)(images)[:, 3].sum(), images)
    (found,) = torch.autograd.grad(network.segment(None, network.layers[-1])(images, [3]).sum(), images)
    assert difference(found, expected) <= 1e-4


def test_no_gradient_is_kept_for_the_parameters():
    network = zoo_network("squeezenet1_1")
    images = image_for(network).requires_grad_()
    network.segment(None, "classifier")(images).sum().backward()
    assert images.grad is not None
    assert all(value.grad is None for value in network.traced.parameters())


class Block(nn.Module):
    """A layer `a` of 4 channels, and whatever a subclass makes of it, the layer that is asked for in parts."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 3, padding=1)
        self.b, self.c = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.depthwise = nn.Conv2d(4, 8, 3, padding=1, groups=4)
        self.reflecting = nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")
        self.dilated = nn.Conv2d(4, 4, 3, padding=2, dilation=2, stride=2, bias=False)
        self.same = nn.Conv2d(4, 4, 5, padding="same")
        self.transposed = nn.ConvTranspose2d(4, 4, 2)
        self.prelu = nn.PReLU(4)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 6)
        self.flat = nn.Linear(4 * 6 * 6, 6)

    def forward(self, image: Tensor) -> Tensor:
        return self.top(F.relu(self.a(image)))

    def top(self, x: Tensor) -> Tensor:
        raise NotImplementedError


def pooled(x: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(x, 1).flatten(1)


TOPS = {
    "cat of relus, then a pool": lambda n, x: pooled(F.max_pool2d(torch.cat([F.relu(n.b(x)), F.relu(n.c(x))], 1), 2)),
    "cat with the layer itself": lambda n, x: pooled(torch.cat([n.b(x), x, n.c(x), x], 1)),
    "cat in keywords": lambda n, x: pooled(torch.cat(tensors=[n.b(x), n.c(x)], dim=-3)),
    "cat along the rows": lambda n, x: pooled(torch.cat([n.b(x), n.c(x)], 2)),
    "cat of cats": lambda n, x: pooled(torch.cat([torch.cat([n.b(x), x], 1), F.relu(torch.cat([x, n.c(x)], 1))], 1)),
    "cat of two dimensions": lambda n, x: torch.cat([n.fc(pooled(x)), pooled(n.b(x))], 1),
    "sum with the layer itself": lambda n, x: pooled(F.relu(n.b(x) + x)),
    "sum with a factor": lambda n, x: pooled(torch.add(n.b(x), n.c(x), alpha=-2)),
    "sum with a method": lambda n, x: pooled(n.b(x).add(n.c(x), alpha=3)),
    "sum of one tensor twice": lambda n, x: pooled((y := n.b(x)) + y),
    "sum that spreads a map": lambda n, x: pooled(n.b(x) + n.c(x).mean(1, keepdim=True)),
    "sum that spreads means": lambda n, x: pooled(n.b(x) + n.c(x).mean((2, 3), keepdim=True)),
    "sum with a number": lambda n, x: pooled(F.relu(n.b(x) + 1)),
    "depthwise": lambda n, x: pooled(F.relu(n.depthwise(x))),
    "reflecting padding": lambda n, x: pooled(F.relu(n.reflecting(x))),
    "same padding": lambda n, x: pooled(F.relu(n.same(x))),
    "dilation, stride, no bias": lambda n, x: pooled(F.relu(n.dilated(x))),
    "transposed convolution": lambda n, x: pooled(F.relu(n.transposed(x))),
    "prelu": lambda n, x: pooled(n.prelu(n.b(x))),
    "batch norm alone": lambda n, x: pooled(n.norm(F.relu(n.b(x)))),
    "linear after the means": lambda n, x: n.fc(x.mean((2, 3))),
    "linear after all positions": lambda n, x: n.flat(x.flatten(1)),
    "linear, relu in two dimensions": lambda n, x: F.relu(n.fc(F.relu(n.fc(pooled(x)))[:, :4])),
    "positions flattened to channels": lambda n, x: torch.flatten(F.relu(n.b(x)), 1),
    "view": lambda n, x: (y := n.b(x)).view(y.size(0), -1),
    "means that stay maps": lambda n, x: n.b(x).mean((-1, -2), keepdim=True),
    "convolution read twice": lambda n, x: pooled(F.relu(y := n.b(x)) + torch.sigmoid(n.c(y)) * y),
    "softmax over channels": lambda n, x: pooled(torch.softmax(n.b(x), 1)),
    "relu in keywords": lambda n, x: pooled(F.relu(input=n.b(input=x))),
}


@pytest.mark.parametrize("kind", TOPS)
def test_channels_of_every_kind_of_merge_and_operation_are_those_of_the_full_result(kind):
    module = randomize(type("Top", (Block,), {"top": TOPS[kind]})(), 3).eval()
    network = ready(module, 6, layers=["a"], check=True)
    images = image_for(network, 3)
    top = network.layers[-1]
    segment = network.segment("a", top)
    lower = network.activations(images, ["a"])["a"]
    with torch.no_grad():
        expected = module(images.clone())
        full = segment(lower)
        assert difference(full.flatten(1), expected.flatten(1)) <= 1e-5
        count = full.shape[1]
        for channels in ([count - 1, 0, 2, 0], [1], list(range(count))[::-1], list(range(count))):
            assert difference(segment(lower, channels), full[:, channels]) <= 1e-5


@pytest.mark.parametrize("kind", ["cat of cats", "sum with the layer itself", "depthwise", "relu in keywords"])
def test_gradients_of_some_channels_are_those_of_the_full_result(kind):
    module = randomize(type("Top", (Block,), {"top": TOPS[kind]})(), 4).eval()
    network = ready(module, 6, layers=["a"])
    segment = network.segment("a", network.layers[-1])
    point = network.activations(image_for(network), ["a"])["a"].requires_grad_()
    (expected,) = torch.autograd.grad(segment(point)[:, [3, 0]].sum(), point)
    (found,) = torch.autograd.grad(segment(point, [3, 0]).sum(), point)
    assert difference(found, expected) <= 1e-5


def test_what_is_not_rectified_is_known_by_hand():
    class Branches(Block):
        def top(self, x):
            merged = torch.cat([F.relu(self.b(x)), x, F.relu(input=self.c(x))], 1)
            return self.fc(pooled(merged)[:, :4])

    module = randomize(Branches(), 6).eval()
    network = ready(module, 6, layers=["a", "cat"])
    x = torch.randn((2, 4, 6, 6), generator=seeded(1))
    with torch.no_grad():
        expected = torch.cat([module.b(x), x, module.c(x)], 1)
        segment = network.segment("a", "cat")
        assert difference(segment(x, rectified=False), expected) <= 1e-5
        assert difference(segment(x, [9, 5, 0, 9], rectified=False), expected[:, [9, 5, 0, 9]]) <= 1e-5


def watched(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[int]]:
    """Names of the nodes that are run whole, and how many of their tensors were alive after each."""
    names: list[str] = []
    alive: list[int] = []
    made: list[weakref.ref[Tensor]] = []
    run = operations.run_node

    def run_and_note(traced, node, values, rectifier=None):
        value = run(traced, node, values, rectifier)
        names.append(node.name)
        made.append(weakref.ref(value))
        alive.append(sum(known() is not None for known in made))
        return value

    monkeypatch.setattr(operations, "run_node", run_and_note)
    return names, alive


def test_values_are_let_go_when_their_last_reader_has_run(monkeypatch):
    network = ready(nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(12)), nn.Flatten()), 4, layers=["3"])
    nodes = list(network.traced.graph.nodes)
    names, alive = watched(monkeypatch)
    with torch.no_grad():
        values = execute(network.traced, {nodes[0]: torch.zeros(1, 3, 4, 4)}, [nodes[-2]])
    assert len(names) == 13
    assert max(alive) <= 2
    assert list(values) == [nodes[0], nodes[-2]]


def test_wanted_and_known_values_are_kept_and_each_node_is_run_once(monkeypatch):
    network = zoo_network("googlenet")
    layers = ["conv2", "inception4a", "inception4a", "fc"]
    names, _ = watched(monkeypatch)
    found = network.activations(image_for(network), layers)
    assert list(found) == ["conv2", "inception4a", "fc"]
    assert len(names) == len(set(names))


def test_an_activation_asked_for_stops_the_run_there(monkeypatch):
    names, _ = watched(monkeypatch)
    zoo_network("googlenet").activations(torch.zeros(1, 3, 64, 64), ["conv2"])
    assert [name for name in names if "conv3" in name or "inception" in name] == []


def test_a_segment_keeps_no_reference_to_its_input_or_output():
    network = zoo_network("squeezenet1_1")
    segment = network.segment("features.3", "features.4")
    point = torch.zeros(1, 128, 7, 7)
    result = segment(point, [3])
    kept = weakref.ref(point), weakref.ref(result)
    del point, result
    assert [known() for known in kept] == [None, None]


def test_one_channel_of_an_inception_costs_one_branch(monkeypatch):
    network = zoo_network("googlenet")
    x = network.activations(image_for(network), ["inception3a"])["inception3a"]
    segment = network.segment("inception3a", "inception3b")
    names, _ = watched(monkeypatch)
    segment(x, [0])
    assert [name for name in names if "branch2" in name or "branch3" in name or "branch4" in name] == []
    segment(x, [200])
    assert "inception3b_branch2_0_conv" in names
    assert [name for name in names if name.startswith(("inception3b_branch3", "inception3b_branch4"))] == []


def test_the_input_is_not_changed_by_a_segment():
    network = zoo_network("resnet18")
    x = torch.randn((1, 64, 8, 8), generator=seeded())
    kept = x.clone()
    network.segment("layer1.0", "layer1.1")(x)
    assert torch.equal(x, kept)


@pytest.mark.parametrize("channels", [[64], [3, -1], [0, 1000], []])
def test_a_channel_that_does_not_exist_is_refused(channels):
    segment = zoo_network("resnet18").segment("layer1.0", "layer1.1")
    with pytest.raises(UnknownError, match=r"^The channels \[.*\] are not all there; the layer has 64, from 0\.$"):
        segment(torch.zeros(1, 64, 4, 4), channels)


def test_a_channel_that_a_concatenation_does_not_have_is_refused():
    segment = zoo_network("googlenet").segment("inception3a", "inception3b")
    with pytest.raises(UnknownError, match=r"^The channels \[3, 480\] are not all there; the layer has 480, from 0\.$"):
        segment(torch.zeros(1, 256, 4, 4), [3, 480])


@pytest.mark.parametrize(("lower", "upper"), [("layer2.0", "layer1.1"), ("layer2.0", "layer2.0"), ("fc", "relu")])
def test_a_segment_that_does_not_go_up_is_refused(lower, upper):
    with pytest.raises(InputError, match=rf"^{upper} does not lie above {lower} in resnet18; a segment goes up\.$"):
        zoo_network("resnet18").segment(lower, upper)


@pytest.mark.parametrize(("lower", "upper"), [("nope", "fc"), ("relu", "nope"), (None, "nope")])
def test_a_segment_between_layers_that_do_not_exist_is_refused(lower, upper):
    with pytest.raises(UnknownError, match=r"^No layer 'nope' in resnet18; it has relu, layer1\.0, .*, fc\.$"):
        zoo_network("resnet18").segment(lower, upper)


def test_a_segment_is_made_once():
    network = zoo_network("resnet18")
    assert network.segment("relu", "fc") is network.segment("relu", "fc")
    assert network.segment("relu", "fc") is not network.segment("layer1.0", "fc")


def test_a_reader_runs_what_its_answers_need_in_common_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = zoo_network("squeezenet1_1")
    segment = network.segment("features.6", "features.7")
    x = torch.randn(1, 256, 7, 7, generator=torch.Generator().manual_seed(0))
    ran: list[str] = []
    original = operations.run_node

    def counted(traced: fx.GraphModule, node: fx.Node, values: dict[fx.Node, Any], *more: Any) -> Any:
        ran.append(str(node.target))
        return original(traced, node, values, *more)

    monkeypatch.setattr("circuits.network.operations.run_node", counted)
    read = segment.reader(x)
    answers = [read([channel]) for channel in (3, 140, 3)]
    assert ran.count("features.7.squeeze") == 1
    for channel, answer in zip((3, 140, 3), answers, strict=True):
        torch.testing.assert_close(answer, segment(x, [channel]), rtol=0, atol=0)
