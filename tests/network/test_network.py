"""A prepared network: its classes, fingerprint, layers and predictions, and what `prepare` refuses."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from circuits import Unit, load_photo, predict, prepare
from circuits.errors import InputError, UnknownError
from circuits.network.network import Network, fingerprint
from circuits.network.rewrite import prepare_module
from tests.support.nets import difference, image_for, preprocessing, randomize, ready, seeded, zoo_module, zoo_network

LABELS = (
    "tabby, tabby cat",
    "tiger cat",
    "Siamese cat, Siamese",
    "cat",
    "tiger, Panthera tigris",
    "crane",
    "crane",
    "Cardigan, Cardigan Welsh corgi",
    "7",
)


def small(classes: int = 3) -> nn.Sequential:
    return randomize(
        nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, classes),
        )
    )


@pytest.fixture(scope="module")
def named() -> Network:
    return prepare(small(9), name="zoo", source="live", preprocessing=preprocessing(8), labels=LABELS)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (3, 3),
        ("3", 3),
        (" 0 ", 0),
        ("cat", 3),
        ("CAT", 3),
        ("tiger cat", 1),
        ("tabby", 0),
        ("tabby cat", 0),
        ("tabby, tabby cat", 0),
        ("siamese", 2),
        ("Siam", 2),
        ("panthera", 4),
        ("tiger", 4),
        ("cardigan w", 7),
        ("  Cardigan ", 7),
        ("7", 8),  # an exact label wins
        (7, 7),
    ],
)
def test_a_class_is_found_by_number_label_synonym_or_beginning(named, text, number):
    assert named.find_class(text) == number


def test_an_ambiguous_beginning_lists_what_it_matches(named):
    expected = r"^'t' matches 3 classes of zoo: 'tabby, tabby cat' \(0\), 'tiger cat' \(1\), "
    with pytest.raises(UnknownError, match=expected + r"'tiger, Panthera tigris' \(4\); give a number\.$"):
        named.find_class("t")


def test_a_label_that_two_classes_bear_lists_both(named):
    expected = r"^'Crane' matches 2 classes of zoo: 'crane' \(5\), 'crane' \(6\); give a number\.$"
    with pytest.raises(UnknownError, match=expected):
        named.find_class("Crane")


@pytest.mark.parametrize("number", [9, "9", 1000, -1])
def test_a_number_beyond_the_classes_is_answered_with_their_range(named, number):
    with pytest.raises(UnknownError, match=rf"^No class {number} in zoo; it has classes 0 to 8\.$"):
        named.find_class(number)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("tigress", "'tigress' in zoo; it knows for example tiger cat, tiger, P"),
        ("zebra", "'zebra' in zoo; it knows for example tabby, tabby cat, tiger"),
        ("", "'' in zoo; it knows for example tabby"),
        ("²", "'²' in zoo; it knows for example tabby"),
        ("-1", "'-1' in zoo; it knows for example tabby"),
    ],
)
def test_an_unknown_class_is_answered_with_some_that_exist(named, text, near):
    with pytest.raises(UnknownError, match=f"^No class {near}"):
        named.find_class(text)


def test_the_difference_of_two_classes_is_no_class(named):
    with pytest.raises(UnknownError, match=r"^'tiger - Cat' is the difference of two classes; give one, 'tiger' or"):
        named.find_class("tiger - Cat")


def test_labels_are_given_to_units_of_the_logits_alone(named):
    assert named.label(3) == "cat"
    assert named.unit_label(Unit("4", 3)) == "cat"
    assert named.unit_label(Unit("1", 3)) == "1:3"
    assert named.unit_label(Unit("1", 3, (0, 7))) == "1:3@0,7"


def test_classes_without_labels_are_numbered():
    assert ready(small()).labels == ("class 0", "class 1", "class 2")


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "b", "c", "d"]])
def test_labels_of_another_number_are_refused(labels):
    expected = rf"^net has 3 classes, but {len(labels)} labels were given; give one a class\.$"
    with pytest.raises(InputError, match=expected):
        prepare(small(), name="net", source="live", preprocessing=preprocessing(8), labels=labels)


def test_the_layer_below_is_the_next_lower_one(named):
    network = zoo_network("squeezenet1_1")
    assert network.below("features.4") == "features.3"
    assert network.below("features.1") is None
    with pytest.raises(
        UnknownError, match=r"^No layer 'features\.2' in squeezenet1_1; it has features\.1, .*classifier"
    ):
        network.below("features.2")


def test_units_are_checked_against_channels_and_positions():
    network = zoo_network("resnet18")
    assert network.check_unit(Unit("layer1.0", 63, (15, 15))).name == "layer1.0"
    with pytest.raises(UnknownError, match=r"^No unit layer1\.0:64 in resnet18; layer1\.0 has 64 channels, from 0\.$"):
        network.check_unit(Unit("layer1.0", 64))
    expected = r"^No neuron layer1\.0:1@16,0 in resnet18; layer1\.0 has 16 rows and 16 columns, from 0\.$"
    with pytest.raises(UnknownError, match=expected):
        network.check_unit(Unit("layer1.0", 1, (16, 0)))
    with pytest.raises(UnknownError, match=r"^No neuron layer1\.0:1@0,16 "):
        network.check_unit(Unit("layer1.0", 1, (0, 16)))


def test_activations_are_those_of_the_parts_of_the_original():
    module = zoo_module("alexnet")
    network = zoo_network("alexnet")
    images = image_for(network, 2)
    found = network.activations(images)
    assert tuple(found) == network.layers
    with torch.no_grad():
        first = F.relu(module.features[0](images))
        hidden = module.classifier[:3](torch.flatten(module.avgpool(module.features(images)), 1))
    assert difference(found["features.1"], first) <= 1e-5
    assert difference(found["classifier.2"], hidden[:, :, None, None]) <= 1e-5
    assert not found["features.1"].requires_grad


def test_no_layers_asked_for_gives_no_activations():
    network = zoo_network("alexnet")
    assert network.activations(image_for(network), []) == {}


def test_activations_of_an_unknown_layer_are_refused():
    network = zoo_network("alexnet")
    with pytest.raises(UnknownError, match=r"^No layer 'conv1' in alexnet; it has features\.1, "):
        network.activations(image_for(network), ["conv1"])


def test_other_layers_leave_the_network_and_its_segments_as_they_were():
    network = zoo_network("resnet18")
    segment = network.segment("layer1.0", "layer1.1")
    other = network.with_layers(["layer1.0", "layer4.0"])
    assert other.layers == ("layer1.0", "layer4.0", "fc")
    assert network.layers[1:3] == ("layer1.0", "layer1.1")
    assert other.sha256 == network.sha256
    assert network.segment("layer1.0", "layer1.1") is segment
    assert network.with_layers(network.layers) is network


def test_predictions_are_the_highest_logits_with_their_softmax(named):
    photo = load_photo(np.random.default_rng(1).integers(0, 255, (12, 9, 3), dtype=np.uint8), name="noise")
    found = predict(named, photo, top=4)
    with torch.no_grad():
        logits = named.logits(named.preprocessing.to_tensor(photo.image))[0]
    order = sorted(range(9), key=lambda n: -float(logits[n]))
    assert [one.index for one in found] == order[:4]
    assert [one.label for one in found] == [LABELS[n] for n in order[:4]]
    assert [one.logit for one in found] == [float(logits[n]) for n in order[:4]]
    total = float(logits.exp().sum())
    assert [one.probability for one in found] == pytest.approx([float(logits[n].exp()) / total for n in order[:4]])
    assert sum(one.probability for one in predict(named, photo, top=100)) == pytest.approx(1)


@pytest.mark.parametrize("top", [0, -3])
def test_fewer_than_one_prediction_is_refused(named, top):
    photo = load_photo(np.zeros((9, 9, 3), dtype=np.uint8))
    with pytest.raises(InputError, match=rf"^top is {top}; it must be at least 1\.$"):
        predict(named, photo, top=top)


def sha(module: nn.Module) -> str:
    return fingerprint(prepare_module(module))


def test_the_fingerprint_stays_with_a_copy_and_a_reload(tmp_path):
    module = zoo_module("squeezenet1_1")
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    again = copy.deepcopy(module)
    again.load_state_dict(torch.load(tmp_path / "weights.pth", weights_only=True))
    assert sha(again) == sha(module) == zoo_network("squeezenet1_1").sha256
    assert len(sha(module)) == 64


def test_the_fingerprint_changes_with_one_weight():
    module = zoo_module("densenet121")
    before = sha(module)
    other = copy.deepcopy(module)
    with torch.no_grad():
        other.features.conv0.weight[5, 1, 2, 3] += 1e-6
    assert sha(other) != before
    other = copy.deepcopy(module)
    with torch.no_grad():
        other.features.norm5.running_mean[7] += 1e-6
    assert sha(other) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m[0], "stride", (2, 2)),
        lambda m: setattr(m[0], "padding", (0, 0)),
        lambda m: m.__setitem__(1, nn.ReLU6()),
        lambda m: m.__setitem__(1, nn.LeakyReLU(0.1)),
        lambda m: m.__setitem__(2, nn.AdaptiveMaxPool2d(1)),
    ],
    ids=["stride", "padding", "activation", "slope", "pool"],
)
def test_the_fingerprint_changes_with_the_settings_of_a_part(change):
    module = small()
    before = sha(module)
    change(module)
    assert sha(module) != before


def test_the_fingerprint_changes_with_a_constant_and_with_a_function():
    class Times(nn.Module):
        def __init__(self, factor, function) -> None:
            super().__init__()
            self.factor, self.function = factor, function

        def forward(self, image: Tensor) -> Tensor:
            return self.function(image * self.factor)

    prints = {sha(Times(2, F.relu)), sha(Times(3, F.relu)), sha(Times(2, F.relu6)), sha(Times(2, torch.relu))}
    assert len(prints) >= 3
    assert sha(Times(2, F.relu)) == sha(Times(2, F.relu))


def test_preparing_leaves_a_live_module_as_it_was():
    module = small().double().train()
    module[0].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    network = ready(module)
    assert [part.training for part in module] == [False, True, True, True, True]
    assert all(value.requires_grad for value in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert {value.dtype for value in module.parameters()} == {torch.float64}
    assert not any(value.requires_grad for value in network.traced.parameters())


def test_an_input_that_does_not_fit_is_refused_with_the_reason():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 2))
    expected = r"^tiny does not take an input of \(1, 3, 9, 9\): .*mat1 and mat2 shapes .*; give its size\.$"
    with pytest.raises(InputError, match=expected):
        ready(module, 9)
    assert ready(module, 8).layers == ("1", "3")


def test_a_network_whose_code_fails_is_refused_with_the_reason():
    class Zeroes(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image.relu().no_such_method()

    with pytest.raises(InputError, match=r"^tiny does not take an input of .*: 'Tensor' object has no attribute 'no_s"):
        ready(Zeroes())


def test_a_network_that_overwrites_a_view_says_what_it_said_before():
    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(4, 2)

        def forward(self, image: Tensor) -> Tensor:
            x = self.conv(image)
            x[:, 1:].mul_(-3)
            return self.fc(F.relu(x).mean((2, 3)))

    module = randomize(Views())
    network = ready(module)
    images = torch.randn((2, 3, 8, 8), generator=seeded())
    assert difference(network.logits(images), module(images).detach()) <= 1e-5


def test_damaged_weights_are_told_apart_from_a_failed_preparation():
    module = small()
    with torch.no_grad():
        module[0].weight[0] = float("nan")
    with pytest.raises(InputError, match=r"^tiny puts out NaN or infinity; its weights are damaged\.$"):
        ready(module)


def test_a_network_that_puts_out_zeros_is_fine():
    module = small()
    nn.init.zeros_(module[4].weight)
    nn.init.zeros_(module[4].bias)
    assert ready(module).logits(torch.randn((1, 3, 8, 8), generator=seeded())).tolist() == [[0.0, 0.0, 0.0]]


def test_a_greyscale_network_that_is_not_square_sees_its_size():
    module = randomize(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4 * 7, 2))).eval()
    network = ready(module, (6, 9), channels=1)
    photo = load_photo(np.random.default_rng(1).integers(0, 255, (30, 50, 3), dtype=np.uint8), name="noise")
    image = network.preprocessing.to_tensor(photo.image)
    assert image.shape == (1, 1, 6, 9)
    assert (network.layer("1").height, network.layer("1").width) == (4, 7)
    with torch.no_grad():
        expected = module(image)[0]
    assert {one.index: one.logit for one in predict(network, photo)} == pytest.approx(
        dict(enumerate(expected.tolist()))
    )


def test_logits_that_are_no_numbers_are_no_prediction() -> None:
    overflowing = small()
    with torch.no_grad():
        overflowing[4].weight.fill_(3e38)  # finite, and for what `prepare` tries it is not asked
    network = prepare(overflowing, preprocessing=preprocessing(8), check=False)
    with pytest.raises(InputError, match="Sequential puts out NaN or infinity for this photo, so there is nothing to"):
        predict(network, np.full((8, 8, 3), 255, dtype=np.uint8))
