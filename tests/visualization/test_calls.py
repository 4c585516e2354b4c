"""The calls of every day: settings as keywords, one unit or several, photos as whatever they come."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from circuits import Settings, load_photo
from circuits.errors import InputError, UnknownError
from circuits.network.network import Network
from circuits.units import Unit
from circuits.visualization import (
    Options,
    PictureStore,
    Visualization,
    channel,
    diverse_pictures,
    inversion,
    make_images,
    neuron,
    pictures,
    render,
    total_variation,
    visualize,
)
from circuits.visualization.render import Picture
from circuits.visualization.transforms import none
from tests.support.drawn import two_layers

SMALL: dict[str, Any] = {"size": 16, "steps": 2}


@pytest.fixture(scope="module")
def network() -> Network:
    return two_layers()


def bytes_of(drawn: list[Picture] | list[Visualization]) -> list[bytes]:
    return [each.image.tobytes() if isinstance(each, Picture) else each.images[0].tobytes() for each in drawn]


@pytest.mark.parametrize("units", ["4:7", Unit("4", 7), ["4:7"], (Unit("4", 7),)])
def test_settings_may_be_keywords_and_one_unit_need_not_be_a_list(network: Network, units: Any) -> None:
    keywords = render(network, units, **SMALL, seed=3, images="pixels")
    assert bytes_of(keywords) == bytes_of(render(network, ["4:7"], settings=Settings(**SMALL, seed=3, images="pixels")))


def test_a_layer_stands_for_all_of_its_units(network: Network) -> None:
    drawn = render(network, ["7", "1:3"], **SMALL)
    count = network.layer("7").channels
    assert [picture.unit for picture in drawn] == [*(Unit("7", at) for at in range(count)), Unit("1", 3)]


def test_stored_pictures_take_the_same_keywords(network: Network, tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    drawn = pictures(network, "4:7", **SMALL, store=store)
    assert bytes_of(drawn) == bytes_of(pictures(network, ["4:7"], settings=Settings(**SMALL), store=store))
    assert store.get(network, "4:7", Settings(**SMALL)) is not None
    several = diverse_pictures(network, "4:7", **SMALL, store=store)
    assert bytes_of(several) == bytes_of(diverse_pictures(network, "4:7", settings=Settings(**SMALL), store=store))


def test_objectives_take_options_as_keywords_and_by_their_names(network: Network, tmp_path: Path) -> None:
    photo = Image.fromarray(np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3))
    photo.save(tmp_path / "start.png")
    options = Options(
        **SMALL, images=make_images("pixels"), transform=none, regularizers=(0.1 * total_variation(),), start=photo
    )
    wanted = bytes_of(visualize(network, [channel("4:7")], options=options))
    for start in (photo, str(tmp_path / "start.png"), np.asarray(photo), load_photo(photo)):
        drawn = visualize(
            network,
            channel("4:7"),
            **SMALL,
            images="pixels",
            transform="none",
            regularizers=0.1 * total_variation(),
            start=start,
        )
        assert bytes_of(drawn) == wanted
    same = visualize(network, channel("4:7"), **SMALL, images=make_images("pixels"), transform=none)
    assert bytes_of(same) == bytes_of(visualize(network, "4:7", **SMALL, images="pixels", transform="none"))


def test_units_stand_for_their_objectives(network: Network) -> None:
    named = visualize(network, ["4:7", Unit("4", 7, (0, 1)), channel("1:2"), "7"], **SMALL)
    count = network.layer("7").channels
    whole = [channel(Unit("7", at)) for at in range(count)]
    assert [each.objective for each in named] == [channel("4:7"), neuron("4:7"), channel("1:2"), *whole]


@pytest.mark.parametrize("draw", [render, pictures, diverse_pictures])
def test_a_wrong_choice_and_both_spellings_say_what_to_do(network: Network, draw: Any) -> None:
    with pytest.raises(UnknownError, match=r"^Pictures have no setting 'sise'; there are size, steps, seed, "):
        draw(network, "4:7", sise=32)
    with pytest.raises(InputError, match=r"^Both settings= and size were given; say all of it in one of the two"):
        draw(network, "4:7", settings=Settings(), size=32)
    with pytest.raises(InputError, match=r"Size 8 cannot be drawn"):
        draw(network, "4:7", size=8)


def test_a_wrong_option_and_both_spellings_say_what_to_do(network: Network) -> None:
    with pytest.raises(UnknownError, match=r"^Pictures have no option 'objective'; there are size, steps, images"):
        visualize(network, "4:7", objective="negative")
    with pytest.raises(InputError, match=r"^Both options= and size, steps were given; say all of it in one of the two"):
        visualize(network, "4:7", options=Options(), **SMALL)
    with pytest.raises(UnknownError, match=r"There is no transform 'wild'; there are none, light, standard, tokens\."):
        visualize(network, "4:7", transform="wild")
    with pytest.raises(UnknownError, match=r"Images cannot be written as 'wild'"):
        visualize(network, "4:7", images="wild")


def test_units_that_do_not_exist_are_named(network: Network) -> None:
    with pytest.raises(UnknownError, match=r"No unit 4:99"):
        render(network, "4:99", **SMALL)
    with pytest.raises(InputError, match=r"'conv9' is not a unit"):
        render(network, "conv9", **SMALL)


def test_a_photo_of_an_objective_may_be_an_array_or_a_tensor() -> None:
    values = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    wanted = inversion(Image.fromarray(values), "conv1").pixels
    tensor = torch.from_numpy(values).permute(2, 0, 1)
    for photo in (values, tensor, tensor[None], tensor / 255, load_photo(tensor)):
        assert torch.equal(inversion(photo, "conv1").pixels, wanted)
