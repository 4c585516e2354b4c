"""Files that are as large as the format allows, or made to be slow: read, or refused by their counts, at once."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from circuits import Network, trace
from circuits.errors import InputError
from circuits.tracing.circuit import Circuit
from circuits.tracing.circuit_file import from_text
from tests.support.handmade import colour_photo

Contents = dict[str, Any]


@pytest.fixture(scope="module")
def contents(network: Network) -> Contents:
    """A small circuit's file."""
    return trace(network, colour_photo(), "warm", depth=1).to_dict()


@pytest.mark.slow
def test_as_many_units_and_edges_as_are_allowed_are_read(contents: Contents) -> None:
    lower, upper = contents["edges"][0]["source"], contents["edges"][0]["target"]
    rows = {row["id"]: row for row in contents["nodes"]}
    [low, high] = rows[lower]["layer"], rows[upper]["layer"]
    plain = rows[lower] | {"expanded": False}
    data = copy.deepcopy(contents)
    for number in range(1000, 10_990):
        for layer in (low, high):
            data["nodes"].append(plain | {"id": f"{layer}:{number}", "layer": layer, "channel": number})
    for number in range(1000, 10_990):
        for other in range(1000, 1010):
            edge = contents["edges"][0] | {"source": f"{low}:{number}", "target": f"{high}:{other}"}
            data["edges"].append(edge)
    circuit = Circuit.from_dict(from_text(json.dumps(data)))
    assert len(circuit.graph) == len(contents["nodes"]) + 19_980
    assert circuit.graph.number_of_edges() == len(contents["edges"]) + 99_900


HOSTILE: dict[str, tuple[Callable[[Contents], object], str]] = {
    "layers that are objects": (
        lambda data: data["graph"]["network"].update(layers=[{"a": number} for number in range(20_000)]),
        "not valid at graph/network/layers",
    ),
    "lowest layers that are objects": (
        lambda data: data["graph"]["network"].update(lowest=[{"a": number} for number in range(20_000)]),
        "not valid at graph/network/lowest",
    ),
    "equal units that were ablated together": (
        lambda data: data["nodes"][0].update(
            measured=[{"baseline": "zero", "units": 1, "together": [{"a": number} for number in range(20_000)]}]
        ),
        "not valid at nodes/0/measured/0/together",
    ),
    "empty edges": (lambda data: data.update(edges=[{}] * 400_000), "has 400000 edges; there may be 200000 at most"),
    "empty units": (lambda data: data.update(nodes=[{}] * 400_000), "has 400000 nodes; there may be 20000 at most"),
    "keys": (lambda data: data.update({f"k{number}": 1 for number in range(100_000)}), "not valid at the top"),
    "lists in lists": (lambda data: data.update(edges=[[[]] * 300_000] * 4), "lists and objects in it; a circuit has"),
    "a window of many digits": (
        lambda data: data["graph"]["photo"].update(window=[int("9" * 400), 0, 1, 1]),
        "not valid at graph/photo/window/0: 9+ … 9+ is greater than the maximum of 2147483647",
    ),
    "a channel of many digits": (lambda data: data["nodes"][0].update(channel=10**30), "not valid at nodes/0/channel"),
    "a width of many digits": (lambda data: data["graph"]["photo"].update(width=10**300), "at graph/photo/width"),
}


@pytest.mark.parametrize(("change", "sentence"), HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_made_to_be_slow_is_refused_where_it_is_wrong(
    contents: Contents, change: Callable[[Contents], object], sentence: str
) -> None:
    data = copy.deepcopy(contents)
    change(data)
    with pytest.raises(InputError, match=sentence):
        Circuit.from_dict(from_text(json.dumps(data)))


WRONG = (10**400, -(10**400), 2**63, 1e308, float("nan"), float("-inf"), -1, 1.5, None, True, "", "²", [], {}, [[]] * 3)


def test_a_wrong_value_anywhere_is_a_circuit_still_or_refused(contents: Contents) -> None:
    """Every value of the file in turn becomes every wrong one; what is read can be written again."""

    def places(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        steps = part.items() if isinstance(part, dict) else enumerate(part[:2]) if isinstance(part, list) else ()
        return [path, *(place for step, inner in steps for place in places(inner, (*path, step)))]

    read = refused = 0
    for path in places(contents)[1:]:
        for wrong in WRONG:
            data = copy.deepcopy(contents)
            part: Any = data
            for step in path[:-1]:
                part = part[step]
            part[path[-1]] = wrong
            try:
                circuit = Circuit.from_dict(data)
            except InputError:
                refused += 1
            else:
                assert Circuit.from_dict(from_text(circuit.to_json_text())) == circuit
                read += 1
    assert refused > 10 * read > 0
