"""Where evidence is taken from: a photo, or a circuit that carries its photo as the network's crop."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from weakref import WeakKeyDictionary

from PIL import Image

from circuits.circuit import Circuit
from circuits.errors import InputError
from circuits.growth import Run, run_of_circuit
from circuits.images import Photo, from_data_uri
from circuits.networks import Network
from circuits.shapes import Activations

_MOST_RUNS = 4
# Photo or crop -> what is to be kept with it, the network if it had to be cut at other layers, activations by layer.
_Runs = OrderedDict[Hashable, tuple[Photo | None, Network | None, dict[str, Activations]]]
_runs: WeakKeyDictionary[Network, _Runs] = WeakKeyDictionary()
_lock = threading.Lock()


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
        return network.preprocessing.crop_of(source)
    # A circuit carries the crop itself, whatever has become of the photo.
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
    return network, network.activations(network.preprocessing.input_of(source), layers)


def run_seen(network: Network, source: Circuit | Photo) -> Run:
    """The photo's way through all layers; for several questions about one photo it is found once.

    The last four photos of each network are kept. The activations are shared: nobody may change them.

    Raises:
        InputError: if a circuit is of another network, or its file does not carry its photo.
    """
    if isinstance(source, Circuit):
        if isinstance(source.cache, Run) or "thumbnail" not in source.graph.graph["photo"]:
            return run_of_circuit(network, source)
        key: Hashable = (source.graph.graph["photo"]["thumbnail"], source.layers, source.network["sha256"])
    else:
        # An equal photo may hold other pixels, if it is what another network saw; kept, an image's id stays its own.
        key = (source, id(source.image))
    with _lock:
        kept = _runs.setdefault(network, OrderedDict())
        if key in kept:
            kept.move_to_end(key)
            _, cut, activations = kept[key]
            return Run(cut or network, activations)
    if isinstance(source, Circuit):
        run = run_of_circuit(network, source)
    else:
        run = Run.of(network, network.preprocessing.input_of(source))
    with _lock:
        # A run that names the network it is kept under would keep it alive for ever.
        kept[key] = (
            source if isinstance(source, Photo) else None,
            None if run.network is network else run.network,
            run.activations,
        )
        while len(kept) > _MOST_RUNS:
            kept.popitem(last=False)
    return run
