"""Heat maps: the activation of a unit at every position of its layer."""

from circuits.circuit import Circuit
from circuits.growth import run_of_circuit
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
    if isinstance(source, Circuit):
        run = run_of_circuit(network, source)
        run.network.check_unit(unit)
        activation = run.activations[unit.layer]
    else:
        network.check_unit(unit)
        seen = network.preprocessing.to_tensor(source.image)
        activation = network.activations(seen, [unit.layer])[unit.layer]
    return activation[0, unit.channel].numpy().copy()
