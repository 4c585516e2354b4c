"""Directions that were planted in a layer are found again, and what does not matter is not fitted."""

import numpy as np
import pytest
import torch
from torch import Tensor

from circuits import InputError
from circuits.groups import fit as fitting
from circuits.groups.coding import encode
from circuits.groups.dictionary import Dictionary, matched
from circuits.groups.fit import fit
from tests.support.nets import seeded

CHANNELS, POSITIONS = 24, 100


def planted(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Four directions, some with channels in common, and an activation made of them, few at each position."""
    rows = torch.zeros(4, CHANNELS)
    for number in range(4):
        rows[number, 5 * number : 5 * number + 7] = 0.5 + torch.rand(7, generator=seeded(number + 10))
    sizes = torch.rand(4, POSITIONS, generator=seeded(seed)) * (
        torch.rand(4, POSITIONS, generator=seeded(seed + 1)) < 0.4
    )
    return rows, rows.T @ sizes


def test_planted_directions_are_found() -> None:
    rows, activation = planted()
    pairs = matched(rows, fit(activation, 4))
    assert len(pairs) == 4
    assert min(cosine for _, _, cosine in pairs) > 0.97


def test_directions_of_both_signs_hold_what_was_planted_and_the_mean_is_one_more() -> None:
    """What tells the tokens from the mean is non-negative amounts of three directions; other cones hold them too."""
    rows = torch.randn(3, CHANNELS, generator=seeded(5))
    sizes = torch.rand(3, POSITIONS, generator=seeded(6)) * (torch.rand(3, POSITIONS, generator=seeded(7)) < 0.5)
    mean = 9 * torch.randn(CHANNELS, generator=seeded(8))
    activation = mean[:, None] + rows.T @ sizes
    found = fit(activation, 3, signed=True, mean=mean)
    coded = encode(Dictionary(found, "tokens"), activation[None, :, :, None])
    assert float(coded.residual.square().sum() / (rows.T @ sizes).square().sum()) < 0.02
    torch.testing.assert_close(found[-1], mean / mean.norm())
    code = encode(Dictionary(found, "tokens"), mean[None, :, None, None])
    torch.testing.assert_close(code.weights.flatten(), torch.tensor([0.0, 0, 0, float(mean.norm())]), atol=1e-3, rtol=0)
    assert fit(-torch.ones(4, 1), 8, signed=True).tolist() == [[-0.5] * 4]  # a single token is one direction
    assert bool((fit(activation, 3) >= 0).all())


def test_permuted_directions_are_not_those_that_were_planted() -> None:
    """The control: cosines of about a half are what any sparse directions have."""
    rows, activation = planted()
    found = fit(activation, 4)
    shuffled = torch.stack([row[torch.randperm(CHANNELS, generator=seeded(n))] for n, row in enumerate(found)])
    assert max(cosine for _, _, cosine in matched(rows, shuffled)) < 0.8


def test_a_weighted_fit_finds_what_matters_and_leaves_the_rest() -> None:
    """With two groups for two planted ones and a third, louder one in channels that do not matter."""
    rows = torch.zeros(3, 12)
    rows[0, 0:4], rows[1, 4:8], rows[2, 8:12] = 1.0, 1.0, 5.0
    sizes = torch.rand(3, POSITIONS, generator=seeded(3)) * (torch.rand(3, POSITIONS, generator=seeded(4)) < 0.5)
    activation = rows.T @ sizes
    importance = torch.full((12, POSITIONS), 1e-6).double()
    importance[:8] = 1.0
    plain, weighted = fit(activation, 2), fit(activation, 2, importance)
    worth = [
        sorted(cosine for _, _, cosine in matched(rows[:2, :8], found[:, :8] + 1e-9)) for found in (plain, weighted)
    ]
    assert worth[1][0] > 0.99
    assert worth[0][0] < 0.9


def test_a_weighted_fit_is_at_rest_where_no_size_or_weight_alone_can_be_bettered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The slow definition: of each number the derivative of the objective is zero or, at zero, points upwards."""
    monkeypatch.setattr(fitting, "SWEEPS", 3000)
    source = np.random.default_rng(0)
    matrix, weights = source.random((7, 5)), source.random((7, 5)) + 0.1
    sizes, rows = (torch.tensor(part, requires_grad=True) for part in fitting._factorise(matrix, 2, weights))
    objective = (torch.from_numpy(weights) * (torch.from_numpy(matrix) - sizes @ rows) ** 2).sum()
    objective.backward()
    for part in (sizes, rows):
        assert part.grad is not None
        assert (part >= 0).all()
        assert (part.grad[part > 0].abs() < 1e-6).all()
        assert (part.grad[part == 0] > -1e-6).all()


def test_more_sweeps_make_no_weighted_fit_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    source = np.random.default_rng(1)
    matrix, weights = source.random((30, 12)), source.random((30, 12)) ** 4
    losses = []
    for sweeps in (0, 1, 3, 10, 30):
        monkeypatch.setattr(fitting, "SWEEPS", sweeps)
        sizes, rows = fitting._factorise(matrix, 4, weights)
        losses.append(float((weights * (matrix - sizes @ rows) ** 2).sum()))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


def test_directions_are_of_length_one_and_the_largest_comes_first() -> None:
    _, activation = planted()
    found = fit(activation, 4)
    assert found.norm(dim=1).tolist() == pytest.approx([1.0] * 4, abs=1e-6)
    from circuits.groups.coding import encode

    sums = encode(Dictionary(found, "here"), activation[None, :, :, None]).weights.sum((1, 2))
    assert sums.argmax() == 0


def test_the_same_is_found_again() -> None:
    _, activation = planted()
    importance = torch.rand(CHANNELS, POSITIONS, generator=seeded(9)).double()
    assert torch.equal(fit(activation, 3, importance), fit(activation, 3, importance))


def test_there_are_no_more_groups_than_positions_or_active_channels() -> None:
    assert len(fit(torch.rand(6, 2, generator=seeded(0)) + 0.1, 5)) <= 2
    silent = torch.zeros(6, 30)
    silent[[1, 4]] = torch.rand(2, 30, generator=seeded(1)) + 0.1
    found = fit(silent, 5)
    assert len(found) <= 2
    assert not found[:, [0, 2, 3, 5]].any()


@pytest.mark.parametrize(
    ("activation", "groups", "message"),
    [(torch.zeros(3, 4), 2, "Nothing is active"), (torch.ones(3, 4), 0, "groups is 0")],
)
def test_what_has_no_groups_is_refused(activation: Tensor, groups: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit(activation, groups)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"directions": torch.zeros(2, 3)}, "zero everywhere"),
        ({"directions": torch.tensor([[float("nan"), 1.0, 1.0]])}, "not all finite"),
        ({"encoder": torch.ones(2, 3)}, "both or neither"),
        ({"encoder": torch.ones(3, 2), "bias": torch.ones(2)}, "encoder is 3 × 2"),
        ({"encoder": torch.ones(2, 3), "bias": torch.ones(5)}, "bias is 5"),
    ],
)
def test_a_dictionary_that_is_none_is_refused(changes: dict[str, Tensor], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Dictionary(**{"directions": torch.ones(2, 3), "source": "here", **changes})


def test_a_dictionary_survives_its_row() -> None:
    rows = torch.tensor([[0.0, 0.1, 3.0], [1.0, 0.0, 0.0]])
    one = Dictionary(rows, "here", True, torch.randn(2, 3, generator=seeded(0)), torch.tensor([0.5, -0.25]))
    other = Dictionary.of_row(one.to_row())
    assert torch.equal(one.directions, other.directions)
    assert torch.equal(one.encoder, other.encoder)
    assert torch.equal(one.bias, other.bias)
    assert (other.source, other.weighted) == ("here", True)
