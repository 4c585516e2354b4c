"""The pane of a unit without a browser: names and notes, its own expansion, books, standing, measured edges."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from circuits.attribution.baseline import Baseline
from circuits.errors import InputError
from circuits.evidence.layer_statistics import Standing
from circuits.naming.names import UnitName
from circuits.naming.store import names_of, remember
from circuits.network.network import Network
from circuits.report.edge_words import WARNING_SIGNS, error_in_words, ranks_in_words
from circuits.report.text import number
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import WARNINGS, Edge
from circuits.units import Unit
from dashboard.answers import Breakdown
from dashboard.features.edge.measured import verdict
from dashboard.features.unit.decomposition_panel import shares, sum_in_words
from dashboard.features.unit.feature import naming
from dashboard.features.unit.standing_panel import bin_of
from dashboard.features.what_if.view import stamp, what_if
from dashboard.library import Library
from dashboard.session.state import Choices, Session, Work, expansion_of
from tests.dashboard.features.test_view import find, words
from tests.support import actions
from tests.support.actions import Action, does
from tests.support.person import Person
from tests.support.pretend import PaintedCollection


@pytest.fixture
def child(ann: Person) -> str:
    """A unit below the class, expanded, which Ann has chosen."""
    ann.why("2")
    name = circuit_of(ann).edges_into("fc:2")[0].source
    ann.do("select", name)
    return name


def session_of(person: Person) -> Session:
    return person.callbacks.sessions.tab(person.name).session


def circuit_of(person: Person) -> Circuit:
    return session_of(person).work.circuit


def pane(person: Person) -> str:
    return words(person.pane)


def said(person: Person) -> str:
    """The pane with one blank between words."""
    return " ".join(pane(person).split())


def traced(ann: Person) -> None:
    """Wait for what was asked of the network."""
    assert ann.callbacks.work.tracing.wait(ann.name, seconds=30)
    ann.do("refresh")


# ---- names and notes


def test_a_name_is_the_title_with_the_address_below_and_is_kept_in_the_file(ann: Person, child: str) -> None:
    ann.do("name", f"e1 {child}   left-facing   dog head ")
    assert find(ann.pane, className="unit-title")[0].children == "left-facing dog head"
    unit = Unit.parse(child)
    assert f"layer {unit.layer}, channel {unit.channel}" in pane(ann)
    ann.do("note", f"e2 {child} two lines\nof note")
    told = next(node for node in circuit_of(ann).to_dict()["nodes"] if node["id"] == child)
    assert (told["name"], told["note"]) == ("left-facing dog head", "two lines\nof note")
    assert ann.chosen["naming"] == {
        "id": child, "label": child, "name": "left-facing dog head", "note": "two lines\nof note",
    }  # fmt: skip


def test_all_that_is_written_in_one_stay_is_one_step_of_undo(ann: Person, child: str) -> None:
    past = len(session_of(ann).past)
    for text in ("do", "dog", "dog head"):
        ann.do("name", f"e1 {child} {text}")
    assert len(session_of(ann).past) == past + 1
    ann.do("name", f"e2 {child} cat head")
    ann.do("undo")
    assert circuit_of(ann).nodes[child].name == "dog head"
    ann.do("undo")
    assert circuit_of(ann).nodes[child].name == ""
    ann.do("redo")
    assert circuit_of(ann).nodes[child].name == "dog head"
    # After a step back, the same stay begins a step of its own.
    ann.do("name", f"e1 {child} horse")
    ann.do("undo")
    assert circuit_of(ann).nodes[child].name == "dog head"


def test_what_is_written_again_is_no_step(ann: Person, child: str) -> None:
    ann.do("name", f"e1 {child} dog")
    past = len(session_of(ann).past)
    ann.do("name", f"e2 {child} dog")
    assert len(session_of(ann).past) == past


def test_a_name_belongs_to_the_network_and_undo_takes_back_what_it_wrote_and_no_more(ann: Person, child: str) -> None:
    def known() -> UnitName:
        return names_of(circuit_of(ann).network.sha256).of(Unit.parse(child))

    ann.do("note", f"e0 {child} round")
    for text in ("do", "dog"):
        ann.do("name", f"e1 {child} {text}")
    assert (known().name, known().note, circuit_of(ann).nodes[child].note) == ("dog", "round", "round")
    ann.why("1")  # another circuit
    ann.why("2")
    assert (circuit_of(ann).nodes[child].name, circuit_of(ann).nodes[child].note) == ("dog", "round")
    ann.do("undo")
    ann.do("undo")
    assert known().name == circuit_of(ann).nodes[child].name == "dog"  # those were no steps of writing
    ann.do("select", child)
    ann.do("undo")
    assert (known().name, known().note, circuit_of(ann).nodes[child].name) == ("", "round", "")
    ann.do("redo")
    assert (known().name, circuit_of(ann).nodes[child].name) == ("dog", "dog")
    remember(circuit_of(ann).network.sha256, child, name="horse")  # meanwhile, in another tab
    ann.do("undo")
    ann.do("undo")
    assert circuit_of(ann).nodes[child].note == ""
    ann.do("redo")
    ann.do("redo")
    assert circuit_of(ann).nodes[child].name == "dog"
    assert known() == UnitName(Unit.parse(child), "horse", "round")


def test_a_unit_outside_the_circuit_is_named_too(ann: Person, library: Library) -> None:
    sha256 = library.network.sha256
    ann.do("page", "layers")
    layer = ann.seen["wall"]["layer"]
    unit = Unit(layer, 1)
    ann.do("unit", str(unit))
    for text in ("stri", "stripes"):
        ann.do("name", f"e1 {unit} {text}")
    assert names_of(sha256)[unit].name == "stripes"
    assert find(ann.pane, className="unit-title")[0].children == "stripes"
    assert ann.chosen["naming"] == {"id": str(unit), "label": str(unit), "name": "stripes", "note": ""}
    assert ann.seen["wall"]["names"] == {"1": "stripes"}
    ann.do("undo")
    assert not names_of(sha256)
    assert ann.chosen["naming"]["name"] == ""
    ann.do("name", f"e1 {unit} {'x' * 81}")
    assert not names_of(sha256)
    assert "80" in ann.seen["view"]["toasts"][-1]["text"]


def test_where_a_name_cannot_be_remembered_that_is_said(
    ann: Person, child: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CIRCUITS_NAMES", str(tmp_path / "file"))
    ann.do("name", f"e1 {child} dog")
    assert "Names cannot be kept" in ann.seen["view"]["toasts"][-1]["text"]
    assert circuit_of(ann).nodes[child].name == "dog"


@pytest.mark.parametrize(("kind", "most"), [("name", 80), ("note", 2000)])
def test_texts_that_are_too_long_are_refused(ann: Person, child: str, kind: str, most: int) -> None:
    ann.do(kind, f"e1 {child} {'x' * most}")
    assert getattr(circuit_of(ann).nodes[child], kind) == "x" * most
    said = ann.do(kind, f"e1 {child} {'x' * (most + 1)}")["view"]["toasts"][-1]["text"]
    assert str(most) in said
    assert getattr(circuit_of(ann).nodes[child], kind) == "x" * most


def test_a_locked_circuit_can_be_named_too(library: Library, network: Network, ann: Person, child: str) -> None:
    data = circuit_of(ann).to_dict()
    data["graph"]["network"]["sha256"] = "0" * 64
    locked = actions.with_circuit(Session(), Circuit.from_dict(data), library)
    assert locked.work.locked
    named = actions.apply(locked, Action("name", f"e1 {child} ear"), library)
    assert named.work.circuit.nodes[child].called == "ear"
    assert named.work.writing.fingerprint == "0" * 64
    assert naming(named, library)["id"] == named.work.selected


def test_no_field_is_offered_for_an_edge_or_for_nothing(ann: Person, child: str) -> None:
    ann.do("edge", f"{child} fc:2")
    assert ann.chosen["naming"] is None
    assert ann.chosen["what_if"]["unit"] == ""
    ann.do("select", "")
    ann.do("select", "")
    assert ann.chosen["naming"] is None


# ---- its own expansion


def choose(ann: Person, child: str, choice: str) -> None:
    ann.do("expansion", f"{child} {choice}")
    traced(ann)


def pressed(ann: Person) -> list[str]:
    """The choices of the expansion that are taken."""
    options = [each for each in find(ann.pane, type="button") if getattr(each, "data-action", "") == "expansion"]
    assert len(options) == 6
    taken = [json.loads(getattr(each, "data-payload")) for each in options if getattr(each, "aria-pressed") == "true"]
    return [f"{name}={value}" for each in taken for name, value in each.items() if name != "unit"]


def test_another_manner_expands_a_unit_anew_and_nothing_else(ann: Person, child: str) -> None:
    before = circuit_of(ann)
    sibling = next(edge.source for edge in before.edges_into("fc:2") if edge.source != child)
    assert pressed(ann) == ["top=3", "signs=positive"]
    choose(ann, child, "top=8")
    # No more than 7 of the layer excite it.
    assert len(circuit_of(ann).edges_into(child)) == 7
    assert pressed(ann) == ["top=8", "signs=positive"]
    choose(ann, child, "signs=both")
    edges = circuit_of(ann).edges_into(child)
    assert len(edges) == 8
    assert any(edge.attribution < 0 for edge in edges)
    assert pressed(ann) == ["top=8", "signs=both"]
    choose(ann, child, "top=3")
    assert len(circuit_of(ann).edges_into(child)) == 3
    assert circuit_of(ann).edges_into(sibling) == before.edges_into(sibling)
    assert session_of(ann).choices.top == 3
    ann.do("undo")
    assert len(circuit_of(ann).edges_into(child)) == 8


def test_a_unit_that_is_not_expanded_keeps_its_manner_until_it_is(ann: Person, child: str) -> None:
    leaf = circuit_of(ann).edges_into(child)[0].source
    ann.do("select", leaf)
    ann.do("expansion", f"{leaf} top=5")
    assert not session_of(ann).requests
    assert not circuit_of(ann).nodes[leaf].expanded
    assert pressed(ann) == ["top=5", "signs=positive"]
    ann.do("expand", leaf)
    traced(ann)
    assert len(circuit_of(ann).edges_into(leaf)) == 5
    assert pressed(ann) == ["top=5", "signs=positive"]


def test_the_manner_of_a_unit_with_fewer_below_it_is_still_the_chosen_one(library: Library, photo: Any) -> None:
    circuit = library.trace(photo, "2", Choices(depth=1, top=3), lambda *report: None)
    session = Session(Work(photo, circuit=circuit), expansions=(("fc:2", Choices(top=12)),))
    assert expansion_of(session, "fc:2").top == 12
    assert expansion_of(Session(Work(photo, circuit=circuit)), "fc:2").top == 3


@pytest.mark.parametrize("choice", ["top=4", "top=x", "signs=none", "depth=2", "way="])
def test_other_manners_are_refused(ann: Person, child: str, choice: str) -> None:
    said = ann.do("expansion", f"{child} {choice}")["view"]["toasts"][-1]["text"]
    assert "is not a way to expand a unit" in said or said.startswith("'expansion' takes unit: str, top: int")


def test_fewer_units_are_no_reason_to_say_that_there_are_no_more(ann: Person, child: str) -> None:
    choose(ann, child, "top=8")
    choose(ann, child, "top=3")
    assert ann.seen["view"]["toasts"] == []


# ---- books


def books(shown: float, rest: float, bias: float, gross: float = 20.0) -> Breakdown:
    return Breakdown((), rest, 7, bias, "bias", shown + rest + bias, 0.4, gross, True, True)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((3.8, 6.0, 0.2), (38, 60, 2)),
        ((1.0, 1.0, 1.0), (34, 33, 33)),
        ((-3.8, -6.0, -0.2), (38, 60, 2)),
        ((15.0, -6.0, 1.0), (150, -60, 10)),
        ((0.0, 0.0, 5.0), (0, 0, 100)),
    ],
)
def test_shares_are_signed_and_add_up_to_100(parts: tuple[float, float, float], expected: tuple[int, ...]) -> None:
    found = shares(books(*parts))
    assert found is not None
    assert sum(found) == 100
    assert sorted(found) == sorted(expected)
    assert all(abs(share - 100 * part / sum(parts)) < 1 for share, part in zip(found, parts, strict=True))


def test_a_value_next_to_nothing_has_no_shares_and_says_so() -> None:
    assert shares(books(5.0, -4.9, 0.0)) is None
    assert "small compared with its parts" in sum_in_words(books(5.0, -4.9, 0.0))
    assert sum_in_words(books(0.0, 0.0, 0.0, gross=0.0)).startswith("The value is zero")


def test_the_books_on_the_page_add_up_to_the_value(ann: Person, child: str) -> None:
    found = circuit_of(ann).nodes[child].books
    [line] = find(ann.pane, className="sum numbers")
    told = words(line)
    assert told.startswith("Decomposition: of the value, shown ")
    assert told.endswith(" = 100 %")
    shown = 100 * found.shown / found.value
    assert told.split()[5] in {str(int(shown)), str(int(shown) + 1)}
    assert "of everything that pushed it up or down" in pane(ann)


# ---- standing


def test_where_a_unit_stands_in_its_layer_is_told_with_its_mark(ann: Person, child: str, network: Network) -> None:
    ann.looked()
    photo = session_of(ann).work.photo
    peaks = network.activations(network.preprocessing.input_of(photo), ["c"])["c"][0].amax((1, 2))
    channel = Unit.parse(child).channel
    rank = 1 + int((peaks > peaks[channel]).sum())
    place = "most" if rank == 1 else f"{rank}{ {2: 'nd', 3: 'rd'}.get(rank, 'th') } most"
    assert f"The {place} active of the 20 channels" in pane(ann)
    [histogram] = find(ann.pane, className="bars")
    assert f"{child} is at " in getattr(histogram, "aria-label")
    assert [bar.className for bar in histogram.children].count("own") == 1
    counts = [int(bar.title.split(": ")[1].split()[0]) for bar in histogram.children]
    assert sum(counts) == 20
    own = next(bar for bar in histogram.children if bar.className == "own")
    low, high = (float(edge) for edge in own.title.split(":")[0].split(" to "))
    assert low - 0.01 <= float(peaks[channel]) <= high + 0.01


def test_the_mark_is_in_the_bin_that_numpy_counted_the_unit_in() -> None:
    edges = (0.0, 1.0, 2.0, 3.0)
    found = [bin_of(Standing(Unit("a", 0), peak, 1, 4, 0, (1, 1, 2), edges)) for peak in (0.0, 0.99, 1.0, 2.5, 3.0)]
    assert found == [0, 0, 1, 2, 2]


# ---- measured edges


def test_edges_are_measured_on_demand_and_judged_in_words(ann: Person, child: str) -> None:
    assert find(ann.pane, **does("measure", child))
    assert all(edge.ablation is None for edge in circuit_of(ann).edges_into(child))
    ann.do("measure", child)
    traced(ann)
    edges = circuit_of(ann).edges_into(child)
    assert all(edge.ablation is not None for edge in edges)
    against = sum(edge.disagrees for edge in edges)
    assert (f"{against} of 3 edges disagree." if against else "All 3 edges agree.") in pane(ann)
    assert not find(ann.pane, **{"data-action": "measure"})
    edge = edges[0]
    ann.do("edge", f"{edge.source} {child}")
    assert verdict(circuit_of(ann), edge) in pane(ann)
    assert f"{child} {'drops' if edge.ablation > 0 else 'rises'} by" in pane(ann)
    ann.do("undo")
    assert circuit_of(ann).edges_into(child)[0].ablation is None
    assert "Measure its edges" in pane(ann)


def cells(person: Person) -> list[list[str]]:
    """The table of what was measured."""
    [table] = find(person.pane, className="ablations small")
    return [[words(cell) for cell in row.children] for row in table.children[1].children]


def test_each_attribution_stands_beside_what_is_really_lost_and_so_does_what_is_shown(ann: Person, child: str) -> None:
    ann.do("measure", child)
    traced(ann)
    circuit = circuit_of(ann)
    edges, node = circuit.edges_into(child), circuit.nodes[child]
    [found] = node.measured
    *rows, last = cells(ann)
    for row, edge in zip(rows, edges, strict=True):
        assert row[0].startswith(edge.source)
        assert row[1:] == [number(edge.attribution, sign=True), number(edge.ablation, sign=True)]
        assert [WARNING_SIGNS[name] in row[0] for name in WARNINGS] == [name in edge.warnings for name in WARNINGS]
    assert last == ["shown together", number(node.books.shown, sign=True), number(found.joint, sign=True)]
    assert (
        f"Set to zero: {ranks_in_words(found)} {error_in_words(found)} When all 3 are ablated together, "
        f"{child} drops by " in said(ann)
    )
    [press] = find(ann.pane, **does("edge", f"{edges[0].source} {child}"))
    assert press.children == edges[0].source


def test_where_there_is_an_index_the_mean_over_it_is_measured_too(
    ann: Person, child: str, collection: PaintedCollection
) -> None:
    collection.photos = 9
    ann.do("measure", child)
    traced(ann)
    circuit = circuit_of(ann)
    assert [row[3] for row in cells(ann)[:-1]] == [
        number(edge.ablation_mean, sign=True) for edge in circuit.edges_into(child)
    ]
    zero, mean = circuit.nodes[child].measured
    assert cells(ann)[-1][2:] == [number(found.joint, sign=True) for found in (zero, mean)]
    assert f"Set to their mean over squares (9 photos): {ranks_in_words(mean)}" in said(ann)
    edge = circuit.edges_into(child)[0]
    ann.do("edge", f"{edge.source} {child}")
    bars = [words(row) for row in find(ann.pane, className="two-bars")[0].children]
    assert [" ".join(bar.split()) for bar in bars] == [
        f"{label} {number(value, sign=True)}"
        for label, value in [
            ("attribution", edge.attribution), ("set to zero", edge.ablation), ("to its mean", edge.ablation_mean),
            ("integrated", edge.integrated),
        ]
    ]  # fmt: skip


def test_an_index_without_some_layer_is_left_out(library: Library, photo: Any, network: Network) -> None:
    partial = Library(network, library.gallery, lambda: Baseline("mean", "one", {"c": torch.zeros(20)}))
    circuit = library.trace(photo, "2", Choices(depth=1, top=3), lambda *report: None)
    measured = partial.measure(circuit, "fc:2", lambda *report: None)
    assert [found.baseline for found in measured.nodes["fc:2"].measured] == ["zero"]


def test_shares_are_measured_from_the_mean_where_there_is_one(ann: Person, collection: PaintedCollection) -> None:
    assert find(ann.seen["settings"], id="baseline-mean", disabled=True)
    ann.do("set", "baseline=mean")
    [toast] = ann.poll()["toasts"]
    assert toast["text"].startswith("There are no means of tiny's units yet; make an index of photos")
    collection.photos = 9
    ann.do("set", "baseline=mean")
    assert not find(ann.seen["settings"], id="baseline-mean", disabled=True)
    ann.why("2")
    circuit = circuit_of(ann)
    assert (circuit.settings.baseline, circuit.baseline.source) == ("mean", "squares (9 photos)")
    told = "Shares are measured from each unit's mean over squares (9 photos); "
    assert words(ann.seen["story"]).endswith(f"{told}base is what the means alone give.")
    assert "+ base " in pane(ann).replace("−", "+")
    edge = circuit.edges_into("fc:2")[0]
    ann.do("measure", "fc:2")
    traced(ann)
    ann.do("edge", f"{edge.source} fc:2")
    assert f"drops by {number(edge.attribution)} when {edge.source} is set to its mean" in pane(ann)
    ann.do("select", edge.source)
    ann.looked()
    assert "How much each logit would drop (+) or rise (−) with its mean in its place. Measured by ablation: " in pane(
        ann
    )
    _, file = ann.export()
    collection.photos = 0
    ann.send(json.dumps(file).encode(), "mean.json", kind="circuit")  # which carries its means
    ann.do("collapse", edge.source)
    ann.do("expand", edge.source)
    traced(ann)
    grown = circuit_of(ann).nodes[edge.source].books
    assert grown is not None
    assert grown.bias_name == "base"


def test_what_all_shown_units_do_is_asked_for_again_when_others_are_shown(ann: Person, child: str) -> None:
    ann.do("measure", child)
    traced(ann)
    assert not find(ann.pane, **{"data-action": "measure"})
    ann.do("discard", circuit_of(ann).edges_into(child)[1].source)
    ann.do("select", child)
    assert "The units shown have changed since the measurement." in pane(ann)
    assert cells(ann)[-1][2] == ""
    ann.do("measure", child)
    traced(ann)
    assert cells(ann)[-1][2] == number(circuit_of(ann).nodes[child].measured[0].joint, sign=True)
    assert "Other units" not in pane(ann)


def test_a_doubtful_edge_is_marked_in_the_pane_of_its_unit_and_explained_in_its_own(
    ann: Person, child: str, library: Library
) -> None:
    ann.do("measure", child)
    traced(ann)
    circuit = circuit_of(ann)
    data, first = circuit.to_dict(), circuit.edges_into(child)[0]
    row = next(row for row in data["edges"] if (row["source"], row["target"]) == (first.source, child))
    row |= {"positive": 5.0, "negative": -4.9, "integrated": 9.0, "ablation": first.attribution}
    ann.send(Circuit.from_dict(data).to_json_text().encode(), "doubtful.json", "circuit")
    ann.do("refresh")
    ann.do("select", child)
    doubts = [mark.children[1] for mark in find(ann.pane, className="doubt cancels")]
    assert doubts == ["parts cancel"]
    assert [mark.children[1] for mark in find(ann.pane, className="doubt saturates")][:1] == ["saturated"]
    drawn = next(
        edge for edge in ann.seen["view"]["edges"] if (edge["source"], edge["target"]) == (first.source, child)
    )
    assert drawn["marks"] == "±∫"
    assert drawn["spoken"].endswith(", parts cancel, saturated or past a threshold")
    ann.do("edge", f"{first.source} {child}")
    told = said(ann)
    assert f"Parts cancel. {first.source} excites {child} in some places (+5.00)" in told
    assert "Saturated. " in told
    assert "integrated along the path +9.00" in told


@pytest.mark.parametrize(
    ("attribution", "ablation", "expected"),
    [
        (2.0, 1.5, "Agrees: tree drops by 1.50 when"),
        (2.0, -1.5, "by ablation, c:1 inhibits it; tree rises by 1.50 when"),
        (-2.0, 1.5, "by ablation, c:1 excites it; tree drops by 1.50 when"),
        (2.0, 0.5, "Disagrees: ablation gives less than half the attribution"),
        (2.0, 4.5, "Disagrees: ablation gives more than twice the attribution"),
        (2.0, 0.0, "tree does not change when"),
    ],
)
def test_a_verdict_says_what_ablation_says(
    library: Library, photo: Any, attribution: float, ablation: float, expected: str
) -> None:
    circuit = library.trace(photo, "2", Choices(depth=1, top=20, signs="both"), lambda *report: None)
    edge = Edge("c:1", "fc:2", attribution, 1, ablation)
    assert "c:1" in circuit.nodes
    assert expected in verdict(circuit, edge)
    assert verdict(circuit, edge).startswith("Disagrees") == edge.disagrees


def test_what_cannot_be_measured_is_refused_in_a_sentence(ann: Person, child: str, library: Library) -> None:
    leaf = circuit_of(ann).edges_into(child)[0].source
    assert "is not expanded" in ann.do("measure", leaf)["view"]["toasts"][-1]["text"]
    data = circuit_of(ann).to_dict()
    data["graph"]["network"]["sha256"] = "0" * 64
    locked = actions.with_circuit(Session(), Circuit.from_dict(data), library)
    with pytest.raises(InputError, match="of another network"):
        actions.apply(locked, Action("measure", child), library)


# ---- what the browser is told of what if


def test_the_browser_is_told_what_can_be_changed_and_where(ann: Person, child: str) -> None:
    ann.looked()
    told = ann.chosen["what_if"]
    assert (told["unit"], told["refused"], told["at"]) == (child, "", False)
    assert told["places"][0][1:] == list(circuit_of(ann).nodes[child].peak)
    ann.do("select", "fc:2")
    assert "tree is a class itself" in ann.chosen["what_if"]["refused"]


def test_the_stamp_changes_with_the_photo_and_the_target_and_with_nothing_else(
    ann: Person, child: str, library: Library
) -> None:
    before = stamp(session_of(ann))
    ann.do("name", f"e1 {child} ear")
    choose(ann, child, "top=8")
    assert stamp(session_of(ann)) == before
    ann.why("0")
    assert stamp(session_of(ann)) != before


def test_a_locked_circuit_says_why_nothing_can_be_changed(ann: Person, child: str, library: Library) -> None:
    data = circuit_of(ann).to_dict()
    data["graph"]["network"]["sha256"] = "0" * 64
    locked = actions.with_circuit(Session(), Circuit.from_dict(data), library)
    told = what_if(locked, library, {})
    assert "of another network" in told["refused"]
    assert told["places"] == []
