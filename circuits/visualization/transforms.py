"""Random transforms, under which a picture has to keep exciting its unit.

Without them, ascent finds fine grids that excite the unit only at this very position of strides and pools. Random
shifts are in DeepDream (google/deepdream 2015, `dream.ipynb`), rotation and scale in Olah 2017, "Feature
Visualization", section "Transformation robustness". Colour jitter and noise are in Ghiasi 2022, for transformers.

1. A transform is a function of images, (N, C, s, s), and of one random generator an image; it may change the side. Each
   image is changed in its own way, independent of the others in its batch; all its colours in the same.
2. Rotation, shift and scale are one affine map, and `compose` does neighbours of that kind in one resampling
   (`affine`): resampling twice blurs twice.
3. A preset is a function of the side, as a shift of eight pixels is much in a small image.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from circuits.errors import InputError, UnknownError, listed
from circuits.visualization.affine import AffineSequence, RandomAffine

Transform = Callable[[Tensor, Sequence[torch.Generator]], Tensor]


def pad(pixels: int, mode: str = "reflect") -> RandomAffine:
    """Show so many pixels beyond each border: mirrored ("reflect"), the outermost pixels ("edge") or 0.5 ("grey").

    >>> pad(1, "edge")(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), [torch.Generator()])[0, 0, 1].tolist()
    [1.0, 1.0, 2.0, 2.0]
    """
    return RandomAffine(padding=pixels, mode=mode)


def jitter(pixels: int | float) -> RandomAffine:
    """Shift by up to so many pixels, up or down and left or right, uniformly; fractions of a pixel too."""
    return RandomAffine(jitter=float(pixels))


def rotate(degrees: int | float) -> RandomAffine:
    """Rotate about the middle by up to so many degrees, either way, uniformly."""
    return RandomAffine(rotation=float(degrees))


def scale(factor: int | float) -> RandomAffine:
    """Enlarge or shrink about the middle, log-uniformly between 1/factor and factor; the side stays what it is."""
    return RandomAffine(scale=float(factor))


def crop(window: int | float) -> "Crop":
    """Show a square window at a random place: its side in pixels, or as a share of the side if below 1."""
    return Crop(window)


def noise(std: int | float) -> "Noise":
    """Add independent normal noise of this standard deviation to every value."""
    return Noise(float(std))


@dataclass(frozen=True)
class Crop:
    """A square window at a random place, every place that lies within the image being as likely.

    Args:
        window: its side, in pixels if it is a whole number, else as a share of the image's side, above 0 and up to 1.

    Raises:
        InputError: if it is not positive, or a share above 1; when called, if it is larger than the image.

    >>> crop(0.5)(torch.zeros(2, 3, 16, 16), [torch.Generator(), torch.Generator()]).shape
    torch.Size([2, 3, 8, 8])
    """

    window: int | float

    def __post_init__(self) -> None:
        if self.window <= 0 or (isinstance(self.window, float) and self.window > 1):
            raise InputError(f"A window of {self.window} cannot be cut out; give pixels, or a share of the side.")

    def __call__(self, images: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Cut each image by its own generator's next two draws: (N, C, s, s) to (N, C, window, window)."""
        side = images.shape[-1]
        window = self.window if isinstance(self.window, int) else max(1, round(self.window * side))
        if window > side:
            raise InputError(f"A window of {window} pixels cannot be cut out of an image of {side}; make it smaller.")
        if window == side:
            return images
        draws = torch.stack([torch.rand(2, generator=generator) for generator in generators])
        places = (draws * (side - window + 1)).long().tolist()
        windows = [
            image[:, row : row + window, column : column + window]
            for image, (row, column) in zip(images, places, strict=True)
        ]
        return torch.stack(windows)


@dataclass(frozen=True)
class Noise:
    """Independent normal noise. Values may leave 0..1: a limit would stop the gradient there.

    Args:
        std: standard deviation, 1 being the way from black to white.

    Raises:
        InputError: if it is negative.

    >>> float(noise(0.1)(torch.zeros(1, 3, 32, 32), [torch.Generator().manual_seed(0)]).std().round(decimals=2))
    0.10000000149011612
    """

    std: float

    def __post_init__(self) -> None:
        if not self.std >= 0:
            raise InputError(f"Noise of {self.std} cannot be added; give a standard deviation of 0 or more.")

    def __call__(self, images: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Add each image's own noise: (N, C, s, s) to (N, C, s, s)."""
        if self.std == 0:
            return images
        drawn = torch.stack([torch.randn(images.shape[1:], generator=generator) for generator in generators])
        return images + self.std * drawn.to(images)


def colours(amount: int | float) -> "Colours":
    """Make each image darker or lighter in each colour, and paler or stronger, by up to about so much."""
    return Colours(float(amount))


@dataclass(frozen=True)
class Colours:
    """Colour jitter: x · exp(u) + v, with u and v uniform in ±amount, a pair for each image and colour.

    Source: Ghiasi 2022, "What do vision transformers learn?", ColorShift, there with u and v of up to 1 on normalised
    images. Values may leave 0..1, as with noise.

    Args:
        amount: 1 being the way from black to white, and a factor of e.

    Raises:
        InputError: if it is negative.

    >>> colours(0.2)(torch.zeros(1, 3, 4, 4), [torch.Generator().manual_seed(0)]).flatten(2).std(2).tolist()
    [[0.0, 0.0, 0.0]]
    """

    amount: float

    def __post_init__(self) -> None:
        if not self.amount >= 0:
            raise InputError(f"Colours cannot be changed by {self.amount}; give 0 or more.")

    def __call__(self, images: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Change each image by its own draws: (N, C, s, s) to (N, C, s, s)."""
        if self.amount == 0:
            return images
        draws = torch.stack([torch.rand(2, images.shape[1], 1, 1, generator=generator) for generator in generators])
        strength, shift = (self.amount * (2 * draws - 1)).to(images).unbind(1)
        return (images - 0.5) * strength.exp() + 0.5 + shift


@dataclass(frozen=True)
class Composed:
    """One transform after the other; made by `compose`."""

    parts: tuple[Transform, ...]

    def __call__(self, images: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Change the images by each part in turn."""
        for part in self.parts:
            images = part(images, generators)
        return images


def compose(*transforms: Transform) -> Transform:
    """All transforms, in this order; affine ones that follow each other in one resampling.

    An image is taken to go on without end in the way that padding says, so that it does not matter whether padding
    comes before or after a rotation; paddings of different modes are done one after the other.

    >>> compose(pad(8), jitter(8), rotate(10), scale(1.1)) == standard(128)
    True
    >>> compose(jitter(2), noise(0.1)).parts
    (RandomAffine(jitter=2.0), Noise(std=0.1))
    """
    parts: list[Transform] = []
    for part in (part for given in transforms for part in (given.parts if isinstance(given, Composed) else (given,))):
        last = parts[-1] if parts else None
        joined = None
        if isinstance(last, RandomAffine | AffineSequence) and isinstance(part, RandomAffine | AffineSequence):
            joined = last.then(part)
        if joined is None:
            parts.append(part)
        else:
            parts[-1] = joined
    kept = [part for part in parts if part != RandomAffine()]
    return kept[0] if len(kept) == 1 else Composed(tuple(kept)) if kept else RandomAffine()


def none(side: int) -> Transform:
    """No change at all: what ascent finds without transformation robustness."""
    return RandomAffine()


def light(side: int) -> Transform:
    """Shifts of up to a pixel, rotations of up to 5°, scales within 1.1×: pictures that keep fine detail.

    >>> light(128)
    RandomAffine(jitter=1.0, scale=1.1, rotation=5.0)
    """
    return compose(jitter(1), rotate(5), scale(1.1))


def standard(side: int) -> Transform:
    """The default. Shifts of up to 8 pixels cover the strides and poolings of common networks.

    >>> standard(128)
    RandomAffine(padding=8, jitter=8.0, scale=1.1, rotation=10.0)
    """
    return compose(pad(side // 16), jitter(min(8.0, side / 8)), rotate(10), scale(1.1))


def tokens(side: int) -> Transform:
    """The default for transformers: `standard`, with colours jittered and noise added.

    Without these, ascent finds a fine grain on the grid of the patches (Ghiasi 2022, "What do vision transformers
    learn?").

    >>> tokens(128).parts[1:]
    (Colours(amount=0.3), Noise(std=0.1))
    """
    return compose(standard(side), colours(0.3), noise(0.1))


TRANSFORMS: Mapping[str, Callable[[int], Transform]] = MappingProxyType(
    {"none": none, "light": light, "standard": standard, "tokens": tokens}
)


def named_transform(name: str) -> Callable[[int], Transform]:
    """The preset of that name.

    Raises:
        UnknownError: if there is none.

    >>> named_transform("none")(128)
    RandomAffine()
    """
    if name not in TRANSFORMS:
        raise UnknownError(f"There is no transform {name!r}; there are {listed(TRANSFORMS)}.")
    return TRANSFORMS[name]


def moved_side(transform: Transform, side: int) -> int:
    """Side of transformed images of a side: what the network is shown.

    >>> moved_side(standard(128), 128), moved_side(compose(pad(4), crop(20)), 32)
    (144, 20)
    """
    return int(transform(torch.zeros(1, 1, side, side), [torch.Generator()]).shape[-1])
