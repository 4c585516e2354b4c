"""Weak edges: what is still reached, what it holds, and that growing stops where the page would be full."""

import pytest

from circuits import collapse, grow, trace
from circuits.errors import InputError
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from dashboard.features.graph import actions as on_circuit
from dashboard.features.graph.drawing import draw
from dashboard.features.graph.folding import folds
from dashboard.features.graph.weak import coverage, reached
from dashboard.library import Library, closed
from dashboard.session.state import Session, Showing, Work
from tests.support import actions
from tests.support.actions import Action, apply, commit, run
from tests.support.branched import Branches, branched
from tests.support.handmade import colour_photo
from tests.support.person import Person
from tests.support.pretend import PaintedGallery


@pytest.fixture(scope="module")
def circuit(network: Network, photo: Photo) -> Circuit:
    return trace(network, photo, 0, depth=3, top=6, signs="both")


@pytest.fixture
def session(circuit: Circuit, photo: Photo) -> Session:
    return Session(Work(photo, (), circuit, circuit.root))


def slowly(circuit: Circuit, weak: int) -> set[str]:
    """Units with a way down from the target along edges that are strong enough, by walking every way."""
    found = set()

    def walk(name: str) -> None:
        found.add(name)
        for edge in circuit.edges_into(name):
            if abs(circuit.share(edge)) >= weak / 100:
                walk(edge.source)

    walk(circuit.root)
    return found


@pytest.mark.parametrize("weak", [0, 3, 6, 12, 30])
def test_what_is_reached_is_what_every_way_down_reaches(circuit: Circuit, weak: int) -> None:
    assert reached(circuit, weak) == slowly(circuit, weak)
    assert len(reached(circuit, 0)) == len(circuit.visible)


def test_coverage_falls_with_the_limit_and_is_whole_without_one(circuit: Circuit) -> None:
    books = [circuit.nodes[name].books for name in circuit.visible]
    coverages = [each.coverage for each in books if each is not None and each.gross]
    whole = sum(coverages) / len(coverages)
    assert coverage(circuit, 0) == (pytest.approx(whole, rel=1e-5), pytest.approx(whole, rel=1e-5))
    for weak in range(1, 31):
        kept, of = coverage(circuit, weak)
        assert 0 <= kept <= of <= 1
    assert coverage(circuit, 8)[0] < coverage(circuit, 0)[0]


def test_the_limit_is_kept_with_the_view(ann: Person) -> None:
    ann.why()
    assert ann.do("set", "weak=12")["view"]["weak"] == 12
    assert not ann.seen["no_undo"]
    assert ann.do("set", "weak=2.5")["view"]["weak"] == 2.5
    ann.do("set", "weak=2.4")
    assert ann.poll()["toasts"][-1]["text"] == "weak = 2.4 is not a setting that this page offers."
    assert ann.do("set", "weak=12")["view"]["weak"] == 12
    ann.do("set", "weak=31")
    assert ann.poll()["toasts"][-1]["text"] == "weak = 31.0 is not a setting that this page offers."
    assert ann.look()["view"]["weak"] == 12


def test_a_level_is_expanded_whole(session: Session, library: Library, circuit: Circuit) -> None:
    bare = trace(library.network, circuit.photo, 0, depth=1, top=3)
    small = Session(Work(circuit.photo, (), bare, bare.root))
    asked = apply(small, Action("level", bare.edges_into(bare.root)[0].source), library)
    assert [(ask.kind, actions.subject(ask)) for ask in asked.requests] == [("level", "c")]
    found = run(asked, asked.requests[0], library, lambda done, total, message: None)
    done = commit(asked, asked.requests[0], found, library)
    assert done.work.circuit == grow(library.network, bare, layer="c", top=5)
    assert len(done.past) == 1


@pytest.mark.parametrize("levels", [1, 2])
def test_growing_by_levels_is_what_the_library_does(library: Library, photo: Photo, levels: int) -> None:
    bare = trace(library.network, photo, 0, depth=1, top=3)
    asked = apply(Session(Work(photo, (), bare, bare.root)), Action("grow", str(levels)), library)
    found = run(asked, asked.requests[0], library, lambda done, total, message: None)
    assert found == grow(library.network, bare, levels=levels, top=5)


@pytest.mark.parametrize(
    ("kind", "subject", "sentence"),
    [
        ("level", "a", "a is the lowest layer; only the image is below it."),
        ("level", "fc", "No unit of fc is left to expand."),
        ("grow", "4", "4 is not a number of levels to expand by; it is 1 to 3."),
    ],
)
def test_what_cannot_grow_says_why(session: Session, library: Library, kind: str, subject: str, sentence: str) -> None:
    with pytest.raises(InputError, match=rf"^{sentence}$"):
        apply(session, Action(kind, subject), library)


def test_units_of_several_lowest_layers_are_not_for_expanding(gallery: PaintedGallery) -> None:
    network = branched(Branches(), ["a", "expand"])
    library, photo = Library(network, gallery), colour_photo()
    bare = trace(network, photo, "one", depth=1, top=9)
    assert {node.unit.layer for node in bare.nodes.values()} == {"fc", "a", "expand"}
    session = Session(Work(photo, (), bare, bare.root))
    assert closed(bare) == []
    drawing = draw(bare, folds(bare, (), frozenset()), lambda circuit, layer: None, locked=False)
    assert [row["closed"] for row in drawing.rows] == [0] * 3
    for layer in ("a", "expand"):
        (unit, *_) = (name for name, node in bare.nodes.items() if node.unit.layer == layer)
        with pytest.raises(InputError, match=rf"^{layer} is the lowest layer; only the image is below it\.$"):
            apply(session, Action("level", layer), library)
        with pytest.raises(InputError, match=rf"^{unit} is in the lowest layer; only the image is below it\.$"):
            apply(session, Action("expand", unit), library)


def test_nothing_grows_when_all_is_expanded(library: Library, photo: Photo) -> None:
    full = trace(library.network, photo, 0, depth=3, top=2)
    with pytest.raises(InputError, match=r"^Every unit is expanded, down to the lowest layer.$"):
        apply(Session(Work(photo, (), full, full.root)), Action("grow", "1"), library)


def test_growth_beyond_what_the_page_shows_is_refused_with_what_helps(
    library: Library, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_circuit, "MANY", 10)
    bare = trace(library.network, photo, 0, depth=1, top=5)
    asked = apply(Session(Work(photo, (), bare, bare.root)), Action("grow", "2"), library)
    with pytest.raises(
        InputError,
        match=r"^Expanded so far, the circuit would show \d\d units, and this page shows 10 at most: hide more "
        r"weak edges, discard units, or set fewer units per node, then expand again.$",
    ):
        run(asked, asked.requests[0], library, lambda done, total, message: None)


def test_what_is_hidden_does_not_count_against_the_limit(
    library: Library, circuit: Circuit, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_circuit, "MANY", 10)
    bare = collapse(circuit, circuit.edges_into(circuit.root)[0].source)
    session = Session(Work(photo, (), bare, bare.root))
    with pytest.raises(InputError, match=r"^The circuit shows "):
        apply(session, Action("grow", "1"), library)
    strong = Session(session.work, showing=Showing(weak=30))
    assert len(reached(bare, 30)) <= 10
    assert apply(strong, Action("grow", "1"), library).requests[0].kind == "grow"


def test_collapse_takes_an_expansion_back_and_can_be_undone(session: Session, library: Library) -> None:
    circuit = session.work.circuit
    name = circuit.edges_into(circuit.root)[0].source
    inside = Session(
        Work(session.work.photo, (), circuit, circuit.edges_into(name)[0].source, edge=(name, circuit.root))
    )
    done = apply(inside, Action("collapse", name), library)
    assert done.work.circuit == collapse(circuit, name)
    assert not done.work.circuit.nodes[name].expanded
    assert done.work.edge == (name, circuit.root)
    assert done.work.selected in done.work.circuit.visible
    assert apply(done, Action("undo"), library).work.circuit is circuit
    with pytest.raises(InputError, match=r"is not expanded"):
        apply(done, Action("collapse", name), library)


def test_a_unit_is_locked_released_and_both_can_be_undone(session: Session, library: Library) -> None:
    name = session.work.circuit.edges_into(session.work.circuit.root)[0].source
    locked = apply(session, Action("lock", f"{name} 120.04 -33"), library)
    assert locked.work.circuit.nodes[name].place == (120.0, -33.0)
    assert apply(locked, Action("lock", f"{name} 120 -33"), library) is locked
    assert apply(apply(locked, Action("release", name), library), Action("undo"), library).work is locked.work
    free = apply(
        apply(locked, Action("lock", f"{session.work.circuit.root} 0 1"), library), Action("release_all"), library
    )
    assert all(node.place is None for node in free.work.circuit.nodes.values())
    with pytest.raises(InputError, match=r"^No unit is locked in place; drag one to lock it.$"):
        apply(free, Action("release_all"), library)


@pytest.mark.parametrize("subject", ["{} 1", "{} 1 2 3", "{} a b", "{} nan 2", "{} 1e9 0"])
def test_a_place_that_is_none_is_refused(session: Session, library: Library, subject: str) -> None:
    with pytest.raises(InputError, match=r"is not on any page|^'lock' (takes|needs) "):
        apply(session, Action("lock", subject.format(session.work.circuit.root)), library)
