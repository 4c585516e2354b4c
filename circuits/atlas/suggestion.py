"""What a unit tells from the rest: a suggestion for its name, with the score that it rests on, and its file."""

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuits.atlas.storage import AtlasFolder, reason_of
from circuits.errors import InputError
from circuits.files import read_json, write_atomically
from circuits.units import Unit

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas

_FORMAT = "circuits-suggestions/1"


@dataclass(frozen=True)
class Suggestion:
    """What a unit tells from the rest, as photos say on which it was not chosen.

    Args:
        label: of the class, or the word.
        auc: the chance that of two held-out photos, one of them of the class, that one has the higher peak; for a word
            that of two, one of them among those that drive the unit most, that one is more like the word.
        photos: held-out photos of the class; for a word those that drive the unit most.
        others: all other held-out photos.
        is_word: whether it is a word and no class.
    """

    label: str
    auc: float
    photos: int
    others: int
    is_word: bool = False

    @property
    def name(self) -> str:
        """The label as a name: the first of several that a class has."""
        return self.label.partition(",")[0].strip()

    @property
    def sentence(self) -> str:
        """What was found, and how sure it is.

        >>> Suggestion("tabby, tabby cat", 0.968, 12, 500).sentence
        'tells tabby from the rest, 0.97, held out (12 photos of it, 500 others)'
        >>> Suggestion("striped fur", 0.913, 51, 461, is_word=True).sentence
        'fires on what looks like striped fur, 0.91, held out (51 photos against 461 others)'
        """
        count = f"{self.photos} photo{'' if self.photos == 1 else 's'}"
        if self.is_word:
            return (
                f"fires on what looks like {self.name}, {self.auc:.2f}, held out ({count} against {self.others} others)"
            )
        return f"tells {self.name} from the rest, {self.auc:.2f}, held out ({count} of it, {self.others} others)"


def read_suggestions(atlas: "Atlas", kind: str) -> dict[Unit, Suggestion]:
    """What was suggested for the units of an atlas as it is now: `classes` or `words`.

    Raises:
        InputError: if the file is damaged.
    """
    file = AtlasFolder(atlas.folder).suggestions_file
    rows = _read(atlas).get(kind, {})
    try:
        found = {Unit.parse(unit): _of_row(row) for unit, row in rows.items()}
        channels = {layer.name: layer.channels for layer in atlas.layers}
        if not all(unit.channel < channels[unit.layer] for unit in found):
            raise ValueError("units")
    except (TypeError, AttributeError, ValueError, LookupError) as error:
        raise _damaged(file, error) from None
    return found


def _of_row(row: Any) -> Suggestion:
    label, auc, photos, others, is_word = row
    if not isinstance(label, str) or not 0 <= auc <= 1 or not type(photos) is type(others) is int:
        raise ValueError("rows")
    return Suggestion(label, float(auc), photos, others, bool(is_word))


def write_suggestions(atlas: "Atlas", kind: str, found: Mapping[Unit, Suggestion]) -> None:
    """Keep what was suggested, in the place of what was suggested before in the same way.

    Raises:
        InputError: if it cannot be written.
    """
    rows = {str(unit): list(astuple(each)) for unit, each in found.items()}
    facts = {"format": _FORMAT, **_made_of(atlas), **_read(atlas), kind: rows}
    write_atomically(AtlasFolder(atlas.folder).suggestions_file, json.dumps(facts, ensure_ascii=False) + "\n")
    for name in ("suggestions", "suggested_words"):
        atlas.__dict__.pop(name, None)  # what was read before


def _made_of(atlas: "Atlas") -> dict[str, Any]:
    """What suggestions are of: those of another network, or of other photos, do not count."""
    photos = {str(number): count for number, count in atlas.record.photos.items()}
    return {"network": atlas.record.subject.network["sha256"], "photos": photos}


def _read(atlas: "Atlas") -> dict[str, Any]:
    """By kind, what the file says; nothing if there is none, or it is of the atlas as it was."""
    file = AtlasFolder(atlas.folder).suggestions_file
    if not file.is_file():
        return {}
    try:
        facts = read_json(file)
    except InputError as error:
        raise _damaged(file, error) from None
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
        raise _damaged(file, ValueError(f"this version reads the format {_FORMAT!r}"))
    if any(facts.get(name) != value for name, value in _made_of(atlas).items()):
        return {}
    return {kind: facts[kind] for kind in ("classes", "words") if kind in facts}


def _damaged(file: Path, error: Exception) -> InputError:
    return InputError(
        f"{file} is damaged, or no file of suggestions ({reason_of(file, error)}); remove it and look for them again: "
        f"`circuits names --atlas {file.parent} --suggest`."
    )
