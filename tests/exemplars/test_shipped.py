"""What ships with the built-in network: scores of its units, and what they do in photos that belong to everyone."""

import numpy as np
import pytest
import skimage.data

from circuits import builtin
from circuits.errors import UnknownError
from circuits.evidence.maps import heat_map
from circuits.exemplars.quantiles import PERCENTS
from circuits.exemplars.shipped import FREE_PHOTOS, FreePhotos, shipped_scores
from circuits.image.photo import load_photo
from circuits.network.loading import load_network
from circuits.units import Unit


def test_every_unit_of_the_network_has_scores_in_order() -> None:
    scores, network = shipped_scores(), load_network()
    assert dict(scores.layers) == {layer.name: layer.channels for layer in network.layer_list}
    assert scores.quantiles.shape == (sum(scores.layers.values()), len(PERCENTS))
    assert bool((scores.quantiles.diff(dim=1) >= 0).all())
    assert bool((scores.quantiles[: -len(builtin.labels())] >= 0).all())  # all layers but the logits are rectified
    assert sorted(scores.peaks(Unit("conv7", 281))) == sorted(PERCENTS)


def test_a_percentile_is_the_percent_whose_quantile_is_reached() -> None:
    scores, unit = shipped_scores(), Unit("conv7", 281)
    peaks = scores.peaks(unit)
    assert [scores.percentile(unit, peaks[percent]) for percent in (75, 90, 99)] == pytest.approx([75, 90, 99])
    assert scores.percentile(unit, (peaks[90] + peaks[95]) / 2) == pytest.approx(92.5)
    assert (scores.percentile(unit, peaks[100] + 1), scores.percentile(unit, -1.0)) == (100, 0)


def test_most_classes_are_driven_most_by_their_own_photos() -> None:
    scores = shipped_scores()
    first = [scores.classes_of(Unit("fc", number))[0][0] for number in range(len(builtin.labels()))]
    assert np.mean([one == other for one, other in zip(first, builtin.labels(), strict=True)]) > 0.95
    assert {sum(count for _, count in scores.classes_of(Unit(layer, 0))) for layer in scores.layers} == {9}


@pytest.mark.parametrize("unit", ["conv8:0", "conv7:384", "fc:68"])
def test_units_that_there_are_not_have_none(unit: str) -> None:
    with pytest.raises(UnknownError, match="There are no scores of"):
        shipped_scores().peaks(Unit.parse(unit))


@pytest.mark.parametrize("address", ["conv1:3", "conv5:17", "conv7:281", "fc:0"])
def test_free_photos_are_in_the_order_of_what_the_unit_does_in_each(address: str) -> None:
    network, unit = load_network(), Unit.parse(address)
    plain = {}
    for name in FREE_PHOTOS:
        photo = load_photo(np.asarray(getattr(skimage.data, name)()), name=name)
        plain[name] = float(heat_map(network, photo, unit).max())
    found = FreePhotos(network).of(unit)
    wanted = sorted((name for name in plain if plain[name] > 0), key=lambda name: -plain[name])[:9]
    assert [each.name for each in found] == wanted
    assert [each.value for each in found] == pytest.approx([plain[name] for name in wanted], rel=1e-4)
    side = found[0].patch.size[0]
    assert (side < 16) if address == "conv1:3" else (side <= 64)
