"""Builds an atlas, or brings one up to date: plan, compute what is missing, put together what is read.

1. `plan`: which photos are of which class, and in which bucket.
2. A bucket is done if its file is there, of this network, and of the photos that are there now (`storage`).
3. An engine (`engines`) computes the others, each a `work`; a process that is killed loses the buckets under way.
4. When all are there, the sums of each class become means, errors and strongest links (`publish`). Whoever finishes
   last does it; where two do, both write the same bytes.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from circuits.atlas.engines import Engine, inline
from circuits.atlas.plan import Job, PhotosByClass, by_class, collect, jobs_of, whole
from circuits.atlas.publish import publish
from circuits.atlas.storage import AtlasFolder
from circuits.atlas.subject import AtlasLayer, Subject
from circuits.atlas.work import BucketWork, forget
from circuits.attribution.links import find_links, with_linked_layers
from circuits.errors import InputError
from circuits.exemplars.loader import is_unchanged
from circuits.files import versions
from circuits.network.network import Network
from circuits.tracing.facts import NetworkInfo
from circuits.units import Progress

LINKED = "linked"
_LOG = logging.getLogger(__name__)


def build_atlas(
    network: Network,
    photos: str | Path,
    into: str | Path,
    *,
    classes: Sequence[str] | Mapping[str, str] | None = None,
    layers: str | Sequence[str] = LINKED,
    engine: Engine = inline,
    load: Callable[[], Network] | None = None,
    part: tuple[int, int] = (1, 1),
    compact: bool = False,
    progress: Progress | None = None,
) -> PhotosByClass:
    """Build the atlas of a network over photos by class, or go on with it: read it with `Atlas.open`.

    Args:
        network: a classifier.
        photos: a folder in which folders are named after classes, or a CSV file with the columns `photo` and `class`.
        into: the folder of the atlas.
        classes: take only these; or, by what a folder is called, the class that it is. All, if `None`. Others that
            the atlas has already stay in it.
        layers: whose units are in it: `linked` (down to the branches, and what else it takes to link all units to those
            below), `fine`, `auto`, or names.
        engine: who computes: `engines.inline`, `engines.processes(4)`, `engines.ray("auto")`.
        load: gives the same network in another process, such as `functools.partial(load_network, "googlenet")`; needed
            by engines of several.
        part: compute only the n-th of so many parts, for one command on each of several machines that share a folder.
        compact: keep one file of sums a class in the place of its buckets, which takes less room; if its photos change,
            all of them are explained again.
        progress: called with (photos done, photos, what is under way).

    Returns:
        The photos by class, the folders that are no class, and how many buckets other parts have still to compute.

    Raises:
        InputError: if there is no photo of a class, the folder holds an atlas of something else, or numbers overflow.
        UnknownError: if there is no such class or layer.

    Example:
        >>> import tempfile
        >>> from circuits import Atlas, build_atlas, load_network, load_photo
        >>> network, folder = load_network(), tempfile.TemporaryDirectory()
        >>> photos = Path(folder.name, "photos")
        >>> (photos / "cat").mkdir(parents=True)
        >>> load_photo("example:cat").image.save(photos / "cat" / "tom.png")
        >>> _ = build_atlas(network, photos, Path(folder.name, "atlas"))
        >>> atlas = Atlas.open(Path(folder.name, "atlas"))
        >>> atlas.photos, [each.label for each in atlas.classes]
        (1, ['cat'])
        >>> folder.cleanup()
    """
    if not 1 <= part[0] <= part[1]:
        raise InputError(f"There is no part {part[0]} of {part[1]}; parts count from 1.")
    if engine is not inline and load is None:
        raise InputError("An engine of several processes needs load, which gives each of them the network.")
    network = cut(network, layers)
    collection = collect(network, photos, classes)
    folder, subject = AtlasFolder(into), subject_of(network)
    folder.check_subject(subject)
    jobs = jobs_of(collection.classes)
    own = jobs[part[0] - 1 :: part[1]]
    asked = {(job.channel, job.bucket) for job in own}
    todo = [job for job in _missing(folder, subject, jobs, collection.folder) if (job.channel, job.bucket) in asked]
    total = sum(len(job.photos) for job in own)
    done = total - sum(len(job.photos) for job in todo)

    def tick(photos: int) -> None:
        nonlocal done
        done += photos
        if progress is not None:
            progress(done, total, "Explaining photos")

    given = load if load is not None and engine is not inline else lambda: network
    work = BucketWork(given, subject, collection.folder, folder.folder.resolve())
    if todo:
        tick(0)
        try:
            for _ in engine(work, todo, tick):
                pass
        finally:
            forget()
    missing = _missing(folder, subject, jobs, collection.folder)
    if not missing:
        read = [job for own in by_class(jobs) for job in _kept(folder, subject, own, collection.folder)]
        where = str(collection.folder)
        publish(folder, subject, read, where, progress, asked=collection.asked, compact=compact)
    return replace(collection, missing=len(missing))


def cut(network: Network, layers: str | Sequence[str]) -> Network:
    """A network with the layers whose units an atlas is to have; `build_atlas` says which."""
    return with_linked_layers(network) if layers == LINKED else network.with_layers(layers)


def subject_of(network: Network) -> Subject:
    """What an atlas of a network is made with."""
    links, unlinked = find_links(network)
    layers = tuple(
        AtlasLayer(
            layer.name, layer.channels, layer.height, layer.width, layer.below, layer.piecewise_linear,
            layer.is_rectified,
        )
        for layer in network.layer_list
    )  # fmt: skip
    facts = dict(NetworkInfo.of(network))
    seen = json.loads(json.dumps(asdict(network.preprocessing)))
    return Subject(facts, seen, network.labels, layers, links, unlinked, network.device.type, versions("torch"))


def _kept(folder: AtlasFolder, subject: Subject, jobs: list[Job], photos: Path) -> list[Job]:
    """The files in which the sums of a class are: all buckets in one, if that is there, or each in its own."""
    return [whole(jobs)] if _is_done(folder, subject, whole(jobs), photos) else jobs


def _missing(folder: AtlasFolder, subject: Subject, jobs: Sequence[Job], photos: Path) -> list[Job]:
    """The buckets that are not there as the photos are now."""
    kept = (job for own in by_class(jobs) for job in _kept(folder, subject, own, photos))
    return [job for job in kept if job.buckets and not _is_done(folder, subject, job, photos)]


def _is_done(folder: AtlasFolder, subject: Subject, job: Job, photos: Path) -> bool:
    """Whether a bucket is there, of this network, and of the photos that are there now."""
    file = folder.bucket_file(job)
    if not file.is_file():
        return False
    try:
        header = folder.read_header(file)
        known = folder.read_photos(file, header)
    except InputError as error:
        _LOG.warning("A bucket is computed anew: %s", error)
        return False
    if header["subject"] != subject.key or [entry.path for entry in known] != [entry.path for entry in job.photos]:
        return False
    return all(is_unchanged(photos, before, now) for before, now in zip(known, job.photos, strict=True))
