"""Every pixel counts once: how much each pixel of an image weighs in the mean over a layer's positions.

A mirrored border shows what lies near it twice, and the layer's own border lies in fewer receptive fields. Even a
slight excess matters: gradients are scaled to one size, so that a low frequency that is bright at the border and dark
in the middle grows and grows, and pictures get a middle, or corners, of the opposite colour. Each pixel's gradient is
therefore divided by its weight. What weighs less than the middle, as what random crops seldom reach, stays as it is.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from circuits.visualization.regularizers import with_gradient
from circuits.visualization.transforms import Transform

_DRAWS = 256
_PIXELS_AT_ONCE = 256 * 128 * 128


@functools.lru_cache(maxsize=64)
def border_weights(transform: Transform, side: int, field: int = 1) -> Tensor:
    """How much each pixel of an image weighs in the mean over a layer's positions, that of the middle being about one.

    ∂(Σ W · moved image)/∂(pixel), averaged over draws, where W is the share of a receptive field by which a pixel of
    the moved image is seen: those near its border lie in fewer fields. The same for a pixel and its mirror images in
    all four axes of the square, as transforms are as likely to either side.

    Args:
        transform: random transform of the images.
        side: of the image, in pixels.
        field: side of the layer's receptive field, in pixels; at least the moved image twice over for a layer whose
            positions see all of it.

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
            share = field_share(moved.shape[-1], field)
            (gradient,) = torch.autograd.grad((moved * share * share[:, None]).sum(), images)
        weights += gradient.sum(dim=0, keepdim=True) / _DRAWS
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
    """The identity on images, whose gradient is divided, pixel by pixel, by the weights above one."""
    excess = border_weights(transform, side, field).clamp_min(1.0)

    return lambda images: with_gradient(images, lambda gradient: gradient / excess)
