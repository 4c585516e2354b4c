"""Makes an index of exemplars: one pass over the photos of a folder, in bounded memory, that survives being killed.

1. Look at the files. Those that an earlier run counted are not read again; if one of them has been changed or
   removed, its traces cannot be taken out of the lists, and the index is made anew.
2. Threads read, decode and crop photos ahead of the network (`loader`), which runs them in batches of one size: the
   last is filled up, so that a photo's numbers do not depend on the photos around it.
3. Every `CHUNK` files a thread merges the statistics into the lists and the sample (`accumulator`) and writes them
   (`storage`), while the network goes on. What is lost when the process is killed is the unfinished chunk.
"""

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath

import numpy as np
import torch

from circuits.errors import InputError, listed
from circuits.exemplars.accumulator import Accumulator
from circuits.exemplars.exemplars import Exemplars
from circuits.exemplars.finding import kept_in
from circuits.exemplars.loader import (
    LoadedPhoto,
    PhotoFile,
    PhotoReader,
    files_in,
    is_unchanged,
    prefetched,
    read_ahead,
)
from circuits.exemplars.statistics import StatisticsCollector, UnitStatistics
from circuits.exemplars.storage import FORMAT, IndexFolder, IndexRecord, LayerRecord
from circuits.exemplars.top_k import photo_number
from circuits.files import refuse_address
from circuits.network.layers import Layer
from circuits.network.network import Network
from circuits.shapes import Images
from circuits.units import Progress

BATCH = 8
"""Photos run at once; on processors, more do not make the network faster, and fewer keep its maps at hand."""
CHUNK = 256
_LOG = logging.getLogger(__name__)


def index_photos(
    network: Network,
    folder: str | Path,
    *,
    layers: str | Sequence[str] | None = None,
    top: int = 9,
    into: str | Path | None = None,
    photos: Sequence[PhotoFile] | None = None,
    wait: bool = False,
    progress: Progress | None = None,
) -> Exemplars:
    """Index what every unit fires on in a folder of photos; continue if that was begun before.

    Args:
        network: the network.
        folder: with photos, in any number of folders; files that are no photos are skipped and reported.
        layers: their names, or that of one; all layers of the network, if `None`.
        top: photos in each list of a unit.
        into: folder that indices are kept in; `exemplars` in the person's cache folder for circuits, if `None`.
        photos: only these of the folder; all files in it, if `None`.
        wait: until another process is done that is at work on the same index, in the place of refusing.
        progress: called after every batch as `progress(done, total, message)`.

    Raises:
        InputError: if there is no such folder or no photo in it, top is less than 1, `into` cannot be written to, or
            another process is at work on the same index.
        UnknownError: if the network has no such layer.
    """
    if top < 1:
        raise InputError(f"top is {top}; a list has at least 1 photo.")
    refuse_address(folder)
    folder = Path(folder).expanduser().resolve()
    layers = [layers] if isinstance(layers, str) else layers
    wanted = tuple(network.layer(name) for name in (network.layers if layers is None else dict.fromkeys(layers)))
    if not wanted:
        raise InputError(f"No layers were given; {network.name} has {listed(network.layers, limit=60)}.")
    files = list(files_in(folder) if photos is None else photos)
    index = IndexFolder(kept_in(into) / _address(network, folder, wanted, top))
    with index.locked(wait=wait):
        record, accumulator, todo = _resume(index, _new_record(network, folder, wanted, top), files)
        if record.finished is None or todo:
            writer = IndexWriter(index, record, accumulator)
            _run(network, Path(record.folder), todo, StatisticsCollector(network, wanted), writer, progress, len(files))
            record = writer.finish()
        return Exemplars(index, record)


def _address(network: Network, folder: Path, layers: Sequence[Layer], top: int) -> str:
    """Name of an index: a hash of all that decides what is in it, the photos themselves left out."""
    names = [layer.name for layer in layers]
    facts = [FORMAT, network.sha256, asdict(network.preprocessing), str(folder), names, top]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _new_record(network: Network, folder: Path, layers: Sequence[Layer], top: int) -> IndexRecord:
    return IndexRecord(
        {"name": network.name, "source": network.source, "sha256": network.sha256},
        json.loads(json.dumps(asdict(network.preprocessing))),
        str(folder),
        tuple(LayerRecord(layer.name, layer.channels, layer.height, layer.width) for layer in layers),
        top,
        secrets.token_hex(8),
    )


def _resume(
    index: IndexFolder, new: IndexRecord, files: Sequence[PhotoFile]
) -> tuple[IndexRecord, Accumulator, list[PhotoFile]]:
    """Where to go on, what was counted until there, and the files that are left."""
    anew = new, Accumulator.empty(new.units, new.top), list(files)
    record = index.read("progress.json") or index.read("index.json")
    if record is None:
        return anew
    try:
        known = {entry.path: entry for entry in index.entries(record)}
        accumulator = Accumulator.of_tensors(index.tensors(record))
    except (InputError, KeyError) as error:
        _LOG.warning("The index is made anew: %s", error)
        return anew
    there = {entry.path: entry for entry in files}
    folder = Path(record.folder)
    gone = [entry.path for entry in known.values() if not entry.fault and not _is_same(folder, entry, there)]
    if gone:
        names = listed([path.as_posix() for path in gone], limit=3)
        _LOG.warning("Photos were changed or removed since they were indexed (%s); the index is made anew.", names)
        return anew
    todo = [entry for entry in files if entry.path not in known or _is_worth_retrying(entry, known[entry.path])]
    return record, accumulator, todo


def _is_same(folder: Path, known: PhotoFile, there: Mapping[PurePath, PhotoFile]) -> bool:
    """Whether a photo is still there, and what it was."""
    now = there.get(known.path)
    return now is not None and now.label == known.label and is_unchanged(folder, known, now)


def _is_worth_retrying(now: PhotoFile, known: PhotoFile) -> bool:
    return bool(known.fault) and (now.size, now.changed) != (known.size, known.changed)


def _run(
    network: Network,
    folder: Path,
    todo: Sequence[PhotoFile],
    collect: StatisticsCollector,
    writer: "IndexWriter",
    progress: Progress | None,
    total: int,
) -> None:
    done = total - len(todo)
    reader = PhotoReader(folder, network.preprocessing)
    with closing(read_ahead(reader, todo)) as loaded, writer.working(), closing(prefetched(batches(loaded))) as ready:
        for batch in ready:
            count = sum(not entry.fault for entry in batch.entries)
            writer.add(batch.entries, None if batch.images is None else collect(batch.images)[:count])
            done += len(batch.entries)
            if progress is not None:
                progress(done, total, "Indexing")


@dataclass(frozen=True, eq=False)
class PhotoBatch:
    """Files in order, and the network's input for the photos among them.

    The input is (BATCH, c, h, w), channels last, blank where there are fewer photos; `None` if there is none.
    """

    entries: tuple[PhotoFile, ...]
    images: Images | None

    @classmethod
    def of(cls, loaded: Sequence[LoadedPhoto]) -> "PhotoBatch":
        """Files that were read."""
        entries = tuple(each.entry for each in loaded)
        pixels = [each.pixels for each in loaded if each.pixels is not None]
        if not pixels:
            return cls(entries, None)
        pixels += [np.zeros_like(pixels[0])] * (BATCH - len(pixels))
        return cls(entries, torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2))


def batches(loaded: Iterator[LoadedPhoto]) -> Iterator[PhotoBatch]:
    """Files in batches of `BATCH` photos each, all but the last; a chunk ends where a batch ends."""
    files: list[LoadedPhoto] = []
    photos = 0
    for each in loaded:
        files.append(each)
        photos += each.pixels is not None
        if photos == BATCH or len(files) >= CHUNK:
            yield PhotoBatch.of(files)
            files, photos = [], 0
    if files:
        yield PhotoBatch.of(files)


class IndexWriter:
    """Continues an index: merges and writes chunks in a thread of its own, one at a time."""

    def __init__(self, index: IndexFolder, record: IndexRecord, accumulator: Accumulator) -> None:
        self._index, self._record, self._accumulator = index, record, accumulator
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chunks")
        self._at_work: Future[None] | None = None
        self._entries: list[PhotoFile] = []
        self._statistics: list[UnitStatistics] = []

    @contextmanager
    def working(self) -> Iterator[None]:
        """Write what is complete when the block is left, also by an exception."""
        try:
            yield
        finally:
            self._thread.shutdown(wait=True)
        self._wait()

    def add(self, entries: Sequence[PhotoFile], statistics: UnitStatistics | None) -> None:
        """Count a batch: its files, and the statistics of those that are photos, in order."""
        self._entries += entries
        if statistics is not None:
            self._statistics.append(statistics)
        if len(self._entries) >= CHUNK:
            self._wait()
            self._at_work = self._thread.submit(self._write, self._entries, self._statistics)
            self._entries, self._statistics = [], []

    def finish(self) -> IndexRecord:
        """Write the rest, the quantiles, and that it is all; refuse an index without a photo."""
        if self._entries:
            self._write(self._entries, self._statistics)
        if not self._record.photos:
            first = next((f" ({entry.fault.rstrip('.')})" for entry in self._index.entries(self._record)), "")
            raise InputError(
                f"There is no photo that can be read in {self._record.folder}, which has {self._record.skipped} "
                f"files{first}; give others."
            )
        tensors = self._accumulator.tensors() | self._accumulator.quantiles()
        return self._index.finish(self._record, tensors, time.time())

    def _wait(self) -> None:
        if self._at_work is not None:
            self._at_work.result()

    def _write(self, entries: Sequence[PhotoFile], batches: Sequence[UnitStatistics]) -> None:
        if batches:
            statistics = UnitStatistics.together(batches)
            good = statistics.finite
            entries = _with_faults(entries, good.tolist())
            numbers = [photo_number(entry.path) for entry in entries if not entry.fault]
            if numbers:
                self._accumulator = self._accumulator.with_photos(numbers, statistics[good])
        self._record = self._index.write(self._record, entries, self._accumulator.tensors())


def _with_faults(entries: Sequence[PhotoFile], good: Sequence[bool]) -> list[PhotoFile]:
    """The files, those marked as faulty in which the network overflowed."""
    verdicts = iter(good)
    fault = "The network puts out NaN or infinity for it."
    return [entry if entry.fault or next(verdicts) else replace(entry, fault=fault) for entry in entries]
