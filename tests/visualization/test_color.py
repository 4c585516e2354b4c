"""Colours as photos have them, photos from a folder, opacity: against slow definitions and known answers."""

import io
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from circuits.errors import InputError
from circuits.image.photo import photos_in
from circuits.visualization.optimize import backgrounds, composite
from circuits.visualization.parameterization.color import Colouring, colour_matrix, colour_matrix_of, matrix_for
from circuits.visualization.parameterization.fourier import FourierImages

# Of Lucid, optvis/param/color.py: an independent estimate of the square root of ImageNet's colour covariance.
LUCID_ROOT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])


def photos(count: int = 4, side: int = 24) -> list[Image.Image]:
    """Noise whose colours go together in a known way."""
    noise = np.random.default_rng(0).normal(size=(count, side, side, 3)) @ (LUCID_ROOT.T / 2) + 0.5
    return [Image.fromarray((one.clip(0, 1) * 255).round().astype(np.uint8)) for one in noise]


def colours_of(images: list[Image.Image]) -> np.ndarray:
    return np.concatenate([np.asarray(image, dtype=float).reshape(-1, 3) / 255 for image in images])


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


def test_the_colour_matrix_whitens_the_colours_of_photos() -> None:
    samples = np.random.default_rng(0).normal(size=(200_000, 3)) @ LUCID_ROOT.T
    white = np.cov(np.linalg.inv(colour_matrix().numpy()) @ samples.T)
    assert np.allclose(white / np.trace(white) * 3, np.eye(3), atol=0.2)
    assert np.linalg.cond(np.cov(samples.T)) > 40  # what it was before


def test_the_colour_matrix_has_orthogonal_columns_the_longest_of_length_one() -> None:
    gram = (colour_matrix().T @ colour_matrix()).numpy()
    assert np.allclose(gram, np.diag([1.0, 0.0188 / 0.2175, 0.0045 / 0.2175]), atol=2e-3)


def test_other_numbers_of_colours_are_left_as_they_are() -> None:
    assert torch.equal(colour_matrix(1), torch.eye(1))
    assert torch.equal(matrix_for(colour_matrix_of(photos()), 1), torch.eye(1))


def test_a_measured_matrix_whitens_the_photos_that_it_was_measured_on() -> None:
    matrix = colour_matrix_of(photos()).double().numpy()
    white = np.cov(np.linalg.inv(matrix) @ colours_of(photos()).T)
    assert np.allclose(white / white[0, 0], np.eye(3), atol=1e-3)


def test_a_measured_matrix_is_scaled_like_the_one_of_natural_images() -> None:
    matrix = colour_matrix_of(photos()).numpy()
    lengths = np.linalg.norm(matrix, axis=0)
    assert lengths[0] == pytest.approx(1)
    assert (np.diff(lengths) < 0).all()
    assert np.allclose(np.abs(matrix), np.abs(colour_matrix().numpy()), atol=0.1)
    assert (matrix[np.abs(matrix).argmax(axis=0), range(3)] > 0).all()


def test_photos_weigh_the_same_whatever_their_size() -> None:
    one, other, *_ = photos()
    enlarged = other.resize((96, 96), Image.Resampling.NEAREST)
    assert torch.allclose(colour_matrix_of([one, enlarged]), colour_matrix_of([one, other]), atol=1e-6)


def test_grey_photos_give_a_matrix_that_has_an_inverse() -> None:
    matrix = colour_matrix_of([photo.convert("L") for photo in photos()])
    assert torch.allclose(matrix[:, 0], torch.full((3,), 3**-0.5), atol=1e-4)
    assert float(torch.linalg.cond(matrix)) == pytest.approx(1e-3**-0.5, rel=1e-3)


def test_photos_of_no_or_one_colour_measure_nothing() -> None:
    with pytest.raises(InputError, match="cannot be measured without photos; give at least one"):
        colour_matrix_of([])
    with pytest.raises(InputError, match="have a single colour"):
        colour_matrix_of([Image.new("RGB", (8, 8), "teal")] * 3)


def test_a_matrix_that_does_not_fit_or_has_no_inverse_is_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(2, 2\) does not fit 3 colours; it must be \(3, 3\)"):
        FourierImages(8, matrix=torch.eye(2))
    with pytest.raises(InputError, match="has no inverse"):
        FourierImages(8, matrix=torch.ones(3, 3))
    with pytest.raises(InputError, match="has no inverse"):
        FourierImages(8, matrix=torch.eye(3) * float("nan"))


def test_another_matrix_gives_other_colours_of_the_same_planes() -> None:
    planes = torch.randn(1, 3, 4, 4)
    matrix = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.5, 0.0], [1.0, 0.0, 1.0]])
    drawn = Colouring(3, matrix=matrix).images(planes)
    red, green, blue = planes[0]
    assert torch.allclose(drawn[0], torch.sigmoid(torch.stack([2 * red, green / 2, red + blue])), atol=1e-6)
    assert torch.allclose(Colouring(3, matrix=matrix).encode(drawn), planes, atol=1e-4)


def test_the_photos_of_a_folder_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    first, second, third, _ = photos()
    (tmp_path / "b").mkdir()
    first.save(tmp_path / "a.png")
    second.save(tmp_path / "b" / "x.png")
    third.convert("L").save(tmp_path / "c.png")
    found = list(photos_in(tmp_path))
    assert [image.tobytes() for image in found] == [
        first.tobytes(), second.tobytes(), third.convert("L").convert("RGB").tobytes(),
    ]  # fmt: skip


def test_files_that_are_no_photos_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "good.jpg").write_bytes(jpeg(photos()[0]))
    (tmp_path / "cut.jpg").write_bytes(jpeg(photos()[0])[:200])
    (tmp_path / "notes.txt").write_text("no photo")
    with caplog.at_level(logging.WARNING):
        assert len(list(photos_in(tmp_path))) == 1
    assert f"2 of 3 files in {tmp_path} cannot be read as photos; they are left out." in caplog.text


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no folder .*nowhere; give one with photos in it"):
        photos_in(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"None of the 0 files in .* is a photo that can be read; give others"):
        list(photos_in(tmp_path))
    (tmp_path / "notes.txt").write_text("no photo")
    with pytest.raises(InputError, match="None of the 1 files"):
        colour_matrix_of(photos_in(tmp_path))


def test_a_composite_is_mixed_pixel_by_pixel() -> None:
    images, behind = torch.rand(2, 4, 3, 3), torch.rand(2, 3, 3, 3)
    mixed = composite(images, behind)
    for n, c, y, x in np.ndindex(2, 3, 3, 3):
        opacity = float(images[n, 3, y, x])
        slow = opacity * float(images[n, c, y, x]) + (1 - opacity) * float(behind[n, c, y, x])
        assert float(mixed[n, c, y, x]) == pytest.approx(slow, abs=1e-6)


def test_what_is_opaque_hides_the_background_and_what_is_open_shows_it() -> None:
    images, behind = torch.rand(1, 4, 4, 4), torch.rand(1, 3, 4, 4)
    images[:, 3] = 1
    assert torch.equal(composite(images, behind), images[:, :3])
    images[:, 3] = 0
    assert torch.equal(composite(images, behind), behind)


@pytest.mark.parametrize("colours", [1, 3])
def test_backgrounds_are_new_at_each_step_and_each_image_s_own(colours: int) -> None:
    def sources() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in (1, 2)]

    generators = sources()
    first, second = backgrounds(generators, 16, colours), backgrounds(generators, 16, colours)
    assert first.shape == (2, colours, 16, 16)
    assert (first - second).abs().mean() > 0.05
    assert (first[0] - first[1]).abs().mean() > 0.05
    assert torch.equal(backgrounds(sources()[1:], 16, colours)[0], first[1])


def test_backgrounds_are_soft_and_their_planes_vary_by_one() -> None:
    noise = backgrounds([torch.Generator().manual_seed(seed) for seed in range(40)], 32, 1).double()
    values = torch.log(noise / (1 - noise))
    # The limit on contrast takes a variance of one to 1 / (1 + 1 / 1.6²).
    assert float(values.square().mean()) == pytest.approx(1 / (1 + 1 / 1.6**2), rel=0.1)
    neighbours = (values[..., 1:] - values[..., :-1]).square().mean()
    assert float(neighbours / values.square().mean()) < 0.8  # 2 for noise without any softness
