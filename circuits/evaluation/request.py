"""What an evaluation is asked for, checked before anything is computed: a wrong argument costs a sentence, no time."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from circuits.attribution.ablation import Baseline
from circuits.errors import InputError
from circuits.evaluation.unit_sets import Sources
from circuits.image.photo import Photo, load_photo
from circuits.tracing.targets import Target


def photos_of(photos: Any) -> list[Photo]:
    """Photos that are given as such or as what `load_photo` takes, each once, whatever it is called.

    Raises:
        InputError: if that is one photo and no list of them, or one cannot be read.

    Example:
        >>> [photo.name for photo in photos_of(["example:cat", "example:cat"])]
        ['cat']
    """
    if isinstance(photos, str | bytes | Path | Photo) or not isinstance(photos, Iterable):
        told = photos.name if isinstance(photos, Photo) else type(photos).__name__
        shown = repr(photos) if isinstance(photos, str) else str(photos) if isinstance(photos, Path) else told
        raise InputError(f"photos is {shown}; give a list of photos, even where it is one.")
    loaded = [photo if isinstance(photo, Photo) else load_photo(photo) for photo in photos]
    return list({photo.sha256: photo for photo in loaded}.values())


def baselines_of(baselines: Any) -> list[Baseline]:
    """Baselines, each of a name of its own.

    Raises:
        InputError: if there are none, two of a name, or something else among them.
    """
    known = isinstance(baselines, Sequence) and all(isinstance(each, Baseline) for each in baselines)
    if not known:
        raise InputError(f"baselines is {baselines!r}; give a list of Baseline, such as [Baseline.zero()].")
    if not baselines:
        raise InputError("baselines is empty; give at least one, such as Baseline.zero().")
    names = [each.name for each in baselines]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"baselines has {names.count(name)} of the name {name}; give one of each name.")
    return list(baselines)


def ladder_of(ladder: Any) -> tuple[int, ...]:
    """Units below each unit along the curve.

    Raises:
        InputError: if they are no whole numbers above 0.
    """
    if isinstance(ladder, str | bytes) or not isinstance(ladder, Iterable):
        raise InputError(f"The ladder is {ladder!r}; give whole numbers above 0 in a row, such as (1, 3, 10).")
    tops = list(ladder)
    if not all(_is_whole(top) and top >= 1 for top in tops):
        raise InputError(
            f"The ladder is {tops}; each number counts units below a unit and must be whole and at least 1."
        )
    return tuple(int(top) for top in tops)


def count_of(name: str, number: Any, *, least: int) -> int:
    """A whole number.

    Raises:
        InputError: if it is none, or below the least.
    """
    if not _is_whole(number):
        raise InputError(f"{name} is {number!r}; it must be a whole number.")
    if number < least:
        raise InputError(f"{name} is {number}; it must be {'0 or more' if least == 0 else f'at least {least}'}.")
    return int(number)


def seed_of(seed: Any) -> int:
    """What random numbers start from.

    Raises:
        InputError: if it is no whole number, or none that every generator takes.
    """
    if not _is_whole(seed):
        raise InputError(f"seed is {seed!r}; it must be a whole number.")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed}; it must be 0 or more and below 2^63.")
    return int(seed)


def check_shown(sources: Sources, target: Target) -> None:
    """Refuse a circuit that shows nothing below its target.

    Raises:
        InputError: if it has no edge.
    """
    if not any(sources.values()):
        raise InputError(
            f"The circuit shows no unit below {target.label}, so there is nothing to score; expand it, or choose "
            "another target."
        )


def _is_whole(number: Any) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)
