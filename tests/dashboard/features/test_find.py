"""What the search field finds, and its addresses."""

import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from circuits import Suggestion, predict, remember, trace
from circuits.image.photo import Photo, load_photo
from circuits.network.network import Network
from circuits.report.text import chance, number
from circuits.units import Unit
from dashboard.app import Page
from dashboard.features.photo.routes import SIDE, whole_photo
from dashboard.features.target.search import LIMIT, Other, Result, all_classes, find
from dashboard.library import Library
from dashboard.session.state import Session, Work, key_of
from tests.support import actions
from tests.support.person import ANN, Person
from tests.support.pretend import tiny_network


@pytest.fixture
def begun(library: Library, photo: Photo) -> Session:
    """A session with a photo."""
    return actions.with_photo(Session(), photo, library)


@pytest.fixture
def traced(begun: Session, network: Network, photo: Photo) -> Session:
    """The same, with the circuit of `tree`."""
    circuit = trace(network, photo, "tree", depth=2, top=3)
    return begun.changed(Work(photo, begun.work.predictions, circuit, circuit.root))


def labels(session: Session, library: Library, text: str) -> list[str]:
    """What is found, by name."""
    return [result.label for result in find(session, library, text)]


def classes_of(*names: str) -> Library:
    """The library for a network whose classes have these labels."""
    found = tiny_network()
    padded = [*names, *(f"unnamed {place}" for place in range(6 - len(names)))]
    object.__setattr__(found, "labels", tuple(padded))

    class NoPictures:
        pass

    return Library(found, NoPictures())  # type: ignore[arg-type]


def test_what_somebody_calls_a_unit_is_found_as_labels_are(library: Library) -> None:
    layer = library.network.layers[-2]
    for channel, name in enumerate(("left-facing dog head", "sky", "dog")):
        remember(library.network.sha256, f"{layer}:{channel}", name=name)
    assert labels(Session(), library, "dog") == ["dog", f"{layer}:2 dog", f"{layer}:0 left-facing dog head"]
    [found] = find(Session(), library, "dog hea")
    assert (found.subject, found.kind) == (f"{layer}:0", "unit")
    assert labels(Session(), library, f"{layer}:1")[0] == f"{layer}:1 sky"


def test_what_the_atlas_suggests_comes_after_names_the_surest_first(library: Library) -> None:
    layer = library.network.layers[-2]
    told = {
        Unit(layer, 0): Suggestion("dog, hound", 0.91, 5, 40),
        Unit(layer, 1): Suggestion("dog, hound", 0.97, 5, 40),
        Unit(layer, 2): Suggestion("dog", 0.99, 5, 40, is_word=True),
        Unit("elsewhere", 0): Suggestion("dog", 0.99, 5, 40),
    }
    atlas = SimpleNamespace(suggested=told, search=None)
    library.atlas = atlas  # type: ignore[assignment]
    remember(library.network.sha256, f"{layer}:0", name="dog tail")
    remember(library.network.sha256, f"{layer}:2", name="ear")
    results = find(Session(), library, "dog")
    assert [found.subject for found in results] == ["1", f"{layer}:0", f"{layer}:1"]
    assert results[-1].label == f"{layer}:1"
    assert results[-1].detail == "tells dog from the rest, 0.97, held out (5 photos of it, 40 others)"
    assert [found.detail for found in results if found.subject == f"{layer}:0"] == [""]
    like = [Unit(layer, channel) for channel in range(5)]
    atlas.search = lambda text: {unit: Suggestion(text, 0.9 - unit.channel / 10, 4, 9, is_word=True) for unit in like}
    results = find(Session(), library, "dog")
    assert [found.subject for found in results] == ["1", *(f"{layer}:{channel}" for channel in (0, 1, 3, 4))]
    assert results[-2].detail == "fires on what looks like dog, 0.60, held out (4 photos against 9 others)"


def test_classes_that_begin_with_the_text_come_before_those_with_such_a_word_and_those_that_contain_it() -> None:
    library = classes_of("steeplechase", "tee shirt, jersey", "black tea", "teapot", "jersey tea")
    found = labels(Session(), library, "te")
    assert found[:4] == ["tee shirt, jersey", "teapot", "black tea", "jersey tea"]
    assert labels(Session(), library, "tee") == ["tee shirt, jersey", "steeplechase"]
    assert labels(Session(), library, "jersey")[0] == "tee shirt, jersey"
    assert labels(Session(), library, "tea jer") == ["jersey tea"]


def test_a_class_has_its_probability_and_among_equals_the_likelier_is_first(
    begun: Session, traced: Session, library: Library
) -> None:
    chances = {row.label: f"{100 * row.probability:.1f} %" for row in begun.work.predictions}
    (found,) = [result for result in find(begun, library, "tree") if result.kind == "class"]
    assert found == Result("class", "tree", chances["tree"], "2", "Why tree?")
    known = {result.label: result.detail for name in chances for result in find(traced, library, name)}
    assert known.items() >= chances.items()
    same = classes_of("cat a", "cat b", "cat c")
    order = sorted(begun.work.predictions, key=lambda row: -row.probability)
    first = [row.index for row in order if row.index < 3]
    assert labels(begun, same, "cat") == [f"cat {'abc'[index]}" for index in first] + [
        f"cat {letter}" for place, letter in enumerate("abc") if place not in first
    ]


def test_every_class_has_a_probability_once_a_circuit_is_there(
    traced: Session, library: Library, network: Network, photo: Photo
) -> None:
    logits = network.logits(network.preprocessing.input_of(photo))[0].double().numpy()
    shares = np.exp(logits - logits.max())
    found = {result.label: result.detail for label in network.labels for result in find(traced, library, label)}
    for label, share in zip(network.labels, shares / shares.sum(), strict=True):
        assert found[label] == f"{100 * share:.1f} %"


def test_when_a_class_is_explained_the_others_can_be_held_against_it(traced: Session, library: Library) -> None:
    (dog,) = find(traced, library, "dog")
    assert dog.other == Other("why not?", "root", {"target": "2 - 1"})
    (tree,) = find(traced, library, "tree")
    assert tree.other is None


def test_a_number_is_a_class_and_that_unit_of_every_layer(begun: Session, library: Library) -> None:
    assert labels(begun, library, "5") == ["bird", "c:5", "b:5", "a:5"]
    assert labels(begun, library, "13") == ["c:13", "b:13"]
    assert labels(begun, library, "999") == []


def test_a_unit_has_its_activation_here_and_units_of_the_lowest_layer_say_why_not(
    traced: Session, library: Library
) -> None:
    first, *longer = find(traced, library, "B:1")
    heat = traced.work.circuit.cache.activations["b"][0, 1]
    assert first.label == "b:1"
    assert first.detail == f"activation up to {number(float(heat.max()))} here"
    assert first.question == "Why did b:1 fire?"
    assert [result.label for result in longer] == [f"b:{channel}" for channel in range(10, 16)]
    lowest = find(traced, library, "a:3")[0]
    assert lowest.reason == "a is the lowest layer; only the image is below it."


def test_a_neuron_has_its_activation_there(traced: Session, library: Library) -> None:
    neuron, unit = find(traced, library, "c:4@1,2")
    value = float(traced.work.circuit.cache.activations["c"][0, 4, 1, 2])
    assert (neuron.kind, neuron.subject, neuron.detail) == ("neuron", "c:4@1,2", f"activation {number(value)} there")
    assert unit.label == "c:4"
    assert labels(traced, library, "c:4@90,90") == ["c:4"]
    assert labels(traced, library, "c:4@1") == ["c:4"]


def test_a_layer_gives_the_units_that_are_strongest_here(traced: Session, library: Library) -> None:
    highest = traced.work.circuit.cache.activations["c"][0].amax((1, 2)).numpy()
    strongest = [f"c:{channel}" for channel in np.argsort(-highest, kind="stable")[:LIMIT]]
    assert labels(traced, library, "c:") == strongest
    assert labels(traced, library, "c")[:LIMIT] == strongest


def test_without_a_circuit_the_units_of_a_layer_come_by_number(begun: Session, library: Library) -> None:
    assert labels(begun, library, "b:") == [f"b:{channel}" for channel in range(LIMIT)]
    assert {result.detail for result in find(begun, library, "b:")} == {""}


def test_a_unit_of_the_circuit_can_be_shown(traced: Session, library: Library) -> None:
    inside = traced.work.circuit.edges_into("fc:2")[0].source
    assert find(traced, library, inside)[0].other == Other("show", "select", {"unit": inside})


def test_two_classes_with_a_minus_between_are_their_difference(traced: Session, library: Library) -> None:
    first = find(traced, library, "do - tr")[0]
    assert (first.kind, first.label, first.subject) == ("difference", "dog - tree", "1 - 2")
    assert first.question == "Why dog, not tree?"
    assert [result.kind for result in find(traced, library, "dog - dog")] == ["class"]


@pytest.mark.parametrize("text", ["", "   ", ":", "@", "c:x", "c:4@@1", "x" * 500, "<b>nothing</b>", "9" * 60])
def test_what_names_nothing_finds_nothing(traced: Session, library: Library, text: str) -> None:
    assert find(traced, library, text) == []


def test_of_another_networks_circuit_all_is_found_and_nothing_can_be_asked(
    begun: Session, library: Library, photo: Photo
) -> None:
    foreign = trace(tiny_network(seed=9, name="other"), photo, 1, depth=1, top=2)
    locked = actions.with_circuit(begun, foreign, library)
    for text in ("tree", "c:4", "dog - tree"):
        assert find(locked, library, text)[0].reason.startswith("This circuit is of another network")


def test_what_was_found_can_be_asked_why(ann: Person, library: Library) -> None:
    session = ann.callbacks.sessions.tab(ANN).session
    for text, root in (("tre", "fc:2"), ("dog - cat", "fc:1-0"), ("c:4", "c:4"), ("c:4@1,2", "c:4@1,2")):
        ann.do("root", find(session, library, text)[0].subject)
        assert ann.callbacks.work.tracing.wait(ANN, seconds=30)
        assert ann.do("refresh")["view"]["circuit"].endswith(f"/{root}")


@pytest.fixture
def client(page: Page) -> Any:
    """Requests to the server of the page."""
    return page.dash.server.test_client()


def test_the_address_answers_with_json_that_nobody_keeps(client: Any, ann: Person) -> None:
    answer = client.get("/find", query_string={"session": ANN, "text": "ship"})
    assert answer.headers["Cache-Control"] == "no-store"
    (found,) = answer.json["results"]
    assert (found["label"], found["subject"], found["other"]) == ("<b>ship</b>", "4", None)
    assert answer.mimetype == "application/json"


def test_nobody_elses_session_is_searched_or_made(client: Any, page: Page) -> None:
    assert client.get("/find", query_string={"session": "f" * 32, "text": "cat"}).status_code == 404
    assert client.get("/find").status_code == 404
    assert len(page.callbacks.sessions) == 0


def test_the_whole_photo_comes_by_address_and_is_not_too_large(client: Any, ann: Person, library: Library) -> None:
    large = load_photo(Image.radial_gradient("L").resize((3000, 1500)), name="large")
    tab_session = ann.callbacks.sessions.tab(ANN)
    tab_session.put(actions.with_photo(tab_session.session, large, library))
    answer = client.get(f"/whole/{ANN}/{key_of(large)}.webp")
    assert Image.open(io.BytesIO(answer.data)).size == (SIDE, SIDE // 2)
    assert answer.headers["Cache-Control"].startswith("private")
    assert client.get(f"/whole/{ANN}/{'0' * 16}.webp").status_code == 404
    assert client.get(f"/whole/{'f' * 32}/{key_of(large)}.webp").status_code == 404


def test_a_photo_of_which_only_the_crop_is_at_hand_is_not_shown_as_whole(
    begun: Session, library: Library, network: Network, photo: Photo
) -> None:
    from circuits.tracing.circuit import Circuit

    file = Circuit.from_dict(trace(network, photo, 1, depth=1, top=2).to_dict())
    crop = actions.with_circuit(Session(), file, library)
    assert whole_photo(crop, key_of(photo)) is None
    data = whole_photo(begun, key_of(photo))
    assert Image.open(io.BytesIO(data)).size == (80, 60)


@pytest.mark.parametrize("begins", ["begun", "traced"])
def test_all_classes_come_with_their_probabilities_in_this_photo(
    begins: str, request: pytest.FixtureRequest, library: Library, network: Network, photo: Photo
) -> None:
    session = request.getfixturevalue(begins)
    told = all_classes(session, library)
    rows = {row.index: row for row in predict(network, photo, top=6)}
    assert told["labels"] == list(network.labels) == [rows[number].label for number in range(6)]
    assert told["chances"] == pytest.approx([rows[number].probability for number in range(6)], rel=1e-5)
    assert told["words"] == [chance(rows[number].probability) for number in range(6)]
    assert (told["held"], told["reason"]) == (2 if begins == "traced" else None, "")


def test_probabilities_of_all_classes_are_found_once_for_a_photo(
    begun: Session, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = all_classes(begun, library)
    monkeypatch.setattr("circuits.predict", lambda *given, **options: pytest.fail("the network ran again"))
    assert all_classes(begun, library) == first


def test_classes_beside_a_locked_circuit_say_why_none_can_be_explained(begun: Session, library: Library) -> None:
    foreign = trace(tiny_network(seed=7), begun.work.photo, "cat", depth=1, top=3)
    told = all_classes(actions.with_circuit(begun, foreign, library), library)
    assert told["reason"].startswith("This circuit is of another network")
    assert (told["chances"], told["words"], told["held"]) == ([], [], None)


def test_the_address_of_all_classes_answers_for_sessions_that_are_there(page: Page, ann: Person) -> None:
    client = page.dash.server.test_client()
    host = {"Host": "localhost"}
    answer = client.get(f"/classes?session={ANN}", headers=host)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.get_json()["labels"] == list(ann.callbacks.library.network.labels)
    assert [client.get(f"/classes{text}", headers=host).status_code for text in ("", "?session=" + 32 * "9")] == [
        404
    ] * 2
