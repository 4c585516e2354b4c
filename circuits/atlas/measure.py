"""What is added up over the photos of a class: of every unit, and of every link between two.

Of a unit i and a photo, over its positions: the contribution C_i = Σ_hw a_i · ∂T/∂a_i to the logit T of the class, the
mean activation, the peak, whether it fires (peak > 0), and whether it is among the fewest units of its layer that hold
3 % of the peaks (Hohman et al. 2020, "Summit"). Their sums and sums of squares give means and standard errors.

Of a link the sum of E_ij over a batch of photos, S_b, comes of one pass back (`attribution.weight_links`), and its
spread is that of batches: Σ_b S_b² / n_b. With m = Σ S_b / N over N photos in B batches, the variance of a photo's link
is estimated, without bias, by (Σ_b S_b² / n_b - N m²) / (B - 1). A batch also says which five units below are a unit's
strongest; the share of the photos whose batch says so of j is the consistency of the link j → i. Links without a class
are counted likewise, in units of the mean activation that they are shares of.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from circuits.atlas.facts import STRONGEST
from circuits.atlas.fixed import LINK_SQUARE, SQUARE, SUM, from_fixed, to_fixed
from circuits.atlas.link_rows import LinkedRows, rows_of
from circuits.attribution.links import Link
from circuits.attribution.weight_links import LinkedBatch, free_of_classes
from circuits.network.device import in_doubles

SUMMIT = 0.03
MOMENTS = ("contribution", "activation", "peak")
"""Of a unit, of which there are sums and squares."""
COUNTS = ("fires", "summit")
LINK, FREE = "link", "free"
"""How the sums over links of a class are called, and over those of no class, each followed by the link's place."""


@dataclass(eq=False)
class Sums:
    """Sums over some photos of one class, in float64, the units of all layers one after the other.

    Args:
        layers: their names, as the contributions of a batch have them.
        links: between them; of the class alone where they end at its logit.
        class_free: whether those without a class are counted also.
    """

    layers: Sequence[str]
    links: Sequence[Link]
    class_free: bool = False

    def __post_init__(self) -> None:
        self._values: dict[str, Tensor] = {}
        self._rows = rows_of(self.links)
        self._free_rows = rows_of(free_of_classes(self.links, self.layers[-1])) if self.class_free else ()

    def add(self, batch: LinkedBatch) -> None:
        """Count a batch of photos, all of which are finite."""
        photos = len(batch.logits)
        self._add("photos", torch.tensor([photos]))
        self._add("batches", torch.tensor([1]))
        self._moments("logit", in_doubles(batch.logits)[:, None])
        for name, values in zip(MOMENTS, (batch.contributions, batch.means, batch.peaks), strict=True):
            self._moments(name, torch.cat([in_doubles(values[layer]) for layer in self.layers], 1))
        self._add("fires", torch.cat([(batch.peaks[layer] > 0).sum(0) for layer in self.layers]))
        self._add("summit", torch.cat([summit(batch.peaks[layer]).sum(0) for layer in self.layers]))
        self._add_links(LINK, batch.links, self._rows, photos)
        if self.class_free:
            self._add_links(FREE, batch.class_free, self._free_rows, photos)

    def _add_links(
        self, kind: str, matrices: Sequence[Tensor], rows_of_links: Sequence[LinkedRows], photos: int
    ) -> None:
        for place, matrix in enumerate(matrices):
            self._add(f"{kind}.{place}", matrix)
            self._add(f"{kind}.{place}.squares", matrix.square().div_(photos))
        for units in rows_of_links:
            found = strongest([matrices[place][rows] for place, rows in units.links])
            for (place, rows), each in zip(units.links, found, strict=True):
                name = f"{kind}.{place}.strong"
                if name not in self._values:
                    self._values[name] = torch.zeros(matrices[place].shape, dtype=torch.int64)
                self._values[name][rows].add_(each, alpha=photos)

    def _moments(self, name: str, values: Float[Tensor, "photos units"]) -> None:
        self._add(name, values.sum(0))
        self._add(f"{name}.squares", values.square().sum(0))

    def _add(self, name: str, values: Tensor) -> None:
        if name in self._values:
            self._values[name] += values.cpu()
        else:
            self._values[name] = values.cpu().clone()

    def fixed(self) -> dict[str, Tensor]:
        """The sums in fixed point, by name.

        Raises:
            InputError: if one does not fit.
        """
        return {
            name: values if not values.is_floating_point() else to_fixed(values, bits_of(name), f"{name}s")
            for name, values in self._values.items()
        }


def bits_of(name: str) -> int:
    """Bits behind the point of a sum of that name."""
    if not name.endswith(".squares"):
        return SUM
    return LINK_SQUARE if name.startswith(f"{LINK}.") else SQUARE


def summit(peaks: Float[Tensor, "photos units"], share: float = SUMMIT) -> Bool[Tensor, "photos units"]:
    """Which units of a layer are the fewest whose peaks, together, hold a share of those of all, photo by photo.

    Example:
        >>> summit(torch.tensor([[5.0, 3.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]]), 0.6).int().tolist()
        [[1, 1, 0, 0], [0, 0, 0, 0]]
    """
    positive = in_doubles(peaks.clamp(min=0))
    ranked, order = positive.sort(dim=1, descending=True, stable=True)
    before = ranked.cumsum(1) - ranked
    wanted = (before < share * positive.sum(1, keepdim=True)) & (ranked > 0)
    return torch.zeros_like(wanted).scatter(1, order, wanted)


def strongest(matrices: Sequence[Float[Tensor, "rows _columns"]]) -> list[Bool[Tensor, "rows _columns"]]:
    """Which links are the five strongest of their unit, over all matrices whose rows are the same units; positive ones.

    Example:
        >>> found = strongest([torch.tensor([[3.0, -9.0]]), torch.tensor([[1.0, 0.0]])])
        >>> [each.tolist() for each in found]
        [[[True, False]], [[True, False]]]
    """
    together = torch.cat(list(matrices), 1) if len(matrices) > 1 else matrices[0]
    best = together.topk(min(STRONGEST, together.shape[1]), dim=1)
    chosen = torch.zeros_like(together, dtype=torch.bool).scatter(1, best.indices, best.values > 0)
    return list(torch.split(chosen, [each.shape[1] for each in matrices], 1))


def links_of_class(links: Iterable[Link], top: str, channel: int) -> tuple[Link, ...]:
    """The links of one class: of the logits, only its own has a gradient, and so a row."""
    return tuple(link.of_row(channel - link.start) if _is_logits(link, top, channel) else link for link in links)


def matrices_of_class(batch: LinkedBatch, links: Sequence[Link], top: str, channel: int) -> LinkedBatch:
    """A batch whose matrices have the rows of `links_of_class`."""
    matrices = tuple(
        matrix[[channel - link.start]] if _is_logits(link, top, channel) else matrix
        for link, matrix in zip(links, batch.links, strict=True)
    )
    return replace(batch, links=matrices)


def _is_logits(link: Link, top: str, channel: int) -> bool:
    return link.upper == top and link.groups == 1 and link.start <= channel < link.start + link.rows


def finite(batch: LinkedBatch) -> Bool[Tensor, " n"]:
    """In which photos of a batch nothing overflowed."""
    good = batch.logits.isfinite().cpu()
    for values in batch.contributions.values():  # what is not finite stays so when it is multiplied
        good &= values.isfinite().all(1).cpu()
    return good


def mean_and_error(sums: Mapping[str, Tensor], name: str, photos: int) -> tuple[Tensor, Tensor]:
    """Mean over photos and its standard error, in float64; the error is NaN where one sample alone is there.

    mean = Σ x / N,  error = √(Σ (x - mean)² / (N - 1) / N)

    Example:
        >>> sums = {"peak": torch.tensor([6 << SUM]), "peak.squares": torch.tensor([20 << SQUARE])}
        >>> [float(each) for each in mean_and_error(sums, "peak", 2)]
        [3.0, 1.0]
    """
    mean = from_fixed(sums[name], bits_of(name)) / photos
    squares = from_fixed(sums[f"{name}.squares"], bits_of(f"{name}.squares"))
    return mean, error_of(mean, squares, photos, photos, SQUARE)


def error_of(mean: Tensor, squares: Tensor, photos: int, samples: int, bits: int) -> Tensor:
    """The standard error of a mean over photos, from the squares of samples (photos, or batches) in fixed point.

    error = √((Σ_b S_b² / n_b - N mean²) / (B - 1) / N) of B samples; NaN where there is one.
    """
    if samples < 2:
        return torch.full_like(mean, torch.nan)
    spread = squares - photos * mean.square()
    noise = mean.abs() * 2.0 ** (2 - SUM) + 2.0 ** (2 - bits)  # of rounding to fixed point
    return (spread.masked_fill(spread < noise, 0) / (samples - 1) / photos).sqrt()
