"""The left pane without a browser: the strip, the crop, why and why not, and what fires at a place."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from circuits import trace
from circuits.errors import CircuitsError, InputError
from circuits.evidence.layer_statistics import Firing, highest_reaching, position_at
from circuits.evidence.maps import heat_map
from circuits.image.photo import Photo, load_photo
from circuits.network.network import Network
from circuits.report.sentences import below_in_words
from circuits.report.text import chance, number
from circuits.tracing.circuit import Circuit
from circuits.tracing.source import forward_cache
from circuits.tracing.targets import find_target
from circuits.units import Unit
from dashboard.answers import Failure
from dashboard.breakdowns import inspect
from dashboard.features.photo import view as strip
from dashboard.features.point import view as spots
from dashboard.features.point.queries import COUNT, UnitsAtPoint, query
from dashboard.features.target import view as panels
from dashboard.library import Library
from dashboard.session.selection import spot_layer
from dashboard.session.state import STRIP, Choices, Session, Work, key_of, photos_of
from dashboard.work.gallery import StoredGallery
from dashboard.work.results import Query
from dashboard.work.tiles import Tile
from tests.support import actions
from tests.support.actions import Action, does
from tests.support.parts import every, facts, find, words
from tests.support.person import Person
from tests.support.pretend import PaintedGallery, tiny_network
from tests.support.tokens import Tokens, tokens

CHOICES = Choices(depth=2, top=3)


def quiet(done: int, total: int, message: str) -> None:
    """A progress callback that nobody listens to."""


def do(session: Session, library: Library, kind: str, subject: str = "") -> Session:
    """Apply an action and answer what it asks for."""
    session = actions.apply(session, Action(kind, subject), library)
    for ask in session.requests:
        session = actions.commit(session, ask, actions.run(session, ask, library, quiet), library)
    return session


def painted(seed: int) -> Photo:
    """A photo of its own for every seed."""
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((80, 60), Image.Resampling.BICUBIC)
    return load_photo(image, name=f"photo {seed}")


@pytest.fixture
def two(library: Library, photo: Photo) -> Session:
    """A session with two photos, the second of which is shown."""
    first = actions.with_photo(Session(choices=CHOICES), photo, library)
    return actions.with_photo(first, painted(7), library)


@pytest.fixture
def traced(two: Session, library: Library) -> Session:
    """The same, with the circuit of class 2."""
    return do(two, library, "why", "2")


# The strip.


def test_photos_gather_in_the_strip_newest_last_and_once_each(two: Session, library: Library, photo: Photo) -> None:
    assert [each.name for each in two.photos] == ["patches", "photo 7"]
    again = actions.with_photo(two, photo, library)
    assert [each.name for each in again.photos] == ["photo 7", "patches"]


def test_the_strip_is_bounded_and_the_oldest_goes(library: Library) -> None:
    session = Session()
    for seed in range(STRIP + 2):
        session = actions.with_photo(session, painted(seed), library)
    assert [each.name for each in session.photos] == [f"photo {seed}" for seed in range(2, STRIP + 2)]


def test_another_photo_keeps_the_target_the_choices_and_the_chosen_unit(
    traced: Session, library: Library, network: Network, photo: Photo
) -> None:
    kept = next(
        edge.source
        for edge in traced.work.circuit.edges_into("fc:2")
        if edge.source in trace(network, photo, 2, depth=2, top=3).visible
    )
    chosen = do(traced, library, "select", kept)
    other = do(chosen, library, "photo", key_of(photo))
    assert other.work.photo == photo
    assert other.work.circuit == trace(network, photo, 2, depth=2, top=3)
    assert other.work.predictions == library.predict(photo)
    assert other.work.selected == kept
    assert [each.name for each in other.photos] == ["patches", "photo 7"]


def test_one_undo_brings_the_other_photo_back_with_its_circuit(traced: Session, library: Library, photo: Photo) -> None:
    other = do(traced, library, "photo", key_of(photo))
    back = do(other, library, "undo")
    assert back.work is traced.work
    assert do(back, library, "redo").work is other.work


def test_until_the_other_photo_is_answered_the_page_stays_as_it_is(
    traced: Session, library: Library, photo: Photo
) -> None:
    asked = actions.apply(traced, Action("photo", key_of(photo)), library)
    assert asked.work is traced.work
    assert [(ask.kind, actions.subject(ask)) for ask in asked.requests] == [("photo", key_of(photo))]
    dropped = do(asked, library, "undo")
    assert dropped.work is traced.work
    assert dropped.requests == ()


@pytest.mark.parametrize(("wish", "root"), [("c:4", "c:4"), ("c:4@1,2", "c:4@1,2"), ("1 - 3", "fc:1-3")])
def test_units_neurons_and_differences_are_kept_as_targets_too(
    two: Session, library: Library, network: Network, photo: Photo, wish: str, root: str
) -> None:
    asked = do(two, library, "why", wish)
    other = do(asked, library, "photo", key_of(photo))
    assert asked.work.circuit.root == other.work.circuit.root == root
    assert other.work.circuit == trace(network, photo, wish, depth=2, top=3)


def test_without_a_circuit_another_photo_brings_its_predictions(two: Session, library: Library, photo: Photo) -> None:
    other = do(two, library, "photo", key_of(photo))
    assert other.work.predictions == library.predict(photo)
    assert other.work.circuit is None


def test_a_circuit_keeps_its_own_layers_on_another_photo(
    two: Session, library: Library, network: Network, photo: Photo
) -> None:
    circuit = trace(network, painted(7), 2, layers=["a", "c", "fc"], depth=2, top=2)
    shown = actions.with_circuit(two, circuit, library)
    assert do(shown, library, "photo", key_of(photo)).work.circuit.layers == ("a", "c", "fc")


def test_a_photo_can_be_taken_out_but_not_the_one_that_is_shown(two: Session, library: Library, photo: Photo) -> None:
    fewer = do(two, library, "forget-photo", key_of(photo))
    assert [each.name for each in fewer.photos] == ["photo 7"]
    with pytest.raises(InputError, match="photo 7 is the photo that is shown"):
        do(two, library, "forget-photo", key_of(two.work.photo))
    with pytest.raises(InputError, match="not in the strip any more"):
        do(fewer, library, "photo", key_of(photo))


def test_an_imported_crop_does_not_take_the_whole_photos_place(
    two: Session, library: Library, network: Network, photo: Photo
) -> None:
    file = Circuit.from_dict(trace(network, photo, 1, depth=1, top=2).to_dict())
    assert not file.photo.whole
    shown = actions.with_circuit(two, file, library)
    assert shown.work.photo.whole
    assert shown.work.photo == photo


def test_the_strip_shows_each_photo_by_address_and_marks_the_shown_one(
    two: Session, library: Library, photo: Photo
) -> None:
    parts = strip.strip(two, library, lambda webp: f"photo/{webp.key}.webp")
    first, second = find(parts, **{"data-action": "photo"})
    said = [(each["aria-label"], each["aria-pressed"]) for each in map(facts, (first, second))]
    assert said == [("patches", "false"), ("photo 7", "true")]
    assert first.children.src == f"photo/{library.seen(photo, None).key}.webp"
    (remove,) = find(parts, **{"data-action": "forget-photo"})
    assert json.loads(facts(remove)["data-payload"]) == {"photo": key_of(photo)}
    assert strip.strip(do(two, library, "forget-photo", key_of(photo)), library, lambda webp: "") == []


# The crop.


def test_a_moved_crop_shows_other_pixels_and_keeps_the_target(
    traced: Session, library: Library, network: Network
) -> None:
    whole = traced.work.photo
    moved = do(traced, library, "crop", "40,0,80,40")
    framed = whole.framed((40, 0, 80, 40))
    assert moved.work.photo == framed
    assert moved.work.predictions == library.predict(framed) != traced.work.predictions
    assert moved.work.circuit == trace(network, framed, 2, depth=2, top=3)
    assert photos_of(moved)[-1].window == (40, 0, 80, 40)
    assert do(moved, library, "undo").work is traced.work


def test_the_default_crop_comes_back(traced: Session, library: Library) -> None:
    moved = do(traced, library, "crop", "40,0,80,40")
    back = do(moved, library, "crop", "")
    assert back.work.photo.window is None
    assert back.work.circuit == traced.work.circuit
    assert do(back, library, "crop", "") is back


def test_a_moved_crop_is_still_there_when_its_photo_is_shown_again(
    two: Session, library: Library, photo: Photo
) -> None:
    moved = do(two, library, "crop", "40,0,80,40")
    away = do(moved, library, "photo", key_of(photo))
    assert do(away, library, "photo", key_of(moved.work.photo)).work.photo.window == (40, 0, 80, 40)


def test_a_frame_drawn_too_far_is_brought_into_the_photo(two: Session, library: Library) -> None:
    moved = do(two, library, "crop", "60,30,100,70")
    assert moved.work.photo.window == (40, 20, 80, 60)


@pytest.mark.parametrize("subject", ["left,top", "1,2,3", "nan,0,1,1"])
def test_what_is_no_window_is_refused(two: Session, library: Library, subject: str) -> None:
    with pytest.raises(CircuitsError, match="window"):
        do(two, library, "crop", subject)


def test_of_a_photo_from_a_file_the_crop_cannot_be_moved(library: Library, network: Network, photo: Photo) -> None:
    file = Circuit.from_dict(trace(network, photo, 1, depth=1, top=2).to_dict())
    session = actions.with_circuit(Session(), file, library)
    with pytest.raises(InputError, match="only what the network saw is at hand"):
        do(session, library, "crop", "40,0,80,40")
    parts = strip.photo(session, "crop.webp", library)
    (move,) = find(parts, id="move-crop")
    assert facts(move)["disabled"]
    assert "choose the photo again" in facts(move)["title"]


# Why, and why not.


def test_beside_every_other_class_there_is_a_not(traced: Session, two: Session, library: Library) -> None:
    assert not find(panels.predictions(two, library), **{"aria-pressed": "false"})
    rows = panels.predictions(traced, library)
    offered = [json.loads(facts(each)["data-payload"])["target"] for each in find(rows, **{"data-action": "why"})]
    others = [row.index for row in traced.work.predictions if row.index != 2]
    assert [wish for wish in offered if " - " in wish] == [f"2 - {index}" for index in others]


def test_a_difference_is_traced_and_said(traced: Session, library: Library, network: Network) -> None:
    less = do(traced, library, "why", "2 - 1")
    assert less.work.circuit == trace(network, traced.work.photo, "2 - 1", depth=2, top=3)
    chances = " and ".join(chance(library.chance(less.work.circuit, number)) for number in (2, 1))
    assert words(panels.explained(less, library)).startswith(f"Explaining: tree, not dog, {chances} here")
    value = less.work.circuit.target.value
    side = "higher" if value > 0 else "lower"
    said = f"The logit for tree is {number(abs(value))} {side} than that for dog."
    assert words(panels.story(less, library)).startswith(said)
    rows = [row.className for row in panels.predictions(less, library) if row.className != "prediction"]
    assert sorted(rows) == ["prediction against", "prediction explained"]
    (pressed,) = find(panels.predictions(less, library), **{"aria-pressed": "true"})
    assert json.loads(facts(pressed)["data-payload"]) == {"target": "2 - 1"}


@pytest.mark.parametrize(
    ("wish", "said", "told"),
    [
        ("tree", "tree", "The logit for tree is"),
        ("c:4", "c:4", "The activation of c:4 sums to"),
        ("c:4@1,2", "c:4 at row 1, column 2", "The activation of c:4 at row 1, column 2 is"),
    ],
)
def test_any_target_can_be_asked_and_the_pane_says_which(
    two: Session, library: Library, wish: str, said: str, told: str
) -> None:
    session = do(two, library, "why", wish)
    assert words(panels.explained(session, library)).startswith(f"Explaining: {said}")
    assert words(panels.story(session, library)).startswith(told)
    broken = inspect(library, session.work.circuit, session.work.circuit.root, "").breakdown
    assert words(panels.story(session, library)).endswith(
        below_in_words(len(broken.parts), broken.rest_count, broken.coverage)
    )


def test_a_target_that_another_class_outdoes_says_its_probability_and_offers_the_other(
    two: Session, library: Library, network: Network
) -> None:
    photo = two.work.photo
    logits = network.logits(network.preprocessing.input_of(photo))[0]
    probabilities = logits.double().softmax(0)
    best, last = int(logits.argmax()), int(logits.argmin())
    assert last not in [row.index for row in two.work.predictions]
    likely = do(two, library, "why", str(best))
    assert not find(panels.explained(likely, library), **{"data-action": "why"})
    session = do(two, library, "why", str(last))
    assert library.chance(session.work.circuit, last) == pytest.approx(float(probabilities[last]), rel=1e-4)
    told = panels.explained(session, library)
    label = network.label(best)
    expected = f"Explaining: {network.label(last)}, {chance(float(probabilities[last]))} here · explain {label} instead"
    assert words(told) == expected
    assert find(told, **does("why", str(best)))


def test_an_uploaded_photo_and_an_example_keep_the_target_like_one_of_the_strip(
    traced: Session, library: Library, network: Network
) -> None:
    uploaded = painted(9)
    asked = actions.with_photo(traced, uploaded, library)
    assert asked.work is traced.work
    assert [each.name for each in asked.photos] == ["patches", "photo 7", "photo 9"]
    for ask in asked.requests:
        asked = actions.commit(asked, ask, actions.run(asked, ask, library, quiet), library)
    assert asked.work.photo == uploaded
    assert asked.work.circuit == trace(network, uploaded, 2, depth=2, top=3)
    assert [each.name for each in asked.photos] == ["patches", "photo 7", "photo 9"]
    example = do(traced, library, "example", "cat")
    assert example.work.circuit == trace(network, "example:cat", 2, depth=2, top=3)
    assert [each.name for each in example.photos] == ["patches", "photo 7", "cat"]


def test_of_several_uploads_the_last_is_shown_and_all_are_in_the_strip(traced: Session, library: Library) -> None:
    asked = actions.with_photo(actions.with_photo(traced, painted(9), library), painted(11), library)
    assert [actions.subject(ask) for ask in asked.requests] == [key_of(painted(11))]
    assert [each.name for each in asked.photos] == ["patches", "photo 7", "photo 9", "photo 11"]


def test_units_of_the_lowest_layer_are_refused_at_once(two: Session, library: Library) -> None:
    with pytest.raises(InputError, match="a:3 is in the lowest layer; only the image is below it"):
        actions.apply(two, Action("why", "a:3"), library)


# What fires here.


def test_a_place_is_asked_about_in_the_highest_layer_with_places(two: Session, library: Library) -> None:
    pointed = do(two, library, "point", "0.3,0.7")
    assert pointed.work.spot == (0.3, 0.7)
    assert pointed.past == two.past
    assert library.placed == ("a", "b", "c")
    assert spot_layer(pointed, library) == ""  # the highest whose units have a share there
    lower = do(pointed, library, "point-layer", "b")
    assert spot_layer(lower, library) == "b"
    assert do(lower, library, "point", "").work.spot is None


@pytest.mark.parametrize("with_circuit", [False, True])
def test_the_units_at_a_place_are_those_that_are_highest_there(
    two: Session, traced: Session, library: Library, network: Network, *, with_circuit: bool
) -> None:
    pointed = do(traced if with_circuit else two, library, "point", "0.3,0.7")
    found = point_query(pointed, library)[0].work(quiet)
    layer = network.layer("c")
    row, column = int(0.7 * layer.height), int(0.3 * layer.width)
    there = {n: heat_map(network, pointed.work.photo, Unit("c", n))[row, column] for n in range(layer.channels)}
    strongest = sorted((n for n in there if there[n] > 0), key=lambda n: -there[n])[:COUNT]
    assert [firing.unit for firing in found.units] == [Unit("c", n, (row, column)) for n in strongest]
    assert [firing.value for firing in found.units] == pytest.approx([there[n] for n in strongest])


def test_the_answer_depends_on_photo_crop_target_layer_and_place_and_on_nothing_else(
    two: Session, traced: Session, library: Library, photo: Photo
) -> None:
    pointed = do(two, library, "point", "0.3,0.7")
    key = point_query(pointed, library)[0].key
    elsewhere = replace(pointed, looking=replace(two.looking, start="peak"))
    assert point_query(elsewhere, library)[0].key == key
    others = (
        do(traced, library, "point", "0.3,0.7"),
        do(two, library, "point", "0.4,0.7"),
        do(pointed, library, "point-layer", "b"),
        do(do(two, library, "crop", "40,0,80,40"), library, "point", "0.3,0.7"),
        do(do(two, library, "photo", key_of(photo)), library, "point", "0.3,0.7"),
    )
    assert len({key, *(point_query(each, library)[0].key for each in others)}) == 6


def test_where_nothing_goes_up_from_a_place_the_highest_layer_from_which_something_does_is_shown() -> None:
    """Of the last block of a transformer the class token alone is read."""
    network = tokens(Tokens(1))
    seen = load_photo(np.random.default_rng(0).random((4, 6, 3)), name="noise")
    library = Library(network, StoredGallery(network))
    session = Session(Work(seen, predictions=library.predict(seen), spot=(0.4, 0.6)))
    assert library.placed[-2:] == ("blocks.0.act", "blocks.1.act")
    found = point_query(session, library)[0].work(quiet)
    assert (found.layer, found.reaching) == ("blocks.0.act", "blocks.0.act")
    run = forward_cache(network, seen)
    row, column = position_at(network, "blocks.0.act", (0.4, 0.6))
    target = find_target(network, session.work.predictions[0].index, 0)
    assert run.gradient(target, "blocks.0.act")[0, :, row, column].any()
    assert not run.gradient(target, "blocks.1.act").any()
    assert "has a share in" not in words(spots.panel(session, library, found, {}))
    above = do(session, library, "point-layer", "blocks.1.act")
    asked = point_query(above, library)[0].work(quiet)
    assert (asked.layer, asked.reaching) == ("blocks.1.act", "blocks.0.act")
    told = spots.panel(above, library, asked, {})
    assert f"No unit of blocks.1.act has a share in {target.label} at this place." in words(told)
    [offer] = find(told, **{"data-action": "point-layer"})
    assert json.loads(facts(offer)["data-payload"]) == {"layer": "blocks.0.act"}
    circuit = trace(network, seen, Unit("blocks.1.act", 2, (row, column)), depth=1)  # which stays where it was asked
    way = "on a page of circuits explore --exemplars FOLDER it is explained by groups of its tokens."
    shown = Session(Work(seen, circuit=circuit, selected=circuit.root))
    assert words(panels.story(shown, library)).endswith(way)
    assert Library(network.with_layers("stream"), StoredGallery(network)).lacks_index is False
    assert highest_reaching(network, circuit, (0.4, 0.6)) == "blocks.1.act"
    assert highest_reaching(network, circuit, (0.9, 0.1)) == highest_reaching(network, circuit) == "blocks.0.act"
    below = do(session, library, "point-layer", "patch")
    assert "has a share in" not in words(spots.panel(below, library, point_query(below, library)[0].work(quiet), {}))


@pytest.mark.parametrize("subject", ["0.5", "left,top", "1.2,0.5", "nan,0.5", "0.1,0.2,0.3"])
def test_what_is_no_place_is_refused(two: Session, library: Library, subject: str) -> None:
    with pytest.raises(InputError, match=r"is not a position in the photo|^'point' takes at: .*; the page sent at = "):
        do(two, library, "point", subject)


def test_a_layer_without_places_is_refused(two: Session, library: Library) -> None:
    with pytest.raises(
        InputError, match="'fc' has a single value for the whole image; choose a layer with positions: a, b, c"
    ):
        do(two, library, "point-layer", "fc")


def test_the_list_says_activation_peak_and_what_can_be_done(traced: Session, library: Library) -> None:
    pointed = do(traced, library, "point", "0.3,0.7")
    inside = traced.work.circuit.edges_into("fc:2")[0].source
    channel = Unit.parse(inside).channel
    found = UnitsAtPoint(
        "c", (Firing(Unit("c", channel, (2, 1)), 1.25, 0.5, True), Firing(Unit("c", 99, (2, 1)), 0.5, 0.2, False)), "c"
    )
    tile = Tile("ready", "picture/ab.webp")
    parts = spots.panel(pointed, library, found, {f"spot {inside}": tile})
    first, second = find(parts, key=inside) + find(parts, key="c:99")
    assert "1.25 peak" in words(first)
    assert "peak" not in words(second)
    assert find(first, **does("root", f"{inside}@2,1"))
    assert find(first, **does("select", inside))
    assert not find(second, **{"data-action": "select"})
    (shown,) = find(first, **{"data-tile": inside})
    assert shown.children.src == "picture/ab.webp"


def point_query(session: Session, library: Library) -> tuple[Query, ...]:
    """What is asked about the point."""
    return query(session, SimpleNamespace(library=library))


def test_the_list_says_what_it_waits_for_and_what_went_wrong(two: Session, library: Library) -> None:
    pointed = do(two, library, "point", "0.3,0.7")
    assert "Looking …" in words(spots.panel(pointed, library, None, {}))
    assert "No unit of c is above zero here." in words(spots.panel(pointed, library, UnitsAtPoint("c", (), "c"), {}))
    assert "It broke." in words(spots.panel(pointed, library, Failure("It broke."), {}))
    assert spots.panel(two, library, None, {}) == []


def test_units_of_the_lowest_layer_cannot_be_asked_why_and_the_list_says_so(two: Session, library: Library) -> None:
    lowest = do(do(two, library, "point-layer", "a"), library, "point", "0.3,0.7")
    found = UnitsAtPoint("a", (Firing(Unit("a", 1, (2, 1)), 1.25, 0.5, False),), "c")
    parts = spots.panel(lowest, library, found, {})
    assert find(parts, **{"data-action": "root", "disabled": True})
    assert "a is the lowest layer; only the image is below it." in words(parts)


def test_pictures_of_what_fires_there_are_rendered_after_the_chosen_unit(ann: Person, gallery: PaintedGallery) -> None:
    ann.why("2")
    ann.rendered()
    gallery.begun.clear()
    ann.do("point-layer", "b")
    ann.do("point", "0.3,0.7")
    ann.looked()
    told = ann.rendered()
    shown = {name.removeprefix("spot "): tile for name, tile in told["tiles"].items() if name.startswith("spot ")}
    listed = [name for each in every(ann.seen["spot"]) if (name := facts(each).get("data-tile"))]
    assert listed == list(shown)
    assert 0 < len(listed) <= COUNT
    assert {tile["state"] for tile in shown.values()} == {"ready"}
    assert {str(unit) for unit in gallery.begun} <= set(listed)


def test_nothing_fires_on_a_page_whose_circuit_is_of_another_network(two: Session, library: Library) -> None:
    foreign = trace(tiny_network(seed=9, name="other"), two.work.photo, 1, depth=1, top=2)
    locked = actions.with_circuit(two, foreign, library)
    with pytest.raises(InputError, match="This circuit is of another network"):
        do(locked, library, "point", "0.5,0.5")
    pointed = replace(locked, work=replace(locked.work, spot=(0.5, 0.5)))
    assert not point_query(pointed, library)
    assert spots.panel(pointed, library, None, {}) == []
