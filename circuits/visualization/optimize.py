"""Gradient ascent on images: many objectives in one batch, each with its own images and random numbers.

At each step

1. the parameters of all images are stacked and decoded (`parameterization`);
2. each image gets its own random transform (`transforms`);
3. the network, cut above the highest layer that is read, runs on all of them once (`forward`);
4. each objective's gradient with respect to the parameters is scaled to a root mean square of one, image by image, so
   that a faint response is followed as fast as a strong one;
5. the regularizers' gradients are subtracted, and Adam takes a step, with a rate that falls linearly and is the higher
   the fewer steps there are, so that all together they can go as far.

An objective whose value has stopped growing is finished early. In the first steps the gradient passes rectifiers that
are silent for an image (`network.rectifiers.redirected_relu`).

Images with an opacity plane are laid on new noise at each step, so that ascent cannot make use of the background and
has to be opaque where something must be seen; `regularizers.opacity` is the price of opacity.

Sources: Erhan 2009, "Visualizing Higher-Layer Features of a Deep Network" (ascent on the input); Olah 2017, "Feature
Visualization" (the rest); for opacity Mordvintsev 2018, "Differentiable Image Parameterizations", and Lucid,
`optvis/transform.py` (`collapse_alpha_random`).
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.image.tensors import resized
from circuits.network.device import halving
from circuits.network.network import Network
from circuits.network.rectifiers import redirected_relu
from circuits.visualization.border_weights import equalize_gradient
from circuits.visualization.forward import BatchSlice, Canvas, forward
from circuits.visualization.objectives.base import Objective, ObjectiveInputs, Read
from circuits.visualization.parameterization.base import START_SPREAD, USUAL_STEPS, Parameterization
from circuits.visualization.parameterization.fourier import FourierImages
from circuits.visualization.transforms import Transform

LAST_SHARE = 0.1

# Gradients are averaged over two steps and their squares over ten. With Adam's usual ten, each image runs on in
# directions that its next movement no longer supports, and late units want twice the steps.
BETAS = (0.5, 0.9)

# How many times the parameterization's rate is taken at most, when there are fewer steps than it was chosen for.
LARGEST_SPEED = 2.0

# Adam's ε, for gradients of root mean square one: frequencies that hardly matter are not driven as hard as the others.
FLOOR = 1.0

# An objective has stalled if its value, averaged over about MEMORY steps, has not grown for PATIENCE steps by more than
# GAIN of what it has grown since the start.
MEMORY = 16
PATIENCE = 48
GAIN = 0.005

REDIRECTED = 16
"""Steps in which the gradient passes silent rectifiers."""

BETWEEN = 4
"""Steps from one change of the images themselves to the next."""


@dataclass(frozen=True, eq=False)
class RenderTask:
    """An objective and the seeds of its images, one each."""

    objective: Objective
    seeds: tuple[int, ...]

    @property
    def reader(self) -> BatchSlice:
        return BatchSlice(self.objective.reads, len(self.seeds))


@dataclass(frozen=True, eq=False)
class AscentOptions:
    """How images are made.

    Args:
        canvas: their size.
        images: parameterization.
        transform: random transform at each step.
        steps: how many at most.
        reach: side of the receptive field of the highest layer, in pixels.
        regularizers: penalties to be subtracted, weighed.
        start: an image to start from, (1, colours, side, side), in place of noise.
        on_gradient: applied to the drawn images; changes nothing but the gradient that comes back through it.
        between: applied to the images themselves after every few steps.
    """

    canvas: Canvas
    images: Parameterization
    transform: Transform
    steps: int
    reach: int = 1
    regularizers: tuple[Objective, ...] = ()
    start: Tensor | None = field(default=None, repr=False)
    on_gradient: Callable[[Tensor], Tensor] | None = None
    between: Callable[[Tensor], Tensor] | None = None


class GradientAscent:
    """Optimization of the images of some tasks.

    Args:
        network: the network.
        tasks: what is drawn together; either all compare with a photo or none does.
        options: how.
    """

    def __init__(self, network: Network, tasks: Sequence[RenderTask], options: AscentOptions) -> None:
        self.network, self.options = network, options
        self.taken = 0
        self._equalize = equalize_gradient(options.transform, options.canvas.side, options.reach)
        self._tasks = [OptimizedTask(task, options) for task in tasks]
        leaves = [leaf for task in self._tasks for leaf in task.leaves]
        self._optimizer = _optimizer(leaves, options.images)

    @property
    def done(self) -> bool:
        """Whether all steps were taken, or every objective has stalled."""
        return self.taken >= self.options.steps or all(task.stalled for task in self._tasks)

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps that each task has taken."""
        return tuple(task.taken for task in self._tasks)

    def images(self) -> list[Tensor]:
        """The images of each task as they are now, (n, colours, side, side)."""
        with torch.no_grad():
            return [self.options.images.finish(self._draw([task])) for task in self._tasks]

    def step(self) -> None:
        """One step for each task that has not stalled."""
        active = [task for task in self._tasks if not task.stalled]
        if not self.options.images.plain:
            self._optimizer.param_groups[0]["lr"] = self.options.images.rate * speed(self.taken, self.options.steps)
        self._optimizer.zero_grad()
        with torch.enable_grad():
            halving(self.compute_gradients, active)
        self._optimizer.step()
        self.taken += 1
        for task in active:
            task.taken = self.taken
        if self.options.between is not None and self.taken % BETWEEN == 0:
            self._change_images(active, self.options.between)

    def compute_gradients(self, tasks: Sequence["OptimizedTask"]) -> None:
        """Set each image's gradient: of what the optimizer is to make small."""
        drawn = self._draw(tasks)
        activations = self._forward(tasks, drawn)
        leaves = [leaf for task in tasks for leaf in task.leaves]
        for leaf in leaves:
            leaf.grad = torch.zeros_like(leaf)
        rounds = max(len(task.terms) for task in tasks)
        for turn in range(rounds):
            again = turn + 1 < rounds or bool(self.options.regularizers)  # else the way back frees memory as it goes
            concerned = [(task, own) for task, own in zip(tasks, activations, strict=True) if turn < len(task.terms)]
            values = [task.terms[turn].value(own) for task, own in concerned]
            own_leaves = [leaf for task, _ in concerned for leaf in task.leaves]
            slopes = torch.autograd.grad(-torch.cat(values).sum(), own_leaves, retain_graph=again, allow_unused=True)
            forces = [task.terms[turn].force for task, _ in concerned for _ in task.leaves]
            for leaf, slope, force in zip(own_leaves, slopes, forces, strict=True):
                if slope is not None:
                    leaf.grad += force * (slope if self.options.images.plain else of_unit_size(slope))
            for (task, _), value in zip(concerned, values, strict=True):
                task.terms[turn].note(float(value.detach().mean()))
        self._regularize(leaves, drawn)

    def _draw(self, tasks: Sequence["OptimizedTask"]) -> Tensor:
        return self.options.images(torch.stack([leaf for task in tasks for leaf in task.leaves]))

    def _regularize(self, leaves: Sequence[Tensor], drawn: Tensor) -> None:
        if self.options.regularizers:
            penalty = torch.stack([part(ObjectiveInputs({}, drawn)) for part in self.options.regularizers]).sum()
            for leaf, slope in zip(leaves, torch.autograd.grad(penalty, leaves), strict=True):
                assert leaf.grad is not None
                leaf.grad += slope

    def _forward(self, tasks: Sequence["OptimizedTask"], drawn: Tensor) -> list[ObjectiveInputs]:
        """The activations of each task's images, transformed at random."""
        generators = [generator for task in tasks for generator in task.generators]
        images = drawn if self.options.on_gradient is None else self.options.on_gradient(drawn)
        images = self._equalize(images)
        colours = self.network.preprocessing.channels
        if images.shape[1] > colours:
            images = composite(images, backgrounds(generators, images.shape[-1], colours))
        readers = [task.task.reader for task in tasks]
        photos = [task.photo for task in tasks if task.photo is not None]
        if photos:
            images = torch.cat([images, torch.cat(photos)], dim=1)  # so that a photo moves with its image
        moved = self.options.transform(images, generators)
        run = functools.partial(
            forward,
            self.network,
            self.options.canvas,
            readers,
            fast=has_fast_bfloat16(),
            rectifier=redirected_relu if self.taken < REDIRECTED and not self.options.images.plain else None,
        )
        values = run(moved[:, :colours])
        references: list[dict[Read, Tensor]] = [{} for _ in tasks]
        if photos:
            with torch.no_grad():
                references = run(moved[:, colours:])
        own = torch.split(drawn, [reader.count for reader in readers])
        return [ObjectiveInputs(*parts) for parts in zip(values, own, references, strict=True)]

    def _change_images(self, tasks: Sequence["OptimizedTask"], change: Callable[[Tensor], Tensor]) -> None:
        with torch.no_grad():
            changed = self.options.images.encode(change(self._draw(tasks)))
            for leaf, parameters in zip((leaf for task in tasks for leaf in task.leaves), changed, strict=True):
                leaf.copy_(parameters)


class OptimizedTask:
    """A task with its parameters, its random numbers, and how its value has grown."""

    def __init__(self, task: RenderTask, options: AscentOptions) -> None:
        self.task = task
        self.terms = [_Term(weight, objective) for weight, objective in task.objective.terms]
        self.generators = [torch.Generator().manual_seed(seed) for seed in task.seeds]
        count = len(task.seeds)
        with torch.no_grad():
            start = options.images.start(self.generators)
            if options.start is not None:
                start = options.images.encode(options.start.expand(count, -1, -1, -1))
        self.leaves = [parameters.clone().requires_grad_(True) for parameters in start]
        photo = task.objective.photo
        self.photo = None if photo is None else resized(photo, options.canvas.side).expand(count, -1, -1, -1)
        self.taken = 0

    @property
    def stalled(self) -> bool:
        return all(term.stalled for term in self.terms)


class _Term:
    """A part of an objective whose gradient is scaled by itself: its value so far, averaged over the last steps."""

    def __init__(self, weight: float, objective: Objective) -> None:
        self.force = abs(weight)
        self._sign, self._objective = (-1.0 if weight < 0 else 1.0), objective
        self._first, self._mean, self._best = 0.0, 0.0, -math.inf
        self._steps, self._best_at = 0, 0

    def value(self, inputs: ObjectiveInputs) -> Tensor:
        return self._sign * self._objective(inputs)

    def note(self, value: float) -> None:
        self._steps += 1
        self._mean += (value - self._mean) / min(self._steps, MEMORY)
        if self._steps == 1:
            self._first = value
        if self._mean > self._best + GAIN * max(self._best - self._first, 0.0):
            self._best, self._best_at = self._mean, self._steps

    @property
    def stalled(self) -> bool:
        return self._steps - self._best_at >= PATIENCE


def speed(taken: int, steps: int) -> float:
    """How many times the parameterization's rate is taken after some of all steps.

    min(2, 128/steps) · (1 − 0.9 · taken/steps)

    >>> speed(0, 128), speed(128, 256), speed(0, 16)
    (1.0, 0.275, 2.0)
    """
    return min(LARGEST_SPEED, USUAL_STEPS / steps) * (1 - (1 - LAST_SHARE) * taken / steps)


def _optimizer(leaves: Sequence[Tensor], images: Parameterization) -> torch.optim.Optimizer:
    if images.plain:
        return torch.optim.SGD(leaves, lr=images.rate)
    return torch.optim.Adam(leaves, lr=images.rate, betas=BETAS, eps=FLOOR)


@functools.cache
def has_fast_bfloat16() -> bool:
    """Whether the processor multiplies 16-bit floats faster: AMX halves the time of a step, AVX-512 saves a quarter.

    The pictures are as good: the rounding is far below what a transform does to an image at each step.
    """
    if not hasattr(torch.cpu, "get_capabilities"):  # an older torch does not say
        return False
    able = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))


def of_unit_size(gradient: Tensor) -> Tensor:
    """One image's gradient with root mean square one; one that is zero stays so.

    >>> of_unit_size(torch.full((1, 2), -3.0)).flatten().tolist()
    [-1.0, -1.0]
    """
    return gradient / gradient.square().mean().sqrt().clamp_min(torch.finfo(gradient.dtype).tiny)


def composite(
    images: Float[Tensor, "n planes side side"], backgrounds: Float[Tensor, "n colours side side"]
) -> Float[Tensor, "n colours side side"]:
    """Images, with opacity in the last plane, on backgrounds: opacity · colour + (1 − opacity) · background."""
    colours, opacity = images[:, :-1], images[:, -1:]
    return opacity * colours + (1 - opacity) * backgrounds


def backgrounds(generators: Sequence[torch.Generator], side: int, colours: int) -> Float[Tensor, "n colours side side"]:
    """Soft noise, each image's from its own generator: amplitudes and colours of photos, variance one per plane."""
    images = _fourier(side, colours)
    return images(images.start(generators) / START_SPREAD)


@functools.lru_cache(maxsize=8)
def _fourier(side: int, colours: int) -> FourierImages:
    return FourierImages(side, colours)
