"""A tiny network and a gallery that paints instead of rendering."""

import queue
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from circuits.attribution.baseline import Baseline
from circuits.groups.layer_direction import Subject
from circuits.image.preprocessing import Preprocessing
from circuits.network.network import Network
from circuits.network.prepare import prepare
from circuits.units import Progress, Unit
from dashboard.answers import CollectionExemplars, NoCollection, ShownExemplar, Variant
from dashboard.webp import webp
from dashboard.work.previews import OnPreview, OnVariant

TINY_LABELS = ("cat", "dog", "tree", "car", "<b>ship</b>", "bird")


def tiny_network(seed: int = 0, name: str = "tiny", labels: Sequence[str] = TINY_LABELS) -> Network:
    """Three rectified convolutions and a linear layer with seeded weights: layers a, b, c and fc."""
    torch.manual_seed(seed)
    module = nn.Sequential()
    for place, (inputs, outputs) in enumerate([(3, 12), (12, 16), (16, 20)]):
        module.add_module(f"conv{place}", nn.Conv2d(inputs, outputs, 3, padding=1))
        module.add_module("abc"[place], nn.ReLU())
        module.add_module(f"pool{place}", nn.MaxPool2d(2))
    module.add_module("flat", nn.Flatten())
    module.add_module("fc", nn.Linear(20 * 16, len(labels)))
    size = Preprocessing((32, 32), 32, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "bilinear")
    return prepare(module, name=name, source="test", preprocessing=size, labels=list(labels))


class PaintedCollection:
    """A collection of squares; there is none until `photos` are put into it. `gate` holds an answer back.

    Args:
        photos: how many it has.
    """

    def __init__(self, photos: int = 0) -> None:
        self.photos = photos
        self.gate = threading.Event()
        self.gate.set()
        self.requested: list[Unit] = []

    def stamp(self) -> str:
        """Their number."""
        return str(self.photos)

    is_due = False

    def build(self, progress: Progress) -> None:
        """There is nothing to index."""

    def baseline(self) -> Baseline | None:
        """A tenth for every unit of the tiny network."""
        widths = {"a": 12, "b": 16, "c": 20, "fc": 6}
        means = {layer: torch.full((width,), 0.1) for layer, width in widths.items()}
        return Baseline("mean", f"squares ({self.photos} photos)", means) if self.photos else None

    def of(self, unit: Unit, activation: float, progress: Progress) -> CollectionExemplars | NoCollection:
        """Nine squares that excite the unit, and two that it hardly notices."""
        self.requested.append(unit)
        while not self.gate.wait(timeout=0.01):
            progress(0, 1, "")
        if not self.photos:
            return NoCollection()
        squares = [webp(Image.new("RGB", (16, 16), (20 * n, 0, 0))) for n in range(9)]
        most = tuple(ShownExemplar(each, f"{n}.png", "red things", 9.0 - n) for n, each in enumerate(squares))
        levels = ((0.0, 0.0), (50.0, 0.5), (90.0, 4.0), (99.0, 8.0), (100.0, 9.0))
        groups = {"most": most, "slightly_positive": most[7:], "slightly_negative": (), "least": ()}
        return CollectionExemplars(groups, self.photos, levels, activation, 93.5, (("red things", 9),), missing=1)


def _number(unit: Subject) -> int:
    """A channel's number, or what a direction's numbers come to."""
    return unit.channel if isinstance(unit, Unit) else zlib.crc32(unit.data) % 200


class PaintedGallery:
    """Pictures that are painted at once; `gate` holds each one back until it is opened.

    While it is closed, each number that is put into `sketches` is a step after which an unfinished picture is shown.
    The picture of a unit in `dead_units` shows nothing.

    Args:
        folder: where they go.
        network: whose units; its fingerprint enters the key.
    """

    def __init__(self, folder: Path, network: Network) -> None:
        self.folder = folder
        self.network = network
        self.gate = threading.Event()
        self.gate.set()
        self.begun: list[Subject] = []
        self.drawn: list[tuple[Unit, str]] = []
        self.broken: set[Subject] = set()
        self.dead_units: set[Subject] = set()
        self.sketches: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.sketch_part = 0.0
        self.sketched: list[Subject] = []

    def key(self, unit: Subject) -> str:
        """Layer, channel (or what tells a direction) and network as hexadecimal digits."""
        return f"{unit.layer}:{_number(unit)}:{self.network.sha256[:8]}".encode().hex()

    def file(self, key: str) -> Path | None:
        """The file, once it is painted."""
        path = self.folder / f"{key}.webp"
        return path if path.exists() else None

    def activation(self, unit: Subject) -> float | None:
        """Ten plus the channel, so that it can be recognised; for a dead unit nothing."""
        if self.file(self.key(unit)) is None:
            return None
        return 0.0 if unit in self.dead_units else 10.0 + _number(unit)

    def zoom(self, unit: Subject) -> int:
        """The pictures are three times as wide as what the network sees."""
        return 3

    def dead(self, unit: Subject) -> bool:
        """Whether it is told to be, and painted."""
        return unit in self.dead_units and self.file(self.key(unit)) is not None

    def render(self, units: Sequence[Subject], progress: Progress, preview: OnPreview) -> None:
        """Paint squares of one colour each; waits while the gate is closed, and stops when told to."""
        for unit in units:
            self.begun.append(unit)
            while not self.gate.wait(timeout=0.01):
                progress(1, 4, "")
                if not self.sketches.empty():
                    step = self.sketches.get_nowait()
                    preview(unit, Image.new("RGB", (48, 48), (step, step, step)), step, 256)
            progress(2, 4, "")
            if unit in self.broken:
                raise RuntimeError("no picture for this one")
            self.paint(unit)

    def sketch(self, units: Sequence[Subject], progress: Progress) -> list[tuple[Image.Image, int]]:
        """Grey squares, if `sketch_part` says that there are sketches."""
        self.sketched += units
        progress(1, 2, "")
        if not self.broken.isdisjoint(units):
            raise RuntimeError("no sketch for this one")
        return [(Image.new("RGB", (48, 48), (_number(unit),) * 3), 32) for unit in units]

    def variants(self, unit: Unit, kind: str) -> tuple[Variant, ...]:
        """One that is against it, reaching nothing, or four diverse images, reaching 1 to 4."""
        reached = [0.0] if kind == "negative" else [1.0, 2.0, 3.0, 4.0]
        keys = [self.key(unit) + f"{kind[0]}{place}".encode().hex() for place in range(len(reached))]
        return tuple(
            Variant(key, value if self.file(key) is not None else None)
            for key, value in zip(keys, reached, strict=True)
        )

    def draw_variants(self, unit: Unit, kind: str, progress: Progress, preview: OnVariant) -> None:
        """Paint squares of one grey each; waits, shows sketches and stops as `render` does."""
        self.drawn.append((unit, kind))
        keys = [variant.key for variant in self.variants(unit, kind)]
        while not self.gate.wait(timeout=0.01):
            progress(1, 4, "")
            if not self.sketches.empty():
                step = self.sketches.get_nowait()
                for key in keys:
                    preview(key, Image.new("RGB", (48, 48), (step, step, step)), step, 256)
        progress(2, 4, "")
        for place, key in enumerate(keys):
            Image.new("RGB", (96, 96), (50 * place, 99, 99)).save(self.folder / f"{key}.webp", "WEBP")

    def paint(self, unit: Subject) -> None:
        """Put the picture of a unit there."""
        colour = np.random.default_rng(_number(unit)).integers(60, 230, 3).tolist()
        path = self.folder / f"{self.key(unit)}.webp"
        Image.new("RGB", (96, 96), tuple(colour)).save(path.with_suffix(".part"), "WEBP")
        path.with_suffix(".part").replace(path)
