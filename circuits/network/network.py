"""A network ready to be explained: prepared module, labels, preprocessing, fingerprint and layers."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import Tensor, fx

from circuits.errors import InputError, UnknownError, did_you_mean, listed
from circuits.image.preprocessing import Preprocessing
from circuits.network import operations as ops
from circuits.network.activations import is_rectified
from circuits.network.device import device_of
from circuits.network.execute import SlicedEvaluation, execute, image_node, nodes_between
from circuits.network.head import Head
from circuits.network.labels import class_of
from circuits.network.layers import Layer, all_names, find_layers
from circuits.network.outputs import NetworkOutput
from circuits.network.rows import is_one_at_a_time
from circuits.network.segments import Segment
from circuits.shapes import Activations, Images
from circuits.units import Unit, as_unit


def fingerprint(traced: fx.GraphModule) -> str:
    """sha256 of a prepared network's graph, module settings, parameters and buffers; pictures are stored under it."""
    digest = hashlib.sha256()
    for node in traced.graph.nodes:
        called = repr(traced.get_submodule(str(node.target))) if node.op == "call_module" else ""
        target = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        digest.update(f"{node.op} {node.name} {target} {node.args} {node.kwargs} {called}\n".encode())
    for name, value in traced.state_dict().items():
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
        digest.update(memoryview(value.detach().cpu().contiguous().numpy()).cast("B") if value.numel() else b"")
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Network:
    """A prepared image classifier: eval mode, frozen, batch norm folded, nothing in place.

    Made by `load_network` or `prepare`.

    Args:
        name: what people call it.
        source: where its weights come from, such as `builtin` or `torchvision:IMAGENET1K_V1`.
        traced: the prepared graph.
        labels: one a class; none if the top layer's units are no classes, as those of a backbone are not.
        preprocessing: from a photo to what the network sees.
        sha256: fingerprint of its graph and parameters.
        layer_list: its layers, from the image up.
        multi_label: whether each class is judged on its own (sigmoid), so that several may hold, or none.
        output: which of its outputs is explained.
        head: what it does to its logits before it puts them out.

    Raises:
        InputError: if a layer has more rows than one for a photo.
    """

    name: str
    source: str
    traced: fx.GraphModule = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
    preprocessing: Preprocessing
    sha256: str
    layer_list: tuple[Layer, ...] = field(repr=False)
    multi_label: bool = False
    output: NetworkOutput = field(default_factory=NetworkOutput)
    head: Head = field(default_factory=Head, repr=False)
    _segments: dict[tuple[str | None, str], Segment] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse layers that would not be of one photo."""
        for layer in self.layer_list:
            rows = (ops.shape(layer.node) or (1,))[0]
            if rows != 1:
                raise InputError(
                    f"{self.name} makes {rows} rows of one photo at {layer.name}, as averaging over changed copies of "
                    "it does; explain the network inside, which sees a single one."
                )

    @property
    def device(self) -> torch.device:
        """Where its weights lie, and so its activations."""
        return device_of(self.traced)

    @property
    def is_one_at_a_time(self) -> bool:
        """Whether what it says of a photo would depend on others in the batch, so that it is run one at a time."""
        return is_one_at_a_time(self.traced)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, from the image up; the last is that of the logits, or what a backbone puts out."""
        return tuple(layer.name for layer in self.layer_list)

    @property
    def piecewise_linear(self) -> bool:
        """Whether attributions sum exactly in every layer above the lowest."""
        return all(layer.piecewise_linear for layer in self.layer_list[1:])

    def layer(self, name: str) -> Layer:
        """The layer of that name.

        Raises:
            UnknownError: if there is none; the sentence says which there are.
        """
        for layer in self.layer_list:
            if layer.name == name:
                return layer
        near = did_you_mean(name, self.layers)
        raise UnknownError(f"No layer {name!r} in {self.name}{near}; it has {listed(self.layers, limit=60)}.")

    def below(self, name: str) -> str | None:
        """The layer that a unit of this one is expanded into, the highest of several; `None` at the lowest."""
        below = self.layer(name).below
        return below[-1] if below else None

    def layers_below(self, name: str) -> tuple[str, ...]:
        """The layers that a unit of this one is expanded into, from the image up: the nearest on each path.

        One, where the layers form a chain; none for the lowest.

        Example:
            >>> from circuits import load_network
            >>> network = load_network("resnet18", weights="random").with_layers("fine")
            >>> network.layers_below("add_1")  # what came over the skip, what the block added
            ('layer1.0', 'layer1.1.conv2')
        """
        return self.layer(name).below

    @property
    def branched(self) -> bool:
        """Whether the layers do not form a chain."""
        return any(len(layer.below) + layer.is_open != 1 for layer in self.layer_list) or any(
            upper.below != (lower.name,) for lower, upper in pairwise(self.layer_list)
        )

    def with_layers(self, choice: str | Sequence[str]) -> "Network":
        """The same network with another choice of layers: `auto`, `fine` or names.

        Raises:
            UnknownError: if a name is not a layer.
        """
        if not isinstance(choice, str) and tuple(choice) == self.layers:
            return self
        return replace(self, layer_list=find_layers(self.traced, choice), _segments={})

    def check_unit(self, unit: Unit) -> Layer:
        """The layer of a unit.

        Raises:
            UnknownError: if the layer, the channel or the position does not exist.
        """
        layer = self.layer(unit.layer)
        if unit.channel >= layer.channels:
            raise UnknownError(f"No unit {unit} in {self.name}; {unit.layer} has {layer.channels} channels, from 0.")
        if unit.position is not None and not (unit.position[0] < layer.height and unit.position[1] < layer.width):
            size = f"{layer.height} rows and {layer.width} columns"
            raise UnknownError(f"No neuron {unit} in {self.name}; {unit.layer} has {size}, from 0.")
        return layer

    def units(self, given: Unit | str | Iterable[Unit | str]) -> list[Unit]:
        """The units that are named: one or several, by themselves or by address, or a layer for all of its channels.

        Raises:
            InputError: if a text is no address of a unit.
            UnknownError: if a unit does not exist.
        """
        named: list[Unit] = []
        for each in [given] if isinstance(given, Unit | str) else given:
            if isinstance(each, str) and each in self.layers:
                named += [Unit(each, channel) for channel in range(self.layer(each).channels)]
            else:
                named.append(as_unit(each))
                self.check_unit(named[-1])
        return named

    def segment(self, lower: str | None, upper: str) -> Segment:
        """The function from one layer (`None`: the image) to a higher one.

        Raises:
            UnknownError: if a layer does not exist.
            InputError: if `upper` does not lie above `lower`, or can be reached from the image past it.
        """
        key = (lower, upper)
        if key not in self._segments:
            top = self.layer(upper).node
            image = image_node(self.traced)
            bottom = image if lower is None else self.layer(lower).node
            if lower is not None and self.layers.index(lower) >= self.layers.index(upper):
                raise InputError(f"{upper} does not lie above {lower} in {self.name}; a segment goes up.")
            steps = nodes_between(bottom, top)
            if image in steps:
                raise InputError(
                    f"What reaches {upper} in {self.name} does not all pass {lower}, so no function of {lower} alone "
                    "lies between them; choose a layer that everything passes."
                )
            linear = all(ops.is_piecewise_linear(self.traced, node) for node in steps)
            self._segments[key] = Segment(self.traced, bottom, top, linear)
        return self._segments[key]

    def activations(self, images: Images, layers: Sequence[str] | None = None) -> dict[str, Activations]:
        """Activations of some layers (all, if `None`) in one forward pass, without gradients.

        Args:
            images: preprocessed, (N, c, h, w).
            layers: their names.

        Returns:
            name to (N, C, H, W); a fully connected layer has H = W = 1.

        Raises:
            UnknownError: if a layer does not exist.
        """
        nodes = {name: self.layer(name).node for name in (self.layers if layers is None else layers)}
        images = images.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            values = execute(self.traced, {image_node(self.traced): images}, list(nodes.values()))
        return {name: ops.as_maps(values[node]) for name, node in nodes.items()}

    def read(
        self,
        images: Images,
        requests: Sequence[tuple[str, Sequence[int] | None, bool]],
        *,
        rectifier: ops.Rectifier | None = None,
    ) -> tuple[Activations, ...]:
        """Some channels of some layers in one forward pass, differentiable in the images.

        Args:
            images: preprocessed, (N, c, h, w).
            requests: of each the layer, the channels in the wanted order (all of them, if `None`), and whether the
                layer is taken rectified, or as its pre-activation.
            rectifier: run in place of rectifiers that are zero below zero: the same values with another gradient.

        Returns:
            (N, C, H, W) for each request, in order.

        Raises:
            UnknownError: if a layer or a channel does not exist.
        """
        nodes = []
        for name, channels, rectified in requests:
            for channel in channels or ():
                self.check_unit(Unit(name, channel))
            nodes.append((self.layer(name).node, None if channels is None else tuple(channels), rectified))
        evaluation = SlicedEvaluation(self.traced, {image_node(self.traced): images.to(self.device)}, rectifier)
        evaluation.prepare(nodes)
        return tuple(ops.as_maps(evaluation.value(*request)) for request in nodes)

    def logits(self, images: Images) -> Tensor:
        """Logits of preprocessed images, (N, classes); of a backbone the sums of its top layer's units."""
        return self.activations(images, [self.layers[-1]])[self.layers[-1]].sum((2, 3))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of logits, (..., classes): what the network itself makes of them (`head`).

        That is mostly their softmax, or the sigmoid of each if the network is multi-label.
        """
        if self.multi_label == self.head.is_sigmoid:
            return self.head.probabilities(logits)
        return logits.sigmoid() if self.multi_label else logits.softmax(-1)

    def can_be_dead(self, unit: Unit) -> bool:
        """Whether a unit that nothing drives above zero is dead: one of a rectified layer is, a logit is not."""
        for layer in self.layer_list:
            if layer.name == unit.layer:
                return layer.is_rectified
        names = all_names(self.traced)
        return any(is_rectified(self.traced, node) for node, name in names.items() if name == unit.layer)

    def label(self, channel: int) -> str:
        """Label of a class; of a unit of the top layer its address, if that holds no classes."""
        return self.labels[channel] if self.labels else str(Unit(self.layers[-1], channel))

    def unit_label(self, unit: Unit) -> str:
        """What to call a unit: a class by its label, any other by its address."""
        return self.label(unit.channel) if self.labels and unit.layer == self.layers[-1] else str(unit)

    def find_class(self, wanted: str | int) -> int:
        """Number of a class given by its label or number: exact, then a synonym, then a unique beginning.

        A text that is both a label and a number is the label: of digits "0", "1", "10", … the text "2" is the class
        that is called 2, while the number 2 is the third class. Case is ignored. A label may list synonyms separated
        by commas, as ImageNet's do.

        Raises:
            UnknownError: if no class, or more than one, is meant; the sentence lists those that match.
        """
        return class_of(wanted, self.labels, self.name, self.layers[-1])
