"""What if: units made weaker, stronger or silent, and what the network says then.

1. Take the photo's activations, and scale the changed units of the lowest changed layer.
2. Run the network on to the next changed layer, scale its units in what has come out, and so on up to the logits.

Nothing below the lowest change is run, and the photo's own activations are found once. A factor applies to what really
arrives at a unit: with two changes one above the other, the upper one scales an activation that the lower one changed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from circuits.errors import InputError
from circuits.image.photo import Photo
from circuits.network.execute import execute, image_node
from circuits.network.network import Network
from circuits.network.operations import as_maps
from circuits.network.predict import Prediction, ranked
from circuits.shapes import Activation, Scores
from circuits.tracing.circuit import Circuit
from circuits.tracing.run import IMAGE, ForwardCache, forward_cache
from circuits.units import Unit, as_unit

Factors = Mapping[Unit, float | int] | Mapping[str, float | int] | Mapping[Unit | str, float | int]

MOST = 4.0
"""Largest factor: further out no photo drives a network, and what it says there means little."""


@dataclass(frozen=True)
class Effect:
    """One class before and after.

    Args:
        before: as the network sees the photo.
        after: with the changes.
    """

    before: Prediction
    after: Prediction

    @property
    def label(self) -> str:
        """Of the class."""
        return self.before.label

    @property
    def gain(self) -> float:
        """By how much the probability grew, -1 to 1."""
        return self.after.probability - self.before.probability


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a network says when some of its units are changed.

    Args:
        changes: the units and their factors, from the lowest layer up.
        effects: the classes that lead before or after, and those asked for; by their logit before, highest first.
        before: the logits as the network sees the photo, (classes,).
        after: the logits with the changes, (classes,).
    """

    changes: tuple[tuple[Unit, float], ...]
    effects: tuple[Effect, ...]
    before: Scores = field(repr=False)
    after: Scores = field(repr=False)


def intervene(
    network: Network,
    source: Circuit | Photo,
    changes: Factors,
    *,
    top: int = 5,
    classes: Sequence[int | str] = (),
) -> Outcome:
    """What the network says of a photo with some units scaled.

    Let a be a layer's activation as it arrives, a' what is passed on: a'_c(h,w) = factor · a_c(h,w). A unit with a
    position is scaled there alone, a factor for the whole channel holding there too. A factor of 0 is the unit's
    ablation, 1 leaves it as it is.

    Args:
        network: the network.
        source: a photo, or a circuit that carries its photo.
        changes: unit to factor, 0 to 4.
        top: how many of the leading classes, before and after, are told of.
        classes: further classes, by number or label.

    Raises:
        UnknownError: if the network has no such unit or class.
        InputError: if a factor is not a number from 0 to 4, a unit is a class itself, or top is less than 1.

    Example:
        >>> from circuits import load_network, load_photo
        >>> outcome = intervene(load_network(), load_photo("example:cat"), {"conv4:17": 1, "conv2:3": 0}, top=1)
        >>> outcome.effects[0].label
        'cat'
    """
    if top < 1:
        raise InputError(f"top is {top}; it must be at least 1.")
    run = forward_cache(network, source)
    order = run.network.layers.index
    factors = {as_unit(unit): _factor(unit, factor) for unit, factor in changes.items()}
    for unit in factors:
        run.network.check_unit(unit)
        if unit.layer == run.network.layers[-1]:
            label = run.network.unit_label(unit)
            itself = f"{label!r} itself" if network.labels else "at the very top"
            raise InputError(f"{unit} is {itself}, which nothing depends on; change units of a layer below it.")
    asked = [run.network.find_class(wanted) for wanted in classes]
    before = run.activations[run.network.layers[-1]].sum((0, 2, 3))
    after = _run_on(run, factors).sum((0, 2, 3))
    leading = (row.index for logits in (before, after) for row in ranked(network, logits, top))
    shown = sorted({*leading, *asked}, key=lambda index: (-float(before[index]), index))
    pairs = zip(_said(network, before, shown), _said(network, after, shown), strict=True)
    lowest_first = sorted(factors.items(), key=lambda change: (order(change[0].layer), change[0]))
    return Outcome(tuple(lowest_first), tuple(Effect(*pair) for pair in pairs), before.clone(), after)


def _said(network: Network, logits: Tensor, classes: Sequence[int]) -> list[Prediction]:
    """What some logits, (classes,), say of some classes."""
    probabilities = network.probabilities(logits)
    return [Prediction(n, network.label(n), float(logits[n]), float(probabilities[n])) for n in classes]


def _run_on(run: ForwardCache, factors: Mapping[Unit, float]) -> Activation:
    """The logits, the network being run from the lowest layer in which something changes."""
    changed = {unit.layer for unit, factor in factors.items() if factor != 1}
    top = run.network.layers[-1]
    stations = [layer for layer in run.network.layers if layer in changed]
    if not stations:
        return run.activations[top].clone()
    with torch.no_grad():
        if run.network.branched:
            return _run_on_branched(run, stations, factors)
        value = run.activations[stations[0]]
        for layer, above in pairwise((*stations, top)):
            value = run.network.segment(layer, above)(_scaled(value, layer, factors))
    return value


def _run_on_branched(run: ForwardCache, stations: Sequence[str], factors: Mapping[Unit, float]) -> Activation:
    """The logits, where not all that one changed layer hands on passes the next: all are put in their places."""
    network = run.network
    known = {image_node(network.traced): run.activations[IMAGE]}
    for layer in stations:
        node = network.layer(layer).node
        value = execute(network.traced, known, [node])[node]
        known[node] = _scaled(as_maps(value), layer, factors).view_as(value)
    top = network.layer(network.layers[-1]).node
    return as_maps(execute(network.traced, known, [top])[top])


def _scaled(activation: Tensor, layer: str, factors: Mapping[Unit, float]) -> Activation:
    value = activation.clone()
    for unit, factor in factors.items():
        if unit.layer == layer:
            at = (slice(None), slice(None)) if unit.position is None else unit.position
            value[0, unit.channel, at[0], at[1]] *= factor
    return value


def _factor(unit: Unit | str, factor: float | int) -> float:
    if isinstance(factor, bool) or not math.isfinite(factor) or not 0 <= factor <= MOST:
        raise InputError(
            f"The factor of {unit} is {factor}; it must be a number from 0, which switches the unit off, to {MOST:g}."
        )
    return float(factor)
