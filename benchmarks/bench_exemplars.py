"""What an index of exemplars costs beyond the network's own forward pass, in one run on the same photos.

- forward: the photos, already decoded, through the network in the batches of the index, and nothing else;
- index: `index_photos` from the files to the finished index on disk;
- share: the time of the forward pass as part of the time of the index;
- waiting: part of the index's time in which the network waited for a photo;
- of its thread: the same share, of the processor's time spent in the thread that runs the network, which other
  programs on the machine change little; it is told for a network of one thread.

Both are timed in turn, and the best of the rounds counts. With `--threads` below the number of cores, a core is left
for decoding, as on any machine with more cores than the network uses well.

Run it with `python benchmarks/bench_exemplars.py`.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from unittest import mock

import numpy as np
import torch
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from circuits import Network, load_network
from circuits.exemplars import build
from circuits.exemplars.build import PhotoBatch, index_photos
from circuits.exemplars.loader import PhotoReader, files_in

NETWORKS = ("squeezenet1_1", "googlenet")


def make_photos(folder: Path, count: int) -> None:
    """JPEG files of the usual 500 × 375 pixels, with edges and textures of many sizes, about 80 kB each."""
    chance = np.random.default_rng(0)
    for number in range(count):
        picture = Image.new("RGB", (500, 375))
        for cells in (5, 20, 80, 320):
            noise = Image.fromarray(chance.integers(0, 256, (cells * 3 // 4, cells, 3), dtype=np.uint8))
            picture = Image.blend(picture, noise.resize(picture.size), 0.5)
        picture.save(folder / f"{number:05}.jpg", quality=90)


def decoded(network: Network, folder: Path) -> list[Tensor]:
    """All photos in the batches of the index."""
    reader = PhotoReader(folder, network.preprocessing)
    batches = build.batches(map(reader, files_in(folder)))
    return [batch.images for batch in batches if batch.images is not None]


@dataclass(frozen=True, order=True)
class Took:
    """Seconds, and seconds of this thread on the processor; seconds of waiting for photos."""

    wall: float
    thread: float
    waited: float = 0.0


def forward(network: Network, batches: list[Tensor]) -> Took:
    begun = time.perf_counter(), time.thread_time()
    with torch.inference_mode():
        for batch in batches:
            network.logits(batch)
    return Took(time.perf_counter() - begun[0], time.thread_time() - begun[1])


def index(network: Network, folder: Path) -> Took:
    waited = 0.0
    plain = build.ahead

    @contextmanager
    def watched(batches: Iterator[PhotoBatch]) -> Iterator[Iterator[PhotoBatch]]:
        with plain(batches) as ready:
            yield timed(ready)

    def timed(ready: Iterator[PhotoBatch]) -> Iterator[PhotoBatch]:
        nonlocal waited
        while True:
            begun = time.perf_counter()
            batch = next(ready, None)
            waited += time.perf_counter() - begun
            if batch is None:
                return
            yield batch

    with tempfile.TemporaryDirectory() as kept, mock.patch.object(build, "ahead", watched):
        begun = time.perf_counter(), time.thread_time()
        index_photos(network, folder, into=kept)
        return Took(time.perf_counter() - begun[0], time.thread_time() - begun[1], waited)


def measure(name: str, folder: Path, rounds: int) -> tuple[str, ...]:
    """A row of the table."""
    network = load_network(name, weights="random")
    batches = decoded(network, folder)
    forward(network, batches[:2])
    rows = [(forward(network, batches), index(network, folder)) for _ in range(rounds)]
    count = sum(1 for _ in files_in(folder))
    bare, whole = (min(column) for column in zip(*rows, strict=True))
    threads = [min(took.thread for took in column) for column in zip(*rows, strict=True)]
    return (
        name,
        str(count),
        f"{bare.wall:.1f} s",
        f"{whole.wall:.1f} s",
        f"{100 * bare.wall / whole.wall:.0f} %",
        f"{100 * whole.waited / whole.wall:.1f} %",
        f"{100 * threads[0] / threads[1]:.0f} %" if torch.get_num_threads() == 1 else "",
        f"{count / whole.wall:.1f}",
        f"{count / bare.wall:.1f}",
    )


def main(
    folder: Annotated[Path | None, typer.Option(help="Photos; generated ones, if left out.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Photos to generate.")] = 512,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the network.")] = None,
) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
    console = Console(width=120)
    table = Table("network", "photos", "forward", "index", "share", "waiting", "of its thread", "photos/s", "forward/s")
    with tempfile.TemporaryDirectory() as made:
        if folder is None:
            folder = Path(made)
            make_photos(folder, count)
        for name in NETWORKS:
            table.add_row(*measure(name, folder, rounds))
    console.print(f"Threads of the network: {torch.get_num_threads()} of {os.cpu_count()} cores", table)


if __name__ == "__main__":
    typer.run(main)
