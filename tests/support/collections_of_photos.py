"""A network of whole numbers, photos of pixels that are 0 or 1, and what an index of them must say."""

from pathlib import Path, PurePath

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from circuits.exemplars.exemplars import Exemplars
from circuits.exemplars.top_k import photo_number
from circuits.image.photo import load_photo
from circuits.image.preprocessing import Preprocessing
from circuits.network.network import Network
from circuits.network.prepare import prepare
from tests.support.nets import seeded

SIDE = 6


class Tiny(nn.Module):
    """Whole-number weights, so that sums of pixels that are 0 or 1 are exact in whatever order they are added."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.side = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 4, 1), nn.Conv2d(5, 3, 3, padding=1)
        self.fc = nn.Linear(7, 3)
        source = seeded(4)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randint(-2, 3, parameter.shape, generator=source))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.one(x))
        x = torch.cat([torch.relu(self.two(x)), torch.relu(self.side(x))], 1)
        return self.fc(x.amax((2, 3)))


def tiny_network(mean: float = 0.0) -> Network:
    see = Preprocessing((SIDE, SIDE), SIDE, (mean,) * 3, (1.0,) * 3, "bilinear")
    return prepare(Tiny(), name="tiny", source="live", preprocessing=see)


def save_photos(folder: Path, count: int, *, start: int = 0) -> None:
    """Photos of pixels that are 0 or 255, in two folders, every seventh a copy of the first."""
    for number in range(start, start + count):
        chance = np.random.default_rng(0 if number % 7 == 0 else number)
        path = folder / ("cats" if number % 3 else "dogs") / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = chance.integers(0, 2, (SIDE, SIDE, 3), dtype=np.uint8) * 255
        Image.fromarray(pixels * (chance.random() < 0.9)).save(path)


Row = tuple[str, float, tuple[int, int], float, float]


def looked_at(network: Network, folder: Path) -> dict[str, list[Row]]:
    """By unit: photo, z, its position, the peak and the mean activation, of every photo in a plain loop."""
    rows: dict[str, list[Row]] = {}
    for path in sorted(folder.rglob("*.png")):
        image = network.preprocessing.to_tensor(load_photo(path).image)
        for layer in network.layers:
            before, after = network.read(image, [(layer, None, False), (layer, None, True)])
            for channel in range(before.shape[1]):
                z, a = before[0, channel].detach().numpy(), after[0, channel].detach().numpy()
                position = tuple(int(each) for each in np.unravel_index(z.argmax(), z.shape))
                row = (path.relative_to(folder).as_posix(), float(z.max()), position, float(a.max()), float(a.mean()))
                rows.setdefault(f"{layer}:{channel}", []).append(row)
    return rows


def best(rows: list[Row], kind: str, top: int) -> list[tuple[str, float, tuple[int, int]]]:
    """A list by its definition."""
    kept = {
        "most": [(-z, row) for row in rows for z in [row[1]]],
        "slightly_positive": [(row[1], row) for row in rows if row[1] > 0],
        "slightly_negative": [(-row[1], row) for row in rows if row[1] < 0],
        "least": [(row[1], row) for row in rows],
    }[kind]
    kept.sort(key=lambda each: (each[0], photo_number(PurePath(each[1][0]))))
    return [row[:3] for _, row in kept[:top]]


def told(index: Exemplars, unit: str, kind: str) -> list[tuple[str, float, tuple[int, int]]]:
    found = getattr(index.of(unit), kind)
    return [(each.photo.relative_to(index.folder).as_posix(), each.value, each.position) for each in found]


def all_told(index: Exemplars, network: Network) -> list[object]:
    """Everything that an index says."""
    units = [f"{layer.name}:{channel}" for layer in network.layer_list for channel in range(layer.channels)]
    return [index.of(unit) for unit in units] + [index.mean(layer).tolist() for layer in index.layers]
