"""Circuits of groups: their books, edges, ablations, scores and file, each against a slow definition."""

import json
from collections.abc import Mapping
from functools import cache

import networkx as nx
import pytest
import torch

from circuits import (
    Baseline,
    Circuit,
    InputError,
    Network,
    UnknownError,
    compare,
    contributions,
    evaluate,
    expand,
    intervene,
    load_network,
    load_photo,
    measure,
    trace,
)
from circuits.evaluation.scores import score_edges, score_units
from circuits.evaluation.unit_sets import sources_of, units_of
from circuits.groups.coding import RESIDUAL, Code, encode
from circuits.groups.dictionary import Dictionary
from circuits.tracing.levels import dictionaries_for
from circuits.tracing.run import ForwardCache
from circuits.tracing.search import CircuitBuilder
from circuits.tracing.source import forward_cache
from circuits.tracing.targets import find_target, target_of
from circuits.units import Group, Unit

GROUPS = 4
PHOTO = "example:cat"


@cache
def builtin() -> Network:
    return load_network()


@cache
def circuit() -> Circuit:
    return trace(builtin(), PHOTO, "cat", groups=GROUPS, depth=2)


@cache
def exact_run() -> tuple[ForwardCache, Code, Code]:
    """In float64: a run with groups in two layers, and their codes."""
    network = load_network()
    network.traced.double()
    run = ForwardCache.of(network, network.preprocessing.input_of(load_photo(PHOTO)).double())
    target = find_target(network, "cat", 0)
    run = run.with_groups(dictionaries_for(run, target, GROUPS, 2))
    return run, run.code(target, "conv7"), run.code(target, "conv6")


def test_every_level_has_its_groups_and_what_is_in_none() -> None:
    names = {
        layer: {name for name in circuit().visible if name.startswith(f"{layer}/")} for layer in ("conv7", "conv6")
    }
    assert names["conv7"] == {"conv7/0", "conv7/1", "conv7/2", "conv7/3", "conv7/rest"}
    assert names["conv6"] <= {"conv6/0", "conv6/1", "conv6/2", "conv6/3", "conv6/rest"}
    assert circuit().nodes["conv7/rest"].label == "not in any group"
    assert circuit().settings.mode == "target"


@pytest.mark.parametrize("mode", ["sum", "target", "ig"])
def test_shares_add_up_to_those_of_the_channels(mode: str) -> None:
    """Σ_g S_g + S_r = Σ_j S_j, for the class, a group and a residual, in float64."""
    run, _, _ = exact_run()
    target = find_target(run.network, "cat", 0)
    builder = CircuitBuilder(run, target, mode, nx.DiGraph())
    for unit in (target.unit, Group("conv7", 1), Group("conv7", None)):
        builder.add(unit, str(unit), str(unit))
        readout = builder.readout(str(unit))
        coded, plain = run.below(unit.layer, target), run.below(unit.layer)
        [groups] = coded.shares(mode, iter([readout]))
        [channels] = plain.shares(mode, iter([readout]))
        assert len(groups) == GROUPS + 1
        assert float(groups.sum()) == pytest.approx(float(channels.sum()), abs=1e-10 * float(channels.abs().sum()))


def test_the_books_close_with_the_effective_bias() -> None:
    """f − Σ S is what is there without the layer below, in a segment with the same rectifiers open."""
    run, _, lower = exact_run()
    target = find_target(run.network, "cat", 0)
    builder = CircuitBuilder(run, target, "target", nx.DiGraph())
    builder.add(Group("conv7", 1), "conv7/1", "")
    readout = builder.readout("conv7/1")
    [shares] = run.below("conv7", target).shares("target", iter([readout]))
    segment, activation = run.network.segment("conv6", "conv7"), run.activations["conv6"]
    value = float(readout.value(run.activations["conv7"]))
    # Σ_b b · ∂f/∂b is (1 − d/dα) of f at α a, at α = 1.
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        f = readout.through(segment, activation * scale).sum()
    bias = value - float(torch.autograd.grad(f, scale)[0])
    assert value - float(shares.sum()) == pytest.approx(bias, abs=1e-9)
    node = circuit().nodes["conv7/1"]
    assert node.books.value == pytest.approx(node.books.shown + node.books.rest + node.books.residual + node.books.bias)
    assert lower.units == len(shares)


@pytest.mark.parametrize("group", [0, 2, RESIDUAL])
def test_a_share_by_ablation_is_what_the_value_loses_without_the_part(group: int) -> None:
    run, _, code = exact_run()
    target = find_target(run.network, "cat", 0)
    readout = run.readout(target, Unit("conv7", 3), "sum", is_root=False)
    [lost] = run.below("conv7", target).shares("ablate", iter([readout]))
    segment, activation = run.network.segment("conv6", "conv7"), run.activations["conv6"]
    with torch.no_grad():
        without = segment(activation - code.part(group), [3]).sum()
        assert float(lost[group]) == pytest.approx(float(segment(activation, [3]).sum() - without), abs=1e-10)


def test_groups_and_channels_mix() -> None:
    below = trace(builtin(), PHOTO, "cat", groups=[GROUPS, 0], depth=2, top=3)
    assert {type(node.unit) for node in below.nodes.values() if node.unit.layer == "conv6"} == {Unit}
    above = trace(builtin(), PHOTO, "cat", groups=[0, GROUPS], depth=2, top=3)
    assert {type(node.unit) for node in above.nodes.values() if node.unit.layer == "conv6"} == {Group}
    for each in (below, above):
        for node in each.nodes.values():
            if node.books is not None:
                books = node.books
                closed = books.shown + books.rest + books.residual + books.bias
                assert closed == pytest.approx(books.value, rel=1e-5, abs=1e-5)


def test_the_file_carries_the_directions_so_that_nothing_is_fitted_again() -> None:
    read = Circuit.from_dict(json.loads(circuit().to_json_text()))
    assert read == circuit()
    assert json.loads(circuit().to_json_text())["format"] == "circuits/2"
    assert expand(builtin(), read, read.root) == circuit()
    listed = contributions(builtin(), read, "conv7/0")
    assert {str(unit) for unit, _ in listed.shares} == {f"conv6/{number}" for number in (0, 1, 2, 3, "rest")}


def test_a_circuit_of_channels_is_written_as_before() -> None:
    assert trace(builtin(), PHOTO, depth=1).to_dict()["format"] == "circuits/1"


@pytest.mark.parametrize(
    ("node", "changes", "message"),
    [
        ("conv7/1", {"group": 9, "id": "conv7/9"}, "has 4 groups"),
        ("conv7/1", {"group": 2}, "says that it is group 2"),
        ("conv7/1", {"channel": 3}, "not valid at nodes"),
    ],
)
def test_a_file_whose_groups_contradict_it_gets_a_sentence(node: str, changes: Mapping, message: str) -> None:
    data = json.loads(circuit().to_json_text())
    row = next(row for row in data["nodes"] if row["id"] == node)
    row.update(changes)
    for edge in data["edges"]:
        for end in ("source", "target"):
            edge[end] = row["id"] if edge[end] == node else edge[end]
    with pytest.raises(InputError, match=message):
        Circuit.from_dict(data)


def test_a_file_without_its_dictionary_gets_a_sentence() -> None:
    data = json.loads(circuit().to_json_text())
    del data["graph"]["dictionaries"]["conv6"]
    with pytest.raises(InputError, match="no dictionary"):
        Circuit.from_dict(data)


def test_what_is_measured_is_what_is_lost() -> None:
    """Zero, and a mean whose own code stands in the place of a group's."""
    network = builtin()
    means = {layer: torch.rand(network.layer(layer).channels) for layer in network.layers}
    measured = measure(network, circuit(), circuit().root, baseline=Baseline("mean", "made up", means))
    run = forward_cache(network, circuit())
    code = run.code(target_of(circuit()), "conv7")
    usual = encode(code.dictionary, means["conv7"][None, :, None, None].expand_as(code.activation), code.importance)
    segment = network.segment("conv7", "fc")

    def logit(activation: torch.Tensor) -> float:
        with torch.no_grad():
            return float(segment(activation, [0]).sum())

    for edge in measured.edges_into(circuit().root):
        group = RESIDUAL if edge.source == "conv7/rest" else int(edge.source.split("/")[1])
        without = logit(code.activation - code.part(group))
        assert edge.ablation == pytest.approx(logit(code.activation) - without, abs=1e-3)
        at_mean = logit(code.activation - code.part(group) + usual.part(group))
        assert edge.ablation_mean == pytest.approx(logit(code.activation) - at_mean, abs=1e-3)
        assert edge.positive + edge.negative == pytest.approx(edge.attribution, abs=1e-3)
    [zero, _] = measured.nodes[circuit().root].measured
    assert zero.spearman > 0.9  # the class is linear in its layer but for nothing


def test_the_score_codes_each_layer_anew_as_it_arrives() -> None:
    """The definition: conv6 gives way to what its groups hold, conv7 is computed from that and coded in its turn."""
    network, run, target = builtin(), forward_cache(builtin(), circuit()), target_of(circuit())
    every = {layer: range(GROUPS) for layer in ("conv6", "conv7")}
    some = {"conv6": [0, 2], "conv7": [1, 3]}
    for units, scored in zip((every, some), score_units(run, target, [every, some], Baseline.zero()), strict=True):
        activation = run.activations["conv6"]
        for layer, upper in (("conv6", "conv7"), ("conv7", "fc")):
            known = run.code(target, layer)
            code = encode(known.dictionary, activation, known.importance)
            held = torch.stack([code.part(group) for group in units[layer]]).sum(0)
            with torch.no_grad():
                activation = network.segment(layer, upper)(held[None])
        assert scored.value.alone == pytest.approx(float(activation[0, 0].sum()), abs=1e-3)
        assert scored.value.whole == pytest.approx(circuit().target.value, abs=1e-4)


def test_with_the_residual_everything_is_kept() -> None:
    run, target = forward_cache(builtin(), circuit()), target_of(circuit())
    [scored] = score_units(run, target, [{"conv6": [], "conv7": []}], Baseline.zero())
    assert scored.value.without == pytest.approx(scored.value.whole)
    assert scored.value.alone == pytest.approx(scored.value.nothing)


def test_the_edges_keep_what_the_groups_keep_where_all_are_shown() -> None:
    whole = trace(builtin(), PHOTO, "cat", groups=GROUPS, depth=2, signs="both")
    run, target = forward_cache(builtin(), whole), target_of(whole)
    edges = score_edges(run, target, sources_of(whole), Baseline.zero())
    [units] = score_units(run, target, [units_of(builtin(), whole)], Baseline.zero())
    assert edges.alone == pytest.approx(units.value.alone, rel=1e-3)


def test_a_card_of_groups_has_a_control_of_permuted_directions() -> None:
    card = evaluate(builtin(), circuit(), ladder=(2,), stability=2, draws=2)
    kept = {row.method: row.faithfulness.value for row in card.rows if row.metric == "value" and row.baseline == "zero"}
    assert kept["circuit"] > 0.5
    assert kept["permuted"] < 0.5 * kept["circuit"]
    assert card.units == {"conv6": (0, 1, 2, 3), "conv7": (0, 1, 2, 3)}
    assert card.widths == {"conv6": GROUPS, "conv7": GROUPS}


def test_a_group_is_switched_off_with_its_part() -> None:
    outcome = intervene(builtin(), circuit(), "conv7/1", top=1)
    run = forward_cache(builtin(), circuit())
    code = run.code(target_of(circuit()), "conv7")
    with torch.no_grad():
        logits = builtin().segment("conv7", "fc")(code.activation - code.part(1)).sum((0, 2, 3))
    assert torch.allclose(outcome.after, logits, atol=1e-4)
    assert torch.equal(intervene(builtin(), circuit(), {"conv7/1": 1}).after, outcome.before)
    both = intervene(builtin(), circuit(), {"conv7/1": 0, Unit("conv2", 3): 0})
    assert not torch.equal(both.after, outcome.after)


@pytest.mark.parametrize(
    ("source", "group", "message"),
    [("photo", "conv7/1", "whose direction a circuit carries"), ("circuit", "conv7/7", "conv7 has 4 groups")],
)
def test_a_group_that_is_not_there_is_refused(source: str, group: str, message: str) -> None:
    with pytest.raises(UnknownError, match=message):
        intervene(builtin(), PHOTO if source == "photo" else circuit(), group)


def test_groups_are_the_same_by_their_directions_and_not_their_numbers() -> None:
    """A circuit beside one whose groups have other numbers."""
    dictionaries = {}
    for layer, each in circuit().dictionaries.items():
        dictionaries[layer] = Dictionary(each.directions.flip(0), each.source, each.weighted)
    renumbered = trace(builtin(), PHOTO, "cat", groups=dictionaries, depth=2)
    found = compare(circuit(), renumbered)
    assert found.unit_index == 1
    assert found.edge_index == 1
    pairs = {unit.id: (unit.right_id, round(unit.cosine, 4)) for unit in found.shared if unit.id.startswith("conv7/")}
    assert pairs["conv7/0"] == ("conv7/3", 1.0)
    assert pairs["conv7/rest"] == ("conv7/rest", 1.0)


def tampered(**changes: object) -> dict:
    """The file of a circuit with the dictionary of conv7 changed."""
    data = json.loads(circuit().to_json_text())
    data["graph"]["dictionaries"]["conv7"] |= changes
    return data


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert Circuit.from_dict(tampered(channels=384.0)) == circuit()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 2147483647}, "too large"),
        ({"channels": 100}, "names channels that its layer of 100 lacks"),
        ({"directions": [{"at": [], "weights": []}] * 4}, "zero everywhere"),
        ({"encoder": [{"at": [0], "weights": [1.0]}] * 4}, "both or neither"),
    ],
)
def test_a_dictionary_that_is_none_is_refused_with_its_file(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=f"dictionary of layer 'conv7' cannot be used: .*{message}"):
        Circuit.from_dict(tampered(**changes))


def test_a_dictionary_of_another_layer_is_refused_by_the_network() -> None:
    data = tampered(channels=385)
    with pytest.raises(InputError, match="over 385 channels; the layer has 384"):
        expand(builtin(), Circuit.from_dict(data), "conv7/0")
    data["graph"]["dictionaries"]["nowhere"] = data["graph"]["dictionaries"]["conv7"]
    with pytest.raises(InputError, match="layer 'nowhere', which the circuit's network lacks"):
        Circuit.from_dict(data)


def test_the_first_format_has_no_groups() -> None:
    with pytest.raises(InputError, match="has what only 'circuits/2' can hold"):
        Circuit.from_dict(json.loads(circuit().to_json_text()) | {"format": "circuits/1"})


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({}, "is empty"),
        ({"conv5": Dictionary(torch.ones(1, 192), "here")}, "is of conv5, and none of these lies within 2"),
        (0, "0 at every level"),
        (-1, "from 1 to 1000"),
        ([4], "1 numbers for a depth of 2"),
        (True, "from 1 to 1000"),
        ({"conv9": Dictionary(torch.ones(1, 3), "here")}, "layer 'conv9'"),
        ({"conv7": Dictionary(torch.ones(1, 3), "here")}, "over 3 channels"),
    ],
)
def test_groups_that_cannot_be_are_refused(groups: object, message: str) -> None:
    with pytest.raises((InputError, UnknownError), match=message):
        trace(builtin(), PHOTO, groups=groups, depth=2)
