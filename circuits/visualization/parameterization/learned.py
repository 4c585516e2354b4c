"""Images of a generative model, optimized in its latent space.

Pictures look like the data that the model was trained on; what in them comes from the unit and what from the model
cannot be told apart.

Source: Nguyen, Dosovitskiy, Yosinski, Brox & Clune 2016, "Synthesizing the preferred inputs for neurons in neural
networks via deep generator networks" (https://arxiv.org/abs/1605.09304).
"""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from jaxtyping import Float
from torch import Tensor, nn

from circuits.errors import InputError
from circuits.visualization.parameterization.base import Parameterization


class LearnedPrior:
    """A way to make images: the decoder of a generative model, such as a GAN's generator or half of an autoencoder.

    It is copied; the copy is frozen and in eval mode.

    Args:
        decoder: from latents (N, *latent) to images (N, colours, height, width).
        latent: shape of one latent.
        low: the value that the decoder gives black.
        high: the value that it gives white; beyond the two, values are cut off.

    Raises:
        InputError: if the range is empty, or the decoder does not make images of such latents.

    >>> decoder = nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (3, 2, 2)), nn.Tanh())
    >>> images = LearnedPrior(decoder, (2,), low=-1.0, high=1.0)(8, 3)
    >>> images(images.start([torch.Generator().manual_seed(0)])).shape
    torch.Size([1, 3, 8, 8])
    """

    def __init__(self, decoder: nn.Module, latent: Sequence[int], *, low: float = 0.0, high: float = 1.0) -> None:
        if not low < high:
            raise InputError(f"A decoder's values from {low} to {high} are no range; black must be below white.")
        self.decoder = copy.deepcopy(decoder).eval().requires_grad_(False)
        self.latent = tuple(latent)
        self.low, self.high = low, high
        self.shape = self._tried()

    def __call__(self, side: int, colours: int) -> "PriorImages":
        """The parameterization for a side and a number of colours, which must be the decoder's."""
        return PriorImages(side, colours, prior=self)

    def _tried(self) -> tuple[int, int, int]:
        """Colours, height and width of what the decoder makes of zeros."""
        try:
            with torch.no_grad():
                made = self.decoder(torch.zeros(2, *self.latent))
        except Exception as error:  # a stranger's module may raise anything
            raise InputError(f"The decoder does not take latents of shape {('N', *self.latent)}: {error}") from error
        if not isinstance(made, Tensor) or made.dim() != 4 or len(made) != 2:
            got = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
            raise InputError(f"The decoder makes {got} of two latents; it must make (2, colours, height, width).")
        colours, height, width = made.shape[1:]
        return colours, height, width


class PriorImages(Parameterization):
    """Square images in 0..1: image = (decoder(z) - low) / (high - low), z being the parameters, (N, *latent).

    What the decoder makes is scaled to the side if it has another one.
    """

    rate = 0.1

    def __init__(self, side: int, colours: int, *, prior: LearnedPrior) -> None:
        if prior.shape[0] != colours:
            raise InputError(f"The decoder makes images of {prior.shape[0]} colours; the network takes {colours}.")
        self.side = side
        self._prior = prior

    def start(self, generators: Sequence[torch.Generator]) -> Float[Tensor, " n *latent"]:
        """Latents of the standard normal distribution, each from its own generator."""
        return torch.stack([torch.randn(self._prior.latent, generator=generator) for generator in generators])

    def __call__(self, parameters: Float[Tensor, " n *latent"]) -> Float[Tensor, "n colours side side"]:
        """The images of latents."""
        made: Tensor = self._prior.decoder(parameters)
        if made.shape[-2:] != (self.side, self.side):
            made = F.interpolate(made, size=(self.side, self.side), mode="bilinear", antialias=True)
        return ((made - self._prior.low) / (self._prior.high - self._prior.low)).clamp(0, 1)

    def encode(self, images: Tensor) -> Tensor:
        """Refuse: there is no way from images to latents."""
        raise InputError("A learned prior only decodes: start it from noise, and blur gradients instead of images.")
