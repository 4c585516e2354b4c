"""What scoring was asked for, checked."""

from collections import Counter
from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from circuits.attribution.baseline import Baseline
from circuits.errors import InputError
from circuits.image.photo import Photo, as_photo


def photos_of(photos: Any) -> list[Photo]:
    """Photos that are given as such or as what `load_photo` takes, each once, whatever it is called.

    >>> [photo.name for photo in photos_of(["example:cat", "example:cat"])]
    ['cat']
    """
    if isinstance(photos, str | bytes | Path | Photo) or not isinstance(photos, Iterable):
        named = photos.name if isinstance(photos, Photo) else type(photos).__name__
        shown = repr(photos) if isinstance(photos, str) else str(photos) if isinstance(photos, Path) else named
        raise InputError(f"photos is {shown}; give a list of photos, even where it is one.")
    loaded = [as_photo(photo) for photo in photos]
    return list({photo.sha256: photo for photo in loaded}.values())


def baselines_of(baselines: Any) -> list[Baseline]:
    """Baselines, checked to be of different names."""
    if not isinstance(baselines, Sequence) or not all(isinstance(each, Baseline) for each in baselines):
        raise InputError(f"baselines is {baselines!r}; give a list of Baseline, such as [Baseline.zero()].")
    if not baselines:
        raise InputError("baselines is empty; give at least one, such as Baseline.zero().")
    [(name, times)] = Counter(each.name for each in baselines).most_common(1)
    if times > 1:
        raise InputError(f"baselines has {times} of the name {name}; give one of each name.")
    return list(baselines)


def ladder_of(ladder: Any) -> tuple[int, ...]:
    """Units below each unit along the curve, checked to be whole numbers above 0."""
    if isinstance(ladder, str | bytes) or not isinstance(ladder, Iterable):
        raise InputError(f"The ladder is {ladder!r}; give whole numbers above 0 in a row, such as (1, 3, 10).")
    tops = list(ladder)
    if not all(_is_whole(top) and top >= 1 for top in tops):
        raise InputError(
            f"The ladder is {tops}; each number counts units below a unit and must be whole and at least 1."
        )
    return tuple(int(top) for top in tops)


def count_of(name: str, number: Any, *, least: int) -> int:
    """A number, checked to be whole and not below the least."""
    if not _is_whole(number):
        raise InputError(f"{name} is {number!r}; it must be a whole number.")
    if number < least:
        raise InputError(f"{name} is {number}; it must be {'0 or more' if least == 0 else f'at least {least}'}.")
    return int(number)


def seed_of(seed: Any) -> int:
    """A seed, checked to be one that every generator takes."""
    if not _is_whole(seed):
        raise InputError(f"seed is {seed!r}; it must be a whole number.")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed}; it must be 0 or more and below 2^63.")
    return int(seed)


def _is_whole(number: Any) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)
