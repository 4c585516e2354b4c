"""Edges of a circuit: what a lower unit contributes to an upper one, and what was measured of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MEASURED = ("ablation", "ablation_mean", "positive", "negative", "integrated")
"""What `measure` writes on an edge, as the file calls it."""
SAMPLED = ("photos", "error", "consistency")
"""What the circuit of a class says of an edge, which a single photo cannot."""
WARNINGS = ("disagrees", "cancels", "saturates")
"""What may be doubtful about an edge, by the name of its property."""
_NET = 0.1


@dataclass(frozen=True)
class Edge:
    """A lower unit's share of an upper unit's value; the arrow follows the data.

    What was measured is in the units of the attribution, and `None` unless `measure` has been asked.

    Args:
        source: id of the lower node.
        target: id of the upper node.
        attribution: signed share, in units of the upper unit's value (mode `target`: of the target).
        rank: 1 for the strongest of its target's edges.
        ablation: what the upper unit's value really loses without the lower unit, when that is set to zero.
        entrance: the channel of a concatenation as which a unit of a branch enters on its way to the upper unit, such
            as `inception4a:209`, where that concatenation is no layer itself; `None` if there is none.
        ablation_mean: what it loses when the lower unit is set to its mean over photos (`Baseline.mean`).
        positive: what argues for it in gradient × activation, Σ_hw max(0, (a - b) · ∂f/∂a), b being the baseline.
        negative: what argues against it there, Σ_hw min(0, (a - b) · ∂f/∂a).
        integrated: its share by integrated gradients.
        photos: over how many photos the attribution is the mean, in the circuit of a class.
        error: the standard error of that mean; `None` where it cannot be told, of a single batch.
        consistency: the share of the photos whose batch has the edge among the five strongest of its target, 0 to 1.
        baseline: what the attribution is measured from, `zero` or `mean`.
    """

    source: str
    target: str
    attribution: float
    rank: int
    ablation: float | None = None
    entrance: str | None = None
    ablation_mean: float | None = None
    positive: float | None = None
    negative: float | None = None
    integrated: float | None = None
    photos: int | None = None
    error: float | None = None
    consistency: float | None = None
    baseline: str = "zero"

    @classmethod
    def of_row(cls, source: str, target: str, row: Mapping[str, Any], baseline: str = "zero") -> "Edge":
        """The edge that a graph or a file says there is, in a circuit whose shares are measured from that baseline."""
        measured = {key: row.get(key) for key in (*MEASURED, *SAMPLED, "entrance")}
        return cls(source, target, row["attribution"], row["rank"], baseline=baseline, **measured)

    @property
    def ablated(self) -> float | None:
        """What the attribution predicts: the ablation to the baseline that it is measured from."""
        return self.ablation if self.baseline == "zero" else self.ablation_mean

    @property
    def disagrees(self) -> bool:
        """Whether the ablation was measured and contradicts the attribution.

        It does where the two have different signs, or one is more than twice as large as the other.

        Example:
            >>> [Edge("conv1:0", "conv2:0", 2.0, 1, ablation).disagrees for ablation in (None, 1.0, 4.1, 0.9, -2.0)]
            [False, False, True, True, True]
        """
        return self.ablated is not None and _differ(self.attribution, self.ablated)

    @property
    def cancels(self) -> bool:
        """Whether what argues for it and against it, at different positions, nearly cancels.

        It does where |positive + negative| < 0.1 · (positive - negative), net against gross: its sign then hangs on
        less than a fifth of either part.

        Example:
            >>> parts = [(None, None), (5.5, -4.4), (5.0, -4.6), (0.0, 0.0)]
            >>> [Edge("conv1:0", "conv2:0", 1.0, 1, positive=p, negative=n).cancels for p, n in parts]
            [False, False, True, False]
        """
        if self.positive is None or self.negative is None:
            return False
        return abs(self.positive + self.negative) < _NET * (self.positive - self.negative)

    @property
    def saturates(self) -> bool:
        """Whether the gradient at the photo tells another story than the whole way there from the baseline.

        It does where gradient × activation and integrated gradients have different signs, or one is more than twice
        as large as the other: their difference is more than half of the larger.

        Example:
            >>> found = [None, 1.0, 4.1, 0.9]
            >>> [Edge("a:0", "b:0", 2.0, 1, positive=2.0, negative=0.0, integrated=ig).saturates for ig in found]
            [False, False, True, True]
        """
        if self.positive is None or self.negative is None or self.integrated is None:
            return False
        return _differ(self.positive + self.negative, self.integrated)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Which of `WARNINGS` hold.

        Example:
            >>> Edge("conv1:0", "conv2:0", 2.0, 1, ablation=-1.0, positive=2.0, negative=0.0, integrated=9.0).warnings
            ('disagrees', 'saturates')
        """
        return tuple(name for name in WARNINGS if getattr(self, name))


def _differ(one: float, other: float) -> bool:
    """Whether two numbers have different signs, or one is more than twice as large as the other."""
    small, large = sorted((abs(one), abs(other)))
    return one * other < 0 or large > 2 * small
