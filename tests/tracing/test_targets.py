"""Targets: what a person may ask for, what it is called, and the value that it reads."""

import pytest
import torch

from circuits import Network, Unit, prepare
from circuits.errors import InputError, UnknownError
from circuits.tracing.targets import Target, find_target, readout_of
from tests.support.handmade import Handmade
from tests.support.nets import image_for, preprocessing, randomize

LABELS = ["tabby, tabby cat", "tiger cat", "tiger", "red - green", "conv1:7", "conv2:1", "dog"]


def of_labels(name: str, labels: list[str]) -> Network:
    """The handmade network's parts with classes of one's own."""
    module = Handmade()
    module.fc = torch.nn.Linear(3, len(labels))
    randomize(module, 4)
    return prepare(module, name=name, source="live", preprocessing=preprocessing((4, 5)), labels=labels)


@pytest.fixture(scope="module")
def network() -> Network:
    """A network with seven classes of awkward names."""
    return of_labels("net", LABELS)


def class_target(channel: int) -> Target:
    return Target("class", Unit("fc", channel), LABELS[channel])


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        (None, class_target(2)),
        (0, class_target(0)),
        ("0", class_target(0)),
        ("tiger cat", class_target(1)),
        (" TIGER ", class_target(2)),
        ("tabby cat", class_target(0)),
        ("do", class_target(6)),
        ("fc:6", class_target(6)),
        (" fc:6 ", class_target(6)),
        (Unit("fc", 6), class_target(6)),
        ("red - green", class_target(3)),
        ("conv1:1", Target("unit", Unit("conv1", 1), "conv1:1")),
        (Unit("conv2", 2), Target("unit", Unit("conv2", 2), "conv2:2")),
        ("conv1:1@3,4", Target("neuron", Unit("conv1", 1, (3, 4)), "conv1:1@3,4")),
        ("fc:1@0,0", Target("neuron", Unit("fc", 1, (0, 0)), "tiger cat")),
        ("tiger - dog", Target("difference", Unit("fc", 2), "tiger - dog", 6)),
        (" tabby  -  6 ", Target("difference", Unit("fc", 0), "tabby, tabby cat - dog", 6)),
        ("6 - 2", Target("difference", Unit("fc", 6), "dog - tiger", 2)),
    ],
)
def test_every_kind_of_target_is_understood(network, wanted, target):
    assert network.layers == ("conv1", "conv2", "fc")
    assert find_target(network, wanted, 2) == target


def test_a_unit_of_the_network_comes_before_a_label_of_that_name(network):
    assert find_target(network, "conv2:1", 0) == Target("unit", Unit("conv2", 1), "conv2:1")
    assert find_target(network.with_layers(["conv2"]), "conv1:7", 0) == class_target(4)


@pytest.mark.parametrize(
    ("wanted", "identity"),
    [("tiger", "fc:2"), ("conv1:3", "conv1:3"), ("conv1:3@1,2", "conv1:3@1,2"), ("tiger - dog", "fc:2-6")],
)
def test_a_target_has_the_id_of_its_node(network, wanted, identity):
    assert find_target(network, wanted, 0).id == identity


def test_a_label_that_is_a_number_wins_over_the_number():
    digits = of_labels("digits", ["0", "1", "10", "11", "2"])
    for wanted, channel in (("2", 4), ("10", 2), (2, 2), ("fc:2", 2), ("3", 3)):
        assert find_target(digits, wanted, 0).unit.channel == channel
    assert find_target(digits, "2 - 10", 0).id == find_target(digits, "fc:4 - fc:2", 0).id == "fc:4-2"
    twins = of_labels("twins", ["2", "2", "a", "b", "c"])
    with pytest.raises(
        UnknownError, match=r"'2' matches 2 classes of twins: '2' \(0\), '2' \(1\); give its unit, such as"
    ):
        find_target(twins, "2", 0)


def test_the_readout_of_each_kind_reads_its_value(network):
    images = image_for(network, 2)
    stored = network.activations(images)
    expected = {
        "tiger": stored["fc"][:, 2, 0, 0],
        "conv1:3": stored["conv1"][:, 3].sum((1, 2)),
        "conv1:3@3,4": stored["conv1"][:, 3, 3, 4],
        "fc:1@0,0": stored["fc"][:, 1, 0, 0],
        "dog - tiger": stored["fc"][:, 6, 0, 0] - stored["fc"][:, 2, 0, 0],
    }
    assert len({tuple(value.tolist()) for value in expected.values()}) == 5
    for wanted, value in expected.items():
        target = find_target(network, wanted, 0)
        torch.testing.assert_close(target.readout(network).value(stored[target.unit.layer]), value)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (7, r"^No class 7 in net; it has classes 0 to 6\.$"),
        ("70", r"^No class 70 in net; it has classes 0 to 6\.$"),
        ("zebra", r"^No class 'zebra' in net; it knows for example tabby, tabby cat, "),
        ("tig", r"^'tig' matches 2 classes of net: 'tiger cat' \(1\), 'tiger' \(2\); give a number\.$"),
        ("conv9:1", r"^No layer 'conv9' in net; it has conv1, conv2, fc\.$"),
        ("conv1:4", r"^No unit conv1:4 in net; conv1 has 4 channels, from 0\.$"),
        (Unit("fc", 7), r"^No unit fc:7 in net; fc has 7 channels, from 0\.$"),
        ("conv1:1@4,0", r"^No neuron conv1:1@4,0 in net; conv1 has 4 rows and 5 columns, from 0\.$"),
        ("conv1:1@0,5", r"^No neuron conv1:1@0,5 in net; conv1 has 4 rows and 5 columns, from 0\.$"),
        ("fc:1@0,1", r"^No neuron fc:1@0,1 in net; fc has 1 rows and 1 columns, from 0\.$"),
        ("zebra - dog", r"^No class 'zebra ?' in net; it knows for example "),
        ("dog - zebra", r"^No class ' ?zebra' in net; it knows for example "),
        ("tiger - dgo", r"^No class ' ?dgo' in net \(did you mean 'dog'\?\)\.$"),
        ("dog - 9", r"^No class 9 in net; it has classes 0 to 6\.$"),
        ("dog-tiger", r"^No class 'dog-tiger' in net \(did you mean 'dog - tiger'\?\); it knows for example dog\.$"),
        ("fc:1 - conv1:2", r"^No class 'conv1:2' in net; it knows for example "),
        ("", r"^No class '' in net; it knows for example "),
    ],
)
def test_what_names_nothing_or_several_classes_is_refused(network, wanted, expected):
    with pytest.raises(UnknownError, match=expected):
        find_target(network, wanted, 0)


@pytest.mark.parametrize("wanted", ["dog - dog", "dog - 6", "tabby - tabby cat"])
def test_the_difference_of_a_class_and_itself_is_refused(network, wanted):
    expected = rf"^'{wanted}' is the difference of '.*' and itself, which is nothing\.$"
    with pytest.raises(InputError, match=expected):
        find_target(network, wanted, 0)


def test_a_readout_of_a_unit_that_does_not_exist_is_refused(network):
    with pytest.raises(UnknownError, match=r"^No unit conv2:3 in net; conv2 has 3 channels, from 0\.$"):
        readout_of(network, Unit("conv2", 3))
    assert readout_of(network, Unit("conv2", 2, (1, 1))).channels == (2,)
