from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from circuits.network.network import Network
from tests.support.linked import linked_network

CLASSES = ("class 0", "class 1", "class_2")


@pytest.fixture(scope="session")
def network() -> Network:
    return linked_network("branches")


def save_photo(path: Path, seed: int) -> None:
    """A photo of 8 × 8 of chance."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eleven photos of each of two classes and three of another, whose folder has no blank in its name."""
    folder = tmp_path / "photos"
    for at, (name, count) in enumerate(zip(CLASSES, (11, 11, 3), strict=True)):
        for number in range(count):
            save_photo(folder / name / f"{number}.png", 100 * at + number)
    return folder
