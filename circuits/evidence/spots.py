"""What fires at a spot: the units of a layer that are strongest where a person points.

1. A position looks at the middle of its receptive field, also where padding lets the field reach out of the image:
   offset + stride · i + size / 2 pixels. Where no rule gives that, as in layers each of whose positions sees all of the
   image, the positions share the image out evenly, (i + ½) / n of its side.
2. The spot's position is the one that looks nearest to it.
3. Units are compared by their activation there, and each with the sum of all that is positive there.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuits.circuit import Circuit
from circuits.errors import InputError
from circuits.evidence.fields import Field, receptive_field
from circuits.evidence.sources import run_seen
from circuits.images import Photo
from circuits.networks import Network
from circuits.units import Unit

Spot = tuple[int | float, int | float]


@dataclass(frozen=True)
class Firing:
    """A unit at a spot.

    Args:
        unit: with the position that looks at the spot.
        value: its activation there.
        share: of the sum of all positive activations of the layer there, 0 to 1; 0 where none is positive.
        peak_here: whether the unit is nowhere higher in the photo; a unit that is the same everywhere has no peak.
    """

    unit: Unit
    value: float
    share: float
    peak_here: bool


def position_at(network: Network, layer: str, place: Spot) -> tuple[int, int]:
    """The position (row, column) of a layer that looks nearest to a spot of what the network sees.

    Args:
        network: the network.
        layer: name of the layer.
        place: (x, y) in shares of the crop's width and height, 0 to 1 from left and top.

    Raises:
        UnknownError: if the network has no such layer.
        InputError: if the spot lies outside of the crop.

    Example:
        >>> from circuits import load_network
        >>> position_at(load_network(), "conv1", (0.5, 0.25))
        (15, 31)
    """
    if len(place) != 2 or not all(0 <= share <= 1 for share in place):
        raise InputError(f"The spot {place} is not in the photo; give x and y as shares of its sides, 0 to 1.")
    network.layer(layer)
    rows, columns = _looking_at(receptive_field(network, layer))
    return int(np.abs(rows - place[1]).argmin()), int(np.abs(columns - place[0]).argmin())


def firing_at(
    network: Network, source: Circuit | Photo, layer: str, place: Spot, *, count: int | None = None
) -> tuple[Firing, ...]:
    """What fires here: the units of a layer at one spot of a photo, highest activation first, ties by channel.

    Args:
        network: the network.
        source: a photo, or a circuit that carries its photo.
        layer: name of the layer; of one without positions the spot does not matter, and the position is (0, 0).
        place: (x, y) in shares of the crop's width and height, 0 to 1 from left and top.
        count: how many units at most; all, if `None`.

    Raises:
        UnknownError: if the network, or the circuit, has no such layer.
        InputError: if the spot lies outside of the crop, or the count is less than 1.

    Example:
        >>> from circuits import load_network, load_photo
        >>> strongest, second = firing_at(load_network(), load_photo("example:cat"), "conv2", (0.5, 0.5), count=2)
        >>> strongest.value >= second.value
        True
    """
    if count is not None and count < 1:
        raise InputError(f"count is {count}; it must be at least 1.")
    run = run_seen(network, source)
    position = position_at(run.network, layer, place)
    maps = run.activations[layer][0]
    values = maps[:, position[0], position[1]]
    highest, lowest = maps.amax((1, 2)), maps.amin((1, 2))
    peaks = (values == highest) & ((highest > lowest) | (maps[0].numel() == 1))
    positive = values.double().clamp(min=0)
    shares = positive / positive.sum().clamp_min(np.finfo(np.float64).tiny)
    order = values.argsort(descending=True, stable=True)[:count].tolist()
    return tuple(
        Firing(Unit(layer, channel, position), float(values[channel]), float(shares[channel]), bool(peaks[channel]))
        for channel in order
    )


def _looking_at(field: Field) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, " columns"]]:
    """Where each row and each column looks, in shares of the image's height and width."""
    rows, columns = field.boxes.shape[:2]
    if field.size is None or field.stride is None or field.offset is None:
        return (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    along = zip(field.offset, field.stride, field.size, (rows, columns), field.image, strict=True)
    down, right = ((start + step * np.arange(n) + size / 2) / side for start, step, size, n, side in along)
    return down, right
