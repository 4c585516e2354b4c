"""What is on the page, from the session: numbers, words, widths, figures, panels."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from circuits import trace
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.report.text import number, percent
from circuits.tracing.circuit import Circuit
from circuits.tracing.trace import discard
from dashboard.answers import Breakdown, Part
from dashboard.breakdowns import inspect, would_show
from dashboard.features.evaluation import view as scores
from dashboard.features.evaluation.queries import ShownScore
from dashboard.features.graph import view
from dashboard.features.graph.drawing import Drawings
from dashboard.features.target import view as panels
from dashboard.features.unit import charts
from dashboard.features.unit import decomposition_panel as books_panel
from dashboard.features.unit import view as inspector
from dashboard.library import Library
from dashboard.session.questions import Wish
from dashboard.session.state import Choices, Request, Session, Work
from dashboard.work.evidence import Evidence
from dashboard.work.queue import Report
from dashboard.work.status import status as status_of
from dashboard.work.tiles import Tile
from tests.support import actions
from tests.support.actions import does
from tests.support.parts import words
from tests.support.pretend import PaintedCollection


def find(component: Any, **wanted: Any) -> list[Any]:
    """All components inside that have these properties."""
    if isinstance(component, list | tuple):
        return [found for part in component for found in find(part, **wanted)]
    if not hasattr(component, "to_plotly_json"):
        return []
    properties = component.to_plotly_json()["props"]
    own = [component] if all(properties.get(name) == value for name, value in wanted.items()) else []
    return own + find(properties.get("children"), **wanted)


@pytest.fixture
def circuit(network: Network, photo: Photo) -> Circuit:
    return trace(network, photo, 4, depth=2, top=4, signs="both")


@pytest.fixture
def session(circuit: Circuit, photo: Photo, library: Library) -> Session:
    begun = actions.with_photo(Session(), photo, library)
    return begun.changed(Work(photo, begun.work.predictions, circuit, circuit.root))


def drawn(session: Session, library: Library, had: str = "") -> dict[str, Any]:
    work = session.work
    if work.circuit is None:
        return view.graph(session, None)
    drawing = Drawings(library.channels).of(work.circuit, (), work.folded, locked=bool(work.locked))
    return view.graph(session, drawing, had)


def inspected(session: Session, library: Library, name: str) -> Any:
    return inspect(library, session.work.circuit, name, session.work.locked)


def test_the_view_is_json_and_holds_every_visible_unit_and_edge(session: Session, library: Library) -> None:
    found = json.loads(json.dumps(drawn(session, library), allow_nan=False))
    circuit = session.work.circuit
    assert {node["id"] for node in found["nodes"]} == circuit.visible
    assert len(found["edges"]) == sum(len(circuit.edges_into(name)) for name in circuit.visible)


def test_shares_of_a_units_edges_add_up_to_its_coverage(circuit: Circuit) -> None:
    for name in circuit.visible:
        books = circuit.nodes[name].books
        if books is not None:
            held = sum(abs(circuit.share(edge)) for edge in circuit.edges_into(name))
            assert held == pytest.approx(books.coverage, rel=1e-6)


def test_stronger_edges_are_wider_and_inhibiting_ones_are_marked(session: Session, library: Library) -> None:
    circuit = session.work.circuit
    edges = {(edge["source"], edge["target"]): edge for edge in drawn(session, library)["edges"]}
    into = circuit.edges_into(circuit.root)
    widths = [edges[edge.source, edge.target]["width"] for edge in into]
    assert widths == sorted(widths, reverse=True)
    assert [edges[edge.source, edge.target]["inhibits"] for edge in into] == [edge.attribution < 0 for edge in into]
    assert any(edge["inhibits"] for edge in edges.values())


def test_rows_name_the_layers_with_their_sizes(session: Session, library: Library) -> None:
    rows = drawn(session, library)["rows"]
    assert [(row["layer"], row["detail"]) for row in rows] == [
        ("fc", "6 classes"), ("c", "20 channels"), ("b", "16 channels"),
    ]  # fmt: skip


def test_units_say_in_words_what_they_do(session: Session, library: Library) -> None:
    circuit = session.work.circuit
    nodes = {node["id"]: node for node in drawn(session, library)["nodes"]}
    assert nodes[circuit.root]["spoken"].startswith("<b>ship</b>, expanded, ")
    best = circuit.edges_into(circuit.root)[0]
    verb = "inhibits" if best.attribution < 0 else "excites"
    part = percent(abs(circuit.share(best)))
    assert nodes[best.source]["spoken"].startswith(f"{best.source}, {verb} <b>ship</b>, {part}, expanded")
    assert "rank 1" in nodes[best.source]["title"]


def test_what_is_worked_out_is_said_beside_a_drawing_that_stays(session: Session, library: Library) -> None:
    leaf = next(name for name in sorted(session.work.circuit.visible) if name.startswith("b:"))
    busy = actions.apply(session, actions.Action("expand", leaf), library)
    found = drawn(busy, library)
    assert found["busy"] == [leaf]
    again = drawn(busy, library, had=found["drawing"])
    assert (again["busy"], again["drawing"], again["nodes"]) == ([leaf], found["drawing"], None)
    assert Tile("ready", "picture/1.webp").facts()["picture"] == "picture/1.webp"


def test_without_a_circuit_there_is_nothing_to_draw(library: Library) -> None:
    found = drawn(Session(), library)
    assert (found["nodes"], found["edges"], found["rows"]) == ([], [], [])
    assert (found["circuit"], found["drawing"], found["selected"], found["edge"]) == ("", "", "", [])


@pytest.mark.parametrize(
    ("rendering", "paused", "text", "flags"),
    [
        (Report("running", "c", 2, 9, 0.5, 21.0), False, "Rendering c: 2 of 9 pictures, about 20 s left", (1, 1, 0)),
        (Report("queued", "c:7", 1, 4), False, "Waiting for the renderer; 3 pictures to go", (1, 1, 0)),
        (Report(), True, "Rendering cancelled; 3 pictures missing", (0, 0, 1)),
    ],
)  # fmt: skip
def test_the_status_line_says_what_is_rendered(
    session: Session, rendering: Report, paused: bool, text: str, flags: tuple[int, int, int]
) -> None:
    paused_session = Session(session.work, paused=paused)
    status = status_of(paused_session, Report(), rendering, missing=3, failed=0)
    assert status.text == text
    assert (status.live, status.can_cancel, status.can_resume) == flags


def test_the_status_line_says_what_is_traced_before_anything_else(session: Session) -> None:
    asking = Session(session.work, requests=(Request(1, "why", Wish("0")),))
    status = status_of(asking, Report("running", "Expanding c:3", 0, 1, 0.4), Report("running"), missing=1, failed=0)
    assert (status.text, status.done, status.live) == ("Expanding c:3 …", 0.4, True)


def test_the_status_line_counts_units_when_all_is_done(session: Session) -> None:
    circuit = session.work.circuit
    edges = sum(len(circuit.edges_into(name)) for name in circuit.visible)
    idle = status_of(session, Report(), Report(), missing=0, failed=0)
    assert idle.text == f"{len(circuit.visible) - 1} units and the class, {edges} edges"
    broken = status_of(session, Report(), Report(), missing=2, failed=2, reason="\nno memory\nat all", refining=900.0)
    assert (broken.text, broken.can_retry, broken.can_refine) == ("2 pictures failed: no memory", True, True)
    assert status_of(Session(), Report(), Report(), missing=0, failed=0).text == "Choose a photo to begin"


def test_bars_add_up_to_the_value_and_name_the_rest_and_the_bias(session: Session, library: Library) -> None:
    for name in session.work.circuit.visible:
        broken = inspected(session, library, name).breakdown
        broken = broken or would_show(library, session.work.circuit, name, Choices(top=4))
        labels, said, lengths = bars_of(broken)
        below = {"fc": 20, "c": 16, "b": 12}[session.work.circuit.nodes[name].unit.layer]
        assert labels[-3:] == [f"rest ({below - len(broken.parts)} units)", "bias", "value"]
        values = [part.attribution for part in broken.parts] + [broken.rest, broken.bias, broken.value]
        assert sum(values[:-1]) == pytest.approx(values[-1], rel=1e-4, abs=1e-5)
        assert said == [number(value, sign=True) for value in values[:-1]] + [number(values[-1])]
        span = max(0.0, *values) - min(0.0, *values)
        ends = [sorted((value - min(0.0, *values), -min(0.0, *values))) for value in values]
        assert lengths == [
            (pytest.approx(100 * left / span, abs=0.01), pytest.approx(100 * (right - left) / span, abs=0.01))
            for left, right in ends
        ]


def bars_of(broken: Breakdown) -> tuple[list[str], list[str], list[tuple[float, float]]]:
    """Of each bar its label, its number, and where it begins and how long it is, in percent of the width."""
    rows = charts.contributions(broken).children[0].children
    bars = [row.children[1].children.children[1] for row in rows]
    return (
        [row.children[0].children.children for row in rows],
        [row.children[2].children for row in rows],
        [(float(bar.style["left"][:-1]), float(bar.style["width"][:-1])) for bar in bars],
    )


def test_all_zero_has_bars_of_no_length() -> None:
    labels, said, lengths = bars_of(Breakdown((), 0.0, None, 0.0, "remainder", 0.0, 1.0, 0.0, False, True))
    assert (labels, said) == (["rest", "remainder", "value"], [number(0.0, sign=True)] * 2 + [number(0.0)])
    assert lengths == [(0.0, 0.0)] * 3


def test_a_unit_that_is_not_expanded_shows_what_expanding_would_find(session: Session, library: Library) -> None:
    leaf = next(name for name in sorted(session.work.circuit.visible) if name.startswith("b:"))
    assert inspected(session, library, leaf).breakdown is None
    broken = would_show(library, session.work.circuit, leaf, Choices(top=4))
    assert not broken.expanded
    grown = library.expand(session.work.circuit, leaf, Choices(top=4, signs="both"))
    assert [part.name for part in broken.parts] == [edge.source for edge in grown.edges_into(leaf)]
    assert broken.coverage == pytest.approx(grown.nodes[leaf].books.coverage, rel=1e-5)


def test_the_lowest_layer_has_a_heat_map_and_no_contributions(session: Session, library: Library) -> None:
    leaf = next(name for name in sorted(session.work.circuit.visible) if name.startswith("b:"))
    grown = library.expand(session.work.circuit, leaf, Choices())
    bottom = grown.edges_into(leaf)[0].source
    found = inspect(library, grown, bottom, "")
    assert found.breakdown is None
    heat = Evidence(library, PaintedCollection()).heat(library.network, grown, grown.nodes[bottom].unit)
    assert Image.open(io.BytesIO(heat.data)).size == (340, 340)
    assert found.frozen == f"{bottom} is in the lowest layer; only the image is below it."


def test_the_words_say_how_much_of_the_answer_is_shown() -> None:
    def said(count: int, *, exact: bool = True, target: bool = False) -> str:
        parts = tuple(Part(str(n), str(n), 1.0) for n in range(count))
        broken = Breakdown(parts, 0, 3, 0, "bias", 1, 0.58, 2, exact, True)
        return books_panel.books_in_words(broken, in_target_units=target)

    everything = "of everything that pushed it up or down; the other 3 channels hold the rest."
    assert said(5) == f"The 5 channels shown account for 58 % {everything}"
    assert said(1) == f"The channel shown accounts for 58 % {everything}"
    assert said(0) == "None of the 3 channels below it is shown."
    assert "The remainder is not attributed to any unit" in said(2, exact=False)
    assert said(2, target=True).endswith("in units of the target.")


def test_the_right_pane_tells_of_the_chosen_unit(session: Session, library: Library) -> None:
    name = session.work.circuit.edges_into(session.work.circuit.root)[0].source
    chosen = actions.apply(session, actions.Action("select", name), library)
    pane = inspector.unit(
        chosen, chosen.work.circuit, inspected(chosen, library, name), Tile("ready", "picture/1.webp"), 12.5
    ).parts
    text = words(pane)
    assert name in text
    assert number(session.work.circuit.nodes[name].value) in text
    assert "activation up to 12.5 in this picture" in text
    assert find(pane, **{"data-action": "more", "disabled": False})
    assert find(pane, **{"data-action": "discard", "disabled": False})


def test_the_right_pane_says_what_the_unit_holds_of_those_above(session: Session, library: Library) -> None:
    circuit = session.work.circuit
    name = max(circuit.visible, key=lambda name: sum(circuit.graph.has_edge(name, above) for above in circuit.visible))
    above = [edge for upper in circuit.visible for edge in circuit.edges_into(upper) if edge.source == name]
    above.sort(key=lambda edge: -abs(circuit.share(edge)))
    assert len(above) > 1
    chosen = actions.apply(session, actions.Action("select", name), library)
    pane = inspector.unit(chosen, chosen.work.circuit, inspected(chosen, library, name), Tile("none"), None).parts
    for edge in above[:4]:
        assert find(pane, **does("select", edge.target))
    assert f"accounts for {percent(circuit.share(above[0]))} of the attribution to {above[0].target}" in words(pane)


def test_the_target_cannot_be_discarded_and_the_pane_says_why(session: Session, library: Library) -> None:
    pane = inspector.unit(
        session, session.work.circuit, inspected(session, library, session.work.selected), Tile("waiting"), None
    ).parts
    assert find(pane, **{"data-action": "discard", "disabled": True})
    assert "The target itself cannot be discarded." in words(pane)
    assert "on its way …" in words(pane)


def test_discarded_units_are_listed_with_a_way_back(session: Session) -> None:
    name = session.work.circuit.edges_into(session.work.circuit.root)[0].source
    smaller = session.changed(Work(circuit=discard(session.work.circuit, name)))
    pane = scores.pane(smaller, smaller.work.circuit, ShownScore()).parts
    assert "Discarded (1)" in words(pane)
    assert find(pane, **does("restore", name))


def test_predictions_have_a_bar_a_chance_and_a_question(session: Session, library: Library) -> None:
    rows = panels.predictions(session, library)
    assert len(rows) == 5
    first = session.work.predictions[0]
    assert f"{first.probability * 100:.1f} %" in words(rows[0])
    assert find(rows[0], **does("why", str(first.index)))
    explained = [row for row in rows if "explained" in row.className]
    assert [words(row).split()[0] for row in explained] == ["<b>ship</b>"]


def test_the_empty_page_says_what_to_do(library: Library, photo: Photo) -> None:
    assert find(panels.invitation(Session()), **{"data-action": "example"})
    begun = actions.with_photo(Session(), photo, library)
    best = begun.work.predictions[0]
    assert find(panels.invitation(begun), **does("why", str(best.index)))
    assert f"The network says: {best.label}" in words(panels.invitation(begun))
    assert "see the channels that contributed" in words(panels.invitation(begun))
    by_groups = replace(begun, choices=replace(begun.choices, groups=8))
    assert "see the groups that contributed most to it, what they look for, and the groups below" in words(
        panels.invitation(by_groups)
    )
    asked = actions.apply(begun, actions.Action("why", "1"), library)
    assert "Tracing the circuit" in words(panels.invitation(asked))


def test_settings_show_what_is_chosen_and_what_it_means(library: Library) -> None:
    session = actions.apply(Session(), actions.Action("set", "mode=ablate"), library)
    rows = panels.settings(session, library.depths, library.modes)
    pressed = [words(button) for row in rows for button in find(row, **{"aria-pressed": "true"})]
    assert pressed == ["2", "5", "excitatory only", "ablation", "zero"]
    assert "measured change when a unit is set to its baseline" in words(rows[-2])
    assert library.depths == (1, 2, 3)
    assert "The mean needs an index of photos" in words(rows[-1])
    [refused] = find(rows[-1], id="baseline-mean", disabled=True)
    assert words(refused) == "the mean"


def test_the_story_says_what_is_explained_and_how_much_of_it(session: Session, library: Library) -> None:
    root = session.work.circuit.nodes[session.work.circuit.root]
    told = words(panels.story(session, library))
    assert told.startswith(f"The logit for <b>ship</b> is {number(root.value)}.")
    assert f"account for {percent(root.books.coverage)} of everything that pushed it up or down" in told
    assert panels.story(Session(), library) == []


def test_values_in_units_of_the_target_are_called_so(network: Network, photo: Photo, library: Library) -> None:
    circuit = trace(network, photo, 4, depth=2, top=3, mode="target")
    name = circuit.edges_into(circuit.root)[0].source
    session = Session(Work(photo, (), circuit, name))
    pane = inspector.unit(session, session.work.circuit, inspected(session, library, name), Tile("none"), None).parts
    assert "share of the target" in words(pane)
    assert "in units of the target" in words(pane)
