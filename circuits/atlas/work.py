"""The unit of work: a bucket of photos in, a file of sums out. Any engine may run it, anywhere, as often as it likes.

A bucket is computed alone, in batches of one size in the order of the photos' numbers, by one thread: what comes of it
depends neither on what else is computed nor on how many do it.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from circuits.atlas.fixed import narrowed
from circuits.atlas.measure import Sums, finite, links_of_class, matrices_of_class
from circuits.atlas.plan import Job
from circuits.atlas.storage import AtlasFolder
from circuits.atlas.subject import Subject
from circuits.attribution.links import Link
from circuits.attribution.weight_links import LinkedBatch, LinkPass
from circuits.errors import InputError
from circuits.exemplars.loader import LoadedPhoto, PhotoFile, PhotoReader, read_ahead
from circuits.network.device import exact
from circuits.network.network import Network

BATCH = 8
"""Photos of a pass; their links are one sample of the spread of links, so the number is part of the format."""
Tick = Callable[[int], None]
"""Called with photos that were done since it was called last."""
_OVERFLOW = "The network puts out NaN or infinity for it."


@dataclass(frozen=True)
class BucketWork:
    """Computes buckets and writes them; it can be sent to another process.

    Args:
        load: gives the network: a prepared one does not survive being sent, so that a process loads its own.
        subject: what the network must be.
        photos: the folder of the photos.
        into: the folder of the atlas.
    """

    load: Callable[[], Network]
    subject: Subject
    photos: Path
    into: Path

    def __call__(self, job: Job, tick: Tick | None = None) -> Path:
        """Compute a bucket, and write it, if another command on the same folder has not done so meanwhile.

        Raises:
            InputError: if the network is another one than that of the atlas, its numbers do not fit, or the file
                cannot be written.
        """
        folder = AtlasFolder(self.into)
        if folder.is_done(job, self.subject, self.photos):
            if tick is not None:
                tick(len(job.photos))
            return folder.bucket_file(job)
        measure = _prepared(self)
        with one_thread():
            photos, sums = measure(job, self.photos, tick)
        arrays = {name: narrowed(value) for name, value in sums.items()}
        return folder.write_bucket(job, self.subject, photos, arrays)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread while the block runs: sums that several share come out differently by their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Measure:
    """A network made ready to compute buckets."""

    def __init__(self, network: Network, links: tuple[Link, ...], *, class_free: bool) -> None:
        self.network, self.links, self.class_free = network, links, class_free
        self.run = LinkPass(network, links, class_free=class_free)
        self.size = 1 if network.is_one_at_a_time else BATCH

    def __call__(self, job: Job, folder: Path, tick: Tick | None) -> tuple[list[PhotoFile], dict[str, torch.Tensor]]:
        """The photos of a bucket as they were read, and its sums in fixed point; none if no photo can be read."""
        reader, top = PhotoReader(folder, self.network.preprocessing), self.network.layers[-1]
        links = links_of_class(self.links, top, job.channel)
        sums = Sums(self.network.layers, links, self.class_free)
        read: list[PhotoFile] = []
        waiting: list[LoadedPhoto] = []
        with closing(read_ahead(reader, job.photos)) as ready:
            for loaded in ready:
                waiting.append(loaded)
                if sum(each.pixels is not None for each in waiting) == self.size:
                    read += self._add(waiting, job, links, sums)
                    self._tick(tick, waiting)
                    waiting = []
        read += self._add(waiting, job, links, sums)
        self._tick(tick, waiting)
        return read, sums.fixed()

    def _tick(self, tick: Tick | None, photos: list[LoadedPhoto]) -> None:
        if tick is not None:
            tick(len(photos))

    def _add(self, loaded: list[LoadedPhoto], job: Job, links: tuple[Link, ...], sums: Sums) -> list[PhotoFile]:
        """Count some photos; the files as they are to be listed."""
        pixels = [each.pixels for each in loaded if each.pixels is not None]
        entries = [each.entry for each in loaded]
        if not pixels:
            return entries
        batch = self._pass(pixels, job.channel)
        good = finite(batch).tolist()
        if not all(good):
            verdicts = iter(good)
            entries = [entry if entry.fault or next(verdicts) else replace(entry, fault=_OVERFLOW) for entry in entries]
            pixels = [each for each, is_good in zip(pixels, good, strict=True) if is_good]
            if not pixels:
                return entries
            batch = self._pass(pixels, job.channel)  # what overflowed is in the sums over the photos
        sums.add(matrices_of_class(batch, self.links, self.network.layers[-1], job.channel))
        return entries

    @exact()
    def _pass(self, pixels: list[np.ndarray], channel: int) -> LinkedBatch:
        try:
            return self.run(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2), channel)
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"The device has not enough memory for {len(pixels)} photos of {self.network.name} with their "
                "gradients; close what else uses it, or use --device cpu."
            ) from error


_ready: dict[str, _Measure] = {}
"""The network of this process, by the key of the atlas."""


def forget() -> None:
    """Let go of the network that this process has made ready."""
    _ready.clear()


def _prepared(work: BucketWork) -> _Measure:
    key = work.subject.key
    if key not in _ready:
        network = work.load().with_layers([layer.name for layer in work.subject.layers])
        if network.sha256 != work.subject.network["sha256"]:
            raise InputError(
                f"A worker has loaded another {network.name} than the one that the atlas was begun with; give it the "
                "same weights."
            )
        _ready.clear()
        _ready[key] = _Measure(network, work.subject.links, class_free=work.subject.class_free)
    return _ready[key]
