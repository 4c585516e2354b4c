"""Actions are functions from a session to the next; most of what the page does is decided here."""

from dataclasses import replace

import pytest

from circuits.errors import CircuitsError, InputError
from circuits.image.photo import Photo
from circuits.tracing.contributions import contributions
from dashboard.library import Library
from dashboard.session import actions as real
from dashboard.session.actions import drop
from dashboard.session.questions import Wish
from dashboard.session.state import HISTORY, Choices, Request, Session, Work
from tests.support import actions
from tests.support.actions import Action
from tests.support.pretend import PaintedGallery, tiny_network

CHOICES = Choices(depth=2, top=3)


def quiet(done: int, total: int, message: str) -> None:
    """A progress callback that nobody listens to."""


def do(session: Session, library: Library, kind: str, subject: str = "") -> Session:
    """Apply an action and answer what it asks for."""
    session = actions.apply(session, Action(kind, subject), library)
    for ask in session.requests:
        session = actions.commit(session, ask, actions.run(session, ask, library, quiet), library)
    return session


@pytest.fixture
def begun(library: Library, photo: Photo) -> Session:
    """A session with a photo."""
    return actions.with_photo(Session(choices=CHOICES), photo, library)


@pytest.fixture
def traced(begun: Session, library: Library) -> Session:
    """A session with a circuit of class 2, two layers deep, three units each."""
    return do(begun, library, "why", "2")


def children(session: Session, name: str) -> list[str]:
    """Ids of the units shown below a unit, strongest first."""
    return [edge.source for edge in session.work.circuit.edges_into(name)]


def test_a_photo_brings_the_five_most_likely_classes(begun: Session) -> None:
    assert len(begun.work.predictions) == 5
    chances = [row.probability for row in begun.work.predictions]
    assert chances == sorted(chances, reverse=True)
    assert begun.past == ()


def test_the_first_photo_cannot_be_undone_but_the_second_can(begun: Session, library: Library) -> None:
    second = do(begun, library, "example", "cat")
    assert second.work.photo.name == "cat"
    assert do(second, library, "undo").work is begun.work


def test_why_is_only_noted_until_it_is_answered(begun: Session, library: Library) -> None:
    asked = actions.apply(begun, Action("why", "2"), library)
    assert asked.requests == (Request(1, "why", Wish("2"), CHOICES),)
    assert asked.work is begun.work


def test_why_gives_a_circuit_of_that_class_with_its_target_selected(traced: Session) -> None:
    assert traced.work.circuit.root == traced.work.selected == "fc:2"
    assert len(children(traced, "fc:2")) == 3
    assert traced.requests == ()


def test_a_second_why_replaces_the_first_that_is_not_answered_yet(begun: Session, library: Library) -> None:
    first = actions.apply(begun, Action("why", "2"), library)
    second = actions.apply(first, Action("why", "3"), library)
    assert [actions.subject(ask) for ask in second.requests] == ["3"]
    late = actions.commit(second, first.requests[0], actions.run(first, first.requests[0], library, quiet), library)
    assert late is second


def test_why_uses_the_settings_of_the_page(begun: Session, library: Library) -> None:
    session = begun
    for setting in ("depth=1", "top=2", "signs=both", "mode=ablate"):
        session = do(session, library, "set", setting)
    session = do(session, library, "why", "1")
    assert session.work.circuit.settings == {"mode": "ablate", "top": 2, "signs": "both", "depth": 1}


def test_settings_are_not_undone(begun: Session, library: Library) -> None:
    changed = do(do(begun, library, "why", "1"), library, "set", "weak=7")
    assert do(changed, library, "undo").showing.weak == 7
    assert do(changed, library, "set", "weak=0").showing.weak == 0


def test_expand_shows_the_layer_below_and_undo_hides_it_and_redo_shows_it(traced: Session, library: Library) -> None:
    leaf = next(name for name in sorted(traced.work.circuit.visible) if name.startswith("b:"))
    grown = do(traced, library, "expand", leaf)
    assert len(children(grown, leaf)) == 3
    assert grown.work.selected == leaf
    undone = do(grown, library, "undo")
    assert undone.work.circuit is traced.work.circuit
    assert do(undone, library, "redo").work.circuit is grown.work.circuit


def test_expand_without_a_subject_means_the_selected_unit(traced: Session, library: Library) -> None:
    leaf = next(name for name in sorted(traced.work.circuit.visible) if name.startswith("b:"))
    chosen = do(traced, library, "select", leaf)
    assert do(chosen, library, "expand").work.circuit.nodes[leaf].expanded


def test_expanding_an_expanded_unit_only_selects_it(traced: Session, library: Library) -> None:
    child = children(traced, "fc:2")[0]
    session = actions.apply(traced, Action("expand", child), library)
    assert session.requests == ()
    assert session.work.selected == child
    assert session.work.circuit is traced.work.circuit


def test_more_shows_five_further_units(traced: Session, library: Library) -> None:
    child = children(traced, "fc:2")[0]
    everything = contributions(library.network, traced.work.circuit, child, top=16).shares
    exciting = [str(unit) for unit, share in sorted(everything, key=lambda pair: -pair[1]) if share > 0]
    assert children(traced, child) == exciting[:3]
    assert children(do(traced, library, "more", child), child) == exciting[:8]


def test_the_lowest_layer_cannot_be_expanded(traced: Session, library: Library) -> None:
    leaf = next(name for name in sorted(traced.work.circuit.visible) if name.startswith("b:"))
    grown = do(traced, library, "expand", leaf)
    with pytest.raises(InputError, match="in the lowest layer; only the image is below it"):
        do(grown, library, "expand", children(grown, leaf)[0])


def test_the_same_unit_is_asked_for_once_and_two_units_one_after_the_other(traced: Session, library: Library) -> None:
    one, two = sorted(name for name in traced.work.circuit.visible if name.startswith("b:"))[:2]
    session = traced
    for name in (one, one, two):
        session = actions.apply(session, Action("expand", name), library)
    assert [actions.subject(ask) for ask in session.requests] == [one, two]
    for ask in session.requests:
        session = actions.commit(session, ask, actions.run(session, ask, library, quiet), library)
    assert session.work.circuit.nodes[one].expanded
    assert session.work.circuit.nodes[two].expanded


def test_undo_while_something_is_worked_out_drops_it(traced: Session, library: Library) -> None:
    leaf = next(name for name in sorted(traced.work.circuit.visible) if name.startswith("b:"))
    asked = actions.apply(traced, Action("expand", leaf), library)
    undone = actions.apply(asked, Action("undo"), library)
    assert undone.requests == ()
    assert undone.work.circuit is traced.work.circuit


def test_an_ask_that_fails_leaves_the_others(traced: Session, library: Library) -> None:
    one, two = sorted(name for name in traced.work.circuit.visible if name.startswith("b:"))[:2]
    session = actions.apply(traced, Action("expand", one), library)
    session = actions.apply(session, Action("expand", two), library)
    assert [actions.subject(ask) for ask in drop(session, session.requests[0]).requests] == [two]


def test_discard_hides_a_unit_and_what_only_it_needs_and_selects_the_unit_above(
    traced: Session, library: Library
) -> None:
    child = children(traced, "fc:2")[0]
    chosen = do(traced, library, "select", child)
    smaller = do(chosen, library, "discard", child)
    assert child not in smaller.work.circuit.visible
    assert len(smaller.work.circuit.visible) < len(traced.work.circuit.visible)
    assert smaller.work.selected == "fc:2"


def test_restore_brings_a_discarded_unit_back(traced: Session, library: Library) -> None:
    child = children(traced, "fc:2")[0]
    back = do(do(traced, library, "discard", child), library, "restore", child)
    assert back.work.circuit == traced.work.circuit
    assert back.work.selected == child


def test_discarding_lowers_the_coverage_of_the_unit_above(traced: Session, library: Library) -> None:
    child = children(traced, "fc:2")[0]
    before = traced.work.circuit.nodes["fc:2"].books
    after = do(traced, library, "discard", child).work.circuit.nodes["fc:2"].books
    assert after.coverage < before.coverage
    assert after.shown + after.rest == pytest.approx(before.shown + before.rest, rel=1e-5)


def test_the_target_cannot_be_discarded(traced: Session, library: Library) -> None:
    with pytest.raises(InputError, match="tree is what the circuit explains; it cannot be discarded"):
        do(traced, library, "discard", "fc:2")


def test_restoring_what_is_not_discarded_is_refused(traced: Session, library: Library) -> None:
    with pytest.raises(InputError, match="fc:2 is not a discarded unit"):
        do(traced, library, "restore", "fc:2")


def test_select_ignores_units_that_are_not_there(traced: Session, library: Library) -> None:
    assert do(traced, library, "select", "nowhere:1") is traced
    assert do(traced, library, "select", "").work.selected == ""


def test_cancel_pauses_and_drops_what_is_worked_out_and_resume_goes_on(begun: Session, library: Library) -> None:
    asked = actions.apply(begun, Action("why", "1"), library)
    paused = actions.apply(asked, Action("pause"), library)
    assert (paused.paused, paused.requests) == (True, ())
    assert not actions.apply(paused, Action("resume"), library).paused


def test_history_is_bounded(traced: Session, library: Library) -> None:
    session = traced
    for _ in range(HISTORY + 10):
        session = session.changed(replace(session.work))
    assert len(session.past) == HISTORY


def test_undo_with_nothing_to_undo_changes_nothing(begun: Session, library: Library) -> None:
    assert do(begun, library, "undo") is begun
    assert do(begun, library, "redo") is begun


@pytest.mark.parametrize(
    ("kind", "subject", "sentence"),
    [
        ("dance", "", "'dance' is not something this page can do"),
        ("why", "unicorn", "No class 'unicorn'"),
        ("why", "6", "No class 6"),
        ("expand", "fc:0", "There is no circuit yet"),
        ("example", "dragon", "There is no example photo 'dragon'"),
        ("set", "depth=0", "depth = 0 is not a setting"),
        ("set", "top=100", "top = 100 is not a setting"),
        ("set", "signs=odd", "signs = 'odd' is not a setting"),
        ("set", "mode=", "mode = '' is not a setting"),
        ("set", "__class__=x", "the page sent __class__ = 'x'"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    begun: Session, library: Library, kind: str, subject: str, sentence: str
) -> None:
    with pytest.raises(CircuitsError, match=sentence):
        do(begun, library, kind, subject)


def test_why_without_a_photo_is_refused(library: Library) -> None:
    with pytest.raises(InputError, match="There is no photo to explain"):
        do(Session(), library, "why", "0")


def test_a_circuit_of_another_network_can_be_pruned_but_not_expanded(
    traced: Session, gallery: PaintedGallery, photo: Photo
) -> None:
    other = Library(tiny_network(seed=5, name="other"), gallery)
    session = actions.with_circuit(Session(choices=CHOICES), traced.work.circuit, other)
    assert session.work.locked.startswith("This circuit is of another network, tiny")
    child = children(session, "fc:2")[0]
    assert child not in do(session, other, "discard", child).work.circuit.visible
    with pytest.raises(InputError, match="other cannot expand it"):
        do(session, other, "more", child)
    with pytest.raises(InputError, match="other cannot expand it"):
        do(session, other, "why", "0")


def test_an_exported_circuit_comes_back_the_same_and_can_be_expanded(traced: Session, library: Library) -> None:
    text = traced.work.circuit.to_json_text()
    session = actions.with_circuit(Session(choices=CHOICES), library.circuit(text.encode()), library)
    assert session.work.circuit == traced.work.circuit
    assert session.work.locked == ""
    leaf = next(name for name in sorted(session.work.circuit.visible) if name.startswith("b:"))
    assert do(session, library, "expand", leaf).work.circuit.nodes[leaf].expanded


def test_a_circuit_without_its_photo_says_so(traced: Session, library: Library) -> None:
    data = traced.work.circuit.to_dict()
    del data["graph"]["photo"]["thumbnail"]
    bare = type(traced.work.circuit).from_dict(data)
    assert "holds no photo" in actions.with_circuit(Session(choices=CHOICES), bare, library).work.locked


def test_opening_a_circuit_can_be_undone(traced: Session, library: Library) -> None:
    opened = actions.with_circuit(traced, traced.work.circuit, library)
    assert do(opened, library, "undo").work is traced.work


def test_work_is_never_changed_in_place(traced: Session, library: Library) -> None:
    before: Work = traced.work
    text = before.circuit.to_json_text()
    do(traced, library, "discard", children(traced, "fc:2")[0])
    assert traced.work is before
    assert before.circuit.to_json_text() == text


@pytest.mark.parametrize(
    ("kind", "payload", "sentence"),
    [
        ("expand", {"unit": 3}, "'expand' takes unit: str; the page sent unit = '3'"),
        ("expand", {"unit": "fc:2", "more": True}, "the page sent more = 'True'"),
        ("lock", {"unit": "fc:2", "x": float("nan"), "y": 0}, "the page sent x = 'nan'"),
        ("lock", {"unit": "fc:2", "x": 10**400, "y": 0}, "the page sent x = '1000"),
        ("why", {"target": "9" * 5000}, "No class 9999"),
        ("lock", {"unit": "fc:2", "x": 1}, "'lock' needs unit, x, y; the page sent unit, x"),
        ("lock", {"unit": "fc:2", "x": True, "y": 0}, "the page sent x = 'True'"),
        ("point", {"at": [0.5]}, "the page sent at"),
        ("point", {"at": [0.5, "a"]}, "the page sent at"),
        ("fold", {"units": "fc:2"}, "the page sent units"),
        ("grow", {"levels": 1.5}, "the page sent levels = '1.5'"),
        ("grow", {"levels": "²"}, "the page sent levels = '²'"),
        ("crop", {"window": [0, 0, 9]}, "the page sent window"),
        ("undo", {"unit": "fc:2"}, "'undo' takes nothing; the page sent unit"),
    ],
)
def test_a_payload_of_another_form_is_refused_with_what_the_action_takes(
    traced: Session, library: Library, kind: str, payload: dict[str, object], sentence: str
) -> None:
    with pytest.raises(CircuitsError, match=sentence):
        actions.apply(traced, real.Action(kind, payload), library)
