"""What is asked of an evaluation: what is taken, and the sentence for what is not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from circuits import Baseline, Circuit, InputError, Network, evaluate, trace
from circuits.evaluation.arguments import baselines_of, count_of, ladder_of, photos_of, seed_of
from tests.support.handmade import colour_photo, handmade_network

BARE = {"controls": False, "ladder": (), "stability": 0}


@pytest.fixture(scope="module")
def network() -> Network:
    return handmade_network()


@pytest.fixture(scope="module")
def circuit(network: Network) -> Circuit:
    return trace(network, colour_photo(), "warm", depth=2, top=2)


def test_a_photo_given_twice_counts_once_and_makes_no_mean(network: Network, circuit: Circuit) -> None:
    other = colour_photo(0.5, 0.5, 1.0)
    found = evaluate(network, circuit, [other, colour_photo(0.5, 0.5, 1.0)], **BARE)
    assert found.baselines == ("zero",)
    assert "give two photos or more" in found.notes[0]
    assert found.rows == evaluate(network, circuit, [other], **BARE).rows
    two = [other, colour_photo(1.0, 0.75, 0.0)]
    assert evaluate(network, circuit, [*two, other], **BARE).rows == evaluate(network, circuit, two, **BARE).rows


def test_its_own_photo_given_alone_is_no_other_photo(network: Network, circuit: Circuit) -> None:
    found = evaluate(network, circuit, [colour_photo()], **BARE)
    assert (found.main, {row.over for row in found.rows}, len(found.counted)) == ("own", {"own"}, 1)
    assert found.rows == evaluate(network, circuit, **BARE).rows
    assert "there is only one photo to take a mean over" in found.notes[0]
    assert found.notes[0].endswith("or give more photos that the network calls warm.")


def test_photos_are_what_a_photo_can_be_loaded_from(network: Network, circuit: Circuit, tmp_path: Path) -> None:
    photo = colour_photo(0.5, 0.5, 1.0)
    photo.image.save(tmp_path / "blue.png")
    pixels = np.asarray(photo.image)
    found = photos_of([tmp_path / "blue.png", pixels, colour_photo()])
    assert [each.sha256 for each in found] == [photo.sha256, colour_photo().sha256]
    by_file = evaluate(network, circuit, [str(tmp_path / "blue.png")], **BARE)
    assert by_file.rows == evaluate(network, circuit, [photo], **BARE).rows


@pytest.mark.parametrize(
    ("photos", "told"),
    [("cat.png", "'cat.png'"), (Path("cat.png"), "cat.png"), (colour_photo(), "colour"), (None, "NoneType")],
)
def test_one_photo_is_no_list_of_photos(photos: Any, told: str) -> None:
    with pytest.raises(InputError, match=f"photos is {told}; give a list of photos, even where it is one"):
        photos_of(photos)


def test_a_circuit_that_shows_nothing_below_its_target_is_refused(network: Network) -> None:
    dark = trace(network, colour_photo(0.0, 1.0, 0.0), "conv2:0@1,1", depth=1, top=2)
    assert dark.to_dict()["edges"] == []
    with pytest.raises(InputError, match=r"The circuit shows no unit below conv2:0@1,1, so there is nothing to score"):
        evaluate(network, dark, **BARE)


def test_numbers_are_whole_and_in_range() -> None:
    assert seed_of(np.int64(3)) == 3
    assert type(seed_of(np.int64(3))) is int
    assert seed_of(2**63 - 1) == 2**63 - 1
    assert ladder_of(np.array([1, 3])) == (1, 3)
    assert ladder_of(range(1, 3)) == (1, 2)
    for seed in (-1, 2**63):
        with pytest.raises(InputError, match=rf"seed is {seed}; it must be 0 or more and below 2\^63\."):
            seed_of(seed)
    for wrong in (1.5, "3", None, True):
        with pytest.raises(InputError, match=rf"seed is {wrong!r}; it must be a whole number\."):
            seed_of(wrong)
        with pytest.raises(InputError, match=rf"draws is {wrong!r}; it must be a whole number\."):
            count_of("draws", wrong, least=1)
        with pytest.raises(InputError, match=r"The ladder is \[.*\]; each number counts units .* must be whole"):
            ladder_of([wrong])
    for wrong in (5, "123", None):
        with pytest.raises(InputError, match=rf"The ladder is {wrong!r}; give whole numbers above 0 in a row"):
            ladder_of(wrong)


def test_baselines_are_a_list_of_different_ones() -> None:
    zero, mean = Baseline.zero(), Baseline("mean", "a few", {"one": torch.zeros(2)})
    assert baselines_of((zero, mean)) == [zero, mean]
    with pytest.raises(InputError, match=r"baselines is empty; give at least one, such as Baseline\.zero\(\)\."):
        baselines_of([])
    with pytest.raises(InputError, match=r"baselines has 2 of the name mean; give one of each name\."):
        baselines_of([zero, mean, Baseline("mean", "others", {})])
    for wrong in (zero, "zero", ["zero"], 3):
        with pytest.raises(InputError, match=r"baselines is .*; give a list of Baseline, such as \[Baseline\.zero"):
            baselines_of(wrong)
