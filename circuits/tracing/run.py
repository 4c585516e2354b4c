"""Where evidence is taken from: a photo, or a circuit that carries its photo as the network's crop."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from PIL import Image

from circuits.attribution.gradient import Readout, gradient_down
from circuits.errors import InputError, UnknownError
from circuits.image.encode import from_data_uri
from circuits.image.photo import Photo
from circuits.network.branches import concatenate_padded
from circuits.network.execute import execute, image_node
from circuits.network.network import Network
from circuits.network.operations import as_maps
from circuits.network.segments import Segment
from circuits.network.subgraphs import subgraph_below
from circuits.shapes import Activation, Activations, Images
from circuits.tracing.circuit import Circuit
from circuits.tracing.targets import Target, readout_of
from circuits.units import Unit

IMAGE = ""
"""Key of the photo among a run's activations; no layer is called so."""


@dataclass(frozen=True, eq=False)
class Lower:
    """What lies below the units of a layer: the nearest layers below it, and how it is computed from them.

    Args:
        piece: from the lower layers to the upper one.
        activation: of the lower layers, and of the image if it is reached past them, packed, (1, c, h, w).
        widths: number of channels of each lower layer, by its name, in the order of the channels.
    """

    piece: Segment
    activation: Activation
    widths: dict[str, int]

    def start(self, layer: str) -> int:
        """The first channel of a lower layer."""
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
class Run:
    """One photo's way through a network: the activation of each layer, and each target's gradient by layer.

    Where the layers form no chain, the photo itself is kept too, under `IMAGE`.
    """

    network: Network
    activations: dict[str, Activation]
    gradients: dict[tuple[str, str], Activation] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Network, image: Images) -> "Run":
        """The way of a preprocessed photo, (1, c, h, w)."""
        activations = network.activations(image)
        return cls(network, {**activations, IMAGE: image} if network.branched else activations)

    def below(self, layer: str) -> Lower:
        """What lies below the units of a layer.

        Raises:
            InputError: if there is nothing but the image.
        """
        piece, found = subgraph_below(self.network, layer), self.network.layer(layer)
        parts = [self.activations[name] for name in found.below]
        widths = {name: part.shape[1] for name, part in zip(found.below, parts, strict=True)}
        return Lower(piece, concatenate_padded([*parts, self.activations[IMAGE]] if found.is_open else parts), widths)

    def gradient(self, target: Target, layer: str) -> Activation:
        """∂T/∂a of a layer below the target's, (1, C, H, W), along all paths; zero if none leads to the target."""
        key = (target.id, layer)
        if key not in self.gradients:
            if self.network.branched:
                self.gradients.update({(target.id, name): found for name, found in self._gradients(target).items()})
                return self.gradients[key]
            layers = self.network.layers
            above = layers[layers.index(layer) + 1]
            at_target = above == target.unit.layer
            upper = target.readout(self.network) if at_target else self.gradient(target, above)
            self.gradients[key] = gradient_down(self.network.segment(layer, above), self.activations[layer], upper)
        return self.gradients[key]

    def _gradients(self, target: Target) -> dict[str, Activation]:
        """∂T/∂a of every layer, by one pass down the whole network; zero where no path leads to the target."""
        traced, layers = self.network.traced, self.network.layer_list
        image = self.activations[IMAGE].detach().requires_grad_()
        with torch.enable_grad():
            values = execute(traced, {image_node(traced): image}, [layer.node for layer in layers])
            value = (
                target.readout(self.network).value(as_maps(values[self.network.layer(target.unit.layer).node])).sum()
            )
            points = [values[layer.node] for layer in layers]
            found = torch.autograd.grad(value, points, allow_unused=True, materialize_grads=True)
        return {layer.name: as_maps(gradient) for layer, gradient in zip(layers, found, strict=True)}

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
    if network.sha256 != circuit.network["sha256"]:
        known = circuit.network
        raise InputError(
            f"The circuit was traced with {known['name']} ({known['sha256'][:12]}), not with {network.name} "
            f"({network.sha256[:12]}); load that network to {to}."
        )


def run_of_circuit(network: Network, circuit: Circuit) -> Run:
    """The photo's run through the network: the one kept with the circuit, or a new one from the photo it carries."""
    check_network(network, circuit, to="expand it")
    cached = circuit.cache
    if isinstance(cached, Run) and cached.network.sha256 == network.sha256:
        return cached
    thumbnail = circuit.graph.graph["photo"].get("thumbnail")
    if thumbnail is None:
        raise InputError("The circuit's file does not carry its photo, so no more can be computed; trace it again.")
    try:
        network = network.with_layers(circuit.layers)
    except UnknownError as error:
        raise InputError(f"The circuit's layers are not {network.name}'s: {error}") from error
    return Run.of(network, network.preprocessing.from_crop(from_data_uri(thumbnail)))


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
