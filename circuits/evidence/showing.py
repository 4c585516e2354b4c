"""Signed evidence as pictures: a gradient picture in grey, a map of positions over the photo.

Down a path of units the magnitude of gradients changes by powers of ten: restricted to one unit a layer they vanish,
renormalised they saturate any fixed scale ("Why is this a cat?", 2016, which knew of no rule against it). As the way
back is linear in what is sent back, that magnitude is one factor for the whole picture and says nothing about it, so
each picture is shown on its own scale:

    s = the 99.5th percentile of |v| over those values that are not zero

At most one value in two hundred of those that the unit sees is then saturated, however deep the path. Counted over all
values instead, the many zeros outside of a low unit's field would push s down, to zero for a unit that sees less than
0.5 % of the photo; the largest value instead would leave the rest in the grey of its few outliers.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image

from circuits.errors import InputError
from circuits.overlays import overlay
from circuits.shapes import HeatMap

QUANTILE = 0.995


def own_scale(values: Float[np.ndarray, "..."], *, quantile: float = QUANTILE) -> float:
    """The magnitude at which a signed picture is shown at full strength: s of the file's head.

    s(c · v) = |c| · s(v), and zeros around a picture do not change it. 0.0 if all is zero.

    Args:
        values: signed.
        quantile: of the magnitudes that are not zero, above 0, up to 1 for the largest.

    Raises:
        InputError: if a value is not finite, or the quantile is out of range.

    >>> own_scale(np.array([0.0, -3.0, 0.0, 1.0]), quantile=1.0)
    3.0
    """
    if not 0 < quantile <= 1:
        raise InputError(f"quantile is {quantile}; it must be above 0 and at most 1, such as {QUANTILE}.")
    if not np.isfinite(values).all():
        raise InputError("There are numbers that are not finite in what is to be shown.")
    magnitudes = np.abs(values[values != 0]).astype(np.float64)
    return float(np.quantile(magnitudes, quantile)) if magnitudes.size else 0.0


def show_picture(
    picture: Float[np.ndarray, "rows columns colours"], *, size: int | None = None, quantile: float = QUANTILE
) -> Image.Image:
    """A gradient picture in colours: grey where it is zero, brighter where more of a colour helps, darker where less.

    colour = ½ + ½ · clip(v / s, -1, 1)   with s from `own_scale`

    Brightness says nothing about magnitude, and two pictures' brightnesses cannot be compared. To look closer, cut out
    rows and columns first: cutting away what is zero leaves the colours as they are.

    Args:
        picture: signed, one colour or three.
        size: the longer side of the result in pixels, enlarged smoothly; the picture's own if `None`.
        quantile: share of the values, of those that are not zero, that are not saturated.

    Returns:
        Mode RGB.

    Raises:
        InputError: if it has no pixels, another number of colours, or a number that is not finite.

    >>> show_picture(np.array([[[0.0], [2.0], [-2.0], [1.0]]])).getpixel((3, 0))
    (191, 191, 191)
    """
    if picture.size == 0 or picture.shape[2] not in (1, 3):
        raise InputError(f"A gradient picture has pixels of 1 or 3 colours; this one has the shape {picture.shape}.")
    level = _levels(picture, quantile)
    colours = np.broadcast_to(np.round(255 * (0.5 + 0.5 * level)).astype(np.uint8), (*picture.shape[:2], 3))
    return _sized(Image.fromarray(np.ascontiguousarray(colours)), size)


def show_map(crop: Image.Image, signed: HeatMap, *, size: int, quantile: float = QUANTILE) -> Image.Image:
    """A signed map of positions over the photo: what excites glows blue, what inhibits orange, the rest is muted.

    On its own scale, in colours which people who do not see red or green do see apart, on any photo.

    Args:
        crop: what the network saw.
        signed: one number for each position of the layer, (H, W), spread smoothly over the crop.
        size: the longer side of the result in pixels.
        quantile: share of the positions, of those that are not zero, that are not saturated.

    Returns:
        Mode RGB.

    Raises:
        InputError: if the map is empty or has a number that is not finite.

    >>> show_map(Image.new("RGB", (20, 10)), np.array([[1.0, -1.0]]), size=40).size
    (40, 20)
    """
    return overlay(crop, _levels(signed, quantile), size=size, signed=True)


def _levels(values: NDArray[Any], quantile: float) -> NDArray[np.float64]:
    """Values over their own scale, -1 to 1."""
    scale = own_scale(values, quantile=quantile)
    return np.clip(values / scale if scale else values, -1.0, 1.0).astype(np.float64)


def _sized(image: Image.Image, size: int | None) -> Image.Image:
    if size is None:
        return image
    if size < 1:
        raise InputError(f"size is {size}; a picture must be at least 1 pixel long.")
    scale = size / max(image.size)
    return image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BICUBIC
    )
