"""Requests of every wrong form, at every address: refused with a 4xx, or answered, but never a fault of the server."""

import copy
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.app import Page
from tests.support.person import ANN, Person
from tests.support.renderer import CALLBACKS, asked

# Threads of the page draw random numbers while values are made, and long values have long names.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")

ODD = [
    None, True, False, 0, -1, 1.5, 1e308, float("nan"), float("inf"), 10**400, -(10**18), "", "x", "²", "٣", "0" * 32,
    ANN, "\ud800", "\x00", "a" * 5000, "http://[", [], {}, [[]], [{}], {"number": 1}, ["x"], {"a": {"b": [None]}},
]  # fmt: skip

json_values = st.recursive(
    st.sampled_from(ODD) | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
many = settings(
    max_examples=40, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.fixture
def client(page: Page, caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """Of a page with Ann's session; nothing may be logged as a fault."""
    Person(page).why()
    yield page.dash.server.test_client()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def post(client: Any, path: str, body: Any) -> int:
    status: int = client.post(path, data=json.dumps(body), content_type="application/json").status_code
    return status


QUEUE = {"session": ANN, "tab": "tab", "born": "", "books": "", "queue": [{"number": 1, "kind": "undo", "payload": {}}]}
FILE = {"session": ANN, "tab": "tab", "number": 1, "kind": "photo", "name": "x.png", "contents": "data:,"}
HAVE = {"born": "", "drawing": "", "tiles": 0}


def test_the_bodies_that_these_tests_damage_are_taken(client: Any, page: Page) -> None:
    assert post(client, CALLBACKS, asked(page, "view.data", {"actions": QUEUE, "have": HAVE})) == 200
    assert post(client, CALLBACKS, asked(page, "received.data", {"file": FILE})) == 200
    assert post(client, CALLBACKS, asked(page, "progress.data", {"actions": QUEUE, "have": HAVE})) == 200


@pytest.mark.parametrize(
    "change",
    [
        {"session": None}, {"session": "x"}, {"session": 7}, {"tab": None}, {"tab": "t" * 65}, {"queue": None},
        {"queue": 3}, {"queue": [None]}, {"queue": ["x"]}, {"born": 1}, {"books": []},
        {"queue": [{"number": "x", "kind": "undo"}]}, {"queue": [{"number": None, "kind": "undo"}]},
        {"queue": [{"kind": "undo"}]}, {"queue": [{"number": 1}]}, {"queue": [{"number": 1, "kind": None}]},
        {"queue": [{"number": 10**400, "kind": "undo"}]}, {"queue": [{"number": 1.5, "kind": "undo"}]},
        {"queue": [{"number": True, "kind": "undo"}]}, {"queue": [{"number": 1, "kind": "undo"}] * 3000},
    ],
)  # fmt: skip
def test_a_queue_of_another_form_is_refused(client: Any, page: Page, change: dict[str, Any]) -> None:
    for output in ("view.data", "progress.data"):
        assert post(client, CALLBACKS, asked(page, output, {"actions": QUEUE | change, "have": HAVE})) == 400
    without = {key: value for key, value in QUEUE.items() if key != "session"}
    assert post(client, CALLBACKS, asked(page, "view.data", {"actions": without})) == 400


@pytest.mark.parametrize("have", [1, "x", [], {"tiles": "x"}, {"tiles": None}, {"drawing": 1}, {"born": None}])
def test_what_the_page_has_is_refused_in_another_form(client: Any, page: Page, have: object) -> None:
    for output in ("view.data", "progress.data"):
        assert post(client, CALLBACKS, asked(page, output, {"actions": QUEUE, "have": have})) == 400


@pytest.mark.parametrize("key", FILE)
@pytest.mark.parametrize("value", [None, 1.5, [], {"a": 1}])
def test_a_file_of_another_form_is_refused(client: Any, page: Page, key: str, value: object) -> None:
    assert post(client, CALLBACKS, asked(page, "received.data", {"file": FILE | {key: value}})) == 400


@many
@given(output=st.sampled_from(["view.data", "received.data", "progress.data"]), sent=json_values, have=json_values)
def test_callbacks_with_any_values(client: Any, page: Page, output: str, sent: Any, have: Any) -> None:
    body = asked(page, output, {"actions": sent, "have": have, "file": sent})
    assert post(client, CALLBACKS, body) in (200, 204, 400)


@many
@given(data=st.data())
def test_damaged_queues_and_files(client: Any, page: Page, data: st.DataObject) -> None:
    """One part of a whole body, at any depth, is something else, or missing."""
    output, values = data.draw(
        st.sampled_from([("view.data", {"actions": QUEUE, "have": HAVE}), ("received.data", {"file": FILE})])
    )
    body = json.loads(json.dumps(asked(page, output, values)))
    part = body
    for _ in range(data.draw(st.integers(0, 6))):
        steps = list(part) if isinstance(part, dict) else list(range(len(part)))
        nested = [step for step in steps if isinstance(part[step], dict | list) and part[step]]
        if not nested:
            break
        part = part[data.draw(st.sampled_from(nested))]
    step = data.draw(st.sampled_from(list(part) if isinstance(part, dict) else list(range(len(part)))))
    if data.draw(st.booleans()):
        del part[step]
    else:
        part[step] = data.draw(json_values)
    assert post(client, CALLBACKS, body) in (200, 204, 400)


@many
@given(kind=st.text(max_size=3), payload=json_values, data=st.data())
def test_actions_of_every_kind_with_any_payload(
    client: Any, page: Page, kind: str, payload: Any, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from([*page.callbacks.work.reducer.actions, kind]))
    action = page.callbacks.work.reducer.actions.get(kind)
    if action is not None and data.draw(st.booleans()):
        payload = {name: data.draw(json_values) for name in action.payload.__dataclass_fields__}
    number = page.callbacks.sessions.tab(ANN).seen.get("tab", 0) + 1
    queue = QUEUE | {"queue": [{"number": number, "kind": kind, "payload": payload}]}
    assert post(client, CALLBACKS, asked(page, "view.data", {"actions": queue})) in (200, 400)


@many
@given(path=st.sampled_from(["/what-if", "/wall/seen", "/leave", CALLBACKS]), body=json_values, data=st.data())
def test_bodies_of_any_form(client: Any, page: Page, path: str, body: Any, data: st.DataObject) -> None:
    if isinstance(body, dict) and path != CALLBACKS:
        factor = data.draw(st.sampled_from(ODD))
        body = copy.deepcopy(body) | {
            "session": ANN,
            "stamp": "1",
            "layer": "c",
            "channels": body.get("channels", factor),
        }
        body["changes"] = [{"unit": data.draw(st.sampled_from(["c:1", "c:²", "", "c:1@²,3"])), "factor": factor}]
    assert post(client, path, body) < 500
    assert client.post(path, data=str(body).encode("utf-8", "replace")).status_code < 500


@many
@given(
    path=st.sampled_from(
        ["/picture/{}.webp", "/preview/{}-1.webp", "/preview/aaaaaaaa-{}.webp", "/evidence/{}.webp", "/photo/{}.webp",
         "/carried/{}", "/whole/{}/{}.webp", f"/whole/{ANN}/{{}}.webp", "/export/{}/circuit.json",
         f"/export/{ANN}/circuit.{{}}", f"/export/{ANN}/score.{{}}", "/wall/{}.json", "/find?session={}&text={}",
         f"/find?session={ANN}&text={{}}", "/{}", "/assets/{}", "/_dash-component-suites/{}",
         "/_dash-component-suites/dash/{}", "/_dash-component-suites/plotly/{}?m={}", "/?token={}"]
    ),
    text=st.text(max_size=12) | st.sampled_from(["²", "9" * 400, "c:²", "c:1@²,1", "c:" + "9" * 5000, "² - ٣", "%00"]),
)  # fmt: skip
def test_addresses_with_any_text(client: Any, path: str, text: str) -> None:
    there = path.replace("{}", quote(text.encode("utf-8", "surrogatepass"), safe=""))
    assert client.get(there).status_code < 500


@pytest.mark.parametrize(
    ("header", "value"),
    [("Origin", "http://["), ("Origin", "http://[::1"), ("Origin", "²"), ("Host", "["), ("Host", "[::1"), ("Host", "")],
)
def test_headers_that_are_no_address_are_refused(client: Any, header: str, value: str) -> None:
    assert client.post("/leave", data=ANN, headers={header: value}).status_code in (400, 403)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_other_methods_are_not_allowed(client: Any, method: str) -> None:
    for path in ("/", CALLBACKS, "/leave", "/what-if", f"/export/{ANN}/circuit.json"):
        assert client.open(path, method=method).status_code in (403, 405)
