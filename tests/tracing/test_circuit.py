import copy
import json
from pathlib import Path
from typing import Any
from xml.dom import minidom

import networkx as nx
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from circuits import Circuit, InputError, Network, UnknownError, trace
from circuits.report.circuit import to_html
from circuits.report.circuit_svg import svg_file
from circuits.tracing.circuit_file import from_text, number, schema
from tests.support.handmade import colour_photo


@pytest.fixture(scope="module")
def circuit(network: Network) -> Circuit:
    return trace(network, colour_photo(), "warm", depth=2, signs="both")


def test_the_schema_is_a_schema_and_every_export_validates(circuit: Circuit) -> None:
    Draft202012Validator.check_schema(schema())
    Draft202012Validator(schema()).validate(circuit.to_dict())


def test_networkx_loads_the_file_when_it_is_told_what_edges_are_called(circuit: Circuit, tmp_path: Path) -> None:
    circuit.to_json(tmp_path / "out.json")
    graph = nx.node_link_graph(json.loads((tmp_path / "out.json").read_text("utf-8")), edges="edges")
    assert graph.is_directed()
    assert set(graph.nodes) == set(circuit.nodes)
    assert graph.edges["conv2:0", "fc:0"]["rank"] == 1
    assert graph.graph["target"]["label"] == "warm"


def test_writing_and_reading_gives_the_same_circuit_and_the_same_bytes(circuit: Circuit, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    circuit.to_json(path)
    read = Circuit.from_json(path)
    assert read == circuit
    assert hash(read) == hash(circuit)
    assert read.to_json_text() == path.read_text("utf-8")


def test_the_thumbnail_is_exactly_what_the_network_saw(circuit: Circuit, network: Network) -> None:
    read = Circuit.from_dict(circuit.to_dict())
    assert read.photo is not None
    assert read.photo.name == "colour"
    seen = network.preprocessing.crop(colour_photo().image)
    assert np.array_equal(np.asarray(read.photo.image), np.asarray(seen))


def test_the_file_says_what_the_design_promises(circuit: Circuit) -> None:
    data = circuit.to_dict()
    assert data["format"] == "circuits/1"
    assert data["graph"]["settings"] == {"mode": "sum", "top": 5, "signs": "both", "depth": 2}
    assert data["graph"]["photo"]["input"] == [3, 4, 4]
    assert [row["class"] for row in data["graph"]["predictions"]] == [0, 1]
    root = data["nodes"][0]
    assert root["id"] == "fc:0"
    assert root["label"] == "warm"
    assert root["peak"] == [0, 0]
    for row in [*data["nodes"], *data["edges"]]:
        for value in row.values():
            if isinstance(value, float):
                assert value == float(np.float32(value)) or value == row.get("coverage")


def test_numbers_that_are_not_finite_are_never_written() -> None:
    for value in (float("nan"), float("inf"), 1e39):
        with pytest.raises(ValueError, match="finite"), np.errstate(over="ignore"):
            number(value)


def test_a_circuit_cannot_be_changed_in_place(circuit: Circuit) -> None:
    with pytest.raises(nx.NetworkXError, match="Frozen"):
        circuit.graph.add_node("conv2:2")
    copied = circuit.unfrozen()
    copied.nodes["fc:0"]["label"] = "hot"
    assert circuit.node("fc:0").label == "warm"


def test_graphml_is_read_back_with_its_numbers(circuit: Circuit, tmp_path: Path) -> None:
    circuit.to_graphml(tmp_path / "out.graphml")
    graph = nx.read_graphml(tmp_path / "out.graphml")
    assert set(graph.nodes) == set(circuit.visible)
    for source, target, data in graph.edges(data=True):
        assert data["attribution"] == circuit.graph.edges[source, target]["attribution"]
    assert json.loads(graph.nodes["fc:0"]["peak"]) == [0, 0]


def test_notes_and_pictures_are_kept_in_the_file(circuit: Circuit) -> None:
    picture = "data:image/webp;base64,AAAA"
    changed = circuit.with_note("conv2:0", "warm detector").with_pictures({"conv2:0": picture, "conv9:1": picture})
    read = Circuit.from_dict(changed.to_dict())
    assert read.node("conv2:0").note == "warm detector"
    assert read.node("conv2:0").picture == picture
    assert read.node("fc:0").picture is None
    with pytest.raises(UnknownError, match="not in the circuit"):
        circuit.with_note("conv9:1", "?")


def broken(circuit: Circuit, **changes: object) -> dict:
    data = copy.deepcopy(circuit.to_dict())
    for path, value in changes.items():
        *places, last = path.split("__")
        spot = data
        for place in places:
            spot = spot[int(place) if place.isdigit() else place]
        if value is ...:
            del spot[last]
        else:
            spot[int(last) if last.isdigit() else last] = value
    return data


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "circuits/3"}, r"format is 'circuits/3'; this version reads 'circuits/1' and 'circuits/2'"),
        ({"format": ...}, r"This is no circuit: it has no `format`"),
        ({"nodes": []}, r"not valid at nodes"),
        ({"nodes__0__value": "high"}, r"not valid at nodes/0/value"),
        ({"nodes__1__colour": "red"}, r"not valid at nodes/1"),
        ({"nodes__1__id": "fc:0"}, r"two nodes 'fc:0'"),
        ({"nodes__1__layer": "conv9"}, r"lies in layer 'conv9'"),
        ({"nodes__0__bias": ...}, r"must have all of its books"),
        ({"nodes__0__remainder": 1.0}, r"must have all of its books"),
        ({"nodes__0__picture": "https://example.org/x.png"}, r"not valid at nodes/0/picture"),
        ({"edges__0__source": "conv2:7"}, r"an edge to 'conv2:7', which is not among its nodes"),
        ({"edges__0__attribution": float("inf")}, r"finite numbers only"),
        ({"graph__target__unit": "fc:9"}, r"target 'fc:9' is not among its nodes"),
        ({"graph__photo__thumbnail": "data:image/svg+xml;base64,AAAA"}, r"not valid at graph/photo/thumbnail"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_circuit_gets_a_sentence(circuit: Circuit, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Circuit.from_dict(broken(circuit, **changes))


def test_an_edge_that_goes_down_is_refused(circuit: Circuit) -> None:
    data = broken(circuit)
    data["edges"].append({"source": "fc:0", "target": "conv1:0", "attribution": 1.0, "rank": 1})
    with pytest.raises(InputError, match="fc:0 → conv1:0 does not go up"):
        Circuit.from_dict(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"), ("[1, 2", "not JSON"), ("[]", "no circuit"), ('{"format": NaN}', "holds NaN"),
        ("[" * 100_000, "not JSON"),
    ],
)  # fmt: skip
def test_text_that_is_no_circuit_gets_a_sentence_that_names_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    with pytest.raises(InputError, match=f"odd.json: .*{message}"):
        Circuit.from_json(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: data["nodes"][1].update(channel=2), "says that it is channel 2 of layer .*, unlike its id"),
        (lambda data: data["graph"]["target"].update(kind="difference"), "is no difference, as the file says"),
        (lambda data: data["graph"]["target"].update(kind="neuron"), "is no neuron, as the file says"),
        (lambda data: data["graph"]["target"].update(unit=data["nodes"][1]["id"]), "is no class, as the file says"),
        (lambda data: data["nodes"][0].update(discarded=True), "is discarded; it is what the circuit explains"),
        (lambda data: data["edges"][0].update(attribution=10**400), "at attribution, but it may hold finite numbers"),
        (lambda data: data["edges"][0].update(attribution=1e39), r"holds 1e\+39 at attribution, .* up to 3.4e38 only"),
        (lambda data: data["graph"]["target"].update(value=1e39), r"holds 1e\+39 at value"),
        (lambda data: data["nodes"][0].update(shown=99.0), "has the value .*, and its books add up to"),
    ],
)
def test_a_file_that_contradicts_itself_gets_a_sentence(circuit: Circuit, change: Any, sentence: str) -> None:
    data = json.loads(json.dumps(circuit.to_dict()))
    change(data)
    with pytest.raises(InputError, match=sentence):
        Circuit.from_dict(data)


def test_half_a_character_endless_numbers_and_a_key_twice_are_no_circuit() -> None:
    with pytest.raises(InputError, match="The file holds half of a character"):
        from_text('{"format": "\\ud800"}')
    with pytest.raises(InputError, match="This is not JSON, so it is no circuit"):
        from_text('{"format": ' + "1" * 5000 + "}")
    with pytest.raises(InputError, match="has the key 'nodes' twice in one object"):
        from_text('{"graph": {"nodes": [], "edges": 1, "nodes": 2}}')


def test_a_byte_order_mark_is_no_fault(circuit: Circuit, tmp_path: Path) -> None:
    (tmp_path / "out.json").write_bytes(b"\xef\xbb\xbf" + circuit.to_json_text().encode())
    assert Circuit.from_json(tmp_path / "out.json") == circuit
    assert Circuit.from_dict(from_text("\ufeff" + circuit.to_json_text())) == circuit


def test_ids_that_xml_cannot_hold_are_written_out_in_graphml(circuit: Circuit, tmp_path: Path) -> None:
    text = circuit.to_json_text().replace("conv2", "conv\\u0001\\u001b2")
    odd = Circuit.from_dict(from_text(text))
    odd.to_graphml(tmp_path / "out.graphml")
    minidom.parse(str(tmp_path / "out.graphml"))
    graph = nx.read_graphml(tmp_path / "out.graphml")
    assert {name.replace(r"conv\x01\x1b2", "conv2") for name in graph} == set(circuit.graph)
    assert graph.number_of_edges() == circuit.graph.number_of_edges()
    minidom.parseString(svg_file(odd).encode())
    assert "\x1b" not in to_html(odd)


def test_a_whole_number_written_as_a_fraction_is_a_whole_number(circuit: Circuit) -> None:
    data = json.loads(json.dumps(circuit.to_dict()))
    data["nodes"][1]["channel"] = float(data["nodes"][1]["channel"])
    data["edges"][0]["rank"] = 1.0
    read = Circuit.from_dict(data)
    assert repr(read.to_dict()) == repr(circuit.to_dict())
