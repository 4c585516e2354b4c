"""Where evidence is taken from: a photo, or a circuit that carries its photo as the network's crop."""

from collections.abc import Sequence

from PIL import Image

from circuits.circuit import Circuit
from circuits.errors import InputError
from circuits.growth import run_of_circuit
from circuits.images import Photo, from_data_uri
from circuits.networks import Network
from circuits.shapes import Activations


def crop_seen(network: Network, source: Circuit | Photo) -> Image.Image:
    """What the network saw: its crop of the photo, as large as its input.

    Raises:
        InputError: if a circuit's file does not carry its photo, or carries one of another network's size.

    Example:
        >>> from circuits import load_network, load_photo
        >>> crop_seen(load_network(), load_photo("example:cat")).size
        (64, 64)
    """
    if isinstance(source, Photo):
        return network.preprocessing.crop(source.image)
    # A circuit that was read from a file has the crop for its photo, which is not to be cropped again.
    thumbnail = source.graph.graph["photo"].get("thumbnail")
    if thumbnail is None:
        raise InputError("The circuit's file does not carry its photo, so that none can be shown; trace it again.")
    crop = from_data_uri(thumbnail)
    height, width = network.preprocessing.size
    if crop.size != (width, height):
        size = f"{crop.width}×{crop.height}"
        raise InputError(f"The circuit's photo is {size} pixels; {network.name} sees {width}×{height}.")
    return crop


def activations_seen(
    network: Network, source: Circuit | Photo, layers: Sequence[str]
) -> tuple[Network, dict[str, Activations]]:
    """Activations of some layers for a photo; and the network, with the circuit's layers if the source is a circuit.

    Raises:
        UnknownError: if the network, or the circuit, has no such layer.
    """
    if isinstance(source, Circuit):
        run = run_of_circuit(network, source)
        return run.network, {name: run.activations[run.network.layer(name).name] for name in layers}
    return network, network.activations(network.preprocessing.to_tensor(source.image), layers)
