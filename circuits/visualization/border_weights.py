"""Every pixel counts once: evens out how much each pixel of an image weighs in the mean over a layer's positions.

A mirrored border shows what lies near it twice, and the layer's own border is seen by fewer positions. Even a slight
excess matters: gradients are scaled to one size, so that a low frequency that is bright at the border and dark in the
middle grows and grows, and pictures get a middle, or corners, of the opposite colour. Dividing each pixel's gradient by
its weight takes the excess away. What weighs less than the middle, as what random crops seldom reach, is left as it is.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from circuits.visualization.transforms import Transform

_DRAWS = 256
_PIXELS_AT_ONCE = 256 * 128 * 128


@functools.lru_cache(maxsize=64)
def border_weights(transform: Transform, side: int, field: int = 1) -> Tensor:
    """How much each pixel of an image weighs in the mean over a layer's positions, that of the middle being about one.

    ∂(Σ W · moved image)/∂(pixel), averaged over draws, where W is the share of a field by which a pixel of the moved
    image is seen: those near its border lie in fewer fields. The same for a pixel and its mirror images in all four
    axes of the square, as movements are as likely to either side.

    Args:
        transform: how images are moved.
        side: of the image, in pixels.
        field: how many pixels, along a side, one position of the layer sees; at least the moved image twice over for
            a layer whose positions see all of it.

    Returns:
        (1, 1, side, side).

    >>> from circuits.visualization.transforms import pad
    >>> border_weights(pad(1), 3)[0, 0].round().int().tolist()
    [[4, 2, 4], [2, 1, 2], [4, 2, 4]]
    """
    weights = torch.zeros(1, 1, side, side)
    at_once = max(1, _PIXELS_AT_ONCE // side**2)
    for first in range(0, _DRAWS, at_once):
        draws = range(first, min(first + at_once, _DRAWS))
        images = torch.ones(len(draws), 1, side, side, requires_grad=True)
        with torch.enable_grad():
            moved = transform(images, [torch.Generator().manual_seed(draw) for draw in draws])
            seen = field_share(moved.shape[-1], field)
            (found,) = torch.autograd.grad((moved * seen * seen[:, None]).sum(), images)
        weights += found.sum(dim=0, keepdim=True) / _DRAWS
    weights = (weights + weights.flip(2)) / 2
    weights = (weights + weights.flip(3)) / 2
    return (weights + weights.transpose(2, 3)) / 2


def field_share(side: int, field: int) -> Tensor:
    """Share of the largest number of fields in which each pixel of a row lies, one field standing on every pixel.

    >>> field_share(5, 3).mul(3).round().tolist(), field_share(3, 9).tolist()
    ([2.0, 3.0, 3.0, 3.0, 2.0], [1.0, 1.0, 1.0])
    """
    places = torch.arange(side)
    fields = ((places[:, None] - places).abs() <= field // 2).sum(dim=1)
    return fields / fields.max()


def equalize_gradient(transform: Transform, side: int, field: int = 1) -> Callable[[Tensor], Tensor]:
    """A function on images that changes nothing but the gradient: each pixel's is divided by its weight above one."""
    excess = border_weights(transform, side, field).clamp_min(1.0)

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
