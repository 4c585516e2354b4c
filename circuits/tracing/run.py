"""Where evidence is taken from: a photo, or a circuit that carries its photo as the network's crop."""

import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from cachetools import LRUCache
from PIL import Image

from circuits.attribution.gradient import Readout, gradient_down
from circuits.errors import InputError, UnknownError
from circuits.image.encode import from_data_uri
from circuits.image.photo import Photo, PhotoSource, as_photo
from circuits.network.branches import concatenate_padded
from circuits.network.execute import execute, image_node
from circuits.network.network import Network
from circuits.network.operations import as_maps
from circuits.network.segments import Segment
from circuits.network.subgraphs import subgraph_below
from circuits.shapes import Activation, Activations, Images, Maps, Scores
from circuits.tracing.circuit import Circuit
from circuits.tracing.targets import Target, readout_of
from circuits.units import Unit

Source = Circuit | Photo | PhotoSource
"""What evidence is about: a circuit, which carries its photo, a photo, or what `load_photo` takes."""

IMAGE = ""
"""Key of the photo among a run's activations; no layer is called so."""


@dataclass(frozen=True, eq=False)
class LayersBelow:
    """What lies below the units of a layer: the nearest layers below it, and how it is computed from them.

    Args:
        piece: from the lower layers to the upper one.
        activation: of the lower layers, and of the image if it is reached past them, packed, (1, c, h, w).
        widths: number of channels of each lower layer, in the order of the channels.
    """

    piece: Segment
    activation: Activation
    widths: dict[str, int]

    def start(self, layer: str) -> int:
        """The first of a layer's channels."""
        names = list(self.widths)
        return sum(self.widths[name] for name in names[: names.index(layer)])

    def unit(self, channel: int) -> Unit:
        """The unit that a channel belongs to."""
        for layer, width in self.widths.items():
            if channel < width:
                return Unit(layer, channel)
            channel -= width
        raise IndexError(channel)

    @property
    def units(self) -> int:
        """Number of units; the image's colours, which come after them, are none."""
        return sum(self.widths.values())


@dataclass(eq=False)
class ForwardCache:
    """One photo's way through a network: the activation of each layer, and each target's gradient by layer.

    Where the layers form no chain, the photo itself is kept too, under `IMAGE`.
    """

    network: Network
    activations: dict[str, Activation]
    gradients: dict[tuple[str, str], Activation] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Network, image: Images) -> "ForwardCache":
        """The way of a preprocessed photo, (1, c, h, w)."""
        activations = network.activations(image)
        return cls(network, {**activations, IMAGE: image} if network.branched else activations)

    def below(self, layer: str) -> LayersBelow:
        """What lies below the units of a layer; refused if that is nothing but the image."""
        piece, upper = subgraph_below(self.network, layer), self.network.layer(layer)
        parts = [self.activations[name] for name in upper.below]
        widths = {name: part.shape[1] for name, part in zip(upper.below, parts, strict=True)}
        return LayersBelow(
            piece, concatenate_padded([*parts, self.activations[IMAGE]] if upper.is_open else parts), widths
        )

    def gradient(self, target: Target, layer: str) -> Activation:
        """∂T/∂a of the target's layer or one below it, (1, C, H, W), along all paths; zero if none leads there."""
        key = (target.id, layer)
        if layer == target.unit.layer:
            gradient, readout = torch.zeros_like(self.activations[layer]), target.readout(self.network)
            gradient[0, list(readout.channels)] = 1.0 if readout.weights is None else readout.weights.to(gradient)
            return gradient
        if key not in self.gradients:
            if self.network.branched:
                self.gradients |= {(target.id, name): gradient for name, gradient in self._gradients(target).items()}
                return self.gradients[key]
            above = self.network.layers[self.network.layers.index(layer) + 1]
            upper = target.readout(self.network) if above == target.unit.layer else self.gradient(target, above)
            self.gradients[key] = gradient_down(self.network.segment(layer, above), self.activations[layer], upper)
        return self.gradients[key]

    def attribution_maps(self, target: Target, layer: str, *, dtype: torch.dtype | None = None) -> Maps:
        """a_j · ∂T/∂a_j of each channel of the target's layer or one below it, along all paths, (C, H, W)."""
        activation = self.activations[layer] if dtype is None else self.activations[layer].to(dtype)
        return (activation * self.gradient(target, layer))[0]

    def attributions(self, target: Target, layer: str, *, dtype: torch.dtype | None = None) -> Scores:
        """What each channel contributes to the target along all paths, A_j = Σ_hw a_j · ∂T/∂a_j, (C,)."""
        return self.attribution_maps(target, layer, dtype=dtype).sum((1, 2))

    def _gradients(self, target: Target) -> dict[str, Activation]:
        """∂T/∂a of every layer, by one pass down the whole network; zero where no path leads to the target."""
        traced, nodes = self.network.traced, [layer.node for layer in self.network.layer_list]
        image = self.activations[IMAGE].detach().requires_grad_()
        with torch.enable_grad():
            values = execute(traced, {image_node(traced): image}, nodes)
            upper = as_maps(values[self.network.layer(target.unit.layer).node])
            value = target.readout(self.network).value(upper).sum()
            points = [values[node] for node in nodes]
            gradients = torch.autograd.grad(value, points, allow_unused=True, materialize_grads=True)
        return dict(zip(self.network.layers, map(as_maps, gradients), strict=True))

    def readout(self, target: Target, unit: Unit, mode: str, *, is_root: bool) -> Readout:
        """The value of a unit that its edges share out; in mode `target` what it contributes to the target."""
        if is_root:
            return target.readout(self.network)
        if mode == "target":
            weights = self.gradient(target, unit.layer)[0, unit.channel]
            return Readout((unit.channel,), weights[None])
        return readout_of(self.network, unit)


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


@torch.inference_mode(False)  # gradients are needed, whoever calls
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
    if activations is not None:
        return ForwardCache(cut or network, activations)
    image = network.preprocessing.from_crop(input_crop(network, source))
    try:
        cut = network.with_layers(source.layers) if isinstance(source, Circuit) else network
    except UnknownError as error:
        raise InputError(f"The circuit's layers are not {network.name}'s: {error}") from error
    run = ForwardCache.of(cut, image)
    with _lock:
        recent[key] = (None if run.network is network else run.network, run.activations)
    return run


def activations_of(network: Network, source: Source, layers: Sequence[str]) -> tuple[Network, dict[str, Activations]]:
    """Activations of some layers for a photo; and the network, with the circuit's layers if the source is a circuit."""
    if isinstance(source, Circuit):
        run = forward_cache(network, source)
        return run.network, {name: run.activations[run.network.layer(name).name] for name in layers}
    return network, network.activations(network.preprocessing.input_of(as_photo(source)), layers)
