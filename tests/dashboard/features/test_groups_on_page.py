"""Groups of channels and budgets on the page: the switch, what is asked for, what is drawn, and the pane of a group."""

import dataclasses
import json
from typing import Any

import pytest

from circuits import compare, trace
from circuits.errors import InputError
from circuits.groups.layer_direction import LayerDirection
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.report.sentences import held_in_words
from circuits.report.text import share
from circuits.tracing.circuit import Circuit
from circuits.units import Group, Unit
from dashboard.app import Page
from dashboard.breakdowns import inspect
from dashboard.features.graph.drawing import Drawing, draw
from dashboard.features.graph.folding import Folds
from dashboard.features.graph.weak import reached
from dashboard.features.target.units_switch import units_switch
from dashboard.features.unit.decomposition_panel import sum_in_words
from dashboard.features.unit.group_panel import MEMBERS, in_words, members
from dashboard.features.what_if.routes import read
from dashboard.features.what_if.view import stamp
from dashboard.library import Library
from dashboard.session.selection import groups_of
from dashboard.session.state import Choices, Session, Work, expansion_of
from dashboard.work.collection import Collection
from dashboard.work.evidence import Evidence
from dashboard.work.pictures import circuit_batches
from tests.support import actions
from tests.support.parts import find, words
from tests.support.person import Person


@pytest.fixture(scope="module")
def circuit(network: Network, photo: Photo) -> Circuit:
    """Class 2 by four groups of layers c and b."""
    return trace(network, photo, 2, groups=4, depth=2)


@pytest.fixture
def session(circuit: Circuit, photo: Photo) -> Session:
    return Session(Work(photo, circuit.predictions, circuit, circuit.root))


def press(session: Session, groups: int, library: Library) -> Session:
    return actions.apply(session, actions.real.Action("groups", {"groups": groups}), library)


def drawing(circuit: Circuit) -> Drawing:
    return draw(circuit, Folds(), lambda circuit, layer: 20, locked=False)


def work_of(ann: Person) -> Session:
    return ann.callbacks.sessions.tab(ann.name).session


def pressed(session: Session) -> list[str]:
    return [words(each) for part in units_switch(session) for each in find(part, **{"aria-pressed": "true"})]


# ---- the switch and the budget ----


def test_the_switch_asks_for_the_same_target_of_the_same_photo_by_groups_and_back(
    network: Network, photo: Photo, library: Library
) -> None:
    channels = trace(network, photo, "tree - car", depth=2, top=3)
    before = Session(Work(photo, channels.predictions, channels, channels.root))
    assert pressed(before) == ["Channels"]
    asked = press(before, 8, library)
    [request] = asked.requests
    assert (request.kind, request.payload.target, request.choices.groups) == ("why", "2 - 3", 8)
    assert asked.work is before.work
    assert pressed(asked) == ["Groups", "8"]
    found = actions.run(asked, request, library, lambda *_: None)
    assert isinstance(found, Circuit)
    assert found.root == channels.root
    assert set(found.dictionaries) == {"c", "b"}
    after = actions.commit(asked, request, found, library)
    assert after.work.photo is before.work.photo
    assert (groups_of(after), pressed(after)) == (8, ["Groups", "8"])
    back = press(after, 0, library)
    assert back.requests[0].choices.groups == 0
    assert actions.run(back, back.requests[0], library, lambda *_: None).dictionaries == {}


def test_the_switch_goes_by_the_circuit_that_is_shown(session: Session, library: Library) -> None:
    assert session.choices.groups == 0
    assert pressed(session) == ["Groups", "4"]
    assert press(session, 4, library) is session  # it is so already
    asked = actions.apply(session, actions.Action("why", "1"), library)
    assert asked.requests[0].choices.groups == 4  # another question of a circuit of groups is of groups too
    assert press(asked, 12, library).requests[-1].payload.target == "1"  # and so is what was waited for


def test_without_a_circuit_the_switch_is_a_choice_for_the_next_one(photo: Photo, library: Library) -> None:
    chosen = press(Session(Work(photo, ())), 12, library)
    assert (chosen.requests, chosen.choices.groups, pressed(chosen)) == ((), 12, ["Groups", "12"])
    assert units_switch(Session()) == []


@pytest.mark.parametrize("count", [3, -4, 1000])
def test_only_the_numbers_that_are_offered_are_taken(session: Session, library: Library, count: int) -> None:
    with pytest.raises(InputError, match=rf"{count} is no number of groups that this page offers; there is 4, 8, 12"):
        press(session, count, library)


def test_a_locked_circuit_cannot_be_switched(session: Session, library: Library) -> None:
    locked = dataclasses.replace(session, work=dataclasses.replace(session.work, locked="It is of another network."))
    assert all(each.disabled for part in units_switch(locked) for each in find(part, type="button"))
    with pytest.raises(InputError, match="It is of another network"):
        press(locked, 8, library)


def test_a_budget_takes_the_place_of_units_per_node_and_the_other_way_round(photo: Photo, library: Library) -> None:
    session = actions.apply(Session(Work(photo, ())), actions.Action("set", "units=20"), library)
    assert (session.choices.units, session.choices.top_asked, session.choices.mode_asked) == (20, None, None)
    found = library.trace(photo, 2, session.choices, lambda *_: None)
    assert found.settings.units == 20
    assert found.settings.mode == "target"
    assert len(found.visible) <= 21
    again = actions.apply(session, actions.Action("set", "top=8"), library)
    assert (again.choices.units, again.choices.top_asked, again.choices.mode_asked) == (0, 8, "sum")
    with pytest.raises(InputError, match="units = 30 is not a setting"):
        actions.apply(session, actions.Action("set", "units=30"), library)


def test_groups_leave_a_method_that_was_chosen_as_it_is() -> None:
    assert Choices(groups=8).mode_asked is None
    assert Choices(groups=8, mode="ablate").mode_asked == "ablate"
    assert Choices(groups=8, mode="ablate", units=20).mode_asked is None


# ---- the graph ----


def test_the_residual_stands_last_in_its_row_and_is_drawn_apart(circuit: Circuit) -> None:
    made = drawing(circuit)
    rows: dict[str, list[dict[str, Any]]] = {}
    for node in made.nodes:
        rows.setdefault(node["layer"], []).append(node)
    for layer in ("c", "b"):
        *groups, last = rows[layer]
        assert (last["id"], last["label"], last["residual"]) == (f"{layer}/rest", "not in any group", True)
        assert {node["label"] for node in groups} <= {"0", "1", "2", "3"}
        assert not any(node["residual"] for node in groups)
    details = {row["layer"]: row["detail"] for row in made.rows}
    assert details == {"fc": "20 classes", "c": "4 groups of 20 channels", "b": "4 groups of 20 channels"}
    assert {line["source"] for line in made.edges if line["residual"]} == {"c/rest", "b/rest"}


def test_a_group_is_called_by_its_name_if_it_has_one(circuit: Circuit) -> None:
    name = circuit.edges_into(circuit.root)[0].source
    named = drawing(circuit.with_name(name, "ears"))
    assert next(node["label"] for node in named.nodes if node["id"] == name) == "ears"


def test_the_residual_is_never_hidden_with_weak_edges(circuit: Circuit) -> None:
    left = reached(circuit, 30)
    assert "c/rest" in left
    assert len(left) < len(circuit.visible)


def test_the_sentence_over_the_graph_is_made_from_the_books(circuit: Circuit) -> None:
    books, value = circuit.nodes[circuit.root].books, circuit.nodes[circuit.root].value
    assert books is not None
    held = (value - books.bias - books.residual) / value
    parts = [round(100 * part) for part in (held, books.residual / value)]
    none, rest = share(parts[1] / 100), share((100 - sum(parts)) / 100)  # 100 % in all
    expected = (
        f"The 4 groups of c hold {share(held)} of tree; {none} is not in any group, and the rest, {rest}, "
        f"is bias. 3 of 4 groups are drawn; 1 inhibits ({share(books.rest / value)})."
    )
    assert books.rest < 0
    assert held_in_words(circuit) == expected


def test_channels_have_no_such_sentence(network: Network, photo: Photo) -> None:
    assert held_in_words(trace(network, photo, 2, depth=1)) == ""


def test_pictures_are_asked_for_of_directions_and_not_of_the_residual(circuit: Circuit, library: Library) -> None:
    wanted = [subject for group in circuit_batches(circuit, library) for subject in group]
    assert wanted[0] == Unit("fc", 2)
    drawn = [each.group for each in wanted if isinstance(each, LayerDirection)]
    shown = {node.unit for name, node in circuit.nodes.items() if "/" in name and not name.endswith("rest")}
    assert set(drawn) == shown
    assert all(group.number is not None for group in drawn)
    assert library.key(circuit, "c/rest") == ""
    assert library.picture(circuit, "c/rest") == ""


# ---- growing and pruning by hand ----


def test_groups_are_expanded_collapsed_and_discarded_by_hand(session: Session, library: Library) -> None:
    circuit = session.work.circuit
    assert circuit is not None
    name = circuit.edges_into(circuit.root)[0].source
    without = actions.apply(session, actions.Action("discard", name), library)
    assert name not in without.work.circuit.visible
    assert actions.apply(without, actions.Action("restore", name), library).work.circuit.visible == circuit.visible
    closed = actions.apply(session, actions.Action("collapse", name), library)
    assert expansion_of(closed, name).top == 4  # all groups, as they were found
    asked = actions.apply(closed, actions.Action("expand", name), library)
    again = actions.run(asked, asked.requests[0], library, lambda *_: None)
    assert again.edges_into(name) == circuit.edges_into(name)


def test_below_the_levels_of_groups_are_channels(session: Session, library: Library) -> None:
    circuit = session.work.circuit
    assert circuit is not None
    name = next(name for name in circuit.visible if name.startswith("b/") and not name.endswith("rest"))
    asked = actions.apply(session, actions.Action("expand", name), library)
    grown = actions.run(asked, asked.requests[0], library, lambda *_: None)
    assert all(isinstance(grown.nodes[edge.source].unit, Unit) for edge in grown.edges_into(name))
    books = grown.nodes[name].books
    assert books.shown + books.rest + books.bias == pytest.approx(grown.nodes[name].value, rel=1e-4)


def test_growing_a_circuit_of_groups_shows_all_of_them(session: Session, library: Library) -> None:
    circuit = session.work.circuit
    assert circuit is not None
    bare = session
    for edge in circuit.edges_into(circuit.root):
        bare = actions.apply(bare, actions.Action("collapse", edge.source), library)
    asked = actions.apply(bare, actions.Action("grow", "1"), library)
    grown = actions.run(asked, asked.requests[0], library, lambda *_: None)
    assert grown.visible == circuit.visible


# ---- the pane ----


def strongest(circuit: Circuit) -> str:
    """Id of the strongest group below the target."""
    return next(edge.source for edge in circuit.edges_into(circuit.root) if not edge.source.endswith("rest"))


def chosen(session: Session, name: str) -> Session:
    return dataclasses.replace(session, work=dataclasses.replace(session.work, selected=name))


def test_a_group_is_asked_what_makes_sense_of_it(
    session: Session, circuit: Circuit, library: Library, collection: Collection
) -> None:
    evidence = Evidence(library, collection)
    found = {query.name for query in actions.wanted(chosen(session, strongest(circuit)), evidence)}
    assert {"heat", "pushes", "places", "argument", "in_photo"} <= found
    assert found.isdisjoint({"standing", "saliency", "relative", "exemplars", "middle"})
    for query in actions.wanted(chosen(session, "c/rest"), evidence):
        query.work(lambda *_: None)


def test_answers_on_groups_are_kept_apart_for_other_directions(
    session: Session, circuit: Circuit, network: Network, photo: Photo, library: Library, collection: Collection
) -> None:
    other, evidence = trace(network, photo, 2, groups=3, depth=2), Evidence(library, collection)
    [name, *_] = [edge.source for edge in other.edges_into(other.root) if edge.source in circuit.visible]
    ours, theirs = (
        {query.name: query.key for query in actions.wanted(chosen(each, name), evidence)}
        for each in (session, dataclasses.replace(session, work=dataclasses.replace(session.work, circuit=other)))
    )
    for kind in ("heat", "places", "argument", "pushes", "in_photo"):
        assert ours[kind] != theirs[kind], kind


def test_the_channels_of_a_group_are_its_largest_weights(circuit: Circuit) -> None:
    direction = circuit.dictionaries["c"].directions[1]
    found = members(circuit, circuit.nodes["c/1"])
    order = direction.argsort(descending=True).tolist()[:MEMBERS]
    assert [unit for unit, _ in found] == [Unit("c", channel) for channel in order if direction[channel] > 0]
    assert [weight for _, weight in found] == pytest.approx(direction[order][: len(found)].tolist())
    count = int((direction != 0).sum())
    part = float((direction[order] ** 2).sum() / (direction**2).sum())
    said = in_words(circuit, Group("c", 1))
    assert said.startswith(f"The {MEMBERS} strongest of {count} channels" if count > MEMBERS else f"All {count}")
    assert f"{round(100 * part)} %" in said or count <= MEMBERS
    assert members(circuit, circuit.nodes["c/rest"]) == members(circuit, circuit.nodes[circuit.root]) == []


def test_a_channel_of_a_group_opens_among_all_channels_of_its_layer(session: Session, library: Library) -> None:
    opened = actions.apply(session, actions.real.Action("channel", {"unit": "c:7"}), library)
    assert (opened.showing.page, opened.showing.layer, opened.showing.unit) == ("layers", "c", "c:7")
    with pytest.raises(InputError, match="is not a unit"):
        actions.apply(session, actions.real.Action("channel", {"unit": "c/1"}), library)


def test_the_pane_of_a_group_has_its_map_channels_books_and_nearest_group(ann: Person) -> None:
    ann.do("groups", "4")
    ann.why("2")
    name = next(edge.source for edge in work_of(ann).work.circuit.edges_into("fc:2") if "rest" not in edge.source)
    ann.do("select", name)
    ann.looked()
    said = " ".join(words(part) for part in ann.pane)
    assert f"group   {name.partition('/')[2]}" in said or "group" in said
    for part in ("Channels in this group", "Where it fired", "Classes it pushes up and down", "contribution to"):
        assert part in said, part
    assert "cosine" in said
    assert "In layer" not in said  # a group has no place among the channels
    assert ann.chosen["what_if"]["unit"] == name
    assert ann.chosen["what_if"]["refused"] == ""


def test_the_pane_of_the_residual_says_why_it_has_no_picture(ann: Person) -> None:
    ann.do("groups", "4")
    ann.why("2")
    ann.do("select", "c/rest")
    ann.looked()
    said = " ".join(words(part) for part in ann.pane)
    assert "what is not in any group has no direction, and so no picture" in said
    assert "Channels in this group" not in said


def test_the_books_name_what_is_in_no_group(circuit: Circuit, library: Library) -> None:
    broken = inspect(library, circuit, circuit.root, "").breakdown
    assert broken is not None
    books = circuit.nodes[circuit.root].books
    assert broken.residual == books.residual
    assert broken.named == len(broken.parts) - 1
    assert sum(part.attribution for part in broken.parts) + broken.rest + broken.bias == pytest.approx(broken.value)
    assert " not in any group " in sum_in_words(broken)
    numbers = [
        int(each) for each in sum_in_words(broken).replace("−", "-").replace("- ", "-").split() if each.isdigit()
    ]
    assert numbers


# ---- what if, and files ----


def test_what_if_takes_a_group_of_the_circuit_and_tells_other_groups_apart(
    ann: Person, page: Page, network: Network, photo: Photo
) -> None:
    ann.do("groups", "4")
    ann.why("2")
    work = work_of(ann).work
    body = {"session": ann.name, "stamp": stamp(work_of(ann)), "changes": [{"unit": "c/0", "factor": 0}]}
    client = page.dash.server.test_client()
    told = client.post("/what-if", data=json.dumps(body), content_type="application/json").get_json()
    assert told["effects"]
    logit = next(each["logits"] for each in told["effects"] if each["class"] == 2)
    assert logit[1] != pytest.approx(logit[0], abs=1e-4)
    other = dataclasses.replace(work, circuit=trace(network, photo, 2, groups=3, depth=2))
    assert stamp(Session(other)) != stamp(work_of(ann))
    _, _, changes = read(json.dumps(body).encode())
    assert changes == {Group("c", 0): 0}


def test_a_circuit_of_groups_goes_out_as_a_file_and_comes_back_without_a_fit(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann.do("groups", "4")
    ann.why("2")
    before = work_of(ann).work.circuit
    _, data = ann.export()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be fitted")

    monkeypatch.setattr("circuits.tracing.levels.fit", refuse)
    assert ann.send(json.dumps(data).encode(), "circuit.json", "circuit") == []
    after = work_of(ann).work
    assert (after.circuit, after.locked) == (before, "")
    ann.do("select", strongest(before))
    ann.looked()
    assert "Where it fired" in " ".join(words(part) for part in ann.pane)


def test_circuits_of_other_groups_are_paired_by_their_directions(ann: Person, network: Network, photo: Photo) -> None:
    ann.do("groups", "8")
    ann.why("2")
    ann.do("hold")
    ann.do("groups", "4")
    assert ann.callbacks.work.tracing.wait(ann.name, seconds=30)
    ann.do("page", "compare")
    found = compare(work_of(ann).beside, work_of(ann).work.circuit)
    cards = find(ann.seen["compare"], className="unit-card")
    told = [getattr(card, "aria-label") for card in cards]
    paired = [unit for unit in found.shared if unit.id != unit.right_id]
    assert paired or any(unit.cosine < 1 for unit in found.shared)
    for unit in found.shared:
        if unit.cosine < 1:
            assert any(each.startswith(f"{unit.called}, {unit.right_id} on the right, cosine 0.") for each in told)
    pressed = [json.loads(getattr(card, "data-payload")) for card in cards if hasattr(card, "data-payload")]
    shown = set(work_of(ann).work.circuit.visible)
    assert {each["unit"] for each in pressed} <= shown  # groups of the left one alone cannot be chosen


def test_another_dictionary_is_another_drawing(ann: Person) -> None:
    ann.do("groups", "8")
    ann.why("2")
    before = ann.seen["view"]["circuit"]
    ann.do("groups", "4")
    assert ann.callbacks.work.tracing.wait(ann.name, seconds=30)
    assert ann.do("refresh")["view"]["circuit"] != before
