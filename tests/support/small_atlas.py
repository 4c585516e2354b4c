"""A small atlas of any network, of photos of chance."""

from pathlib import Path

import numpy as np
from PIL import Image

from circuits.atlas.atlas import Atlas
from circuits.atlas.build import build_atlas
from circuits.exemplars.build import index_photos
from circuits.network.network import Network

COUNTS = {"cat": 10, "dog": 9, "tree": 3}
"""Photos of each class."""


def small_atlas(folder: Path, network: Network, *, exemplars: bool = True) -> Atlas:
    """An atlas of `COUNTS` photos of `network`, with an index of exemplars."""
    chance = np.random.default_rng(7)
    for label, count in COUNTS.items():
        for number in range(count):
            file = folder / "photos" / label / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            pixels = chance.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC).save(file)
    build_atlas(network, folder / "photos", folder / "atlas")
    if exemplars:
        cut = network.with_layers([layer.name for layer in Atlas.open(folder / "atlas").layers])
        index_photos(cut, folder / "photos", into=folder / "atlas" / "exemplars", top=3)
    return Atlas.open(folder / "atlas")
