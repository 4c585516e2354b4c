"""Controls: sets with as many units in each layer as a circuit, chosen in other ways, and the plan of what is scored.

| control | chooses in each layer |
|---|---|
| random | any units, each with the same chance |
| activation | those with the largest mean magnitude in the photo |
| weights | those with the largest Σ_hw ∂T/∂a at a grey image: what the weights alone say of the target |
| gradient | those with the largest Σ_hw a · ∂T/∂a in the photo: attribution without a walk along edges |
| randomised | those of a circuit traced in a copy of the network whose parameters were shuffled (Adebayo et al. 2018) |

Where a circuit's units are groups, these are channels, as many as it has groups, and there is one more:

| permuted | the same groups, of a dictionary in which the channels of each direction are shuffled |
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from circuits.attribution.agreement import rank_correlation
from circuits.evaluation.unit_sets import CircuitSearch, Sources, Units, sources_of, tops_of_circuit, units_in
from circuits.groups.dictionary import Dictionary
from circuits.network.layers import find_layers
from circuits.network.network import Network, fingerprint
from circuits.shapes import Images, Scores
from circuits.tracing.circuit import Circuit
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import Target


def random_like(network: Network, units: Units, seed: int | np.random.Generator) -> dict[str, tuple[int, ...]]:
    """As many units in each layer as a set has, drawn without replacement, each with the same chance.

    Args:
        network: the network.
        units: channels by layer.
        seed: of the draw, or a generator, from which several draws can be taken one after the other.

    Raises:
        UnknownError: if the network has no such layer.

    Example:
        >>> from circuits import load_network
        >>> drawn = random_like(load_network(), {"conv4": [1, 2, 3], "conv5": []}, seed=0)
        >>> [len(channels) for channels in drawn.values()]
        [3, 0]
    """
    source = np.random.default_rng(seed)
    drawn = {}
    for layer, channels in units.items():
        chosen = source.choice(network.layer(layer).channels, size=len(channels), replace=False)
        drawn[layer] = tuple(sorted(chosen.tolist()))
    return drawn


def permuted(dictionaries: Mapping[str, Dictionary], source: np.random.Generator) -> dict[str, Dictionary]:
    """Dictionaries whose directions have their channels shuffled, each in its own way: any directions of that shape.

    Example:
        >>> one = {"conv4": Dictionary(torch.tensor([[1.0, 0.0, 2.0]]), "by hand")}
        >>> sorted(permuted(one, np.random.default_rng(0))["conv4"].directions[0].tolist())
        [0.0, 1.0, 2.0]
    """
    return {
        layer: replace(
            each,
            directions=torch.from_numpy(source.permuted(each.directions.numpy(), axis=1)),
            encoder=None,
            bias=None,
        )
        for layer, each in dictionaries.items()
    }


def by_activation(run: ForwardCache, units: Units) -> dict[str, tuple[int, ...]]:
    """As many units in each layer as a set has: those with the largest mean |a| in the photo.

    mean |a_j| = 1/(H·W) Σ_hw |a_j(h,w)|

    Args:
        run: of the photo.
        units: channels by layer.

    Example:
        >>> from circuits import load_network, load_photo
        >>> network = load_network()
        >>> run = ForwardCache.of(network, network.preprocessing.input_of(load_photo("example:cat")))
        >>> [channel] = by_activation(run, {"conv4": [0]})["conv4"]
        >>> int(run.activations["conv4"][0].mean((1, 2)).argmax()) == channel
        True
    """
    return _largest(units, {layer: run.activations[layer][0].abs().mean((1, 2)) for layer in units})


def by_gradient(
    run: ForwardCache, target: Target, units: Units, *, signs: str = "positive"
) -> dict[str, tuple[int, ...]]:
    """As many units in each layer as a set has: those with the largest attribution to the target over all paths.

    S_j = Σ_hw a_j · ∂T/∂a_j   (`positive`: the largest; `both`: the largest in magnitude)

    Args:
        run: of the photo.
        target: T.
        units: channels by layer, all below the target.
        signs: `positive` or `both`.
    """
    return _largest(units, {layer: run.attributions(target, layer) for layer in units}, signs)


def by_weights(
    network: Network, target: Target, units: Units, *, signs: str = "positive"
) -> dict[str, tuple[int, ...]] | None:
    """As many units in each layer as a set has: those that the weights alone connect to the target most.

    W_j = Σ_hw ∂T/∂a_j at the neutral input, zero after normalisation, which only says which rectifiers are open

    Args:
        network: cut at the layers of the set.
        target: T.
        units: channels by layer, all below the target.
        signs: `positive` (the largest W) or `both` (the largest in magnitude).

    Returns:
        `None` if nothing moves the target at the neutral input.

    Example:
        >>> from circuits import load_network
        >>> from circuits.tracing.targets import find_target
        >>> network = load_network()
        >>> len(by_weights(network, find_target(network, "cat", 0), {"conv7": [0, 1]})["conv7"])
        2
    """
    run = ForwardCache.of(network, neutral(network))
    weights = {layer: run.gradient(target, layer)[0].sum((1, 2)) for layer in units}
    if not any(bool(row.any()) for row in weights.values()):
        return None
    return _largest(units, weights, signs)


def neutral(network: Network) -> Tensor:
    """The image of the mean colour, zero after normalisation, (1, c, h, w)."""
    return torch.zeros(1, len(network.preprocessing.mean), *network.preprocessing.size)


def randomised(network: Network, seed: int) -> Network:
    """A copy of a network in which the entries of every weight and every bias are shuffled.

    The full parameter randomisation of Adebayo et al. 2018, "Sanity checks for saliency maps": every tensor keeps its
    values, and loses what was learned of their order.

    Args:
        network: the network.
        seed: of the permutations.

    Example:
        >>> from circuits import load_network
        >>> network = load_network()
        >>> other = randomised(network, seed=0)
        >>> other.layers == network.layers, other.sha256 == network.sha256
        (True, False)
    """
    source = torch.Generator().manual_seed(seed)
    traced = copy.deepcopy(network.traced)
    with torch.no_grad():
        for parameter in traced.parameters():
            flat = parameter.flatten()
            parameter.copy_(flat[torch.randperm(len(flat), generator=source)].view_as(parameter))
    return replace(
        network,
        name=f"{network.name}, shuffled",
        source=f"{network.source}, shuffled with seed {seed}",
        traced=traced,
        sha256=fingerprint(traced),
        layer_list=find_layers(traced, network.layers),
        _segments={},
    )


def by_tracing(
    run: ForwardCache, target: Target, units: Units, *, tops: Sequence[int], mode: str, signs: str = "positive"
) -> dict[str, tuple[int, ...]]:
    """As many units in each layer as a set has: those of a circuit traced in this run, which may be another network's.

    Where that circuit has more units in a layer than the set, or fewer, those with the largest attribution to its
    target over all paths are left, or fill up.

    Args:
        run: of the photo, through the network that is traced.
        target: T.
        units: channels by layer.
        tops: units to show below each unit, one number a level.
        mode: of the attribution.
        signs: `positive` or `both`.
    """
    circuit = units_in(run.network, CircuitSearch(run, target, mode).sources(tops, signs), target.id)
    scores = {}
    for layer in units:
        score = run.attributions(target, layer)
        score = score if signs == "positive" else score.abs()
        traced = torch.zeros_like(score)
        traced[list(circuit.get(layer, ()))] = 1 + float(score.max() - score.min())
        scores[layer] = score + traced
    return _largest(units, scores)


def _largest(units: Units, scores: dict[str, Scores], signs: str = "positive") -> dict[str, tuple[int, ...]]:
    """The channels with the largest scores, as many in each layer as a set has; of equal ones the first."""
    largest = {}
    for layer, channels in units.items():
        order = (scores[layer] if signs == "positive" else scores[layer].abs()).argsort(descending=True, stable=True)
        largest[layer] = tuple(sorted(order[: len(channels)].tolist()))
    return largest


CIRCUIT = "circuit"
METHODS = (CIRCUIT, "permuted", "random", "activation", "gradient", "weights", "randomised")
"""The circuit and its controls, in the order of a card's rows."""
CURVE_DRAWS = 3
"""Random sets at each size of the curve, at most."""


@dataclass(frozen=True)
class UnitSet:
    """Units to be scored, chosen by one of `METHODS`; for a point of the curve, with `top` units below each unit.

    In layers that `dictionaries` names they are groups, elsewhere channels.
    """

    method: str
    units: Units
    top: int | None = None
    dictionaries: Mapping[str, Dictionary] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class EvaluationPlan:
    """All that is scored in every photo.

    Args:
        target: what is measured.
        sources: the circuit's edges.
        sets: the circuit's units first, then controls and the points of the curve.
        unchanged: the edges that the search finds in the circuit's own photo.
        tops: units below each unit at each level, as the circuit was traced.
        correlations: by layer, the rank correlation of attributions with those of the shuffled network.
        notes: sentences about what is left out.
    """

    target: Target
    sources: Sources
    sets: tuple[UnitSet, ...]
    unchanged: Sources
    tops: tuple[int, ...]
    correlations: dict[str, float | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def plan(
    run: ForwardCache,
    image: Images,
    circuit: Circuit,
    target: Target,
    *,
    controls: bool,
    ladder: Sequence[int],
    draws: int,
    seed: int,
) -> EvaluationPlan:
    """Choose all sets by the circuit's own photo, given as a run and preprocessed; see `evaluate` for the options."""
    network, settings = run.network, circuit.settings
    mode, signs = settings.mode, settings.signs
    sources = sources_of(circuit)
    units = units_in(network, sources, target.id)
    tops = tops_of_circuit(circuit)
    search = CircuitSearch(run, target, mode)
    dictionaries = run.dictionaries
    sets = [UnitSet(CIRCUIT, units, dictionaries=dictionaries)]
    notes: list[str] = []
    correlations: dict[str, float | None] = {}
    if controls:
        source = np.random.default_rng(seed)
        if dictionaries:
            draws_of = [permuted(dictionaries, np.random.default_rng([seed, draw])) for draw in range(CURVE_DRAWS)]
            sets += [UnitSet("permuted", units, dictionaries=each) for each in draws_of]
        sets += [UnitSet("random", random_like(network, units, source)) for _ in range(draws)]
        sets.append(UnitSet("activation", by_activation(run, units)))
        sets.append(UnitSet("gradient", by_gradient(run, target, units, signs=signs)))
        by_weight = by_weights(network, target, units, signs=signs)
        if by_weight is not None:
            sets.append(UnitSet("weights", by_weight))
        else:
            notes.append(f"There is no control by weights: nothing moves {target.label} at the neutral input.")
        other = ForwardCache.of(randomised(network, seed), image)
        if circuit.baseline.name == "mean":
            notes.append("The circuit of the shuffled network is traced from zero, because the means are not its own.")
        sets.append(UnitSet("randomised", by_tracing(other, target, units, tops=tops, mode=mode, signs=signs)))
        for layer in units:
            pair = (each.attributions(target, layer).tolist() for each in (run, other))
            correlations[layer] = rank_correlation(*pair)
    curve = _curve(run, search, target, levels=len(tops), signs=signs, ladder=ladder)
    layers = [layer for layer in network.layers if any(layer in each for each in (units, *curve.values()))]
    for top, shown in curve.items():
        kept = {layer: shown.get(layer, ()) for layer in layers}
        sets.append(UnitSet(CIRCUIT, kept, top, dictionaries))
        if controls:
            source = np.random.default_rng([seed, top])
            sets += [UnitSet("random", random_like(network, kept, source), top) for _ in range(min(draws, CURVE_DRAWS))]
            sets.append(UnitSet("activation", by_activation(run, kept), top))
    return EvaluationPlan(target, sources, tuple(sets), search.like(circuit), tuple(tops), correlations, tuple(notes))


def _curve(
    run: ForwardCache, search: CircuitSearch, target: Target, *, levels: int, signs: str, ladder: Sequence[int]
) -> dict[int, Units]:
    """The units of the circuit at each rung of the ladder, which ends where nothing is added."""
    units: dict[int, Units] = {}
    before: Sources = {}
    for top in sorted(set(ladder)):
        sources = search.sources([top] * levels, signs)
        if sources == before:
            break
        units[top], before = units_in(run.network, sources, target.id), sources
    return units
