"""The links of a class, or of all classes together: their means over photos, and which of each unit are kept.

Of all classes, each photo counts once. The variance over all photos is that within the classes and between them, as of
units: Σ_k [N_k (N_k - 1) se_k² + N_k d_k²] with the distance d_k of a class's mean from that of all. The links of a
logit are those in the photos of its class, and nothing in others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.atlas.fixed import SUM, from_fixed
from circuits.atlas.link_rows import rows_of
from circuits.atlas.measure import LINK, bits_of, error_of
from circuits.atlas.storage import LINK_ARRAYS, LINKS, NOBODY
from circuits.atlas.subject import Subject
from circuits.attribution.links import Link

KEPT = (8, 8)
"""Of a unit's links, how many of those that excite it are kept to be read, and of those that inhibit it."""


@dataclass(frozen=True, eq=False)
class LinkMeans:
    """Means over photos of the links of one matrix, their standard errors and consistency, each (rows, columns)."""

    share: Tensor
    error: Tensor
    consistency: Tensor

    def of(self, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Those of some rows."""
        return self.share[rows], self.error[rows], self.consistency[rows]


def means_of(sums: Mapping[str, Tensor], links: Sequence[Link], kind: str = LINK) -> list[LinkMeans]:
    """The means over the photos of one class of its links, or those of another kind, from its sums."""
    photos, batches = int(sums["photos"]), int(sums["batches"])
    found = []
    for place in range(len(links)):
        name = f"{kind}.{place}"
        share, bits = from_fixed(sums[name], SUM) / photos, bits_of(f"{name}.squares")
        error = error_of(share, from_fixed(sums[f"{name}.squares"], bits), photos, batches, bits)
        found.append(LinkMeans(share, error, sums[f"{name}.strong"].double() / photos))
    return found


class LinkTotals:
    """Adds up the links of classes, one after the other, always in the same order.

    Args:
        links: whose means are wanted.
        kind: of sums that they are made of.
    """

    def __init__(self, links: Sequence[Link], kind: str = LINK) -> None:
        self._links, self._kind, self._photos = links, kind, 0
        self._totals = [torch.zeros(4, link.rows, link.columns, dtype=torch.float64) for link in links]

    def add(self, sums: Mapping[str, Tensor], links: Sequence[Link]) -> None:
        """Count a class, whose sums are those of these links: all, or of the logits only its own row."""
        photos = int(sums["photos"])
        self._photos += photos
        every = zip(self._links, links, self._totals, means_of(sums, links, self._kind), strict=True)
        for link, own, total, each in every:
            rows = slice(own.start - link.start, own.start - link.start + own.rows)
            within = photos * (photos - 1) * each.error.nan_to_num().square()
            total[:, rows] += torch.stack(
                [photos * each.share, photos * each.share.square(), within, photos * each.consistency]
            )

    def means(self) -> list[LinkMeans]:
        """The means over all photos of all classes."""
        photos, found = self._photos, []
        for share, squares, within, strong in self._totals:
            mean = share / photos
            spread = (squares - photos * mean.square()).clamp(min=0) + within
            error = (spread / (photos - 1) / photos).sqrt() if photos > 1 else torch.full_like(mean, torch.nan)
            found.append(LinkMeans(mean, error, strong / photos))
        return found


def link_arrays(
    means: Sequence[LinkMeans], subject: Subject, links: Sequence[Link], called: str = LINKS
) -> dict[str, Tensor]:
    """Of the links of each unit those that are kept, and the sums over all, from the means of every link."""
    kept = sum(KEPT)
    arrays = {
        f"{called}.source": torch.full((subject.units, kept), NOBODY, dtype=torch.int32),
        **{f"{called}.{name}": torch.zeros(subject.units, kept) for name in LINK_ARRAYS[1:]},
        **{f"{called}.{name}": torch.zeros(subject.units) for name in ("total", "gross")},
    }
    starts = starts_of(subject)
    for units in rows_of(links):
        places = slice(starts[units.upper] + units.start, starts[units.upper] + units.stop)
        own = [means[place].of(rows) for place, rows in units.links]
        share, error, consistency = (torch.cat(each, 1) for each in zip(*own, strict=True))
        below = torch.cat([sources_of_link(links[place], starts)[rows] for place, rows in units.links], 1)
        chosen = _kept(share.masked_fill(below == NOBODY, 0.0))
        sources, width = below.gather(1, chosen), chosen.shape[1]
        nobody = (sources == NOBODY) | (share.gather(1, chosen) == 0)
        arrays[f"{called}.source"][places, :width] = sources.masked_fill(nobody, NOBODY).int()
        for name, array in (("share", share), ("error", error), ("consistency", consistency)):
            arrays[f"{called}.{name}"][places, :width] = array.gather(1, chosen).masked_fill(nobody, 0).float()
        arrays[f"{called}.total"][places] = share.sum(1).float()
        arrays[f"{called}.gross"][places] = share.abs().sum(1).float()
    return arrays


def _kept(share: Tensor) -> Tensor:
    """Columns of the links to keep in each row: those that excite most, and then those that inhibit most."""
    excite, inhibit = (min(count, share.shape[1]) for count in KEPT)
    ranked = share.argsort(dim=1, descending=True, stable=True)
    if share.shape[1] <= sum(KEPT):
        return ranked
    return torch.cat([ranked[:, :excite], ranked[:, -inhibit:].flip(1)], 1)


def starts_of(subject: Subject) -> dict[str, int]:
    """Of each layer the place of its first unit among all."""
    starts, start = {}, 0
    for layer in subject.layers:
        starts[layer.name] = start
        start += layer.channels
    return starts


def sources_of_link(link: Link, starts: Mapping[str, int]) -> Tensor:
    """Which unit below each place of a link's matrix is, by its place among all; `NOBODY` where it is none."""
    width = link.columns * link.groups
    units = torch.full((width,), NOBODY, dtype=torch.int64)
    for piece in link.pieces:
        if piece.layer is not None:
            first = starts[piece.layer] + piece.first
            units[piece.start : piece.start + piece.width] = torch.arange(first, first + piece.width)
    group = torch.arange(link.rows) // (link.rows // link.groups)
    return units[group[:, None] * link.columns + torch.arange(link.columns)]
