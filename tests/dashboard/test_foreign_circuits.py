"""Circuits with this network's fingerprint that are not of it: shown, locked, in a sentence, without a fault."""

import base64
import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from dashboard.app import Page
from tests.support.person import BOB, Person

Contents = dict[str, Any]


def renamed(data: Contents) -> Contents:
    """The lowest layer is called otherwise."""
    return json.loads(json.dumps(data).replace('"a"', '"stem"').replace('"a:', '"stem:'))


def moved(data: Contents, layer: str, channel: int) -> Contents:
    """A unit of a layer is another one."""
    row = next(row for row in data["nodes"] if row["layer"] == layer)
    text = json.dumps(data).replace(f'"{row["id"]}"', f'"{layer}:{channel}"')
    after: Contents = json.loads(text)
    next(row for row in after["nodes"] if row["id"] == f"{layer}:{channel}")["channel"] = channel
    return after


def with_peak(data: Contents) -> Contents:
    data["nodes"][-1]["peak"] = [999, 0]
    return data


def with_layer(data: Contents) -> Contents:
    data["graph"]["network"]["layers"].insert(0, "stem")
    return data


def with_thumbnail(data: Contents) -> Contents:
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, "PNG")
    uri = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    data["graph"]["photo"]["thumbnail"] = uri
    return data


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (renamed, "layers are not those of tiny: Layer 'stem' does not exist"),
        (with_layer, "layers are not those of tiny: Layer 'stem' does not exist"),
        (lambda data: moved(data, "b", 9999), "layers are not those of tiny: No unit b:9999"),
        (lambda data: moved(data, "fc", 9999), "layers are not those of tiny: No unit fc:9999"),
        (with_peak, "layers are not those of tiny: No neuron"),
        (with_thumbnail, "photo is 9×9 pixels, and tiny sees 32×32"),
    ],
)
def test_it_opens_locked_with_a_sentence_and_nothing_fails(
    page: Page, caplog: pytest.LogCaptureFixture, change: Callable[[Contents], Contents], sentence: str
) -> None:
    ann = Person(page)
    ann.why()
    data = change(ann.export()[1])
    bob = Person(page, BOB)
    assert bob.send(json.dumps(data).encode(), "foreign.json", "circuit") == []
    view = bob.do("refresh")
    assert {node["id"] for node in view["view"]["nodes"]} == {row["id"] for row in data["nodes"]}
    assert sentence in page.callbacks.sessions.tab(BOB).session.work.locked
    for row in data["nodes"][:2] + data["nodes"][-2:]:
        for kind in ("select", "expand", "measure"):
            bob.do(kind, row["id"])
    for name in ("layers", "compare", "circuit"):
        bob.do("page", name)
    bob.do("score")
    for queue in (page.callbacks.work.tracing, page.callbacks.work.looking, page.callbacks.work.scoring):
        assert queue.wait(BOB, seconds=30)
    bob.do("refresh")
    assert any(sentence in toast["text"] for toast in bob.poll()["toasts"])
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_circuit_of_some_of_its_layers_is_its_own(page: Page) -> None:
    ann = Person(page)
    ann.why()
    data = ann.export()[1]
    data["graph"]["network"]["layers"].remove("a")
    bob = Person(page, BOB)
    bob.send(json.dumps(data).encode(), "own.json", "circuit")
    assert page.callbacks.sessions.tab(BOB).session.work.locked == ""
