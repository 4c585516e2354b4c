"""Which sets of units are scored beside a circuit, and which cannot be, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from circuits.attribution.agreement import rank_correlation
from circuits.evaluation.controls import (
    attributions,
    by_activation,
    by_gradient,
    by_tracing,
    by_weights,
    random_like,
    randomised,
)
from circuits.evaluation.unit_sets import Search, Sources, Units, sources_of, tops_of_circuit, units_in
from circuits.network.network import Network
from circuits.shapes import Images
from circuits.tracing.circuit import Circuit
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import Target

CIRCUIT = "circuit"
METHODS = (CIRCUIT, "random", "activation", "gradient", "weights", "randomised")
"""The circuit, and its controls, in the order in which they are told."""
CURVE_DRAWS = 3
"""Random sets at each size of the curve, at most."""


@dataclass(frozen=True)
class Asked:
    """A set of units to be scored.

    Args:
        method: one of `METHODS`.
        units: channels by layer.
        top: units below each unit, of a point of the curve; `None` for the circuit and the controls of its shape.
    """

    method: str
    units: Units
    top: int | None = None


@dataclass(frozen=True)
class Plan:
    """All that is scored in every photo.

    Args:
        target: what is measured.
        sources: the circuit's edges.
        sets: the circuit's units first, then controls and the points of the curve.
        unchanged: the edges that the search finds in the photo that the sets were chosen by.
        tops: units below each unit at each level, as the circuit was traced.
        correlations: by layer, the rank correlation of attributions with those of the shuffled network.
        notes: sentences about what is left out.
    """

    target: Target
    sources: Sources
    sets: tuple[Asked, ...]
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
) -> Plan:
    """Choose all sets, by the photo of a run.

    Args:
        run: of the photo that the circuit was traced in.
        image: that photo, preprocessed.
        circuit: the circuit.
        target: what it explains.
        controls: whether sets of its shape are scored too.
        ladder: units below each unit at the points of the curve; none leaves the curve out.
        draws: random sets of the circuit's shape.
        seed: of these and of the shuffled network.
    """
    network, settings = run.network, circuit.settings
    mode, signs = settings["mode"], settings["signs"]
    sources = sources_of(circuit)
    units = units_in(network, sources, target.id)
    tops = tops_of_circuit(circuit)
    search = Search(run, target, mode)
    sets = [Asked(CIRCUIT, units)]
    notes: list[str] = []
    correlations: dict[str, float | None] = {}
    if controls:
        source = np.random.default_rng(seed)
        sets += [Asked("random", random_like(network, units, source)) for _ in range(draws)]
        sets.append(Asked("activation", by_activation(run, units)))
        sets.append(Asked("gradient", by_gradient(run, target, units, signs=signs)))
        by_weight = by_weights(network, target, units, signs=signs)
        if by_weight is not None:
            sets.append(Asked("weights", by_weight))
        else:
            notes.append(f"There is no control by weights: nothing moves {target.label} at the neutral input.")
        other = shuffled_run(network, image, seed)
        sets.append(Asked("randomised", by_tracing(other, target, units, tops=tops, mode=mode, signs=signs)))
        for layer in units:
            pair = (attributions(each, target, layer).tolist() for each in (run, other))
            correlations[layer] = rank_correlation(*pair)
    curve = _curve(run, search, target, levels=len(tops), signs=signs, ladder=ladder)
    layers = [layer for layer in network.layers if any(layer in each for each in (units, *curve.values()))]
    for top, found in curve.items():
        kept = {layer: found.get(layer, ()) for layer in layers}
        sets.append(Asked(CIRCUIT, kept, top))
        if controls:
            source = np.random.default_rng([seed, top])
            sets += [Asked("random", random_like(network, kept, source), top) for _ in range(min(draws, CURVE_DRAWS))]
            sets.append(Asked("activation", by_activation(run, kept), top))
    return Plan(target, sources, tuple(sets), search.sources(tops, signs), tuple(tops), correlations, tuple(notes))


def _curve(
    run: ForwardCache, search: Search, target: Target, *, levels: int, signs: str, ladder: Sequence[int]
) -> dict[int, Units]:
    """The units of the circuit with each number of units below each unit; the ladder ends where nothing is added."""
    found: dict[int, Units] = {}
    before: Sources = {}
    for top in sorted(set(ladder)):
        sources = search.sources([top] * levels, signs)
        if sources == before:
            break
        found[top], before = units_in(run.network, sources, target.id), sources
    return found


def shuffled_run(network: Network, image: Images, seed: int) -> ForwardCache:
    """The photo's way through a copy of the network whose parameters are shuffled."""
    return ForwardCache.of(randomised(network, seed), image)
