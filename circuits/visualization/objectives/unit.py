"""Objectives of units and layers, functions of their pre-activations.

Maximising the rectified activation fails where a unit is silent: no gradient passes, and most late units are silent on
a start image. (Lucid's answer is a false gradient in the first steps, `redirected_relu_grad.py`.) The mean of the
pre-activation is linear in the layer below, so that positions drop out: the mean of a convolution is the mean of its
input times the sum of the kernel, and an edge detector would be drawn as a flat colour. A leaky rectifier on the
pre-activation has neither fault; as gradients are scaled to one size, a silent unit moves as fast as an active one.
"""

from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812  # torch's own convention
from jaxtyping import Float
from torch import Tensor

from circuits.errors import InputError, UnknownError
from circuits.units import Unit, as_unit
from circuits.visualization.objectives.base import (
    LayerObjective,
    Objective,
    ObjectiveInputs,
    Read,
    UnitObjective,
    balance,
)

SLOPE = 0.3
"""Weight of the positions where a unit is silent."""


@dataclass(frozen=True)
class Channel(UnitObjective):
    """See `channel`; `rectified` says whether it reads the activation or the pre-activation."""

    unit: Unit
    slope: float | None = SLOPE
    rectified: bool = False

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """The mean leaky value of each image."""
        return leaky(inputs.values[self.reads[0]], self.slope).mean(dim=(1, 2, 3))


@dataclass(frozen=True)
class Neuron(UnitObjective):
    """See `neuron`."""

    unit: Unit
    position: tuple[int, int] | None = None
    rectified: bool = False

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """The value at the position."""
        return at(inputs.values[self.reads[0]], self.position, self.unit.layer).flatten()


@dataclass(frozen=True)
class DeepDream(LayerObjective):
    """See `layer`."""

    layer: str
    rectified: bool = True

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """The mean square of each image."""
        return inputs.values[self.reads[0]].square().mean(dim=(1, 2, 3))


@dataclass(frozen=True)
class ClassProbability(Objective):
    """See `class_probability`."""

    unit: Unit
    rectified: bool = False

    @property
    def reads(self) -> tuple[Read, ...]:
        return (Read(self.unit.layer, None, self.rectified),)

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """The probability that each image gets."""
        logits = inputs.values[self.reads[0]]
        if self.unit.channel >= logits.shape[1]:
            raise UnknownError(f"There is no {self.unit}; {self.unit.layer} has {logits.shape[1]} channels, from 0.")
        return logits.softmax(dim=1)[:, self.unit.channel].mean(dim=(1, 2))


@dataclass(frozen=True)
class Negative(UnitObjective):
    """See `negative`."""

    unit: Unit
    slope: float = SLOPE
    rectified: bool = False

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """The mean leaky value of the sign turned."""
        return leaky(-inputs.values[self.reads[0]], self.slope).mean(dim=(1, 2, 3))


def channel(unit: Unit | str, slope: float | None = SLOPE) -> Channel:
    """A unit everywhere, which gives a repeated pattern.

    L = 1/(h·w) Σ_yx max(z(y, x), slope · z(y, x)), z being the pre-activation. The literature's objective is the mean
    activation (Erhan 2009; Olah 2017, "Feature Visualization"): `slope=None`.

    Args:
        unit: such as `"inception4a:17"`; a position is left out of account.
        slope: weight of the positions where the unit is silent, 0 to 1; 1 gives the mean pre-activation, `None` the
            mean activation.

    Raises:
        InputError: if the slope lies outside of 0..1.

    >>> import torch
    >>> objective = channel("conv1:3", slope=0.5)
    >>> values = {objective.reads[0]: torch.tensor([[[[-2.0, 3.0]]]])}
    >>> objective(ObjectiveInputs(values, torch.zeros(1, 3, 8, 8))).tolist()
    [1.0]
    """
    check_slope(slope)
    return Channel(as_unit(unit).whole, slope, rectified=slope is None)


def neuron(unit: Unit | str, position: tuple[int, int] | None = None) -> Neuron:
    """A unit at one position: its pattern once.

    L = z(y, x), z being the pre-activation (Erhan 2009). Which position is taken does not matter to what a unit of a
    convolution looks for, as long as its field lies within the picture.

    Args:
        unit: such as `"inception4a:17"`, or `"inception4a:17@7,5"` for that position.
        position: (row, column) in the layer's map of what the network is shown, which is the image and the border that
            a movement adds; by default the unit's own position if it has one, else the middle, (⌊h/2⌋, ⌊w/2⌋).

    Raises:
        InputError: if the position is negative or, once the map is known, lies outside of it.

    >>> import torch
    >>> objective = neuron("conv1:3")
    >>> values = {objective.reads[0]: torch.tensor([[[[1.0, 3.0, 5.0]]]])}
    >>> objective(ObjectiveInputs(values, torch.zeros(1, 3, 8, 8))).tolist()
    [3.0]
    """
    unit = as_unit(unit)
    whole = unit.whole
    return Neuron(whole, Unit(whole.layer, whole.channel, position or unit.position).position)


def layer(name: str) -> DeepDream:
    """A whole layer: whatever it answers to, made stronger (DeepDream).

    L = 1/(C·h·w) Σ a², which is ‖a‖² up to a constant: a position pulls towards what already excites it there. Source:
    google/deepdream 2015, `dream.ipynb`, whose gradient at the layer is the activation itself.

    Args:
        name: of the layer.

    >>> import torch
    >>> objective = layer("conv1")
    >>> values = {objective.reads[0]: torch.tensor([[[[1.0]], [[3.0]]]])}
    >>> objective(ObjectiveInputs(values, torch.zeros(1, 3, 8, 8))).tolist()
    [5.0]
    """
    return DeepDream(name)


def class_logit(unit: Unit | str) -> Channel:
    """The evidence for a class: its logit, before the softmax.

    L = z, and its mean where the layer has several positions: `channel` without a rectifier (Simonyan 2013, "Deep
    Inside Convolutional Networks"). It grows by evidence for the class alone; the probability also grows by evidence
    against others.

    Args:
        unit: such as `"fc:284"`.

    >>> class_logit("fc:284")
    Channel(unit=Unit(layer='fc', channel=284, position=None), slope=1.0, rectified=False)
    """
    return channel(unit, slope=1.0)


def class_probability(unit: Unit | str) -> ClassProbability:
    """The probability of a class: how far it is ahead of the others.

    L = exp(z_k) / Σ_j exp(z_j) over all channels of the layer; the mean where it has several positions. Olah 2017,
    section "Optimization Objectives", finds that the logit gives better pictures.

    Args:
        unit: such as `"fc:284"`.

    Raises:
        UnknownError: once the layer is known, if it has no such channel.

    >>> import torch
    >>> objective = class_probability("fc:1")
    >>> values = {objective.reads[0]: torch.zeros(1, 4, 1, 1)}
    >>> objective(ObjectiveInputs(values, torch.zeros(1, 3, 8, 8))).tolist()
    [0.25]
    """
    return ClassProbability(as_unit(unit).whole)


def negative(unit: Unit | str, slope: float = SLOPE) -> Negative:
    """What a unit is against: its pre-activation driven down.

    L = 1/(h·w) Σ_yx max(−z, −slope · z). A rectified unit that is silent has no gradient, its pre-activation has (Olah
    2017 has pictures of negative optimisation); and as in `channel`, the positions are not simply averaged, so that the
    negative of an edge is drawn, and no flat colour. `-channel(unit)` is another thing: what it punishes is activity,
    most where the unit is active, and it is content with silence.

    Args:
        unit: such as `"inception4a:17"`; a position is left out of account.
        slope: weight of the positions where the unit is active, 0 to 1.

    Raises:
        InputError: if the slope lies outside of 0..1.

    >>> import torch
    >>> objective = negative("conv1:3", slope=0.5)
    >>> values = {objective.reads[0]: torch.tensor([[[[-3.0, 2.0]]]])}
    >>> objective(ObjectiveInputs(values, torch.zeros(1, 3, 8, 8))).tolist()
    [1.0]
    """
    check_slope(slope)
    return Negative(as_unit(unit).whole, slope)


def joint(*units: Unit | str, slope: float | None = SLOPE) -> Objective:
    """Several units in one picture, none drowning another (Olah 2017, section "Interaction between Neurons").

    L = Σ_k channel(u_k), with the gradient of each brought to one size. `channel(a) + channel(b)` is the plain sum, in
    which the unit of larger activations prevails.

    Args:
        units: two or more.
        slope: as in `channel`.

    Raises:
        InputError: if there are fewer than two, or the slope lies outside of 0..1.

    >>> [weight for weight, _ in joint("conv1:3", "conv4:17").terms]
    [1.0, 1.0]
    """
    return balance(*(channel(unit, slope) for unit in units))


def objective_of(unit: Unit) -> Channel | Neuron:
    """`neuron`, in the middle of the picture, if the address has a position, else `channel`.

    >>> objective_of(Unit("conv1", 3))
    Channel(unit=Unit(layer='conv1', channel=3, position=None), slope=0.3, rectified=False)
    """
    return channel(unit) if unit.position is None else neuron(unit.whole)


def leaky(values: Tensor, slope: float | None) -> Tensor:
    """max(z, slope · z); the values as they are if the slope is `None`."""
    return values if slope is None else F.leaky_relu(values, slope)


def at(values: Float[Tensor, "n c h w"], position: tuple[int, int] | None, layer: str) -> Float[Tensor, "n c 1 1"]:
    """The values at one position of a layer's maps, or in the middle.

    Raises:
        InputError: if the maps are too small to have that position.
    """
    height, width = values.shape[-2:]
    row, column = (height // 2, width // 2) if position is None else position
    if row >= height or column >= width:
        raise InputError(
            f"Position {row},{column} lies outside of {layer}, whose map of an image of this size has {height} rows "
            f"and {width} columns, from 0; choose another position or a larger image."
        )
    return values[:, :, row : row + 1, column : column + 1]


def check_slope(slope: float | None) -> None:
    """Refuse a slope outside of 0..1."""
    if slope is not None and not 0 <= slope <= 1:
        raise InputError(f"Slope {slope} is no weight of what pulls the other way; choose 0 to 1.")
