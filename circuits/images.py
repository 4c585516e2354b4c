"""Photos in: load one, show it to a network through a window, as the network wants it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from circuits.decoding import decode, decoded, from_array, read_file
from circuits.errors import InputError, UnknownError, listed
from circuits.overlays import overlay
from circuits.packing import from_data_uri, to_data_uri
from circuits.windows import Corners, Window, check_window, inner_window, nearest_window

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
        image: mode RGB; the whole photo, or what a network saw of it.
        window: the part that a network is shown, (left, top, right, bottom) in pixels of the photo; `None` is the
            centre, as the network's preprocessing cuts it out.
        whole: whether the image is the whole photo. A circuit's file carries no more than what the network saw: of such
            a photo the image is that crop, while size, fingerprint and window are the photo's own.
    """

    name: str
    sha256: str
    width: int
    height: int
    image: Image.Image = field(compare=False, repr=False)
    window: Window | None = None
    whole: bool = field(default=True, compare=False)

    def __post_init__(self) -> None:
        """Refuse a window that does not lie in the photo."""
        if self.window is not None:
            object.__setattr__(self, "window", check_window(self.window, self.width, self.height))

    def framed(self, window: Corners | None) -> "Photo":
        """The photo with another part of it shown; `Preprocessing.framed` fits a rectangle that was drawn by hand.

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
        """The pixels in the window, to whole pixels; all that is at hand, where none was set."""
        if self.window is None or not self.whole:
            return self.image
        left, top, right, bottom = (round(side) for side in self.window)
        return self.image.crop((left, top, right, bottom))


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
        new, left, top = self._placed(*image.size)
        resized = image.resize(new, _RESAMPLING[self.interpolation])
        return self._coloured(resized.crop((left, top, left + width, top + height)))

    def crop_of(self, photo: Photo) -> Image.Image:
        """What the network sees of a photo through its window: mode RGB, or L for a network of one channel.

        The window is resized to `size`; one of exactly that size, at whole pixels, is shown as it is. Without a window
        it is the centre, as `crop` cuts it out. A photo that is not at hand as a whole is shown as it was seen before,
        or the middle of that, to a network of another input size.

        >>> see = Preprocessing((8, 8), 8, (0.5,) * 3, (0.5,) * 3)
        >>> stripes = load_photo(np.arange(20 * 16 * 3, dtype=np.uint8).reshape(16, 20, 3))
        >>> crop = see.crop_of(stripes.framed((3, 5, 11, 13)))
        >>> bool((np.asarray(crop) == np.asarray(stripes.image)[5:13, 3:11]).all())
        True
        """
        height, width = self.size
        if not photo.whole and photo.image.size == (width, height):
            return self._coloured(photo.image)
        if photo.window is None or not photo.whole:
            return self.crop(photo.image)
        method = _RESAMPLING[self.interpolation]
        return self._coloured(photo.image.resize((width, height), method, box=self.window_of(photo)))

    def window_of(self, photo: Photo) -> Window:
        """The part of a photo that the network sees, (left, top, right, bottom) in pixels of the photo.

        It has the shape of the network's input: of a window of another shape it is the largest part around its
        centre.

        >>> see = Preprocessing((224, 224), 256, (0.5,) * 3, (0.5,) * 3)
        >>> see.window_of(load_photo(np.zeros((512, 1024, 3), dtype=np.uint8)))
        (288.0, 32.0, 736.0, 480.0)
        """
        height, width = self.size
        if photo.window is not None:
            return inner_window(photo.window, self.size)
        new, left, top = self._placed(photo.width, photo.height)
        across, down = photo.width / new[0], photo.height / new[1]
        return left * across, top * down, (left + width) * across, (top + height) * down

    def framed(self, photo: Photo, window: Corners) -> Photo:
        """The photo seen through the window that comes closest to a rectangle, which may have been drawn by hand.

        It is given the shape of the network's input around the rectangle's centre, at least 8 pixels along its longer
        side where the photo has them, and moved inside the photo.

        Args:
            photo: the photo.
            window: two opposite corners, in pixels of the photo; they may lie outside of it.

        Raises:
            InputError: if it is not four finite numbers, or only what the network saw of the photo is at hand.

        >>> see = Preprocessing((32, 64), 32, (0.5,) * 3, (0.5,) * 3)
        >>> see.framed(load_photo(np.zeros((100, 100, 3), dtype=np.uint8)), (80, 80, 120, 90)).window
        (60.0, 75.0, 100.0, 95.0)
        """
        height, width = self.size
        return photo.framed(nearest_window(window, width / height, photo.width, photo.height))

    def _placed(self, width: int, height: int) -> tuple[tuple[int, int], int, int]:
        """Size that a photo is brought to, and left and top of the centre that is cut out of it."""
        longer = int(self.resize * max(width, height) / min(width, height))
        new = (self.resize, longer) if width <= height else (longer, self.resize)
        if new[0] < self.size[1] or new[1] < self.size[0]:
            scale = max(self.size[1] / width, self.size[0] / height)
            new = (max(self.size[1], round(width * scale)), max(self.size[0], round(height * scale)))
        # Python rounds halves to even, and so does torchvision, which the networks were trained with.
        return new, round((new[0] - self.size[1]) / 2), round((new[1] - self.size[0]) / 2)

    def _coloured(self, crop: Image.Image) -> Image.Image:
        return crop if self.channels == 3 else crop.convert("L")

    def input_of(self, photo: Photo) -> "torch.Tensor":
        """The network's input for what it sees of a photo, `crop_of`: normalised, float32 (1, c, h, w)."""
        return self.from_crop(self.crop_of(photo))

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


def _photo(image: Image.Image, name: str) -> Photo:
    digest = hashlib.sha256(f"{image.width}x{image.height} RGB\n".encode())
    digest.update(image.tobytes())
    return Photo(name, digest.hexdigest(), image.width, image.height, image)


def _example(example: str, name: str | None) -> Photo:
    if example not in EXAMPLES:
        raise UnknownError(f"There is no example photo {example!r}; there is {listed(EXAMPLES)}.")
    return _photo(from_array(EXAMPLES[example](), example), name or example)
