"""Pictures of one unit that differ: drawn together, stored beside the first one, further apart than by chance."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from circuits import load_network
from circuits.errors import UnknownError
from circuits.network.network import Network
from circuits.visualization.diverse import COUNT, diverse_key, diverse_objective, diverse_pictures
from circuits.visualization.objectives.base import Balanced
from circuits.visualization.objectives.unit import channel
from circuits.visualization.settings import Settings
from circuits.visualization.store import PictureStore
from circuits.visualization.visualize import Options, visualize

SMALL = Settings(size=32, steps=12)


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network("squeezenet1_1", weights="random")


def spread(images: list[object]) -> float:
    """Mean distance of pictures in pixels."""
    pixels = [np.asarray(image, dtype=float) for image in images]
    return float(np.mean([np.abs(one - other).mean() for one, other in combinations(pixels, 2)]))


def test_four_pictures_are_drawn_stored_and_found_again(network: Network, tmp_path: Path) -> None:
    store, seen = PictureStore(tmp_path), []
    drawn = diverse_pictures(
        network, "features.4:3", settings=SMALL, store=store, progress=lambda *told: seen.append(told)
    )
    assert len(drawn) == COUNT == len({picture.image.tobytes() for picture in drawn})
    assert seen
    keys = [diverse_key(store, network, "features.4:3", place, SMALL) for place in range(COUNT)]
    assert len({*keys, store.key(network, "features.4:3", SMALL)}) == COUNT + 1
    assert all(store.path(key) is not None for key in keys)
    assert store.get(network, "features.4:3", SMALL) is None
    seen.clear()
    again = diverse_pictures(
        network, "features.4:3", settings=SMALL, store=store, progress=lambda *told: seen.append(told)
    )
    assert not seen
    assert [picture.activation for picture in again] == [picture.activation for picture in drawn]


def test_a_store_without_variants_keeps_its_old_addresses(network: Network, tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    assert store.key(network, "features.4:3") == store.key(network, "features.4:3", variant="")
    assert store.key(network, "features.4:3") != store.key(network, "features.4:3", variant="other")


def test_the_pull_apart_is_in_the_layer_or_in_the_next_below_that_has_places(network: Network) -> None:
    own = diverse_objective(network, channel("features.4:3"), "features.4")
    top = diverse_objective(network, channel("classifier:3"), "classifier")
    assert isinstance(own, Balanced)
    assert {read.layer for read in own.reads} == {"features.4"}
    lower = next(name for name in reversed(network.layers) if network.layer(name).height > 1)
    assert {read.layer for read in top.reads} == {"classifier", lower}


def test_they_differ_more_than_pictures_drawn_apart(network: Network) -> None:
    objective = channel("features.4:3")
    few = Options(size=48, steps=24)
    [apart] = visualize(network, [objective], count=COUNT, options=few)
    [together] = visualize(network, [diverse_objective(network, objective, "features.4")], count=COUNT, options=few)
    assert spread(list(together.images)) > spread(list(apart.images))


def test_a_unit_that_does_not_exist_is_refused(network: Network, tmp_path: Path) -> None:
    with pytest.raises(UnknownError, match="9999"):
        diverse_pictures(network, "features.4:9999", settings=SMALL, store=PictureStore(tmp_path))
