"""Directions of a layer's activations: mixtures of channels, of which a single channel is the simplest.

A layer's activation at a position is a vector of C numbers, and any vector d can be asked for instead of an axis. The
dot product rewards length as much as direction: something very exciting to all channels may beat what fits d. A power
of the cosine between both, as a factor, rewards the fit.

    L = 1/(h·w) Σ_yx (d · a(y, x)) · max(cos(d, a(y, x)), 0.1)^p

Sources: Olah 2017, "Feature Visualization", section "Interaction between Neurons" (directions); Olah 2018, "The
Building Blocks of Interpretability" (pictures of a photo's activations); formula and floor as in Lucid,
`optvis/objectives.py` (`_dot_cossim`). Here a is the leaky pre-activation max(z, slope · z) of each channel, as in
`objectives.channel`, so that a direction along one axis is that channel; `slope=None` is the literature's activation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from circuits.errors import InputError
from circuits.visualization.objectives.base import LayerObjective, ObjectiveInputs
from circuits.visualization.objectives.unit import SLOPE, at, check_slope, leaky

FLOOR = 0.1
"""Smallest cosine that counts as a factor, so that what points away is still turned round."""

Vector = Sequence[float | int] | NDArray[Any] | Tensor
"""One number a channel."""


@dataclass(frozen=True, eq=False)
class Direction(LayerObjective):
    """See `direction`."""

    layer: str
    vector: Float[Tensor, " c"]
    power: float = 0.0
    slope: float | None = SLOPE
    rectified: bool = False

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """The mean over all positions."""
        return self.along(inputs.values[self.reads[0]]).mean(dim=(1, 2))

    def along(self, values: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w"]:
        """How far each position's vector goes in the direction.

        Raises:
            InputError: if the layer has another number of channels than the vector has numbers.
        """
        if values.shape[1] != len(self.vector):
            raise InputError(
                f"The direction has {len(self.vector)} numbers, but {self.layer} has {values.shape[1]} channels; "
                "give one number a channel."
            )
        return dot_times_cosine(leaky(values, self.slope), self.vector.to(values)[None, :, None, None], self.power)


@dataclass(frozen=True, eq=False)
class DirectionAt(Direction):
    """See `direction_at`."""

    position: tuple[int, int] | None = None

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """The value at the position."""
        return self.along(at(inputs.values[self.reads[0]], self.position, self.layer)).flatten()


def direction(layer: str, vector: Vector, power: float = 0.0, slope: float | None = SLOPE) -> Direction:
    """A direction of a layer, everywhere in the picture.

    L = 1/(h·w) Σ_yx (d · a) · max(cos(d, a), 0.1)^p (Olah 2018; see the top of this file).

    Args:
        layer: its name.
        vector: d, one number a channel; its length scales L.
        power: p, 0 or more: 0 is the dot product, 1 to 4 look for the direction rather than for strength.
        slope: weight of channels where they are silent, 0 to 1; `None`: activations as they are.

    Raises:
        InputError: if the vector is no row of finite numbers, or all zero; if the power or slope is out of range; once
            the layer is known, if the vector has another length.

    >>> objective = direction("conv1", [0.0, 2.0])
    >>> values = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1)
    >>> objective(ObjectiveInputs({objective.reads[0]: values}, torch.zeros(1, 3, 8, 8))).tolist()
    [8.0]
    """
    return Direction(layer, _checked(vector), *_choices(power, slope))


def direction_at(
    layer: str,
    vector: Vector,
    position: tuple[int, int] | None = None,
    power: float = 0.0,
    slope: float | None = SLOPE,
) -> DirectionAt:
    """A direction of a layer at one position: what lies there, once.

    L = (d · a(y, x)) · max(cos(d, a(y, x)), 0.1)^p. With the activation of a photo at a position as d, it shows what
    the network makes of that part of the photo (Olah 2018).

    Args:
        layer: its name.
        vector: d, one number a channel.
        position: (row, column) in the layer's map of what the network is shown; by default the middle.
        power: p, as in `direction`.
        slope: as in `direction`.

    Raises:
        InputError: as in `direction`, or if the position is negative or lies outside of the layer's map.

    >>> objective = direction_at("conv1", [0.0, 2.0], (0, 0))
    >>> values = torch.tensor([[3.0, 0.0], [4.0, 0.0]]).reshape(1, 2, 1, 2)
    >>> objective(ObjectiveInputs({objective.reads[0]: values}, torch.zeros(1, 3, 8, 8))).tolist()
    [8.0]
    """
    if position is not None and min(position) < 0:
        raise InputError(f"Position {position[0]},{position[1]} has a negative number; rows and columns count from 0.")
    power, slope, rectified = _choices(power, slope)
    return DirectionAt(layer, _checked(vector), power, slope, rectified, position)


def dot_times_cosine(
    activations: Float[Tensor, "n c h w"], vectors: Float[Tensor, "m c y x"], power: float
) -> Float[Tensor, "n h w"]:
    """(d · a) · max(cos(d, a), 0.1)^p at each position; the vectors are broadcast.

    >>> a, d = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1), torch.tensor([0.0, 2.0]).reshape(1, 2, 1, 1)
    >>> round(dot_times_cosine(a, d, 2.0).item(), 5)
    5.12
    """
    dot = (activations * vectors).sum(dim=1)
    if power == 0:
        return dot
    return dot * F.cosine_similarity(activations, vectors, dim=1).clamp_min(FLOOR) ** power


def check_power(power: float) -> float:
    """The power of a cosine; one that is negative or no number is refused."""
    if not 0 <= power < math.inf:
        raise InputError(f"Power {power} of the cosine would not reward the direction; choose 0 or more, such as 2.")
    return power


def _choices(power: float, slope: float | None) -> tuple[float, float | None, bool]:
    check_slope(slope)
    return check_power(power), slope, slope is None


def _checked(vector: Vector) -> Tensor:
    """The vector, in 64 bits."""
    try:
        plain = vector.detach().cpu().numpy() if isinstance(vector, Tensor) else vector
        numbers = torch.from_numpy(np.array(plain, dtype=np.float64))
    except (TypeError, ValueError):
        raise InputError(f"The direction {str(vector)[:60]} is no row of numbers; give one number a channel.") from None
    if numbers.ndim != 1:
        raise InputError(f"The direction has shape {tuple(numbers.shape)}; give a row, one number a channel.")
    if not numbers.isfinite().all():
        raise InputError("The direction has a number that is not finite; give one finite number a channel.")
    if not numbers.any():
        raise InputError(
            f"All {len(numbers)} numbers of the direction are zero, which points nowhere; make one of them another."
        )
    return numbers
