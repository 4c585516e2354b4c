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

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from circuits.attribution.ablation import ablated_one_by_one
from circuits.attribution.gradient import Readout, away_from, gradients, mean_gradient
from circuits.attribution.modes import as_explained
from circuits.groups.coding import RESIDUAL, Code
from circuits.network.segments import Segment
from circuits.shapes import Activation, Activations, Maps, PerChannel, UnitScores


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """A lower layer's place among packed channels (`branches.concatenate_padded`), and its code if it has groups.

    Args:
        start: its first channel.
        channels: how many it has.
        code: of the photo, if its units are groups.
        instead: the baseline of its channels, (1, channels, 1, 1), from which shares are measured; zero if `None`.
    """

    start: int
    channels: int
    code: Code | None = None
    instead: PerChannel | None = None

    @property
    def units(self) -> int:
        """Channels, or groups and the residual."""
        return self.channels if self.code is None else self.code.units

    def shares(self, activation: Activation, gradient: Activation) -> UnitScores:
        """Σ (part - its baseline) · gradient of each unit."""
        return self._terms(activation, gradient).sum((1, 2))

    def signed(self, activation: Activation, gradient: Activation) -> tuple[UnitScores, UnitScores]:
        """The positive and the negative terms of each unit's share over positions, in two sums."""
        terms = self._terms(activation, gradient)
        return terms.clamp(min=0).sum((1, 2)), terms.clamp(max=0).sum((1, 2))

    def _terms(self, activation: Activation, gradient: Activation) -> Maps:
        own = slice(self.start, self.start + self.channels)
        if self.code is None:
            return away_from(self.instead, activation[:, own])[0] * gradient[0, own]
        height, width = self.code.activation.shape[2:]
        terms = self.code.terms(gradient[0, own, :height, :width])
        return terms if self._usual is None else terms - self._usual.terms(gradient[0, own, :height, :width])

    @cached_property
    def _usual(self) -> Code | None:
        """The code of the baseline; `None` for zero."""
        return None if self.code is None or self.instead is None else self.code.at_baseline(self.instead)


class Ablations:
    """Copies of packed layers in which units are ablated: their part is taken away, and what stands instead put in.

    Of a channel its map gives way to the baseline's number. Of a group h_g d_g gives way to h̄_g d_g, with h̄ the code of
    the baseline's numbers (0 for zero); the residual gives way to that of the baseline.

    Args:
        activation: of the lower layers, packed.
        layers: their places and codes, in order.
        instead: what stands in the place of each channel, (1, c, 1, 1), as `Baseline.of` gives it.
    """

    def __init__(self, activation: Activation, layers: Sequence[PackedLayer], instead: PerChannel) -> None:
        self._activation, self._instead = activation, instead
        self._places = [(layer, unit) for layer in layers for unit in range(layer.units)]
        self._baselines = {
            layer.start: layer.code.at_baseline(instead[:, layer.start : layer.start + layer.channels])
            for layer in layers
            if layer.code is not None
        }

    def __call__(self, sets: Sequence[Sequence[int]]) -> Activations:
        """The activation without each of some sets of units, named by their places, (sets, c, h, w)."""
        copies = self._activation.repeat(len(sets), 1, 1, 1)
        for copy, units in zip(copies, sets, strict=True):
            for layer, unit in (self._places[place] for place in units):
                if layer.code is None:
                    copy[layer.start + unit] = self._instead[0, layer.start + unit]
                else:
                    lost = self._lost(layer, unit)
                    copy[layer.start : layer.start + layer.channels, : lost.shape[1], : lost.shape[2]] -= lost
        return copies

    @property
    def units(self) -> int:
        """Number of units that can be ablated."""
        return len(self._places)

    def changed(self) -> set[int]:
        """The places of the units that ablation changes at all."""
        channels = (self._activation != self._instead)[0].flatten(1).any(1).tolist()
        return {
            place
            for place, (layer, unit) in enumerate(self._places)
            if (channels[layer.start + unit] if layer.code is None else bool((self._lost(layer, unit) != 0).any()))
        }

    def _lost(self, layer: PackedLayer, unit: int) -> Maps:
        assert layer.code is not None
        group = RESIDUAL if unit == layer.units - 1 else unit
        part = layer.code.part(group)
        baseline = self._baselines[layer.start]
        return part if baseline is None else part - baseline.part(group)


def attribute_parts(
    mode: str,
    segment: Segment,
    activation: Activation,
    readouts: Iterable[Readout],
    layers: Sequence[PackedLayer],
    instead: PerChannel | None = None,
) -> Iterator[UnitScores]:
    """Shares of several values over the same lower layers, one after the other, each in the order of their units.

    Args:
        mode: one of `modes.MODES`.
        segment: from the lower layers to the upper.
        activation: of the lower layers, packed.
        readouts: the values to explain, on the upper layer.
        layers: the lower layers, in the order of their channels; the image, if packed behind them, counts by colour.
        instead: the baseline that shares are measured from, of all packed channels; zero if `None`.
    """
    segment, end = as_explained(mode, segment), layers[-1].start + layers[-1].channels
    layers = [*layers, PackedLayer(end, activation.shape[1] - end)]
    if mode == "ablate":
        yield from _ablated(segment, activation, list(readouts), layers, instead)
        return
    means: Callable[[Readout], Activation] = lambda each: mean_gradient(segment, activation, each, instead)  # noqa: E731
    fields = map(means, readouts) if mode == "ig" else gradients(segment, activation, readouts)
    for field in fields:
        yield torch.cat([layer.shares(activation, field) for layer in layers])


def _ablated(
    segment: Segment,
    activation: Activation,
    readouts: Sequence[Readout],
    layers: Sequence[PackedLayer],
    instead: PerChannel | None,
) -> Iterator[UnitScores]:
    """What each of several values loses without each unit, run for all values together."""
    zero = torch.zeros_like(activation[:, :, :1, :1])
    without = Ablations(activation, layers, zero if instead is None else instead)
    lost = activation.new_zeros(len(readouts), without.units)
    for some, losses in ablated_one_by_one(segment, activation, readouts, sorted(without.changed()), without):
        lost[:, some] = losses
    yield from lost
