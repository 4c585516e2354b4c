"""Expand many units at once, and take an expansion back.

1. The units of a level are those that are visible, not expanded, and have a layer below them.
2. Units of one layer are expanded together: what their values need in common is computed once.
3. The units found, as far as they are visible and not expanded, are the next level.

No edge depends on which other units are expanded, so the result is that of expanding one unit after the other.
"""

from dataclasses import replace

from circuits.circuit import Circuit
from circuits.circuit_file import without_books
from circuits.errors import InputError, UnknownError, listed
from circuits.growth import Growth, Progress, drop_unreachable, run_of_circuit
from circuits.networks import Network
from circuits.tracing import default_top, target_of, tops_of
from circuits.units import Unit


def grow(
    network: Network,
    circuit: Circuit,
    *,
    layer: str | None = None,
    levels: int = 1,
    top: int | None = None,
    signs: str | None = None,
    progress: Progress | None = None,
) -> Circuit:
    """The circuit with every visible unit expanded that was not, and again with the units found.

    Units that are expanded stay as they are; where all of them are, nothing changes.

    Args:
        network: the one that the circuit was traced with.
        circuit: the circuit.
        layer: expand only this layer's units (and, with more levels, what is found below them); all if `None`.
        levels: how often to expand what was found.
        top: units to show below each unit; as the circuit was traced, if `None`.
        signs: `positive` or `both`; as the circuit was traced, if `None`.
        progress: called with (units done, units known, what is under way); raising an exception in it cancels.

    Raises:
        InputError: if levels or an option is out of its range, the layer is the lowest, the circuit shows no unit of
            it, or the network or photo is not the circuit's.
        UnknownError: if the circuit's network has no such layer.

    Example:
        >>> from circuits import grow, load_network, trace
        >>> network = load_network()
        >>> grown = grow(network, trace(network, "example:cat", depth=1, top=3), levels=2)
        >>> grown.visible == trace(network, "example:cat", depth=3, top=3).visible
        True
    """
    if isinstance(levels, bool) or not isinstance(levels, int) or levels < 1:
        raise InputError(f"levels is {levels!r}; it counts the layers to walk down and must be at least 1.")
    if top is not None:
        tops_of(top, 1)
    if layer is not None:
        _check_layer(circuit, layer)
    report = progress or (lambda done, known, message: None)
    run = run_of_circuit(network, circuit)
    if layer is not None and not run.network.layers_below(layer):
        raise _lowest(layer, network.name)
    candidates = [name for name in circuit.nodes if layer is None or circuit.nodes[name].unit.layer == layer]
    done = 0
    for _ in range(levels):
        level = _expandable(run.network, circuit, candidates)
        known = done + sum(map(len, level.values()))
        graph = circuit.unfrozen()
        growth = Growth(run, target_of(circuit), circuit.settings["mode"], graph)
        found: dict[str, None] = {}
        for names in level.values():
            count = default_top(circuit, circuit.nodes[names[0]].unit) if top is None else top
            expanding = growth.expand(names, count, signs or circuit.settings["signs"])
            for name in names:
                report(done, known, f"Expanding {name}")
                found.update(dict.fromkeys(next(expanding)))
                done += 1
        circuit, candidates = replace(circuit, graph=graph, cache=run), list(found)
        if not found:
            break
    report(done, done, "Expanded")
    return circuit


def collapse(circuit: Circuit, unit: Unit | str) -> Circuit:
    """The circuit with a unit not expanded any more, without the edges into it and what only it needed.

    What leaves is forgotten, with its names, notes and places; `expand` finds the units anew.

    Raises:
        InputError: if the unit is not expanded.
        UnknownError: if the unit is not in the circuit.

    Example:
        >>> from circuits import collapse, expand, load_network, trace
        >>> network = load_network()
        >>> circuit = trace(network, "example:cat", depth=1, top=3)
        >>> bare = collapse(circuit, circuit.root)
        >>> len(bare.nodes), expand(network, bare, bare.root) == circuit
        (1, True)
    """
    node = circuit.node(unit)
    if not node.expanded:
        raise InputError(f"{node.called} is not expanded, so it cannot be collapsed; choose a unit that is expanded.")
    graph = circuit.unfrozen()
    graph.remove_edges_from(list(graph.in_edges(node.id)))
    row = without_books(graph.nodes[node.id])
    graph.nodes[node.id].clear()
    graph.nodes[node.id].update(row)
    drop_unreachable(graph, circuit.root)
    return replace(circuit, graph=graph)


def _expandable(network: Network, circuit: Circuit, names: list[str]) -> dict[str, list[str]]:
    """Of some nodes, those that can be expanded, by layer from the top down."""
    nodes = [circuit.nodes[name] for name in names if name in circuit.visible]
    waiting = [node for node in nodes if not node.expanded and network.layers_below(node.unit.layer)]
    by_layer: dict[str, list[str]] = {}
    for node in sorted(waiting, key=lambda node: -circuit.layers.index(node.unit.layer)):
        by_layer.setdefault(node.unit.layer, []).append(node.id)
    return by_layer


def _check_layer(circuit: Circuit, layer: str) -> None:
    name = circuit.network["name"]
    if layer not in circuit.layers:
        raise UnknownError(f"No layer {layer!r} in the circuit of {name}; it has {listed(circuit.layers)}.")
    if layer in circuit.lowest:
        raise _lowest(layer, name)
    shown = {circuit.nodes[name].unit.layer for name in circuit.visible}
    if layer not in shown:
        has = listed(layer for layer in reversed(circuit.layers) if layer in shown)
        raise InputError(f"The circuit shows no unit of {layer}; it has units of {has}.")


def _lowest(layer: str, name: str) -> InputError:
    return InputError(f"{layer} is the lowest layer of {name}; there is nothing below it but the image.")
