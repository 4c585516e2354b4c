"""The photos in a folder, one after another, to measure colours and spectra on."""

import logging
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from circuits.errors import InputError
from circuits.image.photo import load_photo

_LOG = logging.getLogger(__name__)


def photos_in(folder: str | Path) -> Iterator[Image.Image]:
    """All photos in a folder and the folders in it, upright RGB, in the order of their paths.

    One is decoded at a time. What cannot be read as a photo is left out; how many were is logged at the end.

    Args:
        folder: where.

    Raises:
        InputError: if there is no such folder, or, when all files have been tried, no photo in it.

    >>> list(photos_in("missing"))
    Traceback (most recent call last):
    circuits.errors.InputError: There is no folder missing; give one with photos in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; give one with photos in it.")
    return _decoded(folder)


def _decoded(folder: Path) -> Iterator[Image.Image]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    skipped = 0
    for file in files:
        try:
            image = load_photo(file).image
        except InputError:
            skipped += 1
            continue
        yield image
    if skipped == len(files):
        raise InputError(f"None of the {len(files)} files in {folder} is a photo that can be read; give others.")
    if skipped:
        _LOG.warning("%d of %d files in %s cannot be read as photos; they are left out.", skipped, len(files), folder)
