"""Links of all units from one pass back, against the traces of single photos, unit by unit."""

import copy
import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from circuits.attribution import weight_links
from circuits.attribution.links import find_links, with_linked_layers
from circuits.attribution.weight_links import LinkPass, free_of_classes
from circuits.network.network import Network
from circuits.network.operations import as_maps
from circuits.network.prepare import prepare
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import find_target
from circuits.units import Unit
from tests.support.linked import KINDS, linked_network, sources_and_shares
from tests.support.nets import preprocessing, randomize, ready, seeded, zoo
from tests.support.tokens import Tokens, tokens

CLASS = 1


def photos(count: int = 3, *, side: int = 8, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(count, 3, side, side, generator=seeded(7), dtype=dtype)


def traced_one_by_one(network: Network, images: Tensor, upper: str, channel: int) -> dict[str, float]:
    """The sum over photos of what a trace in mode `target` says of the units below a unit."""
    found: dict[str, float] = {}
    for image in images:
        run = ForwardCache.of(network, image[None])
        target = find_target(network, CLASS, 0)
        below = run.below(upper)
        is_root = upper == network.layers[-1]
        readout = run.readout(target, Unit(upper, channel), "target", is_root=is_root)
        [scores] = below.shares("target", iter([readout]))
        for place in range(len(scores)):
            name = str(below.address(place)) if place < below.units else ""
            found[name] = found.get(name, 0.0) + float(scores[place])
    return found


class TestLinks:
    @pytest.mark.parametrize("kind", [*KINDS, "shared"])
    def test_every_link_is_what_traces_of_single_photos_add_up_to(self, kind: str) -> None:
        network, images = linked_network(kind, double=True), photos()
        links, unlinked = find_links(network)
        assert not unlinked
        batch = LinkPass(network, links)(images, CLASS)
        for layer in network.layer_list:
            if not layer.below:
                continue
            for channel in range(layer.channels) if layer.name != network.layers[-1] else [CLASS]:
                expected = traced_one_by_one(network, images, layer.name, channel)
                found = sources_and_shares(links, batch.links, layer.name, channel)
                assert found.keys() - {""} <= expected.keys()
                for name, value in expected.items():
                    assert found.get(name, 0.0) == pytest.approx(value, rel=1e-10, abs=1e-12), (layer.name, name)

    @pytest.mark.parametrize("kind", KINDS)
    def test_books_of_every_layer_close_with_the_gradient_of_its_biases(self, kind: str) -> None:
        network, images = linked_network(kind, double=True), photos()
        links, _ = find_links(network)
        batch = LinkPass(network, links)(images, CLASS)
        biases = {
            f"{path}.bias": module.bias
            for path, module in network.traced.named_modules()
            if getattr(module, "bias", None) is not None
        }
        for bias in biases.values():
            bias.requires_grad_()
        with torch.enable_grad():
            logit = as_maps(network.traced(images))[:, CLASS].sum()
            slopes = dict(zip(biases, torch.autograd.grad(logit, list(biases.values())), strict=True))
        for bias in biases.values():
            bias.requires_grad_(False)
        for link, matrix in zip(links, batch.links, strict=True):
            others = [each for each in links if each.upper == link.upper]
            if not link.weighed or len(others) > 1 or link.upper == network.layers[-1]:
                continue
            node = next(node for node in network.traced.graph.nodes if node.name == link.node)
            bias = biases[f"{node.target}.bias"] * slopes[f"{node.target}.bias"]
            assert torch.allclose(batch.contributions[link.upper].sum(0), matrix.sum(1) + bias, rtol=1e-10, atol=1e-12)

    def test_a_batch_is_the_sum_of_its_photos(self) -> None:
        network, images = linked_network("branches", double=True), photos()
        run = LinkPass(network, find_links(network)[0])
        together, alone = run(images, CLASS), [run(image[None], CLASS) for image in images]
        for place, matrix in enumerate(together.links):
            assert torch.allclose(
                matrix, sum((each.links[place] for each in alone), torch.zeros(())), rtol=1e-10, atol=1e-12
            )
        for layer in network.layers:
            assert torch.allclose(
                together.contributions[layer], torch.cat([each.contributions[layer] for each in alone])
            )

    def test_the_network_is_left_as_it_was(self) -> None:
        network = linked_network("residual")
        before = copy.deepcopy(network.traced.state_dict())
        LinkPass(network, find_links(network)[0])(photos(dtype=torch.float32), CLASS)
        assert all(torch.equal(value, before[name]) for name, value in network.traced.state_dict().items())
        assert not any(
            parameter.requires_grad or parameter.grad is not None for parameter in network.traced.parameters()
        )

    def test_a_pass_is_let_go_of_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made: list[weakref.ref[Any]] = []

        class Watched(weight_links._Run):
            def __init__(self) -> None:
                super().__init__()
                made.append(weakref.ref(self))

        monkeypatch.setattr(weight_links, "_Run", Watched)
        network = linked_network("branches")
        gc.disable()
        try:
            batch = LinkPass(network, find_links(network)[0], class_free=True)(photos(dtype=torch.float32), CLASS)
            assert made[0]() is None
            assert batch.contributions["last"].abs().sum() > 0
        finally:
            gc.enable()

    def test_of_the_logits_only_the_explained_one_has_links(self) -> None:
        network = linked_network("chain")
        links, _ = find_links(network)
        matrix = LinkPass(network, links)(photos(dtype=torch.float32), CLASS).links[-1]
        assert matrix[CLASS].abs().sum() > 0
        assert matrix.sum(1).count_nonzero() == 1


class TestClassFreeLinks:
    @pytest.mark.parametrize("kind", KINDS)
    def test_they_are_the_gradients_of_mean_activations_through_one_step_photo_by_photo(self, kind: str) -> None:
        network, images = linked_network(kind, double=True), photos()
        links = free_of_classes(find_links(network)[0], network.layers[-1])
        batch = LinkPass(network, find_links(network)[0], class_free=True)(images, CLASS)
        assert len(links) == len(batch.class_free)
        runs = [ForwardCache.of(network, image[None]) for image in images]
        for layer in network.layer_list[:-1]:
            positions = layer.height * layer.width
            for channel in range(layer.channels) if layer.below else ():
                expected: dict[str, float] = {}
                for below in [run.below(layer.name) for run in runs]:
                    activation = below.activation.detach().requires_grad_()
                    with torch.enable_grad():
                        value = as_maps(below.piece(activation))[0, channel].sum() / positions
                        [slope] = torch.autograd.grad(value, activation, allow_unused=True, materialize_grads=True)
                    products = activation.detach() * slope
                    shares = torch.cat([each.own(products)[0].sum((1, 2)) for each in below.layers.values()])
                    for place in range(below.units):
                        name = str(below.address(place))
                        expected[name] = expected.get(name, 0.0) + float(shares[place])
                found = sources_and_shares(links, batch.class_free, layer.name, channel)
                assert found.keys() - {""} <= expected.keys()
                for name, share in expected.items():
                    assert found.get(name, 0.0) == pytest.approx(share, rel=1e-10, abs=1e-12), (layer.name, name)

    def test_they_depend_on_no_class_and_leave_the_links_of_classes_as_they_are(self) -> None:
        network, images = linked_network("residual", double=True), photos()
        links = find_links(network)[0]
        run, plain = LinkPass(network, links, class_free=True), LinkPass(network, links)
        first, other, alone = run(images, 0), run(images, CLASS), plain(images, CLASS)
        assert all(map(torch.equal, first.class_free, other.class_free))
        assert not all(map(torch.equal, first.links, other.links))
        assert all(map(torch.equal, other.links, alone.links))
        assert all(torch.equal(other.contributions[name], each) for name, each in alone.contributions.items())
        assert not alone.class_free


class TestFindLinks:
    def test_pieces_of_a_concatenation_are_the_channels_of_its_parts(self) -> None:
        network = linked_network("branches", layers=["stem", "one", "grouped", "last"])
        links, unlinked = find_links(network)
        last = next(link for link in links if link.upper == "last")
        assert not unlinked
        assert [str(last.source(0, column)) for column in (0, 3, 9, 12)] == ["one:0", "grouped:0", "stem:0", "stem:3"]

    def test_rows_of_a_grouped_convolution_read_their_own_group(self) -> None:
        network = linked_network("branches")
        grouped = next(link for link in find_links(network)[0] if link.groups == 2)
        assert (grouped.rows, grouped.columns) == (6, 2)
        assert [str(grouped.source(row, 0)) for row in (0, 2, 3)] == ["stem:0", "stem:0", "stem:2"]

    def test_two_convolutions_with_no_layer_between_are_said_to_have_no_links(self) -> None:
        network = linked_network("residual", layers=["stem", "relu_2", "relu_4"])
        links, unlinked = find_links(network)
        assert [each.layer for each in unlinked] == ["relu_2", "relu_4"]
        assert "no layer lies between" in unlinked[0].why
        assert [link.lowers for link in links if link.upper == "relu_2"] == [("stem",)]  # over the skip
        assert [link.lowers for link in links if link.upper == "relu_4"] == [("relu_2",)]

    @pytest.mark.parametrize("name", ["googlenet", "resnet18", "squeezenet1_1"])
    def test_networks_of_torchvision_are_linked_whole(self, name: str) -> None:
        network = ready(zoo(name), 64, layers="fine", check=False)
        links, unlinked = find_links(network)
        assert not unlinked
        assert {layer.name for layer in network.layer_list if layer.below} <= {link.upper for link in links}

    def test_a_concatenation_of_one_tensor_with_itself_is_said_to_have_no_links(self) -> None:
        network = ready(randomize(Doubled(), 5).eval(), 8, layers="fine")
        network.traced.double()
        links, [unlinked] = find_links(network)
        assert (unlinked.layer, unlinked.why) == ("cat", "cat concatenates one tensor several times")
        images = photos()
        batch = LinkPass(network, links)(images, CLASS)
        for upper in ("one", "add"):  # which reads it, and an addition of one tensor to itself
            found, expected = (
                sources_and_shares(links, batch.links, upper, 1),
                traced_one_by_one(network, images, upper, 1),
            )
            assert {name: found.get(name, 0.0) for name in expected} == pytest.approx(expected, rel=1e-10, abs=1e-12)

    def test_a_convolution_that_pads_on_its_own_is_linked_as_any_other(self) -> None:
        module = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(), Padded(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(180, 3)
        )
        network = ready(randomize(module, 5).eval(), 8, layers="fine")
        network.traced.double()
        links, unlinked = find_links(network)
        assert not unlinked
        images = photos()
        batch = LinkPass(network, links)(images, CLASS)
        found = sources_and_shares(links, batch.links, network.layers[1], 2)
        expected = traced_one_by_one(network, images, network.layers[1], 2)
        assert found == pytest.approx(expected, rel=1e-10, abs=1e-12)

    def test_a_convolution_that_standardises_its_weight_has_no_links(self) -> None:
        module = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(), Scaled(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 3)
        )
        see = preprocessing(8)
        network = prepare(randomize(module, 5).eval(), preprocessing=see, layers="fine", leaf_modules=["2"])
        links, unlinked = find_links(network)
        assert len(unlinked) == 1
        assert "is neither a convolution nor known to keep channels apart" in unlinked[0].why
        assert len(links) == 1


class Doubled(nn.Module):
    """Reads one tensor twice, side by side and added to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.one, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(8, 4, 1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = torch.relu(self.one(torch.cat([x, x], 1)))
        return self.head(torch.relu(x + x).mean((2, 3)))


class Padded(nn.Conv2d):
    """Pads by itself, as convolutions of other frameworks do."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(nn.functional.pad(x, (1, 1, 1, 1)), self.weight, self.bias)


class Scaled(nn.Conv2d):
    """Gives each kernel the length 1."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(
            x, self.weight / self.weight.square().sum((1, 2, 3), keepdim=True).sqrt(), self.bias
        )


def test_units_of_tokens_have_no_links_and_a_sentence_says_so_for_all_of_them() -> None:
    network = with_linked_layers(tokens(Tokens()))
    hidden = ["blocks.0.act", "blocks.0.act.cls", "blocks.1.act", "blocks.1.act.cls"]
    assert network.layers == ("patch", *hidden, "head")
    links, unlinked = find_links(network)
    assert (links, [each.layer for each in unlinked]) == ((), [*hidden, "head"])
    [why] = {each.why for each in unlinked}
    assert why.startswith("below lie rows of tokens, which attention, norms and skips reach, and links go through")
