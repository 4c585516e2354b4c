"""Pictures of any objectives: plan the batches, run each, and hand over what is done.

`visualize` is the library's general way in; `rendering` draws units with it.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from PIL import Image
from torch import Tensor

from circuits.errors import InputError
from circuits.image.tensors import fitted, resized, to_images, to_pictures
from circuits.network.network import Network
from circuits.units import Unit
from circuits.visualization.batching import chunked, grouped, top_layer
from circuits.visualization.forward import BatchSlice, Canvas, canvas_of, forward, reach_of
from circuits.visualization.objectives.base import Activations, Objective, Read, layers_of
from circuits.visualization.optimize import AscentOptions, GradientAscent, RenderTask
from circuits.visualization.parameterization.base import MakeImages
from circuits.visualization.parameterization.fourier import FourierImages
from circuits.visualization.regularizers import blur_gradient, blurred
from circuits.visualization.settings import check_numbers
from circuits.visualization.transforms import Transform, moved_side, standard

Progress = Callable[[int, int, str], None]
Preview = Callable[[int, tuple[Image.Image, ...]], None]

PREVIEWS = frozenset({16, 64, 160})
"""Steps after which a preview is shown."""

_REPORT_EVERY = 4


@dataclass(frozen=True, eq=False)
class Options:
    """How images are made, all but the objectives and the seed.

    Args:
        size: side of the pictures, in pixels.
        steps: steps of gradient ascent, at most.
        images: how an image is written as parameters: (side, colours) to a parameterization.
        transform: how images of a side are moved at each step.
        regularizers: penalties that are taken away, each times its weight: `0.2 * total_variation()`.
        blur_gradient: standard deviation in pixels of a blur of the gradient; 0 does not blur.
        blur_image: standard deviation in pixels of a blur of the image after every few steps; 0 does not blur.
        start: a photo to start from, in place of noise.
        zoom: how many pixels of the picture, along a side, make one of the drawn image; `None`: as the layer needs.
    """

    size: int = 128
    steps: int = 256
    images: MakeImages = FourierImages
    transform: Callable[[int], Transform] = standard
    regularizers: tuple[Objective, ...] = ()
    blur_gradient: float = 0.0
    blur_image: float = 0.0
    start: Image.Image | None = field(default=None, repr=False)
    zoom: int | None = None

    def __post_init__(self) -> None:
        check_numbers(self.size, self.steps)
        for name in ("blur_gradient", "blur_image"):
            if not 0 <= getattr(self, name) <= self.size:
                raise InputError(f"A {name} of {getattr(self, name)} pixels cannot be had; give 0 to {self.size}.")


@dataclass(frozen=True, eq=False)
class Visualization:
    """What one objective looks for.

    Attributes:
        objective: what was maximised.
        images: one picture or more, mode RGB (RGBA with opacity), `size` pixels wide.
        values: the objective's value for each picture as it is, in 8 bits, unmoved, reduced by the canvas's zoom.
        steps: steps that were taken until the objective stalled or all were taken.
        canvas: what was drawn; its zoom is how many pixels of a picture, along a side, make one for the network.
        frames: the pictures on their way, by step, if they were asked for.
    """

    objective: Objective
    images: tuple[Image.Image, ...]
    values: tuple[float, ...]
    steps: int
    canvas: Canvas
    frames: tuple[tuple[int, tuple[Image.Image, ...]], ...] = ()


def visualize(
    network: Network,
    objectives: Sequence[Objective],
    *,
    count: int = 1,
    seed: int = 0,
    options: Options | None = None,
    frames: Sequence[int] = (),
    progress: Progress | None = None,
    on_preview: Preview | None = None,
) -> list[Visualization]:
    """Draw what makes each objective large.

    Args:
        network: the network.
        objectives: what is maximised, each for images of its own.
        count: images of each objective, from different noise; an objective that is about a number of images decides.
        seed: another seed gives other pictures.
        options: how the images are made.
        frames: steps after which the pictures are kept, 0 being the start.
        progress: called as `progress(done, total, message)` every few steps; an exception that it raises ends the work.
        on_preview: called as `on_preview(number of the objective, pictures)` after a few steps, and again later.

    Returns:
        One visualization an objective, in order.

    Raises:
        InputError: if a number is out of range, or an objective reads nothing.
        UnknownError: if a layer or unit does not exist.

    >>> from circuits import load_network
    >>> from circuits.visualization.objectives.unit import channel
    >>> network = load_network("squeezenet1_1", weights="random")
    >>> both = channel("features.4:17") + channel("features.4:18")
    >>> [found] = visualize(network, [both], options=Options(size=32, steps=2))
    >>> found.images[0].size, found.steps
    ((32, 32), 2)
    """
    options = Options() if options is None else options
    tasks = [task_of(objective, seed, objective.count or count) for objective in objectives]
    done: dict[int, Visualization] = {}
    for finished in run(network, tasks, options, frames=frames, progress=progress, on_preview=on_preview):
        done |= finished
    return [done[number] for number in range(len(tasks))]


def task_of(objective: Objective, seed: int, count: int = 1) -> RenderTask:
    """An objective with the seeds of its images, which depend on what it reads first and on nothing else.

    >>> from circuits.visualization.objectives.unit import channel
    >>> task_of(channel("conv1:3"), 0).seeds == task_of(channel("conv1:3") + channel("conv1:4"), 0).seeds
    True
    """
    if count < 1:
        raise InputError(f"{count} pictures cannot be drawn; ask for 1 or more.")
    layers_of(objective)
    first = objective.reads[0]
    address = first.layer if first.channels is None else f"{first.layer}:{','.join(map(str, first.channels))}"
    own = [address, *(f"{address} #{number}" for number in range(1, count))]
    return RenderTask(objective, tuple(seed_of(text, seed) for text in own))


def seed_of(address: str, seed: int) -> int:
    """The seed of one image's random numbers.

    >>> seed_of("conv1:3", 0) == seed_of("conv1:3", 1)
    False
    """
    return int.from_bytes(hashlib.sha256(f"{seed} {address}".encode()).digest()[:7], "big")


def run(
    network: Network,
    tasks: Sequence[RenderTask],
    options: Options,
    *,
    frames: Sequence[int] = (),
    progress: Progress | None = None,
    on_preview: Preview | None = None,
) -> Iterator[dict[int, Visualization]]:
    """Draw tasks batch by batch, and hand over each batch, by the tasks' numbers, when it is done.

    Raises:
        InputError: if an objective reads nothing.
        UnknownError: if a layer or unit does not exist.
    """
    batches = plan(network, tasks, options)
    total = len(batches) * options.steps
    for number, batch in enumerate(batches):
        ascent = GradientAscent(network, [tasks[at] for at in batch.numbers], method_of(network, batch, options))
        kept = {0: _pictures(ascent, batch.canvas)} if 0 in frames else {}
        while not ascent.done:
            ascent.step()
            step = ascent.taken
            if progress is not None and (step % _REPORT_EVERY == 0 or ascent.done):
                done = options.steps if ascent.done else step
                what = _what(tasks, batch, step, options.steps)
                progress(number * options.steps + done, total, what)
            if on_preview is not None and step in PREVIEWS and not ascent.done:
                for at, images in zip(batch.numbers, _pictures(ascent, batch.canvas), strict=True):
                    on_preview(at, images)
            if step in frames:
                kept[step] = _pictures(ascent, batch.canvas)
        yield _finished(network, tasks, batch, ascent, kept)


@dataclass(frozen=True)
class RenderBatch:
    """Tasks that are drawn together.

    Args:
        numbers: of the tasks.
        layer: the highest that they read.
        canvas: on which they are drawn.
    """

    numbers: tuple[int, ...]
    layer: str
    canvas: Canvas


def plan(network: Network, tasks: Sequence[RenderTask], options: Options) -> list[RenderBatch]:
    """Put tasks in batches that fit into memory.

    Raises:
        InputError: if an objective reads nothing.
        UnknownError: if a layer or unit does not exist.
    """
    for read in (read for task in tasks for read in task.objective.reads):
        for channel in read.channels or ():
            network.check_unit(Unit(read.layer, channel))
    batches = []
    for group in grouped(network, tasks):
        layer = top_layer(network, tasks[group[0]])
        canvas = canvas_of(network, layer, options.size, transform=options.transform, zoom=options.zoom)
        shown = moved_side(options.transform(canvas.side), canvas.side)
        for chunk in chunked(network, [tasks[at] for at in group], canvas, shown):
            batches.append(RenderBatch(tuple(group[at] for at in chunk), layer, canvas))
    return batches


def method_of(network: Network, batch: RenderBatch, options: Options) -> AscentOptions:
    """How the images of a batch are made."""
    side, colours = batch.canvas.side, network.preprocessing.channels
    start = None if options.start is None else to_images([fitted(options.start, side)], colours)
    return AscentOptions(
        canvas=batch.canvas,
        images=options.images(side, colours),
        transform=options.transform(side),
        steps=options.steps,
        reach=reach_of(network, batch.layer),
        regularizers=options.regularizers,
        start=start,
        on_gradient=blur_gradient(options.blur_gradient) if options.blur_gradient else None,
        between=(lambda images: blurred(images, options.blur_image)) if options.blur_image else None,
    )


def _pictures(ascent: GradientAscent, canvas: Canvas) -> list[tuple[Image.Image, ...]]:
    """The pictures of each task of a batch as they are now."""
    return [tuple(canvas.enlarge(picture) for picture in to_pictures(images)) for images in ascent.images()]


def _what(tasks: Sequence[RenderTask], batch: RenderBatch, step: int, steps: int) -> str:
    """What is being drawn, for people."""
    if len(batch.numbers) > 1:
        shown = f"{len(batch.numbers)} units of {batch.layer}"
    else:
        read = tasks[batch.numbers[0]].objective.reads[0]
        shown = read.layer if read.channels is None else f"{read.layer}:{','.join(map(str, read.channels))}"
    return f"{shown}, step {step} of {steps}"


def _finished(
    network: Network,
    tasks: Sequence[RenderTask],
    batch: RenderBatch,
    ascent: GradientAscent,
    frames: dict[int, list[tuple[Image.Image, ...]]],
) -> dict[int, Visualization]:
    pictures = _pictures(ascent, batch.canvas)
    found = {}
    for place, (at, own) in enumerate(zip(batch.numbers, pictures, strict=True)):
        values = values_of(network, tasks[at].objective, own, batch.canvas)
        kept = tuple((step, drawn[place]) for step, drawn in sorted(frames.items()))
        found[at] = Visualization(tasks[at].objective, own, values, ascent.steps[place], batch.canvas, kept)
    return found


def values_of(
    network: Network, objective: Objective, pictures: Sequence[Image.Image], canvas: Canvas
) -> tuple[float, ...]:
    """An objective's value for pictures as they are: unmoved, in 8 bits, reduced by the canvas's zoom."""
    colours = network.preprocessing.channels
    images = to_images([picture.reduce(canvas.zoom) for picture in pictures], colours)
    reader = BatchSlice(objective.reads, len(pictures))
    reference: dict[Read, Tensor] = {}
    with torch.no_grad():
        [seen] = forward(network, canvas, [reader], images)
        if objective.photo is not None:
            photos = resized(objective.photo, canvas.side).expand(len(pictures), -1, -1, -1)
            [reference] = forward(network, canvas, [reader], photos)
        return tuple(objective(Activations(seen, images, reference)).tolist())
