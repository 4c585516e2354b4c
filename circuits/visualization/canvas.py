"""How large to draw: a low unit sees a few pixels, which would be lost in a large picture.

1. Field: how many pixels of the image one position of the layer can depend on (`receptive_field`).
2. Zoom: each drawn pixel becomes zoom² pixels of the picture, so that the field of a low unit fills a visible part of
   it, and that nothing is drawn larger than the photos that the network was made for.
3. Resize: a network that does not take images of the drawn size is shown them at its own input size.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image

from circuits.errors import InputError
from circuits.evidence import receptive_field
from circuits.networks import Network
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
        """The picture of a drawn image.

        >>> Canvas(side=16, zoom=2).enlarge(Image.new("RGB", (16, 16))).size
        (32, 32)
        """
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
        transform: how images of a side are moved, which decides at which size the network is shown them.
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
    """Longer side of the part of the image that the middle position of a layer can depend on, in pixels.

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
            network.segment(None, layer)(torch.zeros(1, network.preprocessing.channels, side, side), (0,))
    except (RuntimeError, ValueError, IndexError):  # each operation has its own complaint
        return False
    return True
