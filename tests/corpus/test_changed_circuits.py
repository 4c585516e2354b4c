"""Circuit files in which anything is changed: read and written again as they are, or refused in a sentence."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from circuits import Circuit, InputError, trace
from circuits.tracing.circuit_file import from_text
from tests.support.handmade import colour_photo, handmade_network

PLAIN = settings(
    max_examples=250, derandomize=True, database=None, deadline=10_000, suppress_health_check=list(HealthCheck)
)
TEXTS = some.text(max_size=20) | some.sampled_from(
    ["", "\x1b[2J", "\x00", "conv1:0", "fc:0@0,0", "L" * 1001, "<b>", "\u2028"]
)
NUMBERS = some.integers() | some.floats() | some.sampled_from([0, -1, 10**400, 1e308, 2**63, 0.5, True])
VALUES = some.recursive(
    some.none() | some.booleans() | NUMBERS | TEXTS,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)

ALIKE = {int: some.integers(0, 9), float: some.floats(-99, 99, width=32), bool: some.booleans(), str: TEXTS}
"""Values of the same type, with which a file often still makes sense."""


@pytest.fixture(scope="module")
def written() -> str:
    circuit = trace(handmade_network(), colour_photo(), "warm", depth=2, signs="both")
    return circuit.with_name("conv2:0", "a name").with_place("conv2:0", (1.0, 2.0)).to_json_text()


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths to all values in a file."""
    keys: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


def held(text: str) -> bool:
    """Whether a file is read; then what is written of it says the same and stays the same."""
    refused, circuit = "", None
    try:
        circuit = Circuit.from_dict(from_text(text))
    except InputError as error:
        refused = str(error)
    if circuit is None:
        assert refused.endswith(".")
        return False
    again = circuit.to_json_text()
    read = Circuit.from_dict(from_text(again))
    assert read == circuit
    assert read.to_json_text() == again
    return True


def test_what_was_written_is_read(written: str) -> None:
    assert held(written)


@PLAIN
@given(data=some.data())
def test_a_file_with_values_put_in_taken_out_or_doubled_is_read_whole_or_refused(written: str, data: Any) -> None:
    content = json.loads(written)
    for _ in range(data.draw(some.integers(1, 3))):
        path = data.draw(some.sampled_from(list(places(content)) or [("format",)]))
        at = content
        for key in path[:-1]:
            at = at[key]
        what = data.draw(some.sampled_from(["alike", "alike", "alike", "put", "take", "double"]))
        if what == "alike" and type(at[path[-1]]) in ALIKE:
            at[path[-1]] = data.draw(ALIKE[type(at[path[-1]])])
        elif what in ("put", "alike"):
            at[path[-1]] = data.draw(VALUES)
        elif what == "take":
            at.pop(path[-1], None) if isinstance(at, dict) else at.pop(path[-1])
        elif isinstance(at, list):
            at.insert(data.draw(some.integers(0, len(at))), copy.deepcopy(at[path[-1]]))
        else:
            at[data.draw(TEXTS)] = copy.deepcopy(at.get(path[-1]))
    held(json.dumps(content, ensure_ascii=data.draw(some.booleans())))


@PLAIN
@given(data=some.data())
def test_a_file_with_letters_changed_is_read_whole_or_refused(written: str, data: Any) -> None:
    text = written
    for _ in range(data.draw(some.integers(1, 4))):
        start = data.draw(some.integers(0, len(text)))
        gone = data.draw(some.integers(0, 6))
        put = data.draw(
            some.text(max_size=4)
            | some.sampled_from(["[", "{", '"', "\\ud800", "NaN", "9" * 5000, "[" * 5000, "1e999"])
        )
        text = text[:start] + put + text[start + gone :]
    held(text)
