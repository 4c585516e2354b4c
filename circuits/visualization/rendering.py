"""Draw what units look for: gradient ascent on images, many units in one batch.

1. Units are put in batches: those of one layer, asked for in the same way (channel or neuron).
2. The network is cut at the layer, and only the batch's channels of it are computed.
3. Each unit gets a spectrum (`parameterizations`) and its own stream of random numbers, drawn from the seed and its
   address: a unit's picture does not depend on its company.
4. At each step the images are moved a little, each in its own way (`transforms`), and Adam, with a rate that falls
   linearly, follows the gradient of the objective (`objectives`) with respect to the spectra. Image n answers for unit
   n alone, and its gradient is brought to size one, so that a faint response is followed as fast as a strong one.
5. The images as they are saved, in 8 bits and unmoved, are shown to the network once more for the activation reached.

Sources: Erhan 2009, "Visualizing Higher-Layer Features of a Deep Network" (ascent on the input); Olah 2017, "Feature
Visualization" (the rest).
"""

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from PIL import Image
from torch import Tensor

from circuits.networks import Network
from circuits.units import Unit, as_unit
from circuits.visualization.canvas import Canvas, canvas_of
from circuits.visualization.objectives import objective_of
from circuits.visualization.parameterizations import FourierImages
from circuits.visualization.settings import Settings
from circuits.visualization.transforms import movement_for

Progress = Callable[[int, int, str], None]

LEARNING_RATE = 0.15
LAST_SHARE = 0.1
BETAS = (0.9, 0.95)

# Adam's ε, for gradients of root mean square one: frequencies that hardly matter are not driven as hard as the others.
FLOOR = 1.0

_BATCH_PIXELS = 8 * 128 * 128
_LARGEST_BATCH = 32
_REPORT_EVERY = 4


@dataclass(frozen=True)
class Picture:
    """What a unit looks for.

    Attributes:
        unit: the unit that was asked for.
        image: mode RGB, `size` pixels wide.
        activation: the highest rectified activation of the unit's channel over all positions, when the network is
            shown the image reduced by `zoom`: `image.reduce(zoom)`. Zero: nothing was found that excites it.
        zoom: how many pixels of the image, along a side, make one pixel for the network.
    """

    unit: Unit
    image: Image.Image
    activation: float
    zoom: int = 1


@dataclass(frozen=True)
class Batch:
    """Units that are drawn together: one layer, one kind of objective."""

    units: tuple[Unit, ...]

    @property
    def layer(self) -> str:
        """The layer that they are units of."""
        return self.units[0].layer

    @property
    def channels(self) -> tuple[int, ...]:
        """Their channels."""
        return tuple(unit.channel for unit in self.units)


def render(
    network: Network,
    units: Sequence[Unit | str],
    *,
    size: int = 128,
    steps: int = 256,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Picture]:
    """Draw what each unit looks for.

    Maximises the unit's leaky rectified pre-activation, averaged over all positions (a channel, a class) or in the
    middle (a neuron, `layer:channel@row,column`), by gradient ascent on the spectrum of an image (Olah 2017).

    Args:
        network: the network.
        units: such as `"features.7:3"`, `"fc:284"` or `Unit("conv4", 17)`.
        size: side of the pictures, in pixels.
        steps: steps of gradient ascent.
        seed: another seed gives other pictures of the same units.
        progress: called as `progress(done, total, message)` every few steps; an exception that it raises ends the work.

    Returns:
        One picture a unit, in order.

    Raises:
        InputError: if a number is out of range.
        UnknownError: if a unit does not exist.

    >>> from circuits import load_network
    >>> network = load_network("squeezenet1_1", weights="random")
    >>> [picture] = render(network, ["features.4:17"], size=32, steps=2)
    >>> picture.unit, picture.image.size
    (Unit(layer='features.4', channel=17, position=None), (32, 32))
    """
    settings = Settings(size=size, steps=steps, seed=seed)
    wanted = [as_unit(unit) for unit in units]
    drawn: dict[Unit, Picture] = {}
    for pictures in draw(network, wanted, settings, progress):
        drawn |= {picture.unit: picture for picture in pictures}
    return [drawn[unit] for unit in wanted]


def draw(
    network: Network, units: Sequence[Unit], settings: Settings, progress: Progress | None = None
) -> Iterator[list[Picture]]:
    """Draw units batch by batch, and hand each batch over when it is done.

    Raises:
        UnknownError: if a unit does not exist.
    """
    batches = plan(network, units, settings)
    total = len(batches) * settings.steps
    for number, batch in enumerate(batches):
        shown = str(batch.units[0]) if len(batch.units) == 1 else f"{len(batch.units)} units of {batch.layer}"

        def report(step: int, number: int = number, shown: str = shown) -> None:
            if progress is not None and (step % _REPORT_EVERY == 0 or step == settings.steps):
                progress(number * settings.steps + step, total, f"{shown}, step {step} of {settings.steps}")

        yield ascend(network, batch, settings, report)


def plan(network: Network, units: Sequence[Unit], settings: Settings) -> list[Batch]:
    """Put units in batches that fit into memory, each unit once, in the order in which they are asked for.

    Raises:
        UnknownError: if a unit does not exist.
    """
    groups: dict[tuple[str, bool], list[Unit]] = {}
    for unit in dict.fromkeys(units):
        network.check_unit(unit)
        groups.setdefault((unit.layer, unit.position is None), []).append(unit)
    batches = []
    for (layer, _), group in groups.items():
        side = canvas_of(network, layer, settings.size).side
        most = max(1, min(_LARGEST_BATCH, _BATCH_PIXELS // side**2))
        batches += [Batch(tuple(group[at : at + most])) for at in range(0, len(group), most)]
    return batches


def ascend(network: Network, batch: Batch, settings: Settings, report: Callable[[int], None]) -> list[Picture]:
    """Draw one batch; `report` is told the step after each."""
    canvas = canvas_of(network, batch.layer, settings.size)
    objective = objective_of(batch.units[0])
    generators = [torch.Generator().manual_seed(seed_of(unit, settings.seed)) for unit in batch.units]
    images = FourierImages(canvas.side, generators)
    movement = movement_for(canvas.side)
    optimizer = torch.optim.Adam([images.spectrum], lr=LEARNING_RATE, betas=BETAS, eps=FLOOR)
    for step in range(settings.steps):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - (1 - LAST_SHARE) * step / settings.steps)
        with torch.enable_grad():
            moved = movement(images(), generators)
            with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16()):
                values = _own_values(network, batch, canvas, moved, rectified=False).float()
            (gradient,) = torch.autograd.grad(-objective(values).sum(), images.spectrum)
        images.spectrum.grad = of_unit_size(gradient)
        optimizer.step()
        report(step + 1)
    with torch.no_grad():
        return _finish(network, batch, canvas, images())


@functools.cache
def has_fast_bfloat16() -> bool:
    """Whether the processor has matrix units for 16-bit floats (AMX), which halve the time of a step or better.

    The pictures are as good: the rounding is far below what the movement does to an image at each step.
    """
    if not hasattr(torch.cpu, "get_capabilities"):  # an older torch does not say
        return False
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def seed_of(unit: Unit, seed: int) -> int:
    """The seed of one unit's random numbers; two neurons of one channel share it.

    >>> seed_of(Unit("conv1", 3), 0) == seed_of(Unit("conv1", 3), 1)
    False
    """
    return int.from_bytes(hashlib.sha256(f"{seed} {unit.whole}".encode()).digest()[:7], "big")


def of_unit_size(gradient: Tensor) -> Tensor:
    """Each image's gradient with root mean square one; one that is zero stays so.

    >>> of_unit_size(torch.full((1, 1, 1, 1, 2), -3.0)).flatten().tolist()
    [-1.0, -1.0]
    """
    sizes = gradient.square().mean(dim=(1, 2, 3, 4), keepdim=True).sqrt()
    return gradient / sizes.clamp_min(torch.finfo(gradient.dtype).tiny)


def _own_values(network: Network, batch: Batch, canvas: Canvas, images: Tensor, *, rectified: bool) -> Tensor:
    """Each image's values of its own unit, (N, H, W)."""
    if canvas.resize is not None:
        images = F.interpolate(images, size=canvas.resize, mode="bilinear", antialias=True)
    inputs = network.preprocessing.normalize(images).contiguous(memory_format=torch.channels_last)
    values = network.segment(None, batch.layer)(inputs, batch.channels, rectified=rectified)
    own = torch.arange(len(batch.units))
    return values[own, own]


def _finish(network: Network, batch: Batch, canvas: Canvas, images: Tensor) -> list[Picture]:
    pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    shown = [canvas.enlarge(Image.fromarray(image)) for image in pixels]
    seen = np.stack([np.asarray(image.reduce(canvas.zoom)) for image in shown])
    inputs = torch.from_numpy(seen).permute(0, 3, 1, 2).float() / 255
    reached = _own_values(network, batch, canvas, inputs, rectified=True).amax(dim=(1, 2))
    return [
        Picture(unit, image, float(activation), canvas.zoom)
        for unit, image, activation in zip(batch.units, shown, reached, strict=True)
    ]
