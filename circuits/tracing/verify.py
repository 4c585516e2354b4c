"""Check the edges of a circuit by intervention: what does a unit really lose without those below it?

1. Take the value that the edges of an upper unit share out, as its mode defines it.
2. Ablate each lower unit: set its activation to zero, or to its mean over photos, run the segment between the two
   layers, and take the value again. The difference is exact and in the units of the attribution. In mode `target` it
   is what the target loses, to first order in the upper unit, through that unit and no other way.
3. Ablate all lower units that are shown at once: what the circuit's `shown` really stands for.
4. Ablate every other unit of the layer below too: do attribution and ablation put the layer in the same order?
5. Note of each edge what could mislead: its positive and negative parts over positions, which may cancel, and its
   share by integrated gradients, from which the gradient at the photo differs where something is saturated.

Where the layers form no chain, the other layers below the upper unit are held as they are, as they are for the
attribution (`branches`): without a unit of the trunk of a residual block only what came over the skip is lost.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import networkx as nx
import numpy as np
import torch
from torch import Tensor

from circuits.attribution.ablation import ablated_one_by_one, ablated_together
from circuits.attribution.agreement import rank_correlation, relative_error
from circuits.attribution.baseline import Baseline, as_baseline, resolve
from circuits.attribution.gradient import Readout, gradient_down, mean_gradient
from circuits.attribution.modes import as_explained
from circuits.errors import InputError
from circuits.network.device import exact
from circuits.network.network import Network
from circuits.shapes import Scores
from circuits.tracing.circuit import Circuit
from circuits.tracing.circuit_file import number
from circuits.tracing.layers_below import MOST_ABLATED, LayersBelow
from circuits.tracing.node import Node
from circuits.tracing.run import ForwardCache
from circuits.tracing.search import CircuitBuilder
from circuits.tracing.source import forward_cache
from circuits.tracing.targets import Target, target_of
from circuits.units import Progress, Unit

_SAMPLED = 64
_FIELD = {"zero": "ablation", "mean": "ablation_mean"}


@exact()
def measure(
    network: Network,
    circuit: Circuit,
    unit: Unit | str | None = None,
    *,
    baseline: Baseline | None = None,
    whole_layer: bool = True,
    progress: Progress | None = None,
) -> Circuit:
    """The circuit with the exact effect of ablation on the edges into a unit, and how well attribution predicts it.

    A_ij = f_i(a) - f_i(a with a_j = 0) ,   joint_i = f_i(a) - f_i(a with a_j = 0 for all j shown)

    f_i is what the edges share out: Σ_hw a_i or, in mode `target`, Σ_hw a_i · ∂T/∂a_i with the gradient kept as it is
    at the photo. In mode `ablate` A is the attribution itself. Edges from discarded units are measured too, but do not
    count as shown. With a mean as baseline both are found with it as well; where the circuit's shares are measured from
    a mean, with that one.

    Args:
        network: the one that the circuit was traced with.
        circuit: the circuit.
        unit: an expanded unit, or the id of its node; every visible expanded unit if `None`.
        baseline: what ablated units are set to beside zero: `Baseline.mean(index)`, or `mean_of_photos`.
        whole_layer: whether every unit of the layer below is ablated, not only those with edges, so that the ranks of
            attribution and ablation can be compared; of more than 8,192, as below a transformer's, a sample of 64.
        progress: called with (steps done, steps in all, what is under way); raising an exception in it cancels.

    Returns:
        The circuit, with `Edge.ablation`, `.positive`, `.negative` and `.integrated` on those edges, with a mean
        `Edge.ablation_mean`, and `Node.measured` on their upper units. What was measured before with a mean stays where
        none is given.

    Raises:
        InputError: if the unit is not expanded, the network or photo is not the circuit's, or the baseline is none.
        UnknownError: if the unit is not in the circuit, an edge comes from one that the network lacks, or the baseline
            does not know a layer.

    Example:
        >>> from circuits import load_network, measure, trace
        >>> network = load_network()
        >>> circuit = measure(network, trace(network, "example:cat", depth=2, top=3), "conv7:284")
        >>> [edge.disagrees for edge in circuit.edges_into("conv7:284")]
        [False, False, False]
        >>> [agreement] = circuit.nodes["conv7:284"].measured
        >>> round(agreement.error, 2), round(agreement.joint), round(circuit.nodes["conv7:284"].books.shown)
        (0.05, 23, 26)
    """
    baselines = _baselines(circuit, baseline)
    nodes = [node for node in circuit.nodes.values() if node.expanded and node.id in circuit.visible]
    if unit is not None:
        nodes = [circuit.node(unit)]
        if not nodes[0].expanded:
            raise InputError(f"{nodes[0].called} is not expanded, so it has no edges to measure; expand it first.")
    run = forward_cache(network, circuit)
    graph = circuit.unfrozen()
    builder = CircuitBuilder(run, target_of(circuit), circuit.settings.mode, graph)
    groups = _groups(run, circuit, nodes, whole_layer=whole_layer)
    report = progress or (lambda done, known, message: None)
    done, known = 0, sum(_steps(questions, baselines) for questions in groups)
    for questions in groups:
        name = questions[0].name
        several = f"{len(questions)} units of {circuit.nodes[name].unit.layer}"
        message = f"Measuring {name if len(questions) == 1 else several}"

        def tell(count: int, base: int = done, message: str = message) -> None:
            report(base + count, known, message)

        tell(0)
        readouts = [builder.readout(question.name) for question in questions]
        for question, readout, results in _measured(questions, readouts, builder.mode, baselines, tell):
            for source, channel in question.sources.items():
                row = {key: number(float(values[channel])) for key, values in results.items() if key != "scores"}
                graph.edges[source, question.name].update(row)
            if question.is_next:
                _note(graph, question, results, readout, baselines)
        done += _steps(questions, baselines)
    report(done, known, "Measured")
    return replace(circuit, graph=graph, cache=run)


def _baselines(circuit: Circuit, given: Baseline | None) -> list[Baseline]:
    """Zero and the mean: that which the circuit's shares are measured from, or else the one that is given."""
    own, other = circuit.baseline, as_baseline(given)
    if own.name == other.name == "mean" and other.only(list(own.means)).sha256 != own.sha256:
        raise InputError(
            f"The circuit's shares are measured from the mean over {own.source}, so its edges are measured with that "
            f"one too, and not with the mean over {other.source}; leave the baseline out."
        )
    return resolve(own if own.name == "mean" else other)


@dataclass(frozen=True, eq=False)
class _Question:
    """What is asked of the layers below a unit, or of one that lies further down.

    Args:
        name: id of the unit's node.
        lower: the layers, and the segment from them to the unit's.
        sources: place of each unit with an edge among the units, by the id of its node.
        shown: ids of those whose edges are shown.
        channels: places of those that are to be ablated.
        is_next: whether these are all the layers below.
        sample: places of units drawn at random, over which ranks are compared; over all, if empty.
    """

    name: str
    lower: LayersBelow
    sources: Mapping[str, int]
    shown: Sequence[str]
    channels: Sequence[int]
    is_next: bool
    sample: Sequence[int] = ()


def _groups(run: ForwardCache, circuit: Circuit, nodes: Sequence[Node], *, whole_layer: bool) -> list[list[_Question]]:
    """What is asked, together where the same units are ablated for several units of a layer."""
    groups: dict[object, list[_Question]] = {}
    for node in nodes:
        for question in _questions(run, circuit, node.id, whole_layer=whole_layer):
            together = question.is_next and whole_layer
            key = node.unit.layer if together else (node.id, *question.lower.activations)
            groups.setdefault(key, []).append(question)
    return [_sampled(questions) for questions in groups.values()]


def _sampled(questions: list[_Question]) -> list[_Question]:
    """The questions, with a sample of the units below where there are too many to ablate each of them."""
    if len(questions[0].channels) <= MOST_ABLATED:
        return questions
    drawn = np.random.default_rng(0).choice(questions[0].lower.units, _SAMPLED, replace=False).tolist()
    channels = sorted({*drawn, *(place for question in questions for place in question.sources.values())})
    return [replace(question, channels=channels, sample=sorted(drawn)) for question in questions]


def _questions(run: ForwardCache, circuit: Circuit, name: str, *, whole_layer: bool) -> Iterator[_Question]:
    """The layers below a unit and then, one by one, those further down from which it has edges."""
    upper = circuit.nodes[name].unit.layer
    lower = run.below(upper, target_of(circuit))
    sources: dict[str, dict[str, int]] = {}
    for edge in circuit.edges_into(name, discarded=True):
        unit = circuit.nodes[edge.source].unit
        if isinstance(unit, Unit):
            run.network.check_unit(unit.whole)
        is_near = unit.layer in lower.activations
        seen = lower if is_near else _further_down(run, target_of(circuit), unit.layer, upper)
        sources.setdefault("" if is_near else unit.layer, {})[edge.source] = seen.place(unit)
    near = sources.pop("", {})
    # With an edge from further down, all that is shown cannot be ablated at one place.
    shown = [] if sources else [edge.source for edge in circuit.edges_into(name)]
    channels = range(lower.units) if whole_layer else sorted(near.values())
    yield _Question(name, lower, near, shown, channels, is_next=True)
    for layer, far in sources.items():
        further_down = _further_down(run, target_of(circuit), layer, upper)
        yield _Question(name, further_down, far, [], sorted(far.values()), is_next=False)


def _further_down(run: ForwardCache, target: Target, layer: str, upper: str) -> LayersBelow:
    """A layer that lies below others of the upper layer."""
    codes = {layer: run.code(target, layer)} if layer in run.dictionaries else {}
    return LayersBelow(run.network.segment(layer, upper), {layer: run.activations[layer]}, codes, run.baseline)


def _steps(questions: Sequence[_Question], baselines: Sequence[Baseline]) -> int:
    """How much there is to do: units to ablate, and then each upper unit's gradients."""
    return len(baselines) * len(questions[0].channels) + len(questions)


def _measured(
    questions: Sequence[_Question],
    readouts: Sequence[Readout],
    mode: str,
    baselines: Sequence[Baseline],
    tell: Callable[[int], None],
) -> Iterator[tuple[_Question, Readout, dict[str, Scores]]]:
    """For each question of a group the lower channels' numbers, by their key in the file; attributions are `scores`."""
    first = questions[0]
    segment, activation = first.lower.piece, first.lower.activation
    lost: dict[str, Tensor] = {}
    done = 0
    for baseline in baselines:
        without = first.lower.ablations(baseline)
        lost[_FIELD[baseline.name]] = values = activation.new_zeros(len(questions), first.lower.units)
        moved = without.changed()
        channels = [channel for channel in first.channels if channel in moved]
        done += len(first.channels) - len(channels)
        for some, losses in ablated_one_by_one(segment, activation, readouts, channels, without):
            values[:, some] = losses
            done += len(some)
            tell(done)
    for place, (question, readout) in enumerate(zip(questions, readouts, strict=True)):
        results = {field: values[place] for field, values in lost.items()}
        gradient = gradient_down(as_explained(mode, segment), activation, readout)
        mean = mean_gradient(segment, activation, readout, first.lower.instead)
        layers = list(question.lower.layers.values())
        parts = (layer.signed(activation, gradient) for layer in layers)
        results["positive"], results["negative"] = map(torch.cat, zip(*parts, strict=True))
        results["integrated"] = torch.cat([layer.shares(activation, mean) for layer in layers])
        scores = {"ig": results["integrated"], "ablate": results[_FIELD[first.lower.baseline.name]]}
        results["scores"] = scores.get(mode, results["positive"] + results["negative"])
        yield question, readout, results
        done += 1
        tell(done)


def _note(
    graph: nx.DiGraph, question: _Question, results: Mapping[str, Scores], readout: Readout, baselines: list[Baseline]
) -> None:
    """Write what was found of the layers below altogether on the upper unit's node."""
    node = graph.nodes[question.name]
    known = {row["baseline"]: row for row in node.get("measured", ())}
    for baseline in baselines:
        lost, units = results[_FIELD[baseline.name]], question.lower.units
        row: dict[str, Any] = {"baseline": baseline.name, "units": units}
        if baseline.source:
            row["source"] = baseline.source
        before = known.get(baseline.name, {})
        ranked = question.sample or (question.channels if len(question.channels) == units else ())
        if ranked:
            ranks = (values[list(ranked)].tolist() for values in (results["scores"], lost))
            row |= _without_unknown(spearman=rank_correlation(*ranks))
            row |= {"sampled": len(ranked)} if question.sample else {}
        elif before.get("source", "") == baseline.source and "spearman" in before:
            row |= {key: before[key] for key in ("spearman", "sampled") if key in before}
        if question.shown:
            channels = [question.sources[source] for source in question.shown]
            shares = [graph.edges[source, question.name]["attribution"] for source in question.shown]
            lower = question.lower
            joint = ablated_together(lower.piece, lower.activation, readout, channels, lower.ablations(baseline))
            row |= _without_unknown(joint=joint, error=relative_error(shares, lost[channels].tolist()))
            row["together"] = list(question.shown)
        known[baseline.name] = row
    node["measured"] = [known[name] for name in _FIELD if name in known]


def _without_unknown(**numbers: float | None) -> dict[str, float]:
    return {key: number(value) for key, value in numbers.items() if value is not None}
