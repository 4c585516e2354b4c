"""Where evidence is taken from: a photo, or a circuit that carries its photo as the network's crop; and its run."""

import threading
from collections.abc import Hashable, Mapping, Sequence
from weakref import WeakKeyDictionary

from cachetools import LRUCache
from PIL import Image

from circuits.attribution.baseline import Baseline
from circuits.errors import InputError, UnknownError
from circuits.groups.dictionary import Dictionary, checked
from circuits.image.encode import from_data_uri
from circuits.image.photo import Photo, PhotoSource, as_photo
from circuits.network.device import exact
from circuits.network.network import Network
from circuits.shapes import Activations
from circuits.tracing.circuit import Circuit
from circuits.tracing.run import ForwardCache

Source = Circuit | Photo | PhotoSource
"""What evidence is about: a circuit, which carries its photo, a photo, or what `load_photo` takes."""


def check_network(network: Network, circuit: Circuit, *, to: str) -> None:
    """Refuse another network than the one that a circuit was traced with; the sentence says what it is needed for."""
    if network.sha256 != circuit.network.sha256:
        known = circuit.network
        raise InputError(
            f"The circuit was traced with {known.name} ({known.sha256[:12]}), not with {network.name} "
            f"({network.sha256[:12]}); load that network to {to}."
        )


def input_crop(network: Network, source: Source) -> Image.Image:
    """What the network saw: its crop of the photo, as large as its input.

    Raises:
        InputError: if a circuit's file does not carry its photo, or carries one of another network's size.

    Example:
        >>> from circuits import load_network, load_photo
        >>> input_crop(load_network(), load_photo("example:cat")).size
        (64, 64)
    """
    if not isinstance(source, Circuit):
        return network.preprocessing.crop_of(as_photo(source))
    if source.collection is not None:
        raise InputError(
            f"The circuit explains {source.photo_info.name} together, so there is no single photo to compute more of; "
            "trace one of them, or look at it with `circuits class` and --html."
        )
    # A circuit carries the crop itself, whatever has become of the photo.
    thumbnail = source.photo_info.thumbnail
    if not thumbnail:
        raise InputError("The circuit's file does not carry its photo, so no more can be computed; trace it again.")
    crop = from_data_uri(thumbnail)
    height, width = network.preprocessing.size
    if crop.size != (width, height):
        size = f"{crop.width}×{crop.height}"
        raise InputError(f"The circuit's photo is {size} pixels; {network.name} sees {width}×{height}.")
    return crop


# Photo or crop -> the network, if it had to be cut at other layers, and the activations by layer. What names the
# network that it is kept under would keep it alive for ever.
_Recent = LRUCache[Hashable, tuple[Network | None, dict[str, Activations]]]
_recent: WeakKeyDictionary[Network, _Recent] = WeakKeyDictionary()
_lock = threading.Lock()


@exact()
def forward_cache(network: Network, source: Source) -> ForwardCache:
    """The photo's run through the network, cut at the circuit's layers if the source is a circuit.

    It is the one kept with the circuit, or among the last four photos of the network, or a new one. The activations are
    shared: nobody may change them.

    Raises:
        InputError: if a circuit is of another network, or its file does not carry its photo.
    """
    if isinstance(source, Circuit):
        check_network(network, source, to="expand it")
        if isinstance(source.cache, ForwardCache) and source.cache.network.sha256 == network.sha256:
            return source.cache
        key: Hashable = (source.photo_info.thumbnail, source.layers)
    else:
        source = as_photo(source)
        # An equal photo may hold other pixels, if it is what another network saw; kept, an image's id stays its own.
        key = (source.sha256, source.window) if source.whole else (source, id(source.pixels))
    with _lock:
        recent = _recent.setdefault(network, LRUCache(4))
        cut, activations = recent.get(key, (None, None))
    dictionaries = source.dictionaries if isinstance(source, Circuit) else {}
    baseline = source.baseline if isinstance(source, Circuit) else Baseline.zero()
    if activations is not None:
        found = ForwardCache(cut or network, activations).with_groups(_fitting(cut or network, dictionaries))
        return found.from_baseline(baseline)
    image = network.preprocessing.from_crop(input_crop(network, source))
    try:
        cut = network.with_layers(source.layers) if isinstance(source, Circuit) else network
    except UnknownError as error:
        raise InputError(f"The circuit's layers are not {network.name}'s: {error}") from error
    _fitting(cut, dictionaries)
    run = ForwardCache.of(cut, image)
    with _lock:
        recent[key] = (None if run.network is network else run.network, run.activations)
    return run.with_groups(dictionaries).from_baseline(baseline)


def _fitting(network: Network, dictionaries: Mapping[str, Dictionary]) -> Mapping[str, Dictionary]:
    """The dictionaries of a circuit's file, if they are of the network's layers."""
    try:
        return checked(network, dictionaries)
    except UnknownError as error:
        raise InputError(f"The circuit's groups are not {network.name}'s: {error}") from error


def activations_of(network: Network, source: Source, layers: Sequence[str]) -> tuple[Network, dict[str, Activations]]:
    """Activations of some layers for a photo; and the network, with the circuit's layers if the source is a circuit."""
    if isinstance(source, Circuit):
        run = forward_cache(network, source)
        return run.network, {name: run.activations[run.network.layer(name).name] for name in layers}
    return network, network.activations(network.preprocessing.input_of(as_photo(source)), layers)
