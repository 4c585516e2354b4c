"""Units that a person marks and puts under one name, without a browser."""

from typing import Any

import pytest

from circuits.tracing.circuit import Circuit
from circuits.tracing.named_sets import NamedSet, named_sets
from dashboard.app import Page
from tests.support.person import ANN, Person


def circuit_of(page: Page) -> Circuit:
    tab = page.callbacks.sessions.find(ANN)
    assert tab is not None
    assert tab.session.work.circuit is not None
    return tab.session.work.circuit


def view(ann: Person) -> Any:
    return ann.seen["view"]


@pytest.fixture
def units(ann: Person) -> list[str]:
    """Three units of the circuit, below the target."""
    ann.why("2")
    return [name for name in ann.nodes if name.startswith("c:")][:3]


def test_units_are_marked_one_by_one_and_unmarked(ann: Person, units: list[str]) -> None:
    for name in units:
        ann.do("mark", name)
    assert view(ann)["marked"] == sorted(units)
    ann.do("mark", units[1])
    assert view(ann)["marked"] == sorted([units[0], units[2]])
    ann.do("unmark")
    assert view(ann)["marked"] == []


def test_what_is_marked_is_put_under_a_name_which_can_be_undone(ann: Person, units: list[str], page: Page) -> None:
    before = circuit_of(page)
    for name in units[:2]:
        ann.do("mark", name)
    ann.send_action("name_set", {"name": " parts of it "})
    assert named_sets(circuit_of(page)) == (NamedSet("parts of it", tuple(units[:2])),)
    assert view(ann)["marked"] == []
    assert view(ann)["sets"] == [{"name": "parts of it", "units": tuple(units[:2])}]
    nodes = {node["id"]: node for node in view(ann)["nodes"]}
    assert [nodes[name].get("sets") for name in units] == [["parts of it"], ["parts of it"], None]
    assert "in the set parts of it" in nodes[units[0]]["title"]
    assert nodes[units[0]]["spoken"].endswith("in the set parts of it")
    ann.do("undo")
    assert circuit_of(page) == before
    ann.do("redo")
    assert [each.name for each in named_sets(circuit_of(page))] == ["parts of it"]


def test_a_set_is_changed_renamed_and_removed(ann: Person, units: list[str], page: Page) -> None:
    ann.do("mark", units[0])
    ann.send_action("name_set", {"name": "one"})
    ann.send_action("mark_set", {"name": "one"})
    assert view(ann)["marked"] == [units[0]]
    ann.do("mark", units[2])
    ann.send_action("name_set", {"name": "two", "before": "one"})
    assert named_sets(circuit_of(page)) == (NamedSet("two", (units[0], units[2])),)
    ann.send_action("drop_set", {"name": "nobody's"})
    assert len(named_sets(circuit_of(page))) == 1
    ann.send_action("drop_set", {"name": "two"})
    assert view(ann)["sets"] == []
    assert "named_sets" not in circuit_of(page).to_dict()["graph"]


@pytest.mark.parametrize(
    ("kind", "payload", "sentence"),
    [
        ("name_set", {"name": "a"}, "No unit is marked; click units with Shift held down"),
        ("mark_set", {"name": "a"}, "There is no named set 'a' in this circuit."),
        ("mark", {"unit": "nowhere:1"}, "nowhere:1 is not a unit of this circuit"),
    ],
)
def test_what_cannot_be_done_is_said(
    ann: Person, units: list[str], kind: str, payload: dict[str, str], sentence: str
) -> None:
    ann.send_action(kind, payload)
    assert sentence in view(ann)["toasts"][-1]["text"]


def test_a_name_that_is_missing_is_said_and_the_marks_stay(ann: Person, units: list[str]) -> None:
    ann.do("mark", units[0])
    ann.send_action("name_set", {"name": "  "})
    assert "A set of units needs a name" in view(ann)["toasts"][-1]["text"]
    assert view(ann)["marked"] == [units[0]]


def test_sets_are_in_the_exported_file(ann: Person, units: list[str]) -> None:
    ann.do("mark", units[0])
    ann.send_action("name_set", {"name": "one"})
    assert ann.export()[1]["graph"]["named_sets"] == [{"name": "one", "units": [units[0]]}]


def test_the_first_mark_takes_the_selected_unit_along_and_never_the_target(ann: Person, units: list[str]) -> None:
    ann.do("mark", units[1])
    assert view(ann)["marked"] == [units[1]]  # the target was selected
    ann.do("unmark")
    ann.do("select", units[0])
    ann.do("mark", units[1])
    assert view(ann)["marked"] == sorted(units[:2])
    ann.do("mark", units[0])
    assert view(ann)["marked"] == [units[1]]
