"""A photo's code against its slow definition: least squares position by position, and what follows from it."""

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear
from torch import Tensor

from circuits import InputError
from circuits.groups.coding import RESIDUAL, code_maps, encode, importance_of
from circuits.groups.dictionary import Dictionary
from tests.support.nets import seeded

CHANNELS, GROUPS, HEIGHT, WIDTH = 7, 3, 4, 5


def activation(seed: int = 0) -> Tensor:
    return torch.rand(1, CHANNELS, HEIGHT, WIDTH, generator=seeded(seed), dtype=torch.float64)


def directions(groups: int = GROUPS, seed: int = 1) -> Tensor:
    rows = torch.rand(groups, CHANNELS, generator=seeded(seed))
    return torch.where(rows > 0.4, rows, torch.zeros(()))


def weighing(seed: int = 2) -> Tensor:
    return importance_of(torch.randn(CHANNELS, HEIGHT, WIDTH, generator=seeded(seed), dtype=torch.float64))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_code_is_the_best_fit_that_is_not_negative(weighted: bool) -> None:
    a, d = activation(), directions()
    importance = weighing() if weighted else None
    code = encode(Dictionary(d, "by hand", weighted), a, importance)
    for place in range(HEIGHT * WIDTH):
        root = np.ones(CHANNELS) if importance is None else importance[:, place].sqrt().numpy()
        seen = a[0].flatten(1)[:, place].numpy()
        best = lsq_linear(root[:, None] * d.double().T.numpy(), root * seen, (0, np.inf), tol=1e-14)
        assert code.weights.flatten(1)[:, place].tolist() == pytest.approx(best.x.tolist(), abs=1e-6)
    assert 0 < float((code.weights == 0).double().mean()) < 0.7  # some are silent somewhere, or nothing was tested


@pytest.mark.parametrize("weighted", [False, True])
def test_a_group_reads_its_value_from_the_activation(weighted: bool) -> None:
    """Σ_p h_g(p) = Σ reading · a, of each group and of the residual, plainly and weighed by a target's gradient."""
    a = activation()
    importance = weighing() if weighted else None
    code = encode(Dictionary(directions(), "by hand", weighted), a, importance)
    gradient = torch.randn(CHANNELS, HEIGHT, WIDTH, generator=seeded(5), dtype=torch.float64)
    for group in (*range(GROUPS), RESIDUAL):
        assert float((code.reading(group) * a[0]).sum()) == pytest.approx(code.value(group), abs=1e-9)
        worth = float((code.part(group) * gradient).sum())
        assert float((code.reading(group, gradient) * a[0]).sum()) == pytest.approx(worth, abs=1e-9)
    assert code.value(0) == pytest.approx(float(code.weights[0].sum()))
    assert code.value(RESIDUAL) == pytest.approx(float(code.part(RESIDUAL).sum()))


def test_parts_add_up_to_the_activation_and_shares_to_gradient_times_activation() -> None:
    a = activation()
    code = encode(Dictionary(directions(), "by hand"), a)
    parts = [code.part(group) for group in (*range(GROUPS), RESIDUAL)]
    assert torch.allclose(torch.stack(parts).sum(0), a[0], atol=1e-12)
    gradient = torch.randn(CHANNELS, HEIGHT, WIDTH, generator=seeded(5), dtype=torch.float64)
    shares = code.shares(gradient)
    assert shares.tolist() == pytest.approx([float((part * gradient).sum()) for part in parts], abs=1e-12)
    assert float(shares.sum()) == pytest.approx(float((a[0] * gradient).sum()), abs=1e-12)


def test_what_is_left_is_orthogonal_to_the_groups_that_are_active() -> None:
    d = directions()
    code = encode(Dictionary(d, "by hand"), activation())
    along = torch.einsum("gc,chw->ghw", d.double(), code.residual)
    # The normal equations are met but for a billionth that is put on their diagonal.
    assert float(along[code.weights > 0].abs().max()) < 1e-8
    assert float(along[code.weights == 0].max()) < 1e-8  # another group would make the fit worse


def test_the_code_grows_with_the_activation() -> None:
    dictionary = Dictionary(directions(), "by hand", weighted=True)
    one, two = (encode(dictionary, factor * activation(), weighing()) for factor in (1, 2))
    assert torch.allclose(two.weights, 2 * one.weights, atol=1e-10)


def test_several_activations_are_coded_as_each_alone() -> None:
    dictionary, importance = Dictionary(directions(), "by hand", weighted=True), weighing()
    several = torch.cat([activation(seed) for seed in (3, 4)])
    maps = code_maps(dictionary, several, importance)
    for own, a in zip(maps, several, strict=True):
        assert torch.allclose(own, encode(dictionary, a[None], importance).weights, atol=1e-9)


def test_an_autoencoder_codes_with_its_own_encoder_and_bias() -> None:
    a = activation()
    encoder, bias = torch.randn(GROUPS, CHANNELS, generator=seeded(7)), torch.tensor([-0.5, 0.1, 0.3])
    dictionary = Dictionary(torch.randn(GROUPS, CHANNELS, generator=seeded(8)), "sae", encoder=encoder, bias=bias)
    code = encode(dictionary, a)
    wanted = torch.einsum("gc,chw->ghw", encoder.double(), a[0]) + bias.double()[:, None, None]
    assert torch.allclose(code.weights, wanted.clamp(min=0))
    active = int((wanted[1] > 0).sum())
    assert 0 < active < HEIGHT * WIDTH
    without_bias = float((code.reading(1) * a[0]).sum())
    assert code.value(1) == pytest.approx(without_bias + active * float(bias[1].double()))


def test_equal_directions_have_a_code_all_the_same() -> None:
    rows = directions()
    code = encode(Dictionary(torch.cat([rows, rows[:1]]), "by hand"), activation())
    once = encode(Dictionary(rows, "by hand"), activation())
    assert torch.allclose(code.residual, once.residual, atol=1e-5)


def test_silence_has_a_code_of_nothing() -> None:
    code = encode(Dictionary(directions(), "by hand"), torch.zeros(1, CHANNELS, HEIGHT, WIDTH))
    assert not code.weights.any()
    assert not code.residual.any()


def test_the_importance_is_the_size_of_the_gradient_and_its_channels_fifth() -> None:
    gradient = torch.tensor([[[3.0, -1.0]], [[0.0, 0.0]]])
    root = 0.2 * 5**0.5
    raw = torch.tensor([[3 + root, 1 + root], [0.0, 0.0]]).double()
    assert torch.allclose(importance_of(gradient), raw / raw.mean() + 1e-3)
    assert importance_of(torch.zeros(2, 1, 2)).tolist() == [[1, 1], [1, 1]]


def test_a_dictionary_of_another_layer_is_refused() -> None:
    with pytest.raises(InputError, match="directions over 7 channels and the layer has 2"):
        encode(Dictionary(directions(), "by hand"), torch.rand(1, 2, 3, 3))


@pytest.mark.parametrize("length", [1.0, 1e-3, 1e-6, 1e6])
def test_the_fit_does_not_depend_on_how_long_a_direction_is(length: float) -> None:
    rows = directions()
    scaled = torch.cat([rows[:1] * length, rows[1:]])
    one, other = (encode(Dictionary(each, "by hand"), activation()) for each in (rows, scaled))
    assert torch.allclose(one.residual, other.residual, atol=1e-7)
    assert torch.allclose(one.part(0), other.part(0), atol=1e-7)
    assert torch.allclose(one.reading(0), other.reading(0) * length, atol=1e-7)


def test_an_autoencoder_of_thousands_of_groups_takes_no_matrix_of_them() -> None:
    many = torch.rand(5000, CHANNELS, generator=seeded(3)) - 0.5
    code = encode(Dictionary(many, "sae", encoder=many, bias=torch.zeros(5000)), activation())
    assert code.inverse.shape == (HEIGHT * WIDTH, 5000, 1)
    assert code.value(7) == pytest.approx(float((code.reading(7) * activation()[0]).sum()))


def test_too_many_groups_are_refused_before_memory_is() -> None:
    many = torch.rand(300, 64, generator=seeded(3))
    with pytest.raises(InputError, match="give fewer groups"):
        encode(Dictionary(many, "by hand"), torch.zeros(1, 64, 40, 40))
