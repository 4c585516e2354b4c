"""Which channels below are linked to which units of a layer, found in the network's graph.

1. A layer's channels are followed down through operations that act on each channel alone, to what mixes them: a
   convolution or linear layer, whose links are a *matrix*, each row a unit and each column a channel that it reads.
2. A concatenation or an addition keeps channels: each part that is a layer's own gives one link a channel, and each
   part that is a convolution's output a matrix.
3. What a link reads is followed further down, through operations that hand the share of a channel on as it is (Euler:
   piecewise linear without a constant), to the layers whose channels these are.
4. Where a step on the way has several readers, or mixes channels otherwise (a product of matrices, two convolutions
   with no layer between them), there is no link: `UnlinkedLayer` says where, and a trace still answers there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.attribution.own_weights import weight_of
from circuits.network import operations as ops
from circuits.network.dataflow import value_inputs, value_users
from circuits.network.execute import image_node
from circuits.network.layers import Layer, all_names
from circuits.network.network import Network
from circuits.network.token_moves import TOKENS
from circuits.network.tokens import is_sum_of_tokens
from circuits.units import Unit

_OF_TOKENS = (
    "below lie rows of tokens, which attention, norms and skips reach, and links go through convolutions and linear "
    "layers alone; what units contribute to classes, and what they fire on, is there"
)


@dataclass(frozen=True)
class Piece:
    """Channels of what a link reads, from `start`, that are those of one layer from `first`; of no layer if `None`."""

    start: int
    width: int
    layer: str | None
    first: int = 0


@dataclass(frozen=True)
class Link:
    """The links from channels below to some units of a layer, a matrix (rows, columns).

    Args:
        upper: the layer of the units above.
        start: the first of them.
        rows: how many they are.
        columns: how many channels each row reads.
        groups: rows in so many groups read different channels; as many as rows where each reads one of its own.
        pieces: of which layers these channels are.
        node: what mixes or merges them, by its name in the graph.
        read: what that reads.
        positions: features of a flattened map to a channel.
        exact: whether everything from the layers below to the units is piecewise linear.
        weighed: whether it is a convolution or linear layer, and no merge.
    """

    upper: str
    start: int
    rows: int
    columns: int
    groups: int
    pieces: tuple[Piece, ...]
    node: str
    read: str
    positions: int = 1
    exact: bool = True
    weighed: bool = True

    def source(self, row: int, column: int) -> Unit | None:
        """The unit below that a place of the matrix stands for; `None` if it is none, such as a colour of the image.

        Example:
            >>> link = Link("conv2", 0, 4, 2, 2, (Piece(0, 4, "conv1"),), "conv", "relu")
            >>> link.source(0, 1), link.source(3, 1)
            (Unit(layer='conv1', channel=1, position=None), Unit(layer='conv1', channel=3, position=None))
        """
        channel = row // (self.rows // self.groups) * self.columns + column
        for piece in self.pieces:
            if piece.start <= channel < piece.start + piece.width:
                return None if piece.layer is None else Unit(piece.layer, piece.first + channel - piece.start)
        return None

    @property
    def lowers(self) -> tuple[str, ...]:
        """The layers below, each once."""
        return tuple(dict.fromkeys(piece.layer for piece in self.pieces if piece.layer is not None))

    def of_row(self, row: int) -> "Link":
        """One unit's links alone, where all units read the same channels."""
        return replace(self, start=self.start + row, rows=1)


@dataclass(frozen=True)
class UnlinkedLayer:
    """A layer of which some units have no links, and why in a few words."""

    layer: str
    why: str


def find_links(network: Network) -> tuple[tuple[Link, ...], tuple[UnlinkedLayer, ...]]:
    """The links of all layers of a network, from the image up, and the layers that have not all of theirs.

    What reads the colours of the image alone has no links, because they are no units.

    Example:
        >>> from circuits import load_network
        >>> links, unlinked = find_links(load_network())
        >>> [(link.upper, link.rows, link.columns, link.lowers) for link in links[:2]], unlinked
        ([('conv2', 64, 32, ('conv1',)), ('conv3', 128, 64, ('conv2',))], ())
    """
    links: list[Link] = []
    unlinked: list[UnlinkedLayer] = []
    finder = _Finder(network)
    for layer in network.layer_list:
        found = list(finder.links(layer))
        own = [each for each in found if isinstance(each, Link)]
        links += own if any(each.lowers for each in own) else []
        whys = dict.fromkeys(each for each in found if isinstance(each, str))
        unlinked += [UnlinkedLayer(layer.name, "; ".join(whys))] if whys else []
    return tuple(links), tuple(unlinked)


def with_linked_layers(network: Network) -> Network:
    """A network with the layers of `fine`, and those that are between two convolutions that no layer of it separates.

    Example:
        >>> from circuits import load_network
        >>> network = with_linked_layers(load_network("mobilenet_v2", weights="random"))
        >>> find_links(network)[1], "features.1" in network.layers
        ((), True)
    """
    network = network.with_layers("fine")
    names = all_names(network.traced)
    while True:
        finder = _Finder(network)
        for layer in network.layer_list:
            list(finder.links(layer))
        known = [layer.node for layer in network.layer_list]
        units = [node for node in finder.missing if not is_sum_of_tokens(network.traced, node, known)]
        missing = {names[node] for node in units if node in names} - set(network.layers)
        if not missing:
            return network
        network = network.with_layers([*network.layers, *sorted(missing)])


class _Finder:
    """Walks down from layers; see the file's head."""

    def __init__(self, network: Network) -> None:
        self.traced = network.traced
        self.names = {layer.node: layer.name for layer in network.layer_list}
        self.image = image_node(network.traced)
        self.missing: dict[fx.Node, None] = {}

    def links(self, layer: Layer) -> Iterator[Link | str]:
        """The links of a layer, and in a few words of each unit's way down that has none, why."""
        return self._below(layer.name, layer.node, 0, None, True)

    def _below(
        self, upper: str, node: fx.Node, start: int, reader: fx.Node | None, exact: bool
    ) -> Iterator[Link | str]:
        """The links of the units of a layer from `start`, which are the channels of a node that `reader` reads."""
        width = _width(node)
        if width is None:
            yield f"{node.name} has no channels of its own"
            return
        if reader is not None:
            found = self._pieces(node)
            if found and found[1] == 1 and all(piece.layer is not None for piece in found[0]):
                pieces = tuple(found[0])
                yield Link(upper, start, width, 1, width, pieces, reader.name, node.name, 1, exact, False)
                return
            if len(value_users(node)) > 1:
                yield f"{node.name} has several readers and is no layer"
                return
        exact = exact and ops.is_piecewise_linear(self.traced, node)
        weight = weight_of(self.traced, node)
        if weight is not None:
            yield self._matrix(upper, node, start, weight, exact)
        elif parts := ops.concatenated(self.traced, node):
            if len(set(parts)) < len(parts):  # a gradient is that of all places in which it stands
                yield f"{node.name} concatenates one tensor several times"
                return
            for part in parts:
                yield from self._below(upper, part, start, node, exact)
                start += _width(part) or 0
        elif inputs := self._kept(node):
            for read in inputs:
                yield from self._below(upper, read, start, node, exact)
        elif node.target in TOKENS:
            yield _OF_TOKENS
        elif node is not self.image:
            yield f"{node.name} is neither a convolution nor known to keep channels apart"

    def _matrix(self, upper: str, node: fx.Node, start: int, weight: Tensor, exact: bool) -> Link | str:
        read = node.all_input_nodes[0]
        found, is_colours = self._pieces(read), self._is_colours(read)
        if not is_colours:
            self.missing |= dict.fromkeys(self._ends(read))
        if found is None or (all(piece.layer is None for piece in found[0]) and not is_colours):
            if any(layer.target in TOKENS for layer in self.names):
                return _OF_TOKENS
            return f"no layer lies between {node.name} and what mixes channels below it"
        pieces, positions = found
        rows, columns, channels = len(weight), weight.shape[1] // positions, sum(piece.width for piece in pieces)
        return Link(
            upper, start, rows, columns, max(1, channels // columns), tuple(pieces), node.name, read.name, positions,
            exact,
        )  # fmt: skip

    def _ends(self, node: fx.Node) -> Iterator[fx.Node]:
        """The nodes that are no layers at which the way down from what a convolution reads ends."""
        if node in self.names:
            return
        if parts := ops.concatenated(self.traced, node):
            below: Sequence[fx.Node] = parts
        else:
            below = node.all_input_nodes if self._hands_on(node) else ()
        if not below and node is not self.image:
            yield node
        for read in below:
            yield from self._ends(read)

    def _is_colours(self, node: fx.Node) -> bool:
        """Whether a node is the image, or what is made of it alone before anything mixes it."""
        while node is not self.image:
            inputs = [read for read in value_inputs(node) if ops.is_variable(read)]
            if len(inputs) != 1 or ops.is_mixing(self.traced, node) or node in self.names:
                return False
            node = inputs[0]
        return True

    def _kept(self, node: fx.Node) -> list[fx.Node]:
        """The inputs of which a node keeps the channels apart, each where it stands; none if it mixes them."""
        inputs = [read for read in value_inputs(node) if ops.is_variable(read)]
        called = ops.operation(self.traced, node)
        is_elementwise = called.role in ("addition", "scaling", "batch norm") or _is_identity(called)
        if not (is_elementwise or ops.is_channelwise(self.traced, node)):
            return []
        same = [read for read in inputs if _width(read) == _width(node)]
        return same if len(same) == len(inputs) else []

    def _pieces(self, node: fx.Node) -> tuple[list[Piece], int] | None:
        """Of which layers a node's channels are, up to a scale of each, and its features to a channel."""
        width = _width(node)
        if width is None:
            return None
        if node in self.names:
            return [Piece(0, width, self.names[node])], 1
        if parts := ops.concatenated(self.traced, node):
            return self._joined(parts)
        if self._hands_on(node):
            [read] = node.all_input_nodes
            below, before, after = self._pieces(read), ops.shape(read), ops.shape(node)
            if below and before and _width(read) == width:
                return below
            if below and before and after and len(before) == 4 and after == (before[0], prod(before[1:])):
                return below[0], below[1] * before[2] * before[3]
        return [Piece(0, width, None)], 1

    def _hands_on(self, node: fx.Node) -> bool:
        """Whether a node hands the share of each channel of its one input on as it is."""
        called = ops.operation(self.traced, node)
        is_kept = called.role == "reshape" or ops.is_channelwise(self.traced, node)
        if len(node.all_input_nodes) != 1:
            return False
        return _pads_with_zeros(self.traced, node) or (is_kept and (called.homogeneous or _is_identity(called)))

    def _joined(self, parts: tuple[fx.Node, ...]) -> tuple[list[Piece], int] | None:
        pieces: list[Piece] = []
        start = 0
        for part in parts:
            found = self._pieces(part)
            if found is None or found[1] != 1:
                return None
            pieces += [replace(piece, start=start + piece.start) for piece in found[0]]
            start += _width(part) or 0
        return pieces, 1


def _pads_with_zeros(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node puts zeros around the maps of each channel."""
    if ops.kind(traced, node) is nn.ZeroPad2d:
        return True
    if node.target is not F.pad:
        return False
    given = dict(zip(("input", "pad", "mode", "value"), node.args, strict=False)) | node.kwargs
    return bool(given.get("mode", "constant") == "constant" and not given.get("value"))


def _is_identity(called: ops.Operation) -> bool:
    """Whether an operation changes no number, as a dropout that is switched off."""
    return called.linear and called.channelwise and called.role is None


def _width(node: fx.Node) -> int | None:
    """How many channels a node has, which must be its second dimension."""
    shape = ops.shape(node) or ()
    return shape[1] if len(shape) in (2, 4) and node.meta.get("channels_at") == 1 else None
