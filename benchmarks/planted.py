"""Pictures with planted parts: which part lies where is known, and what a class is made of.

A picture has three by three cells, each empty or with one part. A class is a pair of parts that both are there, so that
no part alone says it, and a picture may be of several classes. Every part but the dots belongs to two classes: what
distracts from one class matters to another, so that a network must see it. Size, colour and place in a cell vary.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

GRID, CELL = 3, 16
SIDE = GRID * CELL
SIZES = (12, 13, 14, 15)
PARTS = ("wheel", "window", "wing", "ladder", "leaf", "bolt", "dots")
CLASSES = tuple((part, (part + 1) % 6) for part in range(6))
LABELS = tuple(f"{PARTS[one]} + {PARTS[two]}" for one, two in CLASSES)
EMPTY = -1


@dataclass(frozen=True, eq=False)
class Planted:
    """Pictures and what was planted in them.

    Args:
        pictures: 8 bits, (N, SIDE, SIDE, 3).
        asked: number of the class that each one was made for; -1 if for none.
        classes: whether both parts of a class are there, (N, classes).
        parts: number of the part in each cell, -1 for an empty one, (N, GRID, GRID).
        masks: where each part is, (N, parts, SIDE, SIDE).
    """

    pictures: NDArray[np.uint8]
    asked: NDArray[np.int64]
    classes: NDArray[np.bool_]
    parts: NDArray[np.int64]
    masks: NDArray[np.bool_]


@cache
def stencil(part: int, size: int) -> NDArray[np.float32]:
    """How much of each pixel a part covers, (size, size)."""
    fine, name = 8 * size, PARTS[part]
    image = Image.new("L", (fine, fine))
    draw = ImageDraw.Draw(image)

    def at(*numbers: float) -> list[float]:
        return [number * (fine - 1) for number in numbers]

    thick = fine // 6
    if name == "wheel":
        draw.ellipse(at(0, 0, 1, 1), outline=255, width=thick)
        draw.ellipse(at(0.4, 0.4, 0.6, 0.6), fill=255)
    elif name == "window":
        draw.rectangle(at(0, 0, 1, 1), outline=255, width=thick)
        draw.line(at(0.5, 0, 0.5, 1), fill=255, width=thick)
        draw.line(at(0, 0.5, 1, 0.5), fill=255, width=thick)
    elif name == "wing":
        draw.polygon(at(0, 1, 1, 1, 0, 0), fill=255)
    elif name == "ladder":
        for x in (0.2, 0.8):
            draw.line(at(x, 0, x, 1), fill=255, width=thick)
        for y in (0.15, 0.5, 0.85):
            draw.line(at(0.2, y, 0.8, y), fill=255, width=fine // 10)
    elif name == "leaf":
        draw.ellipse(at(0.2, 0, 0.8, 1), fill=255)
    elif name == "bolt":
        draw.line(at(0.9, 0, 0.3, 0.5, 0.75, 0.5, 0.1, 1), fill=255, width=thick)
    else:
        for x, y in ((0, 0), (0.65, 0), (0, 0.65), (0.65, 0.65)):
            draw.ellipse(at(x, y, x + 0.35, y + 0.35), fill=255)
    small = image.resize((size, size), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / 255


def _chosen(random: np.random.Generator, classed: bool) -> tuple[int, list[int]]:
    """A class, and what is in a picture of it; or no class, and any parts, some of them more than once."""
    if not classed:
        return EMPTY, [int(part) for part in random.integers(len(PARTS), size=random.integers(2, 6))]
    number = int(random.integers(len(CLASSES)))
    others = [part for part in range(len(PARTS)) if part not in CLASSES[number]]
    added = random.choice(others, int(random.integers(4)), replace=False)
    return number, [*CLASSES[number], *map(int, added)]


def plant(count: int, seed: int, *, classed: bool = True) -> Planted:
    """Draw pictures.

    Args:
        count: how many.
        seed: of the chance in them.
        classed: whether each is made for a class, with up to three other parts; else it has any two to five.
    """
    random = np.random.default_rng(seed)
    pictures = np.empty((count, SIDE, SIDE, 3), dtype=np.uint8)
    asked = np.full(count, EMPTY, dtype=np.int64)
    classes = np.zeros((count, len(CLASSES)), dtype=np.bool_)
    cells = np.full((count, GRID, GRID), EMPTY, dtype=np.int64)
    masks = np.zeros((count, len(PARTS), SIDE, SIDE), dtype=np.bool_)
    for n in range(count):
        asked[n], present = _chosen(random, classed)
        classes[n] = [one in present and two in present for one, two in CLASSES]
        canvas = random.uniform(0.1, 0.4, (1, 1, 3)) + random.normal(0, 0.06, (SIDE, SIDE, 3))
        places = random.choice(GRID * GRID, len(present), replace=False)
        for part, place in zip(present, places, strict=True):
            row, column = divmod(int(place), GRID)
            size = int(random.choice(SIZES))
            top, left = (CELL * cell + int(random.integers(CELL - size + 1)) for cell in (row, column))
            box = slice(top, top + size), slice(left, left + size)
            cover = stencil(part, size)[:, :, None]
            canvas[box] = (1 - cover) * canvas[box] + cover * random.uniform(0.6, 1, 3)
            cells[n, row, column] = part
            masks[n, part][box] |= cover[:, :, 0] > 0.5
        pictures[n] = np.clip(255 * canvas, 0, 255).round()
    return Planted(pictures, asked, classes, cells, masks)


def peaks_in_cells(activation: NDArray[np.float32]) -> NDArray[np.float32]:
    """Highest activation in each cell, (N, C, H, W) to (N, C, GRID, GRID); H and W are multiples of GRID."""
    count, channels, height, width = activation.shape
    cut = activation.reshape(count, channels, GRID, height // GRID, GRID, width // GRID)
    return cut.max((3, 5))


def areas_under_curve(peaks: NDArray[np.float32], parts: NDArray[np.int64]) -> NDArray[np.float64]:
    """How well a channel's peak in a cell tells each part from the others, (channels, parts).

    AUC_cp = P(peak of c in a cell with p > its peak in a cell with another part) + ½ P(they are equal)

    It is found from ranks (Mann & Whitney 1947): AUC = (Σ ranks of p - n(n+1)/2) / (n · m). Empty cells do not count,
    so that a channel which fires at anything gets ½, and one for two of seven parts 11/12 for each of them.

    Args:
        peaks: (N, C, GRID, GRID).
        parts: in each cell, (N, GRID, GRID).
    """
    filled = parts != EMPTY
    values = np.moveaxis(peaks, 1, -1)[filled]
    kinds = parts[filled]
    areas = np.empty((values.shape[1], len(PARTS)))
    for channel, row in enumerate(values.T):
        _, place, times = np.unique(row, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(times) - (times - 1) / 2)[place]
        for part in range(len(PARTS)):
            mine = kinds == part
            n, m = int(mine.sum()), int((~mine).sum())
            areas[channel, part] = (ranks[mine].sum() - n * (n + 1) / 2) / (n * m)
    return areas
