"""Check the edges of a circuit by intervention: what does a unit really lose without one below it?

1. Take the value that the edges of an upper unit share out, as its mode defines it: the sum of its activation or, in
   mode `target`, of its activation weighted by the target's gradient at the photo, Σ_hw a_i · ∂T/∂a_i.
2. Set the lower unit's activation to zero, run the segment between the two layers, and take the value again.
3. The difference is the edge's ablation, exact and in the units of its attribution. In mode `target` it is what the
   target loses, to first order in the upper unit, through that unit and no other way.

Where the layers form no chain, the other layers below the upper unit are held as they are, as they are for the
attribution (`branches`): without a unit of the trunk of a residual block only what came over the skip is lost.
"""

from collections.abc import Iterator
from dataclasses import replace

from circuits.attribution import ablation
from circuits.circuit import Circuit
from circuits.circuit_file import number
from circuits.errors import InputError
from circuits.growth import Growth, Progress, Run, run_of_circuit
from circuits.networks import Network
from circuits.segments import Segment
from circuits.shapes import Activation
from circuits.tracing import target_of
from circuits.units import Unit

_AT_ONCE = 16


def measure(
    network: Network, circuit: Circuit, unit: Unit | str | None = None, *, progress: Progress | None = None
) -> Circuit:
    """The circuit with the exact effect of ablation on the edges into a unit.

    ablation_ij = f_i(a) - f_i(a with a_j = 0)

    f_i is what the edges share out: Σ_hw a_i or, in mode `target`, Σ_hw a_i · ∂T/∂a_i with the gradient kept as it is
    at the photo. In mode `ablate` it is the attribution itself. Edges from discarded units are measured too.

    Args:
        network: the one that the circuit was traced with.
        circuit: the circuit.
        unit: an expanded unit, or the id of its node; every visible expanded unit if `None`.
        progress: called with (edges done, edges in all, what is under way); raising an exception in it cancels.

    Returns:
        The circuit, with `Edge.ablation` on those edges.

    Raises:
        InputError: if the unit is not expanded, or the network or photo is not the circuit's.
        UnknownError: if the unit is not in the circuit, or an edge comes from one that the network lacks.

    Example:
        >>> from circuits import load_network, measure, trace
        >>> network = load_network()
        >>> circuit = measure(network, trace(network, "example:cat", depth=1, top=3))
        >>> [edge.disagrees for edge in circuit.edges_into(circuit.root)]
        [False, False, False]
    """
    if unit is None:
        names = [node.id for node in circuit.nodes.values() if node.expanded and node.id in circuit.visible]
    else:
        node = circuit.node(unit)
        if not node.expanded:
            raise InputError(f"{node.called} is not expanded, so it has no edges to measure; expand it first.")
        names = [node.id]
    run = run_of_circuit(network, circuit)
    graph = circuit.unfrozen()
    growth = Growth(run, target_of(circuit), circuit.settings["mode"], graph)
    report = progress or (lambda done, known, message: None)
    done, known = 0, sum(graph.in_degree(name) for name in names)
    for name in names:
        upper, readout = circuit.nodes[name].unit, growth.readout(name)
        for layer, sources in _batches(circuit, name):
            report(done, known, f"Measuring {name}")
            units = [circuit.nodes[source].unit for source in sources]
            for lower in units:
                run.network.check_unit(lower.whole)
            segment, activation, start = _below(run, layer, upper.layer)
            lost = ablation(segment, activation, readout, channels=[start + lower.channel for lower in units])
            for source, lower in zip(sources, units, strict=True):
                graph.edges[source, name]["ablation"] = number(float(lost[start + lower.channel]))
            done += len(sources)
    report(done, known, "Measured")
    return replace(circuit, graph=graph, cache=run)


def _below(run: Run, layer: str, upper: str) -> tuple[Segment, Activation, int]:
    """What lies between two layers, the activation that goes in, and the first channel of the lower layer in it."""
    if layer not in run.network.layers_below(upper):
        return run.network.segment(layer, upper), run.activations[layer], 0
    lower = run.below(upper)
    return lower.piece, lower.activation, lower.start(layer)


def _batches(circuit: Circuit, target: str) -> Iterator[tuple[str, list[str]]]:
    """The sources of a unit's edges, some of one layer at a time, so that progress can be told between."""
    by_layer: dict[str, list[str]] = {}
    for edge in circuit.edges_into(target, discarded=True):
        by_layer.setdefault(circuit.nodes[edge.source].unit.layer, []).append(edge.source)
    for layer, sources in by_layer.items():
        for start in range(0, len(sources), _AT_ONCE):
            yield layer, sources[start : start + _AT_ONCE]
