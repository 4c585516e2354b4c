"""Image penalties, and gradients without fine grain.

A penalty is an objective that reads nothing of the network; it is subtracted, with a weight. All are sums over pixels
and colours, so that the same weight suits every size. The main objective's gradient is scaled to a root mean square of
one, a penalty's is taken as it is; with images written as spectra, weights of 0.1 to 0.3 are visible and 1 is strong.

Sources: Mahendran & Vedaldi 2015, "Understanding Deep Image Representations by Inverting Them" (a norm and total
variation); Nguyen, Yosinski & Clune 2015, "Deep Neural Networks are Easily Fooled" (blurring at each step); Olah 2017,
"Feature Visualization", which names Øygard 2015 and Mordvintsev 2016 for taking high frequencies out of the gradient;
Lucid, `optvis/objectives.py` (anisotropic total variation, penalties towards a constant).
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.errors import InputError
from circuits.visualization.objectives.base import Objective, ObjectiveInputs, Read

# A Gaussian is cut off where less than 1e-4 of it lies beyond.
_DEVIATIONS = 4


@dataclass(frozen=True)
class Penalty(Objective):
    """A function of the images, (N, colours, h, w), and of a grey; to be subtracted."""

    name: str
    formula: Callable[[Tensor, float], Tensor] = field(repr=False)
    grey: float = 0.5

    @property
    def reads(self) -> tuple[Read, ...]:
        return ()

    def before_activation(self) -> "Penalty":
        """Itself."""
        return self

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """The penalty of each image."""
        return self.formula(inputs.images, self.grey)


def total_variation() -> Penalty:
    """Total variation: against fine grain, and against legitimate edges too.

    L = Σ |x(y, x+1) − x(y, x)| + Σ |x(y+1, x) − x(y, x)|, over all colours: the anisotropic form, that Lucid takes from
    `tf.image.total_variation`. Mahendran & Vedaldi 2015 sum a power of the length of the image's gradient, which is the
    same for edges in all directions; here edges along the axes are cheaper than slanting ones.

    >>> total_variation()(ObjectiveInputs({}, torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))).tolist()
    [2.0]
    """
    return Penalty("TotalVariation", _total_variation)


def l1(grey: int | float = 0.5) -> Penalty:
    """Σ |x − grey|: pulls every pixel to grey with the same force; what matters little ends there.

    >>> l1()(ObjectiveInputs({}, torch.full((1, 3, 2, 2), 0.75))).tolist()
    [3.0]
    """
    return Penalty("Distance", _l1, float(grey))


def l2(grey: int | float = 0.5) -> Penalty:
    """4 Σ (x − grey)²: pulls pixels to grey the harder, the farther they are; lower contrast everywhere.

    The factor makes black and white cost one each, and a weight mean about the same as that of `l1`. Lucid takes the
    square root of the sum, whose pull on a pixel falls with the size of the image.

    >>> l2()(ObjectiveInputs({}, torch.full((1, 3, 2, 2), 0.75))).tolist()
    [3.0]
    """
    return Penalty("Distance", _l2, float(grey))


def opacity() -> Penalty:
    """Σ α: pictures with transparency keep what matters and let go of the rest.

    Raises:
        InputError: when it is evaluated on images that have no opacity.

    >>> opacity()(ObjectiveInputs({}, torch.full((1, 4, 2, 2), 0.5))).tolist()
    [2.0]
    """
    return Penalty("Opacity", _opacity)


def _total_variation(images: Tensor, grey: float) -> Tensor:
    across, down = images.diff(dim=3), images.diff(dim=2)
    return across.abs().sum(dim=(1, 2, 3)) + down.abs().sum(dim=(1, 2, 3))


def _l1(images: Tensor, grey: float) -> Tensor:
    return (_colours(images) - grey).abs().sum(dim=(1, 2, 3))


def _l2(images: Tensor, grey: float) -> Tensor:
    return (4 * (_colours(images) - grey).square()).sum(dim=(1, 2, 3))


def _opacity(images: Tensor, grey: float) -> Tensor:
    if not _has_opacity(images):
        raise InputError("Opacity cannot be held against images that have none; draw them with transparency.")
    return images[:, -1].sum(dim=(1, 2))


def _has_opacity(images: Tensor) -> bool:
    """Whether the last plane is an opacity: networks see one colour or three."""
    return images.shape[1] in (2, 4)


def _colours(images: Tensor) -> Tensor:
    return images[:, :-1] if _has_opacity(images) else images


def blurred(images: Tensor, sigma: int | float) -> Tensor:
    """Images (N, C, h, w) under a Gaussian blur, mirrored beyond their borders; no value leaves the others' range.

    Args:
        images: the images.
        sigma: standard deviation in pixels; 0 leaves the images as they are.

    Raises:
        InputError: if it is negative.

    >>> blurred(torch.eye(3)[None, None], 0.5).sum().item()
    3.0
    """
    if not 0 <= sigma < math.inf:
        raise InputError(f"A blur of {sigma} pixels cannot be had; give 0 or more.")
    if sigma == 0:
        return images
    rows, columns = (_blur_matrix(side, sigma).to(images) for side in images.shape[-2:])
    return rows @ images @ columns.T


def blur_gradient(sigma: int | float) -> Callable[[Tensor], Tensor]:
    """The identity on images, whose gradient is blurred on its way back.

    The blur is its own transpose, so that this is the gradient of a network that sees the images blurred, taken at the
    images that are not. Ascent then finds coarse things first.

    Args:
        sigma: standard deviation of the blur, in pixels; 0 leaves the gradient as it is.

    Raises:
        InputError: if it is negative.

    >>> images = torch.zeros(1, 1, 1, 3, requires_grad=True)
    >>> blur_gradient(100)(images)[..., 1].sum().backward()
    >>> images.grad.round(decimals=2).flatten().tolist()
    [0.33..., 0.33..., 0.33...]
    """
    blurred(torch.zeros(1, 1, 1, 1), sigma)  # what cannot be blurred is refused here
    return lambda images: with_gradient(images, lambda gradient: blurred(gradient, sigma)) if sigma else images


def with_gradient(images: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The images themselves, whose gradient is changed on its way back."""
    same: Tensor = _ChangedGradient.apply(images, change)
    return same


class _ChangedGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.change = change
        return images.view_as(images)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.change(gradient), None


@functools.lru_cache(maxsize=8)
def _blur_matrix(side: int, sigma: int | float) -> Tensor:
    """The blur of a row of pixels, mirrored at both ends, as a matrix, (side, side)."""
    reach = math.ceil(_DEVIATIONS * sigma)
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    places = (torch.arange(side)[:, None] + steps.long()) % (2 * side)
    mirrored = torch.minimum(places, 2 * side - 1 - places)
    matrix = torch.zeros(side, side, dtype=torch.float64)
    return matrix.scatter_add_(1, mirrored, (kernel / kernel.sum()).expand(side, -1))
