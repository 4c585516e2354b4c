"""Gradient ascent on images: many objectives in one batch, each with images and random numbers of its own.

At each step

1. the parameters of all images are stacked and drawn (`parameterization`);
2. the images are moved a little, each in its own way (`transforms`);
3. the network, cut above the highest layer that is read, is shown them once (`looking`);
4. each objective gives a number for each of its images, and its gradient with respect to their parameters is brought
   to size one image by image, so that a faint response is followed as fast as a strong one;
5. the gradients of the regularisers are taken away, and Adam, with a rate that falls linearly, takes a step.

An objective whose value has not grown for a while is finished early; the others go on without it. In the first steps
the gradient passes rectifiers that let nothing through for an image (`redirecting`).

Sources: Erhan 2009, "Visualizing Higher-Layer Features of a Deep Network" (ascent on the input); Olah 2017, "Feature
Visualization" (the rest).
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from circuits.image.tensors import resized
from circuits.network.network import Network
from circuits.network.rectifiers import redirected_relu
from circuits.visualization.border_weights import equalize_gradient
from circuits.visualization.forward import BatchSlice, Canvas, forward
from circuits.visualization.objectives.base import Activations, Objective, Read
from circuits.visualization.parameterization.alpha import backgrounds, composite
from circuits.visualization.parameterization.base import Parameterization
from circuits.visualization.transforms import Transform

LAST_SHARE = 0.1
BETAS = (0.9, 0.95)

# Adam's ε, for gradients of root mean square one: frequencies that hardly matter are not driven as hard as the others.
FLOOR = 1.0

# An objective has stalled if its value, averaged over about MEMORY steps, has not grown for PATIENCE steps by more than
# GAIN of what it has grown since the start.
MEMORY = 16
PATIENCE = 64
GAIN = 0.005

REDIRECTED = 16
"""Steps in which the gradient passes rectifiers that let nothing through."""

BETWEEN = 4
"""Steps from one change of the images themselves to the next."""


@dataclass(frozen=True, eq=False)
class RenderTask:
    """An objective and the seeds of its images, one each."""

    objective: Objective
    seeds: tuple[int, ...]

    @property
    def reader(self) -> BatchSlice:
        """What it reads for how many images."""
        return BatchSlice(self.objective.reads, len(self.seeds))


@dataclass(frozen=True, eq=False)
class AscentOptions:
    """How images are made.

    Args:
        canvas: their size.
        images: how they are written as parameters.
        transform: how they are moved at each step.
        steps: how many at most.
        reach: how many pixels of the image, along a side, one position of the highest layer sees.
        regularizers: penalties to be taken away, weighed; none by default.
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
    """The images of some tasks on their way up.

    Args:
        network: the network.
        tasks: what is drawn together; either all compare with a photo or none does.
        method: how.
    """

    def __init__(self, network: Network, tasks: Sequence[RenderTask], method: AscentOptions) -> None:
        self.network, self.method = network, method
        self.taken = 0
        self._even = equalize_gradient(method.transform, method.canvas.side, method.reach)
        self._tasks = [OptimizedTask(task, method) for task in tasks]
        leaves = [leaf for climb in self._tasks for leaf in climb.leaves]
        self._optimizer = _optimizer(leaves, method.images)

    @property
    def done(self) -> bool:
        """Whether all steps were taken, or every objective has stalled."""
        return self.taken >= self.method.steps or all(climb.stalled for climb in self._tasks)

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps that each task has taken."""
        return tuple(climb.taken for climb in self._tasks)

    def images(self) -> list[Tensor]:
        """The images of each task as they are now, (n, colours, side, side)."""
        with torch.no_grad():
            return [self.method.images.finish(self._draw([climb])) for climb in self._tasks]

    def step(self) -> None:
        """One step up for each task that has not stalled."""
        active = [climb for climb in self._tasks if not climb.stalled]
        if not self.method.images.plain:
            share = self.taken / self.method.steps
            self._optimizer.param_groups[0]["lr"] = self.method.images.rate * (1 - (1 - LAST_SHARE) * share)
        self._optimizer.zero_grad()
        with torch.enable_grad():
            self.compute_gradients(active)
        self._optimizer.step()
        self.taken += 1
        for climb in active:
            climb.taken = self.taken
        if self.method.between is not None and self.taken % BETWEEN == 0:
            self._rework(active, self.method.between)

    def _draw(self, climbs: Sequence["OptimizedTask"]) -> Tensor:
        return self.method.images(torch.stack([leaf for climb in climbs for leaf in climb.leaves]))

    def compute_gradients(self, climbs: Sequence["OptimizedTask"]) -> None:
        """Set each image's gradient: of what is to become small, for the optimiser."""
        drawn = self._draw(climbs)
        seen = self._forward(climbs, drawn)
        leaves = [leaf for climb in climbs for leaf in climb.leaves]
        for leaf in leaves:
            leaf.grad = torch.zeros_like(leaf)
        rounds = max(len(climb.terms) for climb in climbs)
        for turn in range(rounds):
            again = turn + 1 < rounds or bool(self.method.regularizers)  # else the way back frees memory as it goes
            concerned = [(climb, own) for climb, own in zip(climbs, seen, strict=True) if turn < len(climb.terms)]
            values = [climb.terms[turn].value(own) for climb, own in concerned]
            own_leaves = [leaf for climb, _ in concerned for leaf in climb.leaves]
            slopes = torch.autograd.grad(-torch.cat(values).sum(), own_leaves, retain_graph=again, allow_unused=True)
            forces = [climb.terms[turn].force for climb, _ in concerned for _ in climb.leaves]
            for leaf, slope, force in zip(own_leaves, slopes, forces, strict=True):
                if slope is not None:
                    leaf.grad += force * (slope if self.method.images.plain else of_unit_size(slope))
            for (climb, _), value in zip(concerned, values, strict=True):
                climb.terms[turn].note(float(value.detach().mean()))
        self._regularize(leaves, drawn)

    def _regularize(self, leaves: Sequence[Tensor], drawn: Tensor) -> None:
        if self.method.regularizers:
            penalty = torch.stack([part(Activations({}, drawn)) for part in self.method.regularizers]).sum()
            for leaf, slope in zip(leaves, torch.autograd.grad(penalty, leaves), strict=True):
                assert leaf.grad is not None
                leaf.grad += slope

    def _forward(self, climbs: Sequence["OptimizedTask"], drawn: Tensor) -> list[Activations]:
        """What each task sees of its images as they are moved."""
        generators = [generator for climb in climbs for generator in climb.generators]
        images = drawn if self.method.on_gradient is None else self.method.on_gradient(drawn)
        images = self._even(images)
        colours = self.network.preprocessing.channels
        if images.shape[1] > colours:
            images = composite(images, backgrounds(generators, images.shape[-1], colours))
        readers = [climb.task.reader for climb in climbs]
        rectifier = redirected_relu if self.taken < REDIRECTED and not self.method.images.plain else None
        photos = [climb.photo for climb in climbs if climb.photo is not None]
        if photos:
            images = torch.cat([images, torch.cat(photos)], dim=1)  # so that a photo moves with its image
        moved = self.method.transform(images, generators)
        look_at = functools.partial(
            forward, self.network, self.method.canvas, readers, fast=has_fast_bfloat16(), rectifier=rectifier
        )
        values = look_at(moved[:, :colours])
        references: list[dict[Read, Tensor]] = [{} for _ in climbs]
        if photos:
            with torch.no_grad():
                references = look_at(moved[:, colours:])
        own = torch.split(drawn, [reader.count for reader in readers])
        return [Activations(*parts) for parts in zip(values, own, references, strict=True)]

    def _rework(self, climbs: Sequence["OptimizedTask"], between: Callable[[Tensor], Tensor]) -> None:
        """Change the images themselves between steps."""
        with torch.no_grad():
            changed = self.method.images.encode(between(self._draw(climbs)))
            for leaf, parameters in zip((leaf for climb in climbs for leaf in climb.leaves), changed, strict=True):
                leaf.copy_(parameters)


class OptimizedTask:
    """One task under way: its parameters, its random numbers, and how its value has grown."""

    def __init__(self, task: RenderTask, method: AscentOptions) -> None:
        self.task = task
        self.terms = [_Term(weight, objective) for weight, objective in task.objective.terms]
        self.generators = [torch.Generator().manual_seed(seed) for seed in task.seeds]
        with torch.no_grad():
            begun = method.images.start(self.generators)
            if method.start is not None:
                begun = method.images.encode(method.start.expand(len(task.seeds), -1, -1, -1))
        self.leaves = [parameters.clone().requires_grad_(True) for parameters in begun]
        self.photo = _fitted(task, method.canvas.side)
        self.taken = 0

    @property
    def stalled(self) -> bool:
        """Whether no term has grown for a while."""
        return all(term.stalled for term in self.terms)


class _Term:
    """A part of an objective whose gradient is scaled by itself: its value so far, averaged over the last steps."""

    def __init__(self, weight: float, objective: Objective) -> None:
        self.force = abs(weight)
        self._sign, self._objective = (-1.0 if weight < 0 else 1.0), objective
        self._first, self._mean, self._best = 0.0, 0.0, -math.inf
        self._steps, self._best_at = 0, 0

    def value(self, activations: Activations) -> Tensor:
        """What is to grow."""
        return self._sign * self._objective(activations)

    def note(self, value: float) -> None:
        """Add a step's value."""
        self._steps += 1
        self._mean += (value - self._mean) / min(self._steps, MEMORY)
        if self._steps == 1:
            self._first = value
        if self._mean > self._best + GAIN * max(self._best - self._first, 0.0):
            self._best, self._best_at = self._mean, self._steps

    @property
    def stalled(self) -> bool:
        """Whether it has not grown for a while."""
        return self._steps - self._best_at >= PATIENCE


def _optimizer(leaves: Sequence[Tensor], images: Parameterization) -> torch.optim.Optimizer:
    if images.plain:
        return torch.optim.SGD(leaves, lr=images.rate)
    return torch.optim.Adam(leaves, lr=images.rate, betas=BETAS, eps=FLOOR)


def _fitted(task: RenderTask, side: int) -> Tensor | None:
    """The photo that a task compares with, once for each of its images, as large as they are."""
    photo = task.objective.photo
    return None if photo is None else resized(photo, side).expand(len(task.seeds), -1, -1, -1)


@functools.cache
def has_fast_bfloat16() -> bool:
    """Whether the processor has matrix units for 16-bit floats (AMX), which halve the time of a step or better.

    The pictures are as good: the rounding is far below what the movement does to an image at each step.
    """
    if not hasattr(torch.cpu, "get_capabilities"):  # an older torch does not say
        return False
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def of_unit_size(gradient: Tensor) -> Tensor:
    """One image's gradient with root mean square one; one that is zero stays so.

    >>> of_unit_size(torch.full((1, 2), -3.0)).flatten().tolist()
    [-1.0, -1.0]
    """
    return gradient / gradient.square().mean().sqrt().clamp_min(torch.finfo(gradient.dtype).tiny)
