"""Several networks on one page: one is loaded when it is chosen, and photo and target go along."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from circuits import trace
from circuits.errors import InputError
from circuits.explorer import OtherNetwork
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from dashboard.app import Page, PageSettings, create_page
from dashboard.features.network.actions import same_class, same_target
from dashboard.session.tabs import link_of
from tests.support.person import ANN, BOB, Person
from tests.support.pretend import PaintedCollection, PaintedGallery, tiny_network

OTHER = ("lion", "cat, tabby", "ship", "Dog", "bird", "plane")


class Loader:
    """Loads the other network, when it is let; counts how often."""

    def __init__(self) -> None:
        self.gate, self.count = threading.Event(), 0
        self.gate.set()
        self.network = tiny_network(seed=5, name="other", labels=OTHER)

    def __call__(self) -> Network:
        self.count += 1
        assert self.gate.wait(timeout=30)
        return self.network


@pytest.fixture
def loader() -> Loader:
    return Loader()


def refused() -> Network:
    raise InputError("The weights of broken could not be downloaded.")


@pytest.fixture
def settings(
    network: Network, gallery: PaintedGallery, photo: Photo, loader: Loader, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> PageSettings:  # fmt: skip
    monkeypatch.setattr("dashboard.app._stored_gallery", lambda other: PaintedGallery(gallery.folder, other))
    others = (OtherNetwork("other", "other", loader), OtherNetwork("broken", "broken", refused))
    return PageSettings(
        network, photo=photo, gallery=gallery, collection=PaintedCollection(), others=others, folder=tmp_path / "kept"
    )


@pytest.fixture
def page(settings: PageSettings) -> Iterator[Page]:
    made = create_page(settings)
    yield made
    made.close()


def switched(person: Person, label: str) -> dict[str, Any]:
    """Choose a network, and wait until it is shown."""
    person.do("network", label)
    return settled(person)


def settled(person: Person) -> dict[str, Any]:
    """Wait for whatever needs a network."""
    for queue in (person.callbacks.work.workers.loading, person.callbacks.work.tracing):
        assert queue.wait(person.name, seconds=30)
    return person.do("refresh")


def circuit_of(person: Person) -> Circuit:
    circuit = person.callbacks.sessions.tab(person.name).session.work.circuit
    assert circuit is not None
    return circuit


def said(person: Person) -> list[str]:
    return [toast["text"] for toast in person.seen["view"]["toasts"]]


def test_the_menu_names_all_and_nothing_is_loaded_before_it_is_chosen(ann: Person, loader: Loader) -> None:
    text = str(ann.seen["network"])
    assert all(label in text for label in ("tiny", "other", "broken", "loaded when it is chosen"))
    ann.why("0")
    assert loader.count == 0
    switched(ann, "other")
    switched(ann, "tiny")
    switched(ann, "other")
    assert loader.count == 1


def test_a_page_of_one_network_has_no_menu(network: Network, gallery: PaintedGallery, photo: Photo) -> None:
    alone = create_page(PageSettings(network, photo=photo, gallery=gallery, collection=PaintedCollection()))
    seen = Person(alone).seen
    alone.close()
    assert "menu" not in str(seen["network"])
    assert "tiny · 4 layers · 6 classes · input 32 × 32" in str(seen["network"])


def test_photo_and_target_go_along_by_their_name(ann: Person, loader: Loader, photo: Photo) -> None:
    ann.why("0")
    switched(ann, "other")
    assert circuit_of(ann) == trace(loader.network, photo, 1, depth=2, top=3)
    assert said(ann) == ["other knows cat too, which is still explained."]
    assert "cat, tabby" in str(ann.seen["explained"])
    # The circuit can be walked on in its network.
    leaf = next(node.id for node in circuit_of(ann).nodes.values() if not node.expanded)
    ann.do("expand", leaf)
    assert ann.callbacks.work.tracing.wait(ANN, seconds=30)
    assert circuit_of(ann).nodes[leaf].expanded


def test_a_target_that_the_other_does_not_know_gives_way_to_its_prediction(
    ann: Person, loader: Loader, photo: Photo
) -> None:
    ann.why("2")
    switched(ann, "other")
    best = ann.callbacks.sessions.tab(ANN).session.work.predictions[0]
    assert circuit_of(ann) == trace(loader.network, photo, best.index, depth=2, top=3)
    assert said(ann) == [f"other has no class called tree; explaining what it predicts instead, {best.label}."]


def test_a_unit_gives_way_to_the_prediction(ann: Person) -> None:
    ann.why("c:3")
    switched(ann, "other")
    assert said(ann)[0].startswith("c:3 is a unit of tiny; explaining what other predicts instead, ")


@pytest.mark.parametrize(
    ("target", "expected"), [("0", "1"), ("1", "3"), ("2", ""), ("0 - 1", "1 - 3"), ("0 - 2", ""), ("b:2", "")]
)
def test_targets_are_the_same_by_the_names_of_all_their_classes(
    network: Network, loader: Loader, photo: Photo, target: str, expected: str
) -> None:
    assert same_target(trace(network, photo, target, depth=1, top=3), loader.network) == expected


def test_a_class_is_that_of_the_whole_label_before_one_that_shares_a_name() -> None:
    network = tiny_network(labels=("crane, bird", "crane", "drake", "b", "c", "d"))
    assert [same_class(name, network) for name in ("crane", "Bird", "Crane, Bird", "kite")] == [1, 0, 0, None]


def test_without_a_circuit_the_predictions_are_those_of_the_other(ann: Person, loader: Loader, photo: Photo) -> None:
    switched(ann, "other")
    work = ann.callbacks.sessions.tab(ANN).session.work
    assert work.photo is not None
    assert work.photo.sha256 == photo.sha256
    assert [row.label for row in work.predictions] == [loader.network.labels[row.index] for row in work.predictions]
    assert said(ann) == []


@pytest.mark.parametrize("name", ["nosuch", "/etc/passwd", "nets.py:Net", ""])
def test_only_what_was_named_at_the_start_can_be_chosen(ann: Person, name: str) -> None:
    ann.do("why", "0")
    sent = {"number": len(ann.queue) + 1, "kind": "network", "payload": {"network": name}}
    ann.queue.append(sent)
    assert [toast["text"] for toast in ann.look()["view"]["toasts"]] == [
        f"There is no network {name!r} here; there is tiny, other, broken."
    ]


def test_a_network_that_cannot_be_loaded_is_told_and_the_page_stays(ann: Person) -> None:
    ann.why("0")
    before = circuit_of(ann)
    switched(ann, "broken")
    assert said(ann) == ["The weights of broken could not be downloaded."]
    assert circuit_of(ann) is before


def test_others_go_on_while_a_network_is_loaded(ann: Person, page: Page, loader: Loader) -> None:
    loader.gate.clear()
    ann.do("network", "other")
    assert ann.poll()["text"] == "Loading other …"
    bob = Person(page, BOB)
    bob.why("1")
    assert circuit_of(bob).root == "fc:1"
    ann.why("0")  # given up for something else, which does not wait either
    assert circuit_of(ann).root == "fc:0"
    loader.gate.set()
    settled(ann)
    assert ann.callbacks.sessions.tab(ANN).session.work.network == "tiny"


def test_a_network_that_is_loaded_does_not_wait_for_one_that_is_not(settings: PageSettings, loader: Loader) -> None:
    slow = Loader()
    slow.gate.clear()
    page = create_page(replace(settings, others=(*settings.others, OtherNetwork("slow", "slow", slow))))
    ann, bob = Person(page), Person(page, BOB)
    switched(bob, "other")
    ann.do("network", "slow")
    for label in ("tiny", "other"):
        bob.do("network", label)
        assert page.callbacks.work.tracing.wait(BOB, seconds=30)
        assert page.callbacks.sessions.tab(BOB).session.work.network == label
    assert ann.poll()["text"] == "Loading slow …"
    slow.gate.set()
    settled(ann)
    assert page.callbacks.sessions.tab(ANN).session.work.network == "slow"
    page.close()


def test_undo_goes_back_to_the_network_before(ann: Person, network: Network, loader: Loader, photo: Photo) -> None:
    ann.why("0")
    ann.do("page", "layers")
    ann.do("wall-layer", "a")
    switched(ann, "other")
    assert ann.callbacks.sessions.tab(ANN).session.showing.layer == ""
    ann.do("undo")
    assert circuit_of(ann) == trace(network, photo, 0, depth=2, top=3)
    assert ann.callbacks.networks.of(ann.callbacks.sessions.tab(ANN).session).library.network is network
    ann.do("redo")
    assert circuit_of(ann) == trace(loader.network, photo, 1, depth=2, top=3)
    leaf = next(node.id for node in circuit_of(ann).nodes.values() if not node.expanded)
    ann.do("expand", leaf)
    assert ann.callbacks.work.tracing.wait(ANN, seconds=30)
    assert circuit_of(ann).nodes[leaf].expanded


def test_activations_of_the_network_that_was_left_are_not_kept(ann: Person) -> None:
    ann.why("0")
    ann.why("1")
    switched(ann, "other")
    session = ann.callbacks.sessions.tab(ANN).session
    assert session.work.circuit is not None
    assert session.work.circuit.cache is not None
    assert [work.circuit.cache for work in session.past if work.circuit is not None] == [None, None]


def test_answers_to_the_same_question_are_those_of_each_network(ann: Person, page: Page, loader: Loader) -> None:
    bob = Person(page, BOB)
    for person in (ann, bob):
        person.why("0")
    switched(bob, "other")
    pushes = {}
    for person, root in ((ann, "fc:0"), (bob, "fc:1")):
        person.do("select", root)
        person.looked()
        tab = person.callbacks.sessions.tab(person.name)
        work = person.callbacks.networks.of(tab.session)
        circuit = circuit_of(person)
        child = circuit.edges_into(root)[0].source
        person.do("select", child)
        person.looked()
        with tab.lock:
            answers = work.want_answers(tab)
        expected = work.evidence.heat(work.library.fit.cut(circuit), circuit, circuit.nodes[child].unit)
        assert answers["heat"] == expected
        pushes[person.name] = expected.key
    assert len(set(pushes.values())) == 2


def test_pictures_of_every_network_are_served(ann: Person, page: Page) -> None:
    ann.why("0")
    switched(ann, "other")
    ann.rendered()
    ann.do("refresh")
    tiles = [node["picture"] for node in ann.nodes.values()]
    assert tiles
    client = page.dash.server.test_client()
    answers = [client.get(f"/{address}", headers={"Host": "localhost"}) for address in tiles]
    assert {answer.status_code for answer in answers} == {200}


def test_a_circuit_file_is_shown_in_its_own_network(ann: Person, loader: Loader, photo: Photo) -> None:
    circuit = trace(loader.network, photo, 4, depth=1, top=3)
    assert ann.send(circuit.to_json_text().encode(), "bird.json", "circuit") == []
    settled(ann)
    work = ann.callbacks.sessions.tab(ANN).session.work
    assert (work.network, work.locked, work.selected) == ("other", "", "fc:4")
    assert work.circuit == circuit
    # By now it is loaded, and another file waits for nothing.
    ann.do("undo")
    ann.send(circuit.to_json_text().encode(), "bird.json", "circuit")
    assert ann.callbacks.sessions.tab(ANN).session.work.network == "other"
    assert loader.count == 1


def test_a_circuit_of_the_same_name_and_other_weights_can_be_looked_at(ann: Person, photo: Photo) -> None:
    stranger = tiny_network(seed=9, name="other")
    ann.send(trace(stranger, photo, 0, depth=1, top=3).to_json_text().encode(), "cat.json", "circuit")
    settled(ann)
    work = ann.callbacks.sessions.tab(ANN).session.work
    assert work.network == "tiny"
    assert work.locked.startswith("This circuit is of another network, other")


def test_the_held_circuit_takes_its_network_along(ann: Person, network: Network) -> None:
    ann.why("0")
    ann.do("hold")
    switched(ann, "other")
    ann.do("swap")
    work = ann.callbacks.sessions.tab(ANN).session.work
    assert (work.network, work.locked) == ("tiny", "")
    assert work.circuit is not None
    assert work.circuit.network.sha256 == network.sha256


def restarted(settings: PageSettings, begin: Callable[[Person], None]) -> Page:
    before = create_page(settings)
    begin(Person(before))
    before.close()
    return create_page(settings)


@pytest.mark.parametrize("address", ["", link_of(ANN)])
def test_a_restarted_page_and_a_link_find_the_network(
    settings: PageSettings, loader: Loader, photo: Photo, address: str
) -> None:
    def begin(person: Person) -> None:
        person.why("0")
        switched(person, "other")

    after, name = restarted(settings, begin), BOB if address else ANN
    opening = {"number": 1, "kind": "open", "payload": {"session": address}}
    first = after.callbacks.act({"session": name, "tab": "new", "queue": [opening]})
    assert after.callbacks.work.workers.loading.wait(name, seconds=30)
    work = after.callbacks.sessions.tab(name).session.work
    after.close()
    assert first["view"]["toasts"] == []
    assert work.network == "other"
    assert work.circuit == trace(loader.network, photo, 1, depth=2, top=3)
    assert loader.count == 2


def test_a_network_that_is_not_given_any_more_leaves_what_was_done_in_the_others(settings: PageSettings) -> None:
    def begin(person: Person) -> None:
        person.why("2")
        switched(person, "other")

    restarted(settings, begin).close()
    alone = create_page(replace(settings, others=()))
    tab = alone.callbacks.sessions.tab(ANN)
    alone.close()
    assert tab.session.work.network == "tiny"
    assert tab.session.work.circuit is not None
    assert tab.session.work.circuit.root == "fc:2"
