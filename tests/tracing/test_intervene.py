"""What if: scaled units, against forward passes written out by hand and a network whose answers are known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuits import Circuit, InputError, Network, Photo, UnknownError, load_photo, predict, trace
from circuits.tracing import source
from circuits.tracing.intervene import Outcome, intervene
from circuits.units import Unit
from tests.support.handmade import colour_photo, handmade_network, levels
from tests.support.nets import ready, zoo_module, zoo_network

RED, GREEN, BLUE = levels(1.0, 0.5, 0.25)


@pytest.fixture(scope="module")
def squeezenet() -> Network:
    return zoo_network("squeezenet1_1")


@pytest.fixture(scope="module")
def noise() -> Photo:
    return load_photo(np.random.default_rng(5).integers(0, 256, (64, 64, 3), dtype=np.uint8), name="noise")


def with_edits(network: Network, photo: Photo, edits: dict[str, Callable[[Tensor], Tensor]]) -> Tensor:
    """The logits of squeezenet1_1 with some of its modules' outputs edited, module by module."""
    x = network.preprocessing.input_of(photo)
    module = zoo_module(network.name)
    for name, part in module.features.named_children():
        x = part(x)
        x = edits.get(f"features.{name}", lambda value: value)(x)
    return module.classifier(x).flatten()


def scaled(channel: int, factor: float, at: tuple[int, int] | None = None) -> Callable[[Tensor], Tensor]:
    def edit(value: Tensor) -> Tensor:
        value = value.clone()
        if at is None:
            value[0, channel] = value[0, channel] * factor
        else:
            value[0, channel, at[0], at[1]] = value[0, channel, at[0], at[1]] * factor
        return value

    return edit


def test_switching_off_each_unit_of_the_handmade_network_has_the_known_effect(network: Network) -> None:
    warm, cold = 3 * (2 * RED - GREEN) - (BLUE + 0.5) + 0.1, BLUE + 0.5
    known = {
        "conv2:0": (warm - 3 * (2 * RED - GREEN), cold),
        "conv2:1": (warm + BLUE + 0.5, 0.0),
        "conv2:2": (warm, cold),
        "conv1:0": (-cold + 0.1, cold),
        "conv1:2": (warm + BLUE, 0.5),
        "conv1:3": (warm, cold),
    }
    for unit, logits in known.items():
        outcome = intervene(network, colour_photo(), {unit: 0})
        assert outcome.after.tolist() == pytest.approx(logits, abs=1e-5)
        assert outcome.before.tolist() == pytest.approx((warm, cold), abs=1e-5)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 2.5, 4.0])
def test_a_linear_network_answers_in_proportion_to_the_factor(network: Network, factor: float) -> None:
    warm = 3 * factor * (2 * RED - GREEN) - (BLUE + 0.5) + 0.1
    outcome = intervene(network, colour_photo(), {Unit("conv2", 0): factor})
    assert outcome.after[0].item() == pytest.approx(warm, abs=1e-5)
    assert outcome.changes == ((Unit("conv2", 0), factor),)


def test_a_neuron_is_scaled_at_its_place_alone_and_its_channels_factor_holds_there_too(network: Network) -> None:
    share = 3 * (2 * RED - GREEN) / 16
    rest = -(BLUE + 0.5) + 0.1
    alone = intervene(network, colour_photo(), {"conv2:0@1,2": 0})
    assert alone.after[0].item() == pytest.approx(15 * share + rest, abs=1e-5)
    both = intervene(network, colour_photo(), {"conv2:0": 2, "conv2:0@1,2": 0.25})
    assert both.after[0].item() == pytest.approx((15 * 2 + 0.5) * share + rest, abs=1e-5)


def test_an_upper_factor_scales_what_a_lower_change_has_made(network: Network) -> None:
    outcome = intervene(network, colour_photo(), {"conv2:0": 3, "conv1:1": 2, "conv2:1": 0})
    expected = 3 * 3 * (2 * RED - 2 * GREEN) + 0.1
    assert outcome.after.tolist() == pytest.approx((expected, 0.0), abs=1e-5)
    assert [str(unit) for unit, _ in outcome.changes] == ["conv1:1", "conv2:0", "conv2:1"]


@pytest.mark.parametrize("layer", ["features.1", "features.4", "features.9", "features.12"])
def test_a_silent_unit_equals_a_forward_pass_with_the_tensor_edited(
    squeezenet: Network, noise: Photo, layer: str
) -> None:
    assert layer in squeezenet.layers
    active = int(squeezenet.activations(squeezenet.preprocessing.input_of(noise))[layer][0].amax((1, 2)).argmax())
    expected = with_edits(squeezenet, noise, {layer: scaled(active, 0.0)})
    outcome = intervene(squeezenet, noise, {f"{layer}:{active}": 0})
    assert torch.allclose(outcome.after, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(outcome.after, outcome.before, rtol=1e-4, atol=1e-5)


def test_changes_in_three_layers_equal_a_forward_pass_with_the_tensors_edited(
    squeezenet: Network, noise: Photo
) -> None:
    edits = {
        "features.3": scaled(5, 0.0),
        "features.7": scaled(20, 3.5, (1, 2)),
        "features.10": scaled(8, 2.0),
    }
    changes = {"features.10:8": 2.0, "features.7:20@1,2": 3.5, "features.3:5": 0.0}
    found = intervene(squeezenet, noise, changes).after
    assert torch.allclose(found, with_edits(squeezenet, noise, edits), rtol=1e-4, atol=1e-5)


def test_a_factor_of_one_says_exactly_what_predict_says(squeezenet: Network, noise: Photo) -> None:
    outcome = intervene(squeezenet, noise, {"features.4:3": 1, "features.9:0@0,0": 1.0}, top=5)
    assert [effect.before for effect in outcome.effects] == list(predict(squeezenet, noise, top=5))
    assert [effect.after for effect in outcome.effects] == list(predict(squeezenet, noise, top=5))
    assert torch.equal(outcome.before, outcome.after)
    assert intervene(squeezenet, noise, {}).effects == outcome.effects
    assert [effect.gain for effect in outcome.effects] == [0.0] * 5


def test_the_classes_told_of_lead_before_or_after_or_were_asked_for(network: Network) -> None:
    photo = colour_photo()

    def labels(**options: object) -> list[str]:
        return [effect.label for effect in intervene(network, photo, {"conv2:0": 0}, **options).effects]

    assert labels(top=1) == ["warm", "cold"]
    assert [effect.label for effect in intervene(network, photo, {"conv2:2": 0}, top=1).effects] == ["warm"]
    asked = intervene(network, photo, {"conv2:2": 0}, top=1, classes=("cold", 0))
    assert [effect.label for effect in asked.effects] == ["warm", "cold"]


def test_the_probabilities_are_the_softmax_over_all_classes(squeezenet: Network, noise: Photo) -> None:
    outcome = intervene(squeezenet, noise, {"features.12:3": 4, "features.12:100": 0}, top=2, classes=(9,))
    for logits, side in ((outcome.before, "before"), (outcome.after, "after")):
        total = sum(math.exp(logit) for logit in logits.tolist())
        for effect in outcome.effects:
            said = getattr(effect, side)
            assert said.logit == logits[said.index].item()
            assert said.probability == pytest.approx(math.exp(said.logit) / total, rel=1e-4)
    order = [effect.before.logit for effect in outcome.effects]
    assert order == sorted(order, reverse=True)


def test_the_photo_is_run_once_for_any_number_of_questions(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    activations = Network.activations

    def counted(self: Network, *arguments: object) -> object:
        runs.append(arguments)
        return activations(self, *arguments)

    monkeypatch.setattr(Network, "activations", counted)
    photo = colour_photo(0.9, 0.3, 0.1)
    first = intervene(network, photo, {"conv1:0": 0})
    for factor in (0.5, 2, 4):
        intervene(network, photo, {"conv2:0": factor, "conv1:1": factor})
    again = intervene(network, photo, {"conv1:0": 0})
    assert len(runs) == 1
    assert torch.equal(first.after, again.after)
    for red in (0.1, 0.2, 0.3, 0.4):
        intervene(network, colour_photo(red), {})
    intervene(network, photo, {})
    assert len(runs) == 6


def test_kept_activations_die_with_their_network() -> None:
    import gc
    import weakref

    short_lived = handmade_network()
    intervene(short_lived, colour_photo(), {})
    circuit = Circuit.from_dict(trace(short_lived, colour_photo(), depth=1).to_dict())
    intervene(short_lived, circuit, {})
    alive = weakref.ref(short_lived)
    assert len(source._recent[short_lived]) == 2
    del short_lived
    gc.collect()
    assert alive() is None


def test_a_circuit_and_its_file_answer_like_the_photo(network: Network) -> None:
    def facts(outcome: Outcome) -> list[float]:
        return outcome.after.tolist()

    photo = colour_photo()
    circuit = trace(network, photo, depth=2)
    read = Circuit.from_dict(circuit.to_dict())
    changes = {"conv1:0": 0.5, "conv2:1": 3}
    assert facts(intervene(network, circuit, changes)) == facts(intervene(network, photo, changes))
    assert facts(intervene(network, read, changes)) == facts(intervene(network, photo, changes))


def test_a_circuit_is_changed_in_its_own_layers() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    network = ready(module, 8)
    photo = load_photo(np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8), name="p")
    circuit = trace(network, photo, depth=1, layers=["3", "6"])
    read = Circuit.from_dict(circuit.to_dict())
    for _ in range(2):
        found = intervene(network, read, {"3:1": 0}).after
        assert torch.equal(found, intervene(network, photo, {"3:1": 0}).after)
        with pytest.raises(UnknownError, match="No layer '1'"):
            intervene(network, read, {"1:0": 0})


def test_what_cannot_be_changed_is_refused(network: Network) -> None:
    def refused(changes: dict, **options: object) -> None:
        intervene(network, colour_photo(), changes, **options)

    for factor in (-0.1, 4.01, float("nan"), float("inf")):
        with pytest.raises(InputError, match=r"The factor of conv1:0 is \S+; it must be a number from 0, .* to 4\."):
            refused({"conv1:0": factor})
    with pytest.raises(InputError, match="fc:0 is 'warm' itself, which nothing depends on; change units of a layer"):
        refused({"fc:0": 0})
    with pytest.raises(UnknownError, match="No unit conv1:4"):
        refused({"conv1:4": 0})
    with pytest.raises(UnknownError, match="No neuron conv1:0@4,0"):
        refused({"conv1:0@4,0": 0})
    with pytest.raises(UnknownError, match="No layer 'conv9'"):
        refused({"conv9:0": 0})
    with pytest.raises(InputError, match="'conv1' is not a unit"):
        refused({"conv1": 0})
    with pytest.raises(UnknownError, match="No class 'tepid'"):
        refused({"conv1:0": 0}, classes=("tepid",))
    with pytest.raises(InputError, match="top is 0; it must be at least 1"):
        refused({"conv1:0": 0}, top=0)
