"""A GPU beside the CPU, in one run of under five minutes: the same circuits, and how much sooner.

For each network with seeded random weights, on a photo of noise, every number after a first run that is not counted:

- same: the largest difference of an edge's attribution from the CPU's, of the largest of its unit, in each mode; the
  units are the same, or it says which are not;
- forward, trace: milliseconds of a forward pass, and of a circuit of depth 4 and top 5, each on both devices;
- captum: milliseconds of `LayerGradientXActivation` for the same units on the GPU, where captum is installed;
- draw: milliseconds a step and picture of eight units at 128 pixels;
- index: photos a second that the statistics of every unit are taken of, without decoding.

Run it with `python -m benchmarks.bench_gpu`, and `--device cuda:1` for another card. It prints a table in Markdown with
the card's name, to be put into `docs/benchmarks.md`. On a machine without a GPU it says so and stops.
"""

import platform
import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
import typer

from circuits import Circuit, InputError, Network, load_network, render, trace
from circuits.exemplars.statistics import StatisticsCollector
from circuits.network.device import chosen_device
from circuits.visualization.settings import Settings

NETWORKS = ("squeezenet1_1", "googlenet", "resnet18", "resnet50")
MODES = ("sum", "target", "ig", "ablate")
BATCH = 16


def milliseconds(run: Callable[[], object], device: torch.device, *, within: float = 2.0, at_most: int = 20) -> float:
    """Median time of a run, the device being waited for; the first is not counted."""
    times: list[float] = []
    until = time.perf_counter() + within
    while len(times) <= at_most and (len(times) < 2 or time.perf_counter() < until):
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times[1:]))


def difference(one: Circuit, other: Circuit) -> float:
    """The largest difference of two circuits' edges, of the largest edge into the same unit; infinite without one."""
    worst = 0.0
    for name in one.nodes.keys() | other.nodes.keys():
        if name not in one.nodes or name not in other.nodes:
            return float("inf")
        mine = {edge.source: edge.attribution for edge in one.edges_into(name)}
        theirs = {edge.source: edge.attribution for edge in other.edges_into(name)}
        if mine.keys() != theirs.keys():
            return float("inf")
        largest = max(map(abs, mine.values()), default=0.0)
        worst = max([worst, *(abs(mine[source] - theirs[source]) / largest for source in mine)])
    return worst


def photo_of(network: Network) -> np.ndarray:
    """Noise of the network's input size, as a photo."""
    height, width = network.preprocessing.size
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def timings(network: Network) -> dict[str, float]:
    """Milliseconds of one network on its device."""
    device, photo = network.device, photo_of(network)
    image = torch.randn(1, 3, *network.preprocessing.size, generator=torch.Generator().manual_seed(0)).to(device)
    many = image.expand(BATCH, -1, -1, -1).contiguous()
    collect = StatisticsCollector(network, network.layer_list)
    layer = network.layers[len(network.layers) // 2]
    steps, units = 16, [f"{layer}:{channel}" for channel in range(8)]
    settings = Settings(size=128, steps=steps)
    return {
        "forward": milliseconds(lambda: network.activations(image), device),
        "trace": milliseconds(lambda: trace(network, photo, depth=4, top=5), device),
        "draw": milliseconds(lambda: render(network, units, settings=settings), device, at_most=3)
        / (steps * len(units)),
        "index": 1000 * BATCH / milliseconds(lambda: collect(many), device),
    }


def captum_milliseconds(network: Network, circuit: Circuit) -> float | None:
    """The expanded units of a circuit by captum, eight in a batch as in `bench_trace`; `None` without captum."""
    try:
        from captum.attr import LayerGradientXActivation
    except ImportError:
        return None
    from torch import nn

    class Cut(nn.Module):
        """The network up to a layer, with its units' sums as outputs."""

        def __init__(self, upper: str, lower: str) -> None:
            super().__init__()
            self.below, self.above = nn.Identity(), network.segment(lower, upper)
            self.start = network.segment(None, lower)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.above(self.below(self.start(image))).sum((2, 3))

    image = torch.randn(1, 3, *network.preprocessing.size).to(network.device)
    by_layer: dict[str, list[int]] = {}
    for node in circuit.nodes.values():
        if node.expanded:
            by_layer.setdefault(node.unit.layer, []).append(node.channel.channel)
    cuts = [(Cut(upper, network.layers_below(upper)[-1]), channels) for upper, channels in by_layer.items()]

    def run() -> None:
        for cut, channels in cuts:
            for start in range(0, len(channels), 8):
                some = channels[start : start + 8]
                attribution = LayerGradientXActivation(cut, cut.below)
                attribution.attribute(image.expand(len(some), -1, -1, -1), target=some)

    return milliseconds(run, network.device)


def main(
    device: Annotated[str, typer.Option(help="The device beside the CPU.")] = "cuda",
    networks: Annotated[str, typer.Option(help="Names with commas between.")] = ",".join(NETWORKS),
) -> None:
    """Print the table."""
    try:
        chosen = chosen_device(device)
    except InputError as error:
        print(f"{error} There is nothing to measure here.")
        raise typer.Exit(1) from None
    card = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else str(chosen)
    print(f"{card} beside {torch.get_num_threads()} threads of {platform.processor() or 'this CPU'}, "
          f"torch {torch.__version__}\n")  # fmt: skip
    heads = ["network", *(f"same, {mode}" for mode in MODES), "forward", "trace", "captum", "draw", "index"]
    print(f"| {' | '.join(heads)} |\n|---|{'---:|' * (len(heads) - 1)}")
    for name in networks.split(","):
        here, there = (load_network(name, weights="random" if name != "builtin" else None, device=where)
                       for where in ("cpu", chosen))  # fmt: skip
        photo = photo_of(here)
        same = []
        for mode in MODES:
            depth = 1 if mode == "ablate" else 2
            pair = (trace(network, photo, depth=depth, top=5, mode=mode) for network in (here, there))
            same.append(f"{difference(*pair):.1e}")
        before, after = timings(here), timings(there)
        other = captum_milliseconds(there, trace(there, photo, depth=4, top=5))
        cells = [f"{before[key]:.1f} → {after[key]:.1f}" for key in ("forward", "trace")]
        cells.append("" if other is None else f"{other:.1f}")
        cells += [f"{before[key]:.2f} → {after[key]:.2f}" for key in ("draw", "index")]
        print(f"| {name} | {' | '.join([*same, *cells])} |", flush=True)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
