"""Shares of groups of channels: gradient × part of the activation, as that of a channel is gradient × its map.

A unit's *part* of a layer's activation is what the layer would lose without it: a channel's map on that channel, a
group's h_g d_g, the residual r. The parts of all units of a layer add up to its activation. In every mode a unit's
share is that of its part:

    sum, target:  S_u = Σ part_u · ∂f/∂a
    ig:           S_u = Σ part_u · ∫₀¹ ∂f(αa)/∂a dα
    ablate:       S_u = f(a) − f(a − part_u)

For channels these are the formulas of `gradient`; the code is homogeneous, so that on the straight way from zero every
part grows as the activation does.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from circuits.attribution.gradient import Readout, ablation, at_once, gradients, mean_gradient
from circuits.groups.coding import RESIDUAL, Code
from circuits.network.segments import Segment
from circuits.shapes import Activation, Maps, Scores


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """A lower layer's place among packed channels (`branches.concatenate_padded`), and its code if it has groups."""

    start: int
    channels: int
    code: Code | None = None

    @property
    def units(self) -> int:
        """Channels, or groups and the residual."""
        return self.channels if self.code is None else self.code.units

    def shares(self, activation: Activation, gradient: Activation) -> Scores:
        """Σ part · gradient of each unit."""
        own = slice(self.start, self.start + self.channels)
        if self.code is None:
            return (activation[0, own] * gradient[0, own]).sum((1, 2))
        height, width = self.code.activation.shape[2:]
        return self.code.shares(gradient[0, own, :height, :width])

    def without(self, activation: Activation, group: int) -> Maps:
        """The packed activation without a group, or without the residual, (c, h, w)."""
        assert self.code is not None
        part = self.code.part(group)
        left = activation[0].clone()
        left[self.start : self.start + self.channels, : part.shape[1], : part.shape[2]] -= part
        return left


def attribute_parts(
    mode: str, segment: Segment, activation: Activation, readouts: Iterable[Readout], layers: Sequence[PackedLayer]
) -> Iterator[Scores]:
    """Shares of several values over the same lower layers, one after the other, each in the order of their units.

    Args:
        mode: `sum`, `target`, `ig` or `ablate`.
        segment: from the lower layers to the upper.
        activation: of the lower layers, packed.
        readouts: the values to explain, on the upper layer.
        layers: the lower layers, in the order of their channels; the image, if packed behind them, counts by colour.
    """
    end = layers[-1].start + layers[-1].channels
    layers = [*layers, PackedLayer(end, activation.shape[1] - end)]
    if mode == "ablate":
        for readout in readouts:
            yield torch.cat([_ablated(segment, activation, readout, layer) for layer in layers])
        return
    means: Callable[[Readout], Activation] = lambda readout: mean_gradient(segment, activation, readout)  # noqa: E731
    fields = map(means, readouts) if mode == "ig" else gradients(segment, activation, readouts)
    for field in fields:
        yield torch.cat([layer.shares(activation, field) for layer in layers])


def _ablated(segment: Segment, activation: Activation, readout: Readout, layer: PackedLayer) -> Scores:
    if layer.code is None:
        channels = range(layer.start, layer.start + layer.channels)
        return ablation(segment, activation, readout, channels=channels)[layer.start : layer.start + layer.channels]
    groups = [*range(layer.code.dictionary.groups), RESIDUAL]
    lost = []
    with torch.no_grad():
        whole = readout.through(segment, activation)
        for some in torch.split(torch.tensor(groups), at_once(activation)):
            copies = torch.stack([layer.without(activation, group) for group in some.tolist()])
            lost.append(whole - readout.through(segment, copies))
    return torch.cat(lost)
