"""Images as pixels, bounded by a sigmoid or not at all.

Ascent in pixels favours the finest detail: pictures come out noisy. It is what the other parameterizations are compared
with. Without any bound, it need not end: the mean of a convolution is linear in the pixels, L(x) = Σ c·x + b, its
gradient c is the same everywhere, and after n plain steps of rate r

    x(n) = x(0) + n·r·c ,   L(x(n)) = L(x(0)) + n·r·|c|² ,

which grows for ever, while its direction tends to that of c and no longer changes. Showing x(n) from its smallest to
its largest value shows c all the same. Bounded by a sigmoid, x = σ(p), every pixel goes to the corner that the sign of
its c says, and L to its largest value Σ max(c, 0) + b.

Sources: Erhan 2009, "Visualizing Higher-Layer Features of a Deep Network" (ascent on pixels); Sankaran 2024, STAT 436,
"Optimizing Feature Maps" (the plain form), https://krisrs1128.github.io/stat436_s24/website/stat436_s24/posts/
2024-12-27-week13-4/.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.visualization.parameterization.base import Parameterization, PlaneImages
from circuits.visualization.parameterization.color import Colouring, check_colours, check_side


class PixelImages(PlaneImages):
    """Square images in 0..1: image = sigmoid(M · p), p being a number for each pixel and decorrelated colour.

    >>> images = PixelImages(8)
    >>> images(images.start([torch.Generator().manual_seed(0)])).shape
    torch.Size([1, 3, 8, 8])
    """

    rate = 0.7

    def __init__(self, side: int, colours: int = 3, *, matrix: Tensor | None = None, alpha: bool = False) -> None:
        colouring = Colouring(colours, matrix=matrix, alpha=alpha)
        super().__init__(side, (colouring.planes, side, side), colouring)


class UnboundedPixels(Parameterization):
    """Square images that are their own parameters: the network sees any number as a pixel.

    With plain steps of rate 10 on the mean activation, 100 of them on 150 pixels a side, no movement and no gradient
    scaling, this is the recipe of Sankaran 2024. `finish` brings each image from its smallest to its largest value.

    >>> images = UnboundedPixels(1, 3)
    >>> images.finish(torch.tensor([-20.0, 0.0, 60.0]).reshape(1, 3, 1, 1)).flatten().tolist()
    [0.0, 0.25, 1.0]
    """

    rate = 10.0
    plain = True

    def __init__(self, side: int, colours: int = 3) -> None:
        self.side = side
        self.colours = colours

    def start(self, generators: Sequence[torch.Generator]) -> Float[Tensor, "n colours side side"]:
        """Uniform noise in 0..1, each image's from its own generator."""
        shape = (self.colours, self.side, self.side)
        return torch.stack([torch.rand(shape, generator=generator) for generator in generators])

    def __call__(self, parameters: Float[Tensor, "n colours side side"]) -> Float[Tensor, "n colours side side"]:
        """The parameters as they are, whatever their values."""
        return parameters

    def encode(self, images: Float[Tensor, "n _colours _rows _columns"]) -> Float[Tensor, "n colours side side"]:
        """The images as they are."""
        check_side(images, self.side)
        check_colours(images, self.colours)
        return images.clone()

    def finish(self, images: Float[Tensor, "n colours side side"]) -> Float[Tensor, "n colours side side"]:
        """(x - min) / (max - min), over each image; one of a single value becomes grey."""
        low, high = images.amin(dim=(1, 2, 3), keepdim=True), images.amax(dim=(1, 2, 3), keepdim=True)
        return torch.where(high > low, (images - low) / (high - low), 0.5)
