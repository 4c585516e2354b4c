"""A direction of a layer as something that can be drawn and kept, as a unit can."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuits.units import Group, Unit


@dataclass(frozen=True)
class LayerDirection:
    """A direction of a layer, told from others by its numbers alone, not by what its group is called.

    Args:
        layer: whose.
        data: one float32 a channel, little-endian.
        group: that it belongs to.

    Example:
        >>> one = LayerDirection.of(Group("conv7", 3), torch.tensor([0.6, 0.8]))
        >>> str(one), one.vector.tolist() == torch.tensor([0.6, 0.8]).tolist()
        ('conv7/3', True)
        >>> one == LayerDirection.of(Group("conv7", 5), torch.tensor([0.6, 0.8]))
        True
    """

    layer: str
    data: bytes = field(repr=False)
    group: Group = field(compare=False)

    @classmethod
    def of(cls, group: Group, vector: Float[Tensor, " channels"]) -> "LayerDirection":
        """The direction of a group."""
        return cls(group.layer, vector.detach().cpu().numpy().astype("<f4").tobytes(), group)

    @property
    def vector(self) -> Float[Tensor, " channels"]:
        """One number a channel, float32."""
        return torch.from_numpy(np.frombuffer(self.data, "<f4").astype(np.float32))

    @property
    def channels(self) -> int:
        """How many channels its layer has."""
        return len(self.data) // 4

    def __str__(self) -> str:
        return str(self.group)


Subject = Unit | LayerDirection
"""What can be drawn: a channel, a neuron, or a direction of a layer."""
