"""Layers: the dominators of the dataflow graph, what `auto` and `fine` keep of them, and their names."""

import importlib.util

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn
from torchvision import models

from circuits.errors import InputError, UnknownError
from circuits.network.layers import all_names, dominators, find_layers
from circuits.network.network import Network
from circuits.network.receptive_field import receptive_field
from circuits.network.record_shapes import record_shapes
from circuits.network.rewrite import prepare_module
from circuits.units import Unit
from tests.support.nets import difference, image_for, randomize, ready, shared, zoo_module, zoo_network


def needed_by_definition(traced: fx.GraphModule) -> list[str]:
    """The nodes without which the output cannot be reached from the image, by removing one at a time."""
    nodes = list(traced.graph.nodes)
    image = next(node for node in nodes if node.op == "placeholder")
    output = next(node for node in nodes if node.op == "output").args[0]

    def reachable(without: fx.Node | None) -> bool:
        reached = {image} - {without}
        for node in nodes:
            reads = [] if node.target in ("size", "shape") else node.all_input_nodes  # of a size nothing depends
            if node is not without and reached & set(reads):
                reached.add(node)
        return output in reached

    assert reachable(None)
    return [node.name for node in nodes if node.op != "output" and not reachable(node)]


def measured(module: nn.Module, side: int = 8) -> fx.GraphModule:
    """A prepared module whose shapes are noted."""
    traced = prepare_module(module)
    record_shapes(traced, torch.zeros(1, 3, side, side))
    return traced


class Parts(nn.Module):
    """Convolutions a to d, 3 to 3 channels, and a linear layer fc over their means."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(4))
        self.relu = nn.ReLU()
        self.fc = nn.Linear(3, 5)

    def head(self, x: Tensor) -> Tensor:
        return self.fc(x.mean((2, 3)))


class Chain(Parts):
    def forward(self, x):
        x = self.relu(self.a(x))
        x = F.relu(self.b(x))
        x = torch.relu(self.c(x))
        return self.head(self.d(x).relu())


class Diamond(Parts):
    def forward(self, x):
        x = F.relu(self.a(x))
        return self.head(F.relu(self.b(x)) + self.c(x))


class SkipFromTheImage(Parts):
    def forward(self, x):
        return self.head(self.b(F.relu(self.a(x))) + x)


class DenselyConnected(Parts):
    def forward(self, x):
        one = F.relu(self.a(x))
        two = F.relu(self.b(one)) + one
        three = F.relu(self.c(two)) + one + two
        four = torch.cat([self.d(three), three], 1)
        return self.fc(four[:, :3].mean((2, 3)))


class ConstantsOnTheSide(Parts):
    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.ones(1, 3, 1, 1))

    def forward(self, x):
        x = self.a(x)
        x = F.relu(x + self.b(self.shift))
        return self.head(x * self.shift)


SMALL = [Chain, Diamond, SkipFromTheImage, DenselyConnected, ConstantsOnTheSide]


@pytest.mark.parametrize("kind", SMALL)
def test_dominators_of_small_graphs_are_the_nodes_that_cannot_be_removed(kind):
    traced = measured(kind())
    assert [node.name for node in dominators(traced)] == needed_by_definition(traced)


@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "googlenet", "resnet18", "densenet_small", "efficientnet_b0", "shufflenet_v2_x0_5"]
)
def test_dominators_of_the_zoo_are_the_nodes_that_cannot_be_removed(name):
    traced = zoo_network(name).traced
    found = [node.name for node in dominators(traced)]
    assert found == needed_by_definition(traced)
    assert len(found) >= 15


VGG16_LAYERS = (
    *(f"features.{n}" for n in (1, 3, 6, 8, 11, 13, 15, 18, 20, 22, 25, 27, 29)),
    *("classifier.1", "classifier.4", "classifier.6"),
)
EXPECTED = {
    "alexnet": (
        *(f"features.{n}" for n in (1, 4, 7, 9, 11)),
        *("classifier.2", "classifier.5", "classifier.6"),
    ),
    "vgg16": VGG16_LAYERS,
    "squeezenet1_1": (*(f"features.{n}" for n in (1, 3, 4, 6, 7, 9, 10, 11, 12)), "classifier"),
    "googlenet": (
        *("conv1", "conv2", "conv3", "inception3a", "inception3b", "inception4a", "inception4b", "inception4c"),
        *("inception4d", "inception4e", "inception5a", "inception5b", "fc"),
    ),
    "inception_v3": (
        *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
        *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
        *("Mixed_7a", "Mixed_7b", "Mixed_7c", "fc"),
    ),
    "resnet18": ("relu", *(f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)), "fc"),
    "densenet121": (
        *("features.relu0", "features.transition1.relu", "features.transition2.relu", "features.transition3.relu"),
        *("features.norm5", "classifier"),
    ),
    "mobilenet_v2": ("features.0.2", *(f"features.{n}" for n in range(1, 18)), "features.18.2", "classifier.1"),
    "shufflenet_v2_x0_5": (
        "conv1.2",
        *(f"stage{stage}.{block}" for stage, blocks in ((2, 4), (3, 8), (4, 4)) for block in range(blocks)),
        *("conv5.2", "fc"),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_auto_keeps_the_layers_that_people_name(name):
    assert zoo_network(name).layers == EXPECTED[name]


def test_the_layers_of_bvlc_googlenet_are_its_convolutions_and_inceptions():
    path = shared("networks/bvlc_googlenet.py")
    spec = importlib.util.spec_from_file_location("bvlc_googlenet", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    network = ready(made.GoogLeNet(), 64, check=False)
    blocks = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    assert network.layers == ("conv1", "conv2_reduce", "conv2", *(f"inception_{block}" for block in blocks), "fc")
    flags = {layer.name: layer.piecewise_linear for layer in network.layer_list}
    assert [name for name in network.layers if not flags[name]] == ["conv2_reduce", "inception_3a"]
    assert not network.piecewise_linear


@pytest.mark.parametrize("name", ["googlenet", "resnet18", "squeezenet1_1", "alexnet"])
def test_a_network_inside_another_module_has_the_same_layers(name):
    class Wrapped(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, image: Tensor) -> Tensor:
            return self.inner((image - 0.5) / 0.25)

    plain = zoo_network(name)
    wrapped = ready(Wrapped(zoo_module(name)), 64, check=False)
    assert wrapped.layers == tuple(f"inner.{layer}" for layer in plain.layers)
    assert [(a.channels, a.height) for a in wrapped.layer_list] == [(a.channels, a.height) for a in plain.layer_list]
    assert wrapped.piecewise_linear


def test_a_network_behind_a_normalising_step_in_a_sequential_has_the_same_layers():
    class Normalize(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return (image - 0.5) / 0.25

    network = ready(nn.Sequential(Normalize(), zoo_module("resnet18")), 64, check=False)
    assert network.layers == tuple(f"1.{layer}" for layer in EXPECTED["resnet18"])


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))

    def forward(self, x):
        return x + self.layers(x)


class Stage(nn.Module):
    """Blocks in a list that is called, or gone through."""

    def __init__(self, *blocks: nn.Module, called: bool) -> None:
        super().__init__()
        self.blocks = (nn.Sequential if called else lambda *parts: nn.ModuleList(parts))(*blocks)
        self.called = called

    def forward(self, x):
        if self.called:
            return self.blocks(x)
        for block in self.blocks:
            x = block(x)
        return x


class Branch(Residual):
    """The same layers with no skip around them: its list holds layers, so it is a block."""

    def forward(self, x):
        return self.layers(x)


def staged(*stages: nn.Module) -> tuple[str, ...]:
    """The layers of a network of stages."""
    return ready(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), *stages, nn.AdaptiveMaxPool2d(1), nn.Flatten())).layers


@pytest.mark.parametrize("called", [True, False])
def test_a_stage_of_blocks_of_one_kind_is_looked_into(called):
    first, second = (Stage(Residual(), Residual(), called=called) for _ in range(2))
    blocks = ("2.blocks.0", "2.blocks.1", "3.blocks.0")
    assert staged(first, second)[:-1] == ("1", *blocks)
    assert staged(Stage(first, second, called=called), Stage(first, second, called=called))[1:4] == (
        *("2.blocks.0.blocks.0", "2.blocks.0.blocks.1", "2.blocks.1.blocks.0"),
    )


@pytest.mark.parametrize(
    "kinds",
    [(Branch, Residual), (Residual,), (Residual, nn.ReLU), (Residual, Residual, nn.Sigmoid)],
    ids=["of two kinds", "one alone", "with a layer", "more with a layer"],
)
def test_a_block_that_holds_other_lists_is_no_stage(kinds):
    first, second = (Stage(*(kind() for kind in kinds), called=True) for _ in range(2))
    assert staged(first, second)[:2] == ("1", "2")
    assert not any("blocks" in name for name in staged(first, second))


def test_a_block_whose_layers_are_in_a_list_is_no_stage():
    assert staged(Branch(), Branch())[:2] == ("1", "2")


def test_a_functional_relu_goes_by_the_name_of_its_convolution():
    network = ready(Chain())
    assert network.layers == ("relu", "b", "c", "d", "fc")
    fine = network.with_layers(["relu", "b.pre", "b"])
    assert fine.layers == ("relu", "b.pre", "b", "fc")


def test_a_functional_relu_behind_batch_norm_goes_by_the_name_of_its_convolution():
    class Normed(Parts):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x):
            return self.head(F.relu(self.norm(self.a(x))))

    assert ready(Normed()).layers == ("a", "fc")


def test_a_relu_module_that_is_used_often_gives_distinct_names():
    class Reused(Parts):
        def forward(self, x):
            for convolution in (self.a, self.b, self.c, self.d):
                x = self.relu(convolution(x))
            return self.head(x)

    network = ready(Reused())
    assert network.layers == ("relu", "relu_1", "relu_2", "relu_3", "fc")
    assert network.with_layers(["b", "relu_1"]).layers == ("b", "relu_1", "fc")


def test_a_block_that_is_used_twice_gives_distinct_names():
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x):
            return F.relu(self.two(F.relu(self.one(x))) + x)

    class Recurrent(Parts):
        def __init__(self) -> None:
            super().__init__()
            self.block = Block()

        def forward(self, x):
            x = F.relu(self.b(F.relu(self.a(x))))
            x = self.block(self.block(x))
            return self.head(F.relu(self.c(x)))

    assert ready(Recurrent()).layers == ("a", "b", "block", "block_1", "c", "fc")


@pytest.mark.parametrize("kind", [*SMALL, "googlenet", "densenet_small", "convnext_tiny", "regnet_y_400mf"])
def test_names_are_unique_and_every_one_can_be_asked_for(kind):
    network = zoo_network(kind) if isinstance(kind, str) else ready(kind(), check=False)
    with pytest.raises(UnknownError) as raised:
        find_layers(network.traced, ["no such layer"])
    assert str(raised.value).startswith("Layer 'no such layer' does not exist; the layers are ")
    fine = network.with_layers("fine").layers
    assert len(set(fine)) == len(fine)
    assert network.with_layers(fine).layers == fine
    assert set(network.layers) <= {*fine, *network.layers}
    for name in fine:
        assert network.with_layers([fine[0], name, fine[-1]]).layer(name).name == name


def test_a_name_that_could_not_be_written_in_a_unit_is_not_used():
    class Named(Parts):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleDict({"a:b": nn.Conv2d(3, 3, 1), "c d": nn.Conv2d(3, 3, 1), "e@f": nn.ReLU()})

        def forward(self, x):
            x = F.relu(self.parts["a:b"](x))
            return self.head(self.parts["e@f"](self.parts["c d"](x)))

    network = ready(Named())
    assert network.layers == ("relu", "parts.e_f", "fc")
    assert [str(Unit.parse(f"{name}:1")) for name in network.layers] == ["relu:1", "parts.e_f:1", "fc:1"]


def test_fine_keeps_every_activated_or_merged_tensor_and_the_parts_of_every_merge():
    class Mixed(Parts):
        def forward(self, x):
            x = F.relu(self.b(F.relu(self.a(x))) + x)
            x = F.max_pool2d(F.relu(x) + 1, 2)
            return self.head(torch.cat([self.c(x), self.d(x)], 1)[:, 1:4])

    network = ready(Mixed())
    assert network.with_layers("fine").layers == ("a", "b", "add", "relu_1", "relu_2", "c", "d", "cat", "fc")
    assert network.layers == ("relu_2", "cat", "fc")


def test_fine_of_resnet_shows_both_sides_of_the_last_relu_and_what_is_added():
    fine = zoo_network("resnet18").with_layers("fine").layers
    assert fine[:6] == ("relu", "maxpool", "layer1_0_relu", "layer1.0.conv2", "add", "layer1.0")
    assert len(fine) == 2 + 8 * 4 + 3 + 1


def test_names_may_be_given_in_any_order_as_a_list_or_as_text():
    network = zoo_network("squeezenet1_1")
    wanted = ("features.3", "features.9", "classifier")
    assert network.with_layers(["features.9", "classifier", "features.3"]).layers == wanted
    assert network.with_layers("features.9, features.3").layers == wanted
    assert network.with_layers(["features.9", "features.9", "features.3"]).layers == wanted


def test_the_logits_are_a_layer_whether_they_are_named_or_not():
    assert zoo_network("googlenet").with_layers(["inception4a"]).layers == ("inception4a", "fc")


def test_an_unknown_name_is_answered_with_the_names_that_exist():
    expected = r"^Layer 'conv9' does not exist; the layers are relu, layer1\.0, .*, fc; by name also .*conv1.*\.$"
    with pytest.raises(UnknownError, match=expected):
        zoo_network("resnet18").with_layers(["conv9", "fc"])


@pytest.mark.parametrize(
    "name", ["inception4a.branch1.conv", "inception4a.branch2.0.conv.pre", "inception4a.branch4.0"]
)
def test_a_tensor_inside_a_branch_may_be_named(name):
    network = zoo_network("googlenet").with_layers([name, "fc"])
    assert network.layers == (name, "fc")
    assert network.layer("fc").is_open, "the other branches pass it by"


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("inception4a_branch1_conv", "inception4a.branch1.conv.pre"),
        ("inception4a.branch2", "inception4a.branch2.1.conv"),
        ("inception4a.branch4.1", "inception4a.branch4.1.conv"),
    ],
)
def test_a_node_or_module_that_is_no_layers_name_is_told_what_it_is_called(name, here):
    with pytest.raises(UnknownError, match=rf"^Layer '{name}' is called '{here}' here; the layers are conv1, "):
        zoo_network("googlenet").with_layers([name, "fc"])


def test_names_of_the_chain_do_not_depend_on_the_branches():
    network = zoo_network("densenet121")
    names = list(all_names(network.traced).items())
    chain = [node for node in dominators(network.traced)[1:] if node in dict(names)]
    assert len(set(dict(names).values())) == len(names) > 300
    assert [dict(names)[layer.node] for layer in network.layer_list] == list(network.layers)
    assert names[-1] == (chain[-1], "classifier")


@pytest.mark.parametrize("choice", ["fc", [], ["fc"], ""])
def test_fewer_than_two_layers_are_refused(choice):
    with pytest.raises(InputError, match=r"^A circuit needs at least two layers; the choice leaves fc alone\.$"):
        zoo_network("resnet18").with_layers(choice)


class TwoImages(Parts):
    def forward(self, x, y):
        return self.head(F.relu(self.a(x)) + F.relu(self.b(y)))


class ImageAndVector(Parts):
    def forward(self, x, vector):
        return self.fc(self.a(x).mean((2, 3)) + vector.view(3))


@pytest.mark.parametrize("kind", [TwoImages, ImageAndVector])
def test_a_network_with_two_inputs_is_refused(kind):
    with pytest.raises(InputError, match=r"^The network reads 2 inputs, and a classifier of images reads one: its"):
        ready(kind())


def test_an_optional_input_that_is_not_read_does_no_harm():
    class Optional(Parts):
        def forward(self, x, mask=None):
            return self.head(F.relu(self.b(F.relu(self.a(x)))))

    assert ready(Optional()).layers == ("a", "b", "fc")


class TupleOutput(Parts):
    def forward(self, x):
        return self.head(F.relu(self.a(x))), x


class DictOutput(Parts):
    def forward(self, x):
        return {"logits": self.head(F.relu(self.a(x)))}


class MapOutput(Parts):
    def forward(self, x):
        return self.b(F.relu(self.a(x)))


class OneDimension(Parts):
    def forward(self, x):
        return self.head(F.relu(self.a(x)))[0]


@pytest.mark.parametrize(("kind", "top"), [(TupleOutput, "fc"), (DictOutput, "fc"), (MapOutput, "b")])
def test_of_several_outputs_the_logits_are_the_top_and_else_the_map(kind, top):
    assert ready(kind()).layers[-1] == top


def test_an_output_that_is_neither_logits_nor_a_map_is_refused():
    expected = r"^The network's output is .*: neither logits, \(N, classes\), nor a map, \(N, C, H, W\); wrap it"
    with pytest.raises(InputError, match=expected):
        ready(OneDimension())


def test_logits_of_one_position_may_keep_their_position():
    class Positions(Parts):
        def forward(self, x):
            return self.b(F.relu(self.a(x))).mean((2, 3), keepdim=True)

    network = ready(Positions())
    assert [(layer.channels, layer.height, layer.width) for layer in network.layer_list] == [(3, 8, 8), (3, 1, 1)]
    assert network.logits(torch.zeros(2, 3, 8, 8)).shape == (2, 3)


def test_an_output_that_does_not_depend_on_the_image_is_refused():
    class Constant(Parts):
        def forward(self, x):
            self.a(x).shape  # noqa: B018  # read, so that the image has a reader
            return self.fc(self.fc.weight[:, :3]) + 0 * self.d.bias[0]

    with pytest.raises(InputError, match=r"^The network's output does not depend on its input\.$"):
        ready(Constant())


def test_heights_and_widths_are_those_of_the_tensors():
    class Uneven(Parts):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 3, 3, stride=(2, 1))

        def forward(self, x):
            x = F.relu(self.a(F.relu(self.first(x))))
            return self.head(F.relu(self.b(F.max_pool2d(x, (1, 2)))))

    network = ready(Uneven(), (11, 20))
    found = {layer.name: (layer.channels, layer.height, layer.width) for layer in network.layer_list}
    assert found == {"first": (3, 5, 18), "a": (3, 5, 18), "b": (3, 5, 9), "fc": (5, 1, 1)}


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "densenet121", "convnext_tiny"])
def test_channels_heights_and_widths_of_the_zoo_are_those_of_its_activations(name):
    network = zoo_network(name)
    activations = network.activations(torch.zeros(1, 3, 64, 64))
    shapes = [(1, layer.channels, layer.height, layer.width) for layer in network.layer_list]
    assert [tuple(activations[layer].shape) for layer in network.layers] == shapes


class Switch(Parts):
    """Two layers with one operation between them, which is to be told linear or not."""

    def __init__(self, operation) -> None:
        super().__init__()
        self.operation = operation
        self.constant = nn.Parameter(torch.ones(3, 1, 1))
        self.part = operation if isinstance(operation, nn.Module) else nn.Identity()

    def forward(self, x):
        x = F.relu(self.a(x))
        x = self.part(x) if self.part is self.operation else self.operation(self, x)
        return self.head(F.relu(self.b(x)))


def flag(operation) -> bool:
    network: Network = ready(randomize(Switch(operation)), layers=["a", "b"], check=False)
    assert network.layers == ("a", "b", "fc")
    assert network.segment("a", "b").piecewise_linear == network.layer("b").piecewise_linear
    return network.layer("b").piecewise_linear


LINEAR = {
    "relu6": nn.ReLU6(),
    "leaky relu": nn.LeakyReLU(),
    "prelu": nn.PReLU(),
    "hardtanh": nn.Hardtanh(),
    "max pool": nn.MaxPool2d(2),
    "average pool": nn.AvgPool2d(2),
    "adaptive pool": nn.AdaptiveAvgPool2d(2),
    "batch norm": nn.BatchNorm2d(3),
    "zero padding": nn.ZeroPad2d(1),
    "concatenation": lambda self, x: torch.cat([x, x], 1)[:, :3],
    "addition": lambda self, x: x + F.relu(self.c(x)),
    "subtraction": lambda self, x: x - self.c(x),
    "times a number": lambda self, x: 2 * x * 3,
    "times a parameter": lambda self, x: self.constant * x,
    "times what is made of parameters": lambda self, x: x * (self.constant + 1).rsqrt(),
    "divided by a number": lambda self, x: x / 2,
    "divided by what is made of parameters": lambda self, x: x / (self.constant + 1).sqrt(),
}
CURVED = {
    "local response norm": nn.LocalResponseNorm(2),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "hardswish": nn.Hardswish(),
    "sigmoid": nn.Sigmoid(),
    "elu": nn.ELU(),
    "group norm": nn.GroupNorm(1, 3),
    "softmax": nn.Softmax(1),
    "functional gelu": lambda self, x: F.gelu(x),
    "tanh": lambda self, x: torch.tanh(x),
    "squeeze and excitation": lambda self, x: x * F.hardsigmoid(self.c(x.mean((2, 3), keepdim=True))),
    "gate of relus": lambda self, x: x * F.relu(self.c(x)),
    "times itself": lambda self, x: x * x,
    "keyword product": lambda self, x: torch.mul(input=x, other=self.c(x)),
    "square": lambda self, x: x**2,
    "one over it": lambda self, x: 1 / (x + 1),
    "divided by its mean": lambda self, x: x / (x.mean((2, 3), keepdim=True) + 1),
}


@pytest.mark.parametrize("name", LINEAR)
def test_piecewise_linear_operations_are_told_as_such(name):
    assert flag(LINEAR[name])


@pytest.mark.parametrize("name", CURVED)
def test_curved_operations_are_told_as_such(name):
    assert not flag(CURVED[name])


def test_the_books_of_the_lowest_layer_do_not_count_for_the_network():
    network = zoo_network("convnext_tiny")
    assert not network.piecewise_linear
    assert zoo_network("resnet18").piecewise_linear
    assert zoo_network("resnet18").segment(None, "fc").piecewise_linear


def test_squeeze_and_excitation_is_told_in_efficientnet_and_regnet():
    for name in ("efficientnet_b0", "regnet_y_400mf"):
        network = zoo_network(name)
        assert network.layer_list[-1].piecewise_linear
        assert not any(layer.piecewise_linear for layer in network.layer_list[1:-1])


class Permuted(Parts):
    """Channels first, then last, then first again; one of a few ways there."""

    def __init__(self, there, back) -> None:
        super().__init__()
        self.there, self.back = there, back
        self.last = nn.Linear(3, 3)

    def forward(self, x):
        x = F.relu(self.b(F.relu(self.a(x))))
        x = F.relu(self.last(self.there(x)))
        x = F.relu(self.last(x) + x)
        return self.head(F.relu(self.c(self.back(x))))


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (lambda x: x.permute(0, 2, 3, 1), lambda x: x.permute(0, 3, 1, 2)),
        (lambda x: torch.permute(x, [0, -2, -1, 1]), lambda x: torch.permute(x, dims=(0, 3, 1, 2))),
        (lambda x: x.permute((0, 2, 3, 1)), lambda x: x.transpose(-1, 2).transpose(1, 2)),
    ],
    ids=["method", "function", "transpose"],
)
def test_tensors_whose_channels_come_last_are_layers_that_are_turned(there, back):
    module = randomize(Permuted(there, back))
    network = ready(module, (6, 8))
    assert network.layers[:2] == ("a", "b")
    assert network.layers[-2:] == ("c", "fc")
    assert [(layer.channels, layer.height, layer.width) for layer in network.layer_list[2:-1]] == [(3, 6, 8)] * 3
    image = image_for(network)
    found = network.activations(image)
    module.requires_grad_(False)
    lower = F.relu(module.b(F.relu(module.a(image))))
    first = F.relu(module.last(lower.permute(0, 2, 3, 1)))
    second = F.relu(module.last(first) + first)
    for name, expected in zip(network.layers[2:4], (first, second), strict=True):
        assert difference(found[name], expected.permute(0, 3, 1, 2)) <= 1e-6
    segment = network.segment(network.layers[2], network.layers[3])
    assert difference(segment(found[network.layers[2]], [2, 0]), found[network.layers[3]][:, [2, 0]]) <= 1e-6
    assert network.layer(network.layers[3]).piecewise_linear


def test_a_transformer_of_tokens_has_its_embedding_and_hidden_units_as_layers():
    module = models.VisionTransformer(32, 16, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=10)
    network = ready(module, 32)
    hidden = [f"encoder.layers.encoder_layer_{number}.mlp.1" for number in range(2)]
    assert network.layers == ("conv_proj", *(name for each in hidden for name in (each, f"{each}.cls")), "heads.head")
    assert set(network.layers) <= set(network.with_layers("fine").layers)


def test_the_blocks_of_maxvit_are_its_layers_and_not_its_stages():
    module = models.MaxVit((32, 32), 8, 1, [8, 16], [2, 1], 4, 0.0, num_classes=10)
    blocks = ("blocks.0.layers.0", "blocks.0.layers.1", "blocks.1")
    assert ready(module, 32).layers == ("stem.0.2", *blocks, "classifier.4", "classifier.5")


def test_a_transformer_of_windows_has_its_blocks_as_layers():
    module = models.SwinTransformer([4, 4], 8, [2, 1], [2, 2], [2, 2], num_classes=10)
    network = ready(module, 32)
    expected = [("features.0.2", 8, 8), ("features.1.0", 8, 8), ("features.1.1", 8, 8), ("features.2", 16, 4)]
    expected += [("features.3.0", 16, 4), ("head", 10, 1)]
    assert [(layer.name, layer.channels, layer.height) for layer in network.layer_list] == expected
    patches = receptive_field(network, "features.0.2")
    assert (patches.size, patches.stride) == ((4, 4), (4, 4))
    assert not any(layer.piecewise_linear for layer in network.layer_list)


def test_windows_that_a_photo_is_cut_into_are_no_rows_and_columns():
    module = models.MaxVit((32, 32), 8, 1, [8], [1], 4, 0.0, num_classes=10)
    fine = ready(module, 32).with_layers("fine")
    assert len(fine.layers) > 8
    assert all((layer.height, layer.width) in ((1, 1), (8, 8), (16, 16), (32, 32)) for layer in fine.layer_list)


def test_vgg16_of_torchvision_has_the_layers_of_the_narrow_one():
    with torch.device("meta"):
        module = models.vgg16()
    shapes = {"features.29": (512, 14, 14), "classifier.4": (4096, 1, 1), "classifier.6": (1000, 1, 1)}
    traced = fx.symbolic_trace(module.eval())
    record_shapes(traced, torch.zeros(1, 3, 224, 224, device="meta"))
    found = find_layers(traced)
    assert tuple(layer.name for layer in found) == VGG16_LAYERS
    assert {a.name: (a.channels, a.height, a.width) for a in found if a.name in shapes} == shapes
