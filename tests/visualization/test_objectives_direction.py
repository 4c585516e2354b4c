"""Directions of a layer: against a slow definition in 64 bits, and where the answer is known."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from circuits.errors import InputError
from circuits.visualization.objectives.base import Read, pre_activation
from circuits.visualization.objectives.direction import direction, direction_at, dot_times_cosine
from circuits.visualization.objectives.unit import channel
from tests.support.seeing import random_maps, seen


def slow(vector: list[float], activation: list[float], power: float, slope: float | None) -> float:
    """(d · a) · max(cos(d, a), 0.1)^p of one position."""
    a = [value if slope is None or value > 0 else slope * value for value in activation]
    dot = sum(x * y for x, y in zip(vector, a, strict=True))
    if power == 0:
        return dot
    return dot * max(dot / (math.hypot(*vector) * math.hypot(*a)), 0.1) ** power


def positions(values: Tensor) -> list[list[list[float]]]:
    """The vectors of all positions, image by image."""
    return values.flatten(2).transpose(1, 2).tolist()


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("slope", [0.3, None])
def test_a_direction_is_the_mean_over_all_positions(power: float, slope: float | None) -> None:
    values, vector = random_maps(3, 4, 2, 5), [0.5, -1.0, 2.0, 0.0]
    objective = direction("conv1", vector, power, slope)
    expected = [np.mean([slow(vector, a, power, slope) for a in image]) for image in positions(values)]
    assert objective.reads == (Read("conv1", None, rectified=slope is None),)
    assert objective(seen(objective, values)).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("power", [0.0, 2.0])
@pytest.mark.parametrize(("position", "row", "column"), [(None, 1, 2), ((0, 4), 0, 4)])
def test_a_direction_at_a_position_is_the_value_there(
    power: float, position: tuple[int, int] | None, row: int, column: int
) -> None:
    values, vector = random_maps(3, 4, 2, 5), [0.5, -1.0, 2.0, 0.0]
    objective = direction_at("conv1", vector, position, power)
    expected = [slow(vector, image[:, row, column].tolist(), power, 0.3) for image in values]
    assert objective(seen(objective, values)).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("slope", [0.3, None])
def test_a_direction_along_an_axis_is_that_channel(slope: float | None) -> None:
    values = random_maps(3, 4, 3, 3)
    axis, unit = direction("conv1", [0, 0, 1, 0], slope=slope), channel("conv1:2", slope)
    assert torch.allclose(axis(seen(axis, values)), unit(seen(unit, values[:, 2:3])))
    assert axis.reads[0].rectified == unit.reads[0].rectified


def test_the_dot_product_prefers_strength_and_the_cosine_the_direction() -> None:
    fitting, strong = torch.tensor([2.0, 0.0]), torch.tensor([3.0, 9.0])
    values = torch.stack([fitting, strong]).reshape(2, 2, 1, 1)

    def preferred(power: float) -> int:
        objective = direction("conv1", [1.0, 0.0], power)
        return int(objective(seen(objective, values)).argmax())

    assert [preferred(power) for power in (0.0, 1.0, 4.0)] == [1, 0, 0]


def test_the_power_is_that_of_the_cosine() -> None:
    a = torch.tensor([3.0, 4.0], dtype=torch.float64).reshape(1, 2, 1, 1)
    d = torch.tensor([0.0, 1.0], dtype=torch.float64).reshape(1, 2, 1, 1)
    for power in (0.0, 1.0, 2.0, 2.5):
        assert dot_times_cosine(a, d, power).item() == pytest.approx(4 * 0.8**power)


def test_what_points_away_is_turned_round_and_silence_is_left() -> None:
    objective = direction("conv1", [1.0, 0.0], power=2.0, slope=None)
    for start in ([-1.0, 0.5], [0.0, 0.0]):
        values = torch.tensor(start).reshape(1, 2, 1, 1).requires_grad_(True)
        (gradient,) = torch.autograd.grad(objective(seen(objective, values)).sum(), values)
        assert gradient.isfinite().all()
        assert gradient[0, 0, 0, 0] == pytest.approx(0.01)  # 0.1², the floor of the cosine


@pytest.mark.parametrize(
    "vector", [[1, 0, 2.5], (1.0, 0.0, 2.5), np.array([2.5, 0.0, 1.0])[::-1], torch.tensor([1.0, 0.0, 2.5])]
)
def test_a_vector_may_be_any_row_of_numbers(vector) -> None:
    objective = direction("conv1", vector)
    assert objective.vector.tolist() == [1.0, 0.0, 2.5]


def test_a_vector_is_kept_as_it_was_given() -> None:
    given = np.array([1.0, 0.0, 2.5])
    objective = direction("conv1", given)
    given[0] = 7
    assert objective.vector.tolist() == [1.0, 0.0, 2.5]


@pytest.mark.parametrize("make", [direction, direction_at])
@pytest.mark.parametrize(
    ("vector", "complaint"),
    [
        ([0.0, 0.0], "All 2 numbers of the direction are zero, which points nowhere"),
        (np.zeros(0), "All 0 numbers of the direction are zero"),
        ([1.0, math.nan], "has a number that is not finite; give one finite number a channel"),
        ([1.0, math.inf], "has a number that is not finite"),
        (np.ones((2, 3)), r"has shape \(2, 3\); give a row, one number a channel"),
        (torch.tensor(1.0), r"has shape \(\); give a row"),
        (np.array(["a", "b"]), r"\['a' 'b'\] is no row of numbers"),
    ],
)
def test_what_is_no_direction_is_refused(make, vector, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        make("conv1", vector)


@pytest.mark.parametrize("make", [direction, direction_at])
def test_a_vector_of_another_length_than_the_layer_is_refused(make) -> None:
    objective = make("conv1", [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="has 3 numbers, but conv1 has 4 channels; give one number a channel"):
        objective(seen(objective, torch.zeros(1, 4, 2, 2)))


@pytest.mark.parametrize("power", [-1.0, math.nan, math.inf])
def test_a_power_that_does_not_reward_the_direction_is_refused(power: float) -> None:
    with pytest.raises(InputError, match=r"Power \S+ of the cosine would not reward the direction; choose 0 or more"):
        direction("conv1", [1.0], power)


def test_a_slope_that_is_no_weight_is_refused() -> None:
    with pytest.raises(InputError, match=r"Slope 2\.0 is no weight"):
        direction("conv1", [1.0], slope=2.0)


def test_a_position_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="Position 0,-1 has a negative number"):
        direction_at("conv1", [1.0], (0, -1))
    objective = direction_at("conv1", [1.0], (2, 0))
    with pytest.raises(InputError, match="Position 2,0 lies outside of conv1"):
        objective(seen(objective, torch.zeros(1, 1, 2, 2)))


def test_a_direction_of_activations_can_be_asked_of_the_pre_activation() -> None:
    changed = pre_activation(direction("conv1", [1.0, 2.0], power=1.0, slope=None))
    assert changed.reads == (Read("conv1", None, rectified=False),)
    values = random_maps(1, 2, 1, 1)
    assert changed(seen(changed, values)).tolist() == pytest.approx(
        [slow([1.0, 2.0], values.flatten().tolist(), 1.0, None)]
    )
