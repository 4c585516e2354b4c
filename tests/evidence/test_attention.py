"""Where the class token looks, against attention written out, and what needs attention's second derivatives."""

import numpy as np
import pytest
import torch
from torch import Tensor

from circuits import load_network, load_photo
from circuits.evidence.attention import class_attention
from circuits.evidence.class_effects import class_attributions
from circuits.evidence.maps import edge_maps
from circuits.evidence.saliency import path_picture, relative_picture
from circuits.network.attention import attend, attention_pattern
from circuits.network.subgraphs import subgraph_between
from circuits.tracing.run import ForwardCache
from circuits.units import Unit
from tests.support.tokens import Tokens, handwired, tokens

PATCHES = 6


def slow_heads(module: Tokens, image: Tensor) -> list[Tensor]:
    """The class token's weights for the patches, (heads, patches), of each block, by the definition."""
    seen: list[Tensor] = []
    hooks = [block.attention.register_forward_pre_hook(lambda _, x: seen.append(x[0])) for block in module.blocks]
    with torch.no_grad():
        module(image)
    for hook in hooks:
        hook.remove()
    found = []
    for block, x in zip(module.blocks, seen, strict=True):
        own = block.attention
        weight, bias = (
            (own.own.in_proj_weight, own.own.in_proj_bias) if own.how == "module" else (own.qkv.weight, own.qkv.bias)
        )
        q, k, _ = (x @ weight.T + bias)[0].chunk(3, -1)
        token, first = (PATCHES, 0) if module.after else (0, x.shape[1] - PATCHES)
        size = x.shape[2] // own.heads
        rows = []
        for part in (slice(head * size, (head + 1) * size) for head in range(own.heads)):
            rows.append((k[:, part] @ q[token, part] / size**0.5).softmax(0)[first : first + PATCHES])
        found.append(torch.stack(rows).detach())
    return found


@pytest.mark.parametrize(("how", "after"), [("function", False), ("parts", True), ("module", False), ("module", True)])
def test_attention_of_the_class_token_is_the_softmax_of_its_query_with_all_keys(how: str, after: bool) -> None:
    module = Tokens(2, how, after=after)
    network = tokens(module)
    photo = load_photo("example:cat")
    found = class_attention(network, photo)
    assert [block.layer for block in found] == ["blocks.0.act.cls", "blocks.1.act.cls"]
    image = network.preprocessing.from_crop(network.preprocessing.crop_of(photo))
    for block, expected in zip(found, slow_heads(module, image), strict=True):
        assert block.heads.shape == (2, 2, 3)
        np.testing.assert_allclose(block.heads.reshape(2, PATCHES), expected, rtol=1e-5)
        np.testing.assert_allclose(block.mean.ravel(), expected.mean(0), rtol=1e-5)
    # The contributions to all classes, and what arrives at an upper unit, go through attention's second derivative.
    unit = Unit("blocks.0.act", 3)
    run, segment = ForwardCache.of(network, image), subgraph_between(network, unit.layer, "head", image)
    point, pieces = run.activations[unit.layer].detach().requires_grad_(), class_attributions(network, photo, unit)
    for channel in range(2):
        (gradient,) = torch.autograd.grad(segment(point, [channel]).sum(), point)
        assert pieces[channel] == pytest.approx(float((point.detach() * gradient)[0, 3].sum()), rel=1e-4, abs=1e-7)
        alone = edge_maps(network, photo, unit, f"head:{channel}")
        assert alone.upper.sum() == pytest.approx(alone.attribution, rel=1e-4, abs=1e-7)


def test_a_known_class_token_looks_everywhere_alike_and_networks_without_one_have_nothing_to_show() -> None:
    for block in class_attention(handwired(), load_photo("example:cat")):
        assert block.heads.shape == (1, 2, 2)
        assert block.mean == pytest.approx(0.2)  # of five tokens
    for network in (tokens(Tokens(0)), load_network()):
        assert class_attention(network, load_photo("example:cat")) == ()


def test_a_pattern_knows_masks_causes_scales_and_shared_keys() -> None:
    q, k, v = (torch.rand(1, heads, 4, 3, generator=torch.Generator().manual_seed(0)) for heads in (4, 2, 2))
    mask = torch.tensor([[True, False, True, True]]).expand(4, 4)
    for options in ({"attn_mask": mask}, {"attn_mask": mask.float()}, {"is_causal": True}, {"scale": 0.3}, {}):
        expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True, **options)
        assert torch.allclose(attend(attention_pattern(q, k, enable_gqa=True, **options), v), expected, atol=1e-6)


def test_a_unit_is_shown_through_one_above_along_every_path_between_them() -> None:
    module = Tokens(1)
    network, photo = tokens(module), load_photo("example:cat")
    image = network.preprocessing.from_crop(network.preprocessing.crop_of(photo)).requires_grad_()
    hidden: list[Tensor] = []
    hook = module.blocks[0].act.register_forward_hook(lambda _, given, made: hidden.append(made))
    logit = module(image)[0, 1]
    hook.remove()
    (whole,) = torch.autograd.grad(logit, hidden[0], retain_graph=True)  # along the skip, and through block 1
    (slow,) = torch.autograd.grad((hidden[0] * whole.detach())[0, 1:, 4].sum(), image)
    found = relative_picture(network, photo, "blocks.0.act:4", "head:1")
    np.testing.assert_allclose(found, slow[0].permute(1, 2, 0), rtol=1e-4, atol=1e-7)
    assert np.array_equal(found, relative_picture(network, photo, "blocks.0.act:4", "head:1", method="gradient"))
    # Of several noisy copies each has its own values on the paths that go past the unit.
    assert relative_picture(network, photo, "blocks.0.act:4", "head:1", smooth=2).shape == found.shape
    step = path_picture(network, photo, ["head:1", "blocks.0.act:4"])
    part, all_units = (whole.detach()[:, 1:, units].abs().sum() for units in (slice(4, 5), slice(None)))
    np.testing.assert_allclose(step, found * float(all_units / part), rtol=1e-3, atol=1e-6)


def test_patches_that_come_in_another_order_are_put_in_their_places() -> None:
    there = [3, 0, 5, 1, 4, 2]
    module = Tokens(1, order=lambda x: torch.cat([x[:, :1], x[:, 1:][:, there]], 1))
    network, photo = tokens(module), load_photo("example:cat")
    image = network.preprocessing.from_crop(network.preprocessing.crop_of(photo))
    found = class_attention(network, photo)[1].heads.reshape(2, PATCHES)
    in_tokens = slow_heads(module, image)[1]
    np.testing.assert_allclose(found, in_tokens[:, [there.index(place) for place in range(PATCHES)]], rtol=1e-5)
