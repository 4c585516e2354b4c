"""Builds an atlas, or brings one up to date: plan, compute what is missing, put together what is read.

1. `plan`: which photos are of which class, and in which bucket.
2. A bucket is done if its file is there, of this network, and of the photos that are there now (`storage`).
3. An engine (`engines`) computes the others, each a `work`; a process that is killed loses the buckets under way.
4. When all are there, the sums of each class become means, errors and strongest links (`publish`). Whoever finishes
   last does it; where two do, both write the same bytes.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from circuits.atlas.begin import begun, is_class_free
from circuits.atlas.engines import Engine, inline
from circuits.atlas.plan import Job, PhotosByClass, by_class, collect, jobs_of, whole
from circuits.atlas.publish import publish
from circuits.atlas.storage import AtlasFolder
from circuits.atlas.subject import AtlasLayer, Subject
from circuits.atlas.work import BucketWork, forget
from circuits.attribution.links import find_links, with_linked_layers
from circuits.errors import InputError
from circuits.files import versions
from circuits.network.network import Network
from circuits.tracing.facts import NetworkInfo
from circuits.units import Progress

LINKED = "linked"


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
    class_free: bool | None = None,
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
        class_free: whether to find what units are made of whatever the class, also, which takes about a third longer
            and twice the room of sums. If `None`, as the atlas was begun; a new one has it.
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
    folder = AtlasFolder(into)
    subject = subject_of(network, class_free=is_class_free(folder) if class_free is None else class_free)
    given = load if load is not None and engine is not inline else lambda: network
    work, jobs = BucketWork(given, subject, collection.folder, folder.folder.resolve()), jobs_of(collection.classes)
    with begun(folder, subject):
        _compute(work, engine, folder, jobs, jobs[part[0] - 1 :: part[1]], progress)
        with folder.locked():
            missing = len(list(_missing(folder, work, jobs, jobs)))
            if not missing:
                read = [job for own in by_class(jobs) for job in _kept(folder, work, own)]
                where = str(collection.folder)
                publish(folder, subject, read, where, progress, asked=collection.asked, compact=compact)
    return replace(collection, missing=missing)


def _compute(
    work: BucketWork, engine: Engine, folder: AtlasFolder, jobs: list[Job], own: list[Job], progress: Progress | None
) -> None:
    """Compute those of our own buckets that are not there."""
    todo = list(_missing(folder, work, jobs, own))
    total = sum(len(job.photos) for job in own)
    done = total - sum(len(job.photos) for job in todo)

    def tick(photos: int) -> None:
        nonlocal done
        done += photos
        if progress is not None:
            progress(done, total, "Explaining photos")

    if todo:
        tick(0)
        start = secrets.randbelow(len(todo))  # so that several commands on one folder share the work
        try:
            for _ in engine(work, [*todo[start:], *todo[:start]], tick):
                pass
        finally:
            forget()


def cut(network: Network, layers: str | Sequence[str]) -> Network:
    """A network with the layers whose units an atlas is to have; `build_atlas` says which."""
    return with_linked_layers(network) if layers == LINKED else network.with_layers(layers)


def subject_of(network: Network, *, class_free: bool = True) -> Subject:
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
    made_by = versions("torch")
    return Subject(facts, seen, network.labels, layers, links, unlinked, network.device.type, made_by, class_free)


def _kept(folder: AtlasFolder, work: BucketWork, jobs: list[Job]) -> list[Job]:
    """The files in which the sums of a class are: all buckets in one, if that is there, or each in its own."""
    return [whole(jobs)] if folder.is_done(whole(jobs), work.subject, work.photos) else jobs


def _missing(folder: AtlasFolder, work: BucketWork, jobs: list[Job], own: list[Job]) -> Iterator[Job]:
    """Those of our own buckets that are not there as the photos are now."""
    asked = {(job.channel, job.bucket) for job in own}
    for every in by_class(jobs):
        wanted = [job for job in every if (job.channel, job.bucket) in asked]
        if wanted and _kept(folder, work, every) == every:
            yield from (job for job in wanted if not folder.is_done(job, work.subject, work.photos))
