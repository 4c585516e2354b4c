"""What a value really loses without lower channels: one at a time, or together, exactly, through a segment."""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.attribution.gradient import Readout, at_once, with_replaced
from circuits.network.device import halving
from circuits.network.segments import Segment
from circuits.shapes import Activation, Activations, PerChannel

Without = Callable[[Sequence[Sequence[int]]], Activations]
"""Copies of an activation, in each of which a set of units is ablated, (sets, c, h, w)."""

_FEWEST = 4
"""Copies to a batch, however large the layers are: with fewer, half of what is run is the photo as it is, again."""


def ablated_one_by_one(
    segment: Segment,
    activation: Activation,
    readouts: Sequence[Readout],
    channels: Sequence[int],
    instead: PerChannel | Without,
) -> Iterator[tuple[list[int], Float[Tensor, "readouts some"]]]:
    """What some values lose without each of some channels, a batch of forward passes after the other.

    A_j = f(a) - f(a with a_j = instead_j)

    The photo as it is runs in every batch beside its ablated copies, so that what changes nothing differs by exactly 0.
    What stands in the place of a channel is what `Baseline.of` gives; of units that are no channels, a function that
    ablates them (`parts.Ablations`). Yields some of the channels, and the losses.

    Example:
        >>> from circuits import Baseline, load_network
        >>> network = load_network()
        >>> lower = torch.rand(1, network.layer("conv5").channels, 4, 4)
        >>> zero, values = Baseline.zero().of("conv5", lower), [Readout.of_unit(7), Readout.of_unit(8)]
        >>> losses = ablated_one_by_one(network.segment("conv5", "conv6"), lower, values, [3, 5, 9], zero)
        >>> [(channels, lost.shape) for channels, lost in losses]
        [([3, 5, 9], torch.Size([2, 3]))]
    """
    read = sorted({channel for readout in readouts for channel in readout.channels})
    places = [[read.index(channel) for channel in readout.channels] for readout in readouts]

    def lost(some: Tensor) -> Float[Tensor, "readouts some"]:
        copies = _without(activation, instead)([[], *([channel] for channel in some.tolist())])
        with torch.no_grad():
            upper = segment(copies, read)
            values = torch.stack([each.of(upper[:, place]) for each, place in zip(readouts, places, strict=True)])
        return values[:, :1] - values[:, 1:]

    for some in torch.split(torch.tensor(channels, dtype=torch.int64), max(_FEWEST, at_once(activation))):
        yield some.tolist(), torch.cat(halving(lost, some), dim=1)


def ablated_together(
    segment: Segment, activation: Activation, readout: Readout, channels: Sequence[int], instead: PerChannel | Without
) -> float:
    """What a value loses without some channels at once."""
    with torch.no_grad():
        values = readout.through(segment, _without(activation, instead)([[], channels]))
    return float(values[0] - values[1])


def _without(activation: Activation, instead: PerChannel | Without) -> Without:
    if callable(instead):
        return instead
    return lambda sets: with_replaced(activation, sets, instead)
