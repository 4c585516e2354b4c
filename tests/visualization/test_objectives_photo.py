"""Objectives about a photo's activations: against slow definitions in 64 bits, and where the answer is known."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from circuits.errors import InputError
from circuits.image.photo import load_photo
from circuits.visualization.objectives.base import Read, pre_activation
from circuits.visualization.objectives.photo import caricature, inversion
from circuits.visualization.objectives.unit import channel
from tests.support.seeing import random_maps, seen

GREY = Image.new("RGB", (8, 8), "grey")


def photo_like(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def maps(seed: int, count: int = 3) -> Tensor:
    return random_maps(count, 4, 2, 3, seed=seed).relu()


def test_inversion_is_minus_the_relative_squared_distance() -> None:
    here, there = maps(0), maps(1)
    objective = inversion(GREY, "conv1")
    slow = [
        -sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / sum(b**2 for b in y)
        for x, y in zip(here.flatten(1).tolist(), there.flatten(1).tolist(), strict=True)
    ]
    assert objective.reads == (Read("conv1"),)
    assert objective(seen(objective, here, reference=(there,))).tolist() == pytest.approx(slow, rel=1e-12)


def test_inversion_is_best_at_the_photo_itself() -> None:
    objective, there = inversion(GREY, "conv1"), maps(1)
    here = there.clone().requires_grad_(True)
    value = objective(seen(objective, here, reference=(there,)))
    (gradient,) = torch.autograd.grad(value.sum(), here)
    assert value.tolist() == [0.0, 0.0, 0.0]
    assert (gradient == 0).all()
    away = objective(seen(objective, there + 0.1, reference=(there,)))
    assert (away < 0).all()


def test_a_photo_that_excites_nothing_asks_for_silence() -> None:
    objective, there = inversion(GREY, "conv1"), torch.zeros(1, 2, 2, 2)
    here = torch.ones(1, 2, 2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(objective(seen(objective, here, reference=(there,))).sum(), here)
    assert (gradient < 0).all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_a_caricature_goes_in_the_photos_direction_at_each_position(power: float) -> None:
    here, there = maps(0), maps(1)
    objective = caricature(GREY, "conv1", power)
    slow = []
    for x, y in zip(here, there, strict=True):
        places = []
        for a, r in zip(x.flatten(1).T.tolist(), y.flatten(1).T.tolist(), strict=True):
            dot = sum(p * q for p, q in zip(a, r, strict=True))
            sizes = math.hypot(*a) * math.hypot(*r)
            places.append(dot * max(dot / sizes if sizes else 0.0, 0.1) ** power)
        slow.append(np.mean(places) / math.hypot(*y.flatten().tolist()))
    found = objective(seen(objective, here, reference=(there,)))
    assert found.tolist() == pytest.approx(slow, rel=1e-9)


def test_a_caricature_of_power_zero_is_linear_in_the_activations() -> None:
    objective, there = caricature(GREY, "conv1", power=0.0), maps(2)

    def value(here: Tensor) -> Tensor:
        return objective(seen(objective, here, reference=(there,)))

    assert torch.allclose(value(2 * maps(0) + 3 * maps(1)), 2 * value(maps(0)) + 3 * value(maps(1)))


def test_a_caricature_does_not_depend_on_how_strong_the_photo_is() -> None:
    objective, here, there = caricature(GREY, "conv1", power=2.0), maps(0), maps(1)
    once, tenfold = (objective(seen(objective, here, reference=(size * there,))) for size in (1, 10))
    assert torch.allclose(once, tenfold)


def test_more_of_the_photo_is_a_better_caricature_and_a_worse_inversion() -> None:
    there = maps(1)
    for objective, grows in ((caricature(GREY, "conv1"), True), (inversion(GREY, "conv1"), False)):
        once, twice = (objective(seen(objective, size * there, reference=(there,))) for size in (1, 2))
        assert ((twice > once) == grows).all()


@pytest.mark.parametrize("make", [inversion, caricature])
def test_a_silent_image_has_finite_gradients(make) -> None:
    objective = make(GREY, "conv1")
    here = torch.zeros(1, 4, 2, 3, dtype=torch.float64, requires_grad=True)
    value = objective(seen(objective, here, reference=(maps(1, count=1),)))
    (gradient,) = torch.autograd.grad(value.sum(), here)
    assert gradient.isfinite().all()
    assert gradient.any()


@pytest.mark.parametrize("make", [inversion, caricature])
def test_the_photo_is_kept_whole_from_black_to_white(make) -> None:
    image = photo_like(12, 8)
    photo = make(image, "conv1").photo
    expected = np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 255
    assert photo.shape == (1, 3, 8, 12)
    assert np.allclose(photo[0].numpy(), expected)


def test_a_photo_may_be_given_as_any_photo_is(tmp_path: Path) -> None:
    image = photo_like(6, 6)
    image.save(tmp_path / "photo.png")
    expected = inversion(image, "conv1").photo
    for given in (tmp_path / "photo.png", str(tmp_path / "photo.png"), load_photo(image)):
        assert torch.equal(inversion(given, "conv1").photo, expected)


def test_an_objective_keeps_its_photo_when_it_is_multiplied_added_to_and_changed() -> None:
    objective = caricature(GREY, "conv1")
    assert (2 * objective).photo is objective.photo
    assert (objective + channel("conv1:3")).photo is objective.photo
    before = pre_activation(objective)
    assert before.photo is objective.photo
    assert before.reads == (Read("conv1", None, rectified=False),)


def test_a_photo_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InputError, match=r"missing\.png"):
        inversion("missing.png", "conv1")


@pytest.mark.parametrize("power", [-1.0, math.nan])
def test_a_power_that_does_not_reward_the_direction_is_refused(power: float) -> None:
    with pytest.raises(InputError, match=r"Power \S+ of the cosine would not reward the direction"):
        caricature(GREY, "conv1", power)
