"""Gradient pictures against formulas run back by hand, finite differences, and nets whose picture is known."""

import copy
import operator
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from circuits import load_photo, trace
from circuits.errors import InputError, UnknownError
from circuits.evidence.descent import METHODS
from circuits.evidence.saliency import gradient_picture
from circuits.image.preprocessing import Preprocessing
from circuits.network.prepare import prepare
from circuits.tracing.circuit import Circuit
from tests.support.drawn import convolution, network_of
from tests.support.nets import ready
from tests.support.wayback import SIDE, Slow, Two, as_picture, lower_and_upper, off, photo, pixels, two

RECTIFIED = {
    "nn.ReLU": nn.ReLU,
    "nn.ReLU in place": lambda: nn.ReLU(inplace=True),
    "F.relu": lambda: F.relu,
    "torch.relu": lambda: torch.relu,
    "F.relu in place": lambda: lambda x: F.relu(x, inplace=True),
    "the method": lambda: operator.methodcaller("relu"),
    "by keyword": lambda: lambda x: F.relu(input=x),
    "nn.ReLU6": nn.ReLU6,
    "F.relu6": lambda: F.relu6,
}
each_kind = pytest.mark.parametrize("kind", RECTIFIED)
each_rule = pytest.mark.parametrize("rule", ["gradient", "guided", "deconvnet"])


@each_rule
@each_kind
@pytest.mark.parametrize("start", ["peak", "map"])
def test_a_picture_is_the_formula_run_back_by_hand(kind, rule, start):
    network, shown = two(RECTIFIED[kind]), photo()
    slow = Slow(network, pixels(shown), 6.0 if "6" in kind else float("inf"))
    expected = as_picture(slow.back(slow.start(1, start), rule, [1, 0]))
    found = gradient_picture(network, shown, f"{lower_and_upper(network)[1]}:1", method=rule, start=start)
    assert found.dtype == np.float32
    assert off(found, expected) <= 1e-5


def test_the_three_ways_back_and_the_upper_limit_make_a_difference_here():
    network, shown = two(), photo()
    slow, capped = (Slow(network, pixels(shown), cap) for cap in (float("inf"), 6.0))
    ways = [slow.back(slow.start(1, "peak"), rule, [1, 0]) for rule in ("gradient", "guided", "deconvnet")]
    ways.append(capped.back(capped.start(1, "peak"), "gradient", [1, 0]))
    for number, one in enumerate(ways):
        for another in ways[:number]:
            assert off(as_picture(one), as_picture(another)) > 0.05
    assert (capped.after[0] == 6).any()


def test_the_gradient_is_the_change_per_unit_of_brightness_of_a_pixel():
    network, shown = two(), photo(4)
    exact = copy.deepcopy(network.traced).double()
    expected = np.zeros((SIDE, SIDE, 3))
    for row, column, colour in np.ndindex(expected.shape):
        ends = []
        for step in (1e-6, -1e-6):
            moved = pixels(shown)
            moved[0, colour, row, column] += step
            ends.append(float(exact((moved - 0.5) / 0.25)[0, 1]))
        expected[row, column, colour] = (ends[0] - ends[1]) / 2e-6
    assert off(gradient_picture(network, shown, "fc:1"), expected) <= 1e-4


def test_peak_is_the_gradient_of_the_highest_activation_alone():
    network, shown = two(), photo(1)
    upper = lower_and_upper(network)[1]
    point = ((pixels(shown) - 0.5) / 0.25).float().requires_grad_()
    value = network.read(point, [(upper, [2], True)])[0].max()
    expected = as_picture(torch.autograd.grad(value, point)[0])
    assert np.array_equal(gradient_picture(network, shown, f"{upper}:2", start="peak"), expected)
    row, column = divmod(int(network.activations(point.detach(), [upper])[upper][0, 2].argmax()), SIDE)
    for start in ("peak", "map"):
        found = gradient_picture(network, shown, f"{upper}:2@{row},{column}", start=start)
        assert np.array_equal(found, expected)


def test_a_map_is_the_pictures_of_its_neurons_weighed_with_their_activation():
    network, shown = two(), photo(2)
    upper = lower_and_upper(network)[1]
    fired = network.activations(network.preprocessing.to_tensor(shown.image), [upper])[upper][0, 3].numpy()
    assert np.count_nonzero(fired) > 5
    neurons = [gradient_picture(network, shown, f"{upper}:3@{r},{c}") * fired[r, c] for r, c in np.ndindex(fired.shape)]
    assert off(gradient_picture(network, shown, f"{upper}:3", start="map"), np.sum(neurons, axis=0)) <= 1e-5


def test_a_unit_that_fired_nowhere_has_an_empty_picture_where_nothing_can_pass():
    silent = network_of(convolution(-torch.ones(2, 3, 1, 1), -9.0), nn.ReLU(), *_classes(2), side=4)
    shown = photo(side=4)
    for method in ("gradient", "gradient_x_input", "guided"):
        assert not gradient_picture(silent, shown, "1:0", method=method).any()
        assert not gradient_picture(silent, shown, "1:0", method=method, start="map").any()


def test_gradient_times_input_adds_up_to_the_value_where_nothing_has_a_bias():
    module, shown = Two(), photo(5)
    module.one.bias.data.zero_()
    module.two.bias.data.zero_()
    network = ready(module, SIDE)
    upper = lower_and_upper(network)[1]
    fired = network.activations(network.preprocessing.to_tensor(shown.image), [upper])[upper][0, 1]
    found = gradient_picture(network, shown, f"{upper}:1", method="gradient_x_input")
    assert float(found.sum()) == pytest.approx(float(fired.max()), rel=1e-5)
    squared = gradient_picture(network, shown, f"{upper}:1", method="gradient_x_input", start="map")
    assert float(squared.sum()) == pytest.approx(float(fired.square().sum()), rel=1e-5)
    plain = gradient_picture(network, shown, f"{upper}:1")
    assert off(found, plain * (np.asarray(shown.image) / 255 - 0.5)) <= 1e-6


@each_rule
def test_smoothgrad_is_the_mean_over_noisy_copies(rule):
    network, shown = two(), photo(6)
    image = pixels(shown)
    clean = Slow(network, image)
    chance = torch.Generator().manual_seed(7)
    size = 0.3 * (image.max() - image.min())
    expected = torch.zeros_like(image)
    for _ in range(11):
        copied = Slow(network, image + size * torch.randn(image.shape, generator=chance).double())
        expected += copied.back(clean.start(0, "map"), rule, [1, 0]) / 11
    unit = f"{lower_and_upper(network)[1]}:0"
    options = {"method": rule, "start": "map", "noise": 0.3}
    found = gradient_picture(network, shown, unit, smooth=11, seed=7, **options)
    assert off(found, as_picture(expected)) <= 1e-5
    assert np.array_equal(found, gradient_picture(network, shown, unit, smooth=11, seed=7, **options))
    # Without a pool a deconvnet's way back does not ask what was there on the way up.
    assert (off(gradient_picture(network, shown, unit, smooth=11, seed=8, **options), found) > 0.01) is (
        rule != "deconvnet"
    )


def test_smoothing_without_noise_changes_nothing():
    network, shown = two(), photo(6)
    unit = f"{lower_and_upper(network)[1]}:0"
    for method in METHODS:
        plain = gradient_picture(network, shown, unit, method=method)
        assert off(gradient_picture(network, shown, unit, method=method, smooth=10, noise=0.0), plain) <= 1e-6


@each_rule
def test_max_pools_go_back_to_where_the_largest_was(rule):
    pooled = [convolution(torch.ones(1, 1, 1, 1)), nn.ReLU(), nn.MaxPool2d(2)]
    network = network_of(*pooled, *_classes(1), colours=1, side=4)
    network.traced.get_parameter("5.weight").data.fill_(8.0)
    levels = [[200, 210, 140, 130], [190, 180, 150, 160], [220, 130, 131, 135], [140, 230, 132, 134]]
    shown = load_photo(np.array(levels, dtype=np.uint8), name="levels")
    expected = np.zeros((4, 4, 1))
    for row, column in ((0, 1), (1, 3), (3, 1), (2, 3)):
        expected[row, column] = 8 / 4 / 0.25
    assert off(gradient_picture(network, shown, "5:0", method=rule), expected) <= 1e-6


@pytest.mark.parametrize("activation", [nn.GELU, nn.SiLU, nn.LeakyReLU, nn.Tanh])
def test_what_is_no_flat_rectifier_keeps_its_own_gradient(activation):
    network, shown = two(activation), photo(3)
    plain = gradient_picture(network, shown, "fc:0")
    for method in ("guided", "deconvnet"):
        assert np.array_equal(gradient_picture(network, shown, "fc:0", method=method), plain)


def test_nothing_is_left_behind_on_the_network(monkeypatch):
    network, shown = two(), photo()
    image = network.preprocessing.to_tensor(shown.image)
    kept = network.sha256, copy.deepcopy(network.traced.state_dict()), [type(m) for m in network.traced.modules()]
    plain = gradient_picture(network, shown, "fc:0")
    for method in METHODS:
        gradient_picture(network, shown, "fc:0", method=method, smooth=2)
    monkeypatch.setattr(torch.autograd, "grad", _fails)
    with pytest.raises(RuntimeError, match=r"^no gradient today$"):
        gradient_picture(network, shown, "fc:0", method="guided")
    monkeypatch.undo()
    assert [type(m) for m in network.traced.modules()] == kept[2]
    assert all(torch.equal(value, kept[1][name]) for name, value in network.traced.state_dict().items())
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in network.traced.modules())
    assert all(value.grad is None and not value.requires_grad for value in network.traced.parameters())
    assert np.array_equal(gradient_picture(network, shown, "fc:0"), plain)
    assert torch.equal(network.logits(image), network.logits(image))
    assert torch.is_grad_enabled()


def test_a_circuit_gives_the_picture_of_its_photo_also_when_read_from_its_file():
    seen = Preprocessing((SIDE, SIDE), 9, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), "bilinear")
    network = prepare(Two(), name="two", source="live", preprocessing=seen)
    shown = photo(2, side=20)
    circuit = trace(network, shown, 0)
    expected = gradient_picture(network, shown, "fc:0", method="guided")
    assert expected.any()
    for source in (circuit, Circuit.from_dict(circuit.to_dict())):
        assert np.array_equal(gradient_picture(network, source, "fc:0", method="guided"), expected)


def test_a_circuit_without_its_photo_is_refused():
    network = two()
    data = trace(network, photo(), 0).to_dict()
    data["graph"]["photo"].pop("thumbnail")
    with pytest.raises(
        InputError, match=r"^The circuit's file does not carry its photo, so no more can be computed; trace it again\.$"
    ):
        gradient_picture(network, Circuit.from_dict(data), "fc:0")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"method": "lrp"}, "There is no method 'lrp'; there is gradient, gradient_x_input, guided, deconvnet."),
        ({"start": "sum"}, "There is no start 'sum'; there is peak, map."),
        ({"smooth": -1}, "smooth is -1; it must be 0, for no noise, or a number of noisy copies."),
        ({"noise": -0.1}, "noise is -0.1; it must be a share of the photo's range, 0 or more, such as 0.15."),
        ({"noise": float("nan")}, "noise is nan; it must be a share of the photo's range, 0 or more, such as 0.15."),
    ],
)
def test_an_option_that_does_not_exist_is_told(options, expected):
    with pytest.raises(InputError, match=f"^{re.escape(expected)}$"):
        gradient_picture(two(), photo(), "fc:0", **options)


def test_a_unit_that_does_not_exist_is_told():
    with pytest.raises(UnknownError, match=r"^No unit fc:9 in tiny; fc has 2 channels, from 0\.$"):
        gradient_picture(two(), photo(), "fc:9")


def _classes(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2)]


def _fails(*_: object, **__: object) -> Tensor:
    raise RuntimeError("no gradient today")


@pytest.mark.parametrize("start", ["peak", "map"])
@each_rule
def test_the_picture_of_a_difference_of_two_classes_is_the_difference_of_theirs(rule, start):
    network, shown = two(), photo(2)
    logits = network.logits(network.preprocessing.to_tensor(shown.image))[0].detach()
    one = int(logits.argmax())
    circuit = trace(network, shown, f"class {one} - class {1 - one}", depth=1, top=1)
    assert circuit.root == f"fc:{one}-{1 - one}"
    slow = Slow(network, pixels(shown))
    weight = network.traced.state_dict()["fc.weight"].double()
    down = (weight[one] - weight[1 - one])[None, :, None, None].expand_as(slow.after[1]) / SIDE**2
    if start == "map":
        down = down * float(logits[one] - logits[1 - one])
    expected = as_picture(slow.back(down, rule, [1, 0]))
    assert off(gradient_picture(network, circuit, circuit.root, method=rule, start=start), expected) <= 1e-4
    assert off(gradient_picture(network, circuit, f"fc:{one}", method=rule), expected) > 0.05
