"""Maps of units: what fires together lies together."""

from typing import Any

import numpy as np
import pytest

from circuits.atlas.unit_map import unit_map
from circuits.errors import InputError


class Peaks:
    """An atlas of one layer, whose units' peaks in some photos are known."""

    def __init__(self, peaks: Any) -> None:
        self.peaks = np.asarray(peaks, dtype=np.float64)

    def layer(self, name: str) -> None:
        """There is but one."""

    def coactivation(self, layer: str) -> Any:
        """Pearson's correlation."""
        return np.corrcoef(self.peaks.T)


def families(seed: int = 0) -> Any:
    """Three families of eight units, each of which follows one of three signals."""
    chance = np.random.default_rng(seed)
    signals = chance.normal(size=(200, 3))
    return np.repeat(signals, 8, axis=1) + 0.3 * chance.normal(size=(200, 24))


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_families_lie_apart_and_the_map_is_the_same_again(method: str) -> None:
    atlas: Any = Peaks(families())
    places = unit_map(atlas, "c", method)
    assert (places.shape, places.min(), places.max()) == ((24, 2), 0, 1)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    own = np.arange(24) // 8
    same = own[:, None] == own[None]
    assert apart[same].max() < 0.5 * apart[~same].min()
    assert np.allclose(places, unit_map(atlas, "c", method), atol=1e-4)


def test_pca_keeps_the_distances_of_standardised_peaks_in_two_directions() -> None:
    """Of units that span two directions all distances are kept."""
    chance = np.random.default_rng(3)
    angles = chance.uniform(0, 2 * np.pi, 9)
    first, second = np.linalg.qr(chance.normal(size=(50, 3)) @ np.diag([0, 1, 1]) + [[1, 0, 0]] * 50)[0].T[1:]
    peaks = np.outer(first, np.cos(angles)) + np.outer(second, np.sin(angles))
    unit = (peaks - peaks.mean(0)) / np.linalg.norm(peaks - peaks.mean(0), axis=0)
    expected = np.linalg.norm(unit.T[:, None] - unit.T[None], axis=-1)
    atlas: Any = Peaks(peaks)
    places = unit_map(atlas, "c", "pca").astype(float)
    # The axes are stretched to 0 … 1 each, which leaves the order along each of them: undone by least squares.
    scale = np.sqrt(np.linalg.lstsq(_squares(places), (expected**2)[np.triu_indices(9, 1)], rcond=None)[0])
    found = np.linalg.norm((places * scale)[:, None] - (places * scale)[None], axis=-1)
    assert np.allclose(found, expected, atol=2e-3)


def _squares(places: Any) -> Any:
    rows, columns = np.triu_indices(len(places), 1)
    return (places[rows] - places[columns]) ** 2


def test_few_units_and_silent_ones_have_places_and_other_ways_are_refused() -> None:
    class Silent(Peaks):
        def coactivation(self, layer: str) -> Any:
            return np.eye(self.peaks.shape[1])

    for count in (1, 2, 7):
        atlas: Any = Silent(np.zeros((4, count)))
        assert np.isfinite(unit_map(atlas, "c")).all()
    with pytest.raises(InputError, match="'umap' is no way to place units; there is tsne, pca"):
        unit_map(atlas, "c", "umap")
