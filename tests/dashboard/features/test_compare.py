"""Two circuits side by side, without a browser."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import circuits
import circuits.tracing.compare
from circuits.image.photo import Photo, load_photo
from circuits.tracing.circuit import Circuit
from dashboard.app import Page, PageSettings, create_page
from dashboard.features.compare.words import in_words
from dashboard.session.state import Session
from tests.support.parts import words
from tests.support.person import ANN, Person
from tests.support.pretend import PaintedGallery, tiny_network


def session_of(ann: Person) -> Session:
    return ann.callbacks.sessions.tab(ANN).session


def every(part: Any, wanted: str) -> list[Any]:
    """All components of a class."""
    if isinstance(part, (list, tuple)):
        return [found for each in part for found in every(each, wanted)]
    own = [part] if wanted in str(getattr(part, "className", "")).split() else []
    return own + every(getattr(part, "children", None) or [], wanted) if hasattr(part, "children") else own


def labels(panel: Any) -> list[str]:
    """What the tiles say, in order."""
    return [tile.to_plotly_json()["props"]["aria-label"] for tile in every(panel, "unit-card")]


@pytest.fixture
def two(ann: Person) -> Person:
    """Somebody who holds the circuit of `tree` while that of `dog` is on the page."""
    ann.why("2")
    ann.do("hold")
    ann.why("1")
    ann.do("page", "compare")
    return ann


def test_holding_keeps_a_circuit_while_the_page_goes_on(two: Person) -> None:
    session = session_of(two)
    assert session.beside.root == "fc:2"
    assert session.work.circuit.root == "fc:1"
    two.do("undo")
    assert session_of(two).beside.root == "fc:2"


def test_the_verdict_counts_units_and_edges_as_the_library_does(two: Person) -> None:
    session = session_of(two)
    found = circuits.compare(session.beside, session.work.circuit)
    assert found.shared
    assert found.left
    assert found.right
    [verdict] = every(two.seen["compare"], "compared-words")
    units = len(found.shared) + len(found.left) + len(found.right)
    edges = len(found.shared_edges) + len(found.left_edges) + len(found.right_edges)
    assert words(verdict) == (
        f"In the photo patches, the circuits for tree and for dog share {len(found.shared)} of {units} units (Jaccard "
        "index "
        f"{found.unit_index:.2f}) and {len(found.shared_edges)} of {edges} edges (Jaccard index "
        f"{found.edge_index:.2f})."
    )


def test_a_comparison_names_what_tells_its_circuits_apart(photo: Photo) -> None:
    network = tiny_network()
    other = load_photo(photo.image.transpose(Image.Transpose.ROTATE_90), name="noise.png")

    def said(left: Circuit, right: Circuit) -> str:
        return in_words(left, right, circuits.compare(left, right)).partition(" share ")[0]

    tree, dog = (circuits.trace(network, photo, target, depth=2, top=3) for target in (2, 1))
    elsewhere = circuits.trace(network, other, 2, depth=2, top=3)
    less = circuits.trace(network, other, "2 - 1", depth=2, top=3, mode="ig")
    assert said(tree, tree) == "These two circuits for tree in the photo patches"
    assert said(tree, elsewhere) == "The circuits for tree in the photos patches and noise.png"
    assert said(dog, less) == "The circuits for dog in the photo patches and for tree, not dog in noise.png"
    assert "different methods, gradient × activation and integrated gradients, so" in in_words(
        dog, less, circuits.compare(dog, less)
    )


def test_units_stand_in_three_groups_a_layer_with_their_shares(two: Person) -> None:
    session = session_of(two)
    found = circuits.compare(session.beside, session.work.circuit)
    said = labels(two.seen["compare"])
    assert len(said) == len(found.shared) + len(found.left) + len(found.right)
    for unit in found.shared:
        left, right = (circuits.report.text.percent(share) for share in (unit.left_share, unit.right_share))
        assert f"{unit.called}, in both: share {left} left, {right} right" in said
    for name in found.left:
        assert sum(label.startswith(f"{session.beside.nodes[name].label}, only left: ") for label in said) == 1
    for name in found.right:
        assert sum(label.startswith(f"{session.work.circuit.nodes[name].label}, only right: ") for label in said) == 1
    assert "tree, only left: value" in " ".join(said)
    assert "dog, only right: value" in " ".join(said)


def test_bars_are_as_long_as_shares_are_beside_the_largest_of_their_layer(two: Person) -> None:
    session = session_of(two)
    found = circuits.compare(session.beside, session.work.circuit)
    rows = every(two.seen["compare"], "compared")[0].children[1].children
    names = [row.layer for row in found.layers]
    row = rows[names.index("c")]
    bars = every(row, "share-bar")
    shares = [float(bar.children[0].style["width"].rstrip("%")) for bar in bars]
    assert max(shares) == 100
    layer = found.layers[names.index("c")]
    wanted = [circuits.tracing.compare.largest_share(session.beside, name) for name in layer.left]
    wanted += [share for unit in layer.shared for share in (unit.left_share, unit.right_share)]
    wanted += [circuits.tracing.compare.largest_share(session.work.circuit, name) for name in layer.right]
    assert shares == pytest.approx([100 * share / max(wanted) for share in wanted], abs=0.06)


def test_both_headers_name_photo_target_network_and_coverage(two: Person) -> None:
    left, right = every(two.seen["compare"], "side")
    for side, circuit, called in ((left, session_of(two).beside, "tree"), (right, session_of(two).work.circuit, "dog")):
        said = words(side)
        coverage = circuits.report.text.percent(circuit.nodes[circuit.root].books.coverage)
        assert f"Why {called}?" in said
        assert f"coverage {coverage}" in said
        assert "patches" in said
        assert "patches · tiny" in said
        assert f"{len(circuit.visible) - 1} units and the class" in said
    assert "Left, pinned" in words(left)
    assert "Right, current" in words(right)


def test_a_unit_of_the_page_is_selected_and_one_of_the_held_circuit_shown_from_outside(two: Person) -> None:
    session = session_of(two)
    found = circuits.compare(session.beside, session.work.circuit)
    shared = found.shared[0].id
    assert two.do("unit", shared)["view"]["selected"] == shared
    mine = next(name for name in found.left if name.startswith(("a", "b", "c")))
    two.do("unit", mine)
    assert two.seen["view"]["outside"]["unit"] == mine
    assert "not in the circuit" in words(two.seen["head"])
    assert two.seen["view"]["selected"] == shared


def test_swapping_puts_the_held_circuit_onto_the_page_and_back(two: Person) -> None:
    left, right = session_of(two).beside, session_of(two).work.circuit
    two.do("swap")
    assert session_of(two).work.circuit.root == left.root
    assert session_of(two).work.photo == left.photo
    assert session_of(two).beside.root == right.root
    assert two.seen["view"]["selected"] == "fc:2"
    two.do("swap")
    assert session_of(two).work.circuit is right
    assert session_of(two).beside is left


def test_forgetting_leaves_the_page_and_says_what_to_do(two: Person) -> None:
    two.do("forget")
    assert session_of(two).beside is None
    assert session_of(two).work.circuit.root == "fc:1"
    assert "Pin: why dog? (photo: patches)" in words(two.seen["compare"])


def test_each_empty_state_says_what_to_do(ann: Person) -> None:
    assert "Press why? beside a class, pin" in words(ann.do("page", "compare")["compare"])
    assert ann.do("hold")["view"]["toasts"][-1]["text"].startswith("There is no circuit yet")
    assert ann.do("swap")["view"]["toasts"][-1]["text"] == "There are no two circuits to swap; pin one first."
    ann.why("2")
    assert "Pin: why tree? (photo: patches)" in words(ann.seen["compare"])
    tab_session = ann.callbacks.sessions.tab(ANN)
    assert "Pinned: why tree? (photo: patches)" in words(ann.do("hold")["compare"])
    tab_session.put(replace(tab_session.session, work=replace(tab_session.session.work, circuit=None, selected="")))
    assert "Pinned: why tree? (photo: patches)" in words(ann.do("refresh")["compare"])
    tab_session.put(Session(showing=tab_session.session.showing))
    assert "Choose a photo" in words(ann.do("refresh")["compare"])


def test_a_file_of_another_network_is_shown_beside_without_matching(ann: Person, tmp_path: Path, photo: Photo) -> None:
    other = tiny_network(7, "outside_unit")
    foreign = circuits.trace(other, photo, 2, depth=2, top=3)
    ann.why("2")
    assert ann.send(foreign.to_json_text().encode(), "other.json", "beside") == []
    page = ann.do("refresh")
    assert page["page"] == "compare"
    assert session_of(ann).work.circuit.root == "fc:2"
    [verdict] = every(page["compare"], "compared-words")
    assert "two networks, outside_unit and tiny" in words(verdict)
    assert "not matched" in words(verdict)
    said = labels(page["compare"])
    assert len(said) == len(foreign.visible) + len(session_of(ann).work.circuit.visible)
    assert not any("in both" in label for label in said)
    buttons = [tile for tile in every(page["compare"], "unit-card") if type(tile).__name__ == "Button"]
    assert {json.loads(tile.to_plotly_json()["props"]["data-payload"])["unit"] for tile in buttons} == session_of(
        ann
    ).work.circuit.visible
    ann.do("swap")
    assert "another network" in session_of(ann).work.locked


def test_pictures_in_a_held_file_are_shown_without_its_network(ann: Person, photo: Photo) -> None:
    other = tiny_network(7, "outside_unit")
    foreign = circuits.trace(other, photo, 2, depth=1, top=2)
    picture = "data:image/webp;base64,UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="
    foreign = foreign.with_pictures({foreign.root: picture})
    ann.why("2")
    ann.send(foreign.to_json_text().encode(), "other.json", "beside")
    page = ann.do("refresh")
    tile = page["view"]["status"]["tiles"]["beside fc:2"]
    assert tile["state"] == "ready"
    assert tile["picture"]
    frames = {frame.to_plotly_json()["props"]["data-tile"]: frame for frame in every(page["compare"], "frame")}
    assert frames["beside fc:2"].children.src == tile["picture"]


def test_a_file_that_is_no_circuit_is_refused_and_nothing_changes(ann: Person) -> None:
    ann.why("2")
    [said] = ann.send(json.dumps({"format": "other"}).encode(), "other.json", "beside")
    assert "circuits/1" in said
    assert session_of(ann).beside is None


def test_pictures_of_the_held_circuit_are_drawn_while_it_is_compared(
    network: Any, gallery: PaintedGallery, photo: Photo, collection: Any
) -> None:
    page: Page = create_page(PageSettings(network, photo=photo, gallery=gallery, collection=collection))
    try:
        ann = Person(page)
        gallery.gate.clear()
        ann.why("2")
        ann.do("hold")
        held: Circuit = session_of(ann).beside
        ann.why("1")
        ann.do("page", "compare")
        only = sorted(held.visible - session_of(ann).work.circuit.visible)
        assert {ann.seen["view"]["status"]["tiles"][f"beside {name}"]["state"] for name in only} == {"waiting"}
        gallery.gate.set()
        tiles = ann.rendered()["tiles"]
        assert {tiles[f"beside {name}"]["state"] for name in only} == {"ready"}
    finally:
        page.close()
