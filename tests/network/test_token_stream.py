"""The tokens after each block of a vision transformer as layers, and groups of them."""

import numpy as np
import pytest
import torch
from torch import nn

from circuits import InputError, load_network, load_photo, trace
from circuits.tracing.run import ForwardCache
from tests.support.nets import image_for
from tests.support.tokens import Tokens, handwired, tokens


def test_after_a_block_its_tokens_are_a_map_and_the_tokens_beside_it() -> None:
    known = handwired()
    stream = known.with_layers("stream")
    assert [(each.name, each.channels, each.height, each.width, each.below) for each in stream.layer_list] == [
        ("blocks.0", 4, 2, 2, ()),
        ("blocks.0.cls", 4, 1, 1, ()),
        ("blocks.1", 4, 2, 2, ("blocks.0", "blocks.0.cls")),
        ("blocks.1.cls", 4, 1, 1, ("blocks.0", "blocks.0.cls")),
        ("head", 2, 1, 1, ("blocks.1", "blocks.1.cls")),
    ]
    assert [each.is_stream for each in stream.layer_list] == [True] * 4 + [False]
    for choice in ("auto", "fine"):  # the stream is its own choice, and takes no name from the others
        assert not any(each.is_stream for each in known.with_layers(choice).layer_list)
    # Red, black, yellow and green quarters: the first block adds h of the first unit to the third channel.
    pixels = np.zeros((4, 4, 3))
    pixels[:2, :2, 0] = pixels[2:, :2, :2] = pixels[2:, 2:, 1] = 1
    found = stream.activations(stream.preprocessing.input_of(load_photo(pixels, name="quarters")))
    assert found["blocks.0"][0].flatten(1).tolist() == [[1, 0, 1, 0], [0, 0, 1, 1], [2, 0, 1, 0], [0, 0, 0, 0]]
    assert found["blocks.0.cls"].flatten().tolist() == [0, 0, 0, 1.5]


@pytest.mark.parametrize(
    "module", [Tokens(extra=2, after=True, how="module"), Tokens(extra=0, gated=True, act=nn.SiLU)]
)
def test_the_layers_of_the_stream_are_what_the_blocks_return(module: Tokens) -> None:
    network = tokens(module)
    image, returned = image_for(network), list[torch.Tensor]()
    hooks = [block.register_forward_hook(lambda *given: returned.append(given[2])) for block in module.blocks]
    with torch.no_grad():
        module(image)
    for hook in hooks:
        hook.remove()
    found = network.with_layers("stream").activations(image)
    for number, rows in enumerate(returned):
        patches = rows[:, :6] if module.after else rows
        torch.testing.assert_close(found[f"blocks.{number}"].flatten(2).transpose(1, 2), patches)
        if module.after:
            torch.testing.assert_close(found[f"blocks.{number}.cls"][0, :, 0].T, rows[0, 6:])


def test_groups_of_the_stream_have_both_signs_and_the_parts_add_up() -> None:
    network = tokens(Tokens()).with_layers("stream")
    photo = load_photo(np.random.default_rng(0).random((4, 6, 3)), name="noise")
    circuit = trace(network, photo, groups=3, depth=2)
    assert set(circuit.dictionaries) == {"blocks.1.cls", "blocks.0", "blocks.0.cls"}  # no patch is read at the end
    assert bool((circuit.dictionaries["blocks.0"].directions < 0).any())
    run = ForwardCache.of(network, network.preprocessing.input_of(photo))
    for upper in (circuit.root, "blocks.1.cls/0"):
        books = circuit.nodes[upper].books
        assert books is not None
        assert books.value == pytest.approx(books.shown + books.rest + books.residual + books.bias, abs=1e-5)
    [token] = circuit.dictionaries["blocks.1.cls"].directions  # a single token is its own direction
    cosine = torch.cosine_similarity(token, run.activations["blocks.1.cls"].flatten(), dim=0)
    assert float(cosine) == pytest.approx(1)


def test_a_network_without_tokens_has_no_stream() -> None:
    with pytest.raises(InputError, match="tokens after each block of a vision transformer, and this network has none"):
        load_network().with_layers("stream")
