import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from circuits.errors import InputError, UnknownError
from circuits.evidence.patches import Peak, patch, patch_of_picture, peaks
from circuits.image.photo import load_photo
from circuits.network.network import Network
from circuits.network.receptive_field import Box, ReceptiveField, receptive_field
from circuits.tracing.circuit import Circuit
from circuits.tracing.source import input_crop
from circuits.tracing.trace import trace
from tests.support.drawn import classifier, convolution, network_of, two_layers
from tests.support.handmade import colour_photo, handmade_network


def places(heat: object, field: ReceptiveField | None = None, **options: float) -> list[tuple[int, int]]:
    return [peak.position for peak in peaks(np.array(heat, dtype=np.float32), field, **options)]


def squares(rows: int, columns: int, *, stride: int, side: int) -> ReceptiveField:
    """Fields of a side, a stride apart, not clipped."""
    top, left = np.meshgrid(np.arange(rows) * stride, np.arange(columns) * stride, indexing="ij")
    image = ((rows - 1) * stride + side, (columns - 1) * stride + side)
    return ReceptiveField(np.stack([top, left, top + side, left + side], axis=-1).astype(np.int32), image)


def test_peaks_are_local_maxima_highest_first() -> None:
    heat = [[0, 1, 0, 0, 0], [0, 0, 0, 3, 2], [2.5, 0, 0, 0, 0], [0, 0, 4, 0, 0]]
    assert places(heat) == [(3, 2), (1, 3), (2, 0)]
    assert places(heat, count=9) == [(3, 2), (1, 3), (2, 0), (0, 1)]
    assert peaks(np.array(heat))[0] == Peak((3, 2), 4.0)


def test_a_neighbour_of_a_peak_is_no_peak_however_high() -> None:
    assert places([[5, 6, 5.5]]) == [(0, 1)]
    assert places([[6, 0], [0, 5.9]]) == [(0, 0)]


def test_equal_maxima_come_by_row_and_column() -> None:
    assert places([[0, 0, 2], [0, 0, 0], [2, 0, 2]]) == [(0, 2), (2, 0), (2, 2)]
    assert places([[1, 1, 1], [1, 1, 1]]) == [(0, 0)]


def test_a_silent_unit_has_no_peak_unless_it_may_be_negative() -> None:
    assert places(np.zeros((3, 3))) == []
    assert places([[-1, -3, -2]]) == []
    assert places([[-1, -3, -2]], above=-math.inf) == [(0, 0), (0, 2)]
    assert places([[2, 0, 1.5]], above=1.5) == [(0, 0)]


def test_fields_that_overlap_by_more_than_a_third_are_one_place() -> None:
    heat = [[5, 0, 4, 0, 3]]
    # Two positions lie 4 pixels apart: a side of 8 overlaps by a third, a side of 9 by 5 / 13.
    assert places(heat, squares(1, 5, stride=2, side=8)) == [(0, 0), (0, 2), (0, 4)]
    assert places(heat, squares(1, 5, stride=2, side=9)) == [(0, 0), (0, 4)]
    assert places(heat, squares(1, 5, stride=2, side=9), overlap=0.5) == [(0, 0), (0, 2), (0, 4)]
    assert places(heat, squares(1, 5, stride=2, side=9), overlap=0.0) == [(0, 0)]


def test_what_a_dropped_place_overlaps_may_still_be_a_peak() -> None:
    # The second overlaps the first and is dropped; the third overlaps only the second.
    assert places([[5, 0, 4, 0, 3, 0, 2]], squares(1, 7, stride=2, side=10), count=4) == [(0, 0), (0, 4)]


def test_a_layer_that_sees_the_whole_image_everywhere_has_one_peak() -> None:
    whole = ReceptiveField(np.tile(np.array([0, 0, 9, 9], dtype=np.int32), (2, 4, 1)), (9, 9))
    assert places([[1, 0, 0, 3], [0, 0, 0, 0]], whole) == [(0, 3)]


def test_maps_that_cannot_be_searched_are_refused() -> None:
    heat = np.ones((2, 2), dtype=np.float32)
    with pytest.raises(InputError, match=r"count is 0 and overlap 0\.\d+; they must be at least 1"):
        peaks(heat, count=0)
    with pytest.raises(InputError, match=r"count is 3 and overlap 1\.5"):
        peaks(heat, overlap=1.5)
    with pytest.raises(InputError, match="The map holds NaN"):
        peaks(heat * math.nan)
    with pytest.raises(InputError, match=r"The map is \(2, 2\), but the field is of a layer of \(1, 3\) positions"):
        peaks(heat, squares(1, 3, stride=1, side=1))


def spots() -> Network:
    """Channel 0 of `1` is the red of each 5 × 5 pixels, 2 apart, padded by 2; the input is 16 × 16."""
    weight = torch.zeros(1, 3, 5, 5)
    weight[0, 0] = 1
    lower = nn.Conv2d(3, 1, 5, stride=2, padding=2)
    lower.weight.data, lower.bias.data = weight, torch.full((1,), 25.0)
    return network_of(lower, nn.ReLU(), *classifier(1), side=16)


def photo_of(*red: tuple[int, int]) -> np.ndarray:
    pixels = np.zeros((16, 16, 3), dtype=np.uint8)
    pixels[..., 1] = np.arange(256).reshape(16, 16)
    for row, column in red:
        pixels[row, column, 0] = 255
    return pixels


def test_a_patch_is_the_photo_cut_to_the_field_of_the_peak() -> None:
    network, pixels = spots(), photo_of(*np.ndindex(11, 7))
    pixels[:6, :, 0] = pixels[:, :2, 0] = 0
    found = np.asarray(patch(network, load_photo(pixels), "1:0"))
    assert receptive_field(network, "1").box((4, 2)) == Box(6, 2, 11, 7)
    np.testing.assert_array_equal(found, pixels[6:11, 2:7])


def test_a_patch_at_a_position_or_of_a_neuron_is_clipped_to_the_photo() -> None:
    network, pixels = spots(), photo_of((10, 6))
    photo = load_photo(pixels)
    np.testing.assert_array_equal(np.asarray(patch(network, photo, "1:0", (0, 7))), pixels[0:3, 12:16])
    np.testing.assert_array_equal(np.asarray(patch(network, photo, "1:0@0,7")), pixels[0:3, 12:16])
    np.testing.assert_array_equal(np.asarray(patch(network, photo, "1:0@0,7", (3, 3))), pixels[4:9, 4:9])
    assert patch(network, photo, "1:0", (0, 7), side=40).size == (40, 30)


def test_a_patch_is_cut_from_a_circuit_as_from_its_photo() -> None:
    network, photo = handmade_network(), colour_photo()
    circuit = trace(network, photo, "warm", depth=1, top=1)
    stored = Circuit.from_dict(circuit.to_dict())
    for source in (circuit, stored):
        found = patch(network, source, "conv1:0", (2, 1))
        assert found.size == (1, 1)
        assert found.getpixel((0, 0)) == photo.image.getpixel((1, 2))
        assert input_crop(network, source).size == (4, 4)


def test_a_stored_circuit_shows_the_crop_that_it_was_traced_on() -> None:
    network = network_of(convolution(torch.rand(2, 3, 3, 3)), nn.ReLU(), *classifier(2), side=16)
    network = replace(network, preprocessing=replace(network.preprocessing, resize=24))
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    circuit = trace(network, load_photo(pixels), depth=1, top=1)
    for source in (circuit, Circuit.from_dict(circuit.to_dict())):
        np.testing.assert_array_equal(np.asarray(input_crop(network, source)), pixels[4:20, 12:28])
        np.testing.assert_array_equal(np.asarray(patch(network, source, "1:0@5,9")), pixels[8:11, 20:23])


def test_a_patch_of_a_class_is_all_that_the_network_sees() -> None:
    network, photo = handmade_network(), colour_photo()
    assert patch(network, photo, "fc:1").size == (4, 4)


def test_a_unit_of_a_narrow_branch_has_a_smaller_patch_than_its_neighbour() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.narrow, self.wide = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 7, padding=3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([torch.relu(self.narrow(x)), torch.relu(self.wide(x))], 1)

    network = network_of(Branches(), nn.Conv2d(4, 4, 1), nn.ReLU(), *classifier(4), side=16)
    photo = load_photo(photo_of())
    assert patch(network, photo, "0:1", (8, 8)).size == (1, 1)
    assert patch(network, photo, "0:2", (8, 8)).size == (7, 7)


def test_the_patch_of_a_picture_is_the_field_of_the_middle_position() -> None:
    network = spots()
    pixels = np.arange(24 * 24, dtype=np.int64).reshape(24, 24, 1) * [1, 0, 0] % 256
    picture = Image.fromarray(pixels.astype(np.uint8))
    # On 24 pixels the layer has 12 positions a side; the middle one, 6, sees pixels 10 to 14.
    np.testing.assert_array_equal(
        np.asarray(patch_of_picture(network, picture, "1:0")), np.asarray(picture)[10:15, 10:15]
    )
    # Zoomed twice, it was shown on 12: 6 positions, and the middle one, 3, sees pixels 4 to 8.
    found = patch_of_picture(network, picture, "1:0", zoom=2)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(picture)[8:18, 8:18])
    assert patch_of_picture(network, picture, "1:0", side=64).size == (64, 64)


def test_the_patch_of_a_class_is_the_whole_picture() -> None:
    network = two_layers()
    assert patch_of_picture(network, Image.new("RGB", (48, 48)), f"{network.layers[-1]}:0").size == (48, 48)


def test_a_picture_that_the_network_sees_resized_is_cut_on_the_scale_of_its_input() -> None:
    lower = convolution(torch.rand(2, 3, 3, 3))
    unpadded = nn.Conv2d(2, 2, 12)
    network = network_of(lower, nn.ReLU(), unpadded, nn.ReLU(), *classifier(2), side=24)
    # A picture of 8 pixels is smaller than the kernel; of 24, the middle position, 6 of 13, sees pixels 5 to 18.
    field = receptive_field(network, "3")
    assert field.box(field.middle) == Box(5, 5, 19, 19)
    assert patch_of_picture(network, Image.new("RGB", (8, 8)), "3:0").size == (4, 4)


def test_patches_that_cannot_be_cut_are_refused() -> None:
    network, photo = spots(), load_photo(photo_of())
    with pytest.raises(UnknownError, match=r"No unit 1:7 in tiny"):
        patch(network, photo, "1:7")
    with pytest.raises(UnknownError, match=r"No position \(8, 0\)"):
        patch(network, photo, "1:0", (8, 0))
    with pytest.raises(InputError, match="side is 0; a patch is at least 1 pixel wide"):
        patch(network, photo, "1:0", side=0)
    with pytest.raises(InputError, match="A picture of 8×8 cannot be zoomed 0 times"):
        patch_of_picture(network, Image.new("RGB", (8, 8)), "1:0", zoom=0)
    with pytest.raises(InputError, match="A picture of 8×8 cannot be zoomed 9 times"):
        patch_of_picture(network, Image.new("RGB", (8, 8)), "1:0", zoom=9)
    padded = network_of(nn.Conv2d(3, 2, 1, padding=1), nn.ReLU(), *classifier(2), side=16)
    with pytest.raises(InputError, match=r"No pixel of the image reaches 1:0 at \(0, 0\)"):
        patch(padded, photo, "1:0@0,0")


def test_a_circuit_without_its_photo_or_of_another_size_shows_no_patch() -> None:
    circuit = trace(handmade_network(), colour_photo(), "warm", depth=1, top=1)
    data = circuit.to_dict()
    with pytest.raises(InputError, match=r"The circuit's photo is 4×4 pixels; tiny sees 16×16"):
        patch(spots(), Circuit.from_dict(data), "1:0@0,0")
    del data["graph"]["photo"]["thumbnail"]
    with pytest.raises(InputError, match="The circuit's file does not carry its photo, so no more can be computed"):
        patch(handmade_network(), Circuit.from_dict(data), "conv1:0@0,0")
