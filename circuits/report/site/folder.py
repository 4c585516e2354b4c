"""The folder of a site: made aside and then put in place whole; one that holds something else is left alone."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from circuits.errors import InputError, listed
from circuits.files import read_json

FORMAT = "circuits-site/1"
MARK = "site.json"
_OURS = (MARK, "assets", "pictures", "exemplars", "layers", "classes", "units", "index.html")
"""What a site consists of; what else lies in its folder, such as `.git` or `CNAME`, stays there."""


def check_site_folder(folder: Path, atlas: Path) -> None:
    """Refuse a folder for a site that holds something else, or lies in that of the atlas.

    Raises:
        InputError: if it does, or is no folder.
    """
    if folder.resolve() == atlas.resolve() or atlas.resolve() in folder.resolve().parents:
        raise InputError(f"{folder} lies in the folder of the atlas, whose own files are there; give another folder.")
    try:
        there = sorted(each.name for each in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise _refused(folder, error) from None
    others = [name for name in there if not name.startswith(".")]
    if others and not is_site(folder):
        raise InputError(
            f"{folder} holds {listed(others, limit=3)}, and is no site of an atlas; give a folder of its own, which is "
            "made."
        )


def is_site(folder: Path) -> bool:
    """Whether a folder is that of a site which was written here."""
    try:
        mark = read_json(folder / MARK)
    except InputError:
        return False
    return isinstance(mark, dict) and mark.get("format") == FORMAT


@contextmanager
def new_site(folder: Path) -> Iterator[Path]:
    """A folder to write a site into, which takes the place of the one that is there when the block ends well.

    Raises:
        InputError: if it cannot be written to.
    """
    target = folder.resolve()
    try:
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name[:40]}.", dir=target.parent))
    except FileNotFoundError:
        raise InputError(f"{folder} cannot be made: there is no folder {folder.parent}; make it first.") from None
    except OSError as error:
        raise _refused(folder, error) from None
    try:
        new = aside / "new"
        new.mkdir()
        yield new
        _put_in_place(new, target, aside / "old")
    except OSError as error:
        raise _refused(folder, error) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _put_in_place(new: Path, target: Path, old: Path) -> None:
    """Move what there is into place, piece by piece: the mark first, by which an interrupted move is known as ours."""
    old.mkdir()
    target.mkdir(exist_ok=True)
    for name in _OURS:
        if (target / name).exists():
            shutil.move(target / name, old / name)
        if (new / name).exists():
            shutil.move(new / name, target / name)


def _refused(folder: Path, error: OSError) -> InputError:
    return InputError(f"{folder} cannot be written to ({error.strerror or error}); choose another folder.")
