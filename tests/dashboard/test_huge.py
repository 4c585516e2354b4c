"""A circuit of a thousand units: the server answers quickly, and sends again only what is new."""

import copy
import json
import sys
from typing import Any

import pytest

from circuits import trace
from circuits.image.encode import to_data_uri
from circuits.image.photo import Photo
from circuits.network.network import Network
from dashboard.app import Page
from tests.support.actions import payload
from tests.support.huge import huge
from tests.support.person import Person


@pytest.fixture(scope="module")
def file(network: Network, photo: Photo) -> bytes:
    return json.dumps(huge(trace(network, photo, 0, depth=1, top=3))).encode()


@pytest.fixture
def bea(page: Page, file: bytes) -> Person:
    """Somebody who imported it."""
    bea = Person(page)
    assert bea.send(file, "huge.json", "circuit") == []
    bea.do("refresh")
    return bea


def have(seen: dict[str, Any]) -> dict[str, Any]:
    """What a page tells the server that it has, once it has drawn a view."""
    status = seen["view"]["status"]
    return {"born": status["born"], "drawing": seen["view"]["drawing"], "tiles": status["tiles_at"]}


def do(bea: Person, kind: str, subject: str) -> dict[str, Any]:
    """Act as a page does that says what it has."""
    bea.queue.append({"number": len(bea.queue) + 1, "kind": kind, "payload": payload(kind, subject)})
    sent = {"session": bea.name, "tab": "tab", "queue": list(bea.queue)}
    return bea.callbacks.act(sent, have(bea.seen))


def test_all_thousand_units_come_with_their_edges(bea: Person, file: bytes) -> None:
    data = json.loads(file)
    assert set(bea.nodes) == {node["id"] for node in data["nodes"]}
    assert len(bea.nodes) == 1000
    assert len(bea.seen["view"]["edges"]) == len(data["edges"])


def test_choosing_another_unit_sends_neither_units_nor_tiles_again(bea: Person) -> None:
    seen = do(bea, "select", "block6:3")
    assert seen["view"]["selected"] == "block6:3"
    assert (seen["view"]["nodes"], seen["view"]["edges"], seen["view"]["rows"]) == (None, None, None)
    assert seen["view"]["status"]["tiles"] == {}
    assert len(json.dumps(seen["view"])) < 2000


def test_another_circuit_is_sent_whole_and_undo_sends_the_one_before(bea: Person) -> None:
    before = bea.seen["view"]["drawing"]
    bea.seen = do(bea, "discard", "block7:3")
    assert len(bea.seen["view"]["nodes"]) < 1000
    assert bea.seen["view"]["drawing"] != before
    again = do(bea, "undo", "")
    assert (again["view"]["drawing"], len(again["view"]["nodes"])) == (before, 1000)


def test_a_page_that_knows_another_server_gets_all_tiles(bea: Person) -> None:
    sent = {"session": bea.name, "tab": "tab", "queue": []}
    assert bea.callbacks.poll(1, sent, have(bea.seen))["tiles"] == {}
    assert len(bea.callbacks.poll(1, sent, {**have(bea.seen), "born": "before"})["tiles"]) == 1000


def test_choosing_a_unit_costs_little_for_each_of_the_others(bea: Person) -> None:
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        do(bea, "select", "block5:3")
    finally:
        sys.setprofile(None)
    # Calls of Python functions, which no busy machine changes: 92 for a unit, and 650 more to draw it anew.
    assert calls < 150 * len(bea.nodes)


def test_pictures_in_a_file_are_fetched_and_not_sent_along(page: Page, file: bytes, photo: Photo) -> None:
    data = copy.deepcopy(json.loads(file))
    data["nodes"] = data["nodes"][:]
    data["nodes"][1]["picture"] = to_data_uri(photo.image.resize((8, 8)))
    bea = Person(page)
    assert bea.send(json.dumps(data).encode(), "huge.json", "circuit") == []
    bea.do("refresh")
    address = bea.nodes[data["nodes"][1]["id"]]["picture"]
    assert address.startswith("carried/")
    answer = page.dash.server.test_client().get(f"/{address}", headers={"Host": "127.0.0.1"})
    assert (answer.status_code, answer.mimetype) == (200, "image/webp")
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    missing = page.dash.server.test_client().get(f"/carried/{'0' * 40}", headers={"Host": "127.0.0.1"})
    assert missing.status_code == 404
