"""Which photos are of which class, and in which bucket: the units of work, which do not depend on who comes first.

A photo's bucket is found from its class and the hash of its name inside the folder (`top_k.photo_number`), never from
the order in which photos are found. A class has the fewest buckets, a power of two, that hold `BUCKET` photos on
average at most: which photos are there decides it, and nothing else. Adding or removing one changes its own bucket
alone, until the class has twice as many.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePath

from circuits.errors import InputError, UnknownError, listed
from circuits.exemplars.loader import PhotoFile, files_in
from circuits.exemplars.top_k import photo_number
from circuits.files import read_text, refuse_address
from circuits.network.network import Network

BUCKET = 128
"""Photos of a bucket, on average at most."""


@dataclass(frozen=True)
class PhotosByClass:
    """Photos by class.

    Args:
        folder: that their names are relative to.
        classes: by number of a class its photos, by number of the photo.
        unknown: folders, or names in a list, that are no class of the network, and how many photos each has.
        asked: numbers of the classes that were asked for; all, if `None`.
        missing: buckets of the atlas that were not computed yet, by other parts.
        links: to folders in the folder, which are not followed.
        listed: all photos of a list; `None` where a folder was given.
    """

    folder: Path
    classes: Mapping[int, tuple[PhotoFile, ...]]
    unknown: Mapping[str, int]
    asked: frozenset[int] | None = None
    missing: int = 0
    links: tuple[str, ...] = ()
    listed: tuple[PhotoFile, ...] | None = None


@dataclass(frozen=True)
class Job:
    """A unit of work: the photos of a bucket of a class, the smallest number first.

    Args:
        channel: number of the class.
        bucket: number of the bucket, from 0.
        buckets: of the class; 0 where it is all of them, put together.
        photos: its photos.
    """

    channel: int
    bucket: int
    buckets: int
    photos: tuple[PhotoFile, ...]

    @property
    def name(self) -> str:
        """Of its file, in the folder of the class.

        Example:
            >>> Job(3, 2, 8, ()).name
            'bucket-3-of-8.safetensors'
        """
        return f"bucket-{self.bucket + 1}-of-{self.buckets}.safetensors" if self.buckets else "all.safetensors"


def whole(jobs: Sequence[Job]) -> Job:
    """All buckets of a class put together."""
    return Job(jobs[0].channel, 0, 0, tuple(photo for job in jobs for photo in job.photos))


def by_class(jobs: Sequence[Job]) -> list[list[Job]]:
    """The buckets of each class."""
    return [list(each) for _, each in groupby(jobs, key=lambda job: job.channel)]


def jobs_of(classes: Mapping[int, Sequence[PhotoFile]]) -> list[Job]:
    """The buckets of some classes that have a photo, by class and number.

    Example:
        >>> files = [PhotoFile(PurePath(f"cat/{number}.jpg"), 1, 1) for number in range(300)]
        >>> jobs = jobs_of({0: files})
        >>> len(jobs), sum(len(job.photos) for job in jobs)
        (4, 300)
    """
    jobs = []
    for channel in sorted(classes):
        photos = sorted(classes[channel], key=lambda photo: (photo_number(photo.path), photo.path))
        buckets = 1
        while len(photos) > buckets * BUCKET:
            buckets *= 2
        inside: list[list[PhotoFile]] = [[] for _ in range(buckets)]
        for photo in photos:
            inside[photo_number(photo.path) % buckets].append(photo)
        jobs += [Job(channel, at, buckets, tuple(each)) for at, each in enumerate(inside) if each]
    return jobs


def collect(network: Network, photos: str | Path, classes: Sequence[str] | Mapping[str, str] | None) -> PhotosByClass:
    """The photos of a folder whose folders are named after classes, or of a list, by class.

    Args:
        network: whose classes they are.
        photos: the folder, or a CSV file with the columns `photo` and `class`, photos relative to where it lies.
        classes: take only these; or, by what a folder is called, the class that it is. All, if `None`.

    Raises:
        InputError: if there is no such folder or file, or no photo of a class in it.
        UnknownError: if the network lacks one of the given classes.
    """
    if not network.labels:
        raise InputError(f"{network.name} has no classes, and an atlas is made of classes; give a classifier.")
    if classes is not None and not classes:
        raise InputError("No class is named; name those that are to be explained, or leave that out for all of them.")
    refuse_address(photos)
    path = Path(photos).expanduser().resolve()
    links: list[str] = []
    given = list(_from_list(path) if path.is_file() else files_in(path, links))
    names = dict(classes) if isinstance(classes, Mapping) else {}
    wanted = {network.find_class(each) for each in (names.values() if names else classes or ())}
    found: dict[int, list[PhotoFile]] = {}
    unknown: dict[str, int] = {}
    known: dict[str, int | None] = {}
    for entry in given:
        called = entry.group or ""
        if called not in known:
            is_given = not names or called in names
            known[called] = class_of_folder(network, names.get(called, called)) if is_given else None
        channel = known[called]
        if channel is None:
            unknown[called or "(in no folder)"] = unknown.get(called or "(in no folder)", 0) + 1
        elif not wanted or channel in wanted:
            found.setdefault(channel, []).append(entry)
    if not found and not known:
        linked = f" (but {listed(links, limit=3)}: links to folders are not followed)" if links else ""
        raise InputError(f"There is no photo in {path}{linked}; give a folder with a folder of photos for each class.")
    if not found and wanted and set(known.values()) != {None}:
        raise InputError(
            f"{path} has no photo of {listed([network.labels[number] for number in sorted(wanted)], limit=5)}; it has "
            f"folders of {listed(sorted(name for name, number in known.items() if number is not None), limit=5)}."
        )
    if not found and names:
        raise InputError(
            f"{path} has none of the folders {listed(sorted(names), limit=5)}, whose classes are given; it has "
            f"{listed(sorted(unknown), limit=5)}."
        )
    if not found:
        raise InputError(
            f"No folder in {path} is named after a class of {network.name}; it has "
            f"{listed(sorted(unknown), limit=5)}, and the network knows for example {listed(network.labels, limit=5)}. "
            "Rename them, or say with --classes which folder is which class."
        )
    folder = path.parent if path.is_file() else path
    by_number = {channel: tuple(entries) for channel, entries in sorted(found.items())}
    return PhotosByClass(
        folder, by_number, unknown, frozenset(wanted) if wanted else None, links=tuple(links),
        listed=tuple(given) if path.is_file() else None,
    )  # fmt: skip


def read_classes(path: Path, of: str) -> dict[PurePath, str]:
    """The classes of folders, or of photos, in a CSV file with the columns `class` and `folder`, or `photo`.

    Commas, semicolons and tabs separate, whichever the first line has most of.

    Raises:
        InputError: if it has no such columns, a row lacks one, or something is of two classes.
    """
    heads = (of, "class")
    try:
        text = read_text(path, most=2**30)
    except InputError as error:
        if not path.is_file():
            raise
        raise InputError(f"{str(error).rstrip('.')}; give a CSV file with the columns {' and '.join(heads)}.") from None
    between = max(",;\t", key=text.partition("\n")[0].count)
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=between)]
    except csv.Error as error:
        raise InputError(f"{path} is no CSV ({error}); give one with the columns {' and '.join(heads)}.") from None
    names = [name.casefold() for name in rows[0]] if rows else []
    if not set(heads) <= set(names):
        raise InputError(f"{path} has no columns {heads[0]} and {heads[1]}; name them in its first line.")
    found: dict[PurePath, str] = {}
    places = [names.index(head) for head in heads]
    for line, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        name, called = (row[place] if place < len(row) else "" for place in places)
        if not name or not called:
            raise InputError(f"{path} has no {'class' if name else of} in line {line}; fill it in.")
        if found.setdefault(PurePath(name), called) != called:
            other = found[PurePath(name)]
            raise InputError(f"{path} says of {name} both {other} and {called}; give a {of} one class.")
    return found


def _from_list(path: Path) -> Iterable[PhotoFile]:
    """The photos of a CSV file, with their classes; one that is missing is kept, to be named when it is read."""
    for inside, called in read_classes(path, "photo").items():
        file = path.parent / inside
        status = file.stat() if file.is_file() else None
        size, changed = (status.st_size, status.st_mtime_ns) if status else (0, 0)
        yield PhotoFile(inside, size, changed, label=called)


def class_of_folder(network: Network, called: str) -> int | None:
    """Number of the class that a folder is named after, with or without blanks; `None` if there is none."""
    for name in dict.fromkeys((called, called.replace("_", " "))):
        try:
            return network.find_class(name) if name else None
        except UnknownError:
            continue
    return None
