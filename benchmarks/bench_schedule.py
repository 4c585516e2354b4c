"""Do fewer, longer steps draw as well? The default schedule of pictures against another, by the activation they reach.

Units of some layers, spread evenly over the channels, are drawn by both from the same noise; then every picture is
moved at random in ways that neither has seen, shown to the network, and the unit's activation averaged over all
positions. The time is the processor's. The other schedule is 256 steps of rate 0.15 with Adam's (0.9, 0.95) unless told
otherwise; the pictures of both are kept with `--out`, to be looked at. Run it with

    python -m benchmarks.bench_schedule squeezenet1_1 features.4,features.7,features.12 --weights FILE
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from unittest import mock

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.bench_visualization import activation
from circuits import Network, load_network
from circuits.image.tensors import to_images
from circuits.units import Unit
from circuits.visualization import optimize
from circuits.visualization.contact_sheet import sheet
from circuits.visualization.parameterization.fourier import FourierImages
from circuits.visualization.render import Picture, render
from circuits.visualization.settings import DEFAULT, Settings


@dataclass(frozen=True)
class Schedule:
    """Steps, Adam's rate at the first of them, and how long gradients and their squares are averaged."""

    steps: int
    rate: float
    betas: tuple[float, float]

    @contextmanager
    def used(self) -> Iterator[None]:
        """Draw by it."""
        with (
            mock.patch.object(optimize, "BETAS", self.betas),
            mock.patch.object(FourierImages, "rate", self.rate / optimize.speed(0, self.steps)),
        ):
            yield

    def draw(self, network: Network, units: list[Unit], seed: int) -> tuple[list[Picture], float]:
        """The pictures, and the seconds that a processor worked on them."""
        begun = time.process_time()
        with self.used():
            drawn = render(network, units, settings=Settings(steps=self.steps, seed=seed))
        return drawn, time.process_time() - begun


def main(
    network: str,
    layers: str,
    weights: Annotated[str | None, typer.Option(help="A file of weights; not of the built-in network.")] = None,
    units: Annotated[int, typer.Option(min=1, help="Units of each layer.")] = 6,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the other schedule.")] = 256,
    rate: Annotated[float, typer.Option(help="Its rate at the first step.")] = 0.15,
    betas: Annotated[tuple[float, float], typer.Option(help="Its averages.")] = (0.9, 0.95),
    draws: Annotated[int, typer.Option(min=1, help="Random movements a picture.")] = 24,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="A folder for a sheet of each layer.")] = None,
) -> None:
    """Print a row a layer."""
    loaded = load_network(network, weights=weights)
    ours = Schedule(DEFAULT.steps, FourierImages.rate, optimize.BETAS)
    schedules = (ours, Schedule(steps, rate, betas))
    table = Table("layer", "default", "other", "ratio of means", "median ratio", "s", "s, other", "× time")
    for layer in layers.split(","):
        width = loaded.layer(layer).channels
        asked = [Unit(layer, int((at + 0.5) * width / units)) for at in range(units)]
        reached, seconds, pictures = [], [], []
        for schedule in schedules:
            drawn, taken = schedule.draw(loaded, asked, seed)
            images = [to_images([picture.image.reduce(picture.zoom)]) for picture in drawn]
            reached.append([activation(loaded, *pair, draws) for pair in zip(asked, images, strict=True)])
            seconds.append(taken)
            pictures += [picture.image for picture in drawn]
        means = [statistics.fmean(values) for values in reached]
        ratios = [own / other for own, other in zip(*reached, strict=True) if other > 0]
        numbers = [*means, means[0] / means[1], float(np.median(ratios)), *seconds, seconds[1] / seconds[0]]
        table.add_row(layer, *(f"{number:.2f}" for number in numbers))
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            sheet(pictures, columns=units).save(out / f"{layer}.png")
    Console(width=120).print(f"{network}: {ours} against {schedules[1]}", table)


if __name__ == "__main__":
    typer.run(main)
