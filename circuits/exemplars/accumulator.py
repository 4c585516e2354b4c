"""What an index accumulates over photos: four lists, a sample and a sum for every unit; its size is bounded."""

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
    """The lists by kind, the sample for quantiles, and the sums of mean activations of all units, after some photos."""

    lists: Mapping[str, TopK]
    sample: QuantileSample
    sums: Float64[Tensor, " units"]

    @classmethod
    def empty(cls, units: int, top: int) -> "Accumulator":
        """No photos yet."""
        sums = torch.zeros(units, dtype=torch.float64)
        return cls({kind: TopK.empty(units, top) for kind in KINDS}, QuantileSample.empty(units), sums)

    def with_photos(self, numbers: Sequence[int], seen: UnitStatistics) -> "Accumulator":
        """After more photos, whose numbers these are."""
        photos = torch.tensor(numbers, dtype=torch.int64)
        lists = {kind: self.lists[kind].merged(score(kind, seen.peaks), photos, seen.positions) for kind in KINDS}
        sample = self.sample.merged(photos, {"peaks": seen.activations, "means": seen.means})
        return Accumulator(lists, sample, self.sums + seen.means.double().sum(0))

    def tensors(self) -> dict[str, Tensor]:
        """The arrays by name, to be written."""
        named = self.sample.tensors() | {"sums": self.sums}
        for kind, each in self.lists.items():
            named |= each.tensors(kind)
        return named

    def quantiles(self) -> dict[str, Tensor]:
        """The quantiles by name, to be written."""
        return {f"quantiles.{what}": self.sample.quantiles(what) for what in WHAT}

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> "Accumulator":
        """What `tensors` wrote."""
        lists = {kind: TopK.of_tensors(kind, tensors) for kind in KINDS}
        return cls(lists, QuantileSample.of_tensors(tensors), tensors["sums"])
