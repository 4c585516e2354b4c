"""Photos, and windows: rectangles of a photo, (left, top, right, bottom) in its pixels, that a network is shown."""

import hashlib
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from circuits.errors import InputError, UnknownError, listed, printable
from circuits.files import refuse_address
from circuits.image.decode import damage, decode, decode_image, from_array, read_file, strips
from circuits.image.encoded import EncodedImage

Window = tuple[float, float, float, float]
Corners = Sequence[int | float]
"""A rectangle that has not been checked."""

LEAST = 8
"""Pixels of a photo along the longer side of the smallest window."""
_TOLERANCE = 1e-6
_LONGEST_NAME = 400

_LOG = logging.getLogger(__name__)


def check_window(window: Corners, width: int, height: int) -> Window:
    """A window as floats, checked.

    Raises:
        InputError: if it is not finite, not inside an image of this size, or too small.

    Example:
        >>> check_window([0, 10, 30, 40], 30, 60)
        (0.0, 10.0, 30.0, 40.0)
    """
    left, top, right, bottom = _four(window)
    shown = ", ".join(f"{side:g}" for side in (left, top, right, bottom))
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise InputError(
            f"The window ({shown}) does not lie in the photo of {width}×{height} pixels; give left, top, right and "
            "bottom within it."
        )
    least = min(LEAST, width, height)
    if max(right - left, bottom - top) < least - _TOLERANCE:
        size = f"{right - left:g}×{bottom - top:g}"
        raise InputError(f"The window ({shown}) shows {size} pixels; make its longer side {least} or more.")
    return left, top, right, bottom


def inner_window(window: Window, size: tuple[int, int]) -> Window:
    """The largest part of a window, around its centre, that has the shape of a network's input.

    A window whose shape differs by less than a pixel of the input, as after rounding to whole pixels, stays as it is.

    Args:
        window: the window.
        size: (height, width) of the input.

    Example:
        >>> inner_window((0.0, 0.0, 40.0, 20.0), (224, 224))
        (10.0, 0.0, 30.0, 20.0)
    """
    left, top, right, bottom = window
    width, height, aspect = right - left, bottom - top, size[1] / size[0]
    if abs(width - aspect * height) < width / max(size):
        return window
    across, down = max(0.0, width - aspect * height) / 2, max(0.0, height - width / aspect) / 2
    return left + across, top + down, right - across, bottom - down


def nearest_window(window: Corners, aspect: float, width: int, height: int) -> Window:
    """The window with an aspect ratio, inside an image, that is closest to a rectangle that a person drew.

    1. Around the rectangle's centre, take the smallest window with the aspect ratio that covers it.
    2. Make it larger until its longer side has 8 pixels, but no larger than fits into the image.
    3. Move it by as little as brings it inside.

    Args:
        window: two opposite corners, in any order, inside the image or not.
        aspect: width over height.
        width: of the image, in pixels.
        height: of the image, in pixels.

    Raises:
        InputError: if it is not four finite numbers.

    Example:
        >>> nearest_window((90, -10, 110, 20), 1.0, 100, 50)
        (70.0, 0.0, 100.0, 30.0)
    """
    first, second, third, fourth = _four(window)
    centre, middle = (first + third) / 2, (second + fourth) / 2
    largest = min(width, aspect * height)
    wanted = max(abs(third - first), aspect * abs(fourth - second), LEAST * min(1, aspect))
    across = min(wanted, largest)
    down = min(across / aspect, height)
    left = float(min(max(centre - across / 2, 0), width - across))
    top = float(min(max(middle - down / 2, 0), height - down))
    return left, top, min(left + across, float(width)), min(top + down, float(height))


def _four(window: Corners) -> Window:
    try:
        numbers = tuple(float(number) for number in window)
    except (TypeError, ValueError, OverflowError):  # of hundreds of digits, or no numbers
        numbers = ()
    if len(numbers) != 4 or not all(math.isfinite(number) for number in numbers):
        raise InputError(
            f"A window is four finite numbers, left, top, right and bottom; this one is {str(window)[:60]}."
        )
    return numbers[0], numbers[1], numbers[2], numbers[3]


@dataclass(frozen=True)
class Photo:
    """A decoded photo: upright RGB, with the fingerprint of its pixels.

    Attributes:
        name: usually the file's name.
        sha256: of the size and the RGB pixels, so that the same picture in two formats is one photo.
        width: in pixels, upright.
        height: in pixels, upright.
        pixels: the whole photo, or what a network saw of it: mode RGB, or a file's bytes, decoded when they are needed.
        window: the part that a network is shown, (left, top, right, bottom) in pixels of the photo; `None` is the
            centre, as the network's preprocessing cuts it out.
        whole: whether the image is the whole photo. A circuit's file holds only the crop that the network saw: then
            the image is that crop, while size, fingerprint and window are those of the photo.
        warning: a sentence if the file is damaged and what it shows may not be the photo; else empty.
    """

    name: str
    sha256: str
    width: int
    height: int
    pixels: Image.Image | EncodedImage = field(compare=False, repr=False)
    window: Window | None = None
    whole: bool = field(default=True, compare=False)
    warning: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.window is not None:
            object.__setattr__(self, "window", check_window(self.window, self.width, self.height))

    @property
    def image(self) -> Image.Image:
        """Mode RGB; the whole photo, or what a network saw of it. Nobody may change it."""
        return self.pixels.decoded() if isinstance(self.pixels, EncodedImage) else self.pixels

    def framed(self, window: Corners | None) -> "Photo":
        """The photo with another window; `Preprocessing.framed` fits one to a rectangle that was drawn by hand.

        Args:
            window: (left, top, right, bottom) in pixels; `None` for the centre.

        Raises:
            InputError: if it is not four finite numbers, does not lie in the photo, or its longer side is
                under 8 pixels; or if only what the network saw is at hand.

        >>> photo = load_photo(np.zeros((40, 60, 3), dtype=np.uint8), name="black")
        >>> photo.framed((10, 0, 50, 40)).window
        (10.0, 0.0, 50.0, 40.0)
        """
        if not self.whole:
            raise InputError(
                f"Of {self.name} only what the network saw is at hand; load the photo again to show another part of it."
            )
        return replace(self, window=None if window is None else check_window(window, self.width, self.height))

    @property
    def part(self) -> Image.Image:
        """The image cut to the window, at whole pixels; the whole image if there is none."""
        if self.window is None or not self.whole:
            return self.image
        left, top, right, bottom = (round(side) for side in self.window)
        return self.image.crop((left, top, right, bottom))


def _cat() -> NDArray[np.uint8]:
    """Chelsea the cat by Stéfan van der Walt, CC0, as scikit-image ships it."""
    home = find_spec("skimage")
    if home and home.origin and (shipped := Path(home.origin).parent / "data" / "chelsea.png").is_file():
        return np.asarray(Image.open(shipped).convert("RGB"))  # scikit-image takes a quarter of a second to import
    from skimage import data

    return np.asarray(data.cat(), dtype=np.uint8)  # type: ignore[no-untyped-call]  # skimage has no types


EXAMPLES: dict[str, Callable[[], NDArray[np.uint8]]] = {"cat": _cat}


@runtime_checkable
class ImageTensor(Protocol):
    """A tensor of torch, (C, H, W) or (1, C, H, W), uint8 or floats from 0 to 1."""

    def numpy(self, *, force: bool = False) -> NDArray[Any]:
        """Its values."""


PhotoSource = str | Path | bytes | Image.Image | NDArray[Any] | ImageTensor
"""What `load_photo` takes."""


def as_photo(source: Photo | PhotoSource) -> Photo:
    """A photo given as such or as what `load_photo` takes.

    >>> as_photo(Image.new("RGB", (6, 4))).width
    6
    """
    return source if isinstance(source, Photo) else load_photo(source)


def load_photo(source: PhotoSource, *, name: str | None = None) -> Photo:
    """Decode a photo from a path, `example:cat`, the bytes of a file, a PIL image, an array or a tensor.

    Animations give their first frame, transparency is put on white, 16 bits become 8, EXIF is obeyed.
    Arrays are (H, W) or (H, W, 1 | 3 | 4), tensors (C, H, W) or (1, C, H, W), of uint8 or floats from 0 to 1.

    Args:
        source: the photo.
        name: what to call it; by default the file's name.

    Raises:
        InputError: if it is missing, unreadable, not an image, damaged, over 64 MiB or 60 megapixels (WebP and
            AVIF: 40), under 2 pixels a side, or more than 50 times as long as it is wide.
        UnknownError: if there is no example of that name.

    >>> photo = load_photo(np.zeros((4, 6, 3), dtype=np.uint8), name="black")
    >>> photo.name, photo.width, photo.height
    ('black', 6, 4)
    """
    if isinstance(source, Image.Image):
        name = name or Path(getattr(source, "filename", "") or "image").name
        image = decode_image(lambda: source, name)
        return _photo(image.copy() if image is source else image, name)
    if isinstance(source, np.ndarray):
        return _photo(from_array(source, name or "array"), name or "array")
    if isinstance(source, ImageTensor):
        values, name = source.numpy(force=True), name or "tensor"
        shape = values.shape
        values = values[0] if values.ndim == 4 and len(values) == 1 else values
        if values.ndim not in (2, 3) or (values.ndim == 3 and len(values) not in (1, 3, 4)):
            raise InputError(f"{name} has shape {shape}; a photo as a tensor is (1 | 3 | 4, H, W).")
        return _photo(from_array(np.moveaxis(values, 0, -1) if values.ndim == 3 else values, name), name)
    if isinstance(source, bytes):
        return _of_bytes(source, name or "photo", name or "photo")
    if isinstance(source, str) and source.startswith("example:"):
        example = source.removeprefix("example:")
        if example not in EXAMPLES:
            raise UnknownError(f"There is no example photo {example!r}; there is {listed(EXAMPLES)}.")
        return _photo(from_array(EXAMPLES[example](), example), name or example)
    path = Path(source)
    return _of_bytes(read_file(path), str(source), name or path.name)


def _of_bytes(data: bytes, said: str, name: str) -> Photo:
    return _photo(decode(data, said), name, damage(data, said))


def _photo(image: Image.Image, name: str, warning: str = "") -> Photo:
    digest = hashlib.sha256(f"{image.width}x{image.height} RGB\n".encode())
    for box in strips(image.size):
        digest.update(image.crop(box).tobytes())
    return Photo(printable(name)[:_LONGEST_NAME], digest.hexdigest(), image.width, image.height, image, warning=warning)


def photos_in(folder: str | Path) -> Iterator[Image.Image]:
    """All photos in a folder and the folders in it, upright RGB, in the order of their paths.

    One is decoded at a time. What cannot be read as a photo is left out; how many were is logged at the end.

    Args:
        folder: where.

    Raises:
        InputError: if there is no such folder, or, when all files have been tried, no photo in it.

    >>> list(photos_in("missing"))
    Traceback (most recent call last):
    circuits.errors.InputError: There is no folder missing; give one with photos in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        refuse_address(folder)
        raise InputError(f"There is no folder {folder}; give one with photos in it.")
    return _readable(folder)


def _readable(folder: Path) -> Iterator[Image.Image]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    skipped = 0
    for file in files:
        try:
            image = load_photo(file).image
        except InputError:
            skipped += 1
            continue
        yield image
    if skipped == len(files):
        raise InputError(f"None of the {len(files)} files in {folder} is a photo that can be read; give others.")
    if skipped:
        _LOG.warning("%d of %d files in %s cannot be read as photos; they are left out.", skipped, len(files), folder)
