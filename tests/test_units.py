"""Addresses of units: their text form, both ways, and their order."""

import pytest

from circuits.errors import InputError
from circuits.tracing.edge import Edge
from circuits.units import Unit, as_unit

WRITTEN = {
    "conv1:0": Unit("conv1", 0),
    "inception4a:17": Unit("inception4a", 17),
    "inception4a:17@7,5": Unit("inception4a", 17, (7, 5)),
    "features.12:3@0,12": Unit("features.12", 3, (0, 12)),
    "trunk_output.block1.block1-0:104": Unit("trunk_output.block1.block1-0", 104),
    "1:2@3,4": Unit("1", 2, (3, 4)),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_a_unit_and_its_text_are_inverse(text):
    assert Unit.parse(text) == WRITTEN[text]
    assert str(WRITTEN[text]) == text
    assert as_unit(text) == WRITTEN[text]
    assert as_unit(WRITTEN[text]) is WRITTEN[text]


def test_spaces_around_a_unit_do_not_matter():
    assert Unit.parse("  fc:284\n") == Unit("fc", 284)


def test_leading_zeros_are_read_and_not_written():
    assert str(Unit.parse("fc:007@01,02")) == "fc:7@1,2"


@pytest.mark.parametrize(
    "text",
    [
        *("", "fc", "fc:", ":3", "fc:-1", "fc:x", "fc:1.5", "fc: 3", "f c:3", "a:b:3", "fc:3@", "fc:3@1", "fc:3@1,"),
        *("fc:3@-1,2", "fc:3@1, 2", "fc:3@1,2,3", "fc:3@1,2@3,4", "fc@1,2", "fc:3 - fc:4", "fc:" + "9" * 5000),
    ],
)
def test_text_of_another_form_is_refused(text):
    expected = r"^'.*' is not a unit; write layer:channel or layer:channel@row,column, such as conv4:17@3,5\.$"
    with pytest.raises(InputError, match=expected):
        Unit.parse(text)


@pytest.mark.parametrize(
    ("channel", "position", "text"), [(-1, None, "fc:-1"), (0, (-1, 2), "fc:0@-1,2"), (0, (1, -2), "fc:0@1,-2")]
)
def test_negative_numbers_are_refused(channel, position, text):
    with pytest.raises(
        InputError, match=rf"^Unit {text} has a negative number; channels and positions count from 0\.$"
    ):
        Unit("fc", channel, position)


def test_the_whole_of_a_neuron_is_its_channel():
    assert Unit("conv1", 3, (0, 1)).whole == Unit("conv1", 3) == Unit("conv1", 3).whole


def test_units_are_values():
    assert {Unit("a", 1): "x"}[Unit("a", 1)] == "x"
    assert Unit("a", 1) != Unit("a", 1, (0, 0))
    with pytest.raises(AttributeError, match="cannot assign to field 'channel'"):
        Unit("a", 1).channel = 2


def test_units_are_ordered_by_layer_channel_and_position_with_the_whole_channel_first():
    ordered = [Unit("a", 2), Unit("a", 10), Unit("a", 10, (0, 3)), Unit("a", 10, (1, 0)), Unit("b", 0)]
    assert sorted([ordered[at] for at in (3, 0, 4, 2, 1)]) == ordered
    assert Unit("a", 10) < Unit("a", 10, (0, 0)) > Unit("a", 10)


def test_an_edge_is_a_value():
    edge = Edge("conv1:2", "fc:0", 1.5, 1)
    assert edge == Edge("conv1:2", "fc:0", 1.5, 1)
    assert edge != Edge("conv1:2", "fc:0", 1.5, 2)
