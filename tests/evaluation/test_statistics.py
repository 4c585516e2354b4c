"""Intervals against a plain loop, areas by hand, and the small changes of a photo."""

import math
import random

import numpy as np
import pytest
from PIL import Image

from circuits import InputError, Unit
from circuits.evaluation.estimates import draws, estimate
from circuits.evaluation.stability import CROPS, NOISE, SHIFT, Change, Stability, changes, survival
from circuits.evaluation.statistics import LADDER, area, distance, rungs


def test_an_interval_is_that_of_a_plain_loop() -> None:
    source = np.random.default_rng(1)
    whole, nothing, alone = source.normal(10, 1, 7), source.normal(1, 1, 7), source.normal(6, 2, 7)
    drawn = draws(7, seed=3, count=200)
    found = estimate(alone - nothing, whole, nothing, drawn)
    ratios = []
    for row in drawn:
        top = sum(alone[n] - nothing[n] for n in row)
        ratios.append(top / sum(whole[n] - nothing[n] for n in row))
    ratios.sort()
    places = [0.025 * 199, 0.975 * 199]
    ends = [
        ratios[int(at)] + (at - int(at)) * (ratios[int(at) + 1] - ratios[int(at)]) for at in places
    ]  # the percentile between two draws, by a straight line
    assert found.value == pytest.approx((alone - nothing).sum() / (whole - nothing).sum())
    assert (found.low, found.high) == pytest.approx(tuple(ends))
    assert found.low < found.value < found.high
    assert (draws(7, seed=3, count=200) == drawn).all()
    assert (draws(7, seed=4, count=200) != drawn).any()
    assert (drawn.min(), drawn.max()) == (0, 6)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    source = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        whole = source.uniform(5, 10, 30)
        part = 0.6 * whole + source.normal(0, 1, 30)
        found = estimate(part, whole, np.zeros(30), draws(30, seed=trial, count=200))
        covered += found.low <= 0.6 <= found.high
    assert 180 <= covered <= 198


def test_what_is_not_defined_has_no_value_and_a_shaky_one_no_interval() -> None:
    drawn = draws(2, seed=0)
    one = np.array([1.0, 1.0])
    assert estimate(one, np.array([2.0, 2.0]), np.array([2.0, 1.999]), drawn).value is None
    # A draw of the first photo alone leaves nothing to divide by.
    shaky = estimate(one, np.array([2.0, 3.0]), np.array([2.0, 1.0]), drawn)
    assert (shaky.value, shaky.low, shaky.high) == (1.0, None, None)
    alone = estimate(one[:1], np.array([3.0]), np.array([1.0]), draws(1, seed=0))
    assert (alone.value, alone.low, alone.high) == (0.5, None, None)


def test_a_score_whose_denominator_may_turn_has_no_interval() -> None:
    part, nothing = np.array([1.0, 1.0]), np.zeros(2)
    # A draw of the second photo alone divides by -0.5, one of the first alone by 3.
    turned = estimate(part, np.array([3.0, -0.5]), nothing, draws(2, seed=0))
    assert (turned.value, turned.low, turned.high) == (0.8, None, None)
    below = estimate(part, np.array([-2.0, -1.0]), nothing, draws(2, seed=0))
    assert (below.value, below.low, below.high) == (pytest.approx(-2 / 3), -1.0, -0.5)


def test_there_is_no_share_where_the_change_is_small_beside_its_spread_over_photos() -> None:
    source = np.random.default_rng(5)
    whole, nothing, part = source.normal(2, 3, 12), source.normal(1, 3, 12), source.normal(1, 1, 12)
    for shift in np.linspace(-4, 4, 41):
        change = whole + shift - nothing
        mean = sum(change) / 12
        spread = math.sqrt(sum((each - mean) ** 2 for each in change) / 11)
        found = estimate(part, whole + shift, nothing, draws(12, seed=0, count=50)).value
        if abs(mean) < 0.5 * spread:
            assert found is None
        else:
            assert found == pytest.approx(sum(part) / sum(change))


def test_the_area_is_the_mean_height_along_the_logarithm() -> None:
    assert area([0.001, 0.01, 0.1], [0.2, 0.6, 1.0]) == pytest.approx(0.6)
    assert area([0.1, 0.001, 0.01], [1.0, 0.2, 0.6]) == pytest.approx(0.6)
    # Two thirds of the way at 0.6 in the middle, one third rising from 0: by hand.
    sizes, heights = [1 / math.e**3, 1 / math.e**2, 1.0], [0.0, 0.6, 0.6]
    assert area(sizes, heights) == pytest.approx((0.3 + 1.2) / 3)
    assert area([0.1, 0.1, 1.0], [0.0, 1.0, 0.5]) == pytest.approx(0.5)
    assert distance([0.1, 1.0], [0.5, 1.5]) == pytest.approx(0.5)
    assert area([0.1, 1.0], [0.5, None]) is None
    assert area([0.1, 0.1], [0.5, 0.5]) is None
    assert area([0.0, 0.1, 1.0], [9.0, 0.5, 0.5]) == pytest.approx(0.5)


def test_the_ladder_ends_where_it_is_told_to() -> None:
    assert rungs(20) == (1, 2, 3, 5, 8, 13, 20)
    assert rungs(1) == (1,)
    assert rungs(1000) == (*LADDER, 1000)


def picture() -> Image.Image:
    rows, columns = np.mgrid[:20, :30]
    return Image.fromarray(np.stack([rows * 10, columns * 8, rows + columns], 2).astype(np.uint8))


def test_changes_are_small_known_and_the_same_for_the_same_seed() -> None:
    found = changes(40, seed=5)
    assert found == changes(40, seed=5)
    assert found[:7] == changes(7, seed=5)
    assert found != changes(40, seed=6)
    assert [change.kind for change in found[:5]] == ["flip", "shift", "crop", "noise", "shift"]
    for change in found:
        if change.kind == "shift":
            assert max(map(abs, change.amounts)) <= SHIFT
        elif change.kind == "crop":
            left, top, side = change.amounts
            assert CROPS[0] - 1e-4 <= side <= CROPS[1]
            assert min(left, top) >= 0
            assert max(left, top) + side <= 1
        elif change.kind == "noise":
            assert NOISE[0] - 1e-4 <= change.amounts[0] <= NOISE[1]
        changed = change(picture())
        assert (changed.size, changed.mode) == ((30, 20), "RGB")
        assert np.abs(np.asarray(changed).astype(int) - np.asarray(picture())).max() > 0
    assert changes(0, seed=5) == ()
    with pytest.raises(InputError, match=r"The number of changed photos is -1; it must be 0 or more\."):
        changes(-1, seed=0)


def test_each_change_does_what_it_says() -> None:
    pixels = np.asarray(picture())
    assert (np.asarray(Change("flip")(picture())) == pixels[:, ::-1]).all()
    # 3 of 30 columns right, 2 of 20 rows up; what comes in is the mirror image of what was at the edge.
    moved = np.asarray(Change("shift", (0.1, -0.1))(picture()))
    assert (moved[:18, 3:] == pixels[2:, :-3]).all()
    assert (moved[:18, :3] == pixels[2:, 3:0:-1]).all()
    assert (moved[18:, 3:] == pixels[18:16:-1, :-3]).all()
    cropped = np.asarray(Change("crop", (0.5, 0.5, 0.5))(picture())).astype(int)
    assert cropped[0, 0, 0] >= pixels[9, 0, 0]
    assert cropped[-1, -1, 1] == pytest.approx(pixels[-1, -1, 1], abs=4)
    noisy = np.asarray(Change("noise", (0.05,), 3)(Image.new("L", (200, 200), 128))).astype(float)
    assert noisy.std() == pytest.approx(0.05 * 255, rel=0.05)
    assert noisy.mean() == pytest.approx(128, abs=0.5)
    assert (np.asarray(Change("noise", (0.05,), 3)(Image.new("L", (200, 200), 128))) == noisy).all()


def test_a_photo_of_a_few_pixels_can_be_changed_too() -> None:
    tiny = Image.new("RGB", (4, 4), (10, 20, 30))
    assert all(change(tiny).size == (4, 4) for change in changes(12, seed=0))


def test_survival_counts_edges_and_units_and_leaves_out_what_was_grown_by_hand() -> None:
    top, one, two, low = (Unit("conv2", n) for n in range(4))
    circuit = {"fc:0": (top, one), "conv2:0": (low,), "conv2:1": (low,)}
    found_again = {"fc:0": (top, one), "conv2:0": (low,)}
    changed = [{"fc:0": (top,), "conv2:0": (low,)}, {"fc:0": (one, two)}, found_again, {"fc:0": (two,)}]
    found = survival(circuit, found_again, changed)
    assert found.edges == {
        ("conv2:0", "fc:0"): 0.5, ("conv2:1", "fc:0"): 0.5, ("conv2:3", "conv2:0"): 0.5,
    }  # fmt: skip
    assert found.by_hand == (("conv2:3", "conv2:1"),)
    assert found.units == {"conv2:0": 0.5, "conv2:1": 0.5, "conv2:3": 0.5}
    assert (found.edge_mean, found.unit_mean) == (0.5, 0.5)
    assert (Stability({}, {}).edge_mean, Stability({}, {}).unit_mean) == (None, None)


def test_survival_equals_a_count_by_hand_of_random_circuits() -> None:
    source = random.Random(0)
    units = [Unit("conv1", n) for n in range(6)]
    some = [{"fc:0": tuple(source.sample(units, 3))} for _ in range(9)]
    found = survival(some[0], some[0], some[1:])
    for unit in some[0]["fc:0"]:
        count = 0
        for each in some[1:]:
            count += unit in each["fc:0"]
        assert found.edges[str(unit), "fc:0"] == count / 8
