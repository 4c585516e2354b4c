"""Receptive fields: the pixels of the network's input that a position of a layer can depend on.

They are found by running the network on the numbers of its pixels.

1. Every operation of the graph gives the largest number among the inputs that each value of its output can depend on: a
   convolution the largest in its window, an addition the larger side, a mean the largest; a reshape moves values.
   Weights do not matter, and padding is nothing (-∞).
2. Run on an image whose pixels hold the numbers of their rows, this gives the lowest row that each value depends on;
   with the numbers negated, the highest; and the same for columns.

Exact for the operations of `receptive_field_ops`: stride, padding of every kind, dilation, groups, ceil_mode, uneven
bins, interpolation, branches, concatenations, shuffles, slices, and multiplication by what was pooled from everywhere.
Any other operation is taken to depend on the whole image.
"""

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from circuits.errors import UnknownError
from circuits.network import operations as ops
from circuits.network.network import Network
from circuits.network.receptive_field_ops import largest_reaching
from circuits.units import Unit

Boxes = Int[np.ndarray, "rows columns 4"]
NEARLY_WHOLE = 0.9
"""Share of the image from which on a field tells nothing of a place."""
_AROUND = 3
"""Rows and columns of positions in a neighbourhood."""


@dataclass(frozen=True, order=True)
class Box:
    """A rectangle of pixels of the network's input; `bottom` and `right` are after the last row and column.

    Example:
        >>> Box(0, 0, 2, 4).overlap(Box(0, 2, 2, 6))
        0.3333333333333333
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """In pixels; 0 for a position that depends on no pixel."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def area(self) -> int:
        return self.height * self.width

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """(left, top, right, bottom), as Pillow crops."""
        return self.left, self.top, self.right, self.bottom

    def overlap(self, other: "Box") -> float:
        """Intersection over union, 0 to 1."""
        rows = min(self.bottom, other.bottom) - max(self.top, other.top)
        columns = min(self.right, other.right) - max(self.left, other.left)
        both = max(0, rows) * max(0, columns)
        return both / (self.area + other.area - both) if both else 0.0


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """The receptive field of every position of a layer.

    Attributes:
        boxes: (top, left, bottom, right) of each position, in pixels of the input, (H, W, 4).
        image: (height, width) of the input, in pixels.
    """

    boxes: Boxes
    image: tuple[int, int]

    def box(self, position: tuple[int, int]) -> Box:
        """The smallest box around the pixels that a position (row, column) can depend on.

        Raises:
            UnknownError: if the layer has no such position.
        """
        rows, columns = self.boxes.shape[:2]
        if not (0 <= position[0] < rows and 0 <= position[1] < columns):
            raise UnknownError(f"No position {position}; the layer has {rows} rows and {columns} columns, from 0.")
        top, left, bottom, right = (int(side) for side in self.boxes[position])
        return Box(top, left, bottom, right)

    @property
    def middle(self) -> tuple[int, int]:
        """The central position, which pictures of a neuron are drawn for."""
        return self.boxes.shape[0] // 2, self.boxes.shape[1] // 2

    @property
    def whole(self) -> bool:
        """Whether all positions depend on the same pixels, as after a mean over all positions."""
        return bool((self.boxes == self.boxes[0, 0]).all())

    @cached_property
    def for_patches(self) -> "ReceptiveField":
        """What patches of a photo are cut to: these fields or, where they tell no places apart, the neighbourhoods.

        Where the middle position can depend on nearly the whole image, as a transformer's tokens and the late units of
        a deep network do, every patch would be the photo. There it is the share of the image that belongs to a position
        and its eight neighbours, nine of h × w equal ones. Layers of less than 6 × 6 positions are left as they are.
        """
        rows, columns = self.boxes.shape[:2]
        is_nearly_whole = self.box(self.middle).area >= NEARLY_WHOLE * self.image[0] * self.image[1]
        if min(rows, columns) < 2 * _AROUND or not is_nearly_whole:
            return self
        (tops, bottoms), (lefts, rights) = (
            np.round((np.clip(np.arange(n) - _AROUND // 2, 0, n - _AROUND) + np.array([[0], [_AROUND]])) * side / n)
            for n, side in zip((rows, columns), self.image, strict=True)
        )
        sides = np.broadcast_arrays(tops[:, None], lefts, bottoms[:, None], rights)
        return ReceptiveField(np.stack(sides, axis=-1).astype(np.int32), self.image)

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the field away from the border; `None` where the fields are not regular."""
        return self._regular and (self._regular[0].size, self._regular[1].size)

    @property
    def stride(self) -> tuple[int, int] | None:
        """Pixels from the field of one position to the next, down and right; `None` as for `size`."""
        return self._regular and (self._regular[0].stride, self._regular[1].stride)

    @property
    def offset(self) -> tuple[int, int] | None:
        """(top, left) of the field of position (0, 0), not clipped: zero or negative where it is padded."""
        return self._regular and (self._regular[0].offset, self._regular[1].offset)

    @cached_property
    def _regular(self) -> "tuple[_Axis, _Axis] | None":
        row, column = self.middle
        rows = _regular_axis(self.boxes[:, column, 0], self.boxes[:, column, 2])
        columns = _regular_axis(self.boxes[row, :, 1], self.boxes[row, :, 3])
        return (rows, columns) if rows and columns else None


@dataclass(frozen=True)
class _Axis:
    """Position i depends on pixels offset + stride · i to offset + stride · i + size, clipped to the image."""

    size: int
    stride: int
    offset: int


def _regular_axis(lows: NDArray[np.integer], highs: NDArray[np.integer]) -> _Axis | None:
    """The size, stride and offset of all fields along one axis, if those that are not clipped have them in common."""
    places = np.arange(len(lows))
    # Strides may leave out the last pixels, so that fields are clipped before the end of the image.
    first, last = lows.min(), highs.max()
    free_low, free_high = places[lows > first], places[highs < last]
    steps = np.concatenate([np.diff(lows[free_low]), np.diff(highs[free_high])])
    if not (len(steps) and len(free_low) and len(free_high)):
        return None
    stride = int(steps[0])
    offset = int(lows[free_low[0]]) - stride * int(free_low[0])
    end = int(highs[free_high[0]]) - stride * int(free_high[0])
    same = (lows == np.maximum(offset + stride * places, first)) & (highs == np.minimum(end + stride * places, last))
    return _Axis(end - offset, stride, offset) if same.all() else None


# (height, width) of the input, layer -> the fields that differ, and which of them each channel has.
_Fields = dict[tuple[tuple[int, int], str], tuple[list[ReceptiveField], list[int]]]
_cache: WeakKeyDictionary[Network, _Fields] = WeakKeyDictionary()


def receptive_field(
    network: Network, layer: str, channel: int | None = None, *, size: tuple[int, int] | None = None
) -> ReceptiveField:
    """The pixels that each position of a layer can depend on, exact and clipped to the image.

    Of a layer whose channels differ, such as a concatenation of branches, the union over its channels. An operation
    that is not known is taken to depend on the whole image. What a position *can* depend on is far more than what it
    mostly depends on (Luo 2016, "Understanding the effective receptive field").

    Args:
        network: the network.
        layer: name of the layer.
        channel: of one channel alone.
        size: (height, width) of the images shown; the network's own, if `None`.

    Raises:
        UnknownError: if the network has no such layer or channel.

    Example:
        >>> from circuits import load_network
        >>> field = receptive_field(load_network("squeezenet1_1", weights="random"), "features.1")
        >>> field.size, field.stride, field.box((1, 0))
        ((3, 3), (2, 2), Box(top=2, left=0, bottom=5, right=3))
    """
    upper = network.layer(layer) if channel is None else network.check_unit(Unit(layer, channel))
    size = network.preprocessing.size if size is None else size
    fields = _cache.setdefault(network, {})
    if (size, layer) not in fields:
        layers = network.layer_list[: network.layer_list.index(upper) + 1]
        boxes = _boxes(network, [each.node for each in layers], size)
        fields.update({(size, each.name): _distinct_fields(of, size) for each, of in zip(layers, boxes, strict=True)})
    distinct, kinds = fields[size, layer]
    return distinct[0 if channel is None else kinds[channel]]


def _boxes(network: Network, nodes: list[torch.fx.Node], size: tuple[int, int]) -> list[Tensor]:
    """(top, left, bottom, right) of every value of each node, (4, C, H, W)."""
    shape = (1, network.preprocessing.channels, *size)
    dtype = next((weight.dtype for weight in network.traced.parameters()), torch.float32)
    rows = torch.arange(size[0], dtype=dtype)[:, None].expand(shape)
    columns = torch.arange(size[1], dtype=dtype).expand(shape)
    reached = [largest_reaching(network.traced, numbers, nodes) for numbers in (-rows, -columns, rows, columns)]
    boxes = []
    for node in nodes:
        top, left, bottom, right = (ops.as_maps(each[node])[0] for each in reached)
        box = torch.stack([-top, -left, bottom + 1, right + 1])
        boxes.append(torch.where(box.isfinite().all(0), box, 0.0))  # of what depends on no pixel an empty one
    return boxes


def _distinct_fields(boxes: Tensor, image: tuple[int, int]) -> tuple[list[ReceptiveField], list[int]]:
    """The field of all channels, then the distinct ones among them; and which of these each channel has."""
    seen: dict[bytes, int] = {}
    each = boxes.permute(1, 2, 3, 0).to(torch.int32).cpu().numpy()
    kinds = [seen.setdefault(channel.tobytes(), len(seen) + 1) for channel in each]
    distinct = np.stack([each[kinds.index(kind)] for kind in seen.values()])
    reached = distinct[..., 2:] > distinct[..., :2]
    lows = np.where(reached, distinct[..., :2], np.iinfo(np.int32).max).min(0)
    union = np.concatenate([lows, distinct[..., 2:].max(0)], axis=-1)
    union = np.where((union[..., 2:] > 0).all(-1, keepdims=True), union, 0)
    return [ReceptiveField(field, image) for field in (union, *distinct)], kinds
