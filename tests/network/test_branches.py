"""Layers inside branches: every path counted once, books that close, on known networks and on torchvision's."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from circuits import (  # fmt: skip
    Circuit,
    InputError,
    Network,
    Unit,
    argument_map,
    collapse,
    contributions,
    edge_maps,
    expand,
    grow,
    intervene,
    measure,
    prepare,
    receptive_field,
    trace,
)
from circuits.attribution.gradient import Readout
from circuits.evidence.layer_statistics import layer_table
from circuits.network.branches import pack
from circuits.network.subgraphs import entrance_of
from circuits.tracing.run import ForwardCache
from tests.support import reference
from tests.support.branched import Blocked, Branches, Skip, branched
from tests.support.commandline import run, save_photo
from tests.support.handmade import POSITIONS, colour_photo, levels
from tests.support.nets import image_for, preprocessing, zoo, zoo_network

R, G, B = levels(1.0, 0.5, 0.25)


def edges(circuit: Circuit, unit: str) -> dict[str, float]:
    return {edge.source: edge.attribution for edge in circuit.edges_into(unit)}


def close(circuit: Circuit) -> None:
    """Each unit's books close, and none is empty."""
    expanded = [node for node in circuit.nodes.values() if node.books is not None]
    assert expanded
    for node in expanded:
        assert node.books.shown + node.books.rest + node.books.bias == pytest.approx(node.value, abs=1e-4)


def test_fine_goes_down_to_the_branches_and_says_what_lies_below_each_layer() -> None:
    network = branched(Branches())
    below = {name: network.layers_below(name) for name in network.layers}
    assert below == {
        "conv1": (), "reduce": ("conv1",), "expand": ("reduce",), "a": ("conv1",), "cat": ("expand", "a"),
        "fc": ("cat",),
    }  # fmt: skip
    assert network.branched
    assert not network.with_layers("auto").branched


def test_fine_tells_the_trunk_of_a_residual_block_from_what_the_block_adds() -> None:
    network = branched(Skip())
    assert network.layers == ("conv1", "inner", "outer", "add", "relu_2", "fc")
    assert network.layers_below("add") == ("conv1", "outer")
    assert network.below("add") == "outer"


@pytest.mark.parametrize("mode", ["sum", "target", "ig", "ablate"])
def test_what_came_over_the_skip_and_what_the_block_added_are_two_edges(mode: str) -> None:
    network = branched(Skip())
    circuit = trace(network, colour_photo(), "one", depth=6, top=9, signs="both", mode=mode)
    unit = 1 / POSITIONS if mode == "target" else 1
    added = R + 2 * G
    assert edges(circuit, "relu_2:0") == pytest.approx({"add:0": unit * POSITIONS * (R + added + 0.25)})
    assert edges(circuit, "add:0") == pytest.approx(
        {"conv1:0": unit * POSITIONS * R, "outer:0": unit * POSITIONS * (added + 0.25)}
    )
    assert edges(circuit, "outer:0") == pytest.approx({"inner:0": unit * POSITIONS * added})
    books = circuit.node("outer:0").books
    assert books is not None
    assert books.bias == pytest.approx(unit * POSITIONS * 0.25, abs=1e-4)
    close(circuit)


def test_a_unit_of_the_trunk_has_one_edge_for_each_way_that_leaves_it() -> None:
    circuit = trace(branched(Skip()), colour_photo(), "one", depth=6, top=9, signs="both")
    upward = {target: data["attribution"] for _, target, data in circuit.graph.out_edges("conv1:0", data=True)}
    assert upward == pytest.approx({"add:0": POSITIONS * R, "inner:0": POSITIONS * R})


@pytest.mark.parametrize("kind", [Branches, Skip])
def test_mode_target_is_conserved_over_all_ways_up(kind: type) -> None:
    """What a unit contributes to the target is the sum of its edges to every unit above, over skips and branches."""
    network = branched(kind())
    circuit = trace(network, colour_photo(), "one", depth=6, top=9, signs="both", mode="target")
    lower = [node for node in circuit.nodes.values() if node.id != circuit.root]
    assert {node.unit.layer for node in lower} == set(network.layers[:-1])
    for node in lower:
        outgoing = sum(data["attribution"] for _, _, data in circuit.graph.out_edges(node.id, data=True))
        assert outgoing == pytest.approx(node.value, abs=1e-5)
        assert float(argument_map(network, circuit, node.id).sum()) == pytest.approx(node.value, abs=1e-5)
        table = layer_table(network, circuit, node.unit.layer)
        assert table.attributions is not None
        assert table.attributions[node.unit.channel] == pytest.approx(node.value, abs=1e-5)
    close(circuit)


def test_the_children_of_a_unit_are_the_strongest_of_all_branches_together() -> None:
    network = branched(Branches(), ["conv1", "a", "reduce", "expand"])
    assert network.layers_below("fc") == ("expand", "a")
    known = {"expand:0": 6 * (R - G), "a:0": R + G, "expand:1": 0.5 * (R - G + 0.5), "a:1": -2 * (B - 0.1)}
    circuit = trace(network, colour_photo(), "one", depth=1, top=3, signs="both")
    assert edges(circuit, "fc:0") == pytest.approx(dict(list(known.items())[:2]) | {"expand:1": known["expand:1"]})
    assert [edge.source for edge in circuit.edges_into("fc:0")] == ["expand:0", "a:0", "expand:1"]
    books = circuit.node("fc:0").books
    assert books is not None
    assert books.rest == pytest.approx(known["a:1"], abs=1e-6)
    assert books.bias == pytest.approx(0.2, abs=1e-6)
    gross = sum(map(abs, known.values()))
    assert books.coverage == pytest.approx(1 - abs(known["a:1"]) / gross)
    found = contributions(network, circuit, "fc:0", top=2)
    assert (found.lower, found.others) == ("expand, a", 2)
    assert [(str(unit), share) for unit, share in found.shares] == [
        (name, pytest.approx(known[name])) for name in ("expand:0", "a:0")
    ]


def test_an_edge_from_a_branch_says_its_channel_in_the_concatenation_that_is_no_layer() -> None:
    network = branched(Branches(), ["conv1", "a", "expand"])
    circuit = trace(network, colour_photo(), "one", depth=1, top=9, signs="both")
    entrances = {edge.source: edge.entrance for edge in circuit.edges_into("fc:0")}
    assert entrances == {"a:0": "cat:0", "a:1": "cat:1", "expand:0": "cat:2", "expand:1": "cat:3"}
    again = Circuit.from_dict(circuit.to_dict())
    assert again == circuit
    assert {edge.source: edge.entrance for edge in again.edges_into("fc:0")} == entrances
    assert circuit.layers == ("conv1", "expand", "a", "fc")
    # As a layer itself, the concatenation is where the edge ends.
    with_it = trace(branched(Branches()), colour_photo(), "one", depth=2, top=9, signs="both")
    assert edges(with_it, "cat:2") == pytest.approx({"expand:0": POSITIONS * 2 * (R - G)})
    assert [edge.entrance for edge in with_it.edges_into("cat:2")] == [None]


def test_a_unit_of_a_block_is_expanded_through_the_layers_of_its_own_branch() -> None:
    network = branched(Branches(), ["conv1", "reduce", "cat"])
    assert network.layers_below("cat") == ("conv1", "reduce")
    circuit = trace(network, colour_photo(), "cat:3", depth=2, top=9, signs="both")
    assert edges(circuit, "cat:3") == pytest.approx({"reduce:0": POSITIONS * (R - G)})
    assert edges(circuit, "reduce:0") == pytest.approx({"conv1:0": POSITIONS * R, "conv1:1": -POSITIONS * G})
    direct = trace(network, colour_photo(), "cat:0", depth=1, top=9)
    assert edges(direct, "cat:0") == pytest.approx({"conv1:0": POSITIONS * R, "conv1:1": POSITIONS * G})


def test_the_image_past_all_layers_is_part_of_the_rest() -> None:
    network = branched(Branches(), ["expand"])
    assert network.layer("fc").is_open
    circuit = trace(network, colour_photo(), "one", depth=3, top=9, signs="both")
    assert edges(circuit, "fc:0") == pytest.approx({"expand:0": 6 * (R - G), "expand:1": 0.5 * (R - G + 0.5)})
    books = circuit.node("fc:0").books
    assert books is not None
    assert books.rest == pytest.approx(R + G - 2 * B, abs=1e-5)
    assert books.bias == pytest.approx(0.2 + 2 * 0.1, abs=1e-5)
    assert books.gross == pytest.approx(6 * (R - G) + 0.5 * (R - G + 0.5) + R + G + 2 * B)
    with pytest.raises(
        InputError, match=r"^expand:0 lies in the lowest layer of branches; there is nothing below it\.$"
    ):
        expand(network, circuit, "expand:0")


@pytest.mark.parametrize("mode", ["sum", "target", "ig", "ablate"])
@pytest.mark.parametrize("kind", [Branches, Skip])
def test_growing_by_levels_is_tracing_deeper(kind: type, mode: str) -> None:
    network = branched(kind())
    deep = trace(network, colour_photo(), "one", depth=3, top=2, mode=mode)
    grown = grow(network, trace(network, colour_photo(), "one", depth=1, top=2, mode=mode), levels=2)
    assert {name: edges(grown, name) for name in grown.nodes} == {name: edges(deep, name) for name in deep.nodes}
    assert grown.visible == deep.visible
    root = collapse(grown, grown.root)
    assert len(root.nodes) == 1
    assert edges(expand(network, root, root.root), root.root) == edges(deep, deep.root)


def test_a_list_of_tops_counts_steps_down_the_circuit() -> None:
    network = branched(Skip())
    circuit = trace(network, colour_photo(), "one", depth=3, top=[1, 1, 2], signs="both")
    assert [len(circuit.edges_into(name)) for name in ("fc:0", "relu_2:0", "add:0")] == [1, 1, 2]
    closed = expand(network, collapse(circuit, "add:0"), "add:0")
    assert edges(closed, "add:0") == edges(circuit, "add:0")


def test_no_unit_of_several_lowest_layers_can_be_grown() -> None:
    network = branched(Branches(), ["a", "expand"])
    circuit = trace(network, colour_photo(), "one", depth=2, top=9)
    assert grow(network, circuit, levels=2) == circuit
    with pytest.raises(InputError, match=r"^a is the lowest layer of branches; only the image is below it"):
        grow(network, circuit, layer="a")


def test_a_file_says_which_layers_are_the_lowest_if_the_first_is_not_alone(tmp_path: Path) -> None:
    several = trace(branched(Branches(), ["a", "expand"]), colour_photo(), "one", depth=1)
    assert several.lowest == ("expand", "a")
    several.to_json(tmp_path / "several.json")
    assert Circuit.from_json(tmp_path / "several.json").lowest == ("expand", "a")
    chain = trace(branched(Branches(), "auto"), colour_photo(), "one", depth=1)
    assert chain.lowest == chain.layers[:1]
    assert "lowest" not in chain.network


def test_an_edge_is_measured_with_the_other_lower_layers_held_as_they_are() -> None:
    network = branched(Skip())
    circuit = measure(network, trace(network, colour_photo(), "one", depth=6, top=9, signs="both"))
    found = {(edge.source, name): edge.ablation for name in circuit.nodes for edge in circuit.edges_into(name)}
    assert found["conv1:0", "add:0"] == pytest.approx(POSITIONS * R)
    assert found["outer:0", "add:0"] == pytest.approx(POSITIONS * (R + 2 * G + 0.25))
    assert found["conv1:1", "inner:0"] == pytest.approx(POSITIONS * 2 * G)
    assert None not in found.values()
    exact = trace(network, colour_photo(), "one", depth=6, top=9, signs="both", mode="ablate")
    for name in exact.nodes:
        assert edges(exact, name) == pytest.approx({s: found[s, name] for s in edges(exact, name)})


def test_the_maps_of_an_edge_sum_to_its_attribution_whatever_its_way() -> None:
    for kind in (Branches, Skip):
        network = branched(kind())
        circuit = trace(network, colour_photo(), "one", depth=6, top=9, signs="both")
        pairs = [(edge, name) for name in circuit.nodes for edge in circuit.edges_into(name)]
        assert len(pairs) >= 10
        for edge, name in pairs:
            maps = edge_maps(network, circuit, edge.source, name)
            assert maps.lower.sum() == pytest.approx(edge.attribution, abs=1e-4)
            assert maps.upper.sum() == pytest.approx(edge.attribution, abs=1e-4)
            assert maps.lower.shape == (4, 4)


def test_the_maps_of_units_further_apart_take_every_path() -> None:
    network, photo = branched(Skip()), colour_photo()
    maps = edge_maps(network, photo, "conv1:0", "relu_2:0")
    assert maps.lower == pytest.approx(np.full((4, 4), 2 * R), abs=1e-6)
    assert maps.upper == pytest.approx(np.full((4, 4), 2 * R), abs=1e-6)
    blocked = edge_maps(network, photo, "conv1:0", "add:0")
    assert blocked.lower == pytest.approx(np.full((4, 4), R), abs=1e-6)
    inner = edge_maps(network, photo, "inner:0", "fc:0")
    assert inner.attribution == pytest.approx((R + 2 * G) * (1 + 0), abs=1e-5)
    with pytest.raises(InputError, match="a does not lie above expand in branches; nothing leads from the one up"):
        edge_maps(branched(Branches()), photo, "expand:0", "a:0")


def test_a_segment_from_a_layer_that_is_passed_by_is_refused() -> None:
    network = branched(Skip())
    with pytest.raises(InputError, match=r"^What reaches add in skip does not all pass outer, so no function of outer"):
        network.segment("outer", "add")
    assert network.segment("inner", "outer")(torch.ones(1, 1, 4, 4)).shape == (1, 3, 4, 4)


def test_units_of_branches_can_be_switched_off() -> None:
    network = branched(Skip())
    added = R + 2 * G
    known = {
        ("conv1:0",): max(0, 2 * G + 0.25) + max(0, G - 2 * G) + 4 * B,
        ("inner:0",): R + 0.25 + G + 4 * B,
        ("outer:0",): R + 4 * B,
        ("inner:0", "outer:0"): R + G + 4 * B,
        ("outer:1", "add:0"): G + 4 * B,
    }
    assert added > G
    for units, logit in known.items():
        outcome = intervene(network, colour_photo(), dict.fromkeys(units, 0))
        assert outcome.after[0].item() == pytest.approx(logit, abs=1e-5), units


def test_the_receptive_field_of_a_branch_is_its_own() -> None:
    network = zoo_network("googlenet").with_layers("fine")
    fields = {name: receptive_field(network, f"inception3a.{name}").size for name in ("branch1.conv", "branch2.1.conv")}
    narrow, wide = fields["branch1.conv"], fields["branch2.1.conv"]
    assert narrow is not None
    assert wide == (narrow[0] + 2 * 8, narrow[1] + 2 * 8)
    assert receptive_field(network, "inception3a").size is not None


def test_a_branch_is_read_alone_and_followed_by_its_gradient() -> None:
    """Pictures of units of a branch are drawn with what lies below it alone."""
    network = zoo_network("googlenet").with_layers("fine")
    image = image_for(network).requires_grad_()
    block = network.activations(image.detach(), ["inception3a"])["inception3a"]
    (branch,) = network.read(image, [("inception3a.branch2.1.conv", [5], True)])
    torch.testing.assert_close(branch[:, 0].detach(), block[:, 64 + 5])
    (gradient,) = torch.autograd.grad(branch.sum(), image)
    assert float(gradient.abs().max()) > 0


@pytest.mark.parametrize(("name", "step"), [("googlenet", 5), ("resnet18", 3), ("densenet121", 23)])
def test_every_path_is_counted_once_and_the_books_close_in_real_architectures(name: str, step: int) -> None:
    network = prepare(
        zoo(name), name=name, source="random", preprocessing=preprocessing(64), layers="fine", check=False
    )
    assert network.branched
    assert network.piecewise_linear
    network.traced.double()
    image = image_for(network).double()
    run = ForwardCache.of(network, image)
    several = [name for name in network.layers if len(network.layers_below(name)) > 1]
    assert len(several) >= 8
    tested = {*network.layers[1::step], *several[:: max(1, len(several) // 6)], network.layers[-1]}
    biased = 0
    for upper in (layer for layer in network.layers if layer in tested):
        lower, slow = run.below(upper), Blocked(network, image, upper)
        channel = int(run.activations[upper].abs().sum((0, 2, 3)).argmax())
        [scores] = lower.shares("sum", iter([Readout.of_unit(channel)]))
        expected = slow.shares(channel)
        own = dict(zip(lower.layers, scores.split([layer.units for layer in lower.layers.values()]), strict=True))
        assert set(expected) <= set(own)
        scale = max(float(scores.abs().sum()), float(run.activations[upper][0, channel].sum().abs()))
        for below, share in own.items():
            difference = share - expected.get(below, torch.zeros_like(share))
            assert float(difference.abs().max()) <= 1e-12 * scale, (upper, below)
        value = float(run.activations[upper][0, channel].sum())
        # B023: the function is called in this turn of the loop, before its variables change.
        bias = reference.effective_bias(network.traced, lambda _: Blocked(network, image, upper).f(channel), image)  # noqa: B023
        assert abs(value - float(scores.sum()) - bias) <= 1e-10 * scale, upper
        biased += abs(bias) > 1e-3 * scale
    assert biased >= 2


@pytest.mark.parametrize("name", ["googlenet", "resnet18"])
def test_the_gradient_of_a_target_comes_down_over_all_branches(name: str) -> None:
    network = zoo_network(name).with_layers("fine")
    photo = _noise()
    circuit = trace(network, photo, 3, depth=2, top=3, mode="target", signs="both")
    auto = zoo_network(name)
    plain = trace(auto, photo, 3, depth=1, top=3, mode="target", signs="both")
    for layer in auto.layers[:-1]:
        fine, known = (layer_table(each, of, layer).attributions for each, of in ((network, circuit), (auto, plain)))
        assert fine is not None
        np.testing.assert_allclose(fine, known, atol=1e-4 * np.abs(known).max())
    close(circuit)


def test_units_beside_the_target_contribute_nothing_to_it() -> None:
    network = branched(Branches())
    circuit = trace(network, colour_photo(), "a:0", depth=1, mode="target")
    assert not argument_map(network, circuit, "reduce:0").any()
    assert float(argument_map(network, circuit, "conv1:0").sum()) == pytest.approx(POSITIONS * R)


def test_units_of_densenet_enter_by_the_concatenation_that_is_left_out() -> None:
    network = zoo_network("densenet121")
    first, second = (f"features.denseblock1.denselayer{n}.conv2" for n in (1, 2))
    cut = network.with_layers(["features.pool0", first, second, "features.denseblock1.denselayer3.relu1"])
    layer = "features.denseblock1.denselayer3.relu1"
    assert cut.layers_below(layer) == ("features.pool0", first, second)
    assert entrance_of(cut, Unit(first, 3), layer) == "cat_2:67"
    assert entrance_of(cut, Unit(second, 3), layer) == "cat_2:99"


def test_a_circuit_of_fine_layers_survives_its_file(tmp_path: Path) -> None:
    network = branched(Skip())
    circuit = trace(network, colour_photo(), "one", depth=2, top=9, signs="both")
    circuit.to_json(tmp_path / "circuit.json")
    again = Circuit.from_json(tmp_path / "circuit.json")
    assert again == circuit
    assert again.layers == network.layers
    deeper = expand(branched(Skip(), "auto"), again, "add:0")
    assert edges(deeper, "add:0") == pytest.approx(edges(expand(network, circuit, "add:0"), "add:0"), abs=1e-4)


def _noise() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_no_chain_of_the_zoo_is_taken_for_branched() -> None:
    for name, choice in itertools.product(("squeezenet1_1", "resnet18"), ("auto",)):
        network: Network = zoo_network(name).with_layers(choice)
        assert not network.branched
        assert all(len(network.layers_below(upper)) == 1 for upper in network.layers[1:])


def command(*arguments: object, size: str = "--size") -> str:
    """What the command line says of a hand-wired network."""
    own = (size, "4", "--mean", "0,0,0", "--std", "1,1,1")
    result = run(*arguments, *own)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def wired(name: str) -> str:
    """A hand-wired network, as the command line takes it."""
    return f"{Path(__file__).parents[1] / 'support' / 'branched.py'}:{name}"


def test_the_command_line_lists_what_can_be_named_and_what_lies_below() -> None:
    told = json.loads(command("layers", wired("Skip"), "--layers", "fine", "--json"))
    below = {row["name"]: row["layers_below"] for row in told["layers"]}
    assert below["add"] == ["conv1", "outer"]
    assert below["conv1"] == []
    text = command("layers", wired("Skip"), "--layers", "inner,add")
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "inner, the image" in lines["add"]
    every = json.loads(command("layers", wired("Skip"), "--all", "--json"))
    names = [row["name"] for row in every["layers"]]
    assert names == ["conv1.pre", "conv1", "inner.pre", "inner", "outer", "add", "relu_2", "mean", "fc"]
    assert branched(Skip(), names).layers == tuple(names)


def test_the_command_line_traces_fine_layers_and_says_which_layer_an_edge_comes_from(tmp_path: Path) -> None:
    image = save_photo(tmp_path)
    told = command("trace", image, "--network", wired("Skip"), "--layers", "fine", "--target", "0", "--depth", 3)
    assert f"conv1:0: +{POSITIONS * R:.1f}" in told
    assert "outer:0: +" in told
    entered = command(
        "trace", image, "--network", wired("Branches"), "--layers", "a, expand", "--target", "0", "--depth", 1
    )
    assert "expand:0 as cat:2: +" in entered
    plain = command("trace", image, "--network", wired("Skip"), "--target", "0", "--depth", 1)
    assert "relu_2:0" not in plain.split("fc:0")[-1].split("not expanded")[0]


def test_the_command_line_draws_a_unit_of_a_branch(tmp_path: Path) -> None:
    out = tmp_path / "unit.png"
    command(
        "render",
        "expand:0",
        "--network",
        wired("Branches"),
        "--layers",
        "fine",
        "-o",
        out,
        "--steps",
        2,
        size="--input-size",
    )
    with Image.open(out) as drawn:
        assert drawn.width >= 128


def test_layers_of_different_sizes_take_no_more_room_together_than_each_on_its_own() -> None:
    units, photo = torch.empty(1, 73_728, 1, 1, device="meta"), torch.empty(1, 3, 224, 224, device="meta")
    assert pack([units, photo]).numel() == 73_728 + 3 * 224 * 224
