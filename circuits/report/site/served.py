"""Of every unit the classes that it serves most and least, and its links for those: gathered class by class.

The links of an atlas lie in a file a class, and a page of a unit shows those of a few classes. So each file is read
once, and what it says of all units that it serves most is taken from it together.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from circuits.atlas.atlas import Atlas
from circuits.atlas.storage import CLASS_FREE, LINK_ARRAYS, LINKS

MOST, LEAST = 8, 4
"""Classes that a unit's page names: those that the unit serves most, and least."""
LINKED = 5
"""Of the former, those whose links it shows."""
EVERY, FREE = -1, -2
"""In the place of a class's row: all classes together, and what units are made of whatever the class."""
EXCITE, INHIBIT, USERS = 6, 3, 6
"""Links that it shows of one class: units below that excite and inhibit, and units above."""


@dataclass(frozen=True)
class LinkRows:
    """Links of a unit for a class, one a row: `place` of the other unit among all, share, error and consistency."""

    place: NDArray[np.int64]
    share: NDArray[np.float64]
    error: NDArray[np.float64]
    consistency: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.place)


class Served:
    """Which classes the units of an atlas serve.

    Args:
        atlas: the atlas.

    `contributions`, `errors`, `selectivity` and `ranks` (1 for the class that a unit serves most) are of shape
    (classes, units); `most` and `least` have, of every unit, the rows of those classes. `below` and `above` have links
    by (row, unit): for all classes together and class-free ones, if the atlas has them, and for the classes that
    `gather` was called with.
    """

    def __init__(self, atlas: Atlas) -> None:
        overall = atlas.arrays()
        self.contributions: NDArray[np.float32] = overall["classes"].numpy()
        self.errors: NDArray[np.float32] = overall["classes.error"].numpy()
        self.selectivity = self.contributions - self.contributions.mean(0)
        classes, units = self.contributions.shape
        order = np.argsort(-self.contributions, axis=0, kind="stable")
        self.ranks = np.empty((classes, units), np.int32)
        np.put_along_axis(self.ranks, order, np.arange(1, classes + 1, dtype=np.int32)[:, None], 0)
        self.most = [[row for row in order[:MOST, unit].tolist() if self._counts(row, unit)] for unit in range(units)]
        self.least = [
            [row for row in order[max(MOST, classes - LEAST) :, unit].tolist() if self._counts(row, unit)]
            for unit in range(units)
        ]
        self._wanted: dict[int, list[int]] = defaultdict(list)
        for unit, rows in enumerate(self.most):
            for row in rows[:LINKED]:
                self._wanted[row].append(unit)
        self.below: dict[tuple[int, int], LinkRows] = {}
        self.above: dict[tuple[int, int], LinkRows] = {}
        for row, kind in ((EVERY, LINKS), (FREE, CLASS_FREE)):
            if f"{kind}.source" in overall:
                self._wanted[row] = list(range(units))
                self.gather(row, overall, kind)

    def _counts(self, row: int, unit: int) -> bool:
        """Whether a class has to do with a unit: not, if the unit is the logit of another class."""
        return bool(self.contributions[row, unit] != 0)

    def gather(self, row: int, arrays: Mapping[str, Tensor], kind: str = LINKS) -> None:
        """Take the links of a class, the one of this row, for all units that serve it most."""
        wanted = np.array(self._wanted.pop(row, []), dtype=np.int64)
        if not len(wanted):
            return
        source = arrays[f"{kind}.source"].long().numpy()
        share, error, consistency = (arrays[f"{kind}.{name}"].numpy() for name in LINK_ARRAYS[1:])
        for unit in wanted.tolist():
            kept = np.flatnonzero(source[unit] >= 0)
            order = kept[np.argsort(-share[unit][kept], kind="stable")]
            excite = order[share[unit][order] > 0][:EXCITE]
            inhibit = order[share[unit][order] < 0][::-1][:INHIBIT]
            chosen = np.concatenate([excite, inhibit])
            self.below[row, unit] = _rows(unit, chosen, source, share, error, consistency)
        upper, column = np.nonzero(np.isin(source, wanted))
        order = np.lexsort((-np.abs(share[upper, column]), source[upper, column]))
        upper, column = upper[order], column[order]
        ends = np.searchsorted(source[upper, column], [wanted, wanted + 1])
        for unit, start, stop in zip(wanted.tolist(), *ends.tolist(), strict=True):
            at = (upper[start:stop][:USERS], column[start:stop][:USERS])
            self.above[row, unit] = LinkRows(
                at[0].astype(np.int64), *(each[at].astype(np.float64) for each in (share, error, consistency))
            )


def _rows(unit: int, columns: NDArray[np.int64], source: NDArray[np.int64], *numbers: NDArray[np.float32]) -> LinkRows:
    return LinkRows(source[unit][columns], *(each[unit][columns].astype(float) for each in numbers))
