"""Growing many units at once is expanding one after the other; collapsing takes it back."""

import json

import pytest

from circuits import (
    Circuit,
    InputError,
    Network,
    UnknownError,
    collapse,
    discard,
    expand,
    grow,
    measure,
    restore,
    trace,
)
from tests.support.handmade import colour_photo


def one_by_one(
    network: Network, circuit: Circuit, levels: int, layer: str | None = None, **options: int | str
) -> Circuit:
    """The slow definition: every unit by a call of its own, in the order of the graph."""
    lowest = circuit.layers[0]
    level = [name for name in circuit.nodes if layer is None or circuit.nodes[name].unit.layer == layer]
    for _ in range(levels):
        found: list[str] = []
        waiting = [name for name in level if name in circuit.visible and not circuit.nodes[name].expanded]
        for name in waiting:
            if circuit.nodes[name].unit.layer != lowest:
                circuit = expand(network, circuit, name, **options)
                found += [edge.source for edge in circuit.edges_into(name)]
        level = found
    return circuit


@pytest.mark.parametrize("mode", ["sum", "target"])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_growing_is_expanding_every_unit_one_after_the_other(builtin: Network, mode: str, levels: int) -> None:
    circuit = trace(builtin, "example:cat", depth=1, top=3, mode=mode)
    slow = one_by_one(builtin, circuit, levels)
    assert len(slow.nodes) > len(circuit.nodes)
    assert grow(builtin, circuit, levels=levels) == slow


def test_growing_from_a_ragged_circuit_expands_all_that_is_left_and_nothing_else(builtin: Network) -> None:
    circuit = trace(builtin, "example:cat", depth=1, top=4)
    first, second = (edge.source for edge in circuit.edges_into(circuit.root)[:2])
    ragged = expand(builtin, circuit, first, top=2)
    ragged = expand(builtin, ragged, ragged.edges_into(first)[0].source, top=1)
    ragged = discard(ragged, second)
    grown = grow(builtin, ragged, top=3, signs="both")
    assert grown == one_by_one(builtin, ragged, 1, top=3, signs="both")
    assert len(grown.edges_into(first)) == 2
    assert not grown.node(second).expanded
    waiting = {name for name in ragged.visible if not ragged.nodes[name].expanded}
    assert {name for name in grown.nodes if grown.nodes[name].expanded} == waiting | {
        name for name in ragged.nodes if ragged.nodes[name].expanded
    }


def test_growing_one_layer_leaves_the_others_alone(builtin: Network) -> None:
    circuit = trace(builtin, "example:cat", depth=1, top=3)
    first = circuit.edges_into(circuit.root)[0].source
    ragged = expand(builtin, circuit, first, top=2)
    below = ragged.edges_into(first)[0].source
    layer = ragged.node(below).unit.layer
    for levels in (1, 2):
        grown = grow(builtin, ragged, layer=layer, levels=levels)
        assert grown == one_by_one(builtin, ragged, levels, layer=layer)
        assert grown.node(below).expanded
        assert not any(grown.node(edge.source).expanded for edge in ragged.edges_into(ragged.root)[1:])


def test_a_discarded_unit_that_is_found_again_stays_discarded_and_is_not_walked_below(builtin: Network) -> None:
    deep = trace(builtin, "example:cat", depth=2, top=4)
    shared = next(name for name in deep.nodes if deep.graph.out_degree(name) > 1)
    kept, other = list(deep.graph.successors(shared))[:2]
    circuit = collapse(discard(deep, shared), other)
    grown = grow(builtin, circuit, levels=2)
    assert grown.node(other).expanded
    assert shared in {edge.source for edge in grown.edges_into(other, discarded=True)}
    assert grown.node(kept).expanded
    assert grown.node(shared).discarded
    assert not grown.node(shared).expanded
    assert shared not in grown.visible


def test_each_level_shows_as_many_units_as_the_circuit_was_traced_with(builtin: Network) -> None:
    deep = trace(builtin, "example:cat", depth=3, top=[4, 2, 1])
    bare = collapse(deep, deep.root)
    assert set(bare.nodes) == {deep.root}
    assert grow(builtin, bare, levels=3) == deep


def test_growing_stops_at_the_lowest_layer_and_then_changes_nothing(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=1, signs="both")
    grown = grow(network, circuit, levels=9)
    assert set(grown.visible) == {"fc:0", "conv2:0", "conv2:1", "conv1:0", "conv1:1", "conv1:2"}
    assert not any(grown.node(f"conv1:{channel}").expanded for channel in range(3))
    assert grow(network, grown) == grown
    assert grow(network, grown, layer="conv2") == grown


def test_a_circuit_from_a_file_grows_as_the_one_in_memory_does(builtin: Network) -> None:
    circuit = trace(builtin, "example:cat", depth=1, top=3)
    read = Circuit.from_dict(json.loads(circuit.to_json_text()))
    assert grow(builtin, read, levels=2) == grow(builtin, circuit, levels=2)


def test_progress_counts_units_and_may_cancel(builtin: Network) -> None:
    circuit = trace(builtin, "example:cat", depth=1, top=3)
    calls: list[tuple[int, int, str]] = []
    grown = grow(builtin, circuit, levels=2, progress=lambda *call: calls.append(call))
    below = sum(node.expanded for node in grown.nodes.values()) - 4
    assert [done for done, _, _ in calls] == list(range(3 + below + 1))
    assert [known for _, known, _ in calls] == [3] * 3 + [3 + below] * (below + 1)
    assert calls[0][2] == f"Expanding {circuit.edges_into(circuit.root)[0].source}"
    assert calls[-1][2] == "Expanded"

    def cancel(done: int, known: int, message: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grow(builtin, circuit, progress=cancel)
    assert not any(node.expanded for node in circuit.nodes.values() if node.id != circuit.root)


def test_what_cannot_be_grown_gets_a_sentence(network: Network, builtin: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=1)
    with pytest.raises(InputError, match="levels is 0; it counts the layers to walk down and must be at least 1"):
        grow(network, circuit, levels=0)
    with pytest.raises(InputError, match="levels is True"):
        grow(network, circuit, levels=True)
    with pytest.raises(UnknownError, match="No layer 'conv9' in the circuit of handmade; it has conv1, conv2, fc"):
        grow(network, circuit, layer="conv9")
    with pytest.raises(InputError, match="conv1 is the lowest layer of handmade; only the image is below it"):
        grow(network, circuit, layer="conv1")
    bare = collapse(circuit, "fc:0")
    with pytest.raises(InputError, match="The circuit shows no unit of conv2; it has units of fc"):
        grow(network, bare, layer="conv2")
    with pytest.raises(InputError, match="top is 0; each number must be a whole number of at least 1"):
        grow(network, circuit, top=0)
    with pytest.raises(InputError, match="signs is 'negative'; it must be 'positive' or 'both'"):
        grow(network, circuit, signs="negative")
    with pytest.raises(InputError, match=r"traced with handmade .* not with builtin"):
        grow(builtin, circuit)


def test_collapsing_takes_the_books_the_edges_and_what_only_it_needed(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2, signs="both")
    circuit = discard(circuit, "conv1:1")
    less = collapse(circuit, "conv2:0")
    assert set(less.nodes) == {"fc:0", "conv2:0", "conv2:1", "conv1:2"}
    assert not less.node("conv2:0").expanded
    assert less.node("conv2:0").books is None
    assert less.edges_into("conv2:0", discarded=True) == ()
    assert less.node("fc:0").books == circuit.node("fc:0").books
    assert less.edges_into("conv2:1") == circuit.edges_into("conv2:1")
    assert Circuit.from_dict(less.to_dict()) == less
    assert circuit.node("conv2:0").expanded


def test_a_unit_that_another_one_needs_stays_when_one_is_collapsed(builtin: Network) -> None:
    circuit = trace(builtin, "example:cat", depth=2, top=4)
    shared = next(name for name in circuit.nodes if circuit.graph.out_degree(name) > 1)
    parents = list(circuit.graph.successors(shared))
    less = collapse(circuit, parents[0])
    assert shared in less.visible
    for parent in parents[1:]:
        less = collapse(less, parent)
    assert shared not in less.nodes


@pytest.mark.parametrize("mode", ["sum", "target"])
def test_expanding_what_was_collapsed_gives_the_same_circuit_again(builtin: Network, mode: str) -> None:
    circuit = trace(builtin, "example:cat", depth=2, top=4, mode=mode)
    for edge in circuit.edges_into(circuit.root):
        less = collapse(circuit, edge.source)
        assert less != circuit
        again = expand(builtin, less, edge.source)
        assert again == circuit
        assert hash(again) == hash(circuit)


def test_a_unit_keeps_its_own_name_note_and_place_when_it_is_collapsed(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2)
    said = circuit.with_name("conv2:0", "reds").with_note("conv2:0", "why?").with_place("conv2:0", (3.0, 4.0))
    node = collapse(said, "conv2:0").node("conv2:0")
    assert (node.name, node.note, node.place) == ("reds", "why?", (3.0, 4.0))
    assert expand(network, collapse(said, "conv2:0"), "conv2:0") == said


def test_collapsing_forgets_what_was_measured(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2)
    measured = measure(network, circuit)
    assert measured != circuit
    again = expand(network, collapse(measured, "conv2:0"), "conv2:0")
    assert [edge.ablation for edge in again.edges_into("conv2:0")] == [None]
    assert again.edges_into("fc:0") == measured.edges_into("fc:0")


def test_discarding_and_restoring_forget_nothing(network: Network) -> None:
    circuit = measure(network, trace(network, colour_photo(), "warm", depth=2))
    circuit = circuit.with_name("conv2:0", "reds").with_note("conv1:0", "red").with_place("conv1:0", (1.0, -2.5))
    assert restore(discard(circuit, "conv2:0"), "conv2:0") == circuit


def test_a_unit_that_is_not_expanded_cannot_be_collapsed(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=1)
    with pytest.raises(InputError, match="conv2:0 is not expanded, so it cannot be collapsed; choose a unit that is"):
        collapse(circuit, "conv2:0")
    with pytest.raises(UnknownError, match="conv2:7 is not in the circuit"):
        collapse(circuit, "conv2:7")
