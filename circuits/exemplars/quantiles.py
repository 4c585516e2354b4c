"""Quantiles of every unit over a stream of photos, from a sample of bounded size.

The sample holds the photos with the smallest numbers (`top_k.photo_number`, a hash of the name): a uniform sample
without replacement that does not depend on the order of the photos and can be continued when more come (a bottom-k
sketch; Cohen and Kaplan 2007). All units share its photos. Up to `SAMPLE` photos it holds all of them, and the
quantiles are exact; beyond, the 0 % and 100 % are still exact, and the share of photos below the p-quantile differs
from p with a standard error of sqrt(p (1 - p) / SAMPLE): 1.6 percentage points at the median, 0.3 at 1 % and 99 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

PERCENTS = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)
SAMPLE = 1024
WHAT = ("peaks", "means")


@dataclass(frozen=True, eq=False)
class QuantileSample:
    """Peak and mean activation of every unit in a sample of the photos, by `peaks` and `means`.

    Args:
        photos: numbers of the sampled photos, smallest first.
        values: the activations in those photos.
        lows: the lowest of all photos.
        highs: the highest of all photos.
        seen: how many photos there were.
    """

    photos: Int[Tensor, " sampled"]
    values: Mapping[str, Float[Tensor, "sampled units"]]
    lows: Mapping[str, Float[Tensor, " units"]]
    highs: Mapping[str, Float[Tensor, " units"]]
    seen: int = 0

    @classmethod
    def empty(cls, units: int) -> "QuantileSample":
        """No photos yet."""
        return cls(
            torch.zeros(0, dtype=torch.int64),
            {what: torch.zeros((0, units)) for what in WHAT},
            {what: torch.full((units,), torch.inf) for what in WHAT},
            {what: torch.full((units,), -torch.inf) for what in WHAT},
        )

    def merged(
        self, photos: Int[Tensor, " more"], values: Mapping[str, Float[Tensor, "more units"]]
    ) -> "QuantileSample":
        """The sample of these and of more photos."""
        numbers = torch.cat([self.photos, photos])
        chosen = numbers.argsort(stable=True)[:SAMPLE]
        sampled = self.values
        if len(chosen) < len(numbers) and int(chosen.max()) < len(self.photos):
            numbers = self.photos
        else:
            numbers = numbers[chosen]
            sampled = {what: torch.cat([self.values[what], values[what]])[chosen] for what in WHAT}
        return QuantileSample(
            numbers,
            sampled,
            {what: torch.minimum(self.lows[what], values[what].amin(0)) for what in WHAT},
            {what: torch.maximum(self.highs[what], values[what].amax(0)) for what in WHAT},
            self.seen + len(photos),
        )

    def quantiles(self, what: str) -> Float[Tensor, "units percents"]:
        """The `PERCENTS` of every unit's `peaks` or `means`, interpolated linearly between photos."""
        ranked = np.sort(self.values[what].numpy(), axis=0)
        quantiles = np.stack([_interpolated(ranked, percent / 100) for percent in PERCENTS], axis=1)
        quantiles[:, 0], quantiles[:, -1] = self.lows[what].numpy(), self.highs[what].numpy()
        return torch.from_numpy(quantiles)

    def tensors(self) -> dict[str, Tensor]:
        """The arrays by name, to be written."""
        named = {"sample.photos": self.photos, "sample.seen": torch.tensor([self.seen])}
        for what in WHAT:
            kinds = (("sample", self.values), ("lows", self.lows), ("highs", self.highs))
            named |= {f"{kind}.{what}": values[what] for kind, values in kinds}
        return named

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> "QuantileSample":
        """What `tensors` wrote."""
        sampled, lows, highs = (
            {what: tensors[f"{kind}.{what}"] for what in WHAT} for kind in ("sample", "lows", "highs")
        )
        return cls(tensors["sample.photos"], sampled, lows, highs, int(tensors["sample.seen"]))


def _interpolated(ranked: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    place = share * (len(ranked) - 1)
    lower = int(place)
    upper = min(lower + 1, len(ranked) - 1)
    between: NDArray[np.float32] = ranked[lower] + np.float32(place - lower) * (ranked[upper] - ranked[lower])
    return between
