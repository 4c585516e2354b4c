"""Files that commands read and write: circuits, and files whose names say what is in them."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from circuits.errors import InputError
from circuits.files import check_writable

if TYPE_CHECKING:
    from circuits.tracing.circuit import Circuit

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
