"""How well the attributions of a unit's lower units agree with what ablation finds of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OF_SHOWN = ("joint", "error", "together")


@dataclass(frozen=True)
class Agreement:
    """What ablation says of the layer below a unit, altogether, with one baseline.

    Args:
        baseline: what ablated units were set to, `zero` or `mean`.
        source: what the mean was taken over; empty for zero.
        units: how many units the layer below has.
        spearman: rank correlation of attribution and ablation over all of them (Spearman 1904, ties with average
            ranks); `None` if the whole layer was not measured, or one of the two is the same for all units.
        joint: what the unit's value loses without all shown units at once; `None` if it is not known of those that are
            shown now.
        error: Σ |S - A| / Σ |A| over the shown units, of attribution S and ablation A; `None` likewise, or if no A
            differs from zero.
        sampled: of how many units, drawn at random, `spearman` is, where there are too many to ablate each of them;
            `None` if of all.
    """

    baseline: str
    source: str
    units: int
    spearman: float | None = None
    joint: float | None = None
    error: float | None = None
    sampled: int | None = field(default=None, repr=False)

    @classmethod
    def of_row(cls, row: Mapping[str, Any], shown: Sequence[str]) -> "Agreement":
        """What a file says; what it says of other units than those that are shown now is left out."""
        known = set(row.get("together", ())) == set(shown)
        joint, error = (row.get(key) if known else None for key in ("joint", "error"))
        found = row["baseline"], row.get("source", ""), row["units"], row.get("spearman")
        return cls(*found, joint, error, row.get("sampled"))


def without_joint(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a file without what they say of the units that were shown."""
    return [{key: value for key, value in row.items() if key not in _OF_SHOWN} for row in rows]


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Spearman's rank correlation, -1 to 1; equal numbers have the average of their ranks.

    ρ = Σ (r_j - r̄)(s_j - s̄) / √(Σ (r_j - r̄)² · Σ (s_j - s̄)²) of the ranks r and s   (Spearman 1904)

    Returns:
        `None` where it is not defined: if either side has fewer than two different numbers.

    Example:
        >>> rank_correlation([1.0, 2.0, 3.0], [1.0, 8.0, 70.0]), rank_correlation([1.0, 2.0], [2.0, 2.0])
        (1.0, None)
    """
    one, other = _ranks(left), _ranks(right)
    spread = float(np.sqrt((one @ one) * (other @ other)))
    return float(np.clip(one @ other / spread, -1, 1)) if spread > 0 else None


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Distance of each number's rank from the mean rank; equal numbers have the average of their ranks."""
    _, places, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    ranks = (counts.cumsum() - (counts - 1) / 2)[places]
    centred: NDArray[np.float64] = ranks - ranks.mean()
    return centred


def relative_error(attributions: Sequence[float], ablations: Sequence[float]) -> float | None:
    """Σ |S - A| / Σ |A|; `None` if every A is zero.

    Example:
        >>> relative_error([2.0, -1.0], [3.0, -1.0]), relative_error([2.0], [0.0])
        (0.25, None)
    """
    whole = sum(abs(lost) for lost in ablations)
    if whole == 0:
        return None
    return sum(abs(share - lost) for share, lost in zip(attributions, ablations, strict=True)) / whole
