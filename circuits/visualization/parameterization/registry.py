"""The parameterizations by name."""

import functools
import inspect
from collections.abc import Mapping
from typing import Any

from circuits.errors import InputError, UnknownError, listed
from circuits.visualization.parameterization.base import MakeImages
from circuits.visualization.parameterization.fourier import FourierImages
from circuits.visualization.parameterization.maco import MacoImages
from circuits.visualization.parameterization.pixels import PixelImages, UnboundedPixels
from circuits.visualization.parameterization.pyramid import LaplacianPyramid

IMAGES: Mapping[str, MakeImages] = {
    "fourier": FourierImages,
    "pixels": PixelImages,
    "pyramid": LaplacianPyramid,
    "maco": MacoImages,
    "plain": UnboundedPixels,
}


def make_images(name: str, **options: Any) -> MakeImages:
    """A parameterization by its name, with options, for any side and number of colours.

    Args:
        name: one of `IMAGES`.
        options: keyword arguments of the class.

    Raises:
        UnknownError: if there is none of that name.
        InputError: if it has no such option.

    >>> make_images("pyramid", levels=3)(16, 3).sides
    (16, 8, 4)
    """
    if name not in IMAGES:
        raise UnknownError(f"Images cannot be written as {name!r}; there is {listed(IMAGES)}.")
    known = [key for key in inspect.signature(IMAGES[name]).parameters if key not in ("side", "colours")]
    for option in options:
        if option not in known:
            raise InputError(f"Images written as {name} have no option {option!r}; they have {listed(known)}.")
    return functools.partial(IMAGES[name], **options)
