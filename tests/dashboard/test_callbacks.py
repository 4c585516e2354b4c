"""The callbacks without a browser: the queue, the worker, files, export, two people."""

import io
import json
import re
import threading
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pytest
from PIL import Image

from circuits.errors import InputError
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.app import Page, PageSettings, create_app, create_page
from dashboard.callbacks import decoded
from tests.support.actions import payload
from tests.support.person import ANN, BOB, Person, ready
from tests.support.pretend import PaintedGallery, tiny_network


def png(width: int = 40, height: int = 30) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_new_page_has_the_photo_and_its_predictions(ann: Person) -> None:
    ann.do("open")
    assert len(ann.seen["predictions"]) == 5
    assert (ann.seen["no_invitation"], ann.seen["no_undo"]) == (False, True)
    assert ann.poll()["text"] == "Ready"


def test_without_a_photo_the_example_cat_is_there(network: Network, gallery: PaintedGallery) -> None:
    page = create_page(PageSettings(network, gallery=gallery))
    assert page.callbacks.sessions.tab(ANN).session.work.photo.name == "cat"
    page.close()


def test_why_draws_the_circuit(ann: Person) -> None:
    ann.why("2")
    assert ann.seen["view"]["selected"] == "fc:2"
    assert ann.nodes["fc:2"]["root"]
    assert (ann.seen["no_invitation"], ann.seen["no_undo"]) == (True, False)


def test_an_action_that_was_seen_is_not_applied_again(ann: Person) -> None:
    ann.why("2")
    child = next(name for name in ann.nodes if name.startswith("c:"))
    ann.do("discard", child)
    ann.do("undo")
    assert child in ann.nodes
    ann.look()
    ann.look()
    assert child in ann.nodes
    assert ann.seen["view"]["seen"] == len(ann.queue)


def test_a_batch_of_late_actions_is_applied_in_order(ann: Person) -> None:
    ann.why("2")
    one, two = [name for name in ann.nodes if name.startswith("c:")][:2]
    for kind, subject in (("discard", one), ("discard", two), ("undo", "")):
        ann.queue.append({"number": len(ann.queue) + 1, "kind": kind, "payload": payload(kind, subject)})
    ann.look()
    assert one not in ann.nodes
    assert two in ann.nodes


def test_pictures_arrive_while_the_page_polls_and_the_chosen_one_is_first(ann: Person, gallery: PaintedGallery) -> None:
    gallery.gate.clear()
    ann.why("2")
    busy = ann.poll()
    assert busy["live"]
    assert busy["text"].startswith("Rendering tree: 0 of ")
    assert {tile["state"] for tile in busy["tiles"].values()} == {"waiting"}
    gallery.gate.set()
    done = ann.rendered()
    assert ready(done) == set(ann.nodes)
    assert not done["live"]
    assert gallery.begun[0] == Unit("fc", 2)
    layers = [unit.layer for unit in gallery.begun]
    assert layers == sorted(layers, key=["fc", "c", "b"].index)


def test_cancel_stops_rendering_and_resume_goes_on(ann: Person, gallery: PaintedGallery) -> None:
    gallery.gate.clear()
    ann.why("2")
    ann.do("pause")
    status = ann.poll()
    assert (status["live"], status["can_resume"]) == (False, True)
    assert status["text"].startswith("Rendering cancelled; ")
    gallery.gate.set()
    ann.do("resume")
    assert ready(ann.rendered()) == set(ann.nodes)


def test_a_picture_that_fails_is_said_and_not_tried_for_ever(ann: Person, gallery: PaintedGallery) -> None:
    gallery.broken.add(Unit("fc", 2))
    ann.why("2")
    told = ann.rendered()
    assert (told["text"], told["can_retry"]) == ("1 picture failed: no picture for this one", True)
    tried = gallery.begun.count(Unit("fc", 2))
    ann.poll()
    assert gallery.begun.count(Unit("fc", 2)) == tried == 1
    gallery.broken.clear()
    ann.do("resume")
    told = ann.rendered()
    assert "fc:2" in ready(told)
    assert not told["can_retry"]


def test_closing_the_page_stops_its_rendering(ann: Person, page: Page, gallery: PaintedGallery) -> None:
    gallery.gate.clear()
    ann.why("2")
    page.dash.server.test_client().post("/leave", data=ANN)
    assert page.callbacks.work.rendering.report(ANN).state == "idle"


def test_two_people_do_not_see_each_others_work(page: Page) -> None:
    ann, bob = Person(page, ANN), Person(page, BOB)
    ann.why("2")
    ann.send(b"no image", "private.png")
    bob.do("open")
    assert bob.seen["view"]["nodes"] == []
    assert bob.poll()["toasts"] == []
    bob.why("3")
    assert ann.look()["view"]["selected"] == "fc:2"
    assert bob.seen["view"]["selected"] == "fc:3"


def test_people_share_pictures_but_not_the_wait_for_them(page: Page, gallery: PaintedGallery) -> None:
    ann, bob = Person(page, ANN), Person(page, BOB)
    gallery.gate.clear()
    ann.why("2")
    bob.why("2")
    gallery.gate.set()
    ann.rendered()
    assert ready(bob.rendered()) == set(bob.nodes)
    assert len(gallery.begun) == len(set(gallery.begun))


def test_a_photo_replaces_the_one_before_and_undo_brings_it_back(ann: Person) -> None:
    ann.why("2")
    assert ann.send(png(), "gradient.png") == []
    assert ann.callbacks.work.tracing.wait(ANN, seconds=30)
    ann.do("refresh")
    # The target stays: why is it a tree here?
    assert ann.seen["view"]["selected"] == "fc:2"
    assert "gradient.png" in str(ann.seen["photo"])
    ann.do("undo")
    assert ann.seen["view"]["selected"] == "fc:2"
    assert "patches" in str(ann.seen["photo"])


@pytest.mark.parametrize(
    ("data", "name", "kind", "sentence"),
    [
        (b"hello", "notes.txt", "photo", "notes.txt is not an image that can be read"),
        (png(1, 1), "dot.png", "photo", "dot.png"),
        (png()[:60], "half.png", "photo", "half.png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", "photo", "a.svg is not an image"),
        (b"Dear diary", "notes.txt", "circuit", "notes.txt is not a circuit; choose a .json file"),
        (png(), "cat.png", "circuit", "cat.png is not a circuit; choose a .json file"),
        (b"{half", "c.json", "circuit", "not JSON"),
        (b'{"format": "circuits/9"}', "c.json", "circuit", "circuits/9"),
        (b"[]", "c.json", "circuit", "This is no circuit"),
        (b'{"format": NaN}', "c.json", "circuit", "NaN"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_with_a_sentence(
    ann: Person, data: bytes, name: str, kind: str, sentence: str
) -> None:
    ann.why("2")
    (said,) = ann.send(data, name, kind)
    assert sentence in said
    assert ann.look()["view"]["selected"] == "fc:2"


def test_a_circuit_with_picture_addresses_of_the_web_is_refused(ann: Person) -> None:
    ann.why("2")
    _, data = ann.export()
    data["nodes"][0]["picture"] = "https://example.org/track.png"
    (said,) = ann.send(json.dumps(data).encode(), "c.json", "circuit")
    assert "The circuit is not valid at nodes/0/picture" in said


def test_a_file_is_taken_once_however_often_it_arrives(ann: Person) -> None:
    sent = {"session": ANN, "tab": "t", "number": 1, "kind": "photo", "name": "x", "contents": "data:,!"}
    for _ in range(3):
        assert ann.callbacks.receive(sent) == {"tab": "t", "number": 1}
    assert len(ann.poll()["toasts"]) == 1


def test_the_export_is_a_circuit_that_networkx_loads_too(ann: Person) -> None:
    ann.why("2")
    name, data = ann.export()
    assert name == "patches--tree--circuit.json"
    assert Circuit.from_dict(data).visible == set(ann.nodes)
    assert set(nx.node_link_graph(data, edges="edges")) == set(ann.nodes)
    assert "picture" not in data["nodes"][0]


def test_the_export_carries_pictures_if_wanted(ann: Person) -> None:
    ann.why("2")
    ann.rendered()
    _, data = ann.export(pictures=True)
    assert all(node["picture"].startswith("data:image/webp;base64,") for node in data["nodes"])


def test_pictures_in_a_foreign_file_are_shown(ann: Person, tmp_path: Any, photo: Photo) -> None:
    ann.why("2")
    ann.rendered()
    _, data = ann.export(pictures=True)
    other = tiny_network(seed=4, name="other")
    page = create_page(PageSettings(other, gallery=PaintedGallery(tmp_path, other), photo=photo))
    bob = Person(page, BOB)
    assert bob.send(json.dumps(data).encode(), "tree.json", "circuit") == []
    bob.do("refresh")
    assert all(node["picture"].startswith("carried/") for node in bob.nodes.values())
    assert "of another network, tiny" in str(bob.pane)
    page.close()


def test_a_page_opens_with_a_given_circuit(ann: Person, network: Network, gallery: PaintedGallery) -> None:
    ann.why("2")
    circuit = Circuit.from_dict(ann.export()[1])
    page = create_page(PageSettings(network, circuit=circuit, gallery=gallery))
    bob = Person(page, BOB)
    bob.do("open")
    assert bob.seen["view"]["selected"] == "fc:2"
    assert set(bob.nodes) == set(ann.nodes)
    page.close()


def test_expanding_where_nothing_is_left_says_so(ann: Person) -> None:
    ann.why("2")
    child = next(name for name in ann.nodes if name.startswith("c:"))
    for _ in range(4):
        ann.do("more", child)
        assert ann.callbacks.work.tracing.wait(ANN, seconds=30)
    assert f"{child} has no further units that excite it in the layer below." in [
        toast["text"] for toast in ann.poll()["toasts"]
    ]


def test_an_answer_that_comes_later_moves_the_revision_on(
    ann: Person, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    trace = page.callbacks.library.trace

    def slow(*arguments: Any, **more: Any) -> Circuit:
        assert gate.wait(30)
        return trace(*arguments, **more)

    monkeypatch.setattr(page.callbacks.library, "trace", slow)
    ann.do("why", "2")
    assert ann.seen["view"]["nodes"] == []
    assert "Tracing tree" in ann.poll()["text"]
    before = ann.seen["view"]["revision"]
    gate.set()
    assert page.callbacks.work.tracing.wait(ANN, seconds=30)
    assert ann.poll()["revision"] > before
    assert "fc:2" in {node["id"] for node in ann.do("refresh")["view"]["nodes"]}


def test_an_expansion_is_worked_out_again_if_the_circuit_changed_meanwhile(
    ann: Person, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann.why("2")
    leaf = next(name for name in ann.nodes if name.startswith("b:"))
    dropped = next(name for name in ann.nodes if name.startswith("c:"))
    begun, gate = threading.Event(), threading.Event()
    expand: Callable[..., Circuit] = page.callbacks.library.expand

    def slow(*arguments: Any) -> Circuit:
        begun.set()
        assert gate.wait(30)
        return expand(*arguments)

    monkeypatch.setattr(page.callbacks.library, "expand", slow)
    ann.do("expand", leaf)
    assert begun.wait(30)
    ann.do("discard", dropped)
    gate.set()
    assert page.callbacks.work.tracing.wait(ANN, seconds=30)
    circuit = page.callbacks.sessions.tab(ANN).session.work.circuit
    assert circuit.nodes[dropped].discarded
    assert circuit.nodes[leaf].expanded


def test_an_answer_that_nobody_waits_for_any_more_is_given_up(
    ann: Person, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, given_up = threading.Event(), threading.Event()
    trace = page.callbacks.library.trace

    def slow(photo: Photo, target: str, choices: Any, progress: Any, **more: Any) -> Circuit:
        if target == "3":
            return trace(photo, target, choices, progress, **more)
        begun.set()
        try:
            while True:
                progress(0, 1, "Expanding fc:2")
        finally:
            given_up.set()

    monkeypatch.setattr(page.callbacks.library, "trace", slow)
    ann.do("why", "2")
    assert begun.wait(30)
    ann.do("why", "3")
    assert given_up.wait(30)
    assert page.callbacks.work.tracing.wait(ANN, seconds=30)
    assert ann.do("refresh")["view"]["selected"] == "fc:3"


def test_a_failure_of_the_network_is_a_sentence_and_the_page_goes_on(
    ann: Person, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **more: Any) -> Circuit:
        raise RuntimeError("CUDA error 700")

    monkeypatch.setattr(page.callbacks.library, "trace", broken)
    ann.do("why", "2")
    assert page.callbacks.work.tracing.wait(ANN, seconds=30)
    told = ann.poll()
    assert [toast["text"] for toast in told["toasts"]] == [
        "The network failed at this; the terminal that serves the page says why."
    ]
    assert not told["live"]


def test_nothing_is_answered_before_a_session_is_known(page: Page) -> None:
    from dash import no_update

    assert page.callbacks.act(None) is no_update
    assert page.callbacks.receive(None) is no_update
    assert page.callbacks.poll(1, None) is no_update


def test_a_damaged_upload_is_refused() -> None:
    assert decoded("data:text/plain;base64,aGk=", "x") == b"hi"
    for bad in ("aGk=", "data:text/plain;base64,@@@"):
        with pytest.raises(InputError, match=r"x\.png arrived damaged"):
            decoded(bad, "x.png")


def test_apps_share_nothing(network: Network, gallery: PaintedGallery, photo: Photo) -> None:
    one = create_app(PageSettings(network, photo=photo, gallery=gallery))
    two = create_app(PageSettings(network, photo=photo, gallery=gallery))
    assert one.server is not two.server
    assert one.callback_map is not two.callback_map


def test_a_look_of_another_form_and_a_long_sentence_do_no_harm(ann: Person) -> None:
    ann.queue.append({"number": len(ann.queue) + 1, "kind": "look", "payload": "x"})
    assert isinstance(ann.look()["head"], list)
    ann.queue.append({"number": len(ann.queue) + 1, "kind": "page", "payload": {"page": "y" * 100_000}})
    assert len(ann.look()["view"]["toasts"][-1]["text"]) < 1000


@pytest.mark.parametrize(
    "change",
    [
        lambda text: re.sub(r'"(a|b|c|fc)(?=[":])', r'"x\1', text),
        lambda text: re.sub(r'"(\w+):2"', r'"\1:77"', text).replace('"channel": 2,', '"channel": 77,'),
    ],
    ids=["layers", "channels"],
)
def test_a_circuit_of_this_fingerprint_with_foreign_units_is_locked_and_looked_at(
    ann: Person, change: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    ann.why("2")
    _, data = ann.export()
    foreign = json.loads(change(json.dumps(data)))
    assert foreign != data
    assert ann.send(json.dumps(foreign).encode(), "foreign.json", "circuit") == []
    ann.look()
    work = ann.callbacks.sessions.tab(ANN).session.work
    assert work.locked.startswith("This circuit's layers are not those of tiny: ")
    for name in list(work.circuit.nodes)[:3]:
        for kind in ("select", "expand", "measure", "render"):
            ann.do(kind, name)
        ann.rendered()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_damaged_photo_is_shown_and_said_to_be_damaged(ann: Person) -> None:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG")
    whole = buffer.getvalue()
    assert ann.send(whole, "whole.jpg") == []
    (said,) = ann.send(whole[:900] + bytes(400) + whole[1300:], "zeroed.jpg")
    assert said.startswith("zeroed.jpg is damaged (Corrupt JPEG data")
    assert ann.callbacks.sessions.tab(ANN).session.work.photo.name == "zeroed.jpg"
