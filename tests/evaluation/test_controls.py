"""Controls: sets of a circuit's shape, chosen in other ways, and the search that they share with `trace`."""

import numpy as np
import pytest
import torch
from torch import nn

from circuits import Network, UnknownError, contributions, discard, expand, load_photo, trace
from circuits.evaluation.controls import by_activation, by_gradient, by_tracing, by_weights, random_like, randomised
from circuits.evaluation.unit_sets import CircuitSearch, levels_of, sources_of, tops_of_circuit, units_of
from circuits.image.photo import Photo
from circuits.tracing.run import ForwardCache
from circuits.tracing.search import CircuitBuilder
from circuits.tracing.source import forward_cache
from circuits.tracing.targets import find_target, target_of
from tests.support.branched import Branches, branched
from tests.support.handmade import colour_photo, handmade_network
from tests.support.nets import image_for, randomize, ready, zoo_network


@pytest.fixture(scope="module")
def network() -> Network:
    return handmade_network()


@pytest.fixture(scope="module")
def noise() -> Photo:
    return load_photo(np.random.default_rng(5).integers(0, 256, (64, 64, 3), dtype=np.uint8), name="noise")


def sizes(units: dict[str, tuple[int, ...]]) -> dict[str, int]:
    return {layer: len(set(channels)) for layer, channels in units.items()}


def test_random_units_have_the_shape_and_every_unit_the_same_chance(network: Network) -> None:
    units = {"conv1": (0, 3), "conv2": ()}
    source = np.random.default_rng(0)
    drawn = [random_like(network, units, source) for _ in range(600)]
    assert all(sizes(each) == {"conv1": 2, "conv2": 0} for each in drawn)
    counts = np.bincount([channel for each in drawn for channel in each["conv1"]], minlength=4)
    assert counts.sum() == 1200
    # Of 600 draws each unit is in one half, with a spread of 12.
    assert np.abs(counts - 300).max() < 50
    assert random_like(network, units, 7) == random_like(network, units, 7)
    with pytest.raises(UnknownError, match="No layer 'conv9'"):
        random_like(network, {"conv9": ()}, 0)


def test_activation_weights_and_gradient_choose_the_known_units(network: Network) -> None:
    run = ForwardCache.of(network, network.preprocessing.input_of(colour_photo(0.25, 0.5, 0.75)))
    target = find_target(network, "warm", 0)
    # conv1 is (0.25, 0.5, 0.75, 0); conv2 is (0, 1.25, 0.25).
    assert by_activation(run, {"conv1": [0, 1], "conv2": [0]}) == {"conv1": (1, 2), "conv2": (1,)}
    # ∂warm/∂conv2 = (3, -1, 0) a mean; conv2:0 is shut in this photo, so only blue's part in conv2:1 reaches conv1.
    assert by_gradient(run, target, {"conv1": [0], "conv2": [0]}) == {"conv1": (0,), "conv2": (0,)}
    assert by_gradient(run, target, {"conv1": [0], "conv2": [0]}, signs="both") == {"conv1": (2,), "conv2": (1,)}
    # Black, the neutral input here, opens conv1:3 and conv2:1 alone: W of conv2 is (3, -1, 0).
    assert by_weights(network, target, {"conv2": [2]}) == {"conv2": (0,)}
    assert by_weights(network, target, {"conv2": [0, 1]}, signs="both") == {"conv2": (0, 1)}
    assert by_weights(network, find_target(network, "conv2:2", 0), {"conv1": [0]}) is None


def test_weights_are_those_at_the_neutral_input_whatever_the_photo() -> None:
    network = zoo_network("squeezenet1_1")
    target = find_target(network, None, 3)
    image = torch.zeros_like(image_for(network)).requires_grad_()
    expected = {}
    for layer in ("features.9", "features.11"):
        activation = network.activations(image.detach())[layer].requires_grad_()
        logits = network.segment(layer, network.layers[-1])(activation)
        (gradient,) = torch.autograd.grad(logits[0, 3].sum(), activation)
        expected[layer] = tuple(sorted(gradient[0].sum((1, 2)).argsort(descending=True)[:5].tolist()))
    assert by_weights(network, target, dict.fromkeys(expected, range(5))) == expected


@pytest.mark.parametrize("signs", ["positive", "both"])
@pytest.mark.parametrize("mode", ["sum", "target", "ig"])
@pytest.mark.parametrize(("name", "layers"), [("squeezenet1_1", "auto"), ("resnet18", "fine")])
def test_the_search_finds_what_trace_finds(name: str, layers: str, mode: str, signs: str, noise: Photo) -> None:
    network = zoo_network(name).with_layers(layers)
    run = ForwardCache.of(network, network.preprocessing.input_of(noise))
    target = find_target(network, "class 3", 0)
    search = CircuitSearch(run, target, mode)
    for tops in ([2, 2], [3, 1, 2], [1, 1, 1]):
        circuit = trace(network, noise, "class 3", depth=len(tops), top=tops, mode=mode, signs=signs)
        assert search.sources(tops, signs) == sources_of(circuit)
        assert units_of(network, circuit)


def test_a_ladder_computes_no_unit_twice(noise: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    network = zoo_network("squeezenet1_1")
    search = CircuitSearch(
        ForwardCache.of(network, network.preprocessing.input_of(noise)), find_target(network, "class 3", 0), "sum"
    )
    asked: list[str] = []
    attribute = CircuitBuilder._attribute
    monkeypatch.setattr(
        CircuitBuilder, "_attribute", lambda self, names: (asked.extend(names), attribute(self, names))[1]
    )
    for top in (1, 3, 2, 3):
        search.sources([top] * 3)
    assert len(asked) == len(set(asked))
    assert set(asked) == set(search.sources([3] * 3))


def test_shuffling_keeps_every_value_and_changes_its_place() -> None:
    network = zoo_network("squeezenet1_1")
    other, again = randomised(network, 0), randomised(network, 0)
    assert (other.layers, other.sha256) == (network.layers, again.sha256)
    assert randomised(network, 1).sha256 != other.sha256 != network.sha256
    for (name, before), (_, after) in zip(
        network.traced.named_parameters(), other.traced.named_parameters(), strict=True
    ):
        assert torch.equal(before.flatten().sort().values, after.flatten().sort().values), name
        assert not torch.equal(before, after), name
    assert network.sha256 == zoo_network("squeezenet1_1").sha256
    image = image_for(network)
    assert not torch.allclose(other.logits(image), network.logits(image), rtol=0.1)


def test_a_control_that_is_traced_has_the_circuits_shape_and_its_units_first(noise: Photo) -> None:
    network = zoo_network("squeezenet1_1")
    circuit = trace(network, noise, "class 3", depth=3, top=3)
    units, run, target = units_of(network, circuit), forward_cache(network, circuit), target_of(circuit)
    assert by_tracing(run, target, units, tops=[3, 3, 3], mode="sum") == units
    wide = {layer: range(len(channels) + 2) for layer, channels in units.items()}
    filled = by_tracing(run, target, wide, tops=[3, 3, 3], mode="sum")
    flat = by_gradient(run, target, {layer: range(network.layer(layer).channels) for layer in units})
    for layer, channels in filled.items():
        assert set(units[layer]) < set(channels) <= set(flat[layer])
        assert len(channels) == len(units[layer]) + 2
    fewer = by_tracing(run, target, {layer: [0] for layer in units}, tops=[3, 3, 3], mode="sum")
    assert all(set(channels) < set(units[layer]) for layer, channels in fewer.items() if len(units[layer]) > 1)


def test_levels_and_tops_follow_what_a_person_grew(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=1, top=2, signs="both")
    assert (levels_of(circuit), tops_of_circuit(circuit)) == (1, [2])
    deeper = expand(network, circuit, "conv2:0")
    assert (levels_of(deeper), tops_of_circuit(deeper)) == (2, [2, 2])
    assert levels_of(discard(deeper, "conv2:0")) == 1
    uneven = trace(network, colour_photo(), "warm", depth=2, top=[2, 1])
    assert tops_of_circuit(uneven) == [2, 1]


def test_the_shape_is_kept_inside_branches() -> None:
    network = branched(Branches())
    circuit = trace(network, colour_photo(0.75, 0.5, 0.25), "one", depth=4, top=2)
    units = units_of(network, circuit)
    assert set(units) == set(network.layers[:-1])
    assert units["conv1"] == (0, 1)
    run, target = forward_cache(network, circuit), target_of(circuit)
    for chosen in (by_activation(run, units), by_gradient(run, target, units), random_like(network, units, 0)):
        assert sizes(chosen) == sizes(units)


def test_a_shuffled_network_of_ones_own_runs_without_the_original() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    network = ready(randomize(module, 1))
    other = randomised(network, 1)
    circuit = trace(other, colour_photo(), depth=1, top=2)
    assert contributions(other, circuit, circuit.root).shares
    assert circuit.network["source"] == "live, shuffled with seed 1"
