"""Units under one name: kept in the file, pruned with the circuit, and refused where they make no sense."""

import json

import pytest

from circuits import Circuit, InputError, UnknownError, collapse, discard, expand, restore, trace
from circuits.network.network import Network
from circuits.report.circuit import to_html
from circuits.report.circuit_svg import svg_file
from circuits.tracing.named_sets import NamedSet, named_sets, names_of, with_named_set
from tests.support.handmade import colour_photo, handmade_network


@pytest.fixture(scope="module")
def network() -> Network:
    return handmade_network()


@pytest.fixture(scope="module")
def circuit(network: Network) -> Circuit:
    return trace(network, colour_photo(), "warm", depth=2, signs="both")


def reread(circuit: Circuit) -> Circuit:
    return Circuit.from_dict(json.loads(circuit.to_json_text()))


def test_sets_are_kept_in_the_file_and_a_circuit_without_any_says_nothing_of_them(circuit: Circuit) -> None:
    both = with_named_set(with_named_set(circuit, "warm\n colours ", ["conv2:0", "conv1:0"]), "red", ["conv1:0"])
    assert named_sets(reread(both)) == (NamedSet("warm colours", ("conv2:0", "conv1:0")), NamedSet("red", ("conv1:0",)))
    assert names_of(reread(both), "conv1:0") == ["warm colours", "red"]
    assert reread(both) == both != circuit
    assert "named_sets" not in circuit.to_dict()["graph"]
    emptied = with_named_set(with_named_set(both, "red", []), "warm colours", [])
    assert emptied.to_json_text() == circuit.to_json_text()


def test_a_set_is_changed_in_its_place(circuit: Circuit) -> None:
    both = with_named_set(with_named_set(circuit, "a", ["conv2:0"]), "b", ["conv1:0"])
    again = with_named_set(both, "a", ["conv2:1", "conv2:1"])
    assert named_sets(again) == (NamedSet("a", ("conv2:1",)), NamedSet("b", ("conv1:0",)))
    renamed = with_named_set(both, "c", ["conv2:0"], before="a")
    assert named_sets(renamed) == (NamedSet("c", ("conv2:0",)), NamedSet("b", ("conv1:0",)))


def test_numbers_stay_as_they_are(network: Network, circuit: Circuit) -> None:
    named = with_named_set(circuit, "a", ["conv2:0"])
    assert named.to_dict()["nodes"] == circuit.to_dict()["nodes"]
    assert named.to_dict()["edges"] == circuit.to_dict()["edges"]


def test_units_that_go_leave_their_set_and_those_that_are_discarded_come_back(
    network: Network, circuit: Circuit
) -> None:
    named = with_named_set(circuit, "a", ["conv2:0", "conv1:0"])
    assert named_sets(restore(discard(named, "conv2:0"), "conv2:0")) == named_sets(named)
    smaller = collapse(collapse(named, "conv2:0"), "conv2:1")
    assert "conv1:0" not in smaller.graph
    assert named_sets(reread(smaller)) == (NamedSet("a", ("conv2:0",)),)
    assert named_sets(expand(network, smaller, "conv2:0")) == named_sets(named)
    assert named_sets(reread(collapse(with_named_set(circuit, "a", ["conv1:0"]), circuit.root))) == ()


@pytest.mark.parametrize(
    ("name", "units", "error", "sentence"),
    [
        ("", ["conv2:0"], InputError, "A set of units needs a name"),
        (" \n", ["conv2:0"], InputError, "A set of units needs a name"),
        ("x" * 81, ["conv2:0"], InputError, "has 81 characters; a name has at most 80"),
        ("a", ["conv2:0", "conv9:1"], UnknownError, "conv9:1 is not in the circuit; it has fc:0"),
    ],
)
def test_what_is_no_set_is_refused(
    circuit: Circuit, name: str, units: list[str], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        with_named_set(circuit, name, units)


def test_there_are_a_hundred_sets_at_most(circuit: Circuit) -> None:
    full = circuit
    for number in range(100):
        full = with_named_set(full, str(number), ["conv2:0"])
    with pytest.raises(InputError, match="has 100 named sets, which is the most; remove one first"):
        with_named_set(full, "one more", ["conv2:0"])
    assert len(named_sets(with_named_set(full, "7", ["conv1:0"]))) == 100


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (
            [{"name": "a", "units": ["conv9:1"]}],
            "named set 'a' has the unit 'conv9:1', which is not among the nodes",
        ),
        ([{"name": "a", "units": ["fc:0"]}] * 2, "two named sets 'a'; each name may stand once"),
        ([{"name": "a", "units": []}], "not valid at graph/named_sets/0/units"),
        ([{"name": "a"}], "not valid at graph/named_sets/0"),
        ("a", "not valid at graph/named_sets"),
        ([], "not valid at graph/named_sets"),
    ],
)
def test_a_file_with_sets_that_make_no_sense_is_refused(circuit: Circuit, sets: object, sentence: str) -> None:
    data = circuit.to_dict() | {"format": "circuits/2"}
    data["graph"]["named_sets"] = sets
    with pytest.raises(InputError, match=sentence):
        Circuit.from_dict(data)


def test_files_to_look_at_say_which_units_are_in_a_set(circuit: Circuit) -> None:
    named = with_named_set(circuit, "red <things>", ["conv2:0", "conv1:0"])
    page, drawing = to_html(named), svg_file(named)
    for text in (page, drawing):
        assert text.count('<rect class="set"') == 2
        assert text.count(">red &lt;things&gt;</text>") == 2
    assert "<dt>red &lt;things&gt;</dt><dd>conv2:0, conv1:0</dd>" in page
    assert "<dt>" not in to_html(circuit)
