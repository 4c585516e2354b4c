"""Suggested words: what the photos that drive a unit are like, by an encoder of pictures and words."""

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from circuits.atlas.encoder import PictureEncoder
from circuits.atlas.storage import AtlasFolder
from circuits.atlas.suggest import Sample, sample_of, similar_units
from circuits.atlas.suggestion import Suggestion, write_suggestions
from circuits.errors import InputError
from circuits.files import read_text, write_atomically
from circuits.image.photo import Photo, load_photo
from circuits.naming.annotations import checked_name
from circuits.units import Progress, Unit

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas

MOST_WORDS = 20_000
_KEPT = 64
"""Searches whose answers are kept."""
_SAME = 1e-3
"""How far two embeddings of one photo by one encoder may lie apart."""


def suggest_words(
    atlas: "Atlas", encoder: PictureEncoder, words: Sequence[str], *, progress: Progress | None = None
) -> dict[Unit, Suggestion]:
    """Of each unit the word that the photos which drive it most are like; kept in the atlas (`Atlas.suggested_words`).

    What the encoder makes of the photos is kept too, so that they are shown to it once.

    Args:
        atlas: made with exemplars, whose photos are where they were.
        encoder: of pictures and words.
        words: to choose from.
        progress: called with (done, known, what is under way).

    Returns:
        The surest first.

    Raises:
        InputError: if the atlas has no exemplars, a photo is gone, or the encoder fails.
    """
    likeness = WordSearch(atlas, encoder, words, progress=progress).similarities(words)
    found = similar_units(atlas, likeness, words, progress=progress)
    write_suggestions(atlas, "words", found)
    return found


def units_like(
    atlas: "Atlas", encoder: PictureEncoder, text: str, *, progress: Progress | None = None
) -> dict[Unit, Suggestion]:
    """The units whose photos are like a word or a phrase, such as "striped fur"; the surest first.

    Args:
        atlas: as in `suggest_words`.
        encoder: as in `suggest_words`.
        text: the word.
        progress: as in `suggest_words`.

    Raises:
        InputError: as in `suggest_words`.
    """
    return WordSearch(atlas, encoder, [text], progress=progress)(text)


class WordSearch:
    """Finds units by words that nobody has given them, as `units_like` does; its encoder has seen all of the photos.

    Args:
        atlas: as in `suggest_words`.
        encoder: as in `suggest_words`.
        words: some that the encoder is tried with before it is shown the photos.
        progress: as in `suggest_words`.

    Raises:
        InputError: as in `suggest_words`.
    """

    def __init__(
        self,
        atlas: "Atlas",
        encoder: PictureEncoder,
        words: Sequence[str] = ("photo",),
        *,
        progress: Progress | None = None,
    ) -> None:
        width = encoder.words(words[:1]).shape[1]
        self._atlas, self._encoder, self._sample = atlas, encoder, sample_of(atlas)
        self._photos = _seen(atlas, self._sample, encoder, width, progress)
        self._found = lru_cache(_KEPT)(self._find)
        self._lock = threading.Lock()

    def __call__(self, text: str) -> dict[Unit, Suggestion]:
        """The units whose photos are like a text; the surest first.

        Raises:
            InputError: if the encoder fails.
        """
        with self._lock:  # nobody knows whether the encoder may be used by two threads
            return dict(self._found(text))

    def _find(self, text: str) -> dict[Unit, Suggestion]:
        return similar_units(self._atlas, self.similarities([text]), [text], sample=self._sample)

    def similarities(self, words: Sequence[str]) -> NDArray[np.float32]:
        """The cosine of each photo of `sample_of(atlas)` with each word, (photos, words)."""
        return np.asarray((self._photos @ self._encoder.words(words).T).numpy())


def read_words(path: str | Path) -> list[str]:
    r"""The words of a file, one a line; each once.

    Raises:
        InputError: if there is no such file, it has no words or too many, or one is too long.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "words.txt")
    ...     _ = file.write_text("striped fur\n\n  dog   head \nstriped fur\n")
    ...     read_words(file)
    ['striped fur', 'dog head']
    """
    words: dict[str, None] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        try:
            words |= dict.fromkeys(filter(None, [checked_name(line)]))
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
    if not words:
        raise InputError(f"{path} has no words; write one a line.")
    if len(words) > MOST_WORDS:
        raise InputError(f"{path} has {len(words)} words, and {MOST_WORDS} can be told apart; give fewer.")
    return list(words)


def _seen(atlas: "Atlas", sample: Sample, encoder: PictureEncoder, width: int, progress: Progress | None) -> Tensor:
    """What the encoder makes of the photos; what is kept counts if the first of them still gives the same."""
    file = AtlasFolder(atlas.folder).embeddings_file
    photos = _photos(sample)
    first = next(encoder.pictures([next(photos)]))
    if first.shape[1] != width:
        raise InputError(
            f"{encoder.name} gives {first.shape[1]} numbers for a picture and {width} for a word; they must be as many "
            "to be compared."
        )
    kept = _kept(file, _digest(sample))
    if kept is not None and kept.shape[1] == width and float((kept[:1] - first).abs().max()) < _SAME:
        return kept
    report, rows = progress or (lambda done, known, message: None), [first]
    for batch in encoder.pictures(photos):
        rows.append(batch)
        if batch.shape[1] != width:
            raise InputError(f"{encoder.name}: encode_image gave {width} numbers for a photo, then {batch.shape[1]}.")
        report(sum(map(len, rows)), len(sample.paths), "Encoding photos")
    found = torch.cat(rows)
    write_atomically(file, save({"photos": found}, {"embeddings": json.dumps({"photos": _digest(sample)})}))
    return found


def _photos(sample: Sample) -> Iterator[Photo]:
    for path in sample.paths:
        if not path.is_file():
            raise InputError(
                f"The encoder has to see the photos of the atlas, and {path} is not there any more; put them back, or "
                "run circuits atlas again with the folder that they are in now."
            )
        try:
            yield load_photo(path)
        except InputError as error:
            raise InputError(
                f"The encoder has to see the photos of the atlas, and one of them cannot be read: {error}"
            ) from None


def _digest(sample: Sample) -> str:
    return hashlib.sha256("\n".join(sample.sha256).encode()).hexdigest()


def _kept(file: Path, digest: str) -> Tensor | None:
    """What was kept of the same photos; a file that is damaged counts as missing."""
    try:
        with safe_open(file, "pt") as arrays:
            facts = json.loads((arrays.metadata() or {})["embeddings"])
            rows: Tensor = arrays.get_tensor("photos")
            return rows if facts["photos"] == digest and rows.ndim == 2 and len(rows) else None
    except (FileNotFoundError, SafetensorError, OSError, KeyError, ValueError, TypeError):
        return None
