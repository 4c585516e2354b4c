"""Objectives about units and layers: against slow definitions in 64 bits, and where the answer is known."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from circuits.errors import InputError, UnknownError
from circuits.units import Unit
from circuits.visualization.objectives.base import Objective, Read, pre_activation
from circuits.visualization.objectives.unit import (
    Channel,
    channel,
    class_logit,
    class_probability,
    joint,
    layer,
    negative,
    neuron,
    objective_of,
)
from tests.support.seeing import random_maps, seen


def slope_at(objective: Objective, values: Tensor) -> Tensor:
    """Gradient of the objective at these activations."""
    values = values.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(objective(seen(objective, values)).sum(), values)
    return gradient


def plain_mean(values: Tensor, function) -> list[float]:
    return [float(np.mean([function(value) for value in image.flatten().tolist()])) for image in values]


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_a_channel_is_the_mean_leaky_pre_activation(slope: float) -> None:
    values = random_maps(4, 1, 5, 6)
    slow = plain_mean(values, lambda z: z if z > 0 else slope * z)
    objective = channel("conv1:3", slope=slope)
    assert objective.reads == (Read("conv1", (3,), rectified=False),)
    assert objective(seen(objective, values)).tolist() == pytest.approx(slow, abs=1e-12)


def test_a_channel_without_slope_is_the_mean_activation() -> None:
    objective = channel("conv1:3", slope=None)
    values = random_maps(2, 1, 3, 3).relu()
    assert objective.reads == (Read("conv1", (3,), rectified=True),)
    assert objective(seen(objective, values)).tolist() == pytest.approx(plain_mean(values, float), abs=1e-12)


def test_a_silent_unit_has_a_gradient_under_the_objective_and_none_once_rectified() -> None:
    silent = torch.full((1, 1, 3, 3), -4.0)
    assert torch.allclose(slope_at(channel("conv1:0"), silent), torch.tensor(0.3 / 9))
    rectified = channel("conv1:0", slope=None)
    dead = silent.requires_grad_(True)
    (gradient,) = torch.autograd.grad(rectified(seen(rectified, dead.relu())).sum(), dead)
    assert (gradient == 0).all()


@pytest.mark.parametrize("objective", [channel("conv1:3"), negative("conv1:3")])
def test_an_edge_detector_is_not_blind_to_where_things_lie(objective: Objective) -> None:
    # The mean of this convolution, away from the border, is the mean of its input times zero.
    kernel = torch.tensor([[-1.0, 0.0, 1.0]]).expand(3, 3)[None, None].double()
    image = random_maps(1, 1, 12, 12).requires_grad_(True)
    values = F.conv2d(image, kernel)
    (gradient,) = torch.autograd.grad(objective(seen(objective, values)).sum(), image, retain_graph=True)
    (of_mean,) = torch.autograd.grad(values.mean(), image)
    inner = (slice(None), slice(None), slice(3, 9), slice(3, 9))
    assert of_mean[inner].abs().max() < 1e-12
    assert gradient[inner].abs().max() > 1e-3


def test_a_neuron_is_the_value_at_its_position() -> None:
    values = random_maps(2, 1, 5, 4)
    for objective, row, column in (
        (neuron("conv1:3"), 2, 2),
        (neuron("conv1:3", (4, 0)), 4, 0),
        (neuron("conv1:3@1,3"), 1, 3),
        (neuron("conv1:3@1,3", (0, 0)), 0, 0),
    ):
        assert objective.reads == (Read("conv1", (3,), rectified=False),)
        expected = [float(image[0][row][column]) for image in values.tolist() for image in [np.array(image)]]
        assert objective(seen(objective, values)).tolist() == pytest.approx(expected)


def test_away_from_the_border_a_neuron_wants_the_same_wherever_it_is() -> None:
    kernel = random_maps(1, 3, 3, 3, seed=1)

    def wanted(row: int, column: int) -> Tensor:
        image = torch.zeros(1, 3, 12, 12, dtype=torch.float64, requires_grad=True)
        objective = neuron("conv1:0", (row, column))
        value = objective(seen(objective, F.conv2d(image, kernel, padding=1)))
        (gradient,) = torch.autograd.grad(value.sum(), image)
        return gradient

    assert torch.allclose(wanted(3, 4).roll((4, 2), dims=(2, 3)), wanted(7, 6))
    assert torch.allclose(wanted(3, 4)[0, :, 2:5, 3:6], kernel[0])


@pytest.mark.parametrize("position", [(5, 0), (0, 4)])
def test_a_position_outside_of_the_map_is_refused(position: tuple[int, int]) -> None:
    objective = neuron("conv1:3", position)
    with pytest.raises(InputError, match=r"Position \d,\d lies outside of conv1, .* has 5 rows and 4 columns, from 0"):
        objective(seen(objective, torch.zeros(1, 1, 5, 4)))


def test_a_negative_position_is_refused() -> None:
    with pytest.raises(InputError, match="negative number"):
        neuron("conv1:3", (0, -1))


def test_a_layer_is_the_mean_square_of_its_activations() -> None:
    objective, values = layer("conv1"), random_maps(2, 3, 4, 5).relu()
    assert objective.reads == (Read("conv1"),)
    assert objective(seen(objective, values)).tolist() == pytest.approx(plain_mean(values, lambda a: a * a), abs=1e-12)
    # DeepDream: the gradient at the layer is the activation itself, up to a constant.
    assert torch.allclose(slope_at(objective, values), values * 2 / 60)


def test_a_class_logit_is_the_logit_whatever_its_sign() -> None:
    objective = class_logit("fc:2")
    assert objective.reads == (Read("fc", (2,), rectified=False),)
    assert objective(seen(objective, torch.tensor([-4.0, 3.0]).reshape(2, 1, 1, 1))).tolist() == [-4.0, 3.0]


def test_a_class_probability_is_the_softmax_of_all_logits() -> None:
    objective, logits = class_probability("fc:2"), random_maps(3, 5, 1, 1) * 4
    slow = [math.exp(row[2]) / sum(map(math.exp, row)) for row in logits.flatten(1).tolist()]
    assert objective.reads == (Read("fc", None, rectified=False),)
    assert objective(seen(objective, logits)).tolist() == pytest.approx(slow, rel=1e-12)


def test_a_probability_grows_when_another_class_shrinks_and_a_logit_does_not() -> None:
    logits = random_maps(1, 5, 1, 1)
    others = [0, 1, 3, 4]
    assert (slope_at(class_probability("fc:2"), logits)[:, others] < 0).all()
    assert class_logit("fc:2").reads[0].channels == (2,)


def test_probabilities_of_a_layer_of_many_positions_are_averaged() -> None:
    logits = random_maps(1, 4, 2, 3)
    objective = class_probability("fc:1")
    slow = np.mean([np.exp(z[1]) / np.exp(z).sum() for z in logits[0].flatten(1).T.numpy()])
    assert objective(seen(objective, logits)).tolist() == pytest.approx([slow], rel=1e-12)


def test_the_probability_of_a_class_that_does_not_exist_is_refused() -> None:
    objective = class_probability("fc:7")
    with pytest.raises(UnknownError, match=r"There is no fc:7; fc has 5 channels, from 0\."):
        objective(seen(objective, torch.zeros(1, 5, 1, 1)))


def test_a_negative_is_the_mean_leaky_value_of_the_sign_turned() -> None:
    objective, values = negative("conv1:3", slope=0.2), random_maps(3, 1, 4, 4)
    slow = plain_mean(values, lambda z: -z if z < 0 else -0.2 * z)
    assert objective(seen(objective, values)).tolist() == pytest.approx(slow, abs=1e-12)


def test_the_negative_of_a_convolution_is_the_channel_of_its_kernel_turned() -> None:
    kernel, image = random_maps(1, 3, 3, 3), random_maps(2, 3, 8, 8, seed=1)
    against, turned = negative("conv1:0"), channel("conv1:0")
    expected = turned(seen(turned, F.conv2d(image, -kernel)))
    assert torch.allclose(against(seen(against, F.conv2d(image, kernel))), expected)


def test_a_silent_unit_is_driven_further_down() -> None:
    silent = torch.full((1, 1, 2, 2), -4.0)
    assert torch.allclose(slope_at(negative("conv1:0"), silent), torch.tensor(-1 / 4))
    rectified = channel("conv1:0", slope=None)
    assert (rectified * -1)(seen(rectified, silent.relu())).tolist() == [0.0]  # nothing left to gain there


def test_a_joint_objective_is_the_sum_with_each_part_on_its_own_scale() -> None:
    both, parts = joint("conv1:3", "conv4:1"), (channel("conv1:3"), channel("conv4:1"))
    values = random_maps(2, 1, 3, 3), random_maps(2, 1, 2, 2, seed=1) * 1000
    assert both.reads == parts[0].reads + parts[1].reads
    assert both.terms == ((1.0, parts[0]), (1.0, parts[1]))
    plain = parts[0] + parts[1]
    assert plain.terms == ((1.0, plain),)
    for objective in (both, plain):
        expected = sum(part(seen(part, value)) for part, value in zip(parts, values, strict=True))
        assert torch.allclose(objective(seen(objective, *values)), expected)


def test_a_joint_objective_of_one_unit_is_refused() -> None:
    with pytest.raises(InputError, match="1 objective cannot be balanced; give two or more"):
        joint("conv1:3")


@pytest.mark.parametrize("make", [channel, negative, joint])
@pytest.mark.parametrize("slope", [-0.1, 1.5, math.nan])
def test_a_slope_that_is_no_weight_is_refused(make, slope: float) -> None:
    units = ("conv1:3", "conv1:4") if make is joint else ("conv1:3",)
    with pytest.raises(InputError, match=r"Slope \S+ is no weight of what pulls the other way; choose 0 to 1"):
        make(*units, slope=slope)


def test_objectives_are_added_taken_away_and_multiplied_by_their_values() -> None:
    first, second = channel("conv1:3"), neuron("conv4:1")
    values = random_maps(2, 1, 3, 3), random_maps(2, 1, 2, 2, seed=1)
    a, b = first(seen(first, values[0])), second(seen(second, values[1]))
    for objective, expected in (
        (first + second, a + b),
        (first - second, a - b),
        (2 * first - second / 4, 2 * a - b / 4),
        (-(first + second) * 3, -3 * (a + b)),
    ):
        assert objective.reads == first.reads + second.reads
        assert torch.allclose(objective(seen(objective, *values)), expected)


def test_a_read_that_two_terms_share_is_asked_for_once() -> None:
    assert (channel("conv1:3") - 0.1 * neuron("conv1:3")).reads == (Read("conv1", (3,), rectified=False),)


@pytest.mark.parametrize("objective", [layer("conv1"), channel("conv1:3", slope=None)])
def test_an_objective_can_be_asked_of_the_pre_activation(objective: Objective) -> None:
    values = random_maps(2, 3, 4, 4)
    [before] = pre_activation(objective).reads
    [after] = objective.reads
    assert (after.rectified, before.rectified) == (True, False)
    changed = pre_activation(objective)
    assert torch.equal(changed(seen(changed, values)), objective(seen(objective, values)))


def test_a_unit_with_a_position_is_a_neuron_in_the_middle() -> None:
    assert objective_of(Unit("conv1", 3, (9, 9))) == neuron(Unit("conv1", 3))
    assert objective_of(Unit("conv1", 3)) == channel("conv1:3")


def test_a_channel_is_that_of_the_whole_unit() -> None:
    assert channel("conv1:3@1,1") == Channel(Unit("conv1", 3))
    assert negative("conv1:3@1,1").unit == class_probability("conv1:3@1,1").unit == Unit("conv1", 3)
