"""Captum's numbers for the same formulas, on the same segment of a network."""

import torch
from captum.attr import LayerIntegratedGradients
from torch import Tensor, nn

from circuits.network.segments import Segment


class _Value(nn.Module):
    """A unit's summed map as a function of the layer below, which is an identity module for captum to watch."""

    def __init__(self, segment: Segment, channel: int) -> None:
        super().__init__()
        self.below = nn.Identity()
        self.segment = segment
        self.channel = channel

    def forward(self, x: Tensor) -> Tensor:
        return self.segment(self.below(x), [self.channel]).sum((1, 2, 3))


def captum_integrated(segment: Segment, activation: Tensor, channel: int, steps: int) -> Tensor:
    """Captum's layer integrated gradients, (c,): from a lower layer that is zero, Gauss-Legendre, summed over space."""
    value = _Value(segment, channel)
    explain = LayerIntegratedGradients(value, value.below)
    found = explain.attribute(
        activation, torch.zeros_like(activation), n_steps=steps, method="gausslegendre", internal_batch_size=8
    )
    shares: Tensor = found.detach().sum((0, 2, 3))
    return shares
