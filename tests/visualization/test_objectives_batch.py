"""Terms over the images of one objective: against slow definitions in 64 bits, and where the answer is known."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from circuits.errors import InputError
from circuits.visualization.objectives.base import Read, balance, pre_activation
from circuits.visualization.objectives.batch import Alignment, Interpolation, alignment, diversity, interpolation
from circuits.visualization.objectives.direction import direction
from circuits.visualization.objectives.unit import channel
from tests.support.seeing import random_maps, seen


def slow_diversity(values: np.ndarray) -> list[float]:
    """Minus the mean cosine of each image's Gram matrix with the others'."""
    grams = []
    for maps in values:
        rows = maps.reshape(len(maps), -1)
        grams.append([sum(p * q for p, q in zip(a, b, strict=True)) for a in rows for b in rows])
    cosines = [
        [np.dot(a, b) / (math.hypot(*a) * math.hypot(*b)) for j, b in enumerate(grams) if j != i]
        for i, a in enumerate(grams)
    ]
    return [-float(np.mean(row)) for row in cosines]


def slow_alignment(images: np.ndarray, decay: float) -> list[float]:
    found = []
    for a, one in enumerate(images):
        others = [(decay ** abs(a - b), np.mean((one - other) ** 2)) for b, other in enumerate(images) if b != a]
        found.append(-sum(w * d for w, d in others) / sum(w for w, _ in others))
    return found


@pytest.mark.parametrize("shape", [(4, 3, 2, 3), (3, 12, 1, 2), (2, 5, 1, 1)])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_diversity_is_minus_the_mean_cosine_of_gram_matrices(shape: tuple[int, ...], size: float) -> None:
    objective, values = diversity("conv1"), random_maps(*shape) * size
    assert objective.reads == (Read("conv1"),)
    assert objective(seen(objective, values)).tolist() == pytest.approx(slow_diversity(values.numpy()), abs=1e-12)


def test_diversity_of_nothing_in_common_is_zero_and_of_the_same_minus_one() -> None:
    objective = diversity("conv1")
    apart = torch.zeros(3, 3, 2, 2)
    for image in range(3):
        apart[image, image] = torch.rand(2, 2)  # each image excites a channel of its own
    assert objective(seen(objective, apart)).tolist() == pytest.approx([0, 0, 0], abs=1e-7)
    same = torch.rand(1, 3, 2, 2).expand(3, -1, -1, -1)
    assert objective(seen(objective, same)).tolist() == pytest.approx([-1, -1, -1], abs=1e-6)


def test_diversity_does_not_ask_where_things_lie() -> None:
    objective, maps = diversity("conv1"), torch.rand(1, 3, 4, 4)
    moved = torch.cat([maps, maps.roll((1, 2), dims=(2, 3))])
    assert objective(seen(objective, moved)).tolist() == pytest.approx([-1, -1], abs=1e-6)


def test_a_silent_image_is_different_from_others_and_leaves_gradients_finite() -> None:
    objective = diversity("conv1")
    values = torch.stack([torch.zeros(2, 2, 2), torch.ones(2, 2, 2)]).requires_grad_(True)
    found = objective(seen(objective, values))
    assert found.tolist() == [0.0, 0.0]
    (gradient,) = torch.autograd.grad(found.sum(), values)
    assert gradient.isfinite().all()


def test_diversity_pushes_nearly_identical_images_apart() -> None:
    kernel = random_maps(4, 3, 3, 3)
    start = random_maps(1, 3, 8, 8, seed=1) + 1e-3 * random_maps(3, 3, 8, 8, seed=2)
    images, objective = start.clone(), diversity("conv1")

    def value(images: Tensor) -> Tensor:
        return objective(seen(objective, F.conv2d(images, kernel).relu()))

    for _ in range(40):
        images.requires_grad_(True)
        (gradient,) = torch.autograd.grad(value(images).sum(), images)
        images = (images + 0.05 * gradient / gradient.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()).detach()
    assert float(value(start).max()) < -0.999
    assert float(value(images).max()) > float(value(start).max())
    assert float(value(images).min()) > -0.9
    assert torch.pdist(images.flatten(1)).min() > 10 * torch.pdist(start.flatten(1)).min()


@pytest.mark.parametrize("decay", [0.5, 1.0, 0.1])
def test_alignment_is_minus_the_weighted_difference_of_the_images(decay: float) -> None:
    images, objective = random_maps(5, 3, 4, 4), alignment(decay=decay)
    assert objective.reads == ()
    found = objective(seen(objective, images=images))
    assert found.tolist() == pytest.approx(slow_alignment(images.numpy(), decay), abs=1e-12)


def test_alignment_of_a_layer_compares_its_activations() -> None:
    values, objective = random_maps(4, 2, 3, 3), alignment("conv1", 0.25)
    assert objective.reads == (Read("conv1"),)
    found = objective(seen(objective, values))
    assert found.tolist() == pytest.approx(slow_alignment(values.numpy(), 0.25), abs=1e-12)


def test_alignment_of_nearly_the_same_images_keeps_its_digits_in_32_bits() -> None:
    images = (0.9 + 1e-3 * random_maps(4, 3, 8, 8)).float()
    objective = alignment()
    expected = slow_alignment(images.double().numpy(), 0.5)
    assert objective(seen(objective, images=images)).tolist() == pytest.approx(expected, rel=1e-4)


def test_alignment_pulls_an_image_towards_its_neighbours() -> None:
    images = torch.tensor([0.0, 1.0, 0.0]).reshape(3, 1, 1, 1).requires_grad_(True)
    objective = alignment()
    (gradient,) = torch.autograd.grad(objective(seen(objective, images=images)).sum(), images)
    first, middle, last = gradient.flatten().tolist()
    assert middle < 0 < first == pytest.approx(last)


@pytest.mark.parametrize(
    ("objective", "complaint"),
    [
        (diversity("conv1"), "has no other to differ from; draw two or more"),
        (alignment("conv1"), "has no other to be like; draw two or more"),
    ],
)
def test_one_image_alone_is_refused(objective, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        objective(seen(objective, torch.rand(1, 2, 3, 3)))


@pytest.mark.parametrize("decay", [0.0, -1.0, 1.5, math.nan])
def test_a_decay_that_does_not_fall_is_refused(decay: float) -> None:
    with pytest.raises(InputError, match=r"Decay \S+ does not make the weight of farther images smaller"):
        alignment(decay=decay)


def test_each_image_of_an_interpolation_has_its_own_mixture() -> None:
    objective = interpolation("conv1:3", "conv4:1", steps=5, align=0.0)
    values = random_maps(5, 1, 3, 3), random_maps(5, 1, 2, 2, seed=1)
    units = channel("conv1:3"), channel("conv4:1")
    first, second = (unit(seen(unit, value)).tolist() for unit, value in zip(units, values, strict=True))
    slow = [(1 - t) * a + t * b for t, a, b in zip((0, 0.25, 0.5, 0.75, 1), first, second, strict=True)]
    assert (objective.count, objective.reads) == (5, units[0].reads + units[1].reads)
    assert objective(seen(objective, *values)).tolist() == pytest.approx(slow, abs=1e-12)


@pytest.mark.parametrize("slope", [0.3, None])
def test_between_units_of_a_layer_an_interpolation_is_a_direction(slope: float | None) -> None:
    values, steps = random_maps(4, 6, 3, 3), 4
    objective = interpolation("conv1:1", "conv1:4", steps=steps, align=0.0, slope=slope)
    found = objective(seen(objective, values[:, 1:2], values[:, 4:5]))
    for image, t in enumerate(np.linspace(0, 1, steps)):
        mixture = direction("conv1", [0, 1 - t, 0, 0, t, 0], slope=slope)
        assert mixture(seen(mixture, values[image : image + 1])).item() == pytest.approx(found[image].item(), abs=1e-12)


def test_an_interpolation_is_aligned_unless_asked_otherwise() -> None:
    aligned, plain = interpolation("conv1:3", "conv1:5"), interpolation("conv1:3", "conv1:5", align=0.0)
    row = Interpolation(channel("conv1:3"), channel("conv1:5"), 7)
    assert plain == row
    assert aligned.terms == ((1.0, row), (0.2, Alignment()))
    assert aligned.count == plain.count == 7


def test_an_interpolation_of_activations_can_be_asked_of_the_pre_activations() -> None:
    changed = pre_activation(interpolation("conv1:3", "conv4:1", slope=None))
    assert [read.rectified for read in changed.reads] == [False, False]


def test_an_interpolation_is_drawn_as_its_own_number_of_images() -> None:
    objective = interpolation("conv1:3", "conv1:5", steps=3, align=0.0)
    with pytest.raises(InputError, match="An interpolation of 3 steps is not drawn as 2 images; draw 3"):
        objective(seen(objective, torch.zeros(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)))
    with pytest.raises(InputError, match="about 3 and 4 images cannot be added"):
        objective + interpolation("conv1:3", "conv1:5", steps=4)


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [
        ({"steps": 1}, "cannot have 1 images; choose 2 or more"),
        ({"align": -0.1}, r"Alignment -0\.1 would not keep images alike; choose 0 or more"),
        ({"align": math.nan}, "Alignment nan would not keep images alike"),
        ({"slope": 2.0}, r"Slope 2\.0 is no weight"),
    ],
)
def test_an_interpolation_out_of_range_is_refused(choice, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        interpolation("conv1:3", "conv1:5", **choice)


def test_terms_are_added_to_what_is_drawn_and_balanced_with_their_weights() -> None:
    unit, differ = channel("conv1:3"), diversity("conv4")
    values = random_maps(3, 1, 2, 2), random_maps(3, 4, 2, 2, seed=1)
    expected = unit(seen(unit, values[0])) + 0.5 * differ(seen(differ, values[1]))
    for objective in (unit + 0.5 * differ, balance(unit, 0.5 * differ)):
        assert torch.allclose(objective(seen(objective, *values)), expected)
    assert balance(unit, 0.5 * differ).terms == ((1.0, unit), (0.5, differ))
