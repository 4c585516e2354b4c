"""Signed evidence as pictures: the scale, the grey, the colours, and who can tell them apart."""

import re

import numpy as np
import pytest
from PIL import Image

from circuits.errors import InputError
from circuits.image.encode import own_scale, show_map, show_picture

# Linear RGB as dichromats see it: Viénot, Brettel & Mollon 1999.
BLIND = {
    "to red": np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]),
    "to green": np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]),
    "to nothing": np.eye(3),
}


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(2, shape).astype(np.float32)


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.995, 1.0])
def test_the_scale_is_the_quantile_of_the_magnitudes_that_are_not_zero(quantile):
    values = noise(30, 20, 3)
    values[:15] = 0
    magnitudes = sorted(abs(float(v)) for v in values.ravel() if v != 0)
    place = quantile * (len(magnitudes) - 1)
    low, high = magnitudes[int(place)], magnitudes[min(int(place) + 1, len(magnitudes) - 1)]
    assert own_scale(values, quantile=quantile) == pytest.approx(low + (place - int(place)) * (high - low), rel=1e-6)


@pytest.mark.parametrize("factor", [1e-30, -1e-8, 1.0, -3.0, 1e25])
def test_the_same_share_is_saturated_whatever_the_magnitude_and_however_much_is_empty(factor):
    values = noise(40, 50, 3)
    framed = np.zeros((400, 400, 3), dtype=np.float32)
    framed[300:340, 10:60] = values * np.float32(factor)
    scale = own_scale(framed)
    assert scale == pytest.approx(abs(factor) * own_scale(values), rel=1e-5)
    assert np.mean(np.abs(framed[framed != 0]) > scale) == pytest.approx(0.005, abs=1e-4)
    cut = np.asarray(show_picture(framed))[300:340, 10:60].astype(int)
    expected = np.asarray(show_picture(np.sign(np.float32(factor)) * values)).astype(int)
    assert np.abs(cut - expected).max() <= 1
    # Of a picture that fills less than one value in two hundred, the quantile of everything would be zero.
    framed[310:] = 0
    assert np.quantile(np.abs(framed), 0.995) == 0 < own_scale(framed)


def test_an_outlier_does_not_darken_the_rest():
    values = np.random.default_rng(0).normal(size=(40, 50, 1))
    before = np.asarray(show_picture(values)).astype(int)
    values[3, 4] = 1e6
    after = np.asarray(show_picture(values)).astype(int)
    before[3, 4] = after[3, 4] = 0
    assert np.abs(after - before).max() <= 8
    assert before.std() > 10


def test_zero_is_grey_and_full_strength_is_black_or_white():
    values = np.zeros((1, 7, 3))
    values[0, :, 0] = [0, 4, -4, 2, -2, 1, -9]
    picture = np.asarray(show_picture(values, quantile=0.8))
    assert own_scale(values, quantile=0.8) == 4
    assert picture[0, :, 0].tolist() == [128, 255, 0, 191, 64, 159, 0]
    assert (picture[..., 1:] == 128).all()


def test_one_colour_is_shown_in_grey():
    picture = show_picture(noise(5, 6, 1))
    assert (picture.mode, picture.size) == ("RGB", (6, 5))
    assert (np.ptp(np.asarray(picture).astype(int), axis=2) == 0).all()


def test_nothing_is_grey_all_over():
    assert set(np.asarray(show_picture(np.zeros((4, 5, 3)))).ravel()) == {128}
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    empty = np.asarray(show_map(photo, np.zeros((2, 2)), size=16), dtype=float)
    assert np.ptp(empty, axis=2).max() < np.ptp(np.asarray(photo, dtype=float), axis=2).max()


@pytest.mark.parametrize(("size", "expected"), [(None, (20, 10)), (20, (20, 10)), (300, (300, 150)), (4, (4, 2))])
def test_a_picture_has_the_wanted_size(size, expected):
    assert show_picture(noise(10, 20, 3), size=size).size == expected


def test_a_picture_is_enlarged_smoothly():
    values = np.zeros((2, 2, 3))
    values[:, 0], values[:, 1] = -1, 1
    row = np.asarray(show_picture(values, size=40))[20, :, 0].astype(int)
    assert row[0] == 0
    assert row[-1] == 255
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() < 20


def test_what_excites_glows_teal_and_what_inhibits_orange():
    grey = Image.new("RGB", (60, 20), (128, 128, 128))
    picture = np.asarray(show_map(grey, np.array([[1.0, 0.0, -1.0]]), size=60)).astype(int)
    teal, middle, orange = picture[10, 5], picture[10, 30], picture[10, 55]
    assert min(teal[1], teal[2]) > teal[0] + 40
    assert abs(teal[1] - teal[2]) < 15
    assert orange[0] > orange[2] + 40
    assert np.ptp(middle) < 30


@pytest.mark.parametrize("blind", BLIND)
@pytest.mark.parametrize("paper", [0, 128, 255], ids=["dark", "grey", "light"])
@pytest.mark.parametrize("strength", [0.4, 0.7, 1.0])
def test_colours_can_be_told_apart_by_the_colour_blind_on_any_photo(blind, paper, strength):
    photo = Image.new("RGB", (90, 30), (paper,) * 3)
    levels = np.repeat(np.array([[strength, 0.0, -strength, 1.0]]), 2, axis=0)
    picture = np.asarray(show_map(photo, levels, size=90, quantile=1.0), dtype=float)
    # The last column is only there to set the scale.
    excites, nothing, inhibits = (_lab(picture[15, at], BLIND[blind]) for at in (5, 33, 56))
    apart, visible = (0.1, 0.05) if strength < 0.5 else (0.2, 0.1)
    assert np.linalg.norm(excites - inhibits) > apart
    assert np.linalg.norm(excites - nothing) > visible
    assert np.linalg.norm(inhibits - nothing) > visible


def test_a_map_that_only_excites_has_the_colours_of_one_that_does_both():
    grey = Image.new("RGB", (60, 20), (128, 128, 128))
    both = np.asarray(show_map(grey, np.array([[1.0, 1.0, 0.0, 0.0, 0.0, -1.0]]), size=60))
    one = np.asarray(show_map(grey, np.array([[1.0, 1.0, 0.0, 0.0, 0.0, 0.0]]), size=60))
    assert np.array_equal(both[:, :30], one[:, :30])


def _lab(rgb: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """OKLab (Ottosson 2020) of an sRGB colour, 0 to 255, as someone sees it; 0.02 is just noticeable."""
    s = rgb / 255
    linear = np.clip(seen @ np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4), 0, 1)
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    mixed = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return mixed @ np.cbrt(cones @ linear)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda: show_picture(np.ones((4, 4, 2))),
            "A gradient picture has pixels of 1 or 3 colours; this one has the shape (4, 4, 2).",
        ),
        (
            lambda: show_picture(np.ones((0, 4, 3))),
            "A gradient picture has pixels of 1 or 3 colours; this one has the shape (0, 4, 3).",
        ),
        (
            lambda: show_picture(np.full((2, 2, 3), np.nan)),
            "There are numbers that are not finite in what is to be shown.",
        ),
        (
            lambda: show_map(Image.new("RGB", (4, 4)), np.full((2, 2), np.inf), size=8),
            "There are numbers that are not finite in what is to be shown.",
        ),
        (lambda: show_picture(np.ones((2, 2, 3)), size=0), "size is 0; a picture must be at least 1 pixel long."),
        (
            lambda: show_picture(np.ones((2, 2, 3)), quantile=0.0),
            "quantile is 0.0; it must be above 0 and at most 1, such as 0.995.",
        ),
    ],
)
def test_what_cannot_be_shown_is_refused(call, expected):
    with pytest.raises(InputError, match=f"^{re.escape(expected)}$"):
        call()
