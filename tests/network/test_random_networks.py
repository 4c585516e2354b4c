"""Random networks against the slow definition: what comes out, what lies below what, every share, and the books."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, fx

from circuits.attribution.gradient import Readout, ablation, gradient_times_activation
from circuits.network.network import Network
from circuits.network.operations import as_maps
from circuits.tracing.run import ForwardCache
from tests.support import reference
from tests.support.nets import difference, image_for, ready
from tests.support.random_networks import RandomNetwork

SEEDS = range(24)


class Replaced(fx.Interpreter):
    """Runs the whole graph from the image, node by node, with the values of some nodes replaced."""

    def __init__(self, traced: fx.GraphModule, instead: Mapping[fx.Node, Tensor]) -> None:
        super().__init__(traced, garbage_collect_values=False)
        self.instead = instead

    def run_node(self, n: fx.Node) -> Any:
        """The node's value, or what stands instead."""
        return self.instead[n] if n in self.instead else super().run_node(n)


def function(network: Network, image: Tensor, lower: str, upper: str) -> Callable[[Tensor], Tensor]:
    """The upper layer as a function of the lower one's activation, by a run of the whole network."""
    below, above = network.layer(lower).node, network.layer(upper).node

    def of(activation: Tensor) -> Tensor:
        flat = activation.flatten(1) if len(below.meta["shape"]) == 2 else activation
        run = Replaced(network.traced, {below: flat})
        run.run(image)
        return as_maps(run.env[above])

    return of


@pytest.mark.parametrize("seed", SEEDS)
def test_outputs_alone_and_among_others_are_those_of_the_module(seed: int) -> None:
    module = RandomNetwork(seed).eval()
    network = ready(module, 4)
    images = image_for(network, 3, seed)
    with torch.no_grad():
        assert difference(network.logits(images), module(images)) <= 1e-5
        assert difference(network.logits(images)[1:2], network.logits(images[1:2])) <= 1e-5


@pytest.mark.parametrize("seed", SEEDS)
def test_every_piece_but_none_of_the_sizes_makes_a_layer(seed: int) -> None:
    module = RandomNetwork(seed).eval()
    network = ready(module, 4)
    assert not network.branched
    assert len(network.layers) == 2 + len(module.pieces)


@pytest.mark.parametrize("seed", SEEDS)
def test_shares_of_every_layer_are_those_of_the_definition_and_the_books_close(seed: int) -> None:
    module = RandomNetwork(seed).eval()
    network = ready(module, 4)
    network.traced.double()
    image = image_for(network, 1, seed).double()
    run = ForwardCache.of(network, image)
    for upper in network.layer_list[1:]:
        lower = upper.below[0]
        activation, segment = run.activations[lower], network.segment(lower, upper.name)
        channel = seed % upper.channels
        above = function(network, image, lower, upper.name)
        slow = reference.sum_of_channel(above, channel)
        assert difference(segment(activation), run.activations[upper.name]) <= 1e-12
        shares = gradient_times_activation(segment, activation, Readout.of_unit(channel))
        expected = reference.gradient_times_activation(slow, activation)
        assert torch.allclose(shares, expected, rtol=1e-9, atol=1e-9), f"{module}, {upper.name}"
        lost = ablation(segment, activation, Readout.of_unit(channel))
        assert torch.allclose(lost, reference.ablation(slow, activation), rtol=1e-9, atol=1e-9)
        if upper.piecewise_linear:
            bias = reference.effective_bias(network.traced, lambda x, f=slow: f(x.detach()), activation)
            assert float(shares.sum()) + bias == pytest.approx(float(slow(activation)), abs=1e-8)
