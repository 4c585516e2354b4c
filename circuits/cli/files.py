"""Files that commands read and write: circuits, folders of photos, and files whose names say what is in them."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from circuits.cli.console import note
from circuits.errors import InputError
from circuits.files import check_writable
from circuits.report.text import many

if TYPE_CHECKING:
    from circuits.image.photo import Photo
    from circuits.network.network import Network
    from circuits.tracing.circuit import Circuit
    from circuits.units import Progress

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")


def get_circuit(path: Path | str) -> "Circuit":
    """A circuit from its file.

    Raises:
        InputError: if there is none, or it is something else, such as a photo, which has to be traced first.
    """
    from circuits.tracing.circuit import Circuit

    name = str(path)
    try:
        return Circuit.from_json(path)
    except InputError:
        if not name.startswith("example:") and not _is_photo(Path(name)):
            raise
    made = f"{Path(name.removeprefix('example:')).stem}.json"
    command = shlex.join(["circuits", "trace", name, "-o", made])
    raise InputError(f"{name} is a photo, not a circuit; trace it first: {command}.")


def _is_photo(path: Path) -> bool:
    """Whether a file begins as photos do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(16)
    return start.startswith(_SIGNATURES) or start[8:12] == b"WEBP" or start[4:8] == b"ftyp"


def check_output(option: str, path: Path | None, kind: str, endings: tuple[str, ...], rather: str = "") -> None:
    """Check a file that is to be written, before there is anything to write.

    Args:
        option: that names it.
        path: the file, if any.
        kind: of what is written.
        endings: that its name may have. It may have none too, and what is no file, such as a pipe, may have any.
        rather: the option for files with the ending that it has, if there is one.

    Raises:
        InputError: if its name ends otherwise, or it cannot be written.
    """
    if path is None:
        return
    if path.suffix and path.suffix.lower() not in endings and not (path.exists() and not path.is_file()):
        instead = f"; use {rather} {path} for {path.suffix}, or name it" if rather else "; name it"
        raise InputError(f"{option} writes {kind}, not {path.suffix} files{instead} {path.with_suffix(endings[0])}.")
    check_writable(path)


def photos_in(network: "Network", folder: Path) -> "list[Photo]":
    """The photos in a folder, of each what the network sees; files that are none are counted on standard error."""
    from circuits.exemplars.loader import files_in

    return photos_of(network, folder, [folder / entry.path for entry in files_in(folder)])


def photos_of(
    network: "Network", folder: Path, files: Sequence[Path], report: "Progress | None" = None
) -> "list[Photo]":
    """Some photos of a folder, as `photos_in` has all of them; how far it is, is reported."""
    from circuits.image.photo import load_photo

    photos: list[Photo] = []
    skipped = 0
    for done, file in enumerate(files):
        if report is not None:
            report(done, len(files), "Reading photos")
        try:
            photos.append(network.preprocessing.as_seen(load_photo(file)))
        except InputError:
            skipped += 1
    if not photos:
        raise InputError(f"There is no photo in {folder}; give a folder with PNG or JPEG files in it.")
    if skipped:
        note(f"{many(skipped, 'file')} in {folder} cannot be read as a photo; left out.")
    return photos
