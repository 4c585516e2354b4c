"""Beginning an atlas in a folder, or going on with it; and leaving nothing of one that comes to nothing."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from circuits.atlas.storage import LOCK, AtlasFolder, json_text
from circuits.atlas.subject import Subject
from circuits.errors import CircuitsError, InputError, listed
from circuits.files import write_atomically

_NAMES = frozenset(
    {
        "subject.json", "atlas.json", "overall.safetensors", "buckets", "classes", "exemplars", "suggestions.json",
        "embeddings.safetensors",
    }
)  # fmt: skip


@contextmanager
def begun(at: AtlasFolder, subject: Subject) -> Iterator[None]:
    """Begin an atlas, or go on with it; what was begun is taken away again if the block refuses what was given.

    Raises:
        InputError: if the folder holds the atlas of another network, other layers or another preprocessing, or what is
            no atlas, or cannot be made.
    """
    is_new, was_there = not at.is_begun and not (at.folder / "atlas.json").exists(), at.folder.exists()
    _begin(at, subject)
    try:
        yield
    except CircuitsError:
        if is_new and not any(at.has_sums(file) for file in at.folder.glob("buckets/*/*.safetensors")):
            _take_away(at, was_there)
        raise


def _begin(at: AtlasFolder, subject: Subject) -> None:
    try:
        foreign = [] if at.is_begun or not at.folder.exists() else _foreign(at)
        if foreign:
            raise InputError(
                f"{at.folder} holds {listed(foreign, limit=3)}, and is no atlas; give a folder of its own, which is "
                "made."
            )
        (at.folder / "buckets").mkdir(parents=True, exist_ok=True)
        (at.folder / "classes").mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{at.folder} cannot be written to ({error.strerror}); choose another folder.") from None
    if not at.is_begun:
        write_atomically(at.begun_file, json_text(subject.to_row()))
    known = _begun_with(at)
    if known.key != subject.key:
        raise InputError(
            f"{at.folder} holds an atlas of {known.called}, and this is {subject.called}; give another folder, or "
            "remove it."
        )


def is_class_free(at: AtlasFolder) -> bool:
    """Whether the atlas that was begun in a folder has class-free links, which it is gone on with; a new one has them.

    Raises:
        InputError: if what was begun is damaged.
    """
    return not at.is_begun or _begun_with(at).class_free


def _begun_with(at: AtlasFolder) -> Subject:
    try:
        return Subject.of_row(at.facts_of(at.begun_file))
    except InputError:
        raise
    except ValueError as error:
        raise at.damaged(at.begun_file, error) from None


def _foreign(at: AtlasFolder) -> list[str]:
    """What lies in the folder that an atlas has not."""
    names = sorted(each.name for each in at.folder.iterdir())
    return [name for name in names if not name.startswith(".") and name not in _NAMES]


def _take_away(at: AtlasFolder, was_there: bool) -> None:
    """Remove an atlas in which there is nothing, but nothing else."""
    for file in (*at.stale([], None), at.begun_file, at.folder / LOCK):
        file.unlink(missing_ok=True)
    for folder in (*at.folder.glob("buckets/*"), at.folder / "buckets", at.folder / "classes"):
        with suppress(OSError):
            folder.rmdir()
    with suppress(OSError):
        if not was_there:
            at.folder.rmdir()
