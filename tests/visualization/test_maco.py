"""Images whose magnitudes are fixed, and the magnitudes of photos: against slow definitions and known answers."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from circuits.errors import InputError
from circuits.visualization.parameterization.color import colour_matrix
from circuits.visualization.parameterization.maco import (
    MacoImages,
    Spectrum,
    magnitude_spectrum,
    shipped_spectrum,
    smooth_component,
)
from tests.support.recipe_photos import photos
from training.builtin import classes, spectrum
from training.builtin.data import KEYS, decode

ARCHIVE = Path(__file__).parents[2] / "../shared/data/tiny-imagenet-100.npz"


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def law(side: int, power: float, colours: int = 3) -> Spectrum:
    """Magnitudes |k|⁻ᵖ, 1 at k = 0."""
    down, across = np.fft.fftfreq(side, 1 / side)[:, None], np.fft.rfftfreq(side, 1 / side)[None]
    falls = np.hypot(down, across).clip(min=1) ** -power
    return Spectrum(torch.from_numpy(falls).float().expand(colours, -1, -1), torch.eye(colours))


def decorrelated(images: Tensor, matrix: Tensor) -> np.ndarray:
    logits = torch.logit(images.double())
    return torch.einsum("cd,ndyx->ncyx", torch.linalg.inv(matrix.double()), logits).numpy()


def own_mirrors(side: int) -> np.ndarray:
    """Coefficients that a real image has once, being real themselves."""
    found = np.zeros((side, side // 2 + 1), dtype=bool)
    for row, column in np.ndindex(found.shape):
        found[row, column] = (2 * row) % side == 0 and (2 * column) % side == 0
    return found


def wrapped_laplacian(rows: int, columns: int) -> np.ndarray:
    """Sum over the four neighbours, those beyond a border being at the opposite one, of neighbour less pixel."""
    matrix = np.zeros((rows * columns, rows * columns))
    for y, x in np.ndindex(rows, columns):
        for down, across in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            matrix[y * columns + x, (y + down) % rows * columns + (x + across) % columns] += 1
            matrix[y * columns + x, y * columns + x] -= 1
    return matrix


def slow_smooth(plane: np.ndarray) -> np.ndarray:
    """The component of mean zero whose wrapped Laplacian is what a plane's has from neighbours beyond its borders."""
    rows, columns = plane.shape
    beyond = np.zeros(plane.shape)
    for y, x in np.ndindex(rows, columns):
        for down, across in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            if not (0 <= y + down < rows and 0 <= x + across < columns):
                beyond[y, x] += plane[(y + down) % rows, (x + across) % columns] - plane[y, x]
    # Of all solutions, which differ by a constant, the one of least squares has the mean zero.
    found, *_ = np.linalg.lstsq(wrapped_laplacian(rows, columns), beyond.ravel(), rcond=1e-9)
    return found.reshape(rows, columns)


@pytest.mark.parametrize("side", [15, 16])
def test_magnitudes_are_those_given_whatever_the_phases(side: int) -> None:
    images = MacoImages(side)
    for phases in (images.start(seeded(0, 1)), torch.randn(2, 3, side, side // 2 + 1) * 10):
        found = np.abs(np.fft.rfft2(decorrelated(images(phases), colour_matrix()), norm="ortho"))
        given = np.broadcast_to(images.magnitudes.numpy(), found.shape)
        alone = own_mirrors(side)
        assert np.allclose(found[..., ~alone], given[..., ~alone], rtol=1e-2, atol=2e-3)
        assert (found[..., alone] <= given[..., alone] + 2e-3).all()


def test_a_coefficient_that_is_its_own_mirror_is_a_cosine() -> None:
    images = MacoImages(8)
    phases = images.start(seeded(3))
    found = np.fft.rfft2(decorrelated(images(phases), colour_matrix()), norm="ortho")
    alone = own_mirrors(8)
    cosines = (images.magnitudes * torch.cos(phases))[0].numpy()[:, alone]
    assert alone.sum() == 4
    assert np.allclose(found[0][:, alone].real, cosines, rtol=1e-2, atol=1e-2)


def test_an_image_is_the_sum_of_cosines_with_its_phases() -> None:
    images, side = MacoImages(4, 1, spectrum=law(4, 1.0, colours=1)), 4
    phases = images.start(seeded(1))
    slow = torch.zeros(side, side)
    for y, x, v, u in np.ndindex(side, side, side, side):
        turn = 2 * math.pi * (v * y + u * x) / side
        length = max(math.hypot(min(v, side - v), min(u, side - u)), 1)
        mirror_v, mirror_u = -v % side, -u % side
        # One of each pair of mirrors is read: that of the left half, in its first and last column the upper one.
        read = (v, u) if u < mirror_u or (u == mirror_u and v <= mirror_v) else (mirror_v, mirror_u)
        phase = float(phases[0, 0, read[0], read[1]]) * (1 if read == (v, u) else -1)
        slow[y, x] += math.cos(turn + phase) / length / side
    assert torch.allclose(images(phases)[0, 0], torch.sigmoid(slow), atol=1e-5)


def test_start_phases_are_uniform_so_that_no_place_is_favoured() -> None:
    phases = MacoImages(16).start(seeded(*range(40)))
    assert -math.pi <= float(phases.min()) < -3.1 < 3.1 < float(phases.max()) <= math.pi
    assert float(torch.cos(phases).mean()) == pytest.approx(0, abs=0.02)


def test_an_encoded_photo_keeps_its_phases_and_gets_the_magnitudes() -> None:
    images = MacoImages(16)
    photo = torch.rand(1, 3, 16, 16, generator=seeded(5)[0]) * 0.8 + 0.1
    given = np.fft.rfft2(decorrelated(photo, colour_matrix()))
    found = np.fft.rfft2(decorrelated(images(images.encode(photo)), colour_matrix()))
    alone = np.broadcast_to(own_mirrors(16), given.shape)
    turned = np.angle(found / given)[~alone]
    assert np.abs(turned).max() < 0.02


def test_what_was_drawn_comes_back_from_its_encoding() -> None:
    images = MacoImages(16)
    drawn = images(images.start(seeded(2)))
    assert (images(images.encode(drawn)) - drawn).abs().max() < 1 / 255 * 4


def test_phases_get_a_gradient_unless_their_mirror_is_read() -> None:
    images = MacoImages(6)
    phases = images.start(seeded(0)).requires_grad_(True)
    (gradient,) = torch.autograd.grad((images(phases) * torch.randn(1, 3, 6, 6)).sum(), phases)
    unread = torch.zeros(6, 4, dtype=torch.bool)
    unread[4:, [0, 3]] = True
    assert (gradient[:, :, unread] == 0).all()
    assert (gradient[:, :, ~unread] != 0).all()


@pytest.mark.parametrize("shape", [(8, 8), (7, 5), (4, 9)])
def test_the_smooth_component_solves_its_poisson_equation(shape: tuple[int, int]) -> None:
    planes = torch.randn(2, 3, *shape, dtype=torch.float64, generator=seeded(1)[0])
    found = smooth_component(planes)
    assert found.mean(dim=(-2, -1)).abs().max() < 1e-12
    for at in np.ndindex(2, 3):
        assert np.allclose(found[at].numpy(), slow_smooth(planes[at].numpy()), atol=1e-9)


def test_an_image_whose_opposite_borders_are_alike_is_left_alone() -> None:
    turns = 2 * math.pi * torch.arange(16) / 15
    periodic = torch.cos(2 * turns)[:, None] * torch.sin(3 * turns + 1) + torch.cos(turns)
    assert smooth_component(periodic).abs().max() < 1e-5
    assert smooth_component(torch.full((5, 6), 7.0)).abs().max() == 0


def test_a_ramp_loses_all_but_one_part_in_its_length_of_its_cross() -> None:
    ramp = 2.0 * torch.arange(16)[:, None] - 3.0 * torch.arange(16) + 5
    before, after = (torch.fft.rfft2(planes) for planes in (ramp, ramp - smooth_component(ramp)))
    cross = torch.zeros(before.shape, dtype=torch.bool)
    cross[0], cross[:, 0], cross[0, 0] = True, True, False
    assert before[cross].abs().min() > 16
    assert torch.allclose(after[cross], before[cross] / 16, atol=1e-3)
    assert torch.allclose(after[~cross], before[~cross], atol=1e-3)


def test_the_spectrum_of_photos_is_the_mean_of_their_magnitudes() -> None:
    rng = np.random.default_rng(0)
    three = [Image.fromarray(rng.integers(30, 220, (8, 8, 3), dtype=np.uint8)) for _ in range(3)]
    slow = np.zeros((3, 8, 5))
    for photo in three:
        values = np.asarray(photo, dtype=float) / 255
        planes = np.log(values / (1 - values)) @ np.linalg.inv(colour_matrix().double().numpy()).T
        for colour in range(3):
            plane = planes[..., colour]
            slow[colour] += np.abs(np.fft.fft2(plane - slow_smooth(plane))[:, :5]) / 8 / 3
    found = magnitude_spectrum(three, 8)
    assert np.allclose(found.magnitudes.numpy(), slow, rtol=1e-3, atol=1e-3)
    assert torch.equal(found.matrix, colour_matrix())


def test_photos_are_cut_to_their_middle_square_and_small_ones_left_out() -> None:
    noise = np.random.default_rng(1).integers(30, 220, (8, 8, 3), dtype=np.uint8)
    wide = np.concatenate([np.zeros((8, 4, 3), np.uint8), noise, np.full((8, 4, 3), 255, np.uint8)], axis=1)
    small = Image.fromarray(noise).resize((7, 30))
    found = magnitude_spectrum([Image.fromarray(wide), small], 8)
    assert torch.allclose(found.magnitudes, magnitude_spectrum([Image.fromarray(noise)], 8).magnitudes, atol=1e-5)
    with pytest.raises(InputError, match="No photo has 8 pixels or more on each side"):
        magnitude_spectrum([small], 8)


def test_exponents_are_those_of_the_law() -> None:
    both = torch.cat([law(32, 1.0, 1).magnitudes, 7 * law(32, 1.7, 1).magnitudes])
    assert Spectrum(both, torch.eye(2)).exponents().tolist() == pytest.approx([1.0, 1.7], abs=1e-4)


@pytest.mark.parametrize("side", [9, 16, 31, 48, 100])
def test_a_spectrum_that_follows_a_law_follows_it_at_every_size(side: int) -> None:
    expected = law(side, 1.3).magnitudes * (side / 32)
    assert torch.allclose(law(32, 1.3).at(side), expected, rtol=1e-3)


def test_at_its_own_size_a_spectrum_is_what_was_measured() -> None:
    assert shipped_spectrum().at(64) is shipped_spectrum().magnitudes


def test_at_other_sizes_the_same_photos_have_the_same_coarse_spectrum() -> None:
    measured = shipped_spectrum()
    smaller, larger = measured.at(32), measured.at(128)
    assert torch.allclose(smaller[:, :16, :16] * 2, measured.magnitudes[:, :16, :16])
    assert torch.allclose(larger[:, :32, :32] / 2, measured.magnitudes[:, :32, :32])
    assert torch.allclose(larger[:, -31:, :32] / 2, measured.magnitudes[:, -31:, :32])
    assert (larger[:, 62:66, 60:] < measured.magnitudes[:, 31:32, 31:32]).all()


def test_in_grey_the_colours_add_up_as_independent_ones_do() -> None:
    matrix = torch.tensor([[1.0, 2.0, 0.0], [1.0, 0.0, 1.0], [1.0, -2.0, 2.0]])
    magnitudes = torch.rand(3, 4, 3)
    grey = Spectrum(magnitudes, matrix).grey()
    for row, column in np.ndindex(4, 3):
        first, second, third = magnitudes[:, row, column].tolist()
        slow = math.sqrt((first * 1.0) ** 2 + (second * 0.0) ** 2 + (third * 1.0) ** 2)
        assert float(grey.magnitudes[0, row, column]) == pytest.approx(slow)
    assert grey.matrix.tolist() == [[1.0]]


def test_spectra_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(3, 8, 8\) with a colour matrix of shape \(3, 3\) cannot be used"):
        Spectrum(torch.ones(3, 8, 8), torch.eye(3))
    with pytest.raises(InputError, match=r"colour matrix of shape \(2, 2\) cannot be used"):
        Spectrum(torch.ones(3, 8, 5), torch.eye(2))
    with pytest.raises(InputError, match="not finite or below zero"):
        Spectrum(-torch.ones(3, 8, 5), torch.eye(3))
    with pytest.raises(InputError, match="A spectrum of 2 colours does not fit 3; give one that does"):
        MacoImages(8, 3, spectrum=law(8, 1.0, colours=2))


def test_the_shipped_spectrum_falls_like_those_of_natural_images() -> None:
    measured = shipped_spectrum()
    assert measured.magnitudes.shape == (3, 64, 33)
    assert all(0.9 < exponent < 1.4 for exponent in measured.exponents().tolist())
    assert torch.allclose(measured.matrix, colour_matrix(), atol=1e-6)


def test_the_shipped_spectrum_has_no_cross_of_borders_that_do_not_meet() -> None:
    brightness = shipped_spectrum().magnitudes[0]
    beside_down, beside_across = brightness[8:32, 1:3].mean(dim=1), brightness[1:3, 8:32].mean(dim=0)
    # 1.67 and 1.29 with the smooth component left in; not 1, as photos do have upright and level lines.
    assert float((brightness[8:32, 0] / beside_down).mean()) < 1.3
    assert float((brightness[0, 8:32] / beside_across).mean()) < 1.15


def test_the_shipped_spectrum_is_that_of_the_training_photos() -> None:
    if not ARCHIVE.is_file():
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(f"{ARCHIVE} is missing.")
        pytest.skip("the training photos are not on this machine")
    with np.load(ARCHIVE) as archive:
        jpeg, offsets, labels, _, held_out, names = (archive[key] for key in KEYS)
    trained = np.flatnonzero(~held_out & (np.asarray(classes.merge(names.tolist()))[labels] >= 0))
    files = [jpeg[offsets[i] : offsets[i + 1]].tobytes() for i in trained[::30]]
    some = [Image.fromarray(decode(file).transpose(1, 2, 0)) for file in files]
    # A thirtieth of the photos: each magnitude has a relative standard error of about 0.8 / √1550.
    ratio = magnitude_spectrum(some).magnitudes / shipped_spectrum().magnitudes
    assert (ratio - 1).abs().max() < 0.15
    assert float(ratio.mean()) == pytest.approx(1, abs=0.02)


def test_the_script_writes_the_spectrum_of_the_photos_to_train_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, held_out = photos(6), photos(2)
    monkeypatch.setattr(spectrum, "read", lambda archive: (trained, held_out))
    spectrum.main(tmp_path / "photos.npz", tmp_path / "spectrum.safetensors")
    found = safetensors.torch.load_file(tmp_path / "spectrum.safetensors")
    expected = magnitude_spectrum([Image.fromarray(one.permute(1, 2, 0).numpy()) for one in trained.pixels], 16)
    assert found["magnitudes"].dtype == torch.float16
    assert torch.allclose(found["magnitudes"].float(), expected.magnitudes, rtol=1e-3)
    assert torch.equal(found["matrix"], colour_matrix())
    assert "6 photos" in capsys.readouterr().err
