"""Sizes, means and targets may be numbers of Python, NumPy or torch."""

import numpy as np
import pytest
import torch
from torch import nn

import circuits
from circuits.errors import InputError
from circuits.evidence import argument_map, edge_maps, gradient_picture, relative_picture
from tests.support.body import Body


@pytest.mark.parametrize("size", [8, np.int64(8), torch.tensor(8), (8, np.int32(8)), np.array([8, 8]), [8, 8]])
@pytest.mark.parametrize("mean", [0.5, np.float32(0.5), (0.5,) * 3, np.full(3, 0.5), torch.full((3,), 0.5)])
def test_numbers_of_any_kind_say_the_same(size, mean):
    network = circuits.prepare(Body(), size=size, mean=mean, std=0.25)
    assert (network.preprocessing.size, network.preprocessing.mean) == ((8, 8), (0.5, 0.5, 0.5))
    assert network.preprocessing.std == (0.25, 0.25, 0.25)
    assert type(network.preprocessing.size[0]) is int


def test_a_number_alone_is_that_of_all_colours_and_a_list_of_one_makes_it_grey():
    grey = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 2))
    for mean in (0.5, (0.5,)):
        assert circuits.prepare(grey, size=8, mean=mean, std=mean).preprocessing.mean == (0.5,)


@pytest.mark.parametrize("size", [np.array(8.5), (8, 8, 8), (8,), None])
def test_sizes_that_are_none_are_refused(size):
    if size is None:
        assert circuits.prepare(Body()).preprocessing.size == (224, 224)
        return
    with pytest.raises(InputError, match=r"^The input size is .*; give a whole number of pixels, or \(height, width\)"):
        circuits.prepare(Body(), size=size)


@pytest.mark.parametrize("target", [3, np.int64(3), np.argmax(np.eye(4)[3]), torch.tensor(3), "3", "class 3"])
def test_a_class_may_be_a_number_of_any_kind(target):
    network = circuits.prepare(Body(), size=8, mean=0.5, std=0.25)
    assert circuits.trace(network, "example:cat", target, depth=1, top=2).root == "fc:3"


def test_a_state_dict_is_no_module():
    with pytest.raises(
        InputError, match=r"^module is a OrderedDict; give a torch.nn.Module, with that state dict load"
    ):
        circuits.prepare(Body().state_dict())
    with pytest.raises(InputError, match=r"^module is a type; give a torch.nn.Module\.$"):
        circuits.prepare(Body)


def test_circuits_are_traced_and_grown_where_inference_mode_is_on():
    with torch.inference_mode():
        network = circuits.prepare(Body(), size=8, mean=0.5, std=0.25)
        traced = circuits.trace(network, "example:cat", 3, depth=1, top=2, mode="target")
        grown = circuits.measure(network, circuits.grow(network, traced))
    ordinary = circuits.prepare(Body(), size=8, mean=0.5, std=0.25)
    expected = circuits.trace(ordinary, "example:cat", 3, depth=2, top=2, mode="target")
    assert network.sha256 == ordinary.sha256
    assert grown.visible == expected.visible
    for name in expected.visible:
        for edge, other in zip(grown.edges_into(name), expected.edges_into(name), strict=True):
            assert edge.attribution == other.attribution


def test_evidence_is_seen_and_units_are_drawn_where_inference_mode_is_on():
    network = circuits.prepare(Body(), size=8, mean=0.5, std=0.25)
    circuit = circuits.trace(network, "example:cat", 3, depth=2, top=2)
    upper = next(edge.source for edge in circuit.edges_into(circuit.root))
    lower = next(edge.source for edge in circuit.edges_into(upper))

    def seen():
        maps = edge_maps(network, circuit, lower, upper)
        drawn = circuits.render(network, upper, size=16, steps=2)[0].image
        return (
            maps.lower,
            argument_map(network, circuit, upper),
            gradient_picture(network, circuit, upper),
            relative_picture(network, circuit, lower, upper),
            np.asarray(drawn),
        )

    with torch.inference_mode():
        found = seen()
    for one, other in zip(found, seen(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("top", [np.int64(2), torch.tensor(2), np.array([2, 1]), (np.int8(2), 1)])
def test_counts_may_be_numbers_of_numpy_or_torch(top):
    network = circuits.prepare(Body(), size=8, mean=0.5, std=0.25)
    traced = circuits.trace(network, "example:cat", 3, depth=np.int64(2), top=top)
    assert len(traced.edges_into(traced.root)) == 2
    assert type(traced.settings.depth) is int
    assert len(circuits.expand(network, traced, traced.root, top=np.int64(1)).edges_into(traced.root)) >= 1


def test_the_shape_of_a_tensor_is_told_as_it_is():
    with pytest.raises(
        InputError, match=r"^tensor has shape \(20, 24, 3\); a photo as a tensor is \(1 \| 3 \| 4, H, W"
    ):
        circuits.load_photo(torch.zeros(20, 24, 3))
