"""A folder that is written of an atlas, a site or tables: known by a mark, and written by one process at a time."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from circuits.errors import InputError, listed
from circuits.files import locked, read_json, versions


@dataclass(frozen=True)
class MarkedFolder:
    """The folder.

    Args:
        folder: where.
        mark: name of the file that says what it is.
        format: that it says, with the version.
        what: it is, for a sentence: "a site".
    """

    folder: Path
    mark: str
    format: str
    what: str

    def check(self, atlas: Path, of: str | None = None) -> None:
        """Refuse a folder that holds something else, or lies in that of the atlas; what begins with a dot is nobody's.

        Args:
            atlas: the folder of the atlas.
            of: what a folder must be of that is there already; anything, if `None`.

        Raises:
            InputError: if it does, or is no folder.
        """
        target, own = self.folder.resolve(), atlas.resolve()
        if own in (target, *target.parents):
            raise InputError(
                f"{self.folder} lies in the folder of the atlas, whose own files are there; give another folder."
            )
        try:
            there = sorted(each.name for each in self.folder.iterdir()) if self.folder.exists() else []
        except OSError as error:
            raise self.refused(error) from None
        others, known = [name for name in there if not name.startswith(".")], self._facts()
        if others and known is None:
            raise InputError(
                f"{self.folder} holds {listed(others, limit=3)}, and is not {self.what} of an atlas; give a folder of "
                "its own, which is made."
            )
        if known is not None and of not in (None, known.get("of")):
            raise InputError(f"{self.folder} is {self.what} of another atlas; give another folder, or remove it.")

    @property
    def is_ours(self) -> bool:
        """Whether it is one that was written here."""
        return self._facts() is not None

    def _facts(self) -> Mapping[str, object] | None:
        try:
            facts = read_json(self.folder / self.mark)
        except InputError:
            return None
        return facts if isinstance(facts, dict) and facts.get("format") == self.format else None

    def text(self, **facts: str) -> str:
        """What the mark says, with what else there is to say."""
        return json.dumps({"format": self.format, **facts, "versions": versions()}, indent=1) + "\n"

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from putting files into it while a block runs; wait until they are done."""
        return locked(self.folder / ".lock", busy="", patience=-1.0)

    def refused(self, error: OSError) -> InputError:
        """What is said where the system does not permit it."""
        return InputError(f"{self.folder} cannot be written to ({error.strerror or error}); choose another folder.")
