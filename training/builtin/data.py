"""Photos for training, held in memory as bytes; which are drawn in an epoch, and how they are varied."""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image
from torch import Generator, Tensor
from torch.nn import functional

from training.builtin.classes import LABELS, merge

KEYS = ("jpeg", "offsets", "labels", "boxes", "is_val", "names")


@dataclass(frozen=True)
class Photos:
    """Labelled photos of one size.

    Attributes:
        pixels: red, green, blue, 0 to 255.
        synsets: index of each photo's synset in the file.
        classes: index of each photo's class in `LABELS`.
        boxes: the object's left, top, right and bottom as shares of the photo's side, 0 to 1.
    """

    pixels: UInt8[Tensor, "n 3 h w"]
    synsets: Int[Tensor, " n"]
    classes: Int[Tensor, " n"]
    boxes: Float[Tensor, "n 4"]

    def __len__(self) -> int:
        """Number of photos."""
        return len(self.classes)

    def where(self, chosen: Bool[Tensor, " n"]) -> "Photos":
        """The photos for which `chosen` is true, in order."""
        return Photos(self.pixels[chosen], self.synsets[chosen], self.classes[chosen], self.boxes[chosen])


def read(path: Path) -> tuple[Photos, Photos]:
    """Training and validation photos of an archive; synsets without a class are left out.

    Args:
        path: an `.npz` with `jpeg` (the bytes of all files, one after another), `offsets` (where each
            begins, and the end), `labels` (index into `names`, the synsets), `boxes` (the object's left,
            top, right and bottom in pixels) and `is_val` (held out).

    Returns:
        The photos to train on, and those held out.

    Raises:
        ValueError: if the archive lacks an array.
    """
    with np.load(path, allow_pickle=False) as archive:
        missing = [key for key in KEYS if key not in archive]
        if missing:
            raise ValueError(f"{path} has no array {missing[0]!r}; training needs {', '.join(KEYS)}.")
        jpeg, offsets, labels, boxes, held_out, names = (archive[key] for key in KEYS)
    classes = np.asarray(merge(names.tolist()))[labels]
    kept = np.flatnonzero(classes >= 0)
    pixels = np.stack([decode(jpeg[offsets[i] : offsets[i + 1]].tobytes()) for i in kept])
    side = pixels.shape[-1]
    photos = Photos(
        torch.from_numpy(pixels),
        torch.from_numpy(labels[kept].astype(np.int64)),
        torch.from_numpy(classes[kept].astype(np.int64)),
        torch.from_numpy(boxes[kept].astype(np.float32)) / side,
    )
    held = torch.from_numpy(held_out[kept].astype(bool))
    return photos.where(~held), photos.where(held)


def decode(data: bytes) -> UInt8[np.ndarray, "3 h w"]:
    """One file's red, green and blue."""
    with Image.open(io.BytesIO(data)) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def shares(photos: Photos, *, power: float, emphasis: dict[str, float]) -> Float[Tensor, " classes"]:
    """What part of an epoch each class gets: proportional to emphasis · size^power.

    With power 0 every class is drawn equally often, with power 1 every photo; between the two, a class of
    many synsets is seen more often than one of a single synset, without swamping it.

    Args:
        photos: the photos to draw from; a class without any gets nothing.
        power: 0 to 1.
        emphasis: factor by label, 1 where absent.

    Returns:
        Shares that add up to 1.

    Raises:
        LookupError: if `emphasis` names no class.
    """
    unknown = sorted(set(emphasis) - set(LABELS))
    if unknown:
        raise LookupError(f"No class {unknown[0]!r} to emphasise; there are {', '.join(LABELS)}.")
    sizes = torch.bincount(photos.classes, minlength=len(LABELS)).float()
    factors = torch.tensor([emphasis.get(label, 1.0) for label in LABELS])
    weights = factors * torch.where(sizes > 0, sizes**power, 0.0)
    return weights / weights.sum()


def draw(
    classes: Int[Tensor, " n"], portions: Float[Tensor, " classes"], *, count: int, generator: Generator
) -> Int[Tensor, " drawn"]:
    """The photos of one epoch, shuffled: of each class its share, none twice before each was drawn once.

    Args:
        classes: class of each photo.
        portions: share of each class.
        count: about how many photos to draw; every class is rounded to whole photos.
        generator: source of chance.

    Returns:
        Indices into `classes`.
    """
    chosen = []
    for index, portion in enumerate(portions.tolist()):
        members = torch.nonzero(classes == index).flatten()
        wanted = round(portion * count)
        while wanted > 0:
            turn = members[torch.randperm(len(members), generator=generator)[:wanted]]
            chosen.append(turn)
            wanted -= len(turn)
    together = torch.cat(chosen)
    return together[torch.randperm(len(together), generator=generator)]


def vary(
    pixels: UInt8[Tensor, "n 3 h w"], boxes: Float[Tensor, "n 4"], *, size: int, closest: float, generator: Generator
) -> Float[Tensor, "n 3 size size"]:
    """Random views of the photos: cropped around the object or zoomed out, flipped, their colours shifted.

    A view's side is `closest` to 1.25 of the photo's (log-uniform), stretched by up to 12 %; its centre is a
    point of the object's box, moved so that a view smaller than the photo stays inside it. What lies
    outside the photo is its mirror image.

    Args:
        pixels: 0 to 255.
        boxes: left, top, right, bottom, 0 to 1.
        size: side of the views, in pixels.
        closest: side of the smallest view, as part of the photo's side.
        generator: source of chance.

    Returns:
        The views, 0 to 1.
    """
    count = len(pixels)

    def chance(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * (high - low) + low

    stretch = torch.exp(chance(-0.12, 0.12, 1))
    sides = torch.exp(chance(math.log(closest), math.log(1.25), 1)) * torch.cat([stretch, 1 / stretch], 1)
    centres = boxes[:, :2] + (boxes[:, 2:] - boxes[:, :2]) * chance(0, 1, 2)
    slack = (1 - sides).abs() / 2
    centres = torch.clamp(centres, 0.5 - slack, 0.5 + slack)
    flips = torch.where(chance(0, 1) < 0.5, -1.0, 1.0)

    # Affine maps go from the view to the photo, both from -1 to 1.
    maps = torch.zeros(count, 2, 3)
    maps[:, 0, 0] = sides[:, 0] * flips
    maps[:, 1, 1] = sides[:, 1]
    maps[:, :, 2] = 2 * centres - 1
    grid = functional.affine_grid(maps, [count, 3, size, size], align_corners=False)
    photos = pixels.float() / 255
    views = functional.grid_sample(photos, grid, padding_mode="reflection", align_corners=False)

    grey = views.mean(1, keepdim=True)
    views = grey + (views - grey) * chance(0.7, 1.3, 1, 1, 1)
    middle = views.mean((1, 2, 3), keepdim=True)
    views = middle * chance(0.75, 1.25, 1, 1, 1) + (views - middle) * chance(0.75, 1.25, 1, 1, 1)
    return (views * chance(0.95, 1.05, 3, 1, 1)).clamp(0, 1)


def shift(pixels: UInt8[Tensor, "n 3 h w"], *, reach: int, generator: Generator) -> Float[Tensor, "n 3 h w"]:
    """The photos moved by whole pixels and flipped at random, brightness and contrast varied: as sharp as they are.

    Args:
        pixels: 0 to 255.
        reach: farthest move along a side, in pixels; what comes into view is the photo's mirror image.
        generator: source of chance.

    Returns:
        The views, 0 to 1.
    """
    count, _, height, width = pixels.shape
    flips = torch.rand(count, generator=generator) < 0.5
    photos = torch.where(flips[:, None, None, None], pixels.flip(3), pixels).float() / 255
    padded = functional.pad(photos, (reach,) * 4, mode="reflect")
    moves = torch.randint(0, 2 * reach + 1, (count, 2), generator=generator).tolist()
    views = torch.stack([padded[i, :, y : y + height, x : x + width] for i, (y, x) in enumerate(moves)])
    contrast, brightness = torch.rand(2, count, 1, 1, 1, generator=generator)
    varied: Tensor = (views - 0.5) * (0.8 + 0.4 * contrast) + 0.35 + 0.3 * brightness
    return varied.clamp(0, 1)
