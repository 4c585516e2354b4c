"""Units that fire at the same places: correlations, and the groups that are made of them."""

import numpy as np
import pytest
import torch
from torch import nn

from circuits import Circuit, InputError, Network, Photo, UnknownError, discard, load_photo, trace
from circuits.evidence.maps import heat_map
from circuits.evidence.near_duplicates import correlations, near_duplicates
from tests.support.drawn import network_of
from tests.support.handmade import colour_photo, handmade_network
from tests.support.nets import zoo_network

SIDE = 8


def copies() -> Network:
    """Layer "1" on red, green and blue: red, 2 red, green, green / 2 + red / 10, blue, 1 - red, a constant, nothing.

    Class 0 counts them with weights that make their order of strength 1, 2, 0, 3, 4, 5, 6.
    """
    mix = nn.Conv2d(3, 8, 1)
    with torch.no_grad():
        mix.weight[:, :, 0, 0] = 0.25 * torch.tensor(
            [[1.0, 0, 0], [2, 0, 0], [0, 1, 0], [0.1, 0.5, 0], [0, 0, 1], [-1, 0, 0], [0, 0, 0], [0, 0, 0]]
        )
        mix.bias[:] = torch.tensor([0.5, 1.0, 0.5, 0.3, 0.5, 0.5, 1.0, -1.0])
    head = nn.Linear(8, 2)
    with torch.no_grad():
        head.weight[0] = torch.tensor([20.0, 40, 30, 10, 2, 1, 0.1, 1])
        head.bias[:] = 0
    return network_of(mix, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head, side=SIDE)


@pytest.fixture(scope="module")
def network() -> Network:
    return copies()


@pytest.fixture(scope="module")
def photo() -> Photo:
    return load_photo(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8), name="noise")


@pytest.fixture(scope="module")
def circuit(network: Network, photo: Photo) -> Circuit:
    return trace(network, photo, 0, depth=1, top=8)


def pearson(first: np.ndarray, second: np.ndarray) -> float:
    """From the definition, with sums written out."""
    pairs = list(zip(first.ravel().tolist(), second.ravel().tolist(), strict=True))
    count = len(pairs)
    mean_a, mean_b = sum(a for a, _ in pairs) / count, sum(b for _, b in pairs) / count
    both = sum((a - mean_a) * (b - mean_b) for a, b in pairs)
    lengths = sum((a - mean_a) ** 2 for a, _ in pairs) ** 0.5, sum((b - mean_b) ** 2 for _, b in pairs) ** 0.5
    return both / (lengths[0] * lengths[1])


def test_correlations_are_pearsons(photo: Photo) -> None:
    network = zoo_network("squeezenet1_1")
    units = [f"features.4:{channel}" for channel in (3, 0, 17, 40)]
    found = correlations(network, photo, units)
    maps = [heat_map(network, photo, unit) for unit in units]
    for row, first in enumerate(maps):
        for column, second in enumerate(maps):
            assert found[row, column] == pytest.approx(pearson(first, second), abs=1e-9)
    assert found.dtype == np.float64


def test_factors_do_not_matter_and_opposites_are_minus_one(network: Network, photo: Photo) -> None:
    found = correlations(network, photo, ["1:0", "1:1", "1:5"])
    assert found == pytest.approx(np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]]), abs=1e-5)
    assert (np.abs(found) <= 1).all()


def test_constant_maps_are_like_nothing_not_even_themselves(network: Network, photo: Photo) -> None:
    found = correlations(network, photo, ["1:6", "1:0", "1:7", "1:6"])
    assert found == pytest.approx(np.diag([0.0, 1.0, 0.0, 0.0]), abs=1e-12)
    assert not correlations(network, photo, [f"{network.layers[-1]}:0", f"{network.layers[-1]}:1"]).any()


def test_near_duplicates_are_grouped_behind_the_strongest(circuit: Circuit, network: Network) -> None:
    order = [edge.source for edge in circuit.edges_into(circuit.root)]
    assert order[:5] == ["1:1", "1:2", "1:0", "1:3", "1:4"]
    assert near_duplicates(network, circuit) == (("1:1", "1:0"), ("1:2", "1:3"))


def test_the_threshold_is_about_the_groups_strongest_member_alone(
    circuit: Circuit, network: Network, photo: Photo
) -> None:
    like = float(correlations(network, photo, ["1:2", "1:3"])[0, 1])
    assert 0.9 < like < 1
    assert ("1:2", "1:3") in near_duplicates(network, circuit, threshold=like - 1e-9)
    assert ("1:2", "1:3") not in near_duplicates(network, circuit, threshold=like)
    # At zero whatever goes along with 2 red by chance is its duplicate; the rest is sorted out without it.
    every = correlations(network, photo, [f"1:{channel}" for channel in range(8)])
    first = near_duplicates(network, circuit, threshold=0.0)[0]
    assert set(first) == {"1:1"} | {f"1:{n}" for n in range(8) if n != 1 and every[1, n] > 0}


def test_discarded_units_are_in_no_group(circuit: Circuit, network: Network) -> None:
    assert near_duplicates(network, discard(circuit, "1:1")) == (("1:2", "1:3"),)
    assert near_duplicates(network, discard(discard(circuit, "1:1"), "1:3")) == ()


def test_units_of_one_value_are_never_grouped() -> None:
    flat = handmade_network()
    circuit = trace(flat, colour_photo(), depth=2, signs="both")
    assert len(circuit.visible) > 3
    assert near_duplicates(flat, circuit, threshold=0.0) == ()


def test_groups_come_from_the_top_layer_down(photo: Photo) -> None:
    torch.manual_seed(4)
    lower, upper = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        lower.weight[:] = torch.rand_like(lower.weight[:1]).expand_as(lower.weight)
        lower.bias[:] = torch.tensor([1.0, 1.1, 1.2])
        upper.weight[:] = torch.rand_like(upper.weight[:1]).expand_as(upper.weight)
        upper.bias[:] = 0.5
    network = network_of(
        lower, nn.ReLU(), upper, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2), side=SIDE
    )
    found = near_duplicates(network, trace(network, photo, depth=2, top=3, signs="both"))
    assert [sorted(group) for group in found] == [["3:0", "3:1", "3:2"], ["1:0", "1:1", "1:2"]]


def test_what_cannot_be_compared_is_refused(network: Network, photo: Photo, circuit: Circuit) -> None:
    with pytest.raises(InputError, match=r"Maps are compared within one layer; the units lie in 1, 4|in 1, 6"):
        correlations(network, photo, ["1:0", f"{network.layers[-1]}:0"])
    with pytest.raises(InputError, match="the units lie in none"):
        correlations(network, photo, [])
    with pytest.raises(UnknownError, match="No unit 1:8"):
        correlations(network, photo, ["1:0", "1:8"])
    for threshold in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match=r"threshold is \S+; it is a correlation, from 0 to 1"):
            near_duplicates(network, circuit, threshold=threshold)
