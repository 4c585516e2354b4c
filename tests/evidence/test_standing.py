"""Where a unit stands among the channels of its layer, on a network whose numbers are known."""

import numpy as np
import pytest

from circuits import Circuit, InputError, UnknownError, load_photo, trace
from circuits.evidence.layer_statistics import Standing, standing
from tests.support.handmade import colour_photo, handmade_network, levels
from tests.support.nets import zoo_network

RED, GREEN, BLUE = levels(1.0, 0.5, 0.25)


def test_peaks_are_ranked_and_silent_channels_counted() -> None:
    network, photo = handmade_network(), colour_photo()
    found = [standing(network, photo, f"conv1:{channel}", bins=4) for channel in range(4)]
    assert [each.rank for each in found] == [1, 2, 3, 4]
    assert [each.peak for each in found] == pytest.approx([RED, GREEN, BLUE, 0.0], abs=1e-6)
    assert {(each.channels, each.silent) for each in found} == {(4, 1)}
    # Bins are a quarter wide: 64/255 and 128/255 lie just above their lower edges.
    assert {each.counts for each in found} == {(1, 1, 1, 1)}
    assert found[0].edges == pytest.approx((0, 0.25, 0.5, 0.75, 1.0))


def test_equal_peaks_share_a_rank() -> None:
    network = handmade_network()
    grey = colour_photo(0.5, 0.5, 0.5)
    assert [standing(network, grey, f"conv1:{channel}").rank for channel in range(4)] == [1, 1, 1, 4]


def test_every_channel_is_in_the_histogram_as_a_loop_counts_it() -> None:
    network = zoo_network("squeezenet1_1")
    photo = load_photo(np.random.default_rng(5).integers(0, 256, (64, 64, 3), dtype=np.uint8), name="noise")
    maps = network.activations(network.preprocessing.input_of(photo))["features.7"][0]
    peaks = [float(each.max()) for each in maps]
    for channel in (0, 31, 100):
        found = standing(network, photo, f"features.7:{channel}", bins=10)
        assert found.rank == 1 + sum(peak > peaks[channel] for peak in peaks)
        assert found.silent == sum(peak <= 0 for peak in peaks)
        assert (found.edges[0], found.edges[-1]) == pytest.approx((min(peaks), max(peaks)))
        expected = [
            sum(low <= peak < high or peak == high == found.edges[-1] for peak in peaks)
            for low, high in zip(found.edges, found.edges[1:], strict=False)
        ]
        assert list(found.counts) == expected


def test_a_circuit_answers_like_its_photo_and_a_neuron_like_its_channel() -> None:
    network, photo = handmade_network(), colour_photo()
    read = Circuit.from_dict(trace(network, photo, depth=2).to_dict())
    whole = standing(network, photo, "conv2:1")
    assert standing(network, read, "conv2:1") == whole
    assert standing(network, photo, "conv2:1@0,3").peak == whole.peak


def test_classes_stand_by_their_logits() -> None:
    found = standing(handmade_network(), colour_photo(), "fc:1")
    assert isinstance(found, Standing)
    assert (found.rank, found.channels, found.silent) == (2, 2, 0)
    assert found.peak == pytest.approx(BLUE + 0.5, abs=1e-6)


def test_units_that_do_not_exist_and_no_bins_are_refused() -> None:
    with pytest.raises(UnknownError, match="No unit conv1:4"):
        standing(handmade_network(), colour_photo(), "conv1:4")
    with pytest.raises(InputError, match="bins is 0; it must be at least 1"):
        standing(handmade_network(), colour_photo(), "conv1:0", bins=0)
