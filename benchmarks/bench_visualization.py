"""How fast units are drawn, and how well: against Lucent, in one run, on the same network, units, size and steps.

Speed (random weights, as pictures take as long whatever the weights): milliseconds a step and picture of

- lucent: `render_vis` with its defaults, one unit after the other, which is the only way it has;
- circuits, 32 bits: units in one batch, on the network cut at their layer, frozen, channels last, at the wanted size;
- circuits: the same as it runs by default, in 16 bits where the processor has matrix units for them.

Then how far the fastest is from the machine's convolution peak, and where the rest goes.

Quality (`--weights`, real ones of squeezenet1_1): both draw the same units, each with its own number of steps; every
picture is moved at random in ways that neither has seen, shown to the network at the size at which its tool shows it,
and the unit's activation averaged. What a finished picture took is the processor's time.

Run it with `python benchmarks/bench_visualization.py`, which needs `pip install -e '.[benchmark]'`.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from unittest import mock

import numpy as np
import torch
import torchvision
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from circuits import Network, load_network
from circuits.image.tensors import to_images
from circuits.units import Unit
from circuits.visualization.optimize import GradientAscent, has_fast_bfloat16
from circuits.visualization.render import options_of, render, unit_objective
from circuits.visualization.settings import DEFAULT, Settings
from circuits.visualization.transforms import compose, jitter, pad, rotate, scale
from circuits.visualization.visualize import ascent_options, plan, task_of

CASES = (("googlenet", "inception4a"), ("squeezenet1_1", "features.7"))
SHOWN_BY_LUCENT = 224  # it enlarges what it draws to this size


def plain_module(name: str, network: Network | None = None) -> nn.Module:
    """Torchvision's own module, with the weights of ours if one is given."""
    torch.manual_seed(0)
    options = {"init_weights": False} if name == "googlenet" else {}
    module: nn.Module = getattr(torchvision.models, name)(weights=None, **options).eval()
    if network is not None:
        module.load_state_dict({key: value.float() for key, value in weights_of(network).items()})
    return module


def weights_of(network: Network) -> dict[str, Tensor]:
    """Parameters of a network without batch norm, which preparing does not rename."""
    return dict(network.traced.state_dict())


def lucent(module: nn.Module, layer: str, channel: int, size: int, steps: int) -> np.ndarray:
    """Lucent's picture of a channel, (size, size, 3) from 0 to 1."""
    from lucent.optvis import param
    from lucent.optvis.render import render_vis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = render_vis(
            module,
            f"{layer.replace('.', '_')}:{channel}",
            param_f=lambda: param.image(size),
            thresholds=(steps,),
            show_image=False,
            progress=False,
        )
    picture: np.ndarray = images[-1][0]
    return picture


@contextmanager
def exact() -> Iterator[None]:
    """32 bits, whatever the processor has."""
    with mock.patch("circuits.visualization.optimize.has_fast_bfloat16", return_value=False):
        yield


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median time of some work, after one run to warm up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def speed(name: str, layer: str, units: int, size: int, steps: int, repeats: int) -> tuple[float, float, float]:
    """Milliseconds a step and picture: lucent, circuits in 32 bits, circuits."""
    network = load_network(name, weights="random")
    module = plain_module(name)
    asked = [Unit(layer, channel) for channel in range(units)]
    settings = Settings(size=size, steps=steps)
    # One unit of lucent's is enough: each is drawn alone and takes the same time.
    peer = seconds(lambda: lucent(module, layer, 0, size, steps), repeats)
    fast = seconds(lambda: render(network, asked, settings=settings), repeats)
    with exact():
        slow = seconds(lambda: render(network, asked, settings=settings), repeats)
    return 1000 * peer / steps, 1000 * slow / steps / units, 1000 * fast / steps / units


def peak(fast: bool) -> float:
    """Operations a second of the machine's convolutions at their best: the highest of some shapes, forward."""
    best = 0.0
    for channels, side in ((64, 56), (128, 28), (256, 28), (512, 14)):
        layer = nn.Conv2d(channels, channels, 3, padding=1).to(memory_format=torch.channels_last)
        x = torch.randn(8, channels, side, side).contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=fast):
            taken = seconds(lambda layer=layer, x=x: layer(x), 9)
        best = max(best, 2 * 9 * channels**2 * 8 * side**2 / taken)
    return best


def where(name: str, layer: str, units: int, size: int, steps: int) -> tuple[float, float, dict[str, float]]:
    """Operations a step, its time, and the share of it that each part takes."""
    network = load_network(name, weights="random")
    tasks = [task_of(unit_objective(Unit(layer, channel)), 0) for channel in range(units)]
    options = options_of(Settings(size=size, steps=steps))
    [batch] = plan(network, tasks, options)
    ascent = GradientAscent(network, tasks, ascent_options(network, batch, options))
    ascent.step()
    with FlopCounterMode(display=False) as counter:
        ascent.step()
    spent = dict.fromkeys(("drawing", "moving", "network, forward"), 0.0)

    def timed(part: str, work: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object, **options: object) -> object:
            start = time.perf_counter()
            result = work(*arguments, **options)
            spent[part] += time.perf_counter() - start
            return result

        return run

    from circuits.visualization import optimize

    method = ascent.options
    with (
        mock.patch.object(type(method.images), "__call__", timed("drawing", type(method.images).__call__)),
        mock.patch.object(type(method.transform), "__call__", timed("moving", type(method.transform).__call__)),
        mock.patch.object(optimize, "forward", timed("network, forward", optimize.forward)),
    ):
        start = time.perf_counter()
        while not ascent.done:
            ascent.step()
        whole = time.perf_counter() - start
    taken = whole / (steps - 2)
    parts = {part: value / whole for part, value in spent.items()}
    return float(counter.get_total_flops()), taken, parts | {"back through all, and Adam": 1 - sum(parts.values())}


def quality(
    weights: Path, layer: str, channels: list[int], size: int, steps: tuple[int, int], draws: int
) -> tuple[list[list[float]], list[float]]:
    """Mean activation of each unit for lucent's picture and for ours, and the seconds that a picture of each took."""
    network = load_network("squeezenet1_1", weights=str(weights))
    module = plain_module("squeezenet1_1", network)
    begun = time.process_time()
    ours = render(network, [Unit(layer, channel) for channel in channels], settings=Settings(size=size, steps=steps[1]))
    seconds = [0.0, time.process_time() - begun]
    rows = []
    for channel, picture in zip(channels, ours, strict=True):
        begun = time.process_time()
        peer = torch.tensor(lucent(module, layer, channel, size, steps[0])).permute(2, 0, 1)[None].float()
        seconds[0] += time.process_time() - begun
        peer = nn.functional.interpolate(peer, size=SHOWN_BY_LUCENT, mode="bilinear")
        own = to_images([picture.image.reduce(picture.zoom)])
        rows.append([activation(network, Unit(layer, channel), image, draws) for image in (peer, own)])
    return rows, [taken / len(channels) for taken in seconds]


def activation(network: Network, unit: Unit, image: Tensor, draws: int) -> float:
    """Mean activation of a unit over all positions and over random movements, in 32 bits."""
    move = compose(pad(8), jitter(8), rotate(10), scale(1.1))
    generators = [torch.Generator().manual_seed(10_000 + draw) for draw in range(draws)]
    with torch.no_grad():
        moved = move(image.expand(draws, -1, -1, -1), generators)
        [values] = network.read(network.preprocessing.normalize(moved), [(unit.layer, (unit.channel,), True)])
    return float(values.mean())


def main(
    units: Annotated[int, typer.Option(min=1, max=8, help="How many are drawn together.")] = 8,
    size: Annotated[int, typer.Option(min=64)] = 128,
    steps: Annotated[int, typer.Option(min=4, help="For the times.")] = 48,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    weights: Annotated[Path | None, typer.Option(help="Real weights of squeezenet1_1, to compare pictures.")] = None,
    drawn: Annotated[int, typer.Option(min=1, help="Units whose pictures are compared.")] = 16,
    full: Annotated[int, typer.Option(min=16, help="Steps of our pictures that are compared.")] = DEFAULT.steps,
    lucent_steps: Annotated[int, typer.Option(min=16, help="Steps of lucent's.")] = 256,
) -> None:
    """Print the tables."""
    console = Console(width=120)
    table = Table("network", "layer", "lucent", "circuits, 32 bits", "circuits", "× lucent, 32 bits", "× lucent")
    for name, layer in CASES:
        peer, slow, fast = speed(name, layer, units, size, steps, repeats)
        numbers = [f"{value:.2f}" for value in (peer, slow, fast)]
        table.add_row(name, layer, *numbers, f"{peer / slow:.1f}", f"{peer / fast:.1f}")
    console.print(f"Milliseconds a step and picture, {units} units of {size} pixels, {steps} steps", table)
    bits = has_fast_bfloat16()
    best = peak(bits)
    console.print(f"Convolution peak in {16 if bits else 32} bits: {best / 1e9:.0f} GFLOP/s")
    for name, layer in CASES:
        flops, taken, parts = where(name, layer, units, size, steps)
        shares = ", ".join(f"{part} {100 * share:.0f} %" for part, share in parts.items())
        console.print(
            f"{name} {layer}: {flops / 1e9:.1f} GFLOP and {1000 * taken:.1f} ms a step, "
            f"{100 * flops / taken / best:.0f} % of the peak; {shares}"
        )
    if weights is not None:
        channels = [int(channel) for channel in np.linspace(0, 255, drawn)]
        rows, each_took = quality(weights, "features.7", channels, size, (lucent_steps, full), draws=32)
        shown = Table("unit of features.7", "lucent", "circuits", "ratio")
        for channel, (peer, own) in zip(channels, rows, strict=True):
            shown.add_row(str(channel), f"{peer:.1f}", f"{own:.1f}", f"{own / peer:.2f}" if peer > 0 else "—")
        peers, owns = (statistics.fmean(column) for column in zip(*rows, strict=True))
        shown.add_row("mean", f"{peers:.1f}", f"{owns:.1f}", f"{owns / peers:.2f}")
        wins = sum(own >= peer for peer, own in rows)
        console.print(f"Mean activation under unseen movements; ours is higher in {wins} of {drawn}", shown)
        console.print(
            f"A finished picture: lucent {each_took[0]:.2f} s of a processor in {lucent_steps} steps, circuits "
            f"{each_took[1]:.2f} s in {full}; {each_took[0] / each_took[1]:.1f} times"
        )


if __name__ == "__main__":
    typer.run(main)
