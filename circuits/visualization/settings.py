"""How a picture of a unit is made: everything but the network and the unit that decides what it looks like."""

import math
from dataclasses import dataclass

from circuits.errors import InputError, UnknownError, listed
from circuits.visualization.transforms import TRANSFORMS

SMALLEST, LARGEST = 16, 1024
LONGEST = 10_000
OBJECTIVES = ("channel", "activation", "negative")
WEIGHTS = ("total_variation", "l1", "l2", "blur_gradient", "blur_image")


@dataclass(frozen=True)
class Settings:
    """What may be chosen about a unit's picture; part of its address in the store.

    Args:
        size: side of the picture, in pixels.
        steps: steps of gradient ascent, at most.
        seed: where it starts and how it is moved; another seed gives another picture of the same unit.
        objective: `channel`: what excites the unit (a neuron, if its address has a position); `activation`: the mean
            of its activation, as the literature has it; `negative`: what drives its pre-activation down.
        images: how the image is written: `fourier`, `pixels`, `pyramid`, `maco`, or `plain` for unbounded pixels.
        transform: how it is moved at each step: `none`, `light` or `standard`.
        total_variation: weight of the regulariser of that name; 0 leaves it out.
        l1: as before.
        l2: as before.
        blur_gradient: standard deviation of a blur of the gradient, in pixels.
        blur_image: standard deviation of a blur of the image every few steps, in pixels.
        version: of the algorithm; raised whenever the same choices give other pictures.

    Raises:
        InputError: if a number is out of range.
        UnknownError: if something is chosen by a name that does not exist.

    >>> Settings(steps=64).steps
    64
    """

    size: int = 128
    steps: int = 256
    seed: int = 0
    objective: str = "channel"
    images: str = "fourier"
    transform: str = "standard"
    total_variation: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    blur_gradient: float = 0.0
    blur_image: float = 0.0
    version: int = 2

    def __post_init__(self) -> None:
        check_numbers(self.size, self.steps)
        if self.seed < 0:
            raise InputError(f"Seed {self.seed} is negative; choose 0 or more.")
        for name, known in (("objective", OBJECTIVES), ("transform", tuple(TRANSFORMS))):
            if getattr(self, name) not in known:
                raise UnknownError(f"There is no {name} {getattr(self, name)!r}; there are {listed(known)}.")
        for name in WEIGHTS:
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"A {name} of {getattr(self, name)} cannot be had; give 0 or more.")


def check_numbers(size: int, steps: int) -> None:
    """Refuse sizes and steps that cannot be drawn.

    Raises:
        InputError: if one is out of range.
    """
    if not SMALLEST <= size <= LARGEST:
        raise InputError(f"Size {size} cannot be drawn; pictures are {SMALLEST} to {LARGEST} pixels wide.")
    if not 1 <= steps <= LONGEST:
        raise InputError(f"{steps} steps cannot be taken; choose 1 to {LONGEST}.")


DEFAULT = Settings()

PLAIN = Settings(size=150, steps=100, objective="activation", images="plain", transform="none")
"""The plain recipe: raw pixels from uniform noise, 100 steps of rate 10 on the mean activation, shown from minimum to
maximum. Source: Sankaran 2024, STAT 436, "Optimizing Feature Maps"."""
