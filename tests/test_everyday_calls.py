"""What a photo, units and layers may be given as, in every public function that asks for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import circuits
from circuits import Network, Photo, Unit

Ways = dict[str, Any]


@pytest.fixture(scope="module")
def network() -> Network:
    return circuits.load_network()


@pytest.fixture(scope="module")
def photo() -> Photo:
    return circuits.load_photo("example:cat")


@pytest.fixture(scope="module")
def ways(photo: Photo, tmp_path_factory: pytest.TempPathFactory) -> Ways:
    """One photo in every form that `load_photo` takes."""
    file = tmp_path_factory.mktemp("photos") / "cat.png"
    photo.image.save(file)
    values = np.asarray(photo.image)
    tensor = torch.from_numpy(values.copy()).permute(2, 0, 1)
    return {
        "photo": photo,
        "path": file,
        "text": str(file),
        "example": "example:cat",
        "bytes": file.read_bytes(),
        "PIL": Image.fromarray(values),
        "array": values,
        "tensor": tensor,
        "floats": tensor[None] / 255,
    }


FUNCTIONS: dict[str, Callable[[Network, Any], Any]] = {
    "argued": lambda network, photo: circuits.trace(network, photo, depth=1, top=1).edges_into("fc:0"),
    "predict": circuits.predict,
    "heat_map": lambda network, photo: circuits.heat_map(network, photo, "conv3:5"),
    "edge_maps": lambda network, photo: circuits.edge_maps(network, photo, "conv3:5", "conv4:1").lower,
    "gradient": lambda network, photo: circuits.gradient_picture(network, photo, "conv3:5"),
    "path": lambda network, photo: circuits.path_picture(network, photo, ["conv4:1", "conv3:5"]),
    "relative": lambda network, photo: circuits.relative_picture(network, photo, "conv3:5", "conv4:1"),
    "patch": lambda network, photo: circuits.patch(network, photo, "conv3:5").tobytes(),
    "standing": lambda network, photo: circuits.standing(network, photo, "conv3:5").rank,
    "firing": lambda network, photo: circuits.firing_at(network, photo, "conv3", (0.5, 0.5), count=3),
    "correlations": lambda network, photo: circuits.correlations(network, photo, ["conv3:5", "conv3:6"]),
    "intervene": lambda network, photo: circuits.intervene(network, photo, {"conv3:5": 0}).effects,
    "mean": lambda network, photo: circuits.mean_of_photos(network, [photo], layers=["conv2"]).means["conv2"],
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_photo_may_be_whatever_load_photo_takes(function: str, network: Network, photo: Photo, ways: Ways) -> None:
    wanted = FUNCTIONS[function](network, photo)
    for way, given in ways.items():
        np.testing.assert_equal(np.asarray(FUNCTIONS[function](network, given)), np.asarray(wanted), err_msg=way)


def test_every_form_of_a_photo_is_one_photo(photo: Photo, ways: Ways) -> None:
    assert {circuits.load_photo(given).sha256 for way, given in ways.items() if way != "photo"} == {photo.sha256}


def test_units_alone_are_ablated_and_one_class_need_not_be_a_list(network: Network, photo: Photo) -> None:
    wanted = circuits.intervene(network, photo, {"conv3:5": 0.0}, classes=["dog"])
    for changes in ("conv3:5", Unit("conv3", 5), ["conv3:5"], (Unit("conv3", 5),)):
        alone = circuits.intervene(network, photo, changes, classes="dog")
        assert alone.changes == wanted.changes == ((Unit("conv3", 5), 0.0),)
        assert alone.effects == wanted.effects


def test_a_layer_stands_for_all_of_its_units(network: Network, photo: Photo) -> None:
    units = [f"conv1:{channel}" for channel in range(network.layer("conv1").channels)]
    wanted = circuits.correlations(network, photo, units)
    assert np.array_equal(circuits.correlations(network, photo, "conv1"), wanted)


def test_one_layer_need_not_be_a_list(network: Network, photo: Photo, tmp_path: Path) -> None:
    assert list(circuits.mean_of_photos(network, [photo], layers="conv2").means) == ["conv2"]
    photo.image.save(tmp_path / "cat.png")
    index = circuits.index_photos(network, tmp_path, layers="conv2", into=tmp_path / "index")
    assert len(index.of("conv2:3").most) == 1


def test_a_tensor_of_another_kind_is_refused_in_a_sentence(network: Network) -> None:
    with pytest.raises(circuits.InputError, match=r"tensor has floats outside 0 to 1"):
        circuits.predict(network, torch.full((3, 8, 8), 2.0))
    with pytest.raises(circuits.InputError, match=r"tensor has shape \(2, 3, 8, 8\)"):
        circuits.predict(network, torch.zeros(2, 3, 8, 8))
