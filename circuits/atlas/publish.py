"""Makes what is read of an atlas from the sums of its buckets: a file a class, one for all classes, and the record."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from circuits.atlas.fixed import narrowed, total
from circuits.atlas.link_means import KEPT, LinkTotals, link_arrays, means_of
from circuits.atlas.measure import COUNTS, FREE, MOMENTS, links_of_class, mean_and_error
from circuits.atlas.plan import Job, by_class, whole
from circuits.atlas.storage import CLASS_FREE, AtlasFolder
from circuits.atlas.subject import AtlasRecord, Subject
from circuits.attribution.links import Link
from circuits.errors import InputError
from circuits.exemplars.loader import PhotoFile
from circuits.units import Progress


@dataclass(frozen=True)
class _Class:
    """What is known of a class before its sums are looked at."""

    jobs: tuple[Job, ...]
    photos: tuple[PhotoFile, ...]

    @property
    def channel(self) -> int:
        return self.jobs[0].channel

    def sums(self, folder: AtlasFolder) -> dict[str, Tensor]:
        """The sums of all of its buckets that have a photo."""
        parts = [folder.tensors(folder.bucket_file(job)) for job in self.jobs]
        return total([part for part in parts if part])

    def digest(self, subject: Subject) -> str:
        """A hash of all that its file is made of."""
        rows = [[photo.path.as_posix(), photo.sha256, photo.fault] for photo in self.photos]
        return hashlib.sha256(json.dumps([subject.key, KEPT, rows]).encode()).hexdigest()


def publish(
    folder: AtlasFolder,
    subject: Subject,
    jobs: Sequence[Job],
    photos: str,
    progress: Progress | None = None,
    *,
    asked: Collection[int] | None = None,
    compact: bool = False,
) -> AtlasRecord:
    """Write what is read, where it is not what is there already; remove what no photo is in any more.

    Args:
        folder: of the atlas, in which the buckets of all jobs are.
        subject: what it is made with.
        jobs: all buckets, or the classes that they were put together to.
        photos: the folder of the photos.
        progress: called with (classes done, classes, what is under way).
        asked: numbers of the classes that these are all of; others that are there stay as they are. All, if `None`.
        compact: put the buckets of each class together.

    Raises:
        InputError: if a bucket is damaged, sums overflow, or no photo can be read.
    """
    counts: dict[int, int] = {}
    skipped: dict[str, str] = {}
    classes = [
        _Class(tuple(own), tuple(photo for job in own for photo in folder.read_photos(folder.bucket_file(job))))
        for own in by_class(jobs)
    ]
    kept: list[Job] = []
    for done, each in enumerate(classes):
        if progress is not None:
            progress(done, len(classes), "Putting together")
        skipped |= {photo.path.as_posix(): photo.fault for photo in each.photos if photo.fault}
        count = sum(not photo.fault for photo in each.photos)
        if count:
            counts[each.channel] = count
            _publish_class(folder, subject, each, count)
        else:
            folder.class_file(each.channel).unlink(missing_ok=True)
        kept += [_put_together(folder, subject, each)] if compact else each.jobs
    if not counts:
        first = next((f" ({fault.rstrip('.')})" for fault in skipped.values()), "")
        raise InputError(f"There is no photo that can be read in {photos}{first}; give others.")
    for file in folder.stale(kept, asked):
        file.unlink(missing_ok=True)
    for channel, files in folder.others(asked):
        counts[channel] = int(folder.read_header(folder.class_file(channel))["photos"])
        skipped |= {photo.path.as_posix(): photo.fault for f in files for photo in folder.read_photos(f) if photo.fault}
    record = AtlasRecord(subject, photos, dict(sorted(counts.items())), skipped, KEPT)
    sums = {own[0].channel: [folder.bucket_file(job) for job in own] for own in by_class(kept)}
    _publish_overall(folder, record, {**dict(folder.others(asked)), **sums}, progress)
    folder.write_record(record)
    return record


def _publish_class(folder: AtlasFolder, subject: Subject, each: _Class, count: int) -> None:
    file, digest = folder.class_file(each.channel), each.digest(subject)
    if folder.is_made_of(file, digest):
        return
    sums = each.sums(folder)
    links = links_of_class(subject.links, subject.top, each.channel)
    arrays = class_arrays(sums, subject, links)
    header = {
        "format": subject.format, "subject": subject.key, "class": each.channel, "photos": count,
        "batches": int(sums["batches"]), "digest": digest,
    }  # fmt: skip
    folder.write_arrays(file, arrays, header)


def _put_together(folder: AtlasFolder, subject: Subject, each: _Class) -> Job:
    """Write the sums of a class into one file; its job."""
    job = whole(each.jobs)
    if each.jobs != (job,):
        arrays = {name: narrowed(value) for name, value in each.sums(folder).items()}
        folder.write_bucket(job, subject, each.photos, arrays)
    return job


def class_arrays(sums: Mapping[str, Tensor], subject: Subject, links: Sequence[Link]) -> dict[str, Tensor]:
    """What is read of a class, from its sums: the units of all layers one after the other, and the links of each.

    Returns:
        by name, of every unit: `contribution`, `activation` and `peak`, each with its `.error`; in how many photos it
        `fires` or is among the `summit`; of its kept links, strongest first, `links.source` (a unit's place among all),
        `links.share`, `links.error` and `links.consistency`; and over all of them `links.total` and `links.gross`.
    """
    photos = int(sums["photos"])
    arrays: dict[str, Tensor] = {name: sums[name].to(torch.int64) for name in COUNTS}
    for name in ("logit", *MOMENTS):
        mean, error = mean_and_error(sums, name, photos)
        arrays |= {name: mean.float(), f"{name}.error": error.float()}
    return arrays | link_arrays(means_of(sums, links), subject, links)


def _publish_overall(
    folder: AtlasFolder, record: AtlasRecord, sums: Mapping[int, Sequence[Path]], progress: Progress | None
) -> None:
    """Write all classes together, if they are not those that are there."""
    files = [folder.class_file(channel) for channel in record.photos]
    digest = hashlib.sha256(json.dumps([folder.read_header(file)["digest"] for file in files]).encode()).hexdigest()
    if folder.is_made_of(folder.overall_file, digest):
        return
    subject, arrays = record.subject, overall_arrays(folder, record)
    links, class_free = LinkTotals(subject.links), LinkTotals(subject.class_free_links, FREE)
    batches = 0
    for done, (channel, photos) in enumerate(record.photos.items()):
        if progress is not None:
            progress(done, len(record.photos), "Putting all classes together")
        own = sums_in(folder, sums[channel], photos)
        batches += int(own["batches"])
        links.add(own, links_of_class(subject.links, subject.top, channel))
        class_free.add(own, subject.class_free_links)
    arrays |= link_arrays(links.means(), subject, subject.links)
    if subject.class_free:
        arrays |= link_arrays(class_free.means(), subject, subject.class_free_links, CLASS_FREE)
    photos = sum(record.photos.values())
    header = {
        "format": subject.format, "subject": subject.key, "photos": photos, "batches": batches, "digest": digest,
    }  # fmt: skip
    folder.write_arrays(folder.overall_file, arrays, header)


def overall_arrays(folder: AtlasFolder, record: AtlasRecord) -> dict[str, Tensor]:
    """The units in all classes together, each with the weight of its photos, and their contributions class by class.

    The variance over all photos is that within the classes and between them: Σ_k [N_k (N_k - 1) se_k² + N_k d_k²] with
    the distance d_k of a class's mean from that of all.
    """
    files = [folder.class_file(channel) for channel in record.photos]

    def stacked(name: str) -> Tensor:
        return torch.stack([folder.tensors(file, [name])[name] for file in files])

    counts = torch.tensor(list(record.photos.values()), dtype=torch.float64)[:, None]
    every = float(counts.sum())
    arrays: dict[str, Tensor] = {}
    for name in MOMENTS:
        means, errors = stacked(name), stacked(f"{name}.error")
        mean = (means * counts).sum(0) / every
        within = (counts * (counts - 1) * errors.nan_to_num().double().square()).sum(0)
        between = (counts * (means - mean).square()).sum(0)
        error = ((within + between) / (every - 1) / every).sqrt() if every > 1 else torch.full_like(mean, torch.nan)
        arrays |= {name: mean.float(), f"{name}.error": error.float()}
        if name == "contribution":
            arrays |= {"classes": means, "classes.error": errors}
    return arrays | {name: stacked(name).sum(0) for name in COUNTS}


def sums_in(folder: AtlasFolder, files: Sequence[Path], photos: int) -> dict[str, Tensor]:
    """The sums of a class in those of its files that hold so many photos: all in one, or its buckets.

    Raises:
        InputError: if they are not there, because buckets were lost.
    """
    for of in dict.fromkeys(file.stem.partition("-of-")[2] for file in files):  # an interrupted run leaves others
        own = [folder.tensors(file) for file in files if file.stem.partition("-of-")[2] == of]
        parts = [part for part in own if part]
        if sum(int(part["photos"]) for part in parts) == photos:
            return total(parts)
    where = files[0].parent if files else folder.folder / "buckets"
    raise InputError(f"The sums of {photos} photos are not in {where}; make the atlas of all classes again.")
