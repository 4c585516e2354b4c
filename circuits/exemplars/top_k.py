"""The top k photos of every unit, in bounded memory.

z is the highest pre-activation of a unit in a photo (its peak before the activation function). Four lists are the
k highest scores of z each:

    most               z                        the highest peaks
    slightly_positive  -z where z > 0           the peaks least above zero
    slightly_negative   z where z < 0           the peaks least below zero
    least              -z                       the lowest peaks

Ties go to the photo with the smaller number. Numbers are made from names (`photo_number`), so that the lists do not
depend on the order in which photos come, or on how they are put into batches.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_SIGNS = {"most": 1, "slightly_positive": -1, "slightly_negative": 1, "least": -1}
KINDS = tuple(_SIGNS)
NOBODY = -1
"""Number of no photo, where a list is shorter than k."""


def photo_number(path: PurePath) -> int:
    """The number of a photo: the first 63 bits of the sha256 of its path inside the folder.

    >>> photo_number(PurePath("cats/tom.jpg")) == photo_number(PurePath("cats", "tom.jpg"))
    True
    """
    return int.from_bytes(hashlib.sha256(os.fsencode(path.as_posix())).digest()[:8], "big") >> 1


def score(kind: str, peaks: Float[Tensor, "photos units"]) -> Float[Tensor, "photos units"]:
    """What a list is ranked by; minus infinity for photos that do not belong in it."""
    scores = peaks * _SIGNS[kind]
    return torch.where(scores < 0, scores, -torch.inf) if kind.startswith("slightly") else scores


def value(kind: str, scored: float) -> float:
    """The peak z that has this score."""
    return scored * _SIGNS[kind]


@dataclass(frozen=True, eq=False)
class TopK:
    """The photos with the k highest scores of each unit, best first; minus infinity and `NOBODY` fill a shorter list.

    A position is that of the peak, as row · width + column.
    """

    scores: Float[Tensor, "units k"]
    photos: Int[Tensor, "units k"]
    positions: Int[Tensor, "units k"]

    @classmethod
    def empty(cls, units: int, k: int) -> "TopK":
        """No photos yet."""
        return cls(
            torch.full((units, k), -torch.inf),
            torch.full((units, k), NOBODY),
            torch.zeros((units, k), dtype=torch.int32),
        )

    def merged(
        self,
        scores: Float[Tensor, "photos units"],
        photos: Int[Tensor, " photos"],
        positions: Int[Tensor, "photos units"],
    ) -> "TopK":
        """The best of these and of more photos.

        Only units that one of the new photos may change are looked at; there are ever fewer of them.
        """
        k = self.scores.shape[1]
        best = scores.amax(0)
        rows = torch.nonzero((best >= self.scores[:, -1]) & (best > -torch.inf)).flatten()
        if not len(rows):
            return self
        every = torch.cat([self.scores[rows], scores.T[rows]], dim=1)
        chosen = _highest(every, self.photos[rows], photos, k)
        kept = every.gather(1, chosen)
        nobody = kept == -torch.inf
        old, before, new = chosen < k, chosen.clamp(max=k - 1), (chosen - k).clamp(min=0)
        numbers = torch.where(old, self.photos[rows].gather(1, before), photos[new])
        places = torch.where(old, self.positions[rows].gather(1, before), positions[new, rows[:, None]])
        return TopK(
            self.scores.index_copy(0, rows, kept),
            self.photos.index_copy(0, rows, numbers.masked_fill(nobody, NOBODY)),
            self.positions.index_copy(0, rows, places.masked_fill(nobody, 0)),
        )

    def tensors(self, kind: str) -> dict[str, Tensor]:
        """The arrays by name, to be written."""
        return {f"{kind}.scores": self.scores, f"{kind}.photos": self.photos, f"{kind}.positions": self.positions}

    @classmethod
    def of_tensors(cls, kind: str, tensors: Mapping[str, Tensor]) -> "TopK":
        """What `tensors` wrote."""
        return cls(tensors[f"{kind}.scores"], tensors[f"{kind}.photos"], tensors[f"{kind}.positions"])


def _highest(
    scores: Float[Tensor, "rows m"], before: Int[Tensor, "rows k"], more: Int[Tensor, " n"], k: int
) -> Int[Tensor, "rows k"]:
    """Columns of the k highest scores of each row, ties to the smaller number: its own k photos, then those of all."""
    highest, chosen = scores.topk(k, dim=1)
    ambiguous = _has_ties(scores, highest)
    if bool(ambiguous.any()):
        had = before[ambiguous]
        by_number = torch.cat([had, more.expand(len(had), -1)], dim=1).argsort(dim=1, stable=True)
        by_score = scores[ambiguous].gather(1, by_number).argsort(dim=1, descending=True, stable=True)
        chosen[ambiguous] = by_number.gather(1, by_score)[:, :k]
    return chosen


def _has_ties(scores: Float[Tensor, "rows m"], best: Float[Tensor, "rows k"]) -> Bool[Tensor, " rows"]:
    """Rows in which equal scores of photos compete for a place or for their order."""
    last = best[:, -1:]
    shared = ((scores >= last).sum(1) > best.shape[1]) & (last > -torch.inf)[:, 0]
    return shared | ((best[:, 1:] == best[:, :-1]) & (best[:, 1:] > -torch.inf)).any(1)
