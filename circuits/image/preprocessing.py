"""From a photo to the network's input: size, crop and normalisation, given or guessed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import index
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

import numpy as np
from PIL import Image

from circuits.errors import InputError, listed
from circuits.image.encoded import EncodedImage
from circuits.image.photo import Corners, Photo, Window, inner_window, nearest_window

if TYPE_CHECKING:
    import torch
    from torch import nn


MAX_INPUT_PIXELS = 16 * 2**20
SMALLEST_STD = 1e-6


@dataclass(frozen=True)
class Preprocessing:
    """A network's preprocessing: shorter side to `resize`, centre crop to `size`, (x - mean) / std.

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
        if min(self.size) < 1 or self.resize < 1:
            raise InputError(f"Input size {self.size}, resized to {self.resize}, must be 1 pixel or more.")
        if len(self.mean) not in (1, 3) or len(self.std) != len(self.mean):
            raise InputError(
                f"Mean {self.mean} and std {self.std} must have one number for each input channel: "
                "3 for colour, 1 for greyscale."
            )
        if self.size[0] * self.size[1] > MAX_INPUT_PIXELS or self.resize > MAX_INPUT_PIXELS:
            raise InputError(
                f"Input size {self.size}, resized to {self.resize}, is over the limit of {MAX_INPUT_PIXELS >> 20} "
                "megapixels; give the size that the network was trained with."
            )
        self._check_scale()
        if self.interpolation not in _RESAMPLING:
            raise InputError(f"Interpolation {self.interpolation!r} is not known; there is {listed(_RESAMPLING)}.")

    def _check_scale(self) -> None:
        """Refuse a mean and std that pixels from 0 to 1 cannot have, or that no float32 can be divided by."""
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and min(self.std) > 0):
            raise InputError(f"Mean {self.mean} must be finite and std {self.std} finite and above 0.")
        for what, values, largest in (("Mean", self.mean, 1.0), ("Std", self.std, 4.0)):
            if max(map(abs, values)) > largest:
                scaled = ",".join(f"{value / 255:.3g}" for value in values)
                raise InputError(
                    f"{what} {values} is beyond pixels from 0 to 1, which are what is normalised; if it is of pixels "
                    f"from 0 to 255, give mean and std divided by 255, here {scaled}."
                )
        if min(self.std) < SMALLEST_STD:
            raise InputError(
                f"Std {self.std} must be {SMALLEST_STD:g} or more, or what is divided by it becomes too large; for "
                "pixels from 0 to 255 as input give a std of 0.00392 (1/255)."
            )

    @property
    def channels(self) -> int:
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
        """The part of a photo in its window: mode RGB, or L for a network of one channel.

        The window is resized to `size`; one of exactly that size, at whole pixels, is taken as it is. Without a window
        it is the centre, as `crop` cuts it out. Of a photo of which only a crop is left, it is that crop, or its middle
        for a network of another input size.

        >>> see = Preprocessing((8, 8), 8, (0.5,) * 3, (0.5,) * 3)
        >>> from circuits.image.photo import load_photo
        >>> stripes = load_photo(np.arange(20 * 16 * 3, dtype=np.uint8).reshape(16, 20, 3))
        >>> crop = see.crop_of(stripes.framed((3, 5, 11, 13)))
        >>> bool((np.asarray(crop) == np.asarray(stripes.image)[5:13, 3:11]).all())
        True
        """
        if isinstance(photo.pixels, EncodedImage):
            return photo.pixels.cut((self, photo.window), lambda: self._crop_of(photo, photo.image))
        return self._crop_of(photo, photo.pixels)

    def packed(self, photo: Photo, data: bytes) -> Photo:
        """The photo with its crop, and the bytes of the file that it was loaded from in the place of its pixels."""
        crop, packed = self.crop_of(photo), EncodedImage(data, photo.name)
        packed.cut((self, photo.window), lambda: crop)
        return replace(photo, pixels=packed)

    def _crop_of(self, photo: Photo, image: Image.Image) -> Image.Image:
        height, width = self.size
        if not photo.whole and image.size == (width, height):
            return self._coloured(image)
        if photo.window is None or not photo.whole:
            return self.crop(image)
        method = _RESAMPLING[self.interpolation]
        return self._coloured(image.resize((width, height), method, box=self.window_of(photo)))

    def window_of(self, photo: Photo) -> Window:
        """The part of a photo that the network sees, (left, top, right, bottom) in pixels of the photo.

        It has the shape of the network's input: the largest part of the photo's window around its centre.

        >>> see = Preprocessing((224, 224), 256, (0.5,) * 3, (0.5,) * 3)
        >>> from circuits.image.photo import load_photo
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
        """The photo with the window that is closest to a rectangle, which may have been drawn by hand.

        The window has the shape of the network's input and the rectangle's centre, at least 8 pixels along its longer
        side if the photo has them, and is moved inside the photo.

        Args:
            photo: the photo.
            window: two opposite corners, in pixels of the photo; they may lie outside of it.

        Raises:
            InputError: if it is not four finite numbers, or only what the network saw of the photo is at hand.

        >>> see = Preprocessing((32, 64), 32, (0.5,) * 3, (0.5,) * 3)
        >>> from circuits.image.photo import load_photo
        >>> see.framed(load_photo(np.zeros((100, 100, 3), dtype=np.uint8)), (80, 80, 120, 90)).window
        (60.0, 75.0, 100.0, 95.0)
        """
        height, width = self.size
        return photo.framed(nearest_window(window, width / height, photo.width, photo.height))

    def _placed(self, width: int, height: int) -> tuple[tuple[int, int], int, int]:
        """The size that a photo is resized to, and left and top of the centre crop."""
        longer = int(self.resize * max(width, height) / min(width, height))
        new = (self.resize, longer) if width <= height else (longer, self.resize)
        if new[0] < self.size[1] or new[1] < self.size[0]:
            scale = max(self.size[1] / width, self.size[0] / height)
            new = (max(self.size[1], round(width * scale)), max(self.size[0], round(height * scale)))
        # Python rounds halves to even, and so does torchvision, which the networks were trained with.
        return new, round((new[0] - self.size[1]) / 2), round((new[1] - self.size[0]) / 2)

    def _coloured(self, crop: Image.Image) -> Image.Image:
        return crop if self.channels == 3 else crop.convert("L")

    def as_seen(self, photo: Photo) -> Photo:
        """A photo of which no more is at hand than what the network sees."""
        return replace(photo, pixels=self.crop_of(photo), whole=False)

    def input_of(self, photo: Photo) -> "torch.Tensor":
        """The network's input for a photo through its window, `crop_of`: normalised, float32 (1, c, h, w)."""
        return self.from_crop(self.crop_of(photo))

    def to_tensor(self, image: Image.Image) -> "torch.Tensor":
        """The network's input for a photo: cropped and normalised, float32 (1, c, h, w)."""
        return self.from_crop(self.crop(image))

    def from_crop(self, crop: Image.Image) -> "torch.Tensor":
        """The network's input for a crop, or its stored thumbnail: normalised, float32 (1, c, h, w).

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

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class InputOptions:
    """Size, mean and std as the user gave them; each may be `None`.

    Args:
        size: side, or (height, width).
        mean: of the normalisation, one a colour; a list of one makes a greyscale network, a number alone holds for all
            colours.
        std: of the normalisation.

    Raises:
        InputError: if a number is out of its range.

    Example:
        >>> default = Preprocessing((8, 8), 8, IMAGENET_MEAN, IMAGENET_STD)
        >>> InputOptions(np.int64(16), 0.5, 0.25).applied_to(default).mean
        (0.5, 0.5, 0.5)
    """

    def __init__(
        self,
        size: SupportsIndex | Iterable[SupportsIndex] | None = None,
        mean: SupportsFloat | Iterable[SupportsFloat] | None = None,
        std: SupportsFloat | Iterable[SupportsFloat] | None = None,
    ) -> None:
        self.size = None if size is None else _height_and_width(size)
        self._for_all = tuple(value is not None and _is_one(value) for value in (mean, std))
        self.mean = None if mean is None else _floats(mean)
        self.std = None if std is None else _floats(std)
        if self.size is not None and min(self.size) < 1:
            raise InputError(f"The input size is {size}; it must be at least 1.")
        if self.std is not None and min(self.std) <= 0:
            raise InputError(f"The std is {self.std}; each must be above 0.")

    def applied_to(self, default: Preprocessing) -> Preprocessing:
        """A default with the given options in place of its own."""
        size = self.size or default.size
        resize = default.resize
        if self.size is not None:
            side = min(size)
            resize = round(side * 256 / 224) if side >= 128 else side
        mean, std = (
            given * len(default.mean) if given and for_all else given or known
            for given, for_all, known in (
                (self.mean, self._for_all[0], default.mean),
                (self.std, self._for_all[1], default.std),
            )
        )
        if len(mean) != len(std) or len(mean) not in (1, 3):
            raise InputError(f"mean has {len(mean)} numbers and std {len(std)}; give both one (grey) or three (RGB).")
        return Preprocessing(size=size, resize=resize, mean=mean, std=std, interpolation=default.interpolation)

    def for_module(self, module: "nn.Module") -> Preprocessing:
        """For a module without a preprocessing of its own: 224 × 224, ImageNet's colours, grey if its first layer is.

        Example:
            >>> from torch import nn
            >>> InputOptions(28).for_module(nn.Sequential(nn.Conv2d(1, 8, 3))).mean
            (0.449,)
        """
        from torch import nn

        channels = next((part.in_channels for part in module.modules() if isinstance(part, nn.Conv2d)), 3)
        grey = channels == 1 or (self.mean is not None and len(self.mean) == 1 and not self._for_all[0])
        default = Preprocessing(
            size=(224, 224),
            resize=256,
            interpolation="bilinear",
            mean=(0.449,) if grey else IMAGENET_MEAN,
            std=(0.226,) if grey else IMAGENET_STD,
        )
        return self.applied_to(default)


def _is_one(given: Any) -> bool:
    """Whether a number of Python, NumPy or torch was given, and not several."""
    return np.ndim(given) == 0


def _floats(given: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in ([given] if _is_one(given) else given))


def _height_and_width(size: Any) -> tuple[int, int]:
    """A side, or (height, width)."""
    try:
        sides = (index(size),) * 2 if _is_one(size) else tuple(index(side) for side in size)
    except TypeError:
        sides = ()
    if len(sides) != 2:
        raise InputError(f"The input size is {size!r}; give a whole number of pixels, or (height, width).")
    return sides[0], sides[1]
