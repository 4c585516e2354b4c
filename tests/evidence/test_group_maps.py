"""Maps of groups: where they are active, where their argument comes from, and that they add up to the channels'."""

import numpy as np
import pytest
import torch

from circuits.errors import InputError, UnknownError
from circuits.evidence.class_effects import class_attributions
from circuits.evidence.maps import argument_map, edge_maps, heat_map
from circuits.evidence.patches import patches_and_maps
from circuits.groups.coding import RESIDUAL
from circuits.groups.dictionary import Dictionary
from circuits.groups.layer_direction import LayerDirection
from circuits.image.photo import Photo, load_photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.tracing.groups import cosines, dictionaries_key, part_of, subject_of
from circuits.tracing.source import forward_cache
from circuits.tracing.targets import target_of
from circuits.tracing.trace import trace
from circuits.units import Group, Unit
from tests.support.pretend import tiny_network

GROUPS = 3


@pytest.fixture(scope="module")
def network() -> Network:
    return tiny_network()


@pytest.fixture(scope="module")
def photo() -> Photo:
    pixels = np.random.default_rng(3).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    return load_photo(pixels, name="noise")


@pytest.fixture(scope="module")
def circuit(network: Network, photo: Photo) -> Circuit:
    return trace(network, photo, 2, groups=GROUPS, depth=2, signs="both")


def addresses(circuit: Circuit, layer: str) -> list[Group]:
    return [Group(layer, number) for number in (*range(circuit.dictionaries[layer].groups), None)]


@pytest.mark.parametrize("layer", ["c", "b"])
def test_parts_of_groups_and_residual_add_up_to_the_activation(network: Network, circuit: Circuit, layer: str) -> None:
    run = forward_cache(network, circuit)
    total = sum(part_of(run, circuit, group) for group in addresses(circuit, layer))
    assert torch.allclose(torch.as_tensor(total), run.activations[layer], atol=1e-5)
    neuron = part_of(run, circuit, Unit(layer, 1, (2, 3)))
    assert int((neuron != 0).sum()) <= 1
    assert neuron[0, 1, 2, 3] == run.activations[layer][0, 1, 2, 3]


def test_a_map_is_the_code_times_the_length_of_the_direction(network: Network, circuit: Circuit) -> None:
    run = forward_cache(network, circuit)
    code = run.code(target_of(circuit), "c")
    length = float(code.dictionary.directions[1].norm())
    assert np.allclose(heat_map(network, circuit, "c/1"), length * code.weights[1].numpy(), atol=1e-6)
    left = run.activations["c"][0] - sum(code.part(number) for number in range(GROUPS))
    assert np.allclose(heat_map(network, circuit, "c/rest"), left.norm(dim=0).numpy(), atol=1e-4)


@pytest.mark.parametrize("layer", ["c", "b"])
def test_argument_maps_are_the_terms_of_the_shares_and_add_up_to_the_channels(
    network: Network, circuit: Circuit, layer: str
) -> None:
    run, target = forward_cache(network, circuit), target_of(circuit)
    gradient = run.gradient(target, layer)[0]
    maps = [argument_map(network, circuit, group) for group in addresses(circuit, layer)]
    assert np.allclose(np.stack(maps), run.code(target, layer).terms(gradient).numpy(), atol=1e-5)
    channels = run.attribution_maps(target, layer).sum(0).numpy()
    assert np.allclose(sum(maps), channels, atol=1e-4)


def test_classes_pushed_by_groups_add_up_to_what_the_layer_holds(network: Network, circuit: Circuit) -> None:
    each = [class_attributions(network, circuit, group) for group in addresses(circuit, "c")]
    channels = [class_attributions(network, circuit, Unit("c", number)) for number in range(20)]
    assert np.allclose(sum(each), sum(channels), atol=1e-4)
    node = circuit.nodes["c/0"]
    assert each[0][2] == pytest.approx(node.value, rel=1e-4)  # in mode target its value is its share of the target


@pytest.mark.parametrize(("lower", "upper"), [("c/0", "fc:2"), ("b/1", "c/0"), ("b/rest", "c/0"), ("b:3", "c/1")])
def test_both_maps_of_an_edge_of_groups_sum_to_its_share(
    network: Network, circuit: Circuit, lower: str, upper: str
) -> None:
    maps = edge_maps(network, circuit, lower, upper)
    assert maps.lower.sum() == pytest.approx(maps.upper.sum(), abs=1e-4)
    run, target = forward_cache(network, circuit), target_of(circuit)
    readout = run.readout(target, circuit.nodes[upper].unit, "sum", is_root=upper == circuit.root)
    below = run.below(circuit.nodes[upper].unit.layer, None if ":" in lower else target)
    [shares] = below.shares("sum", iter([readout]))
    address = Unit("b", 3) if lower == "b:3" else circuit.nodes[lower].unit
    assert maps.attribution == pytest.approx(float(shares[below.place(address)]), rel=1e-3, abs=1e-4)


def test_patches_and_maps_of_groups_lie_at_their_peaks(network: Network, circuit: Circuit) -> None:
    units = [Group("c", 0), Group("c", None), Unit("c", 4)]
    made = list(patches_and_maps(network, circuit, units, side=48))
    assert [max(seen.size) for seen, _ in made] == [48] * 3
    assert made[0][1].tobytes() != made[1][1].tobytes()


def test_what_a_circuit_does_not_carry_is_refused(network: Network, circuit: Circuit, photo: Photo) -> None:
    with pytest.raises(UnknownError, match=r"No group c/3; c has 3 groups, from 0"):
        heat_map(network, circuit, "c/3")
    with pytest.raises(UnknownError, match=r"a/0 is a group of channels, whose direction a circuit carries"):
        argument_map(network, circuit, "a/0")
    with pytest.raises(UnknownError, match=r"c/0 is a group of channels, whose direction a circuit carries"):
        class_attributions(network, photo, "c/0")


def test_what_is_drawn_of_a_node_is_its_channel_or_its_direction(network: Network, circuit: Circuit) -> None:
    assert subject_of(circuit, circuit.root) == Unit("fc", 2)
    drawn = subject_of(circuit, "c/1")
    assert isinstance(drawn, LayerDirection)
    assert torch.equal(drawn.vector, circuit.dictionaries["c"].directions[1])
    assert subject_of(circuit, "c/rest") is None
    assert RESIDUAL == -1


def test_the_key_of_dictionaries_tells_groups_apart_and_survives_the_file(
    network: Network, circuit: Circuit, photo: Photo
) -> None:
    again = Circuit.from_dict(circuit.to_dict())
    assert dictionaries_key(again) == dictionaries_key(circuit) != ""
    assert dictionaries_key(again, "b") == dictionaries_key(circuit, "b") != dictionaries_key(circuit, "c")
    assert dictionaries_key(circuit.with_name("c/0", "ears")) == dictionaries_key(circuit)
    assert dictionaries_key(trace(network, photo, 1, groups=GROUPS, depth=2)) != dictionaries_key(circuit)
    assert dictionaries_key(trace(network, photo, 2, depth=1)) == ""


def test_cosines_are_of_the_directions_whatever_their_lengths() -> None:
    rows = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 5.0], [2.0, 2.0, 0.0], [0.0, 3.0, 0.0]])
    found = cosines(Dictionary(rows, "by hand"), 0)
    assert [other for other, _ in found] == [2, 3, 1]
    assert [near for _, near in found] == pytest.approx([1.0, 0.5**0.5, 0.0])
    with pytest.raises(InputError, match=r"There is no group 4; there are 4, from 0"):
        cosines(Dictionary(rows, "by hand"), 4)
