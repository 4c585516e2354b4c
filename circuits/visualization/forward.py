"""One forward pass for a batch of objectives, and the size at which images are drawn.

1. What all objectives read of one layer is computed together: the union of their channels, or the whole layer.
2. The images are resized, if the canvas says so, normalised, and run as far as the highest layer that is read.
3. Each objective gets the rows of its own images, and of those the channels that it asked for.

The canvas: a low unit sees a few pixels, which would be lost in a large picture.

1. Field: side of the receptive field of one position of the layer, in pixels (`receptive_field`).
2. Zoom: each drawn pixel becomes zoom² pixels of the picture, so that the field of a low unit fills a visible part of
   it, and that nothing is drawn larger than the photos that the network was made for.
3. Resize: a network that does not take images of the drawn size is shown them at its own input size.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from PIL import Image
from torch import Tensor

from circuits.errors import InputError
from circuits.network.network import Network
from circuits.network.operations import Rectifier
from circuits.network.receptive_field import receptive_field
from circuits.visualization.objectives.base import Read
from circuits.visualization.transforms import Transform, moved_side, standard

# A field fills at least this share of the picture's side, unless the zoom would pass its limit.
FIELD_SHARE = 1 / 8
LARGEST_ZOOM = 4
SMALLEST_SIDE = 16

_EVERYTHING = 1 << 20


@dataclass(frozen=True)
class Canvas:
    """What is drawn for a picture.

    Args:
        side: of the drawn image, in pixels.
        zoom: side of the picture over the side of the drawn image.
        resize: (height, width) at which the network is shown the image; `None`: as it is drawn.
    """

    side: int
    zoom: int = 1
    resize: tuple[int, int] | None = None

    def enlarge(self, image: Image.Image) -> Image.Image:
        """The picture of a drawn image."""
        side = self.side * self.zoom
        return image if self.zoom == 1 else image.resize((side, side), Image.Resampling.BICUBIC)


def canvas_of(
    network: Network,
    layer: str,
    size: int,
    *,
    transform: Callable[[int], Transform] = standard,
    zoom: int | None = None,
) -> Canvas:
    """The canvas for pictures of a layer's units.

    Args:
        network: the network.
        layer: the highest layer that is looked at.
        size: side of the pictures, in pixels.
        transform: of images of a side, which decides at which size the network is shown them.
        zoom: of the canvas; `None`: as the layer needs.

    Raises:
        InputError: if the size cannot be divided by the zoom.
    """
    side = size // (_zoom(network, layer, size) if zoom is None else zoom)
    if zoom is not None and (size % zoom or side < SMALLEST_SIDE):
        raise InputError(f"A picture of {size} pixels has no zoom of {zoom}; choose one that divides it.")
    shown = {side, moved_side(transform(side), side)}
    resize = None if all(takes(network, layer, each) for each in shown) else network.preprocessing.size
    return Canvas(side, size // side, resize)


def _zoom(network: Network, layer: str, size: int) -> int:
    """The zoom at which a field fills a visible part of the picture."""
    wanted = max(math.ceil(size * FIELD_SHARE / field_of(network, layer)), size // min(network.preprocessing.size))
    wanted = min(wanted, LARGEST_ZOOM)
    zooms = [zoom for zoom in range(1, LARGEST_ZOOM + 1) if size % zoom == 0 and size // zoom >= SMALLEST_SIDE]
    return next((zoom for zoom in zooms if zoom >= wanted), max(zooms))


def field_of(network: Network, layer: str) -> int:
    """Longer side of the receptive field of a layer's middle position, in pixels of the image.

    >>> from circuits import load_network
    >>> field_of(load_network("squeezenet1_1", weights="random"), "features.1")
    3
    """
    field = receptive_field(network, layer)
    box = field.box(field.middle)
    height, width = field.size or (box.height, box.width)
    largest = max(network.preprocessing.size)
    return min(max(height, width), largest) or largest


def reach_of(network: Network, layer: str) -> int:
    """The field of a layer for images of any size: beyond all of them, if it reaches past the network's own.

    >>> from circuits import load_network
    >>> network = load_network("squeezenet1_1", weights="random")
    >>> reach_of(network, "features.1") < 4 < 4096 < reach_of(network, network.layers[-1])
    True
    """
    field = receptive_field(network, layer)
    return _EVERYTHING if field.size is None or field.whole else max(field.size)


def takes(network: Network, layer: str, side: int) -> bool:
    """Whether a network can be shown images of that size, up to a layer."""
    try:
        with torch.no_grad():
            image = torch.zeros(1, network.preprocessing.channels, side, side, device=network.device)
            network.segment(None, layer)(image, (0,))
    except (RuntimeError, ValueError, IndexError):  # each operation has its own complaint
        return False
    return True


LayerRead = tuple[str, tuple[int, ...] | None, bool]


@dataclass(frozen=True)
class BatchSlice:
    """One objective's part of a batch: what it reads of how many images."""

    reads: tuple[Read, ...]
    count: int


def forward(
    network: Network,
    canvas: Canvas,
    readers: Sequence[BatchSlice],
    images: Tensor,
    *,
    fast: bool = False,
    rectifier: Rectifier | None = None,
) -> list[dict[Read, Tensor]]:
    """What each objective reads of its own images.

    Args:
        network: the network.
        canvas: whether the images are resized.
        readers: the objectives, in the order of the images.
        images: those of all objectives, one after the other, (N, colours, h, w) from 0 to 1.
        fast: compute in 16 bits, on a CPU.
        rectifier: run in place of rectifiers that are flat below zero: the same values with another gradient.

    Returns:
        For each objective the activations of its reads, (n, C, H, W) in 32 bits, where the images lie.
    """
    if canvas.resize is not None:
        images = F.interpolate(images, size=canvas.resize, mode="bilinear", antialias=True)
    inputs = network.preprocessing.normalize(images).contiguous(memory_format=torch.channels_last)
    reads = merge_reads(readers)
    with torch.autocast("cpu", torch.bfloat16, enabled=fast and network.device.type == "cpu"):
        values = network.read(inputs, reads, rectifier=rectifier)
    activations: list[dict[Read, Tensor]] = [{} for _ in readers]
    for read, own in zip(reads, values, strict=True):
        _hand_out(activations, readers, read, own.float().to(images.device))
    return activations


def merge_reads(readers: Sequence[BatchSlice]) -> list[LayerRead]:
    """One read a layer, rectified or not, that covers what all objectives read of it.

    >>> merge_reads([BatchSlice((Read("conv1", (3,)),), 1), BatchSlice((Read("conv1", (2,)),), 1)])
    [('conv1', (2, 3), True)]
    """
    channels: dict[tuple[str, bool], set[int] | None] = {}
    for read in (read for reader in readers for read in reader.reads):
        key = (read.layer, read.rectified)
        known = channels.setdefault(key, set())
        channels[key] = None if known is None or read.channels is None else known | set(read.channels)
    return [
        (layer, None if some is None else tuple(sorted(some)), rectified)
        for (layer, rectified), some in channels.items()
    ]


def _hand_out(
    activations: list[dict[Read, Tensor]], readers: Sequence[BatchSlice], read: LayerRead, values: Tensor
) -> None:
    """Give each objective its rows of a layer's values, and of those its channels."""
    layer, channels, rectified = read
    wanted = [
        [each for each in reader.reads if (each.layer, each.rectified) == (layer, rectified)] for reader in readers
    ]
    counts = [reader.count for reader in readers]
    if channels is None:
        for own, into, rows in zip(wanted, activations, torch.split(values, counts), strict=True):
            for each in own:
                into[each] = rows if each.channels is None else rows[:, list(each.channels)]
        return
    place = {channel: at for at, channel in enumerate(channels)}
    pairs: list[tuple[int, int]] = []  # (image, place of the channel), picked at once: one step back instead of many
    pieces: list[tuple[dict[Read, Tensor], Read, tuple[int, int]]] = []
    first = 0
    for own, into, count in zip(wanted, activations, counts, strict=True):
        for each in own:
            assert each.channels is not None
            pairs += [(first + image, place[c]) for image in range(count) for c in each.channels]
            pieces.append((into, each, (count, len(each.channels))))
        first += count
    rows, columns = torch.tensor(pairs, device=values.device).T
    parts = torch.split(values[rows, columns], [count * width for _, _, (count, width) in pieces])
    for (into, each, size), part in zip(pieces, parts, strict=True):
        into[each] = part.reshape(*size, *part.shape[1:])
