"""Heat maps: the activation of a unit at every position of its layer."""

from circuits.circuit import Circuit
from circuits.evidence.sources import activations_seen
from circuits.images import Photo
from circuits.networks import Network
from circuits.shapes import HeatMap
from circuits.units import Unit, as_unit


def heat_map(network: Network, source: Circuit | Photo, unit: Unit | str) -> HeatMap:
    """Where a unit fired in a photo.

    Args:
        network: the network.
        source: a photo, or a circuit that carries its photo.
        unit: the unit; a position is ignored.

    Returns:
        Activation at each position of the layer, in the layer's own units, (H, W).

    Raises:
        UnknownError: if the network has no such unit.

    Example:
        >>> from circuits import load_network, load_photo
        >>> heat_map(load_network(), load_photo("example:cat"), "conv1:3").shape
        (64, 64)
    """
    unit = as_unit(unit)
    seen_by, activations = activations_seen(network, source, [unit.layer])
    seen_by.check_unit(unit)
    return activations[unit.layer][0, unit.channel].numpy().copy()
