"""The folder of a site: made aside and then put in place whole; one that holds something else is left alone."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from circuits.atlas.marked_folder import MarkedFolder
from circuits.errors import InputError

MARK = "site.json"
_OURS = (MARK, "assets", "pictures", "exemplars", "layers", "classes", "units", "index.html")
"""What a site consists of; what else lies in its folder, such as `.git` or `CNAME`, stays there."""


def site_folder(folder: Path) -> MarkedFolder:
    """A folder as that of a site."""
    return MarkedFolder(folder, MARK, "circuits-site/1", "a site")


@contextmanager
def new_site(folder: Path) -> Iterator[Path]:
    """A folder to write a site into, which takes the place of the one that is there when the block ends well.

    Where two are written at once each is put in place whole, one after the other.

    Raises:
        InputError: if it cannot be written to.
    """
    target, site = folder.resolve(), site_folder(folder)
    try:
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name[:40]}.", dir=target.parent))
    except FileNotFoundError:
        raise InputError(f"{folder} cannot be made: there is no folder {folder.parent}; make it first.") from None
    except OSError as error:
        raise site.refused(error) from None
    try:
        new = aside / "new"
        new.mkdir()
        yield new
        with site.locked():
            _put_in_place(new, target, aside / "old")
    except OSError as error:
        raise site.refused(error) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _put_in_place(new: Path, target: Path, old: Path) -> None:
    """Move what there is into place, piece by piece: the mark first, by which an interrupted move is known as ours."""
    old.mkdir()
    for name in _OURS:
        if (target / name).exists():
            shutil.move(target / name, old / name)
        if (new / name).exists():
            shutil.move(new / name, target / name)
