"""How good the circuit on the page is, without a browser: what is asked and shown, and the card as a file."""

import json
import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from torch import fx

import circuits
from circuits.errors import InputError
from circuits.evaluation.card import Card, fingerprint_of
from circuits.evaluation.estimates import Estimate
from circuits.evaluation.evaluate import evaluate
from circuits.evaluation.statistics import ScoreRow
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.report.card_words import left_out
from circuits.report.text import number, share
from circuits.tracing.circuit import Circuit
from dashboard import layout as toolbar
from dashboard.app import Page, PageSettings, create_page
from dashboard.features.evaluation import queries as scores
from dashboard.features.evaluation.bars import verdict
from dashboard.features.evaluation.chart import points_of
from dashboard.features.evaluation.view import rarest
from dashboard.session.state import Session
from dashboard.work.queue import Report
from dashboard.work.status import status as status_of
from tests.support.actions import does
from tests.support.parts import every, facts, find, words
from tests.support.person import ANN, BOB, Person
from tests.support.pretend import PaintedCollection, PaintedGallery, tiny_network

PERCENT = str.maketrans({"\u00a0": " "})


def session_of(person: Person) -> Session:
    return person.callbacks.sessions.tab(person.name).session


def circuit_of(person: Person) -> Circuit:
    return session_of(person).work.circuit


def pane(person: Person) -> str:
    return words(person.pane).translate(PERCENT)


def scored(person: Person, subject: str = "") -> Card:
    """Have the circuit scored, wait, and look; the card."""
    person.do("score", subject)
    return looked(person)


def looked(person: Person) -> Card | None:
    """Wait until nothing is scored any more, and look; the card of the circuit as it is."""
    background = person.callbacks.work
    assert background.scoring.wait(person.name, seconds=60)
    person.do("refresh")
    return scores.card_of(session_of(person), background.evidence, background.results)


STAGES = dict(scores.STAGES)
SMALL = {"ladder": (1, 2, 3), "stability": 3, "draws": 3, "resamples": 50}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole card takes longer than most tests need."""
    sizes = {name: {**SMALL, **parts} for name, parts in STAGES.items()}
    monkeypatch.setattr(scores, "STAGES", sizes)


@pytest.fixture
def asked(ann: Person) -> Person:
    """Ann at the circuit of tree, with nothing chosen."""
    ann.why("2")
    ann.do("select", "")
    ann.looked()
    return ann


@pytest.fixture
def client(page: Page) -> Any:
    return page.dash.server.test_client()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Scoring stands still, and can be cancelled, until the event is set."""
    gate = threading.Event()

    def slow(network: Network, circuit: Circuit, photos: Any, *, progress: Any, **parts: Any) -> Card:
        while not gate.wait(timeout=0.01):
            progress(1, 4, "Choosing controls")
        return evaluate(network, circuit, photos, progress=progress, **parts)

    monkeypatch.setattr(scores, "evaluate", slow)
    yield gate
    gate.set()


class Masked(fx.Interpreter):
    """A network in which some channels of some layers are silent."""

    def __init__(self, network: Network, kept: dict[str, torch.Tensor]) -> None:
        super().__init__(network.traced)
        self.kept = {network.layer(layer).node.name: mask for layer, mask in kept.items()}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        return value * self.kept[n.name][None, :, None, None] if n.name in self.kept else value


def logit(network: Network, photo: Photo, number: int, kept: dict[str, torch.Tensor]) -> float:
    """A class's logit in a photo when only some channels speak."""
    with torch.no_grad():
        return float(Masked(network, kept).run(network.preprocessing.input_of(photo))[0, number])


# ---- asking


def test_the_stage_and_the_pane_of_nothing_offer_to_score_and_say_what_that_is(asked: Person) -> None:
    [button] = find(toolbar.stage(), **{"data-action": "score"})
    assert (button.children, button.hidden) == ("How good is this circuit?", True)
    assert find(asked.pane, className="unit-title")[0].children == "How good is this circuit?"
    assert "see how much of tree is left" in pane(asked)
    assert [each.children for each in find(asked.pane, **{"data-action": "score"})] == ["Score it"]
    assert session_of(asked).scoring is None


def test_the_scores_are_those_of_the_slow_definition(asked: Person, network: Network, photo: Photo) -> None:
    scored(asked)
    circuit = circuit_of(asked)
    mine = {name: torch.zeros(network.layer(name).channels) for name in ("b", "c")}
    for name in circuit.visible - {circuit.root}:
        mine[circuit.nodes[name].unit.layer][circuit.nodes[name].unit.channel] = 1.0
    others = {name: 1 - mask for name, mask in mine.items()}
    silent = {name: 0 * mask for name, mask in mine.items()}
    whole, alone, without, nothing = (logit(network, photo, 2, kept) for kept in ({}, mine, others, silent))
    faithfulness, completeness = ((value - nothing) / (whole - nothing) for value in (alone, without))
    numbers = [words(each) for each in find(asked.pane, className="numbers big")]
    assert numbers[:2] == [f"{share(faithfulness)} {number(alone)}", f"{share(completeness)} {number(without)}"]
    assert abs(faithfulness) > 0.02
    terms = [words(part) for part in every(asked.pane) if type(part).__name__ == "Dt"]
    units, edges = len(circuit.visible) - 1, circuit.graph.number_of_edges()
    assert terms[:3] == [
        f"Kept by its {units} units alone",
        "Remaining when they are ablated",
        f"Kept by its {edges} edges alone",
    ]


def test_bars_begin_at_zero_and_share_one_scale(asked: Person) -> None:
    card = scored(asked)
    row = card.row("circuit")
    found = [each.value for r in card.rows if r.metric == "value" for each in (r.faithfulness, r.completeness)]
    low, high = max(-1.0, min([0.0, *found])), min(2.0, max([1.0, row.edges.value, *found]))
    bars = [facts(bar)["children"] for bar in find(asked.pane, className="bar")]
    kept = next(each for each in bars[0] if getattr(each, "className", "") == "kept").style
    left, width = (float(kept[side].rstrip("%")) for side in ("left", "width"))
    ends = sorted(100 * (min(max(value, low), high) - low) / (high - low) for value in (0.0, row.faithfulness.value))
    assert [left, left + width] == pytest.approx(ends, abs=0.11)


def test_first_the_circuit_alone_is_shown_then_controls_then_the_whole_card(
    asked: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "STAGES", STAGES)
    begun, gates = [], [threading.Event() for _ in range(3)]

    def slow(network: Network, circuit: Circuit, photos: Any, *, progress: Any, **parts: Any) -> Card:
        begun.append(sorted(parts))
        gates[len(begun) - 1].wait(timeout=60)
        return evaluate(network, circuit, photos, progress=progress, **parts)

    monkeypatch.setattr(scores, "evaluate", slow)
    asked.do("score")
    seen = []
    for stage, gate in enumerate(gates):
        before = asked.poll()["evidence"]
        gate.set()
        if stage < 2:
            while asked.poll()["evidence"] == before:
                threading.Event().wait(0.01)
            asked.do("look", str(asked.seen["view"]["revision"]))
        else:
            looked(asked)
        seen.append(
            (len(find(asked.pane, scope="row")), len(find(asked.pane, role="img")), "Save the card" in pane(asked))
        )
    assert [parts for parts, *_ in seen] == [0, 6, 6]
    assert [rest for _, *rest in seen] == [[0, False], [0, False], [1, True]]
    stages = [["baselines", "controls", "ladder", "stability"], ["baselines", "ladder", "stability"], ["baselines"]]
    assert begun == stages


def test_the_status_line_says_what_goes_on_and_cancel_stops_it(asked: Person, held: threading.Event) -> None:
    asked.do("score")
    status = asked.poll()
    while "controls" not in status["text"]:
        status = asked.poll()
    assert (status["text"], status["can_cancel"], status["looking"]) == ("Choosing controls …", True, True)
    asked.do("pause")
    assert asked.callbacks.work.scoring.wait(ANN, seconds=30)
    status = asked.poll()
    assert (status["looking"], "units" in status["text"]) == (False, True)
    assert "Cancelled before everything was computed." in pane(asked)
    assert [each.children for each in find(asked.pane, **{"data-action": "score"})] == ["Go on"]
    held.set()
    assert scored(asked) is not None
    assert "Cancelled" not in pane(asked)


def test_scoring_goes_before_rendering_in_the_status_line(asked: Person) -> None:
    scoring = Report("running", "Choosing controls", 1, 3, 0.5)
    status = status_of(session_of(asked), Report(), Report("running", "b:1", 0, 4), scoring, missing=4, failed=0)
    assert (status.text, status.done, status.total) == ("Choosing controls …", 1.5, 3)
    queued = status_of(session_of(asked), Report(), Report(), Report("queued", total=3), missing=0, failed=0)
    assert queued.text == "Waiting to score the circuit"


def test_who_asks_for_the_same_shares_the_work(page: Page, asked: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*given: Any, **parts: Any) -> Card:
        calls.append(parts)
        return evaluate(*given, **parts)

    monkeypatch.setattr(scores, "evaluate", counted)
    bob = Person(page, BOB)
    bob.why("2")
    first = scored(asked)
    assert scored(bob).to_json_text() == first.to_json_text()
    assert len(calls) == len(scores.STAGES)


# ---- another circuit


def test_a_changed_circuit_has_no_score_until_it_is_asked_again(asked: Person) -> None:
    before = scored(asked)
    child = circuit_of(asked).edges_into("fc:2")[0].source
    asked.do("discard", child)
    asked.do("select", "")
    assert looked(asked) is None
    assert "The circuit has changed since it was scored; these numbers are from before the change." in pane(asked)
    assert find(asked.pane, className="numbers big")[0].children[0] == share(before.row("circuit").faithfulness.value)
    assert "Save the card" not in pane(asked)
    assert [each.children for each in find(asked.pane, **{"data-action": "score"})] == ["Score it again"]
    after = scored(asked)
    assert after.circuit["units"] < before.circuit["units"]
    assert "has changed" not in pane(asked)


def test_undo_brings_the_old_score_back_without_asking_the_network(
    asked: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = scored(asked)
    monkeypatch.setattr(scores, "evaluate", lambda *given, **parts: pytest.fail("scored again"))
    asked.do("discard", circuit_of(asked).edges_into("fc:2")[0].source)
    asked.do("undo")
    asked.do("select", "")
    assert looked(asked).to_json_text() == before.to_json_text()
    assert "has changed" not in pane(asked)


@pytest.mark.parametrize("change", ["name e1 {} dog head", "note e1 {} seen twice"])
def test_what_a_unit_is_called_is_no_other_circuit(asked: Person, change: str) -> None:
    before = scored(asked)
    kind, _, subject = change.partition(" ")
    asked.do(kind, subject.format(circuit_of(asked).edges_into("fc:2")[0].source))
    after = looked(asked)
    assert after.rows == before.rows
    # The file is another one, and the card names it.
    assert after.circuit["sha256"] == fingerprint_of(circuit_of(asked).to_json_text()) != before.circuit["sha256"]


def test_a_circuit_of_another_network_says_why_it_cannot_be_scored(asked: Person, photo: Photo) -> None:
    outside_unit = circuits.trace(tiny_network(seed=1, name="outside_unit"), photo, "dog", depth=2, top=3)
    assert asked.send(outside_unit.to_json_text().encode(), "outside_unit.json", "circuit") == []
    asked.do("score")
    assert "load outside_unit to score it" in pane(asked)
    assert session_of(asked).scoring is None
    assert find(asked.pane, **{"data-action": "score"}) == []


def test_a_target_by_itself_says_that_it_is_to_be_expanded_first(asked: Person) -> None:
    asked.do("collapse", "fc:2")
    asked.do("score")
    assert "The circuit holds nothing but its target, tree; expand that before it is scored." in pane(asked)
    assert session_of(asked).scoring is None


def test_a_failure_is_said_and_can_be_tried_again(asked: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **parts: Any) -> Card:
        raise InputError("The photo has gone.")

    monkeypatch.setattr(scores, "evaluate", broken)
    assert scored(asked) is None
    assert "The photo has gone." in pane(asked)
    monkeypatch.setattr(scores, "evaluate", evaluate)
    # The stages fail together, and are tried again together.
    [again] = find(asked.pane, **{"data-action": "again"})
    asked.do("again", json.loads(facts(again)["data-payload"])["query"])
    assert looked(asked) is not None
    assert "has gone" not in pane(asked)


# ---- baselines and photos


def test_without_an_index_only_zero_is_named_and_how_to_get_the_mean(asked: Person) -> None:
    assert scored(asked).baselines == ("zero",)
    assert "are set to zero. To have them set to their mean too, make an index of photos" in pane(asked)


def test_with_an_index_the_mean_can_be_chosen_and_its_photos_are_named(
    asked: Person, collection: PaintedCollection
) -> None:
    collection.photos = 1200
    card = scored(asked)
    assert card.baselines == ("zero", "mean")
    asked.do("baseline", "mean")
    kept = share(card.row("circuit", baseline="mean").faithfulness.value)
    assert find(asked.pane, className="numbers big")[0].children[0] == kept
    assert kept != share(card.row("circuit", baseline="zero").faithfulness.value)
    assert "over squares (1200 photos)" in pane(asked)
    pressed = {each.children: facts(each)["aria-pressed"] for each in find(asked.pane, **{"data-action": "baseline"})}
    assert pressed == {"zero": "false", "their mean": "true"}
    asked.do("set", "baseline=mean")
    tab = asked.callbacks.sessions.tab(ANN)
    tab.session = replace(tab.session, scoring=None)
    asked.why("2")
    scored(asked)  # what its shares are measured from is what the others are set to
    pressed = {each.children: facts(each)["aria-pressed"] for each in find(asked.pane, **{"data-action": "baseline"})}
    assert pressed == {"zero": "false", "their mean": "true"}


def test_other_baselines_are_refused(asked: Person) -> None:
    scored(asked)
    asked.do("baseline", "median")
    assert asked.poll()["toasts"][-1]["text"] == "'median' is not a baseline; there are zero, mean."


def test_over_the_strip_there_are_intervals(asked: Person, network: Network) -> None:
    scored(asked)
    asked.do("score", "strip")
    assert asked.poll()["toasts"][-1]["text"].startswith("The strip holds one photo")
    asked.do("example", "cat")
    # Of class 1 both photos lie on one side of what is left with all ablated; else there is no interval.
    asked.why("1")
    few = scored(asked, "strip")
    others = [photo.name for photo in few.photos if photo.prediction.index != 1]
    assert [photo.name for photo in few.left_out] == others
    assert others
    assert left_out(few) in pane(asked)
    assert find(asked.pane, **does("score", "all"))
    card = scored(asked, "all")
    row = card.row("circuit", over="photos")
    assert (card.main, len(card.photos), card.left_out) == ("photos", 2, ())
    assert "Score all anyway" not in pane(asked)
    assert row.faithfulness.low <= row.faithfulness.value <= row.faithfulness.high
    # Over the very photos that are scored a mean would change next to nothing.
    assert card.baselines == ("zero",)
    assert f"Percentages of the logit of {network.labels[1]}, over 2 photos" in pane(asked)
    assert "In its own photo: Logit" in pane(asked)


# ---- what is said of it


def row(method: str, kept: float | None, **more: Any) -> ScoreRow:
    nothing = Estimate(None)
    return ScoreRow("own", "zero", "value", method, Estimate(kept), nothing, nothing, **more)


def test_the_verdict_asks_for_two_deviations_above_chance() -> None:
    rows = [row("circuit", 0.36), row("random", 0.01, spread=0.02), row("activation", 0.15), row("gradient", 0.44)]
    expected = "Better than chance: random units keep 1 % ± 2 %. Gradient × activation (44 %) does better."
    assert verdict(rows).translate(PERCENT) == expected
    rows = [row("circuit", 0.04), row("random", 0.01, spread=0.02), row("randomised", 0.05)]
    assert verdict(rows).startswith("Not better than chance")
    assert "A circuit of a network with shuffled weights keeps as much" in verdict(rows)
    assert "nothing to compare" in verdict([row("circuit", None), row("random", None)])


def test_over_photos_the_verdict_asks_the_interval() -> None:
    rows = [row("circuit", 0.36), row("random", 0.01, spread=0.02, advantage=Estimate(0.35, -0.1, 0.6))]
    assert verdict(rows).startswith("Not better than chance: random units keep 1")


def dots(drawn: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [dot for dot in drawn.iter() if dot.get("class") == f"dot {kind}"]


def test_the_curve_lies_where_its_numbers_say(asked: Person) -> None:
    card = scored(asked)
    chart = find(asked.pane, role="img")[0]
    drawn = ElementTree.fromstring(facts(chart)["data-curve"])
    lines = {each.get("class"): each.get("points").split() for each in drawn.iter("polyline")}
    line = [tuple(map(float, place.split(","))) for place in lines["line circuit"]]
    words = [dot[0].text for dot in dots(drawn, "circuit")]
    points = points_of(card, "zero", "circuit")
    assert len(line) == len(words) == len(points) > 2
    everything = sum(card.widths.values())
    shares = [card.circuit["units"] / everything, *(point.share for point in card.points if point.metric == "value")]
    left, right = math.log(min(shares)), math.log(max(shares))
    [own] = [float(dot.get("cx")) for dot in dots(drawn, "size")]
    ends = [own, *(float(place.split(",")[0]) for each in lines.values() for place in each)]
    across = [(math.log(point.share) - left) / (right - left) for point in points]
    wide = max(ends) - min(ends)
    assert [(x - min(ends)) / wide for x, _ in line] == pytest.approx(across, abs=1e-3)
    assert across == sorted(across)
    assert (own - min(ends)) / wide == pytest.approx((math.log(shares[0]) - left) / (right - left), abs=1e-3)
    assert words[0] == f"this circuit, {points[0].units} units: {share(points[0].faithfulness)}"
    heights = {tick.text: float(tick.get("y")) - 4 for tick in drawn.iter("text")}
    one, zero = heights["100 %"], heights["0 %"]
    top = points[-1]
    assert line[-1][1] == pytest.approx(zero + min(1.5, top.faithfulness) * (one - zero), abs=0.1)
    assert f"{share(top.faithfulness)} with {top.units}" in facts(chart)["aria-label"]


def test_the_edges_that_are_found_least_often_can_be_chosen(asked: Person) -> None:
    card = scored(asked)
    rare = rarest(circuit_of(asked), card)
    survival = card.stability.edges
    assert 0 < len(rare) <= 5
    assert [often for _, often in rare] == sorted(often for often in survival.values() if often < 1)[: len(rare)]
    assert all(survival[edge.source, edge.target] == often for edge, often in rare)
    links = [json.loads(facts(each)["data-payload"]) for each in find(asked.pane, **{"data-action": "edge"})]
    assert links == [{"lower": edge.source, "upper": edge.target} for edge, _ in rare]
    mean = sum(survival.values()) / len(survival)
    assert f"on average {share(mean)} of the edges are found again" in pane(asked)


def test_the_pane_of_an_edge_says_how_often_it_is_found_again(asked: Person) -> None:
    edge = circuit_of(asked).edges_into("fc:2")[0]
    asked.do("edge", f"{edge.source} fc:2")
    assert "Found again" not in pane(asked)
    card = scored(asked)
    asked.do("edge", f"{edge.source} fc:2")
    times = round(3 * card.stability.edges[edge.source, "fc:2"])
    assert f"Found again in {times} of 3 slightly changed photos." in pane(asked)


# ---- the card as a file


def test_the_card_is_saved_as_the_library_writes_it(
    client: Any, asked: Person, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "STAGES", STAGES)
    assert client.get(f"/export/{ANN}/score.json").status_code == 404
    scored(asked)
    answer = client.get(f"/export/{ANN}/score.json")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="patches--tree--score.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    same = evaluate(network, circuit_of(asked), baselines=[circuits.Baseline.zero()])
    assert answer.data.decode() == same.to_json_text()
    page = client.get(f"/export/{ANN}/score.html")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.data.decode() == same.to_html()
    links = [facts(each)["data-export"] for each in every(asked.pane) if "data-export" in facts(each)]
    assert links == ["score.json", "score.html"]


@pytest.mark.parametrize("address", [f"{BOB}/score.json", f"{ANN}/score.exe", "x/score.json"])
def test_what_does_not_exist_is_not_found_and_nothing_is_made(
    client: Any, asked: Person, page: Page, address: str
) -> None:
    scored(asked)
    assert client.get(f"/export/{address}").status_code == 404
    assert len(page.callbacks.sessions) == 1


def test_a_stranger_gets_no_card(network: Network, gallery: PaintedGallery, collection: PaintedCollection) -> None:
    made = create_page(PageSettings(network, gallery=gallery, collection=collection, token="secret"))
    try:
        assert made.dash.server.test_client().get(f"/export/{ANN}/score.json").status_code == 403
    finally:
        made.close()
