"""An atlas on the page: a class in the place of the photo, which classes units serve, and the page of the atlas."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuits.atlas.atlas import Atlas
from circuits.atlas.trace_class import trace_class
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.report.atlas_sentences import estimate
from circuits.report.text import number
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.app import Page, PageSettings, create_page
from dashboard.atlas_library import unit_in_atlas
from dashboard.features.unit.atlas_panel import in_atlas
from dashboard.session.state import Session
from dashboard.session.storage import SessionStorage
from tests.support.parts import every, facts
from tests.support.parts import words as words_of
from tests.support.person import Person
from tests.support.pretend import PaintedGallery, tiny_network
from tests.support.small_atlas import COUNTS, small_atlas


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    return small_atlas(tmp_path_factory.mktemp("atlas"), tiny_network())


@pytest.fixture
def page(network: Network, gallery: PaintedGallery, photo: Photo, atlas: Atlas) -> Iterator[Page]:
    """A page with an atlas."""
    made = create_page(PageSettings(network, photo=photo, gallery=gallery, atlas=atlas))
    yield made
    made.close()


def act(ann: Person, kind: str, **payload: Any) -> dict[str, Any]:
    """Do something, and wait until the network has done its part."""
    ann.send_action(kind, payload)
    for queue in (ann.callbacks.work.tracing, ann.callbacks.work.scoring):
        assert queue.wait(ann.name, seconds=30)
    return ann.do("refresh")


def session_of(ann: Person) -> Session:
    return ann.callbacks.sessions.tab(ann.name).session


def circuit_of(ann: Person) -> Circuit:
    circuit = session_of(ann).work.circuit
    assert circuit is not None
    return circuit


def said(ann: Person) -> str:
    return words_of(ann.pane)


def toasts(ann: Person) -> list[str]:
    return [toast["text"] for toast in ann.poll()["toasts"]]


def cards_of(shown: Any, name: str) -> list[dict[str, str]]:
    """The cards that `atlas.js` makes of the lists with an attribute."""
    return [card for each in every(shown) if name in facts(each) for card in json.loads(facts(each)[name])]


def test_the_class_takes_the_place_of_the_photo_and_gives_it_back(ann: Person, atlas: Atlas, tmp_path: Path) -> None:
    ann.why("0")
    photo = circuit_of(ann)
    view = act(ann, "scope", of="class")["view"]
    circuit = circuit_of(ann)
    assert circuit == atlas.circuit(0, depth=2, top=3)
    assert view["means"]
    spoken = next(edge["spoken"] for edge in view["edges"] if edge["target"] == circuit.root)
    assert " ± " in spoken
    assert "over 10 photos, among the five strongest in " in spoken
    rows = {row["layer"]: row["detail"] for row in view["rows"]}
    assert (rows["fc"], rows["c"]) == ("6 classes", "20 channels")

    act(ann, "set", depth=1, signs="both")  # follows at once
    assert circuit_of(ann) == atlas.circuit(0, depth=1, top=3, signs="both")
    act(ann, "undo")
    child = circuit.edges_into(circuit.root)[0].source
    act(ann, "collapse", unit=child)
    act(ann, "expand", unit=child)
    found = {edge.source: edge.attribution for edge in circuit_of(ann).edges_into(child)}
    links = sorted(atlas.links(child, 0), key=lambda link: -abs(link.share))[:3]
    assert found == pytest.approx({str(link.source): link.share for link in links}, rel=1e-5)
    act(ann, "measure", unit=child)
    assert any("are of single photos" in text for text in toasts(ann))

    tab = ann.callbacks.sessions.tab(ann.name)
    storage = SessionStorage(tmp_path, ann.callbacks.library)
    storage.keep(ann.name, tab.session)
    kept = storage.fetch(ann.name)
    assert kept is not None
    assert kept.work.behind is not None
    assert (kept.work.circuit, kept.work.behind.circuit) == (circuit_of(ann), photo)

    act(ann, "scope", of="photo")
    assert circuit_of(ann) == photo
    act(ann, "undo")
    act(ann, "why", target="1")  # of the class, as long as that is what is asked of
    assert circuit_of(ann) == atlas.circuit(1, depth=1, top=3, signs="both")
    act(ann, "why", target="3")
    assert any("no photo of 'car'" in text for text in toasts(ann))
    act(ann, "scope", of="photo")
    assert (circuit_of(ann).root, circuit_of(ann).collection) == ("fc:1", None)
    act(ann, "why", target="1 - 0")
    act(ann, "scope", of="class")
    assert any("answers for one class at a time" in text for text in toasts(ann))


def test_no_more_is_offered_below_a_unit_of_a_class_than_the_atlas_keeps(ann: Person, atlas: Atlas) -> None:
    ann.why("0")
    act(ann, "scope", of="class")
    act(ann, "set", top=12)
    assert circuit_of(ann) == atlas.circuit(0, depth=2, top=8)
    keeps = "The atlas keeps the 8 strongest links of a unit, so no more than 8 units can be shown below one."
    assert keeps in words_of(ann.seen["settings"])
    buttons = {
        words_of(each): each for each in every(ann.pane) if "aria-pressed" in facts(each) or "disabled" in facts(each)
    }
    more, *tops = (buttons[label] for label in ("Show 5 more", "3", "5", "8", "12"))
    assert [facts(each).get("disabled", False) for each in (more, *tops)] == [True, False, False, False, True]
    assert [each.title for each in (more, tops[3])] == [keeps] * 2
    assert facts(tops[2])["aria-pressed"] == "true"
    before = circuit_of(ann)
    for kind, payload in (("more", {}), ("expansion", {"top": 12})):  # as a key or an old page may ask
        act(ann, kind, unit=before.root, **payload)
        assert (circuit_of(ann), toasts(ann)[-1]) == (before, keeps)


def test_a_unit_is_explained_over_all_photos(ann: Person, atlas: Atlas) -> None:
    ann.why("b:1")
    photo = circuit_of(ann)
    assert "All photos" in words_of(act(ann, "scope", of="class")["units_switch"])
    assert circuit_of(ann) == atlas.circuit("b:1", depth=2, top=3)
    ann.looked()
    assert "activation, summed" in said(ann)
    act(ann, "set", signs="both")  # follows at once
    assert circuit_of(ann) == atlas.circuit("b:1", depth=2, top=3, signs="both")
    shown = act(ann, "beside-class")
    assert (circuit_of(ann).settings.mode, circuit_of(ann).root) == ("sum", photo.root)
    words = words_of(shown["compare"])
    assert "what only the photo shows is not among the 3 strongest below a unit for all photos together" in words
    assert "over 22 photos of 3 classes" in words
    ann.why("a:1")
    act(ann, "scope", of="class")
    assert any("a:1 is in the lowest layer; only the image is below it" in text for text in toasts(ann))


def test_a_photo_is_compared_with_its_class(ann: Person, atlas: Atlas) -> None:
    ann.why("0")
    shown = act(ann, "beside-class")
    usual, session = atlas.circuit(0, depth=2, top=3), session_of(ann)
    assert session.beside == usual
    assert (circuit_of(ann).settings.mode, circuit_of(ann).layers) == ("target", usual.layers)
    words = words_of(shown["compare"])
    assert "over 10 photos of cat and in the photo patches share" in words
    assert "what only the photo shows is not among the 3 strongest below a unit for its class, and may still" in words
    assert "Only the class" in words


def test_a_unit_says_which_classes_it_serves(ann: Person, atlas: Atlas) -> None:
    ann.why("0")
    name = circuit_of(ann).edges_into("fc:0")[0].source
    act(ann, "select", unit=name)
    ann.looked()
    first, unit = atlas.classes_of(name)[0], atlas.unit(name)
    assert f"{name} serves {first.label} most of the 3 classes" in said(ann)
    assert f"It fires in {100 * unit.fires:.0f} % of all 22 photos." in said(ann)
    assert "Made of, whatever the class" in said(ann)
    assert "Shares of its mean activation over 22 photos." in said(ann)
    made_of = sorted(atlas.links(name, class_free=True), key=lambda link: -link.share)[:5]
    for link in made_of:
        assert estimate(link.share, link.error) in said(ann) or link.share <= 0
    act(ann, "channel", unit=str(made_of[0].source))
    shown = session_of(ann)
    assert str(made_of[0].source) in (shown.showing.unit, shown.work.selected)
    act(ann, "page", page="circuit")
    act(ann, "select", unit="fc:0")
    ann.looked()
    assert "Over 10 photos of cat its logit is " in said(ann)
    act(ann, "unit", unit="fc:3")
    act(ann, "page", page="layers")
    ann.looked()
    assert "The atlas has no photo of car." in said(ann)


def test_exemplars_of_a_unit_stand_beside_its_mean_peak_in_the_class(ann: Person, atlas: Atlas) -> None:
    ann.why("0")
    act(ann, "scope", of="class")
    name = circuit_of(ann).edges_into("fc:0")[0].source
    act(ann, "select", unit=name)
    ann.looked()
    mean = circuit_of(ann).nodes[name].max
    assert mean == pytest.approx(atlas.unit(name, 0).peak.mean)
    above = int(atlas.needed_exemplars().percentile(Unit.parse(name), mean))
    assert f"Its mean peak in photos of cat, {number(mean)}, is higher than in {above} % of 22 photos." in said(ann)
    assert "Most activating" in said(ann)
    best = atlas.needed_exemplars().of(Unit.parse(name)).most[0]
    assert f"What it fires on most {number(best.value)} in {best.photo.name}" in said(ann)


def test_the_page_of_the_atlas_has_classes_and_a_map(ann: Person, atlas: Atlas) -> None:
    listed = cards_of(act(ann, "page", page="atlas")["atlas"], "data-classes")
    assert {card["label"]: card["photos"] for card in listed} == {
        label: f"{count} photos" for label, count in COUNTS.items()
    }
    assert [card["of"] for card in listed] == [str(each.number) for each in atlas.classes]
    act(ann, "atlas-class", of="dog")
    shown = ann.looked()
    words = words_of(shown["atlas"])
    assert "dog 9 photos · logit" in words
    assert shown["view"]["of_class"] == "dog"
    cards = cards_of(shown["atlas"], "data-cards")
    expected = [each.unit for layer in "cba" for each in atlas.strongest(layer, 1, 8)]
    assert [card["spoken"].partition(" contributes ")[0] for card in cards] == list(map(str, expected))
    act(ann, "atlas-map", layer="b", spread="pca")
    chart = str(ann.seen["atlas"])
    assert all(f"'b:{channel}'" in chart for channel in range(16))
    act(ann, "atlas-map", layer="zz")
    assert any("'zz' is not in the atlas" in text for text in toasts(ann))
    act(ann, "class-circuit", number=1)
    assert (session_of(ann).showing.page, circuit_of(ann).root) == ("circuit", "fc:1")


def test_the_file_of_a_class_opens_without_its_atlas(
    network: Network, gallery: PaintedGallery, photo: Photo, atlas: Atlas
) -> None:
    circuit = atlas.circuit("cat", depth=2, top=3)
    page = create_page(PageSettings(network, circuit=circuit, gallery=gallery))
    try:
        ann = Person(page)
        assert circuit_of(ann) == circuit
        assert act(ann, "expand", unit=circuit.edges_into(circuit.root)[0].source) is not None
        act(ann, "page", page="atlas")
        assert "There is no atlas of tiny here." in words_of(ann.seen["atlas"])
        leaf = next(node.id for node in circuit.nodes.values() if not node.expanded and node.unit.layer != "a")
        act(ann, "expand", unit=leaf)
        assert any("expanding it needs the atlas" in text for text in toasts(ann))
        act(ann, "scope", of="photo")
        assert any("There is no photo" in text for text in toasts(ann))
    finally:
        page.close()


def test_an_atlas_of_another_network_is_not_the_page_s(gallery: PaintedGallery, photo: Photo, atlas: Atlas) -> None:
    page = create_page(PageSettings(tiny_network(seed=1), photo=photo, gallery=gallery, atlas=atlas))
    assert page.callbacks.library.atlas is None
    page.close()


def test_a_dropped_circuit_of_a_class_keeps_the_photo(ann: Person, atlas: Atlas) -> None:
    ann.why("0")
    before = circuit_of(ann)
    assert not ann.send(atlas.circuit("cat", depth=1).to_json_text().encode(), "cats.json", "circuit")
    work = session_of(ann).work
    assert work.of_class
    assert work.photo is not None
    assert work.behind is not None
    assert work.behind.circuit == before
    assert np.isfinite([row.probability for row in work.predictions]).all()


def test_the_class_by_groups_opens_from_its_file(
    network: Network, gallery: PaintedGallery, photo: Photo, atlas: Atlas
) -> None:
    """All of its panes can be looked at; an atlas has nothing to expand them with."""
    circuit = trace_class(network, [photo], "cat", groups=2, depth=2, signs="both")
    page = create_page(PageSettings(network, circuit=circuit, gallery=gallery, atlas=atlas))
    try:
        ann = Person(page)
        for node in circuit.nodes.values():
            act(ann, "select", unit=node.id)
            ann.looked()
            assert node.called in said(ann)
            for edge in circuit.edges_into(node.id):
                act(ann, "edge", lower=edge.source, upper=edge.target)
                assert "over 1 photo" in said(ann)
        group = next(node.id for node in circuit.nodes.values() if node.id.endswith("/0"))
        assert toasts(ann) == []
        act(ann, "select", unit=group)
        ann.looked()
        assert "Channels in this group" in said(ann)
        act(ann, "expand", unit=next(node.id for node in circuit.nodes.values() if not node.expanded))
        assert any("by groups, of which an atlas knows nothing" in text for text in toasts(ann))
    finally:
        page.close()


def test_beside_groups_of_the_photo_the_class_says_how_to_get_its_own(ann: Person) -> None:
    ann.why("0")
    act(ann, "groups", groups=8)
    assert circuit_of(ann).dictionaries
    assert "circuits class CLASS --groups 8" in words_of(act(ann, "scope", of="class")["units_switch"])
    assert not circuit_of(ann).dictionaries


def test_damaged_suggestions_hide_nothing_else(atlas: Atlas, network: Network, tmp_path: Path) -> None:
    again = Atlas.open(shutil.copytree(atlas.folder, tmp_path / "atlas"))
    file = again.folder / "suggestions.json"
    file.write_text("[]")
    layer = again.layers[1].name
    told = unit_in_atlas(network, again, Unit(layer, 0))
    assert (told.suggested, len(told.classes)) == (None, len(COUNTS))
    shown = words_of(in_atlas(f"{layer}:0", {"atlas": told}))
    assert f"No suggested names: {file} is damaged, or no file of suggestions" in shown
    assert f"look for them again: `circuits names --atlas {again.folder} --suggest`." in shown
    assert "whatever the class" in shown
    whole = unit_in_atlas(network, atlas, Unit(layer, 0))
    assert (told.overall, told.classes, told.made_of) == (whole.overall, whole.classes, whole.made_of)
