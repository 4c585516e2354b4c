"""Terms that compare the images of one objective: `diversity`, `alignment` and `interpolation`."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.errors import InputError
from circuits.units import Unit
from circuits.visualization.objectives.base import LayerObjective, Objective, ObjectiveInputs, Read, balance
from circuits.visualization.objectives.unit import SLOPE, Channel, channel

# Smallest that is divided by; maps of length one have ⟨G, G⟩ of 1/C or more, and those of a silent image none.
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Diversity(LayerObjective):
    """See `diversity`."""

    layer: str
    rectified: bool = True

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """Minus the mean cosine of each image's Gram matrix with the others'."""
        maps = inputs.values[self.reads[0]].flatten(2)
        _check_several(maps, "differ from")
        lengths = torch.linalg.vector_norm(maps, dim=(1, 2), keepdim=True).clamp_min(_SMALLEST)
        products = _gram_products(maps / lengths)  # of length one, so that nothing is too large or too small to square
        sizes = products.diagonal().clamp_min(_SMALLEST).sqrt()
        cosines = products / (sizes[:, None] * sizes)
        return -(cosines.sum(dim=1) - cosines.diagonal()) / (len(maps) - 1)


@dataclass(frozen=True)
class Alignment(Objective):
    """See `alignment`."""

    layer: str | None = None
    decay: float = 0.5
    rectified: bool = True

    @property
    def reads(self) -> tuple[Read, ...]:
        return () if self.layer is None else (Read(self.layer, None, self.rectified),)

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """Minus the weighted mean squared difference of each image from the others."""
        compared = (inputs.values[self.reads[0]] if self.reads else inputs.images).flatten(1)
        _check_several(compared, "be like")
        # The differences come from products, |a|² + |b|² − 2 a·b: what all share would only cost digits there.
        own = compared - compared.mean(dim=0)
        squares = own.square().sum(dim=1)
        differences = (squares[:, None] + squares - 2 * own @ own.T) / compared.shape[1]
        return -(self._weights(len(compared)).to(compared) * differences).sum(dim=1)

    def _weights(self, count: int) -> Tensor:
        """What each image (row) makes of its difference from each other; a row adds up to one."""
        place = torch.arange(count, dtype=torch.float64)
        weights = self.decay ** (place[:, None] - place).abs()
        weights.fill_diagonal_(0)
        return weights / weights.sum(dim=1, keepdim=True)


@dataclass(frozen=True)
class Interpolation(Objective):
    """A row of images from one unit to another: image t maximises (1 − t) · first + t · second."""

    first: Channel
    second: Channel
    steps: int

    @property
    def reads(self) -> tuple[Read, ...]:
        return tuple(dict.fromkeys((*self.first.reads, *self.second.reads)))

    @property
    def count(self) -> int:
        return self.steps

    def before_activation(self) -> Objective:
        """The same row between the units' pre-activations."""
        first, second = (replace(unit, rectified=False) for unit in (self.first, self.second))
        return replace(self, first=first, second=second)

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """Each image's own mixture of both values."""
        first, second = self.first(inputs), self.second(inputs)
        if len(first) != self.steps:
            raise InputError(
                f"An interpolation of {self.steps} steps is not drawn as {len(first)} images; draw {self.steps}."
            )
        share = torch.linspace(0, 1, self.steps, dtype=first.dtype, device=first.device)
        return (1 - share) * first + share * second


def diversity(layer: str) -> Diversity:
    """How different the images of an objective are, to be added to it.

    L_a = −1/(n−1) Σ_{b≠a} cos(G_a, G_b), with G = A Aᵀ the Gram matrix of a layer's activations A, (C, h·w): what
    occurs together, wherever it lies, as in style transfer. −1: alike; 0: nothing in common. `balance(channel(u), 0.5 *
    diversity(u.layer))` weighs it in the same way for every unit. Olah 2017, "Feature Visualization", section
    "Diversity", has the sum over all pairs; the mean keeps the weight of the term the same for any number of images.

    It can mislead: what is added to make an image different need not have to do with the unit.

    Args:
        layer: where the images are to differ; usually the unit's own, or one below.

    Raises:
        InputError: when it is evaluated on one image alone.

    >>> values = torch.eye(2).reshape(2, 2, 1, 1)
    >>> diversity("conv1")(ObjectiveInputs({Read("conv1"): values}, torch.zeros(2, 3, 8, 8))).tolist()
    [-0.0, -0.0]
    """
    return Diversity(layer)


def alignment(layer: str | None = None, decay: float = 0.5) -> Alignment:
    """How alike the images of a row are, to be added to what is drawn in each.

    L_a = −Σ_b w_ab · mean((x_a − x_b)²), with w_ab ∝ decay^|a−b| and Σ_b w_ab = 1. Olah 2017, "Feature Visualization",
    section "Interaction between Neurons", has such a term on the activations of a low layer; Lucid's `alignment` adds
    up what lies up to four places apart. (Mordvintsev 2018, "Differentiable Image Parameterizations", reaches the same
    by sharing parameters between the images.)

    Args:
        layer: where they are compared. By default the images themselves are, as they are drawn; what a layer sees is
            moved at random, each image in its own way.
        decay: weight of the second neighbour over that of the first, above 0 to 1.

    Raises:
        InputError: if the decay is out of range, or when it is evaluated on one image alone.

    >>> images = torch.stack([torch.zeros(3, 8, 8), torch.full((3, 8, 8), 0.5)])
    >>> alignment()(ObjectiveInputs({}, images)).tolist()
    [-0.25, -0.25]
    """
    if not 0 < decay <= 1:
        raise InputError(f"Decay {decay} does not make the weight of farther images smaller; choose above 0, up to 1.")
    return Alignment(layer, decay)


def interpolation(
    first: Unit | str, second: Unit | str, steps: int = 7, align: float = 0.2, slope: float | None = SLOPE
) -> Objective:
    """A row of images from one unit to another.

    Image t of 0..1 maximises (1 − t) · channel(first) + t · channel(second), and is kept like its neighbours by
    `alignment`, which pulls `align` times as hard (Olah 2017, "Feature Visualization", section "Interaction between
    Neurons"). For two units of a layer it is the direction (1 − t) e_first + t e_second of that layer
    (`directions.direction` with power 0). Units of two layers are added as they are, so that the one of larger
    activations fills more than its half of the row.

    Args:
        first: unit at the start of the row.
        second: unit at its end.
        steps: images in the row, 2 or more.
        align: pull of the alignment over that of the units; 0 leaves it out.
        slope: as in `channel`.

    Raises:
        InputError: if a number is out of range.

    >>> interpolation("conv1:3", "conv1:5", steps=5).count
    5
    """
    if steps < 2:
        raise InputError(f"A row from one unit to another cannot have {steps} images; choose 2 or more.")
    if not 0 <= align < float("inf"):
        raise InputError(f"Alignment {align} would not keep images alike; choose 0 or more.")
    row = Interpolation(channel(first, slope), channel(second, slope), steps)
    return balance(row, align * alignment()) if align else row


def _gram_products(maps: Float[Tensor, "n c p"]) -> Float[Tensor, "n n"]:
    """⟨G_a, G_b⟩ of each pair of images, with G = A Aᵀ.

    The same as ‖A_aᵀ A_b‖², which has p² numbers a pair where G has C² an image: whichever are fewer are computed.
    """
    count, channels, positions = maps.shape
    if count * positions**2 > channels**2:
        grams = (maps @ maps.transpose(1, 2)).flatten(1)
        return grams @ grams.T
    vectors = maps.transpose(1, 2).flatten(0, 1)
    pairs = (vectors @ vectors.T).square().reshape(count, positions, count, positions)
    return pairs.sum(dim=(1, 3))


def _check_several(images: Tensor, what: str) -> None:
    if len(images) < 2:
        raise InputError(f"One image alone has no other to {what}; draw two or more.")
