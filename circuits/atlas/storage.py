"""An atlas on disk: what is written, so that it survives being killed at any moment, and may be made by many at once.

    <atlas>/atlas.json                               what it is of; written last, read first
    <atlas>/subject.json                             what it is of, from the moment that it is begun
    <atlas>/overall.safetensors                      all classes together, and each unit's contribution by class
    <atlas>/classes/00003.safetensors                a class as it is read: means, errors, and the strongest links
    <atlas>/buckets/00003/bucket-1-of-8.safetensors  the sums of a bucket of photos, which are never changed
    <atlas>/buckets/00003/bucket-1-of-8.json         when its photos were changed last; can be missing
    <atlas>/buckets/00003/all.safetensors            in the place of all buckets of a class, if asked for: their sum
    <atlas>/exemplars/                               an index of exemplars of the same photos, if it was asked for
    <atlas>/suggestions.json                         what units tell from the rest, if that was asked for
    <atlas>/embeddings.safetensors                   what an encoder made of the sample of photos, if one was given

What is read may also be packed, `00003.safetensors.xz`, with its numbers in smaller types: so a finished atlas is given
to others, without buckets and exemplars.

Every file is written aside and then renamed, whole or not at all. A bucket is done when its file is there and its
header names the photos that are there now. The same photos give the same bytes, whoever computes them, in whatever
order.
"""

import json
import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePath
from typing import Any

from safetensors.torch import save
from torch import Tensor

from circuits.atlas.array_files import FAULTS, arrays_of, as_it_lies, metadata_of, widened
from circuits.atlas.measure import COUNTS, MOMENTS
from circuits.atlas.plan import Job
from circuits.atlas.subject import FORMAT, WITHOUT_CLASS_FREE, AtlasRecord, Subject
from circuits.errors import InputError
from circuits.exemplars.loader import PhotoFile, is_unchanged
from circuits.files import locked, read_json, write_atomically

_LOG = logging.getLogger(__name__)
NOBODY = -1
"""In place of a unit below, where there are fewer."""
LINK_ARRAYS = ("source", "share", "error", "consistency")
LINKS, CLASS_FREE = "links", "class_free"
"""How the arrays of links are called that are for a class, or for that of each photo; and of those of no class."""
LOCK = ".lock"
_OURS = re.compile(r"buckets/(\d{5,})/(?:bucket-\d+-of-\d+|all)\.(?:safetensors|json)|classes/(\d{5,})\.safetensors")


class AtlasFolder:
    """The folder of one atlas."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def bucket_file(self, job: Job) -> Path:
        """Where the sums of a bucket lie."""
        return self.folder / "buckets" / f"{job.channel:05}" / job.name

    def class_file(self, channel: int) -> Path:
        """Where a class lies as it is read."""
        return self.folder / "classes" / f"{channel:05}.safetensors"

    @property
    def overall_file(self) -> Path:
        return self.folder / "overall.safetensors"

    @property
    def suggestions_file(self) -> Path:
        return self.folder / "suggestions.json"

    @property
    def embeddings_file(self) -> Path:
        return self.folder / "embeddings.safetensors"

    def class_of_photos(self) -> dict[PurePath, int]:
        """Of every photo whose sums are there, the number of its class.

        Raises:
            InputError: if a file is damaged.
        """
        files = sorted(self.folder.glob("buckets/*/*.safetensors"))
        return {photo.path: int(file.parent.name) for file in files for photo in self.read_photos(file)}

    @property
    def exemplars(self) -> Path:
        """Where the index of exemplars is kept."""
        return self.folder / "exemplars"

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from putting the atlas together while a block runs; wait until they are done."""
        return locked(self.folder / LOCK, busy="", patience=-1.0)

    def is_done(self, job: Job, subject: Subject, photos: Path) -> bool:
        """Whether a bucket is there, of this network, and of the photos that are there now."""
        file = self.bucket_file(job)
        if not file.is_file():
            return False
        try:
            header = self.read_header(file)
            known = self.read_photos(file, header)
        except InputError as error:
            _LOG.warning("A bucket is computed anew: %s", error)
            return False
        if header["subject"] != subject.key or [entry.path for entry in known] != [entry.path for entry in job.photos]:
            return False
        return all(is_unchanged(photos, before, now) for before, now in zip(known, job.photos, strict=True))

    def has_sums(self, file: Path) -> bool:
        """Whether a photo of a bucket could be read."""
        return any(not photo.fault for photo in self.read_photos(file))

    def write_bucket(self, job: Job, subject: Subject, photos: Sequence[PhotoFile], sums: Mapping[str, Tensor]) -> Path:
        """Write the sums of a bucket, whose photos were read as these."""
        file = self.bucket_file(job)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file.with_suffix(".json"), json.dumps([photo.changed for photo in photos]) + "\n")
        header = {
            "format": subject.format, "subject": subject.key, "class": job.channel, "device": subject.device,
            "versions": dict(subject.versions),
            "photos": [[photo.path.as_posix(), photo.size, photo.sha256, photo.fault] for photo in photos],
        }  # fmt: skip
        write_atomically(file, save(dict(sums), {"atlas": json.dumps(header, sort_keys=True)}))
        return file

    def read_header(self, file: Path) -> dict[str, Any]:
        """What a file of an atlas says of itself.

        Raises:
            InputError: if it is damaged, or none.
        """
        try:
            header: dict[str, Any] = json.loads(metadata_of(file)["atlas"])
        except FileNotFoundError:
            raise InputError(f"There is no file {file}; run {self.command} again, which writes it.") from None
        except (*FAULTS, RecursionError) as error:
            raise self.damaged(file, error) from None
        if not isinstance(header, dict) or header.get("format") not in (FORMAT, WITHOUT_CLASS_FREE):
            raise self.damaged(file, ValueError(f"this version reads the format {FORMAT!r}"))
        return header

    def read_photos(self, file: Path, header: Mapping[str, Any] | None = None) -> tuple[PhotoFile, ...]:
        """The photos whose sums a bucket holds, with the times at which they were changed where these are known."""
        header = self.read_header(file) if header is None else header
        try:
            times = [int(each) for each in json.loads(file.with_suffix(".json").read_text())]
        except (OSError, ValueError, TypeError, RecursionError):
            times = []
        try:
            rows = [(PurePath(path), size, sha256, fault) for path, size, sha256, fault in header["photos"]]
        except (KeyError, TypeError, ValueError) as error:
            raise self.damaged(file, error) from None
        times = times if len(times) == len(rows) else [0] * len(rows)
        return tuple(
            PhotoFile(path, size, changed, sha256, fault)
            for (path, size, sha256, fault), changed in zip(rows, times, strict=True)
        )

    def tensors(self, file: Path, names: Sequence[str] | None = None) -> dict[str, Tensor]:
        """The arrays of a file, or some of them.

        Raises:
            InputError: if it is damaged.
        """
        try:
            return arrays_of(file, names)
        except FAULTS as error:
            raise self.damaged(file, error) from None

    def write_arrays(self, file: Path, arrays: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Write a file that is read: a class, or all of them."""
        facts = {"format": FORMAT, **header}
        content = {name: value.contiguous() for name, value in arrays.items()}
        write_atomically(file, save(content, {"atlas": json.dumps(facts, sort_keys=True)}))

    def is_made_of(self, file: Path, digest: str) -> bool:
        """Whether a file that is read is there, whole, and made of what has this hash."""
        try:
            return file.is_file() and self.read_header(file).get("digest") == digest
        except InputError:
            return False  # damaged: it is written again

    def read(self, channel: int | None, record: AtlasRecord) -> dict[str, Tensor]:
        """The arrays of a class, or of all classes together, as `publish` wrote them.

        Raises:
            InputError: if the file is missing, damaged, or of another atlas.
        """
        file = self.overall_file if channel is None else self.class_file(channel)
        header, arrays, units = self.read_header(file), self.tensors(file), record.subject.units
        wanted = (*MOMENTS, *(f"{name}.error" for name in MOMENTS), *COUNTS)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(wanted, (units,))
        if channel is None:
            shapes |= {name: (len(record.photos), units) for name in ("classes", "classes.error")}
        kinds = [LINKS] if channel is not None or f"{LINKS}.source" in arrays else []  # older versions have not of all
        for kind in (*kinds, *([CLASS_FREE] if channel is None and record.subject.class_free else ())):
            shapes |= {f"{kind}.{name}": (units, sum(record.links)) for name in LINK_ARRAYS}
            shapes |= {f"{kind}.{name}": (units,) for name in ("total", "gross")}
        found = {name: tuple(value.shape) for name, value in arrays.items() if name in shapes}
        is_other = header.get("subject", record.subject.key) != record.subject.key  # older files do not say it
        if found != shapes or header.get("class") != channel or is_other:
            raise InputError(f"{file} is of another atlas, or another class; remove it and run {self.command} again.")
        if not {"digest", "photos", "batches"} <= header.keys():
            raise self.damaged(file, ValueError("its header is not whole"))
        self._check_numbers(file, arrays, units)
        return {name: widened(value) for name, value in arrays.items()}

    def _check_numbers(self, file: Path, arrays: Mapping[str, Tensor], units: int) -> None:
        """Refuse numbers that no photo gives: an error can be unknown, a mean cannot, and sources are units."""
        for name, value in arrays.items():
            if name.endswith(".source"):
                good = not value.numel() or (int(value.min()) >= NOBODY and int(value.max()) < units)
            else:
                good = name.endswith((".error", "error")) or bool(value.isfinite().all())
            if not good:
                raise self.damaged(file, ValueError(name))

    def write_record(self, record: AtlasRecord) -> None:
        """Write what the atlas is of, last."""
        facts = {
            **record.subject.to_row(), "folder": _as_text(record.folder),
            "photos": {str(channel): count for channel, count in record.photos.items()},
            "skipped": {_as_text(name): _as_text(fault) for name, fault in record.skipped.items()},
            "kept": list(record.links),
        }  # fmt: skip
        write_atomically(self.folder / "atlas.json", json_text(facts))

    def read_record(self) -> AtlasRecord:
        """What `atlas.json` says.

        Raises:
            InputError: if there is no finished atlas here, or it is damaged.
        """
        file = self.folder / "atlas.json"
        if not file.is_file():
            if self.is_begun:
                raise InputError(f"The atlas in {self.folder} is not finished; go on with it: {self.command}.")
            raise InputError(f"There is no atlas in {self.folder}; make one with {self.command}.")
        facts = self.facts_of(file)
        try:
            assert isinstance(facts, dict)
            photos = {int(channel): int(count) for channel, count in facts["photos"].items()}
            subject, [excite, inhibit] = Subject.of_row(facts), map(int, facts["kept"])
            if not all(0 <= channel < len(subject.labels) and count > 0 for channel, count in photos.items()):
                raise ValueError("photos")
            return AtlasRecord(subject, facts["folder"], photos, dict(facts["skipped"]), (excite, inhibit))
        except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
            raise self.damaged(file, error) from None

    def facts_of(self, file: Path) -> object:
        """What a JSON file of the atlas says.

        Raises:
            InputError: if it cannot be read.
        """
        try:
            return read_json(file, most=2**30)
        except InputError as error:
            raise self.damaged(file, error) from None

    @property
    def command(self) -> str:
        """What writes it, or what it lacks."""
        return f"`circuits atlas PHOTOS -o {self.folder}`"

    def damaged(self, file: Path, error: Exception) -> InputError:
        """What is said of a file that cannot be used."""
        said = reason_of(file, error)
        reason = f" ({said})" if said else ""
        return InputError(
            f"{as_it_lies(file)} is damaged, or no file of an atlas{reason}; remove it and run {self.command} again."
        )

    @property
    def is_begun(self) -> bool:
        return self.begun_file.is_file()

    @property
    def begun_file(self) -> Path:
        """What it is of, from the moment that it is begun."""
        return self.folder / "subject.json"

    def others(self, asked: Collection[int] | None) -> list[tuple[int, list[Path]]]:
        """The classes that are there and were not asked for, and the files of their sums; none if all were."""
        files = sorted(self.folder.glob("classes/*.safetensors")) if asked is not None else []
        numbers = [int(file.stem) for file in files if file.stem.isdecimal()]
        return [
            (number, sorted(self.folder.glob(f"buckets/{number:05}/*.safetensors")))
            for number in numbers
            if number not in (asked or ())
        ]

    def stale(self, jobs: Sequence[Job], asked: Collection[int] | None) -> Iterator[Path]:
        """The files of buckets and classes that were asked for, and that no photo is in any more."""
        kept = {self.bucket_file(job) for job in jobs}  # those that are read, by class or by bucket
        kept |= {file.with_suffix(".json") for file in kept}
        kept |= {self.class_file(job.channel) for job in jobs}
        for file in (*self.folder.glob("buckets/*/*"), *self.folder.glob("classes/*")):
            found = _OURS.fullmatch(file.relative_to(self.folder).as_posix())
            if found and file not in kept and (asked is None or int(found[1] or found[2]) in asked):
                yield file


def json_text(facts: Mapping[str, Any]) -> str:
    """Facts as the files of an atlas have them."""
    return json.dumps(facts, ensure_ascii=False, indent=1) + "\n"


def _as_text(name: str) -> str:
    """A file's name with bytes that are no text, which a file system may hold and JSON may not, written out."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def reason_of(file: Path, error: Exception) -> str:
    """What an error says, without the file, which the sentence around it names."""
    return str(error).removeprefix(f"{file} ").removeprefix("cannot be read: ").rstrip(".")
