"""The numbers of the built-in network's training, and how rate and views change over the run."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """The numbers of a training run.

    Attributes:
        epochs: passes over as many photos as there are.
        batch: photos per step.
        rate: the highest learning rate.
        warmup: part of the run in which the rate rises to it; after that it falls along a cosine to zero.
        momentum: of the gradient, Nesterov's.
        decay: weight decay of convolution and linear weights.
        smoothing: label smoothing.
        fine: weight of predicting the synset, next to predicting the class.
        averaging: part of the running average of weights that one step keeps.
        power: 0 draws all classes equally often, 1 all photos.
        emphasis: (label, factor) of classes to be drawn more often than that.
        prior: how far the biases of the logits go from classes as drawn (0) to classes as they occur (1).
        measured: training photos over which the batch norms' statistics are taken at the end.
        phases: (part of the run it begins at, side of the views in pixels, least part of a photo's side that
            a view shows).
        sharp: part of the photos that are seen as they are, shifted by whole pixels, not magnified and so blurred.
        settled: part of the run after which conv1 stays as it is: edges and colours are learnt first, and
            its gradient, at full resolution, is a quarter of the work (Brock 2017, "FreezeOut").
        seed: of the weights, the drawing and the views.
    """

    epochs: int = 27
    batch: int = 128
    rate: float = 0.1
    warmup: float = 0.15
    momentum: float = 0.9
    decay: float = 5e-4
    smoothing: float = 0.05
    fine: float = 0.3
    averaging: float = 0.999
    power: float = 0.5
    emphasis: tuple[tuple[str, float], ...] = (("cat", 1.5),)
    prior: float = 0.5
    measured: int = 6400
    phases: tuple[tuple[float, int, float], ...] = ((0.0, 48, 0.5), (0.93, 64, 0.65))
    sharp: float = 0.0
    settled: float = 0.55
    seed: int = 0


def rate_at(progress: float, recipe: Recipe) -> float:
    """Learning rate after a part of the run: a line up to the highest, then half a cosine down to zero.

    >>> [round(rate_at(part, Recipe(rate=1.0, warmup=0.2)), 2) for part in (0, 0.1, 0.2, 0.6, 1)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if progress < recipe.warmup:
        return recipe.rate * progress / recipe.warmup
    falling = (progress - recipe.warmup) / (1 - recipe.warmup)
    return recipe.rate * (1 + math.cos(math.pi * falling)) / 2


def phase_at(progress: float, recipe: Recipe) -> tuple[int, float]:
    """Side of the views after a part of the run, and the least part of a photo's side that they show."""
    return [(size, closest) for begin, size, closest in recipe.phases if progress >= begin][-1]


SECOND = Recipe(epochs=11, rate=0.03, warmup=0.08, phases=((0.0, 64, 0.5),), sharp=0.75, settled=0.0, seed=1)
"""A second, shorter run that starts from the averaged weights of the first (a warm restart, Loshchilov & Hutter 2017,
"SGDR"), at full size and mostly on photos as sharp as those that are classified later."""
