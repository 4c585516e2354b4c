"""Images with an opacity: what a unit needs is drawn, the rest may stay open.

An image has one plane more than colours, its opacity. At each step it is laid on noise of its own, new every time, so
that ascent cannot make use of what shines through, and has to be opaque where something must be seen. Opacity that
costs nothing grows everywhere; `regularizers.opacity` is its price.

Sources: Mordvintsev, Pezzotti, Schubert & Olah 2018, "Differentiable Image Parameterizations"
(https://distill.pub/2018/differentiable-parameterizations); Lucid, `optvis/transform.py` (`collapse_alpha_random`).
"""

import functools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.visualization.parameterization.fourier import START_SPREAD, FourierImages


def composite(
    images: Float[Tensor, "n planes side side"], backgrounds: Float[Tensor, "n colours side side"]
) -> Float[Tensor, "n colours side side"]:
    """Images laid on backgrounds: opacity · colour + (1 - opacity) · background.

    Args:
        images: colours and, in the last plane, opacity, all in 0..1.
        backgrounds: colours in 0..1.

    >>> composite(torch.tensor([0.2, 0.5]).reshape(1, 2, 1, 1), torch.ones(1, 1, 1, 1)).item()
    0.6...
    """
    colours, opacity = images[:, :-1], images[:, -1:]
    return opacity * colours + (1 - opacity) * backgrounds


def backgrounds(generators: Sequence[torch.Generator], side: int, colours: int) -> Float[Tensor, "n colours side side"]:
    """Soft noise, as strong as photos are: each from its own generator's next draw.

    Amplitudes fall with the frequency, colours go together as in photos, and planes have variance one before the colour
    matrix and the sigmoid.

    >>> backgrounds([torch.Generator().manual_seed(0)], 8, 3).shape
    torch.Size([1, 3, 8, 8])
    """
    images = _noise(side, colours)
    return images(images.start(generators) / START_SPREAD)


@functools.lru_cache(maxsize=8)
def _noise(side: int, colours: int) -> FourierImages:
    return FourierImages(side, colours)
