"""What an index counts while photos stream by: four lists, a sample and a sum for every unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from circuits.exemplars.quantiles import WHAT, QuantileSample
from circuits.exemplars.statistics import UnitStatistics
from circuits.exemplars.top_k import KINDS, TopK, score


@dataclass(frozen=True, eq=False)
class Accumulator:
    """The lists, the sample and the sums of all units, after some photos. Its size depends on the units alone.

    Args:
        best: the lists, by kind.
        sample: for quantiles.
        sums: over all photos, of the unit's mean activation over positions.
    """

    best: Mapping[str, TopK]
    sample: QuantileSample
    sums: Float64[Tensor, " units"]

    @classmethod
    def empty(cls, units: int, top: int) -> "Accumulator":
        """No photos yet."""
        sums = torch.zeros(units, dtype=torch.float64)
        return cls({kind: TopK.empty(units, top) for kind in KINDS}, QuantileSample.empty(units), sums)

    def with_photos(self, numbers: Sequence[int], summary: UnitStatistics) -> "Accumulator":
        """After more photos, whose numbers these are."""
        photos = torch.tensor(numbers, dtype=torch.int64)
        best = {kind: self.best[kind].merged(score(kind, summary.peaks), photos, summary.positions) for kind in KINDS}
        sample = self.sample.merged(photos, {"peaks": summary.activations, "means": summary.means})
        return Accumulator(best, sample, self.sums + summary.means.double().sum(0))

    def tensors(self) -> dict[str, Tensor]:
        """The arrays by name, to be written."""
        named = self.sample.tensors() | {"sums": self.sums}
        for kind, best in self.best.items():
            named |= best.tensors(kind)
        return named

    def quantiles(self) -> dict[str, Tensor]:
        """The quantiles by name, to be written."""
        return {f"quantiles.{what}": self.sample.quantiles(what) for what in WHAT}

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> "Accumulator":
        """What `tensors` wrote."""
        best = {kind: TopK.of_tensors(kind, tensors) for kind in KINDS}
        return cls(best, QuantileSample.of_tensors(tensors), tensors["sums"])
