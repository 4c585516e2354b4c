"""How pictures are made: `Settings` of a unit's picture, `Options` of any objective's."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from PIL import Image

from circuits.errors import InputError, UnknownError, listed
from circuits.image.photo import as_photo
from circuits.network.network import Network
from circuits.network.token_moves import has_tokens
from circuits.visualization.objectives.base import Objective
from circuits.visualization.parameterization.base import USUAL_STEPS, MakeImages
from circuits.visualization.parameterization.fourier import FourierImages
from circuits.visualization.parameterization.registry import make_images
from circuits.visualization.transforms import TRANSFORMS, Transform, named_transform, standard

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
        seed: of the start image and the random transforms.
        objective: `channel`: what excites the unit (a neuron, if its address has a position); `activation`: the mean
            of its activation, as the literature has it; `negative`: what drives its pre-activation down.
        images: parameterization: `fourier`, `pixels`, `pyramid`, `maco`, or `plain` for unbounded pixels.
        transform: random transform at each step: `none`, `light`, `standard` or `tokens`.
        total_variation: weight of the regularizer of that name; 0 leaves it out.
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
    steps: int = USUAL_STEPS
    seed: int = 0
    objective: str = "channel"
    images: str = "fourier"
    transform: str = "standard"
    total_variation: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    blur_gradient: float = 0.0
    blur_image: float = 0.0
    version: int = 3

    def __post_init__(self) -> None:
        _check_numbers(self.size, self.steps)
        if self.seed < 0:
            raise InputError(f"Seed {self.seed} is negative; choose 0 or more.")
        for name, known in (("objective", OBJECTIVES), ("transform", tuple(TRANSFORMS))):
            if getattr(self, name) not in known:
                raise UnknownError(f"There is no {name} {getattr(self, name)!r}; there are {listed(known)}.")
        for name in WEIGHTS:
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"A {name} of {getattr(self, name)} cannot be had; give 0 or more.")


@dataclass(frozen=True, eq=False)
class Options:
    """How images are made, all but the objectives and the seed.

    Args:
        size: as in `Settings`.
        steps: as in `Settings`.
        images: parameterization: a function of (side, colours), such as `make_images` gives.
        transform: random transform at each step: a function of the image's side.
        regularizers: penalties that are subtracted, each times its weight: `0.2 * total_variation()`.
        blur_gradient: as in `Settings`.
        blur_image: as in `Settings`.
        start: a photo to start from, in place of noise.
        zoom: how many pixels of the picture, along a side, make one of the drawn image; `None`: as the layer needs.

    Raises:
        InputError: if a number is out of range.
        UnknownError: if something is chosen by a name that does not exist.
    """

    size: int = 128
    steps: int = USUAL_STEPS
    images: MakeImages = FourierImages
    transform: Callable[[int], Transform] = standard
    regularizers: tuple[Objective, ...] = ()
    blur_gradient: float = 0.0
    blur_image: float = 0.0
    start: Image.Image | None = field(default=None, repr=False)
    zoom: int | None = None

    def __post_init__(self) -> None:
        _check_numbers(self.size, self.steps)
        for name in ("blur_gradient", "blur_image"):
            if not 0 <= getattr(self, name) <= self.size:
                raise InputError(f"A {name} of {getattr(self, name)} pixels cannot be had; give 0 to {self.size}.")


def _check_numbers(size: int, steps: int) -> None:
    if not SMALLEST <= size <= LARGEST:
        raise InputError(f"Size {size} cannot be drawn; pictures are {SMALLEST} to {LARGEST} pixels wide.")
    if not 1 <= steps <= LONGEST:
        raise InputError(f"{steps} steps cannot be taken; choose 1 to {LONGEST}.")


DEFAULT = Settings()

PLAIN = Settings(size=150, steps=100, objective="activation", images="plain", transform="none")
"""The plain recipe: raw pixels from uniform noise, 100 steps of rate 10 on the mean activation, shown from minimum to
maximum. Source: Sankaran 2024, STAT 436, "Optimizing Feature Maps"."""

Choices = TypeVar("Choices", Settings, Options)


def usual_transform(network: Network) -> str:
    """The name of the transform that pictures of a network are drawn with where none is chosen."""
    return "tokens" if has_tokens(network.traced) else "standard"


def usual_settings(network: Network) -> Settings:
    """The settings that pictures of a network are drawn with where none are chosen.

    >>> from circuits import load_network
    >>> usual_settings(load_network()) == DEFAULT
    True
    """
    return Settings(transform=usual_transform(network))


def chosen(network: Network, kind: type[Choices], given: Choices | None, choices: Mapping[str, Any]) -> Choices:
    """The settings or options of a call: the object that was given, or one made of its keywords.

    A transform that is not among the keywords is the usual one of the network.

    Raises:
        InputError: if there are both.
        UnknownError: if there is no such keyword.

    >>> from circuits import load_network
    >>> network = load_network()
    >>> chosen(network, Settings, None, {"size": 64}) == chosen(network, Settings, Settings(size=64), {})
    True
    """
    known = [each.name for each in fields(kind)]
    for name in choices:
        if name not in known:
            raise UnknownError(f"Pictures have no {kind.__name__[:-1].lower()} {name!r}; there are {listed(known)}.")
    if given is not None and choices:
        keyword = kind.__name__.lower()
        raise InputError(f"Both {keyword}= and {listed(choices)} were given; say all of it in one of the two ways.")
    if given is not None:
        return given
    choices = {"transform": usual_transform(network), **choices}
    if kind is Options:
        choices = {name: _NAMED[name](value) if name in _NAMED else value for name, value in choices.items()}
    return kind(**choices)


def _regularizers(given: Objective | Sequence[Objective]) -> tuple[Objective, ...]:
    return (given,) if isinstance(given, Objective) else tuple(given)


_NAMED: Mapping[str, Callable[[Any], Any]] = {
    "images": lambda given: make_images(given) if isinstance(given, str) else given,
    "transform": lambda given: named_transform(given) if isinstance(given, str) else given,
    "regularizers": _regularizers,
    "start": lambda given: given if given is None or isinstance(given, Image.Image) else as_photo(given).part,
}
"""What the keywords of `Options` may also be given as."""
