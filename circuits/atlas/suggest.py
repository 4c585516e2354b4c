"""Suggested names: which class a unit tells from the rest, or which word its photos are like.

1. The photos are those of the sample that the index of exemplars keeps, with the peak of every unit in each.
2. They are split in two by the sha256 of their bytes, so that copies of one photo stay together and the order in which
   photos came decides nothing.
3. On one half the class is chosen that the unit tells best from the rest: that of the largest AUC, the chance that a
   photo of the class has a higher peak than another one (Mann and Whitney 1947; ties count half).
4. Its AUC on the other half is the score: of many classes the best looks good on the photos that chose it, even where
   peaks are chance.
5. Only what is sure is suggested: AUC ≥ 0.7, and a false discovery rate of at most 5 % over all units of the atlas
   (Benjamini and Hochberg 1995), each tested against an AUC of ½.

With an encoder of pictures and words, members are the tenth of the photos that drive the unit most, and the values by
which they are told from the rest their similarities with a word.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuits.atlas.storage import AtlasFolder
from circuits.atlas.suggestion import Suggestion, write_suggestions
from circuits.errors import InputError
from circuits.exemplars.exemplars import Exemplars
from circuits.units import Progress, Unit

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas

FLOOR = 0.7
"""An AUC below this is no suggestion."""
FALSE = 0.05
"""False discovery rate of all suggestions together."""
STRONGEST = 0.1
"""The part of the photos that drive a unit most."""


def suggest_classes(atlas: "Atlas", *, progress: Progress | None = None) -> dict[Unit, Suggestion]:
    """Of each unit the class that it tells from the rest, where that is sure; kept in the atlas (`Atlas.suggestions`).

    Args:
        atlas: made with exemplars, in a folder that can be written to.
        progress: called with (layers done, layers, what is under way).

    Returns:
        The surest first.

    Raises:
        InputError: if the atlas has no exemplars, or what it was made of is gone, or the folder cannot be written to.
    """
    sample = sample_of(atlas)
    numbers = sorted(set(sample.classes.tolist()))
    labels = [atlas.record.subject.labels[number] for number in numbers]
    members = sample.classes[:, None] == np.array(numbers)
    chosen = _Chosen(labels, is_word=False)
    for layer, peaks in _layers(atlas, sample, progress):
        on, held = sample.half, ~sample.half
        chosen.add(layer, auc(peaks[on], members[on]).T, auc(peaks[held], members[held]).T, members[held].sum(0))
    found = chosen.sure(int((~sample.half).sum()))
    write_suggestions(atlas, "classes", found)
    return found


def similar_units(
    atlas: "Atlas",
    similarities: NDArray[np.floating],
    words: Sequence[str],
    *,
    sample: "Sample | None" = None,
    progress: Progress | None = None,
) -> dict[Unit, Suggestion]:
    """Of each unit the word that the photos that drive it most are like, where that is sure; the surest first.

    Args:
        atlas: made with exemplars.
        similarities: of each photo of `sample_of(atlas)` with each word, (photos, words).
        words: in order.
        sample: `sample_of(atlas)`, if that is known.
        progress: as in `suggest_classes`.
    """
    sample, chosen = sample or sample_of(atlas), _Chosen(words, is_word=True)
    on, held = sample.half, ~sample.half
    for layer, peaks in _layers(atlas, sample, progress):
        strong, told = strongest(peaks[on]), strongest(peaks[held])
        counts = np.broadcast_to(told.sum(0)[:, None], (peaks.shape[1], len(words)))
        chosen.add(layer, auc(similarities[on], strong), auc(similarities[held], told), counts)
    return chosen.sure(int(held.sum()))


@dataclass(frozen=True, eq=False)
class Sample:
    """The photos on which suggestions rest.

    Args:
        exemplars: the index.
        rows: of its sample.
        paths: of the photos.
        sha256: of their bytes.
        classes: number of the class of each.
        half: whether it is one of those on which classes are chosen, and not held out.
    """

    exemplars: Exemplars
    rows: NDArray[np.intp]
    paths: tuple[Path, ...]
    sha256: tuple[str, ...]
    classes: NDArray[np.int64]
    half: NDArray[np.bool_]


def sample_of(atlas: "Atlas") -> Sample:
    """The photos of an atlas on which suggestions rest: those of the index's sample that have a class.

    Raises:
        InputError: if the atlas has no exemplars, or no list of its photos.
    """
    exemplars = atlas.needed_exemplars()
    classes = AtlasFolder(atlas.folder).class_of_photos()
    photos = exemplars.sampled_photos()
    rows = [row for row, photo in enumerate(photos) if photo.path in classes]
    if not rows:
        raise InputError(
            f"The atlas in {atlas.folder} does not say of which classes its photos are; make it again, where its "
            "folder of buckets stays."
        )
    kept = [photos[row] for row in rows]
    return Sample(
        exemplars,
        np.array(rows),
        tuple(exemplars.folder / photo.path for photo in kept),
        tuple(photo.sha256 for photo in kept),
        np.array([classes[photo.path] for photo in kept]),
        np.array([int(photo.sha256[-1:] or "0", 16) % 2 == 0 for photo in kept]),
    )


def auc(values: NDArray[np.floating], members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How well each column of values tells the members of each set from the rest, by the ranks of the values.

    AUC = (Σ_members rank - m (m + 1) / 2) / (m (n - m))

    Args:
        values: (photos, columns).
        members: (photos, sets).

    Returns:
        (sets, columns): 1 where every member has a higher value than all others, ½ by chance, ties counting half; ½
        where a set has no member, or no other.

    >>> auc(np.array([[1.0], [2.0], [2.0], [3.0]]), np.array([[False], [False], [True], [True]])).tolist()
    [[0.875]]
    """
    from scipy.stats import rankdata

    count, inside = len(values), members.sum(0)[:, None].astype(np.float64)
    pairs = inside * (count - inside)
    above = members.T.astype(np.float64) @ rankdata(values, axis=0) - inside * (inside + 1) / 2
    return np.where(pairs > 0, above / np.maximum(pairs, 1), 0.5)


def strongest(peaks: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which photos are among the tenth that drive a unit most: fewer where many have the same peak, such as 0.

    Args:
        peaks: (photos, units).
    """
    return np.asarray(peaks > np.quantile(peaks, 1 - STRONGEST, axis=0, method="higher")) if len(peaks) else peaks > 0


class _Chosen:
    """What was chosen for units on one half of the photos, and how it did on the other."""

    def __init__(self, labels: Sequence[str], *, is_word: bool) -> None:
        self._labels, self._is_word = labels, is_word
        self._units: list[Unit] = []
        self._places: list[int] = []
        self._scores: list[float] = []
        self._counts: list[int] = []

    def add(
        self, layer: str, chosen_by: NDArray[np.float64], told: NDArray[np.float64], counts: NDArray[np.integer]
    ) -> None:
        """Choose for the units of a layer.

        Args:
            layer: its name.
            chosen_by: AUC on the half that chooses, (units, labels).
            told: AUC on the other half, (units, labels).
            counts: members of the other half, (labels,) or (units, labels).
        """
        if not self._labels:
            return
        best = chosen_by.argmax(1)
        rows = np.arange(len(best))
        self._units += [Unit(layer, channel) for channel in range(len(best))]
        self._places += best.tolist()
        self._scores += told[rows, best].tolist()
        self._counts += np.broadcast_to(counts, told.shape)[rows, best].tolist()

    def sure(self, photos: int) -> dict[Unit, Suggestion]:
        """Those that are sure, of so many held-out photos, the surest first."""
        from scipy.stats import false_discovery_control

        scores, inside = np.array(self._scores), np.array(self._counts, dtype=np.float64)
        others = photos - inside
        chance = _chance(scores, inside, others)
        rate = false_discovery_control(chance) if len(chance) else chance
        is_sure = (rate <= FALSE) & (scores >= FLOOR)
        return {
            self._units[place]: Suggestion(
                self._labels[self._places[place]], round(float(scores[place]), 6),
                int(inside[place]), int(others[place]), self._is_word,
            )
            for place in np.argsort(-scores, kind="stable")
            if is_sure[place]
        }  # fmt: skip


def _chance(
    scores: NDArray[np.float64], inside: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How probable so high an AUC is where the values say nothing, of so many members and others."""
    from scipy.stats import norm

    spread = np.sqrt((inside + others + 1) / (12 * np.maximum(inside * others, 1)))
    return np.where((inside > 0) & (others > 0), norm.sf((scores - 0.5) / spread), 1.0)


def why_none(atlas: "Atlas", *, is_word: bool = False) -> str:
    """Why nothing was suggested, in a sentence: too few photos, or no unit that tells them apart.

    Args:
        atlas: the atlas.
        is_word: whether words were looked for, and no classes.

    Raises:
        InputError: as `suggest_classes`.
    """
    sample = sample_of(atlas)
    held = ~sample.half
    photos, units = int(held.sum()), sum(layer.channels for layer in atlas.layers[:-1])
    counts = np.unique(sample.classes[held], return_counts=True)[1]
    most = int(STRONGEST * photos) if is_word else int(counts.max(initial=0))
    best = float(_chance(np.ones(1), np.array([float(most)]), np.array([float(photos - most)]))[0])
    what = "count as those that drive a unit most" if is_word else "are of one class at most"
    if best * units > FALSE:
        return (
            f"Of the {len(held)} photos {photos} are held out, of which {most} {what}: so few that even a unit that "
            f"tells them from the others without a fault could be one of {units} by chance. Add photos to the atlas."
        )
    return f"No unit does so surely on the {photos} of {len(held)} photos that are held out."


def _layers(atlas: "Atlas", sample: Sample, progress: Progress | None) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The layers below the classes, with the peaks of their units in the photos."""
    report = progress or (lambda done, known, message: None)
    below = atlas.layers[:-1]
    for done, layer in enumerate(below):
        report(done, len(below), f"Looking at {layer.name}")
        if layer.name in sample.exemplars.layers:
            yield layer.name, sample.exemplars.sampled_peaks(layer.name)[sample.rows]
    report(len(below), len(below), "Looked at all layers")
