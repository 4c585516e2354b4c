"""Shares of groups of channels: gradient × part of the activation, as that of a channel is gradient × its map.

A unit's *part* of a layer's activation is what the layer would lose without it: a channel's map on that channel, a
group's h_g d_g, the residual r. The parts of all units of a layer add up to its activation. In every mode a unit's
share is that of its part:

    sum, target:  S_u = Σ part_u · ∂f/∂a
    ig:           S_u = Σ part_u · ∫₀¹ ∂f(αa)/∂a dα
    ablate:       S_u = f(a) − f(a − part_u)

For channels these are the formulas of `gradient`; the code is homogeneous, so that on the straight way from zero every
part grows as the activation does. From a baseline b a unit's share is that of its part less its part of b, h̄_g d_g with
h̄ the code of b.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from circuits.attribution.ablation import ablated_one_by_one
from circuits.attribution.gradient import Readout, away_from, gradients, mean_gradient
from circuits.attribution.modes import as_explained
from circuits.groups.coding import RESIDUAL, Code
from circuits.network.branches import pack
from circuits.network.segments import Segment
from circuits.shapes import Activation, Activations, Maps, PerChannel, UnitScores


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """A lower layer's place among packed numbers (`branches.pack`), and its code if it has groups.

    Args:
        start: its first number.
        shape: channels, rows and columns.
        code: of the photo, if its units are groups.
        instead: the baseline of its channels, (1, channels, 1, 1), from which shares are measured; zero if `None`.
    """

    start: int
    shape: tuple[int, ...]
    code: Code | None = None
    instead: PerChannel | None = None

    @property
    def units(self) -> int:
        """Channels, or groups and the residual."""
        return self.shape[0] if self.code is None else self.code.units

    def own(self, packed: Activations) -> Activations:
        """The layer's own numbers, (N, C, H, W), which share their memory with the packed ones."""
        if packed.shape[1:] == self.shape:
            return packed
        return packed[:, self.start : self.start + math.prod(self.shape)].view(len(packed), *self.shape)

    def baseline(self, packed: Activations) -> Activations:
        """What the shares of its numbers are measured from, (N, C, H, W)."""
        instead = packed.new_zeros(1, 1, 1, 1) if self.instead is None else self.instead
        return instead.expand(len(packed), *self.shape)

    def shares(self, activation: Activation, gradient: Activation) -> UnitScores:
        """Σ (part - its baseline) · gradient of each unit."""
        return self._terms(activation, gradient).sum((1, 2))

    def signed(self, activation: Activation, gradient: Activation) -> tuple[UnitScores, UnitScores]:
        """The positive and the negative terms of each unit's share over positions, in two sums."""
        terms = self._terms(activation, gradient)
        return terms.clamp(min=0).sum((1, 2)), terms.clamp(max=0).sum((1, 2))

    def _terms(self, activation: Activation, gradient: Activation) -> Maps:
        slope = self.own(gradient)[0]
        if self.code is None:
            return away_from(self.instead, self.own(activation))[0] * slope
        terms = self.code.terms(slope)
        return terms if self.usual is None else terms - self.usual.terms(slope)

    @cached_property
    def usual(self) -> Code | None:
        """The code of the baseline; `None` for zero."""
        return None if self.code is None or self.instead is None else self.code.at_baseline(self.instead)


class Ablations:
    """Copies of packed layers in which units are ablated: their part is taken away, and what stands instead put in.

    Of a channel its map gives way to the baseline's number. Of a group h_g d_g gives way to h̄_g d_g, with h̄ the code of
    the baseline's numbers (0 for zero); the residual gives way to that of the baseline.

    Args:
        activation: of the lower layers, packed.
        layers: their places, codes and baselines, in order.
    """

    def __init__(self, activation: Activation, layers: Sequence[PackedLayer]) -> None:
        self._activation, self._layers = activation, layers
        self._places = [(layer, unit) for layer in layers for unit in range(layer.units)]

    def __call__(self, sets: Sequence[Sequence[int]]) -> Activations:
        """The activation without each of some sets of units, named by their places, (sets, c, h, w)."""
        copies = self._activation.repeat(len(sets), 1, 1, 1)
        for copy, units in zip(copies, sets, strict=True):
            for layer, unit in (self._places[place] for place in units):
                own = layer.own(copy[None])[0]
                if layer.code is None:
                    own[unit] = layer.baseline(copy[None])[0, unit]
                else:
                    own -= self._lost(layer, unit)
        return copies

    @property
    def units(self) -> int:
        """Number of units that can be ablated."""
        return len(self._places)

    def changed(self) -> set[int]:
        """The places of the units that ablation changes at all."""
        changes: list[bool] = []
        for layer in self._layers:
            if layer.code is None:
                differs = layer.own(self._activation) != layer.baseline(self._activation)
                changes += differs[0].flatten(1).any(1).tolist()
            else:
                changes += [bool((self._lost(layer, unit) != 0).any()) for unit in range(layer.units)]
        return {place for place, is_changed in enumerate(changes) if is_changed}

    @staticmethod
    def _lost(layer: PackedLayer, unit: int) -> Maps:
        assert layer.code is not None
        group = RESIDUAL if unit == layer.units - 1 else unit
        part = layer.code.part(group)
        return part if layer.usual is None else part - layer.usual.part(group)


def attribute_parts(
    mode: str,
    segment: Segment,
    activation: Activation,
    readouts: Iterable[Readout],
    layers: Sequence[PackedLayer],
) -> Iterator[UnitScores]:
    """Shares of several values over the same lower layers, one after the other, each in the order of their units.

    Args:
        mode: one of `modes.MODES`.
        segment: from the lower layers to the upper.
        activation: of the lower layers, packed.
        readouts: the values to explain, on the upper layer.
        layers: the packed layers, in order, each with what its shares are measured from.
    """
    segment = as_explained(mode, segment)
    if mode == "ablate":
        yield from _ablated(segment, activation, list(readouts), layers)
        return
    instead = packed_baseline(activation, layers)
    means: Callable[[Readout], Activation] = lambda each: mean_gradient(segment, activation, each, instead)  # noqa: E731
    fields = map(means, readouts) if mode == "ig" else gradients(segment, activation, readouts)
    for field in fields:
        yield torch.cat([layer.shares(activation, field) for layer in layers])


def packed_baseline(activation: Activation, layers: Sequence[PackedLayer]) -> PerChannel | None:
    """What shares are measured from, of each packed number, or of each channel of a single layer; `None` for zero."""
    if len(layers) == 1 or all(layer.instead is None for layer in layers):
        return layers[0].instead
    return pack([layer.baseline(activation) for layer in layers])


def _ablated(
    segment: Segment, activation: Activation, readouts: Sequence[Readout], layers: Sequence[PackedLayer]
) -> Iterator[UnitScores]:
    """What each of several values loses without each unit, run for all values together."""
    without = Ablations(activation, layers)
    lost = activation.new_zeros(len(readouts), without.units)
    for some, losses in ablated_one_by_one(segment, activation, readouts, sorted(without.changed()), without):
        lost[:, some] = losses
    yield from lost
