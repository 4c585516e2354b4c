"""Evidence on the page without a browser: it comes, it is dropped, it fails, and it says so in words."""

import io
import json
from dataclasses import replace
from threading import Event, current_thread
from typing import Any

import pytest
from PIL import Image
from torch.nn import Module

from circuits.evidence.class_effects import class_losses
from circuits.image.photo import Photo
from circuits.report.sentences import edges_from
from circuits.report.text import number
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.answers import CollectionExemplars, Failure
from dashboard.app import Page
from dashboard.breakdowns import inspect
from dashboard.components import WAITING
from dashboard.features.evaluation import view as scores
from dashboard.features.evaluation.queries import ShownScore
from dashboard.features.unit import view as inspector
from dashboard.features.unit.exemplars_panel import COMMAND, exemplars, outdone_in_words
from dashboard.features.unit.queries import upper_of
from dashboard.library import Library
from dashboard.session.state import Choices, Session, Work
from dashboard.work.evidence import Evidence
from dashboard.work.queue import Task, WorkQueue
from dashboard.work.tiles import Tile
from tests.dashboard.features.test_view import find, words
from tests.support import actions
from tests.support.actions import Action, does, payload
from tests.support.person import BOB, Person
from tests.support.pretend import PaintedCollection

WAIT = 10.0


@pytest.fixture
def client(page: Page) -> Any:
    return page.dash.server.test_client()


@pytest.fixture
def child(ann: Person) -> str:
    """A unit below the class, which Ann has chosen."""
    ann.why("2")
    name = next(name for name in ann.nodes if name.startswith("c:"))
    ann.do("select", name)
    return name


def circuit_of(person: Person) -> Circuit:
    return person.callbacks.sessions.tab(person.name).session.work.circuit


def pane(person: Person) -> str:
    return words(person.pane)


def pictures(person: Person) -> list[str]:
    """Addresses of the evidence on the page."""
    found = [image.src for image in find(person.pane) if type(image).__name__ == "Img"]
    return [source for source in found if source.startswith("evidence/")]


def test_evidence_comes_with_pictures_that_are_served(ann: Person, child: str, client: Any) -> None:
    ann.looked()
    for sentence in (
        "In this photo",
        "Patches of the photo (receptive fields) where it fired most",
        "Its contribution to tree, by position",
        "Pixels it depends on",
    ):
        assert sentence in pane(ann)
    assert f"{child} via tree" in pane(ann)
    assert WAITING not in pane(ann)
    network = ann.callbacks.library.network
    found = class_losses(network, circuit_of(ann), child)
    [up] = find(ann.pane, className="push up")
    [down] = find(ann.pane, className="push down")
    best, worst = int(found.argmax()), int(found.argmin())
    assert f"{network.label(best)} {number(float(found[best]), sign=True)}" in words(up)
    assert f"{network.label(worst)} {number(float(found[worst]), sign=True)}" in words(down)
    assert len(pictures(ann)) >= 5
    for address in pictures(ann):
        answer = client.get(f"/{address}")
        assert (answer.status_code, answer.mimetype, answer.data[8:12]) == (200, "image/webp", b"WEBP")
        assert answer.headers["Cache-Control"].startswith("private")


@pytest.mark.parametrize("key", ["0" * 64, "..", "x", "places"])
def test_other_evidence_addresses_are_not_found(ann: Person, child: str, client: Any, key: str) -> None:
    ann.looked()
    assert client.get(f"/evidence/{key}.webp").mimetype != "image/webp"


def test_without_an_index_one_sentence_says_how_to_make_one(ann: Person, child: str) -> None:
    ann.looked()
    assert COMMAND in pane(ann)
    assert "Most activating" not in pane(ann)


def test_exemplars_are_shown_with_where_this_photo_stands(
    ann: Person, child: str, collection: PaintedCollection
) -> None:
    collection.photos = 4650
    ann.poll()
    ann.looked()
    here = number(circuit_of(ann).nodes[child].max)
    assert f"Its activation here, {here}, is higher than in 93 % of 4,650 photos" in pane(ann)
    assert pane(ann).count("There are none.") == 2
    assert "Most activating classes, of 9 photos: red things 9." in pane(ann)
    assert "1 of these photos can no longer be read." in pane(ann)
    node, told = circuit_of(ann).nodes[child], CollectionExemplars({}, 9, ((0, 6.0), (100, 6.0)), 6.0, 0.0, ())
    for missing, said in ((9, 0), (0, 4)):  # photos that are gone are not told to be none
        shown = exemplars(node, {"exemplars": replace(told, missing=missing)}, None)
        assert words(shown).count("There are none.") == said
    shown = exemplars(node, {"exemplars": replace(told, missing=2, command="circuits exemplars photos")}, None)
    assert "read; to leave them out, run circuits exemplars photos again, with this network." in words(shown)
    # The highest of the collection is 6, and of this photo what is given.
    found = {"exemplars": told}
    assert outdone_in_words(5.0, found) == "; photos excite it more, up to 6.00: look at those too"
    assert outdone_in_words(7.0, found, 8.0) == "; photos excite it more, up to 8.00: look at those too"
    assert (outdone_in_words(7.0, found, 1.0), outdone_in_words(None, found), outdone_in_words(1.0, {})) == ("", "", "")
    first = find(ann.pane, title="9.00: 0.png, red things")[0]
    assert first.children.alt == f"{child} in 0.png, red things: 9.00"
    assert collection.requested[-1] == Unit.parse(child)


def test_what_is_on_its_way_has_its_room_and_the_page_asks_again(
    ann: Person, collection: PaintedCollection, child: str
) -> None:
    ann.looked()
    collection.gate.clear()
    other = next(name for name in ann.nodes if name.startswith("c:") and name != child)
    ann.do("select", other)
    told = ann.poll()
    assert told["looking"]
    assert told["evidence"].startswith(other)
    assert WAITING in pane(ann)
    collection.gate.set()
    ann.looked()
    told = ann.poll()
    assert not told["looking"]
    assert told["evidence"] == f"{other} all alike"


def test_a_look_brings_the_evidence_alone_unless_more_has_changed(ann: Person, child: str) -> None:
    ann.looked()
    ann.queue.clear()
    tab_session = ann.callbacks.sessions.tab(ann.name)

    def look(revision: int) -> dict[str, Any]:
        number = max(tab_session.seen.values()) + 1
        entry = {"number": number, "kind": "look", "payload": payload("look", str(revision))}
        return ann.callbacks.act({"session": ann.name, "tab": "tab", "queue": [entry]})

    seen = look(tab_session.revision)
    told = {name for name, part in seen.items() if isinstance(part, list | dict)}
    assert told == {"view", "spot", "looks", "fired", "books", "evidence"}
    assert isinstance(look(tab_session.revision - 1)["head"], list)


def test_evidence_of_a_unit_that_is_no_longer_chosen_is_given_up(
    ann: Person, child: str, collection: PaintedCollection
) -> None:
    ann.looked()
    collection.gate.clear()
    names = [name for name in ann.nodes if name.startswith("c:") and name != child]
    ann.do("select", names[0])
    for _ in range(1000):
        if collection.requested[-1] == Unit.parse(names[0]):
            break
        Event().wait(0.01)
    ann.do("select", child)
    assert ann.callbacks.work.looking.wait(ann.name, seconds=WAIT)
    assert ann.poll()["evidence"] == f"{child} all alike"
    assert not collection.gate.is_set()


def test_two_people_share_what_was_found_out(ann: Person, child: str, page: Page) -> None:
    for name in ("fc:2", child):
        ann.do("select", name)
        ann.looked()
    kept = len(ann.callbacks.work.results)
    bob = Person(page, BOB)
    bob.why("2")
    bob.do("select", child)
    assert bob.poll()["evidence"] == f"{child} all alike"
    assert len(ann.callbacks.work.results) == kept


@pytest.mark.parametrize(
    ("part", "sentences"),
    [("pushes", 1), ("places", 1), ("argument", 1), ("saliency", 2), ("relative", 1), ("exemplars", 1)],
)
def test_what_cannot_be_found_out_is_a_sentence_in_its_place(
    ann: Person, child: str, monkeypatch: pytest.MonkeyPatch, part: str, sentences: int
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("secret")

    other = next(name for name in ann.nodes if name.startswith("c:") and name != child)
    ann.looked()
    asked = {"exemplars": (ann.callbacks.work.evidence.collection, "of")}
    monkeypatch.setattr(*asked.get(part, (Evidence, part)), fail)
    ann.do("select", other)
    ann.looked()
    assert pane(ann).count("This could not be found out; the terminal that serves the page says why.") == sentences
    assert "secret" not in pane(ann)
    assert len(pictures(ann)) >= 1


def test_what_could_not_be_found_out_is_found_when_it_is_tried_again(
    ann: Person, child: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def fail(evidence: Evidence, circuit: Circuit, name: str) -> None:
        tried.append(name)
        raise RuntimeError("for now")

    other = next(name for name in ann.nodes if name.startswith("c:") and name != child)
    ann.looked()
    with monkeypatch.context() as broken:
        broken.setattr(Evidence, "argument", fail)
        ann.do("select", other)
        ann.looked()
        assert tried == [other]
        ann.do("look")
        ann.looked()
        assert tried == [other]
        [button] = [each for each in find(ann.pane, type="button") if getattr(each, "data-action", "") == "again"]
        assert (button.children, getattr(button, "data-payload")) == ("Try again", '{"query": "argument"}')
    shown = len(pictures(ann))
    ann.do("again", "argument")
    ann.looked()
    assert "This could not be found out" not in pane(ann)
    assert len(pictures(ann)) == shown + 1


def test_a_refusal_of_the_library_is_said_in_its_own_words(ann: Person, child: str) -> None:
    tab_session = ann.callbacks.sessions.tab(ann.name)
    session, circuit = tab_session.session, tab_session.session.work.circuit
    told = scores.pane(session, circuit, ShownScore()).parts
    assert "No pixel reaches it." not in words(told)
    inspection = inspect(ann.callbacks.library, circuit, child, "")
    missing = {"saliency": Failure("No pixel reaches it.")}
    told = inspector.unit(session, circuit, inspection, Tile("none"), None, missing)
    assert "No pixel reaches it." in words(told.evidence)


def test_the_way_of_gradient_pictures_can_be_chosen(ann: Person, child: str) -> None:
    ann.looked()
    before = pictures(ann)
    ann.do("set", "method=gradient")
    ann.looked()
    [pressed] = find(ann.pane, id="method-gradient")
    assert getattr(pressed, "aria-pressed") == "true"
    assert len(set(before) - set(pictures(ann))) == 3
    ann.do("set", "start=map")
    ann.looked()
    assert "From every place where it fired." in pane(ann)
    assert "is not a setting" in ann.do("set", "method=magic")["view"]["toasts"][-1]["text"]


def test_an_edge_has_a_panel_with_its_numbers_maps_and_units(ann: Person, child: str) -> None:
    ann.looked()
    edge = circuit_of(ann).edges_into("fc:2")[0]
    ann.do("edge", f"{edge.source} fc:2")
    ann.looked()
    assert f"{edge.source} excites tree" in pane(ann)
    assert f"Contributing positions of {edge.source}" in pane(ann)
    assert "tree is a single value for the whole image" in pane(ann)
    assert f"{edge.source} via tree" in pane(ann)
    for name in (edge.source, "fc:2"):
        assert find(ann.pane, **does("select", name))
    assert ann.seen["view"]["edge"] == [edge.source, "fc:2"]
    [shown] = [each for each in ann.seen["view"]["edges"] if (each["source"], each["target"]) == (edge.source, "fc:2")]
    assert shown["spoken"].startswith(f"{edge.source} excites tree, ")
    ann.do("select", "")
    assert ann.seen["view"]["edge"] == []
    assert find(ann.pane, className="unit-title")[0].children == child
    ann.do("edge", f"{edge.source} fc:2")
    ann.do("select", "fc:2")
    assert (ann.seen["view"]["edge"], ann.seen["view"]["selected"]) == ([], "fc:2")


def test_edges_can_be_chosen_from_the_unit_with_the_keyboard(ann: Person, child: str) -> None:
    ann.do("select", "fc:2")
    links = [link for link in find(ann.pane, className="link") if getattr(link, "data-action") == "edge"]
    into = circuit_of(ann).edges_into("fc:2")
    assert [json.loads(getattr(link, "data-payload")) for link in links] == [
        {"lower": edge.source, "upper": "fc:2"} for edge in into
    ]
    assert all(" excites tree, " in getattr(link, "aria-label") for link in links)


def test_an_edge_that_is_none_is_refused_and_a_discarded_one_is_left(ann: Person, child: str) -> None:
    assert "c:1 → c:2 is not an edge" in ann.do("edge", "c:1 c:2")["view"]["toasts"][-1]["text"]
    ann.do("edge", f"{child} fc:2")
    ann.do("discard", child)
    assert ann.seen["view"]["edge"] == []
    ann.do("undo")
    assert ann.seen["view"]["edge"] == [child, "fc:2"]


def test_a_unit_is_shown_relative_to_the_one_that_it_was_reached_from(library: Library, photo: Photo) -> None:
    circuit = library.trace(photo, 2, Choices(depth=2, top=8), lambda *report: None)
    above = {name: [edge.target for edge in edges_from(circuit, name)] for name in circuit.visible}
    name = max(above, key=lambda each: len(above[each]))
    strongest, *others = above[name]
    session = Session(Work(circuit=circuit, selected=circuit.root))
    direct = actions.apply(session, Action("select", name), library)
    assert upper_of(direct) == strongest
    through = actions.apply(session, Action("select", others[-1]), library)
    assert upper_of(actions.apply(through, Action("select", name), library)) == others[-1]
    by_edge = actions.apply(session, Action("edge", f"{name} {others[-1]}"), library)
    assert upper_of(actions.apply(by_edge, Action("select", name), library)) == others[-1]


def test_a_locked_circuit_has_no_evidence_and_says_what_is_missing(ann: Person, child: str, page: Page) -> None:
    data = circuit_of(ann).to_dict()
    del data["graph"]["photo"]["thumbnail"]
    session = actions.with_circuit(Session(), Circuit.from_dict(data), ann.callbacks.library)
    tab_session = page.callbacks.sessions.tab(BOB)
    tab_session.put(session)
    bob = Person(page, BOB)
    bob.looked()
    assert "holds no photo" in pane(bob)
    assert "In this photo" not in pane(bob)
    bob.do("edge", f"{child} fc:2")
    assert "excites" in pane(bob)
    assert "In this photo" not in pane(bob)


def test_a_lane_in_a_hurry_stops_what_nobody_wants_any_more() -> None:
    queue = WorkQueue("test")
    begun, stopped = Event(), Event()

    def long(progress: Any) -> None:
        begun.set()
        try:
            while True:
                progress(0, 1, "")
                Event().wait(0.01)
        finally:
            stopped.set()

    queue.want("ann", [Task("long", "long", long)])
    assert begun.wait(WAIT)
    queue.want("ann", [Task("short", "short", lambda progress: None)], hurry=True)
    assert queue.wait("ann", seconds=WAIT)
    assert stopped.is_set()
    queue.close()


def test_an_action_never_asks_the_network(ann: Person, child: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[str] = []
    plain = Module.__call__

    def noted(self: Module, *given: Any, **named: Any) -> Any:
        where.append(current_thread().name)
        return plain(self, *given, **named)

    ann.looked()
    monkeypatch.setattr(Module, "__call__", noted)
    for name in [each for each in ann.nodes if each != child][:3]:
        ann.do("select", name)
        ann.looked()
    assert where
    assert set(where) == {"looking"}


def test_where_it_fired_and_what_it_is_made_of_come_when_they_are_found(
    ann: Person, child: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann.looked()
    gate = Event()
    plain = Evidence.heat

    def held(*given: Any) -> Any:
        assert gate.wait(timeout=30)
        return plain(*given)

    monkeypatch.setattr(Evidence, "heat", held)
    leaf = next(name for name in ann.nodes if name.startswith("b:"))
    ann.do("select", leaf)
    assert ann.poll()["evidence"].startswith(f"{leaf} some")
    assert WAITING in words(ann.seen["fired"])
    assert WAITING in words(ann.seen["books"])
    assert "not yet in the graph" in words(ann.seen["books"])
    gate.set()
    ann.looked()
    (image,) = find(ann.seen["fired"], alt=f"Where {leaf} fired, over the photo")
    assert Image.open(io.BytesIO(client.get(f"/{image.src}").data)).size == (340, 340)
    assert "of everything that pushed it up or down" in words(ann.seen["books"])
    assert WAITING not in pane(ann)
