"""Do circuits find what a class is made of? A network trained on pictures with planted parts, where that is known.

1. Train a small network on pictures whose classes are pairs of parts (`benchmarks/planted.py`).
2. Find the channels that respond to each part, in pictures of any parts: the peak of a channel in a cell tells the part
   from all others, with an area under the curve of at least 0.9.
3. Trace the circuit of a class in pictures of it, which hold other parts too. Of the channels that it shows in a layer:
   which share responds to the class's two parts, which only to another part that is in the picture, which to neither?
   The same for as many channels with the largest summed activation or the highest peak, and for all of the layer.
4. Silence the channels that respond to a part, and see what the class loses.

Run it with `python -m benchmarks.bench_planted` (`--head max`, `--seed 1`): a few minutes on one core, and no data.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.planted import CLASSES, LABELS, PARTS, SIDE, Planted, areas_under_curve, peaks_in_cells, plant
from circuits import Circuit, Network, Preprocessing, load_photo, prepare, trace

BATCH = 64
MODES = ("sum", "target", "ig", "ablate")
RESPONDS = 0.9
"""Least area under the curve; a channel that fires alike for three of the seven parts has 5/6 for each of them."""
SEE = Preprocessing((SIDE, SIDE), SIDE, (0.5,) * 3, (0.25,) * 3, "bilinear")


class Block(nn.Module):
    """Convolution, batch norm, rectifier."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Activation of the block."""
        return torch.relu(self.norm(self.conv(x)))


class Small(nn.Module):
    """Four convolutions, and a mean or the highest value over all positions."""

    def __init__(self, head: str = "mean") -> None:
        super().__init__()
        self.conv1, self.conv2 = Block(3, 16, 5), Block(16, 32, 3)
        self.conv3, self.conv4 = Block(32, 32, 3), Block(32, 48, 3)
        self.pool = nn.AdaptiveMaxPool2d(1) if head == "max" else nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(48, len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of pictures."""
        x = nn.functional.max_pool2d(self.conv1(x), 2)
        x = nn.functional.max_pool2d(self.conv2(x), 2)
        return self.fc(self.pool(self.conv4(self.conv3(x))).flatten(1))


def as_input(pictures: NDArray[np.uint8]) -> Tensor:
    """What the network sees, (N, 3, SIDE, SIDE)."""
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25


def train(steps: int, seed: int, head: str = "mean") -> Small:
    """A network trained on fresh pictures at every step, half of them made for a class and half of any parts."""
    torch.manual_seed(seed)
    module = Small(head)
    optimizer = torch.optim.AdamW(module.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.005, total_steps=steps)
    for step in range(steps):
        batch = plant(BATCH, 1_000_000 * (seed + 1) + step, classed=step % 2 == 0)
        logits = module(as_input(batch.pictures))
        wanted = torch.from_numpy(batch.classes).float()
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(logits, wanted).backward()
        optimizer.step()
        schedule.step()
    return module.eval()


def recognized(network: Network, test: Planted) -> Planted:
    """The pictures in which the network sees the class that each was made for."""
    logits = torch.cat([network.logits(images) for images in as_input(test.pictures).split(BATCH)]).numpy()
    seen = logits[np.arange(len(logits)), test.asked] > 0
    return Planted(*(getattr(test, one.name)[seen] for one in fields(Planted)))


def responding(network: Network, layers: Sequence[str], probe: Planted) -> dict[str, NDArray[np.bool_]]:
    """Of each layer, whether a channel responds to a part, (channels, parts)."""
    peaks: dict[str, list[NDArray[np.float32]]] = {layer: [] for layer in layers}
    for images in as_input(probe.pictures).split(BATCH):
        for layer, activation in network.activations(images, layers).items():
            peaks[layer].append(peaks_in_cells(activation.numpy()))
    return {layer: areas_under_curve(np.concatenate(rows), probe.parts) >= RESPONDS for layer, rows in peaks.items()}


@dataclass(frozen=True)
class PlantedScore:
    """What the channels chosen in one picture respond to.

    Args:
        right: share of them that responds to a part of the class.
        astray: share that responds to another part which is in the picture, and to none of the class.
        found: share of the class's parts that one of them responds to.
        chosen: how many they are.
    """

    right: float
    astray: float
    found: float
    chosen: int


def score(
    responds: NDArray[np.bool_], chosen: Sequence[int], wanted: Sequence[int], others: Sequence[int]
) -> PlantedScore:
    """What some channels of a layer respond to: responds is (channels, parts), wanted and others are parts."""
    if not len(chosen):
        return PlantedScore(0.0, 0.0, 0.0, 0)
    rows = responds[list(chosen)]
    right = rows[:, list(wanted)].any(1)
    astray = rows[:, list(others)].any(1) & ~right
    return PlantedScore(
        float(right.mean()), float(astray.mean()), float(rows[:, list(wanted)].any(0).mean()), len(rows)
    )


def shown_in(circuit: Circuit, layer: str) -> list[int]:
    """The channels that a circuit shows in a layer."""
    return [node.unit.channel for node in circuit.nodes.values() if node.unit.layer == layer]


def scores_of(
    network: Network, responds: Mapping[str, NDArray[np.bool_]], test: Planted, n: int, top: int
) -> dict[tuple[str, str], PlantedScore]:
    """One picture: by layer and way of choosing."""
    wanted = CLASSES[test.asked[n]]
    others = sorted({int(part) for part in test.parts[n].flat if part >= 0} - set(wanted))
    photo = load_photo(test.pictures[n], name=str(n))
    activations = network.activations(as_input(test.pictures[n : n + 1]), list(responds))
    found: dict[tuple[str, str], PlantedScore] = {}
    for mode in MODES:
        circuit = trace(network, photo, int(test.asked[n]), depth=len(responds), top=top, mode=mode)
        for layer, table in responds.items():
            found[layer, mode] = score(table, shown_in(circuit, layer), wanted, others)
    for layer, table in responds.items():
        count = found[layer, "sum"].chosen
        for way, sizes in (("|activation|", activations[layer].sum((2, 3))), ("peak", activations[layer].amax((2, 3)))):
            found[layer, way] = score(table, sizes[0].topk(count).indices.tolist(), wanted, others)
        found[layer, "any channel"] = score(table, range(len(table)), wanted, others)
    return found


def interval(values: Sequence[float], *, resamples: int = 2000) -> tuple[float, float, float]:
    """Mean, and where 95 % of the means of resampled pictures lie (bootstrap percentiles, Efron 1979)."""
    array = np.asarray(values)
    chance = np.random.default_rng(0)
    means = array[chance.integers(len(array), size=(resamples, len(array)))].mean(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(array.mean()), float(low), float(high)


def losses(
    network: Network, layer: str, responds: NDArray[np.bool_], test: Planted
) -> dict[str, tuple[list[float], list[int]]]:
    """What the class's logit loses, a picture, and how many channels are silenced, by whose channels they are."""
    segment, chance = network.segment(layer, network.layers[-1]), np.random.default_rng(0)
    images = as_input(test.pictures)
    before = network.activations(images, [layer])[layer]
    logits = network.logits(images)
    found: dict[str, tuple[list[float], list[int]]] = {}
    for n, asked in enumerate(test.asked):
        wanted = set(CLASSES[asked])
        there = {int(part) for part in test.parts[n].flat if part >= 0} - wanted
        silenced = {
            "its first part": responds[:, CLASSES[asked][0]],
            "its second part": responds[:, CLASSES[asked][1]],
            "other parts there": responds[:, sorted(there)].any(1) & ~responds[:, sorted(wanted)].any(1),
        }
        count = int(silenced["its first part"].sum())
        silenced["as many, any"] = np.isin(np.arange(len(responds)), chance.permutation(len(responds))[:count])
        for name, which in silenced.items():
            without = before[n : n + 1].clone()
            without[:, torch.from_numpy(which)] = 0
            with torch.no_grad():
                after = segment(without)[0, asked].sum()
            drops, counts = found.setdefault(name, ([], []))
            drops.append(float(logits[n, asked] - after))
            counts.append(int(which.sum()))
    return found


def _cell(values: Sequence[float]) -> str:
    mean, low, high = interval(values)
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def recovery(network: Network, responds: Mapping[str, NDArray[np.bool_]], test: Planted, top: int) -> Table:
    """What the channels respond to that each way chooses."""
    scores = [scores_of(network, responds, test, n, top) for n in range(len(test.asked))]
    table = Table(title=f"Top {top} a unit, {len(scores)} pictures; means with 95 % intervals over pictures")
    for column in ("layer", "chosen by", "channels", "the class's parts", "only others there", "parts found"):
        table.add_column(column)
    for layer, way in sorted(scores[0], key=lambda key: network.layers.index(key[0]), reverse=True):
        rows = [picture[layer, way] for picture in scores]
        told = [_cell([getattr(row, key) for row in rows]) for key in ("right", "astray", "found")]
        table.add_row(layer, way, f"{np.mean([row.chosen for row in rows]):.1f}", *told)
    return table


def interventions(network: Network, responds: Mapping[str, NDArray[np.bool_]], test: Planted) -> Table:
    """What a class loses without the channels of its parts, and of others."""
    table = Table(title="What the class's logit loses when the channels that respond to a part are silenced")
    for column in ("layer", "silenced", "channels", "loss"):
        table.add_column(column)
    for layer, rows in responds.items():
        for name, (drops, counts) in losses(network, layer, rows, test).items():
            table.add_row(layer, name, f"{np.mean(counts):.1f}", _cell(drops))
    return table


def main(
    pictures: int = 200, probe: int = 1000, steps: int = 600, top: int = 5, seed: int = 0, head: str = "mean"
) -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    console = Console(width=120)
    start = time.perf_counter()
    module = train(steps, seed, head)
    network = prepare(module, name="planted", source="benchmark", preprocessing=SEE, labels=LABELS, multi_label=True)
    fresh = plant(2 * probe, 1)
    logits = torch.cat([network.logits(images) for images in as_input(fresh.pictures).split(BATCH)])
    right = (logits > 0).numpy() == fresh.classes
    console.print(f"Trained in {time.perf_counter() - start:.0f} s; classes right in new pictures: {right.mean():.4f}")
    responds = responding(network, network.layers[-2:0:-1], plant(probe, 2, classed=False))
    for layer, rows in responds.items():
        counts = ", ".join(f"{name} {count}" for name, count in zip(PARTS, rows.sum(0), strict=True))
        console.print(f"{layer}: {rows.any(1).sum()} of {len(rows)} channels respond to a part ({counts})")
    test = recognized(network, plant(pictures, 3))
    if not len(test.asked):
        raise typer.BadParameter(f"after {steps} steps no class is seen in any of {pictures} pictures; take more.")
    console.print(recovery(network, responds, test, top))
    console.print(interventions(network, responds, test))
    console.print(f"All in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    typer.run(main)
