"""Small networks with every way in which the channels of one layer can be linked to those of the next."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from circuits.atlas.plan import Job
from circuits.atlas.storage import AtlasFolder
from circuits.attribution.links import Link
from circuits.network.network import Network
from tests.support.nets import randomize, ready


class Chain(nn.Sequential):
    """Convolutions, pooling, and a linear layer that reads all positions."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, stride=2, padding=1),
            nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(20, 6), nn.ReLU(), nn.Linear(6, 3),
        )  # fmt: skip


class Branches(nn.Module):
    """A concatenation of a plain branch, a grouped one and a pooled one, which a further convolution reads."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.one = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 3, 1)
        self.grouped, self.last = nn.Conv2d(4, 6, 3, padding=1, groups=2), nn.Conv2d(13, 5, 1)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        pooled = nn.functional.max_pool2d(x, 3, 1, 1)
        x = torch.cat([torch.relu(self.one(x)), torch.relu(self.grouped(x)), pooled], 1)
        return self.head(torch.relu(self.last(x)).mean((2, 3)))


class Residual(nn.Module):
    """Additions of a skip, with and without a convolution on it, and a depthwise convolution before its norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.inner, self.outer = (
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.Conv2d(4, 4, 1),
        )
        self.down, self.depthwise, self.norm = (
            nn.Conv2d(4, 6, 1),
            nn.Conv2d(4, 4, 3, padding=1, groups=4),
            nn.BatchNorm2d(4),
        )
        self.up, self.head = nn.Conv2d(4, 6, 1), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = torch.relu(x + self.outer(torch.relu(self.inner(x))))
        y = torch.relu(self.norm(self.depthwise(x)))
        return self.head(torch.relu(self.down(x) + self.up(y)).mean((2, 3)))


class Odd(nn.Module):
    """Convolutions with a dilation, strides and kernels that differ by axis, paddings, two outputs a channel."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")
        self.dilated = nn.Conv2d(4, 3, 3, padding=2, dilation=2, padding_mode="circular")
        self.wide = nn.Conv2d(3, 4, (1, 3), stride=(2, 1), padding=(0, 1))
        self.twofold, self.even = nn.Conv2d(4, 8, (3, 1), groups=4), nn.Conv2d(8, 3, 2, padding="same")
        self.head = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.dilated(torch.relu(self.stem(x))))
        x = torch.relu(self.twofold(torch.relu(self.wide(x))))
        return self.head(torch.relu(self.even(x)).mean((2, 3)))


class Shared(nn.Module):
    """One convolution that is used three times: twice in a row, and in another branch."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.other = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.shared, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        one, two = (
            torch.relu(self.shared(torch.relu(self.shared(x)))),
            torch.relu(self.shared(torch.relu(self.other(x)))),
        )
        return self.head(torch.cat([one, two], 1).mean((2, 3)))


KINDS: dict[str, type[nn.Module]] = {"chain": Chain, "branches": Branches, "residual": Residual, "odd": Odd}


def linked_network(kind: str, *, double: bool = False, layers: str | Sequence[str] = "fine") -> Network:
    """One of them with seeded weights, for photos of 8 × 8."""
    network = ready(randomize((KINDS | {"shared": Shared})[kind](), 3).eval(), 8, layers=layers, name=kind)
    if double:
        network.traced.double()
    return network


def sources_and_shares(links: Sequence[Link], matrices: Sequence[Tensor], upper: str, channel: int) -> dict[str, float]:
    """The links of a unit by the unit below, those that several ways give added up; "" for what is no unit."""
    found: dict[str, float] = {}
    for link, matrix in zip(links, matrices, strict=True):
        row = channel - link.start
        if link.upper == upper and 0 <= row < link.rows:
            for column in range(link.columns):
                source = link.source(row, column)
                name = "" if source is None else str(source)
                found[name] = found.get(name, 0.0) + float(matrix[row, column])
    return found


def sums_of(folder: AtlasFolder, jobs: Sequence[Job]) -> list[bytes]:
    """The bytes of the files of some buckets."""
    return [folder.bucket_file(job).read_bytes() for job in jobs]
