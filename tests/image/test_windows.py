"""The window through which a network looks at a photo: its shape, its pixels, and that every place honours it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from circuits import Circuit, InputError, Network, Photo, Preprocessing, heat_map, load_photo, predict, trace
from circuits.evidence.layer_statistics import firing_at
from circuits.evidence.saliency import gradient_picture
from circuits.image.encode import to_data_uri
from circuits.image.photo import check_window, nearest_window
from circuits.tracing.intervene import intervene
from circuits.tracing.source import input_crop
from circuits.visualization.objectives.photo import inversion
from tests.support.commandline import on_handmade, refusal, run
from tests.support.handmade import handmade_network

HALF = (0.5,) * 3


def noise(width: int, height: int, low: int = 0, high: int = 256) -> Photo:
    pixels = np.random.default_rng(0).integers(low, high, (height, width, 3), dtype=np.uint8)
    return load_photo(pixels, name="noise")


@pytest.fixture(scope="module")
def network() -> Network:
    return handmade_network()


@pytest.fixture
def photo() -> Photo:
    return noise(30, 24)


@pytest.fixture
def framed(photo: Photo) -> Photo:
    return photo.framed((2.5, 3, 14.5, 15))


def triangles(pixels: np.ndarray, start: float, end: float, count: int) -> np.ndarray:
    """Rows of an image resampled, pixel by pixel: a triangle over each output pixel, as wide as it covers."""
    scale = (end - start) / count
    reach = max(scale, 1.0)
    rows = []
    for place in range(count):
        centre = start + (place + 0.5) * scale
        weights = np.clip(1 - np.abs(np.arange(len(pixels)) + 0.5 - centre) / reach, 0, None)
        rows.append(np.tensordot(weights / weights.sum(), pixels, 1))
    return np.array(rows)


@pytest.mark.parametrize("window", [(3, 5, 27, 21), (2.5, 0.25, 20.5, 12.25), (10, 10, 19, 16)])
def test_the_window_is_resampled_with_a_triangle_over_each_pixel(window: tuple[float, ...]) -> None:
    photo, see = noise(40, 30), Preprocessing((8, 12), 8, HALF, HALF)
    left, top, right, bottom = window
    rows = triangles(np.asarray(photo.image, dtype=float), top, bottom, 8)
    expected = triangles(rows.swapaxes(0, 1), left, right, 12).swapaxes(0, 1)
    found = np.asarray(see.crop_of(photo.framed(window)), dtype=float)
    # Pillow rounds to 8 bits after each direction.
    assert np.abs(found - expected).max() <= 1.01


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("corner", [(0, 0), (3, 7), (28, 22)])
def test_a_window_of_the_inputs_own_size_is_shown_pixel_for_pixel(interpolation: str, corner: tuple[int, int]) -> None:
    photo, see = noise(40, 30), Preprocessing((8, 12), 20, HALF, HALF, interpolation)
    left, top = corner
    found = see.crop_of(photo.framed((left, top, left + 12, top + 8)))
    assert np.array_equal(np.asarray(found), np.asarray(photo.image)[top : top + 8, left : left + 12])


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", [(60, 40), (40, 61), (30, 30), (11, 17)])
def test_the_frame_of_the_centre_is_what_the_centre_crop_shows(shape: tuple[int, int], interpolation: str) -> None:
    # Away from black and white, where Pillow's order of directions decides what overshoot it cuts off.
    photo, see = noise(*shape, 90, 165), Preprocessing((16, 16), 19, HALF, HALF, interpolation)
    assert photo.window is None
    window = see.window_of(photo)
    here = np.asarray(see.crop_of(photo.framed(window)), dtype=int)
    assert np.abs(here - np.asarray(see.crop(photo.image), dtype=int)).max() <= 1
    assert np.array_equal(np.asarray(see.crop_of(photo)), np.asarray(see.crop(photo.image)))


def test_a_window_of_another_shape_shows_its_middle_undistorted() -> None:
    photo, square = noise(40, 30), Preprocessing((8, 8), 8, HALF, HALF)
    wide = photo.framed((4, 6, 24, 14))
    assert square.window_of(wide) == (10, 6, 18, 14)
    assert np.array_equal(np.asarray(square.crop_of(wide)), np.asarray(photo.image)[6:14, 10:18])
    assert Preprocessing((8, 4), 8, HALF, HALF).window_of(wide) == (12, 6, 16, 14)
    assert Preprocessing((5, 20), 8, HALF, HALF).window_of(wide) == (4, 7.5, 24, 12.5)


def test_a_greyscale_network_sees_the_window_in_grey() -> None:
    photo, see = noise(20, 20), Preprocessing((8, 8), 8, (0.5,), (0.5,))
    crop = see.crop_of(photo.framed((5, 6, 13, 14)))
    assert crop.mode == "L"
    assert crop.tobytes() == photo.image.crop((5, 6, 13, 14)).convert("L").tobytes()
    assert see.input_of(photo.framed((5, 6, 13, 14))).shape == (1, 1, 8, 8)


@pytest.mark.parametrize(
    ("drawn", "aspect", "expected"),
    [
        ((10, 10, 30, 30), 1.0, (10, 10, 30, 30)),
        ((30, 30, 10, 10), 1.0, (10, 10, 30, 30)),
        ((10, 10, 30, 20), 1.0, (10, 5, 30, 25)),
        ((10, 10, 20, 30), 1.0, (5, 10, 25, 30)),
        ((90, -10, 110, 10), 1.0, (80, 0, 100, 20)),
        ((-50, -50, 500, 500), 1.0, (50, 0, 100, 50)),
        ((-500, 20, -480, 40), 1.0, (0, 20, 20, 40)),
        ((50, 20, 50, 20), 1.0, (46, 16, 54, 24)),
        ((50, 20, 50, 20), 2.0, (46, 18, 54, 22)),
        ((50, 20, 50, 20), 0.5, (48, 16, 52, 24)),
        ((0, 0, 100, 50), 4.0, (0, 12.5, 100, 37.5)),
    ],
)
def test_a_drawn_rectangle_becomes_the_nearest_window(drawn: tuple, aspect: float, expected: tuple) -> None:
    assert nearest_window(drawn, aspect, 100, 50) == pytest.approx(expected)


def test_any_rectangle_becomes_a_window_of_the_right_shape_inside_the_photo() -> None:
    chance = np.random.default_rng(3)
    for _ in range(300):
        width, height = (int(side) for side in chance.integers(2, 400, 2))
        size = (int(chance.integers(1, 300)), int(chance.integers(1, 300)))
        see = Preprocessing(size, 32, HALF, HALF)
        photo = Photo("p", "0" * 64, width, height, Image.new("RGB", (width, height)))
        left, top, right, bottom = see.framed(photo, [float(n) for n in chance.normal(100, 200, 4)]).window
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert (right - left) / (bottom - top) == pytest.approx(size[1] / size[0])
        assert max(right - left, bottom - top) >= min(8, width, height) - 1e-6


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        ((-1, 0, 10, 10), r"The window \(-1, 0, 10, 10\) does not lie in the photo of 30×24 pixels"),
        ((0, 0, 30.5, 10), r"does not lie in the photo"),
        ((0, 0, 10, 25), r"does not lie in the photo"),
        ((10, 0, 10, 10), r"does not lie in the photo"),
        ((20, 0, 10, 10), r"does not lie in the photo"),
        ((0, 0, 7, 7.5), r"shows 7×7\.5 pixels; make its longer side 8 or more"),
        ((0, 0, float("nan"), 10), "four finite numbers, left, top, right and bottom; this one is .*nan"),
        ((0, 0, float("inf"), 10), "four finite numbers"),
        ((0, 0, 10), r"four finite numbers.*this one is \(0, 0, 10\)"),
    ],
)
def test_a_window_that_cannot_be_looked_through_is_refused(photo: Photo, window: tuple, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        photo.framed(window)


def test_a_photo_smaller_than_eight_pixels_may_be_shown_whole() -> None:
    assert check_window((0, 0, 4, 4), 4, 4) == (0, 0, 4, 4)
    with pytest.raises(InputError, match="make its longer side 4 or more"):
        check_window((0, 0, 3, 3), 4, 4)


def test_another_window_makes_another_photo_and_none_gives_the_centre_back(photo: Photo, framed: Photo) -> None:
    assert framed != photo
    assert framed.sha256 == photo.sha256
    assert framed.framed(None) == photo
    assert framed.part.size == (12, 12)
    assert photo.part is photo.image


def test_every_place_sees_what_is_in_the_window(network: Network, photo: Photo, framed: Photo) -> None:
    cut = network.preprocessing.crop_of(framed)
    alone = load_photo(cut, name="cut")
    assert input_crop(network, framed).tobytes() == cut.tobytes() != input_crop(network, photo).tobytes()
    assert predict(network, framed) == predict(network, alone) != predict(network, photo)
    assert np.array_equal(heat_map(network, framed, "conv1:0"), heat_map(network, alone, "conv1:0"))
    assert np.array_equal(gradient_picture(network, framed, "conv2:0"), gradient_picture(network, alone, "conv2:0"))
    assert firing_at(network, framed, "conv1", (0.5, 0.5)) == firing_at(network, alone, "conv1", (0.5, 0.5))
    assert intervene(network, framed, {"conv1:0": 0}).effects == intervene(network, alone, {"conv1:0": 0}).effects
    circuit = trace(network, framed, depth=2)
    assert circuit.graph.graph["photo"]["thumbnail"] == to_data_uri(cut, lossless=True)
    assert dict(circuit.graph.nodes(data=True)) == dict(trace(network, alone, depth=2).graph.nodes(data=True))


def test_an_inversion_is_of_the_part_in_the_window(photo: Photo) -> None:
    part = photo.framed((3, 5, 19, 21))
    expected = torch.from_numpy(np.asarray(photo.image)[5:21, 3:19].copy()).permute(2, 0, 1)[None] / 255
    assert torch.allclose(inversion(part, "conv1").photo, expected)


@pytest.mark.parametrize("window", [None, (2.5, 3, 14.5, 15), (0, 0, 24, 24)])
def test_the_photo_of_a_file_gives_the_same_circuit_again(
    network: Network, photo: Photo, window: tuple | None, tmp_path: Path
) -> None:
    shown = photo.framed(window)
    circuit = trace(network, shown, "warm", depth=2)
    circuit.to_json(tmp_path / "circuit.json")
    read = Circuit.from_json(tmp_path / "circuit.json")
    assert read.photo == shown
    assert not read.photo.whole
    assert torch.equal(network.preprocessing.input_of(read.photo), network.preprocessing.input_of(shown))
    assert trace(network, read.photo, "warm", depth=2) == circuit
    assert trace(network, read.photo, "cold", depth=1).predictions == circuit.predictions


def test_the_seen_part_is_not_cropped_again_where_the_network_resizes_first() -> None:
    see, photo = Preprocessing((8, 8), 12, HALF, HALF), noise(8, 8)
    crop = see.crop(photo.image)
    seen = Photo(photo.name, photo.sha256, 8, 8, crop, whole=False)
    assert see.crop_of(seen).tobytes() == crop.tobytes() != see.crop(crop).tobytes()
    assert see.window_of(seen) == see.window_of(photo)


def test_a_network_of_another_size_sees_the_middle_of_the_seen_part() -> None:
    seen = Photo("p", "0" * 64, 300, 200, noise(12, 8).image, (30.0, 40.0, 150.0, 120.0), whole=False)
    assert Preprocessing((8, 8), 8, HALF, HALF).crop_of(seen).tobytes() == seen.image.crop((2, 0, 10, 8)).tobytes()


def test_the_window_of_a_photo_of_which_only_a_part_is_left_cannot_be_moved(network: Network, photo: Photo) -> None:
    read = Circuit.from_dict(trace(network, photo, depth=1).to_dict())
    with pytest.raises(InputError, match="Of noise only what the network saw is at hand; load the photo again"):
        read.photo.framed((0, 0, 10, 10))
    with pytest.raises(InputError, match="only what the network saw is at hand"):
        network.preprocessing.framed(read.photo, (0, 0, 10, 10))


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        ([0, 0, 31, 24], "does not lie in the photo of 30×24 pixels"),
        ([0, 0, 10], "not valid at graph/photo/window"),
        ([0, 0, "10", 10], "not valid at graph/photo/window/2"),
        ([0, 0, 2, 2], "make its longer side 8 or more"),
    ],
)
def test_a_file_with_a_window_that_cannot_be_is_refused(network: Network, window: list, sentence: str) -> None:
    data = trace(network, noise(30, 24), depth=1).to_dict()
    data["graph"] = data["graph"] | {"photo": data["graph"]["photo"] | {"window": window}}
    with pytest.raises(InputError, match=sentence):
        Circuit.from_dict(data)


def of_network(folder: Path) -> list[str]:
    """The hand-wired network, in words that every command takes."""
    return ["--input-size" if option == "--size" else option for option in on_handmade(folder)]


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (["predict"], ["--json"]),
        (["what-if"], ["--unit", "conv1:0=0.5", "--json"]),
        (["evidence", "conv2:0"], ["--json"]),
        (["trace"], ["--json", "--depth", "1"]),
    ],
)
def test_commands_look_at_the_window_alone(
    network: Network, photo: Photo, framed: Photo, tmp_path: Path, command: list[str], options: list[str]
) -> None:
    photo.image.save(tmp_path / "noise.png")
    network.preprocessing.crop_of(framed).save(tmp_path / "cut.png")

    def told(name: str, *more: str) -> dict:
        result = run(*command, tmp_path / name, *options, *more, *of_network(tmp_path))
        assert result.exit_code == 0, result.stderr
        found = json.loads(result.stdout)
        found.pop("photo", None)
        found.get("graph", {}).pop("photo", None)
        return found

    assert told("noise.png", "--window", "2.5,3,14.5,15") == told("cut.png") != told("noise.png")


def test_evidence_says_which_part_was_seen(photo: Photo, tmp_path: Path) -> None:
    photo.image.save(tmp_path / "noise.png")
    asked = ["evidence", "conv2:0", tmp_path / "noise.png", "--json", *of_network(tmp_path)]
    assert json.loads(run(*asked).stdout)["photo"]["window"] == [0, 0, 24, 24]
    assert json.loads(run(*asked, "--window", "2,3,22,13").stdout)["photo"]["window"] == [7, 3, 17, 13]


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        ("1,2,x", "--window '1,2,x' is no window; write left,top,right,bottom, such as 80,40,304,264."),
        ("1,2,3", "A window is four finite numbers"),
        ("0,0,31,20", "The window (0, 0, 31, 20) does not lie in the photo of 30×24 pixels"),
    ],
)
def test_a_window_that_was_written_wrong_is_said_in_one_sentence(
    photo: Photo, tmp_path: Path, window: str, sentence: str
) -> None:
    photo.image.save(tmp_path / "noise.png")
    said = refusal(run("predict", tmp_path / "noise.png", "--window", window, *on_handmade(tmp_path)))
    assert sentence in said
