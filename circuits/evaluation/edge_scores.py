"""How much of a target a circuit's edges alone carry.

1. Go up from the lowest unit. An expanded unit is computed by the piece of the network between it and the layers below,
   from its own sources, as they were computed in the circuit, and nothing else: every other channel of these layers is
   at the baseline, whether or not it belongs to the circuit.
2. A unit that is not expanded claims nothing of what lies below it; it is as it is in the photo.
3. The target, computed in this way, is m(edges); it takes the place of m(alone) in the faithfulness.

Units that are kept together may be faithful though an edge between two of them is missing; here that edge is missing.
Edge-level circuits: Conmy et al. 2023 (ACDC), Hanna et al. 2024 (faithfulness of a circuit's edges).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from circuits.attribution.ablation import Baseline
from circuits.errors import InputError
from circuits.evaluation.scores import Score
from circuits.evaluation.unit_sets import Sources, layer_of
from circuits.network.branches import concatenate_padded
from circuits.shapes import Activation, Activations
from circuits.tracing.run import IMAGE, Lower, Run
from circuits.tracing.targets import Target
from circuits.units import Unit

_AT_ONCE = 16


def score_edges(run: Run, target: Target, sources: Sources, baseline: Baseline) -> Score:
    """What the edges of a circuit keep of its target in one photo.

    Args:
        run: of the photo, its network cut at the circuit's layers.
        target: what is measured.
        sources: the lower units of each expanded unit, by its id; the target is one of these.
        baseline: what a unit sees in the place of all channels that are not its sources.

    Returns:
        `alone` is the target computed along the edges, `nothing` with no source at all; there is no `without`.

    Raises:
        UnknownError: if the network has no such unit.
        InputError: if the target has no sources, or a source does not lie in a layer right below its unit.

    Example:
        >>> from circuits import Baseline, load_network, trace
        >>> from circuits.evaluation.unit_sets import sources_of
        >>> from circuits.tracing.search import run_of_circuit
        >>> from circuits.tracing.trace import target_of
        >>> network = load_network()
        >>> circuit = trace(network, "example:cat", depth=1, top=3)
        >>> run = run_of_circuit(network, circuit)
        >>> score = score_edges(run, target_of(circuit), sources_of(circuit), Baseline.zero())
        >>> score.nothing < score.alone
        True
    """
    if target.id not in sources:
        raise InputError(f"{target.id}, the target, has no sources; expand it before its edges are scored.")
    order = run.network.layers.index
    upper_of = {name: layer_of(name, target.id) for name in sources}
    computed: dict[Unit, Tensor] = {}
    for layer in sorted(set(upper_of.values()) - {target.unit.layer}, key=order):
        names = [name for name, upper in upper_of.items() if upper == layer]
        lower = run.below(layer)
        base = _base(run, lower, baseline)
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            seen = torch.cat([_seen(run, lower, base, sources[name], computed) for name in some])
            channels = [Unit.parse(name).channel for name in some]
            with torch.no_grad():
                found = lower.piece(seen, channels)
            computed.update({Unit(layer, channel): found[row, row] for row, channel in enumerate(channels)})
    lower = run.below(target.unit.layer)
    base = _base(run, lower, baseline)
    readout = target.readout(run.network)
    with torch.no_grad():
        alone = readout.through(lower.piece, _seen(run, lower, base, sources[target.id], computed))
        nothing = readout.through(lower.piece, base)
    whole = readout.value(run.activations[target.unit.layer])
    return Score(float(whole), float(nothing), float(alone))


def _base(run: Run, lower: Lower, baseline: Baseline) -> Activation:
    """The layers below at the baseline; an image that is reached past them is as it is."""
    parts = []
    for name in lower.widths:
        activation = run.activations[name]
        parts.append(baseline.of(name, activation).expand_as(activation))
    return concatenate_padded([*parts, run.activations[IMAGE]] if lower.activation.shape[1] > lower.units else parts)


def _seen(
    run: Run, lower: Lower, base: Activation, sources: Sequence[Unit], computed: Mapping[Unit, Tensor]
) -> Activations:
    """What a unit sees of the layers below: its sources, as the circuit computed them, or as they are in the photo."""
    seen = base.clone()
    for unit in sources:
        run.network.check_unit(unit)
        if unit.layer not in lower.widths:
            raise InputError(f"{unit} does not lie in {' or '.join(lower.widths)}, which its edge leads up from.")
        found = computed.get(unit)
        if found is None:
            found = run.activations[unit.layer][0, unit.channel]
        seen[0, lower.start(unit.layer) + unit.channel, : found.shape[0], : found.shape[1]] = found
    return seen
