"""Pictures of tiny networks with hand-set weights, whose optimum is known."""

import numpy as np
import pytest
import torch
from torch import nn

from circuits.errors import InputError, UnknownError
from circuits.network.network import Network
from circuits.units import Unit
from circuits.visualization.forward import Canvas, canvas_of, field_of
from circuits.visualization.render import Picture, options_of, render, unit_objective
from circuits.visualization.settings import Settings
from circuits.visualization.visualize import plan, task_of
from tests.support.drawn import classifier, convolution, edges, network_of, two_layers


def levels(picture: Picture) -> np.ndarray:
    """The image as the network sees it, -1 to 1, (h, w, 3)."""
    return np.asarray(picture.image.reduce(picture.zoom), dtype=float) / 127.5 - 1


def reached(network: Network, picture: Picture) -> float:
    pixels = torch.tensor(np.asarray(picture.image.reduce(picture.zoom))).permute(2, 0, 1)[None].float() / 255
    layer = picture.unit.layer
    values = network.activations((pixels - 0.5) / 0.25, [layer])[layer]
    return float(values[0, picture.unit.channel].max())


def test_the_picture_of_a_neuron_has_the_signs_of_its_kernel() -> None:
    pictures = render(edges(), ["1:0@9,9", "1:1@9,9"], settings=Settings(size=16, steps=64))
    across, down = (levels(picture).mean(axis=2) for picture in pictures)
    assert across.shape == (16, 16)
    inner = slice(6, 11)  # padded by one pixel, the middle neuron sees rows and columns 6..10
    assert (across[inner, 9:11].mean(axis=0) > 0.2).all()
    assert (across[inner, 6:8].mean(axis=0) < -0.2).all()
    assert (down[9:11, inner].mean(axis=1) > 0.2).all()
    assert (down[6:8, inner].mean(axis=1) < -0.2).all()


def test_the_picture_of_a_channel_repeats_its_edge_where_a_mean_would_be_blind() -> None:
    picture, other = render(edges(), ["1:0", "1:1"], settings=Settings(size=32, steps=48))
    across, down = levels(picture).mean(axis=2), levels(other).mean(axis=2)
    assert np.abs(np.diff(across, axis=1)).mean() > 2 * np.abs(np.diff(across, axis=0)).mean()
    assert np.abs(np.diff(down, axis=0)).mean() > 2 * np.abs(np.diff(down, axis=1)).mean()
    assert picture.activation > 1.0  # the best that black and white could do is 2.7


def test_a_channel_that_wants_a_colour_is_drawn_in_it() -> None:
    red_not_blue = torch.tensor([1.0, 0.0, -1.0]).reshape(1, 3, 1, 1)
    [picture] = render(
        network_of(convolution(red_not_blue), nn.ReLU(), *classifier(1)), ["1:0"], settings=Settings(size=32, steps=256)
    )
    inner = levels(picture)[3:-3, 3:-3]
    red, _, blue = inner.mean(axis=(0, 1))
    assert red > 0.1
    assert blue < -0.1


def test_a_unit_that_is_silent_on_the_start_image_is_woken() -> None:
    bright = convolution(torch.ones(1, 3, 1, 1), bias=-3.0)  # active where the mean level is above 0.5
    [picture] = render(network_of(bright, nn.ReLU(), *classifier(1)), ["1:0"], settings=Settings(size=32))
    assert picture.activation > 1.0  # white reaches 3


def test_a_unit_that_nothing_excites_has_a_picture_and_activation_zero() -> None:
    dead = convolution(torch.zeros(1, 3, 1, 1), bias=-1.0)
    [picture] = render(network_of(dead, nn.ReLU(), *classifier(1)), ["1:0"], settings=Settings(size=32, steps=4))
    assert picture.image.size == (32, 32)
    assert picture.activation == 0.0


@pytest.mark.parametrize("unit", ["1:3", "4:7", "4:7@2,2", "7:1"])
def test_the_activation_is_what_the_network_says_of_the_image(unit: str) -> None:
    network = two_layers()
    [picture] = render(network, [unit], settings=Settings(size=32, steps=12))
    assert picture.activation == pytest.approx(reached(network, picture), rel=1e-5)


def test_more_steps_reach_more() -> None:
    [short], [long] = (render(two_layers(), ["4:7"], settings=Settings(size=32, steps=steps)) for steps in (4, 40))
    assert long.activation > 1.5 * short.activation


def test_the_same_seed_gives_the_same_picture_and_another_seed_another() -> None:
    network = two_layers()
    [once], [again] = (render(network, ["4:7"], settings=Settings(size=32, steps=8)) for _ in range(2))
    [other] = render(network, ["4:7"], settings=Settings(size=32, steps=8, seed=1))
    assert np.array_equal(levels(once), levels(again))
    assert np.abs(levels(once) - levels(other)).mean() > 0.02


def test_a_picture_does_not_depend_on_its_company() -> None:
    network = two_layers()
    units = ["4:7", "1:2", "4:0", "4:19", "4:3"]
    together = render(network, units, settings=Settings(size=32, steps=16))
    for unit, picture in zip(units, together, strict=True):
        [alone] = render(network, [unit], settings=Settings(size=32, steps=16))
        difference = np.abs(levels(alone) - levels(picture))  # a step of 8 bits is 0.008
        assert difference.mean() < 0.005
        assert difference.max() < 0.1
        assert alone.activation == pytest.approx(picture.activation, rel=0.05)


def test_sixteen_bit_floats_draw_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for fast in (False, True):
        monkeypatch.setattr("circuits.visualization.optimize.has_fast_bfloat16", lambda fast=fast: fast)
        drawn += render(two_layers(), ["4:7"], settings=Settings(size=32, steps=32))
    exact, rounded = drawn
    assert np.corrcoef(levels(exact).ravel(), levels(rounded).ravel())[0, 1] > 0.95
    assert rounded.activation == pytest.approx(exact.activation, rel=0.1)
    assert exact.activation == pytest.approx(reached(two_layers(), exact), rel=1e-5)
    assert rounded.activation == pytest.approx(reached(two_layers(), rounded), rel=1e-5)


def test_pictures_come_in_the_order_asked_for_and_repeats_are_drawn_once() -> None:
    told: list[tuple[int, int, str]] = []
    units = ["4:7", Unit("1", 2), "4:7", "4:1"]
    drawn = render(two_layers(), units, settings=Settings(size=16, steps=4), progress=lambda *args: told.append(args))
    assert [str(picture.unit) for picture in drawn] == ["4:7", "1:2", "4:7", "4:1"]
    assert drawn[0] is drawn[2]
    assert told == [(4, 8, "2 units of 4, step 4 of 4"), (8, 8, "1:2, step 4 of 4")]


def test_units_are_put_in_batches_by_layer_that_shrink_with_the_size() -> None:
    units = [Unit("4", n) for n in range(20)] + [Unit("4", 0, (1, 1)), Unit("1", 0)]

    def sizes(size: int) -> list[int]:
        tasks = [task_of(unit_objective(unit), 0) for unit in units]
        return [len(batch.numbers) for batch in plan(two_layers(), tasks, options_of(Settings(size=size)))]

    assert sizes(64) == [21, 1]  # drawn at 64 and 16 pixels
    assert sizes(256) == [21, 1]  # drawn at 64
    assert sizes(512) == [8, 8, 5, 1]  # drawn at 128
    assert sizes(1024) == [2] * 10 + [1, 1]  # drawn at 256


def test_progress_is_told_every_few_steps_and_ends_at_the_total() -> None:
    told: list[tuple[int, int, str]] = []
    render(two_layers(), ["4:1", "1:1"], settings=Settings(size=16, steps=10), progress=lambda *args: told.append(args))
    assert [done for done, _, _ in told] == [4, 8, 10, 14, 18, 20]
    assert {total for _, total, _ in told} == {20}


def test_an_exception_in_the_progress_ends_the_work() -> None:
    steps: list[int] = []

    def cancel(done: int, total: int, message: str) -> None:
        steps.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(two_layers(), ["4:1"], settings=Settings(size=16, steps=1000), progress=cancel)
    assert steps == [4]


def test_nothing_outside_is_touched() -> None:
    network = two_layers()
    before = torch.random.get_rng_state()
    with torch.no_grad():
        render(network, ["4:1"], settings=Settings(size=16, steps=2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(p.grad is None and not p.requires_grad for p in network.traced.parameters())


def test_a_network_with_a_fixed_input_size_is_shown_that_size() -> None:
    torch.manual_seed(0)
    network = network_of(
        convolution(torch.randn(2, 3, 3, 3)), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 24 * 24, 3), side=24
    )
    assert canvas_of(network, "1", 48) == Canvas(side=24, zoom=2)
    assert canvas_of(network, "3", 32) == Canvas(side=32, resize=(24, 24))
    [picture] = render(network, ["3:1"], settings=Settings(size=32, steps=8))
    seen = torch.tensor(np.asarray(picture.image)).permute(2, 0, 1)[None].float() / 255
    small = nn.functional.interpolate(seen, size=(24, 24), mode="bilinear", antialias=True)
    assert picture.activation == pytest.approx(float(network.logits((small - 0.5) / 0.25)[0, 1]), rel=1e-4)


def test_a_network_of_one_channel_is_drawn_too() -> None:
    bright = convolution(torch.ones(1, 1, 1, 1))
    [picture] = render(
        network_of(bright, nn.ReLU(), *classifier(1), colours=1), ["1:0"], settings=Settings(size=16, steps=160)
    )
    assert picture.image.mode == "RGB"
    assert levels(picture)[2:-2, 2:-2].mean() > 0.5


def test_the_field_of_a_layer_is_found() -> None:
    torch.manual_seed(0)
    network = network_of(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 5, stride=2, padding=2), nn.ReLU(), *classifier(4)
    )
    assert [field_of(network, layer) for layer in network.layers] == [3, 7, 64]


def test_low_units_are_drawn_small_and_enlarged() -> None:
    network = two_layers()
    assert [canvas_of(network, layer, 128).side for layer in network.layers] == [32, 64, 64]
    assert [canvas_of(network, layer, 128).zoom for layer in network.layers] == [4, 2, 2]
    [picture] = render(network, ["1:0"], settings=Settings(size=128, steps=2))
    assert picture.image.size == (128, 128)
    assert picture.zoom == 4


def test_a_size_that_does_not_divide_is_drawn_as_it_is() -> None:
    assert canvas_of(two_layers(), "1", 127) == Canvas(side=127)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": 8}, "Size 8 cannot be drawn; pictures are 16 to 1024 pixels wide"),
        ({"size": 2000}, "Size 2000 cannot be drawn"),
        ({"steps": 0}, "0 steps cannot be taken; choose 1 to 10000"),
        ({"seed": -1}, "Seed -1 is negative"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, int], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Settings(**options)


def test_unknown_units_are_refused_before_anything_is_drawn() -> None:
    told: list[int] = []
    with pytest.raises(UnknownError, match=r"No unit 4:20 in tiny; 4 has 20 channels"):
        render(two_layers(), ["1:0", "4:20"], progress=lambda done, total, message: told.append(done))
    with pytest.raises(UnknownError, match=r"No layer 'conv9' in tiny"):
        render(two_layers(), ["conv9:0"])
    assert told == []
