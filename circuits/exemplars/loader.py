"""The photos of a folder, found, decoded and cropped in threads ahead of the network that waits for them."""

import hashlib
import os
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
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
    """A file that may hold a photo, as it was when it was looked at.

    Args:
        path: inside the folder.
        size: in bytes.
        changed: time of the last change, in nanoseconds.
        sha256: of its bytes; empty until it has been read.
        fault: why it cannot be read as a photo, in a sentence; empty if it can.
        label: its class, where a list says so and not its folder.
    """

    path: PurePath
    size: int
    changed: int
    sha256: str = ""
    fault: str = ""
    label: str = ""

    @property
    def group(self) -> str | None:
        """Its class: as a list says, or the name of the outermost folder that it lies in."""
        return self.label or (self.path.parts[0] if len(self.path.parts) > 1 else None)


@dataclass(frozen=True, eq=False)
class LoadedPhoto:
    """A file and its normalised pixels; `None` if it cannot be read as a photo."""

    entry: PhotoFile
    pixels: Float[np.ndarray, "h w c"] | None


def files_in(folder: Path, links: list[str] | None = None) -> Iterator[PhotoFile]:
    """The files in a folder and the folders in it, in the order of their names; hidden ones are left out.

    Args:
        folder: the folder.
        links: gets the names of links to folders, which are not followed, and of those that lead nowhere.

    Raises:
        InputError: if there is no such folder, or it may not be read.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; give one with photos in it.")
    return _walk(folder, PurePath(), [] if links is None else links)


def check_folder(folder: Path) -> None:
    """Refuse what is no folder with files in it.

    Raises:
        InputError: if there is no such folder, it may not be read, or it is empty.
    """
    if next(files_in(folder), None) is None:
        raise InputError(f"There is no file in {folder}; give a folder with photos in it.")


def is_unchanged(folder: Path, known: PhotoFile, now: PhotoFile) -> bool:
    """Whether a photo is still what it was; where only its times differ, its bytes decide."""
    if known.size != now.size:
        return False
    if known.changed == now.changed:
        return True
    try:
        return hashlib.sha256((folder / now.path).read_bytes()).hexdigest() == known.sha256
    except OSError:
        return False


def _walk(folder: Path, inside: PurePath, links: list[str]) -> Iterator[PhotoFile]:
    try:
        with os.scandir(folder / inside) as scanned:
            items = sorted((item for item in scanned if not item.name.startswith(".")), key=lambda item: item.name)
    except PermissionError:
        raise InputError(f"{folder / inside} may not be read; give yourself permission to read it.") from None
    for item in items:
        path = inside / item.name
        if item.is_dir(follow_symlinks=False):
            yield from _walk(folder, path, links)
            continue
        try:
            status = item.stat() if item.is_file() else None
        except OSError:  # a link to itself, or a file that went meanwhile
            status = None
        if status is not None:
            yield PhotoFile(path, status.st_size, status.st_mtime_ns)
        elif item.is_symlink():
            links.append(path.as_posix())


class PhotoReader:
    """Reads the files of a folder, to the bit as `Preprocessing.to_tensor`, normalising by a table of 256 values."""

    def __init__(self, folder: Path, preprocessing: Preprocessing) -> None:
        self._folder = folder
        self._preprocessing = preprocessing
        ramp = torch.arange(256, dtype=torch.float32).div(255).expand(1, preprocessing.channels, 1, 256)
        self._table = preprocessing.normalize(ramp)[0, :, 0].contiguous().numpy()

    def __call__(self, entry: PhotoFile) -> LoadedPhoto:
        """Read one file."""
        path, name = self._folder / entry.path, entry.path.as_posix()
        digest = ""
        try:
            status = path.stat()
            data = read_file(path)
            digest = hashlib.sha256(data).hexdigest()
            crop = self._preprocessing.crop(decode(data, name))
        except (InputError, OSError) as error:
            fault = str(error) if isinstance(error, InputError) else f"{name} cannot be read ({error.strerror})."
            fault = fault.replace(str(path), name)  # wherever the folder lies, the same is said
            return LoadedPhoto(replace(entry, sha256=digest, fault=fault), None)
        return LoadedPhoto(
            replace(entry, size=status.st_size, changed=status.st_mtime_ns, sha256=digest),
            self._normalized(np.asarray(crop)),
        )

    def _normalized(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        normalized = np.empty(pixels.shape, dtype=np.float32)
        for channel, row in enumerate(self._table):
            np.take(row, pixels[..., channel], out=normalized[..., channel], mode="clip")  # without it, a copy is made
        return normalized


def read_ahead(reader: PhotoReader, entries: Iterable[PhotoFile]) -> Generator[LoadedPhoto, None, None]:
    """Read files in threads, a bounded number ahead, and yield them in order; closing it stops the threads."""
    with _pool(WORKERS, "photos") as pool:
        ahead: deque[Future[LoadedPhoto]] = deque()
        for entry in entries:
            ahead.append(pool.submit(reader, entry))
            if len(ahead) >= AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def prefetched(items: Iterator[Item]) -> Generator[Item, None, None]:
    """Get each item in a thread while the one before it is used; closing it stops the thread."""
    with _pool(1, "batches") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


@contextmanager
def _pool(workers: int, name: str) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name, initializer=_lower_priority)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _lower_priority() -> None:
    """Let the network's thread go first; only Linux knows priorities of single threads."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.nice(0) + 5)
