"""What an objective sees, made by hand."""

import torch
from torch import Tensor

from circuits.visualization.objectives.base import Objective, ObjectiveInputs


def seen(
    objective: Objective, *values: Tensor, images: Tensor | None = None, reference: tuple[Tensor, ...] = ()
) -> ObjectiveInputs:
    """Activations for each of the objective's reads, in their order, and the photo's."""
    count = len(values[0]) if values else 1
    return ObjectiveInputs(
        dict(zip(objective.reads, values, strict=True)),
        torch.zeros(count, 3, 8, 8) if images is None else images,
        dict(zip(objective.reads, reference, strict=bool(reference))),
    )


def random_maps(*shape: int, seed: int = 0) -> Tensor:
    """Pre-activations of both signs in 64 bits."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
