"""Scores of a circuit's units and of its edges: what of the target they keep alone, and what is left without them.

1. The layers that the units lie in, and all others below an expanded unit, are the *ablated layers*.
2. Go up. In every ablated layer what is kept passes as it arrives, computed from what was kept below; each other
   channel is set, at all of its positions, to the baseline: zero, or its mean over a collection.
3. Read the target: m(alone) with the units kept and the rest ablated, m(without) with the units ablated and the rest
   kept, m(nothing) with all channels of these layers ablated, m(whole) on the photo as it is.

    faithfulness = (m(alone) − m(nothing)) / (m(whole) − m(nothing))
    completeness = (m(without) − m(nothing)) / (m(whole) − m(nothing)) ,     necessity = 1 − completeness

Wang et al. 2022 (faithfulness and completeness as differences, knock-out by the mean); Marks et al. 2024 (normalised).

Edges are stricter: a missing edge between two units that are kept is missing. An expanded unit is computed from its own
sources, as they were computed in the circuit, with every other channel of the layers below at the baseline; a unit that
is not expanded is as in the photo. The target, computed in this way, takes the place of m(alone) in the faithfulness
(edge-level circuits: Conmy et al. 2023, ACDC; Hanna et al. 2024, faithfulness of a circuit's edges).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from circuits.attribution.baseline import Baseline
from circuits.errors import InputError
from circuits.evaluation.ablate import AblatedNetwork
from circuits.evaluation.unit_sets import Sources, Units, layer_of
from circuits.groups.coding import code_maps
from circuits.network.network import Network
from circuits.shapes import Activation, Activations
from circuits.tracing.groups import address_at, check_address
from circuits.tracing.layers_below import LayersBelow
from circuits.tracing.node import index_of
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import Target
from circuits.units import Address, Unit, parse_address

LEAST = 0.01
"""A ratio is not defined where m(whole) and m(nothing) differ by less than this share of the larger of them."""


def ratio(value: float, nothing: float, whole: float) -> float | None:
    """(value − nothing) / (whole − nothing); `None` where that is not defined.

    >>> ratio(3.0, 1.0, 5.0), ratio(3.0, 5.0, 5.0)
    (0.5, None)
    """
    if abs(whole - nothing) <= LEAST * max(abs(whole), abs(nothing)):
        return None
    return (value - nothing) / (whole - nothing)


@dataclass(frozen=True)
class Score:
    """A target's value in four conditions, and what they say of some units.

    Args:
        whole: on the photo as it is.
        nothing: with all channels of the ablated layers ablated.
        alone: with all but the units ablated.
        without: with the units ablated; `None` where that was not asked for.

    Example:
        >>> score = Score(whole=10.0, nothing=2.0, alone=8.0, without=4.0)
        >>> score.faithfulness, score.completeness, score.necessity
        (0.75, 0.25, 0.75)
    """

    whole: float
    nothing: float
    alone: float
    without: float | None = None

    @property
    def faithfulness(self) -> float | None:
        """(m(alone) − m(nothing)) / (m(whole) − m(nothing)); 1 for all units. `None` where that is not defined."""
        return ratio(self.alone, self.nothing, self.whole)

    @property
    def completeness(self) -> float | None:
        """(m(without) − m(nothing)) / (m(whole) − m(nothing)): what the rest does without the units; low is good."""
        return None if self.without is None else ratio(self.without, self.nothing, self.whole)

    @property
    def necessity(self) -> float | None:
        """1 − completeness: the share of the target that is lost when the units are ablated."""
        completeness = self.completeness
        return None if completeness is None else 1 - completeness


@dataclass(frozen=True)
class Scored:
    """The score of some units in one photo.

    Args:
        baseline: what stood in the place of ablated units, such as `zero` or `mean over animals (1,200 photos)`.
        value: of the target itself: a logit, a unit's sum, a neuron, or a difference.
        probability: of the class, if the target is one.
        first: of a class, 1 where it is the network's first, else 0.
    """

    baseline: str
    value: Score
    probability: Score | None = None
    first: Score | None = None


def score_units(run: ForwardCache, target: Target, sets: Sequence[Units], baseline: Baseline) -> list[Scored]:
    """The scores of several sets of units in one photo, run through the network together.

    Args:
        run: of the photo, from `ForwardCache.of`, its network cut at the layers of the sets.
        target: what is measured, above these layers.
        sets: channels by layer, or groups of a layer that the run has a dictionary of; a layer that a set names is
            ablated but for these. With all of its groups kept, the residual still is not.
        baseline: what stands in the place of ablated channels.

    Returns:
        One a set, in order.

    Raises:
        UnknownError: if the network has no such unit, or the baseline knows nothing of a layer.
        InputError: if a set names no layer, or one that does not lie below the target.

    Example:
        >>> from circuits import load_network, load_photo, trace, units_of
        >>> from circuits.tracing.source import forward_cache
        >>> from circuits.tracing.targets import target_of
        >>> network = load_network()
        >>> circuit = trace(network, "example:cat", depth=2, top=8)
        >>> units = units_of(network, circuit)
        >>> everything = {layer: range(network.layer(layer).channels) for layer in units}
        >>> run, target = forward_cache(network, circuit), target_of(circuit)
        >>> some, all_ = score_units(run, target, [units, everything], Baseline.zero())
        >>> 0 < some.value.faithfulness, all_.value.faithfulness, all_.value.completeness
        (True, 1.0, 0.0)
    """
    by_layers: dict[tuple[str, ...], list[int]] = {}
    for number, units in enumerate(sets):
        by_layers.setdefault(_checked(run, target, units), []).append(number)
    scored: dict[int, Scored] = {}
    for layers, numbers in by_layers.items():
        some = _score_together(run, target, layers, [sets[number] for number in numbers], baseline)
        scored.update(zip(numbers, some, strict=True))
    return [scored[number] for number in range(len(sets))]


def _checked(run: ForwardCache, target: Target, units: Units) -> tuple[str, ...]:
    """The layers of a set, from the image up."""
    network = run.network
    for layer, indices in units.items():
        network.layer(layer)
        for index in indices:
            check_address(run, address_at(run, layer, index))
    layers = tuple(layer for layer in network.layers if layer in units)
    if not layers:
        raise InputError("The set of units names no layer, so nothing would be ablated; name those that are scored.")
    if network.layers.index(layers[-1]) >= network.layers.index(target.unit.layer):
        raise InputError(f"{layers[-1]} does not lie below {target.id}, the target; score units below it.")
    return layers


def _score_together(
    run: ForwardCache, target: Target, layers: Sequence[str], sets: Sequence[Units], baseline: Baseline
) -> list[Scored]:
    """The scores of sets with the same ablated layers; what several sets ask for is run once."""
    network = run.network
    masks = [_mask(run, layers, units) for units in sets]
    nothing = _mask(run, layers, {})
    everything = ~nothing
    rows = {row.tobytes(): row for kept in masks for row in (kept, ~kept)} | {nothing.tobytes(): nothing}
    # With everything kept the network is as it is, to the last bit.
    rows.pop(everything.tobytes(), None)
    values = dict(zip([everything.tobytes()], _read(network, target, run.activations[target.unit.layer]), strict=True))
    ablated = AblatedNetwork(run, target, layers, baseline)(np.stack(list(rows.values())))
    values.update(zip(rows, _read(network, target, ablated), strict=True))
    scored = []
    for kept in masks:
        conditions = (values[row.tobytes()] for row in (everything, nothing, kept, ~kept))
        scored.append(Scored(str(baseline), *(Score(*metric) for metric in zip(*conditions, strict=True))))
    return scored


def _mask(run: ForwardCache, layers: Sequence[str], units: Units) -> NDArray[np.bool_]:
    """Which units are kept, those of all layers one after the other; of a layer of groups the last is the residual."""
    dictionaries, network = run.dictionaries, run.network
    widths = [
        dictionaries[name].groups + 1 if name in dictionaries else network.layer(name).channels for name in layers
    ]
    return np.concatenate(
        [np.isin(np.arange(width), list(units.get(layer, ()))) for layer, width in zip(layers, widths, strict=True)]
    )


def _read(network: Network, target: Target, activation: Activations) -> list[tuple[float, ...]]:
    """The target's value and, of a class, its probability and whether it is the first, for each example."""
    metrics = [target.readout(network).value(activation).tolist()]
    if target.kind == "class":
        logits, channel = activation.sum((2, 3)), target.unit.channel
        metrics.append(network.probabilities(logits)[:, channel].tolist())
        metrics.append((logits.argmax(1) == channel).double().tolist())
    return list(zip(*metrics, strict=True))


def mean_score(scores: Sequence[Score]) -> Score:
    """The mean of each condition over photos, or over draws; its ratios are those of Σ over photos."""
    without = [score.without for score in scores if score.without is not None]
    columns = zip(*((score.whole, score.nothing, score.alone) for score in scores), strict=True)
    whole, nothing, alone = (float(np.mean(column)) for column in columns)
    return Score(whole, nothing, alone, float(np.mean(without)) if len(without) == len(scores) else None)


_AT_ONCE = 16


def score_edges(run: ForwardCache, target: Target, sources: Sources, baseline: Baseline) -> Score:
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
        >>> from circuits.tracing.source import forward_cache
        >>> from circuits.tracing.targets import target_of
        >>> network = load_network()
        >>> circuit = trace(network, "example:cat", depth=1, top=3)
        >>> run = forward_cache(network, circuit)
        >>> score = score_edges(run, target_of(circuit), sources_of(circuit), Baseline.zero())
        >>> score.nothing < score.alone
        True
    """
    if target.id not in sources:
        raise InputError(f"{target.id}, the target, has no sources; expand it before its edges are scored.")
    run, order = run.from_baseline(baseline), run.network.layers.index
    upper_of = {name: layer_of(name, target.id) for name in sources}
    computed: dict[Address, Tensor] = {}
    for layer in sorted(set(upper_of.values()) - {target.unit.layer}, key=order):
        names = [name for name, upper in upper_of.items() if upper == layer]
        lower = run.below(layer, target)
        base = _base(lower)
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            seen = torch.cat([_seen(run, lower, base, sources[name], computed) for name in some])
            units = [parse_address(name) for name in some]
            indices = list(map(index_of, units))
            with torch.no_grad():
                if layer in run.dictionaries:
                    code = run.code(target, layer)
                    maps = code_maps(code.dictionary, lower.piece(seen), code.importance)[:, indices]
                else:
                    maps = lower.piece(seen, indices)
            computed.update({unit: maps[row, row] for row, unit in enumerate(units)})
    lower = run.below(target.unit.layer, target)
    base = _base(lower)
    readout = target.readout(run.network)
    with torch.no_grad():
        alone = readout.through(lower.piece, _seen(run, lower, base, sources[target.id], computed))
        nothing = readout.through(lower.piece, base)
    whole = readout.value(run.activations[target.unit.layer])
    return Score(float(whole), float(nothing), float(alone))


def _base(lower: LayersBelow) -> Activation:
    """The layers below at the baseline; an image that is reached past them is as it is."""
    base = lower.activation.clone()
    for layer in lower.layers.values():
        layer.own(base)[:] = layer.baseline(base)
    return base


def _seen(
    run: ForwardCache,
    lower: LayersBelow,
    base: Activation,
    sources: Sequence[Address],
    computed: Mapping[Address, Tensor],
) -> Activations:
    """What a unit sees of the layers below: its sources, as the circuit computed them, or as they are in the photo."""
    seen = base.clone()
    for unit in sources:
        check_address(run, unit)
        if unit.layer not in lower.layers:
            raise InputError(f"{unit} does not lie in {' or '.join(lower.layers)}, which its edge leads up from.")
        heat, layer = computed.get(unit), lower.layers[unit.layer]
        own = layer.own(seen)[0]
        if isinstance(unit, Unit):
            own[unit.channel] = run.activations[unit.layer][0, unit.channel] if heat is None else heat
        else:
            code, number = lower.codes[unit.layer], index_of(unit)
            heat = code.weights[number] if heat is None else heat
            lost = heat if layer.usual is None else heat - layer.usual.weights[number]
            own += lost * code.dictionary.directions[number].to(heat)[:, None, None]
    return seen
