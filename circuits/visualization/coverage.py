"""Every pixel counts once: evens out how often moved images show each pixel of the image.

A mirrored border shows what lies near it twice, and the mean over a moved image counts it twice. Even a slight excess
matters: gradients are scaled to one size, so that a low frequency that is bright at the border and dark in the middle
grows and grows, and pictures get a middle of the opposite colour. Dividing each pixel's gradient by how often the
pixel is seen takes the excess away. What is seen less than once, as by random crops, is left as it is.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from circuits.visualization.transforms import Transform

_DRAWS = 64


def coverage(transform: Transform, side: int) -> Tensor:
    """How often each pixel is seen in a moved image: ∂(sum of the moved image)/∂(pixel), averaged over draws.

    The same for a pixel and its mirror images in all four axes of the square, as movements are as likely to either
    side.

    Returns:
        (1, 1, side, side).

    >>> from circuits.visualization.transforms import pad
    >>> coverage(pad(1), 3)[0, 0].round().int().tolist()
    [[4, 2, 4], [2, 1, 2], [4, 2, 4]]
    """
    images = torch.ones(_DRAWS, 1, side, side, requires_grad=True)
    generators = [torch.Generator().manual_seed(draw) for draw in range(_DRAWS)]
    with torch.enable_grad():
        (seen,) = torch.autograd.grad(transform(images, generators).sum(), images)
    seen = seen.mean(dim=0, keepdim=True)
    seen = (seen + seen.flip(2)) / 2
    seen = (seen + seen.flip(3)) / 2
    return (seen + seen.transpose(2, 3)) / 2


def evened(transform: Transform, side: int) -> Callable[[Tensor], Tensor]:
    """A function on images that changes nothing but the gradient: each pixel's is divided by its coverage above one."""
    excess = coverage(transform, side).clamp_min(1.0)

    def apply(images: Tensor) -> Tensor:
        result: Tensor = _Evened.apply(images, excess)
        return result

    return apply


class _Evened(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, excess: Tensor) -> Tensor:
        ctx.save_for_backward(excess)
        return images.view_as(images)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (excess,) = ctx.saved_tensors
        return gradient / excess, None
