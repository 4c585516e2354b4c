"""What fires at a spot: the right position of every layer, and the units of it in the right order."""

import numpy as np
import pytest
import torch
from torch import nn

from circuits import Circuit, InputError, Network, Photo, UnknownError, load_photo, trace
from circuits.evidence.layer_statistics import firing_at, position_at
from circuits.network.receptive_field import receptive_field
from tests.support.drawn import network_of
from tests.support.handmade import colour_photo, handmade_network, levels
from tests.support.nets import ready, zoo_network

RED, GREEN, BLUE = levels(1.0, 0.5, 0.25)


def colours() -> Network:
    """One unit a colour, each of the photo's own values from 0 to 1, on every second pixel; classes as they come."""
    eye = nn.Conv2d(3, 3, 1, stride=2)
    with torch.no_grad():
        eye.weight[:, :, 0, 0] = torch.eye(3) * 0.25
        eye.bias[:] = 0.5
    torch.manual_seed(0)
    return network_of(eye, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2), side=8)


@pytest.fixture
def spotted() -> Photo:
    """Black but for three pixels: (row, column) 2,4 is orange, 6,0 is dim violet, 0,0 is dimmer red."""
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    pixels[2, 4], pixels[6, 0], pixels[0, 0] = (255, 102, 0), (51, 0, 102), (51, 0, 0)
    return load_photo(pixels, name="spotted")


def test_the_units_at_a_spot_come_strongest_first_with_their_shares(spotted: Photo) -> None:
    network = colours()
    # Position 1,2 sees pixel 2,4 alone, whose middle lies at (4.5, 2.5) of 8.
    red, green, blue = firing_at(network, spotted, "1", (4.5 / 8, 2.5 / 8))
    assert [str(fired.unit) for fired in (red, green, blue)] == ["1:0@1,2", "1:1@1,2", "1:2@1,2"]
    assert [fired.value for fired in (red, green, blue)] == pytest.approx([1.0, 0.4, 0.0], abs=1e-6)
    assert [fired.share for fired in (red, green, blue)] == pytest.approx([1 / 1.4, 0.4 / 1.4, 0.0], abs=1e-6)
    assert [fired.peak_here for fired in (red, green, blue)] == [True, True, False]
    violet = firing_at(network, spotted, "1", (0.5 / 8, 6.5 / 8))
    assert [(fired.unit.channel, fired.peak_here) for fired in violet] == [(2, True), (0, False), (1, False)]
    assert [fired.share for fired in violet] == pytest.approx([2 / 3, 1 / 3, 0.0], abs=1e-6)


def test_where_nothing_fires_shares_are_zero_and_ties_come_by_channel(spotted: Photo) -> None:
    found = firing_at(colours(), spotted, "1", (0.99, 0.99))
    assert [(fired.unit.channel, fired.value, fired.share, fired.peak_here) for fired in found] == [
        (channel, 0.0, 0.0, False) for channel in range(3)
    ]


def test_a_unit_that_is_the_same_everywhere_has_no_peak_but_a_layer_of_one_position_has() -> None:
    network = handmade_network()
    found = firing_at(network, colour_photo(), "conv1", (0.6, 0.1))
    assert [fired.unit.channel for fired in found] == [0, 1, 2, 3]
    assert [fired.value for fired in found] == pytest.approx([RED, GREEN, BLUE, 0.0], abs=1e-6)
    assert not any(fired.peak_here for fired in found)
    classes = firing_at(network, colour_photo(), "fc", (0.9, 0.9))
    assert [str(fired.unit) for fired in classes] == ["fc:0@0,0", "fc:1@0,0"]
    assert [fired.peak_here for fired in classes] == [True, True]


def test_only_the_strongest_are_told_of_if_a_count_is_given(spotted: Photo) -> None:
    everything = firing_at(colours(), spotted, "1", (0.5, 0.3))
    assert firing_at(colours(), spotted, "1", (0.5, 0.3), count=2) == everything[:2]
    assert firing_at(colours(), spotted, "1", (0.5, 0.3), count=9) == everything


@pytest.mark.parametrize("layer", ["features.1", "features.3", "features.6"])
def test_the_position_is_the_one_whose_field_has_its_middle_nearest_to_the_spot(layer: str) -> None:
    network = zoo_network("squeezenet1_1")
    field = receptive_field(network, layer)
    assert field.size is not None
    assert field.stride is not None
    assert field.offset is not None
    rows, columns = field.boxes.shape[:2]
    for x, y in np.random.default_rng(2).random((25, 2)):

        def distance(position: tuple[int, int], x: float = float(x), y: float = float(y)) -> float:
            down, right = (
                start + step * place + size / 2
                for start, step, place, size in zip(field.offset, field.stride, position, field.size, strict=True)
            )
            return (down - y * 64) ** 2 + (right - x * 64) ** 2

        every = [(row, column) for row in range(rows) for column in range(columns)]
        found = position_at(network, layer, (float(x), float(y)))
        assert distance(found) == pytest.approx(min(map(distance, every)))


def test_away_from_the_border_the_field_of_the_position_has_the_spot_near_its_middle() -> None:
    network = zoo_network("squeezenet1_1")
    field = receptive_field(network, "features.3")
    box = field.box(position_at(network, "features.3", (0.5, 0.4)))
    assert abs((box.left + box.right) / 2 - 32) <= field.stride[1] / 2
    assert abs((box.top + box.bottom) / 2 - 25.6) <= field.stride[0] / 2


def test_positions_that_all_see_the_whole_image_share_it_out_evenly() -> None:
    torch.manual_seed(0)
    network = ready(
        nn.Sequential(
            nn.Conv2d(3, 4, 9, padding=8), nn.ReLU(), nn.Conv2d(4, 4, 15, padding=7), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2),
        ),
        (4, 6),
    )  # fmt: skip
    field = receptive_field(network, "3")
    rows, columns = field.boxes.shape[:2]
    assert field.size is None
    assert (rows, columns) == (12, 14)
    for row, column in [(0, 0), (5, 7), (11, 13)]:
        assert position_at(network, "3", ((column + 0.5) / columns, (row + 0.5) / rows)) == (row, column)
    assert position_at(network, "3", (0, 0)) == (0, 0)
    assert position_at(network, "3", (1, 1)) == (11, 13)


def test_a_circuit_answers_like_its_photo() -> None:
    network, photo = handmade_network(), colour_photo(0.9, 0.2, 0.4)
    read = Circuit.from_dict(trace(network, photo, depth=2).to_dict())
    assert firing_at(network, read, "conv2", (0.2, 0.7)) == firing_at(network, photo, "conv2", (0.2, 0.7))


def test_spots_that_are_not_in_the_photo_and_layers_that_do_not_exist_are_refused() -> None:
    network, photo = handmade_network(), colour_photo()
    for place in ((-0.1, 0.5), (0.5, 1.1), (float("nan"), 0.5)):
        with pytest.raises(InputError, match=r"The spot \(.*\) is not in the photo; give x and y as shares"):
            firing_at(network, photo, "conv1", place)
    with pytest.raises(UnknownError, match="No layer 'conv7' in handmade"):
        firing_at(network, photo, "conv7", (0.5, 0.5))
    with pytest.raises(InputError, match="count is 0; it must be at least 1"):
        firing_at(network, photo, "conv1", (0.5, 0.5), count=0)
