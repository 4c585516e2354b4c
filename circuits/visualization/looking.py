"""What objectives see of their images: all that a batch of them reads, in one forward pass of the network.

1. What all objectives read of one layer is asked for together: the union of their channels, or the whole layer.
2. The images are resized, if the canvas says so, normalised, and run as far as the highest layer that is read.
3. Each objective gets the rows of its own images, and of those the channels that it asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from circuits.networks import Network
from circuits.operations import Rectifier
from circuits.visualization.canvas import Canvas
from circuits.visualization.objective import Read

Ask = tuple[str, tuple[int, ...] | None, bool]


@dataclass(frozen=True)
class Reader:
    """One objective's part of a batch.

    Args:
        reads: what it reads.
        count: number of its images.
    """

    reads: tuple[Read, ...]
    count: int


def look(
    network: Network,
    canvas: Canvas,
    readers: Sequence[Reader],
    images: Tensor,
    *,
    fast: bool = False,
    rectifier: Rectifier | None = None,
) -> list[dict[Read, Tensor]]:
    """What each objective sees of its own images.

    Args:
        network: the network.
        canvas: whether the images are resized.
        readers: the objectives, in the order of the images.
        images: those of all objectives, one after the other, (N, colours, h, w) from 0 to 1.
        rectifier: run in place of the network's rectifiers, for another gradient.
        fast: compute in 16 bits.
        rectifier: run in place of rectifiers that are flat below zero: the same values with another gradient.

    Returns:
        For each objective what its reads found, (n, C, H, W) in 32 bits.
    """
    if canvas.resize is not None:
        images = F.interpolate(images, size=canvas.resize, mode="bilinear", antialias=True)
    inputs = network.preprocessing.normalize(images).contiguous(memory_format=torch.channels_last)
    asks = merged(readers)
    with torch.autocast("cpu", torch.bfloat16, enabled=fast):
        found = network.read(inputs, asks, rectifier=rectifier)
    seen: list[dict[Read, Tensor]] = [{} for _ in readers]
    for ask, values in zip(asks, found, strict=True):
        _hand_out(seen, readers, ask, values.float())
    return seen


def merged(readers: Sequence[Reader]) -> list[Ask]:
    """One ask a layer, rectified or not, that covers what all objectives read of it.

    >>> merged([Reader((Read("conv1", (3,)),), 1), Reader((Read("conv1", (2,)),), 1)])
    [('conv1', (2, 3), True)]
    """
    channels: dict[tuple[str, bool], set[int] | None] = {}
    for read in (read for reader in readers for read in reader.reads):
        key = (read.layer, read.rectified)
        known = channels.setdefault(key, set())
        channels[key] = None if known is None or read.channels is None else known | set(read.channels)
    return [
        (layer, None if some is None else tuple(sorted(some)), rectified)
        for (layer, rectified), some in channels.items()
    ]


def _hand_out(seen: list[dict[Read, Tensor]], readers: Sequence[Reader], ask: Ask, values: Tensor) -> None:
    """Give each objective its rows of what one ask found, and of those its channels."""
    channels = ask[1]
    if channels is None:
        for reader, found, rows in zip(readers, seen, torch.split(values, [r.count for r in readers]), strict=True):
            for read in _of(reader, ask):
                found[read] = rows if read.channels is None else rows[:, list(read.channels)]
        return
    place = {channel: at for at, channel in enumerate(channels)}
    pairs: list[tuple[int, int]] = []  # (image, place of the channel), picked at once: one step back instead of many
    pieces: list[tuple[int, Read, tuple[int, int]]] = []
    first = 0
    for number, reader in enumerate(readers):
        for read in _of(reader, ask):
            assert read.channels is not None
            pairs += [(first + image, place[c]) for image in range(reader.count) for c in read.channels]
            pieces.append((number, read, (reader.count, len(read.channels))))
        first += reader.count
    rows, columns = torch.tensor(pairs, device=values.device).T
    parts = torch.split(values[rows, columns], [count * width for _, _, (count, width) in pieces])
    for (number, read, size), part in zip(pieces, parts, strict=True):
        seen[number][read] = part.reshape(*size, *part.shape[1:])


def _of(reader: Reader, ask: Ask) -> list[Read]:
    return [read for read in reader.reads if (read.layer, read.rectified) == (ask[0], ask[2])]
