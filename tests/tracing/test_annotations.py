"""Names, notes and places: what a person says of a unit is kept, and what strangers say of one is bounded."""

import copy
import json
from pathlib import Path

import networkx as nx
import pytest

from circuits import Circuit, InputError, UnknownError, expand, grow, remember, trace
from circuits.naming.annotations import checked_note
from tests.support.handmade import colour_photo, handmade_network


def test_new_units_are_called_what_their_network_calls_them(circuit: Circuit) -> None:
    network, photo = handmade_network(), colour_photo()
    remember(network.sha256, "conv2:0", name="warm part", note="red")
    remember(network.sha256, "fc:1", name="chill")
    traced = trace(network, photo, "warm", depth=1, top=1)
    assert (traced.node("conv2:0").called, traced.node("conv2:0").note) == ("warm part", "red")
    assert trace(network, photo, "conv2:0@0,0", depth=1).node("conv2:0@0,0").name == "warm part"
    assert trace(network, photo, "cold - warm", depth=1).node("fc:1-0").name == ""
    remember(network.sha256, "conv1:0", name="red")
    grown = grow(network, traced.with_name("conv2:0", "mine"))
    assert (grown.node("conv2:0").name, grown.node("conv1:0").name) == ("mine", "red")
    assert Circuit.from_dict(grown.to_dict()) == grown
    assert expand(network, circuit, "conv2:0").node("conv2:0").name == ""  # as its file has it
    assert list(traced.to_dict()["nodes"][1])[-2:] == ["discarded", "name"]


@pytest.fixture(scope="module")
def circuit() -> Circuit:
    return trace(handmade_network(), colour_photo(), "warm", depth=1, signs="both")


def changed(circuit: Circuit, **fields: object) -> dict:
    data = copy.deepcopy(circuit.to_dict())
    data["nodes"][1].update(fields)
    return data


def test_a_name_is_kept_in_the_file_and_goes_when_it_is_emptied(circuit: Circuit) -> None:
    named = circuit.with_name("conv2:0", "  left-facing\n\t dog   head ")
    node = named.node("conv2:0")
    assert (node.name, node.called, node.label) == ("left-facing dog head", "left-facing dog head", "conv2:0")
    read = Circuit.from_dict(json.loads(named.to_json_text()))
    assert read == named
    assert read != circuit
    assert read.node("conv2:0").name == "left-facing dog head"
    assert circuit.node("conv2:0").name == ""
    assert circuit.node("fc:0").called == "warm"
    for nothing in ("", " \n "):
        assert named.with_name("conv2:0", nothing) == circuit
    assert "name" not in circuit.to_dict()["nodes"][1]


def test_a_place_is_kept_in_the_file_and_goes_with_none(circuit: Circuit) -> None:
    locked = circuit.with_place("conv2:0", (120.1, -3.0))
    assert locked.node("conv2:0").place == (120.1, -3.0)
    assert locked.to_dict()["nodes"][1]["place"] == [120.1, -3.0]
    assert Circuit.from_dict(json.loads(locked.to_json_text())) == locked
    assert locked.node("fc:0").place is None
    assert locked.with_place("conv2:0", None) == circuit
    assert circuit.with_place("conv2:0", None) == circuit


def test_all_of_it_is_kept_when_the_circuit_grows(circuit: Circuit) -> None:
    said = circuit.with_name("conv2:0", "reds").with_note("conv2:0", "many").with_place("conv2:0", (1.0, 2.0))
    node = expand(handmade_network(), said, "conv2:0").node("conv2:0")
    assert node.expanded
    assert (node.name, node.note, node.place) == ("reds", "many", (1.0, 2.0))


def test_graphml_carries_name_note_and_place_and_leaves_out_what_xml_cannot_hold(
    circuit: Circuit, tmp_path: Path
) -> None:
    said = circuit.with_name("conv2:0", "Rot & Gelb <1>").with_note("conv2:0", "a\x00b\x1b[31mc\nd").with_place(
        "conv2:0", (1.5, 2.0)
    )  # fmt: skip
    said.to_graphml(tmp_path / "out.graphml")
    row = nx.read_graphml(tmp_path / "out.graphml").nodes["conv2:0"]
    assert (row["name"], row["note"], json.loads(row["place"])) == ("Rot & Gelb <1>", "ab[31mc\nd", [1.5, 2.0])


def test_a_name_of_eighty_letters_fits_and_controls_do_not_count(circuit: Circuit) -> None:
    assert circuit.with_name("conv2:0", "x" * 80).node("conv2:0").name == "x" * 80
    assert circuit.with_name("conv2:0", "a\x00\x1bb\ud800").node("conv2:0").name == "ab"
    assert circuit.with_name("conv2:0", "猫の耳 🐈\u200d⬛").node("conv2:0").name == "猫の耳 🐈\u200d⬛"


def test_what_is_too_long_or_nowhere_gets_a_sentence(circuit: Circuit) -> None:
    with pytest.raises(
        InputError, match="'xxxxxxxxxxxxxxxxxxxx…' has 81 characters; a name has at most 80, and a note"
    ):
        circuit.with_name("conv2:0", "x" * 81)
    assert circuit.with_note("conv2:0", "x" * 2000).node("conv2:0").note == "x" * 2000
    with pytest.raises(InputError, match="The note has 2001 characters; a note has at most 2000, so shorten it"):
        circuit.with_note("conv2:0", "x" * 2001)
    for place in ((float("nan"), 0.0), (0.0, float("-inf")), (1e6 + 1, 0.0)):
        with pytest.raises(InputError, match=r"is not on any page; give two finite numbers up to ±1,000,000"):
            circuit.with_place("conv2:0", place)
    for call in (lambda: circuit.with_name("conv9:0", "x"), lambda: circuit.with_place("conv9:0", None)):
        with pytest.raises(UnknownError, match="conv9:0 is not in the circuit"):
            call()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "x" * 81}, "not valid at nodes/1/name"),
        ({"name": 7}, "not valid at nodes/1/name"),
        ({"name": ""}, "not valid at nodes/1/name"),
        ({"note": "x" * 2001}, "not valid at nodes/1/note"),
        ({"place": [1.0]}, "not valid at nodes/1/place"),
        ({"place": [1.0, "2"]}, "not valid at nodes/1/place"),
        ({"place": [1.0, 1e7]}, "not valid at nodes/1/place"),
        ({"place": [float("inf"), 0.0]}, "holds inf at place, but it may hold finite numbers only"),
        ({"place": [float("nan"), 0.0]}, "finite numbers only"),
    ],
)  # fmt: skip
def test_a_strangers_file_is_held_to_the_same_bounds(circuit: Circuit, fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Circuit.from_dict(changed(circuit, **fields))


def test_a_strangers_name_is_tidied_and_whole_numbers_of_a_place_become_floats(circuit: Circuit) -> None:
    read = Circuit.from_dict(changed(circuit, name=" two\n \u202ewo\u2069rds\x07", place=[3, 4]))
    node = read.node(list(read.nodes)[1])
    assert node.name == "two words"
    assert node.place == (3.0, 4.0)
    assert all(isinstance(value, float) for value in node.place)
    assert Circuit.from_dict(changed(circuit, name=" \x07 ")) == circuit


def test_the_order_of_nodes_and_edges_in_a_file_does_not_make_another_circuit(circuit: Circuit) -> None:
    data = copy.deepcopy(circuit.to_dict())
    data["nodes"].reverse()
    data["edges"].reverse()
    read = Circuit.from_dict(data)
    assert read == circuit
    assert hash(read) == hash(circuit)
    data["edges"][0]["rank"] = 9
    assert Circuit.from_dict(data) != circuit


def test_half_a_character_is_left_out_of_a_note_for_no_file_can_hold_it() -> None:
    assert checked_note("a\ud800b") == "ab"
