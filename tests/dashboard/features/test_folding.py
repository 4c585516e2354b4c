"""Near-duplicates: groups, what is folded into what, and that attributions add up when it is."""

import itertools
import json
from typing import Any

import pytest

from circuits import trace
from circuits.evidence.near_duplicates import near_duplicates
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from dashboard.answers import Alike
from dashboard.features.graph.drawing import Drawing, draw
from dashboard.features.graph.folding import Folds, folds, merged
from dashboard.work.results import token
from tests.support.person import Person


@pytest.fixture(scope="module")
def circuit(network: Network, photo: Photo) -> Circuit:
    """Three layers below class 0, with inhibition."""
    return trace(network, photo, 0, depth=3, top=6, signs="both")


@pytest.fixture(scope="module")
def trio(circuit: Circuit) -> tuple[str, ...]:
    """Three units of layer c, the strongest first."""
    return tuple(edge.source for edge in circuit.edges_into(circuit.root)[:3])


def drawn(circuit: Circuit, fold: Folds) -> Drawing:
    return draw(circuit, fold, lambda circuit, layer: None, locked=False)


def test_a_folded_group_stands_as_one_and_the_others_are_away(circuit: Circuit, trio: tuple[str, ...]) -> None:
    fold = folds(circuit, (trio,), frozenset({trio[0]}))
    assert fold.members(trio[0]) == trio
    assert {name: fold.stands(name) for name in trio} == dict.fromkeys(trio, trio[0])
    assert {node["id"] for node in drawn(circuit, fold).nodes} == circuit.visible - set(trio[1:])


def test_a_group_is_folded_into_the_unit_that_was_named(circuit: Circuit, trio: tuple[str, ...]) -> None:
    assert folds(circuit, (trio,), frozenset({trio[2]})).into == {trio[0]: trio[2], trio[1]: trio[2]}
    assert folds(circuit, (trio,), frozenset()).into == {}


def test_what_is_not_visible_is_in_no_group(circuit: Circuit, trio: tuple[str, ...]) -> None:
    groups = ((trio[0], "c:99"), ("b:98", "b:99"))
    assert folds(circuit, groups, frozenset({trio[0], "b:98"})) == Folds()


def test_attributions_of_merged_edges_are_sums(circuit: Circuit, trio: tuple[str, ...]) -> None:
    fold = folds(circuit, (trio,), frozenset({trio[0]}))
    edges = {(edge.source, edge.target): edge for edge in merged(circuit, fold, sorted(circuit.visible))}
    into_root = {edge.source: edge.attribution for edge in circuit.edges_into(circuit.root)}
    up = edges[trio[0], circuit.root]
    assert up.attribution == pytest.approx(sum(into_root[name] for name in trio))
    assert up.size == pytest.approx(sum(abs(into_root[name]) for name in trio))
    below: dict[str, float] = {}
    for edge in itertools.chain.from_iterable(circuit.edges_into(name) for name in trio):
        below[edge.source] = below.get(edge.source, 0.0) + edge.attribution
    assert {source for source, target in edges if target == trio[0]} == set(below)
    for source, attribution in below.items():
        assert edges[source, trio[0]].attribution == pytest.approx(attribution)


def test_coverage_stays_as_it_was_when_units_below_are_folded(circuit: Circuit, trio: tuple[str, ...]) -> None:
    def of_root(fold: Folds) -> tuple[str, float]:
        drawing = drawn(circuit, fold)
        root = next(node for node in drawing.nodes if node["root"])
        held = sum(edge["size"] for edge in drawing.edges if edge["target"] == circuit.root)
        return root["shown"], held / root["gross"]

    plain, folded = of_root(Folds()), of_root(folds(circuit, (trio,), frozenset({trio[0]})))
    assert plain[0] == folded[0]
    assert plain[1] == pytest.approx(folded[1]) == pytest.approx(circuit.nodes[circuit.root].books.coverage, rel=1e-5)


def test_the_share_of_an_edge_into_a_folded_group_is_of_the_sum_of_what_they_hold(
    circuit: Circuit, trio: tuple[str, ...]
) -> None:
    drawing = drawn(circuit, folds(circuit, (trio,), frozenset({trio[0]})))
    gross = sum(circuit.nodes[name].books.gross for name in trio)
    for edge in drawing.edges:
        if edge["target"] == trio[0]:
            held = sum(
                each.attribution for name in trio for each in circuit.edges_into(name) if each.source == edge["source"]
            )
            assert edge["part"] == pytest.approx(100 * abs(held) / gross, abs=1e-3)
            assert edge["inhibits"] == (held < 0)


def test_an_edge_of_its_own_is_drawn_as_it_is(circuit: Circuit) -> None:
    drawing = drawn(circuit, Folds())
    lines = {(edge["source"], edge["target"]): edge for edge in drawing.edges}
    for target in circuit.visible:
        for edge in circuit.edges_into(target):
            line = lines[edge.source, edge.target]
            assert line["part"] == pytest.approx(100 * abs(circuit.share(edge)), abs=1e-3)
            assert line["chosen_as"] == {"lower": edge.source, "upper": edge.target}


def test_units_of_a_group_say_so(circuit: Circuit, trio: tuple[str, ...]) -> None:
    apart = {node["id"]: node for node in drawn(circuit, folds(circuit, (trio,), frozenset())).nodes}
    for name in trio:
        assert (apart[name]["alike"], apart[name]["folded"], apart[name]["strongest"]) == (3, 0, trio[0])
        assert apart[name]["spoken"].endswith("one of 3 that fire in nearly the same places")
    one = {node["id"]: node for node in drawn(circuit, folds(circuit, (trio,), frozenset({trio[0]}))).nodes}[trio[0]]
    assert one["folded"] == 3
    assert "stands for 3 that fire in nearly the same places" in one["spoken"]
    assert f"stands for {', '.join(trio)}" in one["title"]


def test_the_page_finds_near_duplicates_in_the_background_and_folds_them(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Circuit] = []

    def found(network: Network, circuit: Circuit) -> tuple[tuple[str, ...], ...]:
        asked.append(circuit)
        return (tuple(edge.source for edge in circuit.edges_into(circuit.root)[:2]),)

    monkeypatch.setattr("dashboard.work.evidence.near_duplicates", found)
    ann.why()
    count = len(ann.nodes)
    ann.looked()
    pair = [name for name, node in ann.nodes.items() if node["alike"] == 2]
    assert len(pair) == 2
    strongest = ann.nodes[pair[0]]["strongest"]
    ann.do("fold", strongest)
    assert len(ann.nodes) == count - 1
    assert ann.nodes[strongest]["folded"] == 2
    ann.do("select", next(name for name in pair if name != strongest))
    assert ann.seen["view"]["selected"] == strongest
    ann.do("undo")
    assert len(ann.nodes) == count
    ann.do("redo")
    ann.do("unfold")
    assert len(ann.nodes) == count
    assert len(asked) == 1


def test_what_is_expanded_meanwhile_leaves_groups_folded(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "dashboard.work.evidence.near_duplicates",
        lambda network, circuit: (tuple(edge.source for edge in circuit.edges_into(circuit.root)[:2]),),
    )
    ann.why()
    ann.looked()
    strongest = next(node["strongest"] for node in ann.nodes.values() if node["alike"])
    ann.do("fold", strongest)
    leaf = next(name for name, node in ann.nodes.items() if not node["expanded"])
    ann.do("expand", leaf)
    assert ann.nodes[strongest]["folded"] == 2


def test_a_fold_of_what_is_not_there_is_refused(ann: Person) -> None:
    ann.why()
    ann.do("fold", "c:99")
    assert ann.poll()["toasts"][-1]["text"] == "c:99 is not a unit of this circuit; choose one in the graph."


def test_what_is_found_of_likeness_asks_for_the_view_once() -> None:
    assert token("c:1", {"heat": 1, "alike": None}) == "c:1 all"
    assert token("c:1", {"heat": 1, "alike": Alike(())}) == "c:1 all alike"


def test_the_library_and_the_page_agree_on_groups(network: Network, circuit: Circuit) -> None:
    groups = near_duplicates(network, circuit, threshold=0.3)
    fold = folds(circuit, groups, frozenset(group[0] for group in groups))
    drawing = drawn(circuit, fold)
    assert groups
    assert len(drawing.nodes) == len(circuit.visible) - sum(len(group) - 1 for group in groups)
    found: dict[str, Any] = json.loads(json.dumps([*drawing.nodes]))[0]
    assert found["id"] == circuit.root
