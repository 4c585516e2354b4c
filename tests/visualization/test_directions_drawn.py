"""Directions of a layer as pictures: what is maximised, what is reached, and where a picture is kept."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from circuits.errors import InputError, UnknownError
from circuits.groups.layer_direction import LayerDirection
from circuits.image.preprocessing import Preprocessing
from circuits.image.tensors import to_images
from circuits.network.network import Network
from circuits.network.prepare import prepare
from circuits.units import Group, Unit
from circuits.visualization.render import reached, render, unit_objective
from circuits.visualization.settings import Settings
from circuits.visualization.store import PictureArchive, PictureStore, pictures
from circuits.visualization.visualize import canvas_of
from tests.support.seeing import random_maps, seen

QUICK = Settings(size=16, steps=2)
WEIGHTS = torch.tensor([0.0, 3.0, 0.0, 4.0])


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    size = Preprocessing((16, 16), 16, (0.5,) * 3, (0.25,) * 3, "bilinear")
    return prepare(net, name="tiny", source="live", preprocessing=size)


def along(weights: torch.Tensor = WEIGHTS, number: int = 0, layer: str = "1") -> LayerDirection:
    return LayerDirection.of(Group(layer, number), weights)


def test_a_direction_along_one_axis_asks_for_what_the_channel_asks_for() -> None:
    values = random_maps(2, 4, 5, 5)
    third = torch.tensor([0.0, 0.0, 1.0, 0.0])
    for settings, of_layer in ((Settings(), values), (Settings(objective="activation"), values.clamp(min=0))):
        axis, own = unit_objective(along(third), settings), unit_objective(Unit("1", 2), settings)
        assert torch.allclose(axis(seen(axis, of_layer)), own(seen(own, of_layer[:, 2:3])))
    up, down = unit_objective(along()), unit_objective(along(), Settings(objective="negative"))
    assert torch.allclose(down(seen(down, values)), -up(seen(up, values)))


def test_what_a_picture_reaches_is_the_highest_projection_on_the_direction(network: Network) -> None:
    image = Image.effect_noise((16, 16), 80).convert("RGB")
    canvas = canvas_of(network, "1", 16, zoom=1)
    found = reached(network, [along(), Unit("1", 3), along(10 * WEIGHTS)], [image] * 3, canvas)
    a = network.activations(network.preprocessing.normalize(to_images([image], 3)), ["1"])["1"][0]
    assert found[0] == pytest.approx(float((0.6 * a[1] + 0.8 * a[3]).max()), rel=1e-4)
    assert found[1] == pytest.approx(float(a[3].max()), rel=1e-4)
    assert found[2] == pytest.approx(found[0], rel=1e-5)  # its length counts for nothing


def test_a_direction_is_drawn_alone_as_it_is_beside_units(network: Network) -> None:
    [alone] = render(network, along(), settings=QUICK)
    beside, channel_one = render(network, [along(), "1:1"], settings=QUICK)
    assert alone.unit == along()
    assert alone.image.tobytes() == beside.image.tobytes()
    assert alone.activation == pytest.approx(beside.activation, rel=1e-5)
    assert channel_one.unit == Unit("1", 1)
    assert channel_one.image.tobytes() != beside.image.tobytes()


def test_pictures_are_kept_by_the_numbers_of_the_direction_and_not_by_its_name(
    network: Network, tmp_path: Path
) -> None:
    store = PictureStore(tmp_path, shipped=PictureArchive(tmp_path / "none.zip"))
    [drawn] = pictures(network, [along(number=3)], settings=QUICK, store=store)
    again = store.get(network, along(number=5), QUICK)
    assert again is not None
    assert again.image.tobytes() == drawn.image.tobytes()
    assert again.activation == drawn.activation
    assert str(again.unit) == "1/5"
    keys = {
        store.key(network, along(weights), settings)
        for weights in (WEIGHTS, WEIGHTS + 1e-6, -WEIGHTS)
        for settings in (QUICK, Settings(size=16, steps=3))
    }
    assert len(keys) == 6
    assert store.key(network, along(), QUICK) not in {store.key(network, f"1:{number}", QUICK) for number in range(4)}
    assert store.key(network, along(), QUICK) != store.key(network, along(layer="0"), QUICK)
    assert store.get(network, along(-WEIGHTS), QUICK) is None


def test_a_direction_of_another_layer_is_refused(network: Network) -> None:
    with pytest.raises(InputError, match=r"The direction of 1/0 has 3 channels and 1 has 4; it belongs to another"):
        render(network, along(torch.ones(3)), settings=QUICK)
    with pytest.raises(UnknownError, match=r"No layer 'conv9'"):
        render(network, along(layer="conv9"), settings=QUICK)
