"""Gradient ascent: its steps, when it stops, what it is told to change, and what it leaves alone."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from circuits.errors import InputError
from circuits.image.tensors import fitted, resized, to_images, to_pictures
from circuits.network.network import Network
from circuits.units import Unit
from circuits.visualization.border_weights import border_weights, equalize_gradient
from circuits.visualization.forward import canvas_of
from circuits.visualization.objectives.base import Objective, ObjectiveInputs, Read, balance
from circuits.visualization.objectives.batch import diversity
from circuits.visualization.objectives.photo import inversion
from circuits.visualization.objectives.unit import channel, negative
from circuits.visualization.optimize import MEMORY, PATIENCE, GradientAscent, of_unit_size
from circuits.visualization.parameterization.base import Parameterization
from circuits.visualization.parameterization.pixels import PixelImages
from circuits.visualization.parameterization.registry import make_images
from circuits.visualization.regularizers import total_variation
from circuits.visualization.render import render
from circuits.visualization.settings import Settings
from circuits.visualization.transforms import compose, crop, none, pad, standard
from circuits.visualization.visualize import Options, ascent_options, plan, task_of, visualize
from tests.support.drawn import classifier, convolution, edges, network_of, two_layers


def colour(red: float, green: float, blue: float, bias: float = 0.0) -> nn.Module:
    return convolution(torch.tensor([red, green, blue]).reshape(1, 3, 1, 1), bias)


def one_unit(red: float, green: float, blue: float) -> Network:
    return network_of(colour(red, green, blue), nn.ReLU(), *classifier(1))


def mean_colour(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), dtype=float).mean(axis=(0, 1)) / 255


def ascent_of(network: Network, objectives: list[Objective], options: Options) -> GradientAscent:
    tasks = [task_of(objective, 0) for objective in objectives]
    [batch] = plan(network, tasks, options)
    return GradientAscent(network, tasks, ascent_options(network, batch, options))


def flat(side: int, colours: int) -> Parameterization:
    """Pixels that start grey, so that every difference is the objective's."""

    class Grey(PixelImages):
        def start(self, generators: object) -> Tensor:
            return torch.zeros(len(list(generators)), 3, side, side)  # type: ignore[call-overload]

    return Grey(side, colours)


class TestNeuron:
    def test_its_picture_moves_with_its_position_away_from_the_border(self) -> None:
        from circuits.visualization.objectives.unit import neuron

        options = Options(size=24, steps=12, images=flat, transform=none, zoom=1)
        near, far = visualize(edges(), [neuron("1:0", (9, 8)), neuron("1:0", (14, 11))], options=options)
        one, other = (np.asarray(found.images[0], dtype=float) for found in (near, far))
        assert np.array_equal(np.roll(one, (5, 3), axis=(0, 1)), other)
        changed = np.argwhere((one != one[0, 0]).any(axis=2))
        assert changed.min(axis=0).tolist() == [7, 6]  # the kernel of five pixels around row 9, column 8
        assert changed.max(axis=0).tolist() == [11, 10]


class TestStopping:
    def test_a_unit_that_nothing_moves_is_given_up_and_the_others_go_on(self) -> None:
        dead = convolution(torch.stack([torch.zeros(3, 1, 1), torch.tensor([1.0, 0.0, -1.0]).reshape(3, 1, 1)]))
        network = network_of(dead, nn.ReLU(), *classifier(2))
        steps = PATIENCE + 40
        found = visualize(network, [channel("1:0"), channel("1:1")], options=Options(size=16, steps=steps))
        assert [each.steps for each in found] == [PATIENCE + 1, steps]

    def test_stopping_early_ends_the_work_and_the_progress(self) -> None:
        network = network_of(convolution(torch.zeros(1, 3, 1, 1)), nn.ReLU(), *classifier(1))
        told: list[tuple[int, int]] = []
        settings = Settings(size=16, steps=5000)
        [picture] = render(network, ["1:0"], settings=settings, progress=lambda *a: told.append(a[:2]))
        assert picture.dead
        assert told[-1] == (5000, 5000)
        assert len(told) < PATIENCE

    def test_an_objective_that_has_reached_its_bound_stalls(self) -> None:
        """The sigmoid's corner is the optimum of a linear unit: no step gains anything there."""
        options = Options(size=16, steps=4000, images=make_images("pixels", matrix=torch.eye(3)), transform=none)
        [found] = visualize(one_unit(1.0, -1.0, 0.5), [channel("1:0")], options=options)
        assert found.steps < 2000
        red, green, blue = mean_colour(found.images[0])
        assert red > 0.95
        assert green < 0.05
        assert blue > 0.95

    def test_a_balanced_objective_stalls_when_all_its_terms_have(self) -> None:
        network = network_of(
            convolution(torch.stack([torch.zeros(3, 1, 1), torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1)])),
            nn.ReLU(),
            *classifier(2),
        )
        both = balance(1000.0 * channel("1:0"), channel("1:1"))
        [found] = visualize(network, [both], options=Options(size=16, steps=PATIENCE + MEMORY))
        assert found.steps == PATIENCE + MEMORY


class TestGradients:
    def test_each_image_is_followed_at_one_speed_however_faint_its_unit(self) -> None:
        faint, strong = 1e-4, 1e4
        kernels = torch.tensor([[faint, 0.0, -faint], [strong, 0.0, -strong]]).reshape(2, 3, 1, 1)
        network = network_of(convolution(kernels), nn.ReLU(), *classifier(2))
        options = Options(size=16, steps=40, images=flat, transform=none)
        low, high = visualize(network, [channel("1:0"), channel("1:1")], options=options)
        assert np.abs(mean_colour(low.images[0]) - mean_colour(high.images[0])).max() < 0.01
        assert mean_colour(low.images[0])[0] > 0.6

    def test_of_unit_size_has_a_mean_square_of_one_and_leaves_zero_alone(self) -> None:
        assert float(of_unit_size(torch.tensor([3.0, 4.0])).square().mean()) == pytest.approx(1.0)
        assert of_unit_size(torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]

    def test_a_balanced_pair_pulls_in_the_ratio_of_its_weights_whatever_its_scales(self) -> None:
        kernels = torch.tensor([[1000.0, 0.0, 0.0], [0.0, 0.001, 0.0]]).reshape(2, 3, 1, 1)
        network = network_of(convolution(kernels), nn.ReLU(), *classifier(2))
        images = lambda side, colours: PixelImages(side, colours, matrix=torch.eye(3))  # noqa: E731  # a factory
        ascent = ascent_of(
            network,
            [balance(channel("1:0"), 0.5 * channel("1:1"))],
            Options(size=16, steps=4, images=images, transform=none),
        )
        ascent.compute_gradients(ascent._tasks)
        gradient = ascent._tasks[0].leaves[0].grad
        assert gradient is not None
        red, green, blue = gradient.square().mean(dim=(1, 2)).sqrt().tolist()
        assert red == pytest.approx(3**0.5, rel=0.01)  # all of the first term's size is in one of three planes
        assert green == pytest.approx(0.5 * 3**0.5, rel=0.01)
        assert blue == 0

    def test_a_negative_weight_turns_a_term_around(self) -> None:
        network = one_unit(1.0, 0.0, 0.0)
        options = Options(size=16, steps=30, images=flat, transform=none)
        up, down = visualize(network, [channel("1:0"), -1.0 * channel("1:0", slope=1.0)], options=options)
        assert mean_colour(up.images[0])[0] > 0.6
        assert mean_colour(down.images[0])[0] < 0.4
        [pair] = visualize(network, [balance(channel("1:0"), -3.0 * channel("1:0", slope=1.0))], options=options)
        assert mean_colour(pair.images[0])[0] < 0.4

    def test_every_pixel_counts_once(self) -> None:
        """A linear unit wants every pixel alike, though a mirrored border shows some of them twice."""
        side = 16
        move = compose(pad(4), standard(side))
        images = torch.zeros(1, 3, side, side, requires_grad=True)
        total = torch.zeros(1, 3, side, side)
        plain = torch.zeros(1, 3, side, side)
        even = equalize_gradient(move, side)
        for seed in range(200):
            for apply, kept in ((even, total), (lambda given: given, plain)):
                moved = move(apply(images), [torch.Generator().manual_seed(1000 + seed)])
                kept += torch.autograd.grad(moved.sum(), images)[0] / 200
        assert plain.max() > 3
        assert total.max() < 1.15 * total.min()

    def test_what_the_border_of_a_layer_seldom_sees_is_not_held_back(self) -> None:
        """A kernel of ones over a padded map: pixels at the border of the moved image lie in fewer fields."""
        side, kernel = 16, 5
        ones = convolution(torch.ones(1, 3, kernel, kernel))
        network = network_of(ones, nn.ReLU(), *classifier(1), side=side)
        weights = {}
        for name, even in (
            ("plain", lambda images: images),
            ("evened", equalize_gradient(standard(side), side, kernel)),
        ):
            images = torch.zeros(1, 3, side, side, requires_grad=True)
            total = torch.zeros(1, 3, side, side)
            for seed in range(300):
                moved = standard(side)(even(images), [torch.Generator().manual_seed(5000 + seed)])
                [values] = network.read(network.preprocessing.normalize(moved), [("1", (0,), False)])
                total += torch.autograd.grad(values.mean(), images)[0] / 300
            weights[name] = total
        middle = {name: float(found[0, 0, 7:9, 7:9].mean()) for name, found in weights.items()}
        assert weights["plain"].max() > 1.25 * middle["plain"]
        assert weights["evened"].max() < 1.05 * middle["evened"]
        assert weights["evened"].min() > 0.7 * middle["evened"]

    def test_border_weights_are_one_without_movement_and_less_where_crops_seldom_reach(self) -> None:
        assert border_weights(none(8), 8).unique().tolist() == [1.0]
        seen = border_weights(crop(4), 8)[0, 0]
        assert float(seen.sum()) == pytest.approx(16.0)
        assert float(seen[0, 0]) < 0.25 < float(seen[4, 4])
        images = torch.zeros(1, 1, 8, 8, requires_grad=True)
        (gradient,) = torch.autograd.grad(equalize_gradient(crop(4), 8)(images).sum(), images)
        assert gradient.unique().tolist() == [1.0]

    def test_regularisers_are_taken_away(self) -> None:
        network, objective = two_layers(), channel("4:7")
        rough, smooth = (
            visualize(network, [objective], options=Options(size=32, regularizers=penalties))[0]
            for penalties in ((), (1.0 * total_variation(),))
        )
        variations = [
            float(total_variation()(ObjectiveInputs({}, to_images(found.images)))[0]) for found in (rough, smooth)
        ]
        assert variations[1] < 0.7 * variations[0]
        assert smooth.values[0] < rough.values[0]


class TestPlain:
    def test_a_plain_step_is_the_rate_times_the_gradient(self) -> None:
        """On a linear unit the gradient of the mean is its colour over the pixels: x + n · rate · c, exactly."""
        network = one_unit(1.0, -2.0, 0.0)
        options = Options(size=16, steps=100, images=make_images("plain"), transform=none, zoom=1)
        ascent = ascent_of(network, [channel("1:0", slope=1.0)], options)
        [start] = [leaf.detach().clone() for leaf in ascent._tasks[0].leaves]
        for _ in range(7):
            ascent.step()
        gradient = torch.tensor([1.0, -2.0, 0.0]).reshape(3, 1, 1) / 0.25 / 16**2  # std 0.25 of the normalisation
        expected = start + 7 * 10.0 * gradient
        torch.testing.assert_close(ascent._tasks[0].leaves[0].detach(), expected, rtol=1e-4, atol=1e-5)
        shown = ascent.images()[0]
        assert float(shown.min()) == 0.0
        assert float(shown.max()) == 1.0

    def test_the_plain_preset_draws_a_grid_picture(self) -> None:
        from circuits.visualization.settings import PLAIN

        [picture] = render(edges(), ["1:0"], settings=PLAIN)
        levels = np.asarray(picture.image, dtype=float)
        assert picture.image.size == (150, 150)
        assert levels.min() == 0
        assert levels.max() == 255


class TestPhotos:
    def test_a_picture_can_start_from_a_photo(self) -> None:
        photo = Image.fromarray(np.indices((32, 48)).sum(axis=0).astype(np.uint8) * 3).convert("RGB")
        options = Options(size=32, steps=1, images=make_images("pixels"), transform=none, zoom=1, start=photo)
        [found] = visualize(two_layers(), [channel("4:7")], options=options, frames=(0, 1))
        (step, [first]), (last, [second]) = found.frames
        assert (step, last) == (0, 1)
        assert np.abs(np.asarray(first, dtype=int) - np.asarray(fitted(photo, 32), dtype=int)).max() <= 1
        assert second == found.images[0]
        assert second != first

    def test_a_photo_moves_with_its_image(self) -> None:
        """Where image and photo are the same the inversion is perfect under every movement."""
        photo = Image.fromarray(np.random.default_rng(0).integers(60, 200, (32, 32, 3), dtype=np.uint8))
        objective = inversion(photo, "1")
        images = make_images("pixels")
        ascent = ascent_of(two_layers(), [objective], Options(size=32, steps=9, images=images, start=photo, zoom=1))
        for _ in range(3):
            [seen] = ascent._forward(ascent._tasks, ascent._draw(ascent._tasks))
            assert float(objective(seen)[0].detach()) == pytest.approx(0.0, abs=1e-3)

    def test_photos_are_cut_to_their_middle_square(self) -> None:
        photo = Image.new("RGB", (30, 10), "red")
        photo.paste("blue", (10, 0, 20, 10))
        assert fitted(photo, 10).getcolors() == [(100, (0, 0, 255))]
        square = resized(to_images([photo]), 5)
        assert square.shape == (1, 3, 5, 5)
        assert square[0].mean(dim=(1, 2)).tolist() == [0.0, 0.0, 1.0]


class TestPictures:
    def test_pictures_and_images_are_converted_without_loss(self) -> None:
        for mode, colours in (("L", 1), ("RGB", 3)):
            values = np.random.default_rng(0).integers(0, 256, (8, 8, colours), dtype=np.uint8)
            picture = Image.fromarray(values[..., 0] if colours == 1 else values)
            assert picture.mode == mode
            [again] = to_pictures(to_images([picture], colours))
            assert again.tobytes() == picture.tobytes()

    def test_what_is_transparent_is_put_on_grey(self) -> None:
        clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
        assert to_images([clear]).mul(255).round().unique().tolist() == [128.0]

    def test_opacity_gives_transparent_pictures(self) -> None:
        options = Options(size=16, steps=3, images=make_images("fourier", alpha=True))
        [found] = visualize(two_layers(), [channel("4:7")], options=options)
        assert found.images[0].mode == "RGBA"

    def test_the_value_is_that_of_the_picture_as_it_is(self) -> None:
        network = two_layers()
        [found] = visualize(network, [channel("4:7", slope=1.0)], options=Options(size=64, steps=8))
        image = found.images[0].reduce(found.canvas.zoom)
        inputs = network.preprocessing.normalize(to_images([image]))
        [values] = network.read(inputs, [("4", (7,), False)])
        assert found.values[0] == pytest.approx(float(values.mean()), rel=1e-5)

    def test_several_pictures_of_one_objective_start_apart_and_the_first_is_that_of_one(self) -> None:
        network, options = two_layers(), Options(size=16, steps=4)
        [three] = visualize(network, [channel("4:7")], count=3, options=options)
        [one] = visualize(network, [channel("4:7")], options=options)
        arrays = [np.asarray(image, dtype=float) for image in three.images]
        assert np.abs(arrays[0] - np.asarray(one.images[0], dtype=float)).max() <= 2
        assert min(np.abs(arrays[a] - arrays[b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))) > 2

    def test_diversity_draws_pictures_together(self) -> None:
        network = two_layers()
        [found] = visualize(
            network, [channel("4:7") + 0.2 * diversity("4")], count=3, options=Options(size=16, steps=4)
        )
        assert len(found.images) == len(found.values) == 3

    def test_previews_and_frames_are_the_pictures_on_their_way(self) -> None:
        shown: list[tuple[int, Image.Image]] = []
        options = Options(size=16, steps=60)
        [found] = visualize(
            two_layers(),
            [channel("4:7")],
            options=options,
            frames=(0, 24, 56, 60),
            on_preview=lambda at, images: shown.append((at, images[0])),
        )
        frames = dict(found.frames)
        assert sorted(frames) == [0, 24, 56, 60]
        assert [at for at, _ in shown] == [0, 0, 0]
        assert [image for _, image in shown][1:] == [frames[24][0], frames[56][0]]
        assert frames[60] == found.images

    def test_previews_of_units_come_with_their_unit(self) -> None:
        shown: list[tuple[Unit, tuple[int, int]]] = []
        settings = Settings(size=32, steps=20)
        render(
            two_layers(),
            ["4:7", "1:2"],
            settings=settings,
            on_preview=lambda unit, image: shown.append((unit, image.size)),
        )
        assert shown == [(Unit("4", 7), (32, 32)), (Unit("1", 2), (32, 32))]


class TestChoices:
    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"size": 8}, "Size 8 cannot be drawn"),
            ({"steps": 0}, "0 steps cannot be taken"),
            ({"blur_image": -1.0}, r"A blur_image of -1.0 pixels cannot be had; give 0 to 128"),
            ({"blur_gradient": float("nan")}, "A blur_gradient of nan pixels cannot be had"),
        ],
    )
    def test_numbers_out_of_range_are_refused(self, options: dict[str, float], sentence: str) -> None:
        with pytest.raises(InputError, match=sentence):
            Options(**options)  # type: ignore[arg-type]

    def test_a_zoom_that_does_not_divide_the_size_is_refused(self) -> None:
        with pytest.raises(InputError, match="A picture of 33 pixels has no zoom of 2"):
            visualize(two_layers(), [channel("4:7")], options=Options(size=33, zoom=2, steps=1))

    def test_an_objective_without_a_network_is_refused(self) -> None:
        with pytest.raises(InputError, match="TotalVariation reads no layer"):
            visualize(two_layers(), [total_variation()])

    def test_no_picture_is_no_count(self) -> None:
        with pytest.raises(InputError, match="0 pictures cannot be drawn; ask for 1 or more"):
            visualize(two_layers(), [channel("4:7")], count=0)

    def test_a_blur_of_the_image_and_of_the_gradient_smooth_the_picture(self) -> None:
        network = two_layers()

        def roughness(**blurs: float) -> float:
            options = Options(size=32, steps=24, images=make_images("pixels"), zoom=1, **blurs)  # type: ignore[arg-type]
            [found] = visualize(network, [channel("4:7")], options=options)
            return float(total_variation()(ObjectiveInputs({}, to_images(found.images)))[0])

        plain = roughness()
        assert roughness(blur_gradient=1.5) < 0.8 * plain
        assert roughness(blur_image=1.0) < 0.8 * plain

    def test_a_canvas_is_shown_at_the_input_size_where_the_moved_size_does_not_fit(self) -> None:
        torch.manual_seed(0)
        network = network_of(
            convolution(torch.randn(2, 3, 3, 3)), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 24 * 24, 3), side=24
        )
        assert canvas_of(network, "3", 24).resize == (24, 24)  # padded by one pixel it would be 26
        assert canvas_of(network, "3", 24, transform=none).resize is None

    def test_a_negative_is_the_opposite_of_a_picture(self) -> None:
        network = one_unit(1.0, 0.0, -1.0)
        [up] = render(network, ["1:0"], settings=Settings(size=16, steps=200))
        [down] = render(network, ["1:0"], settings=Settings(size=16, steps=200, objective="negative"))
        assert mean_colour(up.image)[0] > mean_colour(up.image)[2] + 0.1
        assert mean_colour(down.image)[0] < mean_colour(down.image)[2] - 0.1
        assert negative("1:0").reads == (Read("1", (0,), False),)
