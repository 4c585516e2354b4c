"""Pictures of any objectives: plan the batches, run each, and hand over what is done.

1. Objectives are grouped by the highest layer that they read (the network is cut above it) and by whether they compare
   with a photo.
2. A batch has as many images as fill FAST_PIXELS pixels, beyond which nothing is gained, but no more than fit into
   BATCH_BYTES with all that autograd saves; what one image saves is counted while one is run.
3. The images of one objective stay together, however many they are.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from PIL import Image
from torch import Tensor

from circuits.errors import InputError
from circuits.image.tensors import fitted, resized, to_images, to_pictures
from circuits.network.network import Network
from circuits.units import Progress, Unit
from circuits.visualization.forward import BatchSlice, Canvas, canvas_of, forward, reach_of
from circuits.visualization.objectives.base import Objective, ObjectiveInputs, Read, layers_of
from circuits.visualization.objectives.unit import objective_of
from circuits.visualization.optimize import AscentOptions, GradientAscent, RenderTask
from circuits.visualization.regularizers import blur_gradient, blurred
from circuits.visualization.settings import Options as Options
from circuits.visualization.settings import chosen
from circuits.visualization.transforms import moved_side

Preview = Callable[[int, tuple[Image.Image, ...]], None]

PREVIEWS = frozenset({8, 24, 56})
"""Steps after which a preview is shown."""

FAST_PIXELS = 8 * 128 * 128
LARGEST_BATCH = 32
BATCH_BYTES = 1 << 30

_REPORT_EVERY = 4

_bytes: WeakKeyDictionary[Network, dict[tuple[object, ...], int]] = WeakKeyDictionary()


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


@torch.inference_mode(False)  # gradients are needed, whoever calls
def visualize(
    network: Network,
    objectives: Objective | Unit | str | Sequence[Objective | Unit | str],
    *,
    count: int = 1,
    seed: int = 0,
    options: Options | None = None,
    frames: Sequence[int] = (),
    progress: Progress | None = None,
    on_preview: Preview | None = None,
    **choices: Any,
) -> list[Visualization]:
    """Draw what makes each objective large.

    Args:
        network: the network.
        objectives: what is maximised, each for images of its own: one or several; units and their addresses stand for
            `channel` or `neuron`, the name of a layer for all of its units.
        count: images of each objective, from different noise; an objective that is about a number of images decides.
        seed: another seed gives other pictures.
        options: how the images are made.
        frames: steps after which the pictures are kept, 0 being the start.
        progress: called as `progress(done, total, message)` every few steps; an exception that it raises ends the work.
        on_preview: called as `on_preview(number of the objective, pictures)` after a few steps, and again later.
        choices: in place of `options`, its fields; `images` and `transform` by their names too, and any photo as the
            `start`: `visualize(network, objectives, size=64, images="pyramid", start="cat.jpg")`.

    Returns:
        One visualization an objective, in order.

    Raises:
        InputError: if a number is out of range, or an objective reads nothing.
        UnknownError: if a layer, unit or choice does not exist.

    >>> from circuits import load_network
    >>> from circuits.visualization.objectives.unit import channel
    >>> network = load_network("squeezenet1_1", weights="random")
    >>> both = channel("features.4:17") + channel("features.4:18")
    >>> [drawn] = visualize(network, both, size=32, steps=2)
    >>> drawn.images[0].size, drawn.steps
    ((32, 32), 2)
    """
    options = chosen(network, Options, options, choices)
    several = [objectives] if isinstance(objectives, Objective | Unit | str) else objectives
    goals: list[Objective] = []
    for each in several:
        goals += [each] if isinstance(each, Objective) else map(objective_of, network.units(each))
    tasks = [task_of(goal, seed, goal.count or count) for goal in goals]
    done: dict[int, Visualization] = {}
    for finished in run(network, tasks, options, frames=frames, progress=progress, on_preview=on_preview):
        done |= finished
    return [done[number] for number in range(len(tasks))]


def task_of(objective: Objective, seed: int, count: int = 1) -> RenderTask:
    """An objective with the seeds of its images, which depend on what it reads first and on nothing else."""
    if count < 1:
        raise InputError(f"{count} pictures cannot be drawn; ask for 1 or more.")
    layers_of(objective)
    first = _first_read(objective)
    own = [first, *(f"{first} #{number}" for number in range(1, count))]
    return RenderTask(objective, tuple(_seed_of(address, seed) for address in own))


def _seed_of(address: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {address}".encode()).digest()[:7], "big")


def _first_read(objective: Objective) -> str:
    read = objective.reads[0]
    return read.layer if read.channels is None else f"{read.layer}:{','.join(map(str, read.channels))}"


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
        ascent = GradientAscent(network, [tasks[at] for at in batch.numbers], ascent_options(network, batch, options))
        kept = {0: _pictures(ascent, batch.canvas)} if 0 in frames else {}
        while not ascent.done:
            ascent.step()
            step = ascent.taken
            if progress is not None and (step % _REPORT_EVERY == 0 or ascent.done):
                done = options.steps if ascent.done else step
                one = len(batch.numbers) == 1
                what = _first_read(tasks[batch.numbers[0]].objective) if one else batch.title
                progress(number * options.steps + done, total, f"{what}, step {step} of {options.steps}")
            if on_preview is not None and step in PREVIEWS and not ascent.done:
                for at, images in zip(batch.numbers, _pictures(ascent, batch.canvas), strict=True):
                    on_preview(at, images)
            if step in frames:
                kept[step] = _pictures(ascent, batch.canvas)
        finished = {}
        for place, (at, own) in enumerate(zip(batch.numbers, _pictures(ascent, batch.canvas), strict=True)):
            goal = tasks[at].objective
            values = values_of(network, goal, own, batch.canvas)
            on_the_way = tuple((step, drawn[place]) for step, drawn in sorted(kept.items()))
            finished[at] = Visualization(goal, own, values, ascent.steps[place], batch.canvas, on_the_way)
        yield finished


def _pictures(ascent: GradientAscent, canvas: Canvas) -> list[tuple[Image.Image, ...]]:
    """The pictures of each task of a batch as they are now."""
    return [tuple(canvas.enlarge(picture) for picture in to_pictures(images)) for images in ascent.images()]


def values_of(
    network: Network, objective: Objective, pictures: Sequence[Image.Image], canvas: Canvas
) -> tuple[float, ...]:
    """An objective's value for pictures as they are: unmoved, in 8 bits, reduced by the canvas's zoom."""
    images = to_images([picture.reduce(canvas.zoom) for picture in pictures], network.preprocessing.channels)
    reader = BatchSlice(objective.reads, len(pictures))
    reference: dict[Read, Tensor] = {}
    with torch.no_grad():
        [values] = forward(network, canvas, [reader], images)
        if objective.photo is not None:
            photos = resized(objective.photo, canvas.side).expand(len(pictures), -1, -1, -1)
            [reference] = forward(network, canvas, [reader], photos)
        return tuple(objective(ObjectiveInputs(values, images, reference)).tolist())


@dataclass(frozen=True)
class RenderBatch:
    """Tasks that are drawn together: their numbers, the highest layer that they read, and their canvas."""

    numbers: tuple[int, ...]
    layer: str
    canvas: Canvas

    @property
    def title(self) -> str:
        return f"{len(self.numbers)} units of {self.layer}"


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


def ascent_options(network: Network, batch: RenderBatch, options: Options) -> AscentOptions:
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


def top_layer(network: Network, task: RenderTask) -> str:
    """The highest layer that a task reads.

    Raises:
        UnknownError: if one of its layers does not exist.
    """
    return max(layers_of(task.objective), key=lambda name: network.layers.index(network.layer(name).name))


def grouped(network: Network, tasks: Sequence[RenderTask]) -> list[list[int]]:
    """Numbers of the tasks that may share a batch: one highest layer, and all with a photo or all without."""
    groups: dict[tuple[str, bool], list[int]] = {}
    for number, task in enumerate(tasks):
        groups.setdefault((top_layer(network, task), task.objective.photo is None), []).append(number)
    return list(groups.values())


def chunked(network: Network, tasks: Sequence[RenderTask], canvas: Canvas, shown: int) -> list[list[int]]:
    """Numbers of the tasks of each batch, in order; `shown` is the side in pixels that the network is shown."""
    most = largest_batch(network, tasks[0], canvas, shown)
    batches: list[list[int]] = []
    room = 0
    for number, task in enumerate(tasks):
        if not batches or len(task.seeds) > room:
            batches.append([])
            room = most
        batches[-1].append(number)
        room -= len(task.seeds)
    return batches


def largest_batch(network: Network, task: RenderTask, canvas: Canvas, shown: int) -> int:
    """How many images are drawn at once: at least one."""
    fast = min(LARGEST_BATCH, FAST_PIXELS // canvas.side**2)
    return max(1, min(fast, BATCH_BYTES // max(1, bytes_kept(network, task, canvas, shown))))


def bytes_kept(network: Network, task: RenderTask, canvas: Canvas, shown: int) -> int:
    """Memory that autograd saves for one image: counted in one run, once a layer and size."""
    key = (*sorted({(read.layer, read.channels is None) for read in task.objective.reads}), canvas, shown)
    known = _bytes.setdefault(network, {})
    if key not in known:
        known[key] = _count_bytes(network, task, canvas, shown)
    return known[key]


def _count_bytes(network: Network, task: RenderTask, canvas: Canvas, shown: int) -> int:
    """Bytes of the storages that autograd saves, parameters left out, each counted once."""
    saved: dict[int, int] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in network.traced.parameters()}
    alive: list[Tensor] = []  # so that no address is used twice while we count

    def keep(tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor.detach())  # one that knows its own graph, which knows this function, would stay for ever

    image = torch.full((1, network.preprocessing.channels, shown, shown), 0.5, requires_grad=True)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        forward(network, canvas, [BatchSlice(task.objective.reads, 1)], image)
    return sum(saved.values())
