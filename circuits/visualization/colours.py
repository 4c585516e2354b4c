"""Colours as photos have them: independent planes become red, green and blue that go together.

In photos the three colours rise and fall as one: nearly all of their variance is brightness. With M a square root of
their covariance, steps in decorrelated planes p become steps M·p that are as large along each axis as photos are.

Source: Olah, Mordvintsev, Schubert 2017, "Feature Visualization", section "Preconditioning and Parameterization"
(https://distill.pub/2017/feature-visualization).
"""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from circuits.errors import InputError

# Principal axes (columns) and variances along them of the colours of ImageNet's training photos, the statistics
# behind the colour jitter of Krizhevsky 2012; the numbers are those of facebook/fb.resnet.torch, datasets/imagenet.lua.
COLOUR_AXES = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
COLOUR_VARIANCES = (0.2175, 0.0188, 0.0045)

# No axis gets less than this share of the largest variance: of grey photos, hue would be left without any, and the
# matrix without an inverse. ImageNet's smallest share is 0.02.
SMALLEST_SHARE = 1e-3

# Photos are measured at this size at most, along their longer side: colours need no detail.
MEASURED_SIDE = 256


def colour_matrix(channels: int = 3) -> Float[Tensor, "channels channels"]:
    """Square root of the colour covariance of natural images, largest column of length one.

    M = V √Λ / √λ₁, so that M Mᵀ is the covariance up to scale: independent planes become correlated colours, and
    brightness takes longer steps than hue.

    Args:
        channels: colours of the network's input; other than three have no statistics and get the identity.

    Returns:
        (channels, channels).

    >>> colour_matrix().shape
    torch.Size([3, 3])
    """
    if channels != 3:
        return torch.eye(channels)
    axes, variances = torch.tensor(COLOUR_AXES), torch.tensor(COLOUR_VARIANCES)
    return axes * (variances / variances.max()).sqrt()


def colour_matrix_of(photos: Iterable[Image.Image]) -> Float[Tensor, "3 3"]:
    """Square root of the colour covariance of photos, largest column of length one.

    M = V √Λ / √λ₁ with V Λ Vᵀ the covariance of red, green and blue over all pixels, every photo weighing the same.
    The columns are the principal axes, the largest first, each with its largest component positive.

    Args:
        photos: in any mode and of any size; each is looked at once, at 256 pixels at most.

    Raises:
        InputError: if there are none, or if they have one colour only.

    >>> red = Image.new("RGB", (8, 8), "red")
    >>> colour_matrix_of([red, Image.new("RGB", (8, 8))])[:, 0].tolist()
    [1.0, 0.0, 0.0]
    """
    count, total, squares = 0, np.zeros(3), np.zeros((3, 3))
    for photo in photos:
        small = photo.convert("RGB")
        small.thumbnail((MEASURED_SIDE, MEASURED_SIDE))
        pixels = np.asarray(small, dtype=np.float64).reshape(-1, 3) / 255
        total += pixels.mean(axis=0)
        squares += pixels.T @ pixels / len(pixels)
        count += 1
    if not count:
        raise InputError("Colours cannot be measured without photos; give at least one.")
    mean = total / count
    variances, axes = np.linalg.eigh(squares / count - np.outer(mean, mean))
    if variances[-1] < 1e-8:
        raise InputError("The photos have a single colour, from which nothing can be measured; give others.")
    axes *= np.where(axes[np.abs(axes).argmax(axis=0), range(3)] < 0, -1, 1)
    scales = np.sqrt(np.maximum(variances / variances[-1], SMALLEST_SHARE))
    return torch.from_numpy((axes * scales)[:, ::-1].copy()).float()


def matrix_for(matrix: Tensor | None, colours: int) -> Float[Tensor, "colours colours"]:
    """The colour matrix of a network: the one given, or that of natural images.

    A network of one colour keeps the identity, whatever matrix was measured on photos of three.

    Raises:
        InputError: if it has another size, or no inverse.

    >>> matrix_for(torch.eye(3), 1).tolist()
    [[1.0]]
    """
    if matrix is None or (colours == 1 and matrix.shape == (3, 3)):
        return colour_matrix(colours)
    if matrix.shape != (colours, colours):
        raise InputError(
            f"A colour matrix of shape {tuple(matrix.shape)} does not fit {colours} colours; "
            f"it must be ({colours}, {colours})."
        )
    if not torch.isfinite(matrix).all() or torch.linalg.cond(matrix.double()) > 1e6:
        raise InputError(f"The colour matrix {matrix.tolist()} has no inverse; measure colours on photos that differ.")
    return matrix.float()
