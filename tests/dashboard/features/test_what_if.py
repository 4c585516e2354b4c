"""What if over HTTP, without a browser: what it answers, what it refuses, and that it waits for nobody."""

import json
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch

from circuits.errors import InputError
from circuits.network.network import Network
from circuits.units import Unit
from dashboard.app import Page
from dashboard.features.what_if.routes import MOST_UNITS, read
from dashboard.features.what_if.view import stamp
from dashboard.session.state import Session
from tests.support.person import ANN, Person
from tests.support.pretend import PaintedGallery

WAIT = 30.0


@pytest.fixture
def client(page: Page) -> Any:
    return page.dash.server.test_client()


def session_of(person: Person) -> Session:
    return person.callbacks.sessions.tab(person.name).session


def ask(client: Any, person: Person, *changes: tuple[str, Any], **other: Any) -> Any:
    """The answer to some units with factors."""
    rows = [{"unit": unit, "factor": factor} for unit, factor in changes]
    body = {"session": person.name, "stamp": stamp(session_of(person)), "changes": rows} | other
    return client.post("/what-if", data=json.dumps(body), content_type="application/json")


def expected(person: Person, network: Network, unit: str, factor: float, place: Any = slice(None)) -> torch.Tensor:
    """Probabilities with one unit of layer c scaled, by the definition."""
    found = network.activations(network.preprocessing.input_of(session_of(person).work.photo), ["c"])["c"].clone()
    at = (slice(None), slice(None)) if place == slice(None) else place
    found[0, Unit.parse(unit).channel, at[0], at[1]] *= factor
    with torch.no_grad():
        return network.segment("c", "fc")(found).flatten().softmax(0)


def test_a_unit_that_is_switched_off_gives_the_predictions_without_it(
    ann: Person, client: Any, network: Network
) -> None:
    ann.why("2")
    name = session_of(ann).work.circuit.edges_into("fc:2")[0].source
    answer = ask(client, ann, (name, 0))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.get_json()
    off, on = expected(ann, network, name, 0.0), expected(ann, network, name, 1.0)
    assert len(told["effects"]) >= 5
    for effect in told["effects"]:
        assert effect["before"] == pytest.approx(float(on[effect["class"]]), abs=1e-5)
        assert effect["after"] == pytest.approx(float(off[effect["class"]]), abs=1e-5)
    assert any(abs(each["before"] - each["after"]) > 1e-3 for each in told["effects"])
    gaps = [each["logits"][0] - told["effects"][0]["logits"][0] for each in told["effects"]]
    ratios = [each["before"] / told["effects"][0]["before"] for each in told["effects"]]
    assert np.exp(gaps) == pytest.approx(ratios, rel=1e-3)
    assert told["milliseconds"] >= 0


def test_one_place_of_a_unit_can_be_changed_alone(ann: Person, client: Any, network: Network) -> None:
    ann.why("2")
    circuit = session_of(ann).work.circuit
    node = circuit.nodes[circuit.edges_into("fc:2")[0].source]
    row, column = node.peak
    told = ask(client, ann, (f"{node.id}@{row},{column}", 2)).get_json()
    twice = expected(ann, network, node.id, 2.0, node.peak)
    for effect in told["effects"]:
        assert effect["after"] == pytest.approx(float(twice[effect["class"]]), abs=1e-5)


def test_it_works_before_there_is_a_circuit(ann: Person, client: Any) -> None:
    assert ask(client, ann, ("c:1", 0.5)).status_code == 200


def test_several_units_are_changed_at_once(ann: Person, client: Any) -> None:
    ann.why("2")
    names = [edge.source for edge in session_of(ann).work.circuit.edges_into("fc:2")]

    def after(*changes: tuple[str, float]) -> list[float]:
        return [each["after"] for each in ask(client, ann, *changes).get_json()["effects"]]

    both = after((names[0], 0), (names[1], 0))
    assert both != after((names[0], 0))
    assert both != after((names[1], 0))


def test_nothing_changed_changes_nothing(ann: Person, client: Any) -> None:
    told = ask(client, ann).get_json()
    assert all(each["before"] == each["after"] for each in told["effects"])


@pytest.mark.parametrize(
    ("unit", "status", "sentence"),
    [
        ("c:99", 422, "c:99"),
        ("nowhere:1", 422, "nowhere"),
        ("c:1@99,99", 422, "99"),
        ("fc:2", 422, "which nothing depends on"),
        ("../etc", 400, "not a unit"),
    ],
)
def test_other_units_are_refused_in_a_sentence(ann: Person, client: Any, unit: str, status: int, sentence: str) -> None:
    answer = ask(client, ann, (unit, 0))
    assert answer.status_code == status
    assert sentence in answer.get_json()["refused"]


@pytest.mark.parametrize("factor", [-0.1, 2.1, True, None, "1", [1]])
def test_other_factors_are_refused(ann: Person, client: Any, factor: Any) -> None:
    answer = ask(client, ann, ("c:1", factor))
    assert answer.status_code == 400
    assert "from 0, which switches it off, to 2" in answer.get_json()["refused"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"null", b'{"session": 1, "stamp": "", "changes": []}', b"[" * 100_000,
        b'{"session": "a", "stamp": "", "changes": {}}', b'{"session": "a", "stamp": "", "changes": [1]}',
    ],
)  # fmt: skip
def test_other_bodies_are_refused(client: Any, body: bytes) -> None:
    answer = client.post("/what-if", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert "A what-if request is JSON" in answer.get_json()["refused"]


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="must be a number from 0"):
        read(b'{"session": "a", "stamp": "", "changes": [{"unit": "c:1", "factor": NaN}]}')


def test_too_many_units_are_refused(ann: Person, client: Any) -> None:
    changes = [(f"c:{channel}@{row},0", 0) for channel in range(20) for row in range(2)]
    assert len(changes) > MOST_UNITS
    assert f"at most {MOST_UNITS}" in ask(client, ann, *changes).get_json()["refused"]


def test_a_change_to_another_photo_or_session_is_refused(ann: Person, client: Any) -> None:
    assert ask(client, ann, ("c:1", 0), stamp="other").status_code == 409
    assert ask(client, ann, ("c:1", 0), session="f" * 32).status_code == 404
    assert "session" in ask(client, ann, ("c:1", 0), session="f" * 32).get_json()["refused"]


def test_other_sites_cannot_ask(client: Any) -> None:
    answer = client.post("/what-if", data=b"{}", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


def test_an_answer_does_not_wait_for_drawing_or_tracing(
    ann: Person, client: Any, gallery: PaintedGallery, page: Page
) -> None:
    gallery.gate.clear()
    ann.why("2")
    for _ in range(1000):
        if gallery.begun:
            break
        Event().wait(0.01)
    assert page.callbacks.work.rendering.report(ANN).state == "running"
    name = session_of(ann).work.circuit.edges_into("fc:2")[0].source
    answer = ask(client, ann, (name, 0))
    assert answer.status_code == 200
    assert page.callbacks.work.rendering.report(ANN).state == "running"
    # It was given while the picture was still being drawn: it waited for nobody.
    assert answer.get_json()["milliseconds"] > 0
