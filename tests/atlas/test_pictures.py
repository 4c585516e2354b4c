"""The pictures of an atlas's units: those missing are drawn, most important first, and from where it was stopped."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from circuits.atlas import pictures
from circuits.atlas.atlas import Atlas
from circuits.atlas.build import build_atlas, cut
from circuits.network.network import Network
from circuits.units import Unit
from circuits.visualization.render import Picture
from circuits.visualization.store import PictureStore


@pytest.fixture
def atlas(network: Network, photos: Path, tmp_path: Path) -> Atlas:
    build_atlas(network, photos, tmp_path / "atlas")
    return Atlas.open(tmp_path / "atlas")


def test_those_come_first_that_contribute_most_to_a_class(atlas: Atlas) -> None:
    units = pictures.by_importance(atlas)
    assert sorted(units) == sorted(atlas.all_units())
    most = [max(each.contribution.mean for each in atlas.classes_of(unit)) for unit in units]
    assert most == sorted(most, reverse=True)
    assert len(set(most)) > 5


def test_what_is_missing_is_drawn_in_that_order_and_goes_on_where_it_was_stopped(
    network: Network, atlas: Atlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, drawn = PictureStore(tmp_path / "pictures"), list[Unit]()

    def draw(network: Network, units: Sequence[Unit], *, store: PictureStore, progress: Any) -> None:
        for done, unit in enumerate(units):
            progress(done * 128, len(units) * 128, "drawing")
            drawn.append(unit)
            store.put(network, Picture(unit, Image.new("RGB", (16, 16)), 1.0))

    monkeypatch.setattr(pictures, "pictures", draw)
    monkeypatch.setattr(pictures, "_AT_ONCE", 4)
    order, network = pictures.by_importance(atlas), cut(network, "linked")
    store.put(network, Picture(order[2], Image.new("RGB", (16, 16)), 1.0))

    def stop(done: int, total: int, message: str) -> None:
        assert total == len(order) - 1
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pictures.draw_missing(network, atlas, store=store, progress=stop)
    wanted = [unit for unit in order if unit != order[2]]
    assert drawn == wanted[:6]
    told: list[int] = []
    assert (
        pictures.draw_missing(network, atlas, store=store, progress=lambda done, total, _: told.append(total - done))
        == len(wanted) - 6
    )
    assert drawn == wanted
    assert np.all(np.diff(told) == -1)
    assert pictures.draw_missing(network, atlas, store=store) == 0
