"""What a picture maximises: a number per image, a function of its unit's pre-activation.

Maximising the rectified activation fails where a unit is silent: no gradient passes, and most late units are silent on
a start image. (Lucid's answer is a false gradient in the first steps, `redirected_relu_grad.py`.) Maximising the mean
of the pre-activation fails in another way: it is linear in the layer below, so that where something lies drops out; the
mean of a convolution over all positions is the mean of its input times the sum of the kernel, and an edge detector
would be drawn as a flat colour. A leaky rectifier on the pre-activation has neither fault. The rendering scales
gradients to one size, so that a silent unit moves as fast as on its pre-activation.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from circuits.units import Unit

Objective = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Channel:
    """Mean over all positions: the unit everywhere, which gives a repeated pattern.

    L = 1/(h·w) Σ_yx max(z(y, x), slope · z(y, x)), z being the pre-activation. Of a class logit, a layer of one
    position, it is the logit itself, up to the slope.

    Args:
        slope: weight of the positions where the unit is silent; 1 gives the mean pre-activation.

    >>> import torch
    >>> Channel(slope=0.5)(torch.tensor([[[-2.0, 3.0]]])).tolist()
    [1.0]
    """

    slope: float = 0.3

    def __call__(self, values: Tensor) -> Tensor:
        """(N, H, W) to (N,)."""
        return F.leaky_relu(values, self.slope).mean(dim=(1, 2))


@dataclass(frozen=True)
class Neuron:
    """The middle position: the unit once, in the middle of the picture.

    L = z(⌊h/2⌋, ⌊w/2⌋). Which position is taken does not matter to what a unit of a convolution looks for, as long as
    its field lies within the picture.

    >>> import torch
    >>> Neuron()(torch.tensor([[[1.0, 3.0, 5.0]]])).tolist()
    [3.0]
    """

    def __call__(self, values: Tensor) -> Tensor:
        """(N, H, W) to (N,)."""
        height, width = values.shape[-2:]
        return values[:, height // 2, width // 2]


def objective_of(unit: Unit) -> Objective:
    """The objective that a unit's address names: a neuron if it has a position, else the channel.

    >>> objective_of(Unit("conv1", 3))
    Channel(slope=0.3)
    """
    return Channel() if unit.position is None else Neuron()
