"""The wall of a layer and the pane of a unit outside the circuit, without a browser."""

import json
import threading
from typing import Any

import pytest
from flask.testing import FlaskClient

from circuits.evidence.layer_statistics import layer_table
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.report.text import number
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.app import Page
from dashboard.features.layer.view import data
from dashboard.library import Library
from dashboard.session.state import Session, Showing, Work
from dashboard.work.queue import Task
from tests.support.parts import words
from tests.support.person import ANN, BOB, Person
from tests.support.pretend import PaintedCollection, PaintedGallery


@pytest.fixture
def client(page: Page) -> FlaskClient:
    """Somebody who fetches addresses."""
    return page.dash.server.test_client()


def seen(client: FlaskClient, channels: object, layer: str = "c", session: str = ANN) -> Any:
    """Post what is on the screen."""
    return client.post("/wall/seen", json={"session": session, "layer": layer, "channels": channels})


def test_the_wall_lists_all_layers_from_the_top_and_begins_below_the_classes(ann: Person) -> None:
    wall = ann.do("page", "layers")["wall"]
    assert [(layer["name"], layer["channels"]) for layer in wall["layers"]] == [
        ("fc", 6), ("c", 20), ("b", 16), ("a", 12),
    ]  # fmt: skip
    assert (wall["layer"], wall["order"], wall["classes"]) == ("c", "here", [])
    wall = ann.do("wall-layer", "fc")["wall"]
    assert wall["layer"] == "fc"
    assert wall["classes"] == ["cat", "dog", "tree", "car", "<b>ship</b>", "bird"]
    assert ann.do("wall-order", "number")["wall"]["order"] == "number"


def test_a_layer_or_an_order_that_does_not_exist_is_refused_with_what_exists(ann: Person) -> None:
    ann.do("page", "layers")
    toasts = ann.do("wall-layer", "d")["view"]["toasts"]
    assert "No layer 'd'" in toasts[-1]["text"]
    assert "a, b, c" in toasts[-1]["text"]
    toasts = ann.do("wall-order", "colour")["view"]["toasts"]
    assert toasts[-1]["text"] == "'colour' is not an order of the wall; there is here, attribution, number."


def test_the_table_says_what_the_library_says_and_comes_without_a_circuit(
    ann: Person, client: FlaskClient, network: Network, photo: Photo
) -> None:
    ann.do("page", "layers")
    ann.looked()
    address = seen(client, [0]).json["table"]
    rows = client.get(f"/{address}")
    assert "private" in rows.headers["Cache-Control"]
    table = layer_table(network, photo, "c")
    assert rows.json["activations"] == pytest.approx(table.peaks.tolist(), rel=1e-5)
    assert rows.json["activations_said"] == [number(float(peak)) for peak in table.peaks]
    assert rows.json["silent"] == [channel for channel, silent in enumerate(table.silent) if silent]
    assert rows.json["shares"] is None


def test_with_a_circuit_the_table_has_shares_and_another_target_another_address(
    ann: Person, client: FlaskClient, network: Network
) -> None:
    ann.why("2")
    ann.do("page", "layers")
    ann.looked()
    first = seen(client, [0]).json["table"]
    circuit = ann.callbacks.sessions.tab(ANN).session.work.circuit
    table = layer_table(network, circuit, "c")
    rows = client.get(f"/{first}").json
    assert rows["shares"] == pytest.approx(table.shares.tolist(), rel=1e-5)
    assert sum(abs(share) for share in rows["shares"]) == pytest.approx(1, rel=1e-4)
    strongest = max(range(20), key=lambda channel: rows["shares"][channel])
    assert f"c:{strongest}" in circuit.visible
    assert rows["shares_said"][strongest].startswith("+")
    ann.why("1")
    ann.looked()
    assert seen(client, [0]).json["table"] not in ("", first)


def test_what_is_on_the_screen_is_drawn_first_after_the_chosen_unit_and_no_more_after_leaving(
    ann: Person, client: FlaskClient, gallery: PaintedGallery
) -> None:
    gallery.gate.clear()
    ann.why("2")
    ann.do("page", "layers")
    answer = seen(client, [7, 3, 11, 4, 5]).json
    assert {tile["state"] for tile in answer["tiles"].values()} == {"waiting"}
    assert sorted(map(int, answer["tiles"])) == [3, 4, 5, 7, 11]
    tab_session = ann.callbacks.sessions.tab(ANN)
    tasks = ann.callbacks.work.pictures.missing(tab_session)
    assert [task.label for task in tasks[:3]] == ["tree", "c:7, 3, 11, 4", "c:5"]
    assert len(tasks) > 3
    ann.do("page", "circuit")
    labels = [task.label for task in ann.callbacks.work.pictures.missing(tab_session)]
    assert "c:7, 3, 11, 4" not in labels
    assert seen(client, [7]).json["tiles"] == {}
    gallery.gate.set()


def test_a_finished_a_dead_and_a_cancelled_picture_are_told_apart(
    ann: Person, client: FlaskClient, gallery: PaintedGallery
) -> None:
    gallery.paint(Unit("c", 1))
    gallery.paint(Unit("c", 2))
    gallery.dead_units.add(Unit("c", 2))
    gallery.gate.clear()
    ann.do("page", "layers")
    ann.do("pause")
    tiles = seen(client, [1, 2, 3]).json["tiles"]
    assert tiles["1"]["state"] == "ready"
    assert tiles["1"]["picture"] == f"picture/{gallery.key(Unit('c', 1))}.webp"
    assert (tiles["2"]["state"], tiles["2"]["picture"]) == ("dead", "")
    assert tiles["3"]["state"] == "none"
    ann.do("resume")
    assert seen(client, [3]).json["tiles"]["3"]["state"] == "waiting"
    gallery.gate.set()
    ann.rendered()
    assert seen(client, [3]).json["tiles"]["3"]["state"] == "ready"


@pytest.mark.parametrize("channels", [None, "7", [20], [-1], ["7"], [True], list(range(401))])
def test_channels_that_make_no_sense_are_refused(ann: Person, client: FlaskClient, channels: object) -> None:
    ann.do("page", "layers")
    assert seen(client, channels).status_code == 400


def test_nobody_is_made_by_asking_and_unknown_tables_are_not_found(ann: Person, client: FlaskClient) -> None:
    assert seen(client, [1], session=BOB).status_code == 404
    assert seen(client, [1], session="nobody").status_code == 404
    assert client.post("/wall/seen", data="{").status_code == 404
    assert client.post("/wall/seen", data=json.dumps([1]), content_type="application/json").status_code == 404
    assert ann.callbacks.sessions.find(BOB) is None
    assert client.get(f"/wall/{'0' * 32}.json").status_code == 404
    assert client.get("/wall/nothing.json").status_code == 404


def test_a_unit_outside_the_circuit_is_shown_with_what_needs_no_circuit(
    ann: Person, gallery: PaintedGallery, collection: PaintedCollection, network: Network
) -> None:
    collection.photos = 40
    ann.why("2")
    ann.do("page", "layers")
    circuit = ann.callbacks.sessions.tab(ANN).session.work.circuit
    channel = next(channel for channel in range(20) if f"c:{channel}" not in circuit.visible)
    ann.do("unit", f"c:{channel}")
    ann.rendered()
    page = ann.looked()
    assert page["wall"]["chosen"] == f"c:{channel}"
    assert page["view"]["selected"] == "fc:2"
    said = words(ann.pane)
    assert f"layer c, channel {channel}; not in the circuit" in said
    assert f"activation up to {10 + channel}.0 in this picture" in said
    assert "Why did this fire here?" in said
    assert "higher than in 93 % of 40 photos" in said
    table = layer_table(network, circuit, "c")
    place = 1 + sum(table.peaks > table.peaks[channel])
    assert f"activation here {number(float(table.peaks[channel]))} {place} of 20" in said.replace("silent", "")
    assert f"attribution to tree {number(float(table.attributions[channel]), sign=True)}" in said
    assert collection.requested[-1] == Unit("c", channel)
    assert ann.do("page", "circuit")["page"] == "circuit"
    assert "tree" in words(ann.seen["head"])


def test_choosing_a_unit_of_the_circuit_on_the_wall_selects_it_there(ann: Person) -> None:
    ann.why("2")
    inside = next(name for name in ann.nodes if name.startswith("c:"))
    wall = ann.do("page", "layers")["wall"]
    assert sorted(wall["inside"]) == sorted(int(name[2:]) for name in ann.nodes if name.startswith("c:"))
    assert ann.do("unit", inside)["view"]["selected"] == inside
    assert ann.seen["view"]["outside"] is None
    assert ann.do("unit", "c:99")["view"]["toasts"][-1]["text"].startswith("No unit c:99")
    assert ann.do("unit", "")["view"]["selected"] == ""


def test_a_unit_of_the_wall_can_be_the_root_of_a_new_circuit(ann: Person) -> None:
    ann.do("page", "layers")
    ann.do("root", "b:4")
    assert ann.callbacks.work.tracing.wait(ANN, seconds=30)
    page = ann.do("refresh")
    assert page["page"] == "circuit"
    assert page["view"]["selected"] == "b:4"
    assert ann.nodes["b:4"]["root"]


def test_without_a_photo_the_wall_is_there_by_number_and_says_what_is_missing(library: Library) -> None:
    wall = data(Session(showing=Showing(page="layers")), library)
    assert not wall["told"]
    assert wall["why_not"] == "Choose a photo to sort the units by their activations in it."
    assert wall["layer"] == "c"


def test_beside_a_circuit_of_another_network_the_wall_shows_this_ones_units_without_numbers(
    library: Library, photo: Photo, network: Network
) -> None:
    circuit = library.trace(photo, "2", Session().choices, lambda done, total, message: None)
    facts = circuit.to_dict()
    facts["graph"]["network"]["sha256"] = "0" * 64
    foreign = Circuit.from_dict(facts)
    work = Work(photo, circuit=foreign, selected=foreign.root, locked=library.fit.why_locked(foreign))
    wall = data(Session(work, showing=Showing(page="layers")), library)
    assert "another network" in wall["why_not"]
    assert (wall["inside"], wall["chosen"], wall["target"]) == ([], "", "")


def test_names_that_people_gave_come_with_the_wall(ann: Person) -> None:
    ann.why("2")
    tab_session = ann.callbacks.sessions.tab(ANN)
    work = tab_session.session.work
    inside = next(name for name in ann.nodes if name.startswith("c:"))
    named = work.circuit.with_name(inside, "left-facing dog head")
    tab_session.put(tab_session.session.changed(Work(work.photo, work.predictions, named, work.selected)))
    assert ann.do("page", "layers")["wall"]["names"] == {inside[2:]: "left-facing dog head"}


def test_before_any_circuit_a_unit_of_the_wall_is_shown_from_the_photo_alone(
    ann: Person, network: Network, photo: Photo
) -> None:
    ann.do("page", "layers")
    ann.do("unit", "b:4")
    page = ann.looked()
    said = words(ann.pane)
    assert "layer b, channel 4" in said
    assert "not in the circuit" not in said
    assert page["fired"][0].children[1].children[0].src.startswith("evidence/")
    assert "In its layer" not in said
    ann.do("wall-layer", "b")
    ann.looked()
    table = layer_table(network, photo, "b")
    place = 1 + sum(table.peaks > table.peaks[4])
    assert f"activation here {number(float(table.peaks[4]))} {place} of 16" in words(ann.pane)


def test_an_answer_does_not_wait_for_what_the_units_saw(ann: Person, client: FlaskClient, page: Page) -> None:
    looking, gate = page.callbacks.work.looking, threading.Event()
    ann.do("page", "layers")
    ann.looked()
    looking.want("somebody", [Task("gate", "a long answer", lambda progress: gate.wait(30))])
    answer = seen(client, [1, 2]).json
    assert answer["more"]
    assert [tile["patch"] for tile in answer["tiles"].values()] == ["", ""]
    gate.set()
    assert looking.wait(f"{ANN}/wall", seconds=30)
    answer = seen(client, [1, 2]).json
    assert not answer["more"]
    for tile in answer["tiles"].values():
        assert client.get(f"/{tile['patch']}").status_code == 200
