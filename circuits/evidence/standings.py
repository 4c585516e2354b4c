"""Where a unit stands in its layer: how its peak compares with those of all other channels in one photo."""

from dataclasses import dataclass

import numpy as np

from circuits.circuit import Circuit
from circuits.errors import InputError
from circuits.evidence.sources import run_seen
from circuits.images import Photo
from circuits.networks import Network
from circuits.units import Unit, as_unit


@dataclass(frozen=True)
class Standing:
    """A unit among the channels of its layer in one photo; a channel's peak is its highest activation.

    Args:
        unit: the unit.
        peak: its peak.
        rank: 1 for the channel with the highest peak; one more than the number of channels whose peak is higher.
        channels: of the layer.
        silent: how many of them are nowhere positive.
        counts: how many channels have their peak in each of the bins.
        edges: of the bins, one more than there are; a bin holds its lower edge, the last one both.
    """

    unit: Unit
    peak: float
    rank: int
    channels: int
    silent: int
    counts: tuple[int, ...]
    edges: tuple[float, ...]


def standing(network: Network, source: Circuit | Photo, unit: Unit | str, *, bins: int = 24) -> Standing:
    """Where a unit's peak stands among those of all channels of its layer, in one photo.

    Args:
        network: the network.
        source: a photo, or a circuit that carries its photo.
        unit: the unit; a position is ignored.
        bins: how many, of equal width, the range of the peaks is cut into.

    Raises:
        UnknownError: if the network has no such unit.
        InputError: if bins is less than 1.

    Example:
        >>> from circuits import load_network, load_photo
        >>> found = standing(load_network(), load_photo("example:cat"), "conv1:3")
        >>> sum(found.counts) == found.channels, len(found.edges)
        (True, 25)
    """
    if bins < 1:
        raise InputError(f"bins is {bins}; it must be at least 1.")
    unit = as_unit(unit)
    run = run_seen(network, source)
    run.network.check_unit(unit)
    peaks = run.activations[unit.layer][0].amax((1, 2)).double().numpy()
    counts, edges = np.histogram(peaks, bins)
    own = float(peaks[unit.channel])
    return Standing(
        unit,
        own,
        1 + int((peaks > own).sum()),
        len(peaks),
        int((peaks <= 0).sum()),
        tuple(counts.tolist()),
        tuple(edges.tolist()),
    )
