"""Parameterizations of images: what all of them have in common.

The same ascent gives another picture for every parameterization: a step is taken in its parameters, and what is near
in them is found first (Olah 2017, "Feature Visualization", section "Preconditioning and Parameterization").
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.visualization.parameterization.color import Colouring, check_side

USUAL_STEPS = 128
"""Steps for which the rates are chosen."""

# Standard deviation of the planes' values at the start; the sigmoid turns 0.05 into about 0.49..0.51.
START_SPREAD = 0.05


@runtime_checkable
class Parameterization(Protocol):
    """A differentiable map from parameters to images, made for a side in pixels and a number of colours.

    It holds fixed tables, but no parameters. Those with a colour matrix take `matrix`, from decorrelated planes to
    colours, by default that of natural images, and `alpha`, whether to draw an opacity plane too.

    Attributes:
        rate: learning rate of Adam that suits it, for gradients whose root mean square is one an image and the usual
            number of steps.
        plain: whether it is for plain steps instead: x + rate · gradient, nothing scaled, nothing redirected.
    """

    rate: float
    plain: bool = False

    def start(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Parameters to start from, (N, …): each image's from its own generator, whatever its company."""
        ...

    def __call__(self, parameters: Tensor) -> Tensor:
        """The images in 0..1, (N, colours, side, side); with an opacity plane, (N, colours + 1, side, side)."""
        ...

    def encode(self, images: Tensor) -> Tensor:
        """The parameters whose images are these, as near as they can be.

        Raises:
            InputError: if the images have another size or another number of colours, or there is no way back.
        """
        ...

    def finish(self, images: Tensor) -> Tensor:
        """What is shown of drawn images when ascent has ended: by default they themselves."""
        return images


class PlaneImages(Parameterization):
    """Square images in 0..1 whose colour planes are a function of the parameters.

    image = colouring(planes(parameters)); a subclass says which planes, and backwards which parameters.

    Args:
        side: in pixels.
        shape: of the parameters of one image.
        colouring: from planes to colours.
    """

    spread = START_SPREAD

    def __init__(self, side: int, shape: Sequence[int], colouring: Colouring) -> None:
        self.side, self.shape, self.colouring = side, tuple(shape), colouring

    def start(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Soft noise around grey, each image's from its own generator."""
        return torch.stack([torch.randn(self.shape, generator=each) for each in generators]) * self.spread

    def planes(self, parameters: Tensor) -> Float[Tensor, "n planes side side"]:
        """The decorrelated planes, before colours and sigmoid."""
        return parameters

    def parameters(self, planes: Float[Tensor, "n planes side side"]) -> Tensor:
        """The parameters whose planes are these, as near as they can be."""
        return planes

    def __call__(self, parameters: Tensor) -> Float[Tensor, "n planes side side"]:
        """The images."""
        return self.colouring.images(self.planes(parameters))

    def encode(self, images: Float[Tensor, "n _planes _rows _columns"]) -> Tensor:
        """The parameters of images; one of more contrast than can be drawn is made paler, which is logged."""
        check_side(images, self.side)
        return self.parameters(self.colouring.encode(images))


MakeImages = Callable[[int, int], Parameterization]
"""(side, colours) to a parameterization; options are bound with `functools.partial`."""
