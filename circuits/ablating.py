"""What a value really loses without lower channels: one at a time, or together, exactly, through a segment."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.attribution import Readout, at_once, gradient_down
from circuits.segments import Segment
from circuits.shapes import Activation, PerChannel, Scores


def ablated_one_by_one(
    segment: Segment, activation: Activation, readouts: Sequence[Readout], channels: Sequence[int], instead: PerChannel
) -> Iterator[tuple[list[int], Float[Tensor, "readouts some"]]]:
    """What some values lose without each of some channels, a batch of forward passes after the other.

    A_j = f(a) - f(a with a_j = instead_j)

    The photo as it is runs in every batch beside its ablated copies, so that what changes nothing differs by exactly 0.

    Args:
        segment: from the lower layer to the upper.
        activation: of the lower layer, for one photo.
        readouts: the values, on the upper layer.
        channels: the ones to ablate.
        instead: what stands in their place, (1, c, 1, 1), as `Baseline.of` gives it.

    Yields:
        Some of the channels, and what each value loses without each.

    Example:
        >>> from circuits import Baseline, load_network
        >>> network = load_network()
        >>> lower = torch.rand(1, network.layer("conv5").channels, 4, 4)
        >>> zero, values = Baseline.zero().of("conv5", lower), [Readout.of_unit(7), Readout.of_unit(8)]
        >>> found = ablated_one_by_one(network.segment("conv5", "conv6"), lower, values, [3, 5, 9], zero)
        >>> [(channels, lost.shape) for channels, lost in found]
        [([3, 5, 9], torch.Size([2, 3]))]
    """
    read = sorted({channel for readout in readouts for channel in readout.channels})
    places = [[read.index(channel) for channel in readout.channels] for readout in readouts]
    for some in torch.split(torch.tensor(channels, dtype=torch.int64), at_once(activation)):
        copies = activation.repeat(len(some) + 1, 1, 1, 1)
        copies[torch.arange(1, len(some) + 1), some] = instead[0, some]
        with torch.no_grad():
            found = segment(copies, read)
            values = torch.stack([each.of(found[:, place]) for each, place in zip(readouts, places, strict=True)])
        yield some.tolist(), values[:, :1] - values[:, 1:]


def ablated_together(
    segment: Segment, activation: Activation, readout: Readout, channels: Sequence[int], instead: PerChannel
) -> float:
    """What a value loses without some channels at once; arguments as for `ablated_one_by_one`, of one value."""
    copies = activation.repeat(2, 1, 1, 1)
    copies[1, list(channels)] = instead[0, list(channels)]
    with torch.no_grad():
        values = readout.through(segment, copies)
    return float(values[0] - values[1])


def changed(activation: Activation, instead: PerChannel) -> Sequence[int]:
    """The channels that ablation changes at all."""
    found: list[int] = (activation != instead)[0].flatten(1).any(1).nonzero().flatten().tolist()
    return found


def signed_parts(segment: Segment, activation: Activation, readout: Readout) -> tuple[Scores, Scores]:
    """What argues for a value and what against it within each channel: gradient × activation in two sums.

    P_j = Σ_hw max(0, a_j · ∂f/∂a_j) ,   N_j = Σ_hw min(0, a_j · ∂f/∂a_j) ,   P_j + N_j = S_j

    Returns:
        The positive parts and the negative parts, in units of f, (c,) each.
    """
    shares = activation * gradient_down(segment, activation, readout)
    return shares.clamp(min=0).sum((0, 2, 3)), shares.clamp(max=0).sum((0, 2, 3))
