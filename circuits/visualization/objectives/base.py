"""Objectives: a number for each image, to be maximised.

An objective names the activations that it reads (`Read`) and is a function of them (`ObjectiveInputs`). Sums,
differences and multiples of objectives are objectives: `channel("conv3:5") + 0.2 * diversity("conv3")`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.errors import InputError
from circuits.units import Unit


@dataclass(frozen=True)
class Read:
    """Activations that an objective reads of a layer.

    Args:
        layer: its name.
        channels: which channels, in this order; all of them if `None`.
        rectified: `False` asks for the pre-activation: the layer without the activation function that ends it.
    """

    layer: str
    channels: tuple[int, ...] | None = None
    rectified: bool = True


@dataclass(frozen=True, eq=False)
class ObjectiveInputs:
    """What an objective is a function of: its own n images and what it reads of them.

    Args:
        values: the activations of each read, (n, C, H, W), of the images under a random transform.
        images: the images themselves, 0 to 1, (n, colours, side, side); an opacity is one more colour.
        reference: the same reads of the objective's photo, if it has one, under the same transform.
    """

    values: Mapping[Read, Tensor]
    images: Tensor
    reference: Mapping[Read, Tensor] = field(default_factory=dict)


class Objective(ABC):
    """A number an image, to be maximised."""

    @property
    @abstractmethod
    def reads(self) -> tuple[Read, ...]:
        """The activations that it is a function of."""

    @abstractmethod
    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """Its value for each of its images."""

    @property
    def photo(self) -> Tensor | None:
        """A photo whose activations it compares with, (1, colours, h, w) from 0 to 1; most have none."""
        return None

    @property
    def count(self) -> int | None:
        """How many images it is about, if it is about a definite number."""
        return None

    @property
    def terms(self) -> tuple[tuple[float, "Objective"], ...]:
        """Weights and objectives whose gradients are brought to one size before they are added; usually itself."""
        return ((1.0, self),)

    def before_activation(self) -> "Objective":
        """The same formula on the pre-activation of what it reads."""
        return replace(self, rectified=False)  # type: ignore[type-var]  # a leaf that reads has this field

    def __add__(self, other: object) -> "Objective":
        return Sum((self, other)) if isinstance(other, Objective) else NotImplemented

    def __sub__(self, other: object) -> "Objective":
        return Sum((self, -other)) if isinstance(other, Objective) else NotImplemented

    def __mul__(self, weight: object) -> "Objective":
        return Scaled(float(weight), self) if isinstance(weight, (int, float)) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, divisor: object) -> "Objective":
        return Scaled(1 / float(divisor), self) if isinstance(divisor, (int, float)) else NotImplemented

    def __neg__(self) -> "Objective":
        return Scaled(-1.0, self)


class UnitObjective(Objective):
    """An objective that reads one unit's map."""

    unit: Unit
    rectified: bool

    @property
    def reads(self) -> tuple[Read, ...]:
        return (Read(self.unit.layer, (self.unit.channel,), self.rectified),)


class LayerObjective(Objective):
    """An objective that reads a whole layer."""

    layer: str
    rectified: bool

    @property
    def reads(self) -> tuple[Read, ...]:
        return (Read(self.layer, None, self.rectified),)


@dataclass(frozen=True)
class Scaled(Objective):
    """A multiple: L = weight · L₁."""

    weight: float
    of: Objective

    @property
    def reads(self) -> tuple[Read, ...]:
        return self.of.reads

    @property
    def photo(self) -> Tensor | None:
        return self.of.photo

    @property
    def count(self) -> int | None:
        return self.of.count

    @property
    def terms(self) -> tuple[tuple[float, Objective], ...]:
        """Those of a balanced objective with other weights; else this one."""
        inner = self.of.terms
        return ((1.0, self),) if len(inner) == 1 else tuple((self.weight * weight, part) for weight, part in inner)

    def before_activation(self) -> Objective:
        """The same multiple of the objective on its pre-activation."""
        return replace(self, of=self.of.before_activation())

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """Weight times the value."""
        return self.weight * self.of(inputs)


@dataclass(frozen=True)
class Sum(Objective):
    """A sum: L = L₁ + L₂ + …; one that balances its parts counts as the plain sum that it stands for."""

    parts: tuple[Objective, ...]

    def __post_init__(self) -> None:
        _ = self.count, self.photo  # what cannot be summed is refused here

    @property
    def reads(self) -> tuple[Read, ...]:
        return tuple(dict.fromkeys(read for part in self.parts for read in part.reads))

    @property
    def photo(self) -> Tensor | None:
        photos = [photo for part in self.parts if (photo := part.photo) is not None]
        if any(photo is not photos[0] and not torch.equal(photo, photos[0]) for photo in photos):
            raise InputError("Objectives about two photos cannot be added; make one picture of each.")
        return photos[0] if photos else None

    @property
    def count(self) -> int | None:
        counts = sorted({count for part in self.parts if (count := part.count) is not None})
        if len(counts) > 1:
            raise InputError(
                f"Objectives about {counts[0]} and {counts[1]} images cannot be added; give both the same."
            )
        return counts[0] if counts else None

    def before_activation(self) -> Objective:
        """The same sum of the parts on their pre-activations."""
        return replace(self, parts=tuple(part.before_activation() for part in self.parts))

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """The sum of the values."""
        first, *others = (part(inputs) for part in self.parts)
        return sum(others, start=first)


@dataclass(frozen=True)
class Balanced(Sum):
    """A sum whose parts pull with forces in the ratio of their weights, whatever their scales.

    The gradient of L = Σ w_k L_k is taken as Σ w_k · ∇L_k / ‖∇L_k‖, image by image.
    """

    @property
    def terms(self) -> tuple[tuple[float, Objective], ...]:
        return tuple(term for part in self.parts for term in _weighed(part))


def _weighed(part: Objective) -> tuple[tuple[float, Objective], ...]:
    if len(part.terms) == 1 and isinstance(part, Scaled):
        return tuple((part.weight * weight, term) for weight, term in _weighed(part.of))
    return part.terms


def balance(*parts: Objective) -> Objective:
    """Add objectives such that none drowns another: each one's gradient is brought to one size, then weighed.

    Activations of one layer may be a thousand times those of another, while a cosine lies between −1 and 1: a weight
    that suits one unit does not suit the next. In `balance(channel(u), 0.5 * diversity(u.layer))` the second pulls half
    as hard as the first in every network.

    Args:
        parts: two objectives or more; a multiple's factor is its weight.

    Raises:
        InputError: if there are fewer than two.
    """
    if len(parts) < 2:
        raise InputError(f"{len(parts)} objective cannot be balanced; give two or more.")
    return Balanced(parts)


def pre_activation(objective: Objective) -> Objective:
    """The same objective on the pre-activation of all that it reads, where a silent unit has a gradient too."""
    return objective.before_activation()


def layers_of(objective: Objective) -> tuple[str, ...]:
    """The layers that an objective reads, each once.

    Raises:
        InputError: if it reads none, so that no network has a say.
    """
    layers = tuple(dict.fromkeys(read.layer for read in objective.reads))
    if not layers:
        name = getattr(objective, "name", type(objective).__name__)
        raise InputError(f"{name} reads no layer; add an objective of the network, such as channel(unit).")
    return layers
