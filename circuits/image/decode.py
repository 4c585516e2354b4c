"""Decode untrusted bytes, files and arrays to upright RGB images.

Decoding follows fixed steps, so that a hostile file costs little and an unusual one simply works:

1. the bytes are counted before they are read, and the pixels before they are decoded;
2. only the formats in `FORMATS` are tried, so no interpreter of documents or scripts is ever started;
3. the first frame is decoded, put on white where it is transparent, and made RGB, both in strips, and turned as its
   EXIF says.

Several threads may decode at once, together at most `MAX_PIXELS`, so that memory stays that of one photo: at most 12
bytes a pixel for the decoder, the result and one strip, 700 MiB in all. Decoders that need more get fewer pixels.
"""

import io
import re
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from circuits.errors import InputError
from circuits.files import reading

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF")
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 60_000_000
MOST_PIXELS_OF = {"WEBP": 40_000_000, "AVIF": 40_000_000}
"""Of formats whose decoders hold several whole copies, up to 16 bytes a pixel."""
MIN_SIDE = 2
MAX_ASPECT = 50

_CORRUPT = re.compile("corrupt|premature|inconsistent", re.IGNORECASE)
_READABLE = "PNG, JPEG, WebP, GIF, TIFF, BMP, PPM or AVIF"


class PixelBudget:
    """Limits the pixels that are decoded at once, first come, first served; a larger photo waits until it is alone."""

    def __init__(self, pixels: int) -> None:
        self._free = self._all = pixels
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Wait for that many pixels, and keep them while the block runs."""
        pixels, ticket = min(pixels, self._all), object()
        with self._changed:
            self._queue.append(ticket)
            try:
                self._changed.wait_for(lambda: self._queue[0] is ticket and self._free >= pixels)
                self._free -= pixels
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()


_STRIP = 2**20
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_budget = PixelBudget(MAX_PIXELS)
_FILTER = ("ignore", None, UserWarning, re.compile(r"PIL\."), 0)


def _ignore_warnings() -> None:
    """Silence Pillow's warnings about unusual files, for good: filters cannot be restored for one thread alone."""
    if _FILTER not in warnings.filters[:1]:
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def read_file(path: Path) -> bytes:
    """The bytes of a photo's file.

    Raises:
        InputError: if it is missing, a folder, not to be read by this person, or over 64 MiB.
    """
    with reading(path, "check the path, or try example:cat"):
        size = path.stat().st_size
        if path.is_dir():
            raise InputError(f"{path} is a folder; give one image file in it.")
        if not path.is_file():
            raise InputError(f"{path} is not a regular file; give an image file.")
        _check_bytes(size, str(path))
        return path.read_bytes()


def decode(data: bytes, name: str) -> Image.Image:
    """The bytes of a photo's file as an upright RGB image; `name` is what errors call it.

    Raises:
        InputError: if they are none, too many, not an image, damaged, or too large once decoded.
    """
    if not data:
        raise InputError(f"{name} is empty (0 bytes); give an image file.")
    _check_bytes(len(data), name)
    if data[4:8] == b"ftyp" and data[8:11] in (b"hei", b"hev", b"mif", b"msf") and b"avif" not in data[:64]:
        raise InputError(f"{name} is a HEIC photo, which cannot be read here; save it as JPEG or PNG.")
    Image.init()  # Pillow looks the formats up among those it has loaded
    return decode_image(lambda: Image.open(io.BytesIO(data), formats=FORMATS), name)


def damage(data: bytes, name: str) -> str:
    """What the decoder of JPEG says of a file that it decodes all the same, as a sentence; empty if nothing.

    Where part of a file was overwritten, as by zeros, its pixels are made up. libjpeg warns of that and Pillow does
    not hand it on, so libjpeg is asked again, for a picture of an eighth of the size. No other decoder warns.
    """
    if not data.startswith(b"\xff\xd8"):
        return ""
    import simplejpeg

    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        colours = "CMYK" if space in ("CMYK", "YCCK") else "GRAY"
        with _budget.taken(width * height):
            simplejpeg.decode_jpeg(data, colours, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        if _CORRUPT.search(str(error)):
            return f"{name} is damaged ({str(error).rstrip('.')}): part of what it shows is made up by the decoder."
    return ""


def decode_image(opened: Callable[[], Image.Image], name: str) -> Image.Image:
    """An opened, not yet decoded image as an upright RGB image; `name` is what errors call it.

    Raises:
        InputError: if it is damaged or too large.
    """
    _ignore_warnings()
    try:
        image = opened()
        most = MOST_PIXELS_OF.get(image.format or "", MAX_PIXELS)
        _check_size(image.width, image.height, name, most)
        with _budget.taken(image.width * image.height * MAX_PIXELS // most):
            image.load()
            return _upright_rgb(image, name)
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{name} claims over {MAX_PIXELS // 10**6} megapixels; give a smaller one.") from None
    except UnidentifiedImageError:
        raise InputError(f"{name} is not an image that can be read; give a {_READABLE} file.") from None
    except Exception:  # decoders fail in many ways on damaged bytes, and all of them mean this
        raise InputError(f"{name} is damaged or cut short; save or download it again.") from None


def _check_bytes(size: int, name: str) -> None:
    if size > MAX_BYTES:
        raise InputError(
            f"{name} has {size / 2**20:.0f} MiB, and at most {MAX_BYTES // 2**20} are read; give a smaller file."
        )


def _check_size(width: int, height: int, name: str, most: int = MAX_PIXELS) -> None:
    if width * height > most:
        limit, advice = f"{most // 10**6} megapixels", "give a smaller one"
        if most < MAX_PIXELS:
            limit, advice = f"{limit} for files of its format", f"{advice}, or save it as JPEG"
        raise InputError(f"{name} has {width}×{height} pixels, over the limit of {limit}; {advice}.")
    if min(width, height) < MIN_SIDE:
        raise InputError(f"{name} has {width}×{height} pixels; a photo needs {MIN_SIDE} or more on each side.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InputError(
            f"{name} has {width}×{height} pixels, and its longer side may be at most {MAX_ASPECT} times the "
            "shorter one, because the network sees only the middle; cut out the part you mean."
        )


def _upright_rgb(image: Image.Image, name: str) -> Image.Image:
    """The image on white, as RGB, turned as its EXIF says; made in strips, so that no second whole copy is needed."""
    plain = image.mode == "RGB" and "transparency" not in image.info
    return _turned(image if plain else _in_strips(image, name), image)


def _in_strips(image: Image.Image, name: str) -> Image.Image:
    top = _top_value(image, name) if image.mode.startswith("I") or image.mode == "F" else None
    rgb = Image.new("RGB", image.size)
    for box in strips(image.size):
        part = image.crop(box)  # has the image's palette and transparency
        if top is not None:
            part = _as_bytes(part, top, _is_negative(image))
        if part.mode in ("RGBA", "LA", "La", "RGBa", "PA") or "transparency" in part.info:
            white = Image.new("RGBA", part.size, "white")
            part = Image.alpha_composite(white, part.convert("RGBA"))
        rgb.paste(part.convert("RGB"), box)
    return rgb


def _as_bytes(part: Image.Image, top: float, negative: bool) -> Image.Image:
    """Grey of 16 bits or floats as grey of 8; the one value that a PNG may call transparent becomes white."""
    values = np.asarray(part).astype(np.float64)
    grey = np.round((top - values if negative else values) * (255 / top)).astype(np.uint8)
    clear = part.info.get("transparency")
    return Image.fromarray(np.where(values == clear, 255, grey).astype(np.uint8) if isinstance(clear, int) else grey)


def _is_negative(image: Image.Image) -> bool:
    """Whether 0 is white in a TIFF, as its tag says; Pillow obeys that for 8 bits, not for 16."""
    tags = getattr(image, "tag_v2", {})
    return bool(tags.get(ExifTags.Base.PhotometricInterpretation, 1) == 0)


def strips(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of whole rows that cover an image of (width, height), a megapixel each.

    >>> list(strips((2**19, 5)))
    [(0, 0, 524288, 2), (0, 2, 524288, 4), (0, 4, 524288, 5)]
    """
    width, height = size
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        yield 0, top, width, min(top + rows, height)


def _turned(rgb: Image.Image, source: Image.Image) -> Image.Image:
    try:
        method = _TURNS.get(source.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a broken EXIF block is no reason to refuse the pixels
        method = None
    return rgb if method is None else rgb.transpose(method)


def _top_value(image: Image.Image, name: str) -> float:
    """What white is in grey of 16 bits (65535) or floats from 0 to 1; PIL's own conversion would clip both."""
    top = 1.0 if image.mode == "F" else 65535.0
    ends = [(part.min(), part.max()) for part in (np.asarray(image.crop(box)) for box in strips(image.size))]
    least, most = np.min(ends), np.max(ends)  # NaN if any is
    if not (least >= 0 and most <= top):
        raise InputError(
            f"{name} has values from {least:g} to {most:g}, and 0 to {top:g} can be shown; "
            "save it with 8 bits a channel."
        )
    return top


def from_array(array: NDArray[Any], name: str) -> Image.Image:
    """An array (H, W) or (H, W, 1 | 3 | 4) of uint8, or floats from 0 to 1, as an RGB image.

    Raises:
        InputError: if it has another shape, type or range.
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise InputError(f"{name} has shape {array.shape}; an image is (H, W) or (H, W, 1 | 3 | 4).")
    if array.dtype == np.uint8:
        pixels = array
    elif np.issubdtype(array.dtype, np.floating):
        if not (np.isfinite(array).all() and array.size and array.min() >= 0 and array.max() <= 1):
            raise InputError(f"{name} has floats outside 0 to 1, or none; divide by the largest value first.")
        pixels = np.round(array.astype(np.float64) * 255).astype(np.uint8)
    else:
        raise InputError(f"{name} has dtype {array.dtype}; an image is uint8, or floats from 0 to 1.")
    _check_size(array.shape[1], array.shape[0], name)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    return _upright_rgb(Image.fromarray(np.ascontiguousarray(pixels)), name)
