"""Pads, shifts, turns, sizes, windows and noise: against numpy, slow definitions and known answers."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from circuits import load_network
from circuits.errors import InputError, UnknownError
from circuits.visualization import affine
from circuits.visualization.affine import MODES, AffineSequence, RandomAffine
from circuits.visualization.settings import DEFAULT, Options, Settings, chosen, usual_settings
from circuits.visualization.transforms import (
    TRANSFORMS,
    Composed,
    Noise,
    Transform,
    colours,
    compose,
    crop,
    jitter,
    light,
    moved_side,
    named_transform,
    noise,
    none,
    pad,
    rotate,
    scale,
    standard,
)
from tests.support.tokens import Tokens
from tests.support.tokens import tokens as token_network

EVERY: dict[str, Transform] = {
    "pad": pad(3, "grey"),
    "jitter": jitter(4),
    "rotate": rotate(30),
    "scale": scale(1.5),
    "crop": crop(0.5),
    "noise": noise(0.2),
    "standard": standard(16),
    "all": compose(rotate(9), pad(2), jitter(3), noise(0.1), crop(9), scale(1.2)),
}
every = pytest.mark.parametrize("transform", EVERY.values(), ids=EVERY.keys())


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def as_todays(images: Tensor, generators: list[torch.Generator], side: int) -> Tensor:
    """The movement that pictures of version 1 were drawn with, written out."""
    draws = torch.stack([torch.rand(4, generator=generator) for generator in generators]) * 2 - 1
    angle, factor = draws[:, 0] * math.radians(10.0), torch.exp(draws[:, 1] * math.log1p(0.1))
    cosine, sine = torch.cos(angle) / factor, torch.sin(angle) / factor
    shift = draws[:, 2:] * min(8.0, side / 8)
    maps = torch.stack([cosine, -sine, shift[:, 0], sine, cosine, shift[:, 1]], dim=1).reshape(-1, 2, 3)
    moved = side + 2 * (side // 16)
    maps = maps * torch.tensor([moved / side, moved / side, 2 / side])
    grid = F.affine_grid(maps, [*images.shape[:2], moved, moved], align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def looked_up(image: np.ndarray, place: np.ndarray, padding: int) -> np.ndarray:
    """Each pixel looked up where a map from the middle says, between four pixels of the mirrored image."""
    side, wide = len(image), 2 * len(image)
    mirrored = np.pad(image, wide, "symmetric")
    result = np.zeros((side + 2 * padding,) * 2)
    for row, column in np.ndindex(result.shape):
        middle = (len(result) - 1) / 2
        x, y = place @ [column - middle, row - middle, 1.0] + (side - 1) / 2 + wide
        top, left = math.floor(y), math.floor(x)
        down, right = y - top, x - left
        result[row, column] = (
            mirrored[top, left] * (1 - down) * (1 - right)
            + mirrored[top, left + 1] * (1 - down) * right
            + mirrored[top + 1, left] * down * (1 - right)
            + mirrored[top + 1, left + 1] * down * right
        )
    return result


@pytest.mark.parametrize("side", [16, 33, 64, 128])
def test_the_standard_transform_moves_as_it_always_did_to_the_bit(side: int) -> None:
    images = torch.rand(3, 3, side, side)
    ours, theirs = seeded(1, 2, 3), seeded(1, 2, 3)
    for _ in range(5):
        assert torch.equal(standard(side)(images, ours), as_todays(images, theirs, side))


@pytest.mark.parametrize(("mode", "numpys"), [("reflect", "symmetric"), ("edge", "edge"), ("grey", "constant")])
@pytest.mark.parametrize("width", [1, 3, 7])
def test_padding_is_that_of_numpy(mode: str, numpys: str, width: int) -> None:
    images = torch.rand(2, 4, 8, 8)
    around = ((0, 0), (0, 0), (width, width), (width, width))
    grey = {"constant_values": 0.5} if numpys == "constant" else {}
    expected = np.pad(images.numpy(), around, numpys, **grey)  # type: ignore[call-overload]
    assert np.allclose(pad(width, mode)(images, seeded(0, 1)).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], lambda image: np.roll(image, -1, axis=2)),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, -2.0]], lambda image: np.roll(image, 2, axis=1)),
        ([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]], lambda image: np.rot90(image, axes=(1, 2))),
        ([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]], lambda image: np.flip(image, axis=(1, 2))),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_known_movements_move_pixels_where_they_should(
    place: list[list[float]], expected: Callable[[np.ndarray], np.ndarray], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RandomAffine, "maps", lambda self, generators: torch.tensor([place]))
    image = torch.full((3, 12, 12), 0.5)
    image[:, 4:8, 3:8] = torch.rand(3, 4, 5)
    moved = RandomAffine(padding=2, jitter=1.0, mode=mode)(image[None], seeded(0))[0]
    assert np.allclose(moved[:, 2:-2, 2:-2].numpy(), expected(image.numpy()), atol=1e-5)


def test_an_image_twice_as_large_shows_its_middle_between_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = torch.tensor([[[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]])
    monkeypatch.setattr(RandomAffine, "maps", lambda self, generators: twice)
    rising = torch.arange(8.0).expand(1, 1, 8, 8)
    assert torch.allclose(scale(2)(rising, seeded(0))[0, 0, 3], torch.arange(8) / 2 + 1.75, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_a_drawn_movement_is_the_lookup_that_its_map_says(seed: int) -> None:
    image = torch.rand(1, 1, 9, 9)
    movement = RandomAffine(padding=2, jitter=3.0, scale=1.3, rotation=40.0)
    expected = looked_up(image[0, 0].double().numpy(), movement.maps(seeded(seed))[0].double().numpy(), padding=2)
    assert np.allclose(movement(image, seeded(seed))[0, 0].numpy(), expected, atol=1e-4)


def test_draws_fill_their_ranges_and_stay_within() -> None:
    maps = RandomAffine(jitter=5.0, scale=1.1, rotation=10.0).maps(seeded(*range(400)))
    factor = maps[:, :, :2].det().sqrt()
    angle = torch.rad2deg(torch.atan2(maps[:, 1, 0], maps[:, 0, 0]))
    shift = maps[:, :, 2]
    for values, low, high in ((factor, 1 / 1.1, 1.1), (angle, -10.0, 10.0), (shift, -5.0, 5.0)):
        margin = (high - low) * 0.02
        assert low - 1e-4 <= float(values.min()) < low + margin
        assert high - margin < float(values.max()) <= high + 1e-4
    assert abs(float(factor.log().mean())) < 0.01  # as often larger as smaller
    assert abs(float(angle.mean())) < 1


@every
def test_an_image_does_not_depend_on_its_company(transform: Transform) -> None:
    images = torch.rand(1, 3, 16, 16).repeat(3, 1, 1, 1)
    first, second, third = transform(images, seeded(5, 6, 5))
    assert torch.equal(first, third)
    assert torch.equal(transform(images[:1], seeded(6))[0], second)
    if transform != EVERY["pad"]:
        assert (first - second).abs().max() > 0.05


@every
def test_the_same_transform_moves_differently_at_the_next_step(transform: Transform) -> None:
    images, generators = torch.rand(1, 3, 16, 16), seeded(0)
    once, again = transform(images, generators), transform(images, generators)
    assert torch.equal(once, again) == (transform == EVERY["pad"])


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("noise", "all")])
def test_all_planes_are_moved_alike(name: str) -> None:
    images = torch.rand(2, 1, 16, 16)
    moved = EVERY[name](images.repeat(1, 5, 1, 1), seeded(0, 1))
    assert torch.allclose(moved, EVERY[name](images, seeded(0, 1)).expand_as(moved), atol=1e-6)


@every
def test_gradients_pass_to_the_pixels_in_any_precision(transform: Transform) -> None:
    images = torch.rand(1, 2, 8, 8, dtype=torch.float64, requires_grad=True)
    if transform in (EVERY["all"],):
        images = torch.rand(1, 2, 16, 16, dtype=torch.float64, requires_grad=True)
    moved = transform(images, seeded(0))
    (gradient,) = torch.autograd.grad(moved.sum(), images)
    assert moved.dtype == gradient.dtype == torch.float64
    assert (gradient > 0).double().mean() > 0.2
    direction = torch.randn_like(images)
    slope = (transform(images + 1e-6 * direction, seeded(0)) - moved).sum() / 1e-6
    assert float(slope.detach()) == pytest.approx(float((gradient * direction).sum()), abs=1e-4)


@pytest.mark.parametrize("window", [5, 0.5])
def test_a_window_is_a_slice_and_every_place_is_as_likely(window: int | float) -> None:
    image = torch.arange(100.0).reshape(1, 1, 10, 10)
    places = set()
    for seed in range(400):
        [[cut]] = crop(window)(image, seeded(seed))
        row, column = divmod(int(cut[0, 0]), 10)
        assert torch.equal(cut, image[0, 0, row : row + 5, column : column + 5])
        places.add((row, column))
    assert places == {(row, column) for row in range(6) for column in range(6)}


def test_a_share_is_of_the_side_that_is_given() -> None:
    assert moved_side(crop(0.75), 16) == 12
    assert moved_side(crop(0.01), 16) == 1
    assert moved_side(compose(crop(0.5), crop(0.5)), 16) == 4


def test_noise_has_its_deviation_and_no_mean_and_differs_between_planes() -> None:
    images = torch.full((3, 2, 64, 64), 0.5)
    added = noise(0.2)(images, seeded(0, 1, 2)) - 0.5
    assert float(added.mean()) == pytest.approx(0, abs=0.005)
    assert added.std(dim=(2, 3)).flatten().tolist() == pytest.approx([0.2] * 6, rel=0.05)
    planes = added.flatten(2).flatten(0, 1)
    assert (torch.corrcoef(planes) - torch.eye(6)).abs().max() < 0.07


def test_colours_are_stretched_about_grey_and_shifted_each_plane_of_an_image_alike() -> None:
    images = torch.rand(2, 3, 4, 4)
    changed = colours(0.3)(images, seeded(3, 4))
    for image, made, generator in zip(images, changed, seeded(3, 4), strict=True):
        strength, shift = 0.3 * (2 * torch.rand(2, 3, 1, 1, generator=generator) - 1)
        assert torch.allclose(made, (image - 0.5) * strength.exp() + 0.5 + shift, atol=1e-6)
    assert (changed - images).abs().max() > 0.1
    with pytest.raises(InputError, match=r"^Colours cannot be changed by -1.0; give 0 or more"):
        colours(-1)


def test_a_transformer_has_its_own_usual_transform_which_can_be_overridden() -> None:
    network, plain = token_network(Tokens()), load_network()
    assert (usual_settings(network).transform, usual_settings(plain)) == ("tokens", DEFAULT)
    assert chosen(network, Settings, None, {"transform": "light"}) == Settings(transform="light")
    assert chosen(network, Settings, DEFAULT, {}) == DEFAULT
    assert chosen(network, Options, None, {}).transform is TRANSFORMS["tokens"]
    assert chosen(plain, Options, None, {"size": 64}).transform is standard
    # The grain that ascent finds on the grid of the patches is what noise and colours are against.
    assert TRANSFORMS["tokens"](64) == compose(standard(64), colours(0.3), noise(0.1))


NEUTRAL = [
    none(64),
    pad(0),
    jitter(0),
    rotate(0),
    scale(1),
    noise(0),
    colours(0),
    crop(1.0),
    crop(8),
    compose(),
    compose(pad(0)),
]


@pytest.mark.parametrize("transform", NEUTRAL, ids=repr)
def test_what_changes_nothing_returns_the_images_themselves_and_draws_nothing(transform: Transform) -> None:
    images, generators = torch.rand(2, 3, 8, 8), seeded(0, 1)
    assert transform(images, generators) is images
    assert torch.equal(torch.rand(3, generator=generators[0]), torch.rand(3, generator=seeded(0)[0]))


def test_movements_that_follow_each_other_are_composed_to_one() -> None:
    assert compose(pad(2, "grey"), jitter(3), rotate(10), scale(1.2), pad(1, "grey")) == RandomAffine(
        padding=3, jitter=3.0, scale=1.2, rotation=10.0, mode="grey"
    )
    assert compose(scale(1.2), rotate(10)) == compose(rotate(10), scale(1.2))
    assert compose(compose(pad(1), jitter(2)), compose(none(8), rotate(3))) == compose(pad(1), jitter(2), rotate(3))


def test_what_takes_two_draws_is_still_resampled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    resampled = affine.resampled

    def counted(*args: object) -> Tensor:
        calls.append(args)
        return resampled(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(affine, "resampled", counted)
    moving = compose(pad(3), jitter(4), scale(1.1), rotate(10), jitter(2), pad(1))
    assert moving == AffineSequence((RandomAffine(3, 4.0, 1.1, 10.0), RandomAffine(1, 2.0)))
    assert moving(torch.rand(1, 3, 8, 8), seeded(0)).shape == (1, 3, 16, 16)
    assert len(calls) == 1


def test_one_resampling_is_what_one_after_the_other_shows_but_for_the_blur() -> None:
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    smooth = (0.5 + 0.4 * torch.sin(rows / 9) * torch.cos(columns / 7))[None, None]
    parts = [rotate(25), jitter(4), scale(1.2), rotate(15), jitter(3)]
    generators = seeded(3)
    slowly = smooth
    for part in parts:
        slowly = part(slowly, generators)
    at_once = compose(*parts)
    assert isinstance(at_once, AffineSequence)
    draws = [part.maps(generators) for part, generators in zip(parts, [seeded(3)] * 5, strict=True)]
    whole = np.eye(3)
    for drawn in draws:
        whole = whole @ np.vstack([drawn[0].double().numpy(), [0, 0, 1]])
    moved = affine.resampled(smooth, torch.tensor(whole[None, :2]).float(), 0, "reflect")
    inner = slice(14, 34)  # farther out, the mirrored border comes in, which each resampling takes anew
    assert (moved - slowly)[..., inner, inner].abs().max() < 0.01
    assert (moved - smooth)[..., inner, inner].abs().max() > 0.1


def test_several_movements_multiply_the_maps_that_each_draws() -> None:
    parts = (RandomAffine(rotation=30.0), RandomAffine(jitter=4.0, rotation=20.0), RandomAffine(scale=1.5, jitter=2.0))
    generators = seeded(1, 2)
    drawn = [part.maps(generators).double().numpy() for part in parts]
    for number, found in enumerate(AffineSequence(parts).maps(seeded(1, 2)).numpy()):
        whole = np.eye(3)
        for maps in drawn:
            whole = whole @ np.vstack([maps[number], [0, 0, 1]])
        assert np.allclose(found, whole[:2], atol=1e-5)


def test_different_paddings_and_what_is_no_movement_are_done_in_turn() -> None:
    assert compose(pad(1), pad(2, "grey")) == Composed((RandomAffine(1), RandomAffine(2, mode="grey")))
    moving = compose(pad(2), noise(0.1), jitter(1), rotate(2))
    assert moving == Composed((RandomAffine(2), Noise(0.1), RandomAffine(jitter=1.0, rotation=2.0)))
    images, generators = torch.rand(1, 3, 8, 8), seeded(4)
    slowly = RandomAffine(jitter=1.0, rotation=2.0)(
        Noise(0.1)(RandomAffine(2)(images, generators), generators), generators
    )
    assert torch.equal(moving(images, seeded(4)), slowly)


def test_the_mode_of_a_padding_holds_for_the_turns_around_it() -> None:
    white = torch.ones(1, 1, 8, 8)
    moved = compose(jitter(4), pad(2, "grey"), rotate(20))(white, seeded(0))
    assert float(moved.min()) == pytest.approx(0.5, abs=1e-6)
    assert float(moved.max()) == pytest.approx(1.0, abs=1e-6)
    assert torch.allclose(compose(jitter(4), rotate(20))(white, seeded(0)), white)


def test_transforms_of_ones_own_take_part() -> None:
    def darker(images: Tensor, generators: object) -> Tensor:
        return images / 2

    moving = compose(pad(1), darker, jitter(2))
    assert moved_side(moving, 8) == 10
    assert moving(torch.ones(1, 3, 8, 8), seeded(0)).flatten().tolist() == pytest.approx([0.5] * 300)


def test_the_presets_are_found_by_name_and_say_their_side() -> None:
    assert set(TRANSFORMS) == {"none", "light", "standard", "tokens"}
    assert named_transform("light")(64) == light(64) == RandomAffine(jitter=1.0, scale=1.1, rotation=5.0)
    assert [moved_side(named_transform(name)(64), 64) for name in ("none", "light", "standard")] == [64, 64, 72]
    with pytest.raises(UnknownError, match="There is no transform 'wild'; there are none, light, standard, tokens"):
        named_transform("wild")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: pad(-1), "A padding of -1 cannot be had; give 0 or more"),
        (lambda: jitter(-0.5), "A jitter of -0.5 cannot be had; give 0 or more"),
        (lambda: rotate(float("nan")), "A rotation of nan cannot be had; give 0 or more"),
        (lambda: scale(0.9), "A scale of 0.9 cannot be had; give 1 or more"),
        (lambda: noise(-1), "Noise of -1.0 cannot be added; give a standard deviation of 0 or more"),
        (lambda: crop(0), "A window of 0 cannot be cut out; give pixels, or a share"),
        (lambda: crop(1.5), "A window of 1.5 cannot be cut out; give pixels, or a share"),
        (lambda: crop(9)(torch.zeros(1, 1, 8, 8), seeded(0)), "A window of 9 pixels .* of an image of 8"),
    ],
)
def test_what_cannot_be_done_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()


def test_an_unknown_padding_is_refused() -> None:
    with pytest.raises(UnknownError, match="There is no padding 'wrap'; there are reflect, edge, grey"):
        pad(1, "wrap")
