"""The photos of a folder, found, decoded and cropped in threads ahead of the network that waits for them."""

import hashlib
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from circuits.errors import InputError
from circuits.image.decode import decode, read_file
from circuits.image.preprocessing import Preprocessing

Item = TypeVar("Item")

WORKERS = min(4, max(2, os.cpu_count() or 1))
AHEAD = 32
"""Photos that may lie ready; with their crops this bounds the memory."""


@dataclass(frozen=True)
class PhotoFile:
    """A file as it was when it was looked at.

    Args:
        path: inside the folder.
        size: in bytes.
        changed: time of the last change, in nanoseconds.
        sha256: of its bytes; empty until it has been read.
        fault: why it cannot be read as a photo, in a sentence; empty if it can.
    """

    path: PurePath
    size: int
    changed: int
    sha256: str = ""
    fault: str = ""

    @property
    def group(self) -> str | None:
        """Name of the outermost folder that it lies in, which is its class where folders are classes."""
        return self.path.parts[0] if len(self.path.parts) > 1 else None


@dataclass(frozen=True, eq=False)
class LoadedPhoto:
    """A photo, ready for the network, or the reason why there is none.

    Args:
        entry: the file.
        pixels: normalised, (h, w, c); `None` if the file cannot be read as a photo.
    """

    entry: PhotoFile
    pixels: Float[np.ndarray, "h w c"] | None


def files_in(folder: Path) -> Iterator[PhotoFile]:
    """The files in a folder and the folders in it, in the order of their names; hidden ones are left out.

    Raises:
        InputError: if there is no such folder, or it may not be read.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; give one with photos in it.")
    return _walk(folder, PurePath())


def _walk(folder: Path, inside: PurePath) -> Iterator[PhotoFile]:
    try:
        with os.scandir(folder / inside) as scanned:
            found = sorted((item for item in scanned if not item.name.startswith(".")), key=lambda item: item.name)
    except PermissionError:
        raise InputError(f"{folder / inside} may not be read; give yourself permission to read it.") from None
    for item in found:
        path = inside / item.name
        if item.is_dir(follow_symlinks=False):
            yield from _walk(folder, path)
        elif item.is_file():
            status = item.stat()
            yield PhotoFile(path, status.st_size, status.st_mtime_ns)


class PhotoReader:
    """Reads files as a network wants them: the same numbers as `Preprocessing.to_tensor`, bit by bit.

    Normalising maps each of the 256 values of a channel to a number, so that it is done by looking up.

    Args:
        folder: where the files are.
        preprocessing: of the network.
    """

    def __init__(self, folder: Path, preprocessing: Preprocessing) -> None:
        self._folder = folder
        self._preprocessing = preprocessing
        ramp = torch.arange(256, dtype=torch.float32).div(255).expand(1, preprocessing.channels, 1, 256)
        self._table = preprocessing.normalize(ramp)[0, :, 0].contiguous().numpy()

    def __call__(self, entry: PhotoFile) -> LoadedPhoto:
        """Read one file."""
        path = self._folder / entry.path
        digest = ""
        try:
            status = path.stat()
            data = read_file(path)
            digest = hashlib.sha256(data).hexdigest()
            crop = self._preprocessing.crop(decode(data, str(path)))
        except (InputError, OSError) as error:
            return LoadedPhoto(PhotoFile(entry.path, entry.size, entry.changed, digest, str(error)), None)
        return LoadedPhoto(
            PhotoFile(entry.path, status.st_size, status.st_mtime_ns, digest), self._normalized(np.asarray(crop))
        )

    def _normalized(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        found = np.empty(pixels.shape, dtype=np.float32)
        for channel, row in enumerate(self._table):
            np.take(row, pixels[..., channel], out=found[..., channel], mode="clip")  # without it, a copy is made
        return found


@contextmanager
def loaded(reader: PhotoReader, entries: Iterable[PhotoFile]) -> Iterator[Iterator[LoadedPhoto]]:
    """Read files in threads, a bounded number ahead; on leaving, threads are stopped.

    Yields:
        What was read, in the order of the files.
    """
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="photos", initializer=_step_back)
    try:
        yield _in_order(pool, reader, entries)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(pool: ThreadPoolExecutor, reader: PhotoReader, entries: Iterable[PhotoFile]) -> Iterator[LoadedPhoto]:
    ahead: deque[Future[LoadedPhoto]] = deque()
    for entry in entries:
        ahead.append(pool.submit(reader, entry))
        if len(ahead) >= AHEAD:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


@contextmanager
def ahead(items: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """Get each item in a thread while the one before it is used; on leaving, the thread is stopped.

    Yields:
        The items, in order.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="batches", initializer=_step_back)
    try:
        yield _one_ahead(pool, items)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_ahead(pool: ThreadPoolExecutor, items: Iterator[Item]) -> Iterator[Item]:
    coming = pool.submit(next, items, None)
    while (item := coming.result()) is not None:
        coming = pool.submit(next, items, None)
        yield item


def _step_back() -> None:
    """Let the network's thread go first; only Linux knows priorities of single threads."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.nice(0) + 5)
