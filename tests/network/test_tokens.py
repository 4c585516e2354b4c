"""Layers of tokens: the hidden units of transformers, on a known one and on small ones with random weights."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuits import InputError, Photo, Unit, intervene, load_photo, measure, trace
from circuits.attribution.gradient import Readout
from circuits.attribution.modes import is_exact
from circuits.evidence.descent import methods_of
from circuits.evidence.maps import heat_map, target_map
from circuits.evidence.patches import patches_and_maps
from circuits.evidence.saliency import gradient_picture
from circuits.network.held import hold
from circuits.network.network import Network
from circuits.report.edge_words import ranks_in_words
from circuits.tracing import layers_below, verify
from circuits.tracing.run import ForwardCache
from circuits.tracing.run_back import run_back
from circuits.tracing.targets import find_target
from circuits.visualization.contact_sheet import box
from tests.support.branched import Blocked
from tests.support.nets import difference, image_for, randomize
from tests.support.tokens import SlowFrozen, Tokens, handwired, tokens
from tests.support.zoo_checks import double

KINDS = [
    {"how": "function"},
    {"how": "parts", "gated": True, "act": nn.SiLU},
    {"how": "module", "extra": 2, "after": True},
    {"how": "function", "extra": 0, "norm": nn.RMSNorm},
]


@pytest.fixture(scope="module")
def known() -> Network:
    return handwired()


@pytest.fixture(scope="module")
def quarters() -> Photo:
    """Red, black, yellow and green quarters: h of the patches is 2, 0, 1 and 0."""
    pixels = np.zeros((4, 4, 3))
    pixels[:2, :2, 0] = pixels[2:, :2, :2] = pixels[2:, 2:, 1] = 1
    return load_photo(pixels, name="quarters")


def test_hidden_units_are_layers_of_patches_and_of_the_tokens_beside_them(known: Network, quarters: Photo) -> None:
    below = {layer.name: (layer.channels, layer.height, layer.width, layer.below) for layer in known.layer_list}
    first = ("patch", "blocks.0.act", "blocks.0.act.cls")
    second = ("blocks.1.act", "blocks.1.act.cls")
    assert below == {
        "patch": (4, 2, 2, ()),
        first[1]: (3, 2, 2, first[:1]), first[2]: (3, 1, 1, first[:1]),
        second[0]: (3, 2, 2, first), second[1]: (3, 1, 1, first),
        "head": (2, 1, 1, first + second),
    }  # fmt: skip
    assert known.branched
    found = known.activations(known.preprocessing.input_of(quarters))
    assert found["blocks.0.act"][0, 0].tolist() == [[2, 0], [1, 0]]
    assert found["blocks.0.act"][0, 1].tolist() == [[0, 0], [1, 1]]
    assert found["blocks.1.act.cls"][0, 0].item() == pytest.approx(2.1)


@pytest.mark.parametrize("mode", ["sum", "ig", "ablate", "frozen"])
def test_the_circuit_of_a_known_transformer_is_found(known: Network, quarters: Photo, mode: str) -> None:
    circuit = trace(known, quarters, "warm", depth=2, top=9, signs="both", mode=mode)
    edges = {
        (edge.source, edge.target): edge.attribution for name in circuit.nodes for edge in circuit.edges_into(name)
    }
    assert edges == pytest.approx({
        ("blocks.1.act.cls:0", "head:0"): 6.3, ("blocks.0.act:0", "head:0"): 0.6, ("blocks.0.act.cls:2", "head:0"): 0.5,
        ("blocks.0.act:0", "blocks.1.act.cls:0"): 0.6, ("blocks.0.act.cls:2", "blocks.1.act.cls:0"): 0.5,
        ("patch:0", "blocks.0.act:0"): 3 if mode == "ablate" else 4, ("patch:1", "blocks.0.act:0"): -1,
    }, abs=1e-5)  # fmt: skip
    books = {name: node.books for name, node in circuit.nodes.items() if node.books is not None}
    assert {name: own.bias for name, own in books.items() if name in ("head:0", "blocks.1.act.cls:0")} == pytest.approx(
        {"head:0": 1.1, "blocks.1.act.cls:0": 1}, abs=1e-5
    )
    assert {own.bias_name for own in books.values()} == {"bias" if mode == "frozen" else "remainder"}


def test_ablation_does_what_the_circuit_of_a_known_transformer_predicts(known: Network, quarters: Photo) -> None:
    circuit = measure(known, trace(known, quarters, "warm", depth=2, top=9, signs="both"), "head:0")
    assert all(edge.ablation == pytest.approx(edge.attribution) for edge in circuit.edges_into("head:0"))
    [agreement] = circuit.nodes["head:0"].measured
    assert (agreement.joint, agreement.error) == pytest.approx((7.4, 0), abs=1e-5)
    # Along all paths the patches' unit counts in the class token's too: 0.6 + 3 · 0.6.
    outcome = intervene(known, quarters, "blocks.0.act:0")
    assert float(outcome.before[0] - outcome.after[0]) == pytest.approx(2.4, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["how"] + ("" if kind.get("extra", 1) else " alone"))
def test_shares_are_the_slow_definitions_and_add_up_where_all_is_held(kind: dict[str, Any]) -> None:
    module = Tokens(**kind)
    network = tokens(module)
    image = image_for(network)
    with torch.no_grad():
        assert difference(network.logits(image), module(image)) <= 1e-5
    double(network.traced)
    image = image.double()
    cache, frozen = ForwardCache.of(network, image), SlowFrozen(module.double(), image)
    for upper, channel in (("head", 1), ("blocks.1.act", 4)):
        lower, readout = cache.below(upper), Readout.of_unit(channel)
        value = float(cache.activations[upper][0, channel].sum())
        [live] = lower.shares("sum", iter([readout]))
        [held] = lower.shares("frozen", iter([readout]))
        assert (is_exact("sum", lower.piece), is_exact("frozen", lower.piece)) == (False, True)
        expected, (expected_held, constants) = (
            Blocked(network, image, upper).shares(channel),
            frozen.shares(upper, channel),
        )
        for scores, shares in ((live, expected), (held, expected_held)):
            for name, own in zip(
                lower.layers, scores.split([layer.units for layer in lower.layers.values()]), strict=True
            ):
                torch.testing.assert_close(own, shares.get(name, torch.zeros_like(own)), rtol=1e-8, atol=1e-9)
        assert float(held.sum()) + constants == pytest.approx(value, rel=1e-9)
        assert abs(float(live.sum()) + constants - value) > 1e-3
        torch.testing.assert_close(hold(lower.piece)(lower.activation), lower.piece(lower.activation))


@pytest.mark.parametrize(
    "order",
    [
        lambda x: torch.cat([x[:, :2], x[:, 3:]], 1),
        lambda x: torch.cat([x[:, :1], (x[:, 1::2] + x[:, 2::2]) / 2], 1),
        lambda x: torch.cat([x[:, :1], x[:, 1:].gather(1, x[:, 1:].argsort(1))], 1),
    ],
    ids=["dropped", "merged", "sorted"],
)
def test_tokens_that_are_no_grid_of_patches_are_refused(order: Callable[[Tensor], Tensor]) -> None:
    network = tokens(Tokens(order=order))
    expected = r"the \d tokens at blocks_1_act cannot be told to be a grid of the photo's patches, as where tokens are "
    with pytest.raises(InputError, match=expected):
        trace(network, "example:cat")


@pytest.mark.parametrize(
    "order",
    [
        lambda x: torch.cat([x[:, 1:], x[:, :1]], 1),
        lambda x: torch.cat([x[:, :1], x[:, 1:].reshape(-1, 2, 3, 4).transpose(1, 2).flip(1).reshape(-1, 6, 4)], 1),
    ],
    ids=["class token last", "columns from the right"],
)
def test_the_order_of_tokens_is_found_in_the_pixels_that_reach_them(order: Callable[[Tensor], Tensor]) -> None:
    module = randomize(Tokens(order=order))
    for block in module.blocks:  # so that no token sees another
        nn.init.zeros_(block.attention.out.weight)
    network = tokens(module, seed=None)
    image = image_for(network)
    before = network.activations(image)
    for row, column in itertools.product(range(2), range(3)):
        image[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] += 0.5
        after = network.activations(image)
        for layer in ("patch", "blocks.0.act", "blocks.1.act"):
            moved = (after[layer] != before[layer]).any(1)[0]
            assert moved.nonzero().tolist() == [[row, column]]
        assert torch.equal(after["blocks.1.act.cls"], before["blocks.1.act.cls"])
        before = after


def test_tokens_keep_their_patches_where_maps_of_several_sizes_are_added_up() -> None:
    def exchange(x: Tensor) -> Tensor:
        small = partial(nn.functional.interpolate, scale_factor=0.25, mode="bilinear")  # two tokens of four are read
        large = partial(nn.functional.interpolate, scale_factor=4.0, mode="bilinear")
        fine = x[:, 1:].mT.reshape(-1, 4, 8, 8)
        coarse = nn.functional.avg_pool2d(fine, 4) + small(fine)
        return torch.cat([x[:, :1], (fine + large(coarse)).flatten(2).mT], 1)

    network = tokens(Tokens(order=exchange), size=(16, 16))
    layers = {layer.name: (layer.height, layer.width) for layer in network.layer_list}
    assert (layers["blocks.0.act"], layers["blocks.1.act"], layers["blocks.1.act.cls"]) == ((8, 8), (8, 8), (1, 1))


@pytest.mark.parametrize(
    "mix",
    [
        lambda x: x + (x.transpose(1, 2) @ torch.linspace(-1, 1, 49).reshape(7, 7)).transpose(1, 2),
        lambda x: x + x.roll(1, 1) * x.mean(1, keepdim=True),
        lambda x: (x @ x.transpose(1, 2)).softmax(-1) @ x,
        lambda x: torch.cat([x[:, :1], nn.functional.unfold(x[:, 1:].transpose(1, 2).reshape(-1, 4, 2, 3), 1).mT], 1),
    ],
    ids=["tokens mixed by weights", "gated by neighbours", "attention without a skip", "unfolded"],
)
def test_what_mixes_tokens_is_left_out_when_their_patches_are_looked_for(mix: Callable[[Tensor], Tensor]) -> None:
    network = tokens(Tokens(order=mix))
    sizes = {layer.name: (layer.height, layer.width) for layer in network.layer_list}
    assert (sizes["blocks.1.act"], sizes["blocks.1.act.cls"]) == ((2, 3), (1, 1))


def test_a_hidden_unit_before_its_activation_function_is_that_of_the_layer_below() -> None:
    module = Tokens()
    network = tokens(module)
    image = image_for(network)
    for name in ("blocks.0.act", "blocks.0.act.cls"):
        before, after = network.read(image, [(name, (4, 1), False), (name, (4, 1), True)])
        torch.testing.assert_close(nn.functional.gelu(before), after)


def test_too_many_units_are_sampled_when_measured_and_not_all_ablated(
    known: Network, quarters: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    circuit = trace(known, quarters, "warm", depth=1, top=9, signs="both")
    [whole] = measure(known, circuit, "head:0").nodes["head:0"].measured
    assert (whole.units, whole.sampled) == (16, None)
    for module in (verify, layers_below):
        monkeypatch.setattr(module, "MOST_ABLATED", 15)
    monkeypatch.setattr(verify, "_SAMPLED", 12)
    measured = measure(known, circuit, "head:0")
    [sampled] = measured.nodes["head:0"].measured
    assert (sampled.units, sampled.sampled, sampled.error, sampled.joint) == (16, 12, whole.error, whole.joint)
    assert all(edge.ablation == pytest.approx(edge.attribution) for edge in measured.edges_into("head:0"))
    assert ranks_in_words(sampled) == "Rank correlation 1.00 over 12 units, a random sample of 16."
    with pytest.raises(InputError, match=r"^There are 16 units below, too many to ablate one by one; choose another "):
        trace(known, quarters, "warm", depth=1, mode="ablate")


def test_pictures_that_change_what_rectifiers_hand_back_are_refused(known: Network, quarters: Photo) -> None:
    assert methods_of(known) == ("gradient", "gradient_x_input")
    picture = gradient_picture(known, quarters, "blocks.0.act:0@0,0")
    assert np.argwhere(picture[:, :, 0] > 0).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    for method in ("guided", "deconvnet"):
        with pytest.raises(
            InputError, match=f"^The method {method} changes what rectifiers hand back, and tokens, a tr"
        ):
            gradient_picture(known, quarters, "head:0", method=method)


def test_class_tokens_have_no_place_in_the_photo(known: Network, quarters: Photo) -> None:
    two = tokens(Tokens(extra=2))
    assert [layer.has_places for layer in two.layer_list] == [True, True, False, True, False, False]
    unit = Unit("blocks.0.act.cls", 1)
    values = heat_map(two, "example:cat", unit)[0]
    lines = ("class", "token") if values[0] > values[1] else ("extra", "token 1")
    for shown in next(patches_and_maps(two, "example:cat", [unit], side=64)):
        assert np.array_equal(np.asarray(shown), np.asarray(box(64, *lines, letters=12)))
    # Of the last block the head reads the class token alone, so that what comes from the patches comes from below.
    circuit = trace(known, quarters, "warm", depth=1)
    assert target_map(known, circuit) == pytest.approx(np.array([[1.6, 0], [0.8, 0]]), abs=1e-5)


def test_gradients_along_all_paths_are_the_same_whichever_layer_is_asked_first() -> None:
    network = tokens(Tokens())
    image = image_for(network)
    target = find_target(network, "warm", 0)
    slow = run_back(network, image, target, network.layers)[1]
    for order in (network.layers[:-1], network.layers[-2::-1]):
        cache = ForwardCache.of(network, image)
        for layer in order:
            torch.testing.assert_close(cache.gradient(target, layer), slow[layer], rtol=1e-5, atol=1e-7)
