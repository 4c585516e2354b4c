"""Photos in, pictures out: load a photo, crop it as the network does, pack a picture into a data URI."""

import base64
import binascii
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from circuits.decoding import decode, decoded, from_array, read_file
from circuits.errors import InputError, UnknownError, listed
from circuits.overlays import overlay

if TYPE_CHECKING:
    import torch

__all__ = ["EXAMPLES", "Photo", "Preprocessing", "from_data_uri", "load_photo", "overlay", "to_data_uri"]


@dataclass(frozen=True)
class Photo:
    """A decoded photo: upright RGB, with the fingerprint of its pixels.

    Attributes:
        name: what to call it, usually the file's name.
        sha256: of the size and the RGB pixels, so that the same picture in two formats is one photo.
        width: in pixels, upright.
        height: in pixels, upright.
        image: mode RGB.
    """

    name: str
    sha256: str
    width: int
    height: int
    image: Image.Image = field(compare=False, repr=False)


def _cat() -> NDArray[np.uint8]:
    """Chelsea the cat by Stéfan van der Walt, CC0, as scikit-image ships it."""
    from skimage import data

    return np.asarray(data.cat(), dtype=np.uint8)  # type: ignore[no-untyped-call]  # skimage has no types


EXAMPLES: dict[str, Callable[[], NDArray[np.uint8]]] = {"cat": _cat}


def load_photo(source: str | Path | bytes | Image.Image | NDArray[Any], *, name: str | None = None) -> Photo:
    """Decode a photo from a path, `example:cat`, the bytes of a file, a PIL image or an array.

    Animations give their first frame, transparency is put on white, 16 bits become 8, EXIF is obeyed.
    Arrays are (H, W) or (H, W, 1 | 3 | 4), uint8 or floats from 0 to 1.

    Args:
        source: the photo.
        name: what to call it; by default the file's name.

    Raises:
        InputError: if it is missing, unreadable, not an image, damaged, over 64 MiB or 60 megapixels, under
            2 pixels a side, or more than 50 times as long as it is wide.
        UnknownError: if there is no example of that name.

    >>> photo = load_photo(np.zeros((4, 6, 3), dtype=np.uint8), name="black")
    >>> photo.name, photo.width, photo.height
    ('black', 6, 4)
    """
    if isinstance(source, Image.Image):
        shown = name or Path(getattr(source, "filename", "") or "image").name
        return _photo(decoded(lambda: source, shown), shown)
    if isinstance(source, np.ndarray):
        shown = name or "array"
        return _photo(from_array(source, shown), shown)
    if isinstance(source, bytes):
        shown = name or "photo"
        return _photo(decode(source, shown), shown)
    if isinstance(source, str) and source.startswith("example:"):
        return _example(source.removeprefix("example:"), name)
    path = Path(source)
    return _photo(decode(read_file(path), str(source)), name or path.name)


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its photos: shorter side to `resize`, centre crop to `size`, (x - mean) / std.

    Attributes:
        size: (height, width) of the crop in pixels.
        resize: length of the photo's shorter side before cropping, in pixels.
        mean: one for each input channel, on a scale of 0 to 1; one channel means greyscale.
        std: one for each input channel.
        interpolation: "bilinear" or "bicubic", antialiased.

    >>> imagenet = Preprocessing((224, 224), 256, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bilinear")
    >>> imagenet.crop(Image.new("RGB", (640, 480))).size
    (224, 224)
    """

    size: tuple[int, int]
    resize: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        """Refuse what no photo could be brought to."""
        if min(self.size) < 1 or self.resize < 1:
            raise InputError(f"Input size {self.size}, resized to {self.resize}, must be 1 pixel or more.")
        if len(self.mean) not in (1, 3) or len(self.std) != len(self.mean):
            raise InputError(
                f"Mean {self.mean} and std {self.std} must have one number for each input channel: "
                "3 for colour, 1 for greyscale."
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and min(self.std) > 0):
            raise InputError(f"Mean {self.mean} must be finite and std {self.std} finite and above 0.")
        if self.interpolation not in _RESAMPLING:
            raise InputError(f"Interpolation {self.interpolation!r} is not known; there is {listed(_RESAMPLING)}.")

    @property
    def channels(self) -> int:
        """Input channels of the network: 3 for colour, 1 for greyscale."""
        return len(self.mean)

    def crop(self, image: Image.Image) -> Image.Image:
        """The part of the photo that the network sees: mode RGB, or L for a network of one channel.

        The shorter side becomes `resize`, or more where `size` would not be covered; the centre is cut out.
        """
        height, width = self.size
        image = image if image.mode == "RGB" else image.convert("RGB")
        short, long = min(image.size), max(image.size)
        longer = int(self.resize * long / short)
        new = (self.resize, longer) if image.width <= image.height else (longer, self.resize)
        if new[0] < width or new[1] < height:
            scale = max(width / image.width, height / image.height)
            new = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
        resized = image.resize(new, _RESAMPLING[self.interpolation])
        # Python rounds halves to even, and so does torchvision, which the networks were trained with.
        left, top = round((new[0] - width) / 2), round((new[1] - height) / 2)
        cut = resized.crop((left, top, left + width, top + height))
        return cut if self.channels == 3 else cut.convert("L")

    def to_tensor(self, image: Image.Image) -> "torch.Tensor":
        """The network's input for a photo: cropped and normalised, float32 (1, c, h, w)."""
        return self.from_crop(self.crop(image))

    def from_crop(self, crop: Image.Image) -> "torch.Tensor":
        """The network's input for what `crop` returned, or for its stored thumbnail: float32 (1, c, h, w).

        Raises:
            InputError: if the crop does not have the network's size.
        """
        import torch

        if crop.size != (self.size[1], self.size[0]):
            raise InputError(
                f"A crop of {crop.width}×{crop.height} pixels does not fit the network, which takes "
                f"{self.size[1]}×{self.size[0]}."
            )
        pixels = np.array(crop.convert("RGB" if self.channels == 3 else "L"), dtype=np.uint8, ndmin=3)
        if self.channels == 1:
            pixels = pixels.transpose(1, 2, 0)
        images = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).to(torch.float32) / 255
        return self.normalize(images)

    def normalize(self, images01: "torch.Tensor") -> "torch.Tensor":
        """Images on a scale of 0 to 1, (n, 3, h, w) or (n, c, h, w), to network input (n, c, h, w).

        For a network of one channel, colours become luma (ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B).
        Differentiable.
        """
        if self.channels == 1 and images01.shape[1] == 3:
            weights = images01.new_tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)
            images01 = (images01 * weights).sum(dim=1, keepdim=True)
        mean = images01.new_tensor(self.mean).view(1, -1, 1, 1)
        std = images01.new_tensor(self.std).view(1, -1, 1, 1)
        return (images01 - mean) / std


_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def to_data_uri(image: Image.Image, *, format: str = "webp", lossless: bool = False, quality: int = 82) -> str:
    """A picture as text that a page or a JSON file can hold.

    Args:
        image: the picture.
        format: "webp", "png" or "jpeg".
        lossless: keep every pixel (WebP; PNG always does).
        quality: 0 to 100, where not lossless.

    >>> from_data_uri(to_data_uri(Image.new("RGB", (2, 3), "red"), lossless=True)).getpixel((1, 2))
    (255, 0, 0)
    """
    buffer = io.BytesIO()
    if format == "webp":
        image.save(buffer, "WEBP", lossless=lossless, quality=quality, method=4, exact=lossless)
    elif format == "png":
        image.save(buffer, "PNG", optimize=True)
    elif format == "jpeg":
        image.convert("RGB").save(buffer, "JPEG", quality=quality, optimize=True)
    else:
        raise InputError(f"Pictures are packed as webp, png or jpeg, not as {format!r}.")
    return f"data:image/{format};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def from_data_uri(text: str) -> Image.Image:
    """The picture that `to_data_uri` packed, mode RGB.

    Raises:
        InputError: if the text is no data URI of an image, or the image is damaged or too large.
    """
    head, comma, body = text.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise InputError(f"A picture must be a data:image/…;base64 address; this one starts {text[:30]!r}.")
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("A picture in the file is damaged: its base64 text cannot be decoded.") from None
    return decode(data, "The picture in the file")


def _photo(image: Image.Image, name: str) -> Photo:
    digest = hashlib.sha256(f"{image.width}x{image.height} RGB\n".encode())
    digest.update(image.tobytes())
    return Photo(name, digest.hexdigest(), image.width, image.height, image)


def _example(example: str, name: str | None) -> Photo:
    if example not in EXAMPLES:
        raise UnknownError(f"There is no example photo {example!r}; there is {listed(EXAMPLES)}.")
    return _photo(from_array(EXAMPLES[example](), example), name or example)
