"""Objectives that compare an image's activations with a photo's: inversion and caricature.

The photo gets the same random transform as the image at each step, so that positions stay comparable. Activations are
compared as the layer passes them on, not pre-activations.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuits.image.photo import Photo, PhotoSource, as_photo
from circuits.image.tensors import to_images
from circuits.visualization.objectives.base import LayerObjective, ObjectiveInputs
from circuits.visualization.objectives.direction import check_power, dot_times_cosine

# Smallest size that is divided by: where a photo excites nothing, silence is what is asked for.
_TINY = 1e-12


@dataclass(frozen=True, eq=False, kw_only=True)
class PhotoObjective(LayerObjective):
    """A comparison of all activations of a layer with a photo's."""

    pixels: Float[Tensor, "1 3 h w"]
    layer: str
    rectified: bool = True

    @property
    def photo(self) -> Tensor:
        return self.pixels


@dataclass(frozen=True, eq=False, kw_only=True)
class Inversion(PhotoObjective):
    """See `inversion`."""

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """Minus the relative squared distance of each image."""
        wanted = inputs.reference[self.reads[0]].flatten(1)
        distance = (inputs.values[self.reads[0]].flatten(1) - wanted).square().sum(dim=1)
        return -distance / wanted.square().sum(dim=1).clamp_min(_TINY)


@dataclass(frozen=True, eq=False, kw_only=True)
class Caricature(PhotoObjective):
    """See `caricature`."""

    power: float = 1.0

    def __call__(self, inputs: ObjectiveInputs) -> Float[Tensor, " n"]:
        """How far each image goes in the photo's direction."""
        wanted = inputs.reference[self.reads[0]]
        size = torch.linalg.vector_norm(wanted.flatten(1), dim=1).clamp_min(_TINY)
        along = dot_times_cosine(inputs.values[self.reads[0]], wanted, self.power).mean(dim=(1, 2))
        relative: Tensor = along / size
        return relative


def inversion(photo: Photo | PhotoSource, layer: str) -> Inversion:
    """A photo as far as a layer remembers it: any image that has the same activations.

    L = −‖h(x) − h(x₀)‖² / ‖h(x₀)‖², 0 at best (Mahendran & Vedaldi 2015, "Understanding Deep Image Representations by
    Inverting Them"). What the layer has lost is free to differ; their penalties on the image are among `regularizers`.

    Args:
        photo: x₀: a `Photo`, or what `load_photo` takes, such as a path; the square in its middle is used.
        layer: h, by its name.

    Raises:
        InputError: if the photo cannot be read.

    >>> from PIL import Image
    >>> from circuits.visualization.objectives.base import Read
    >>> objective = inversion(Image.new("RGB", (8, 8)), "conv1")
    >>> here, there = ({Read("conv1"): torch.tensor(a).reshape(1, 1, 1, 2)} for a in ([1.0, 1.0], [1.0, 3.0]))
    >>> round(objective(ObjectiveInputs(here, torch.zeros(1, 3, 8, 8), there)).item(), 6)
    -0.4
    """
    return Inversion(pixels=_pixels(photo), layer=layer)


def caricature(photo: Photo | PhotoSource, layer: str, power: float = 1.0) -> Caricature:
    """A photo exaggerated: more of whatever a layer sees in it, where it sees it.

    L = 1/(h·w) Σ_yx (a · r) · max(cos(a, r), 0.1)^p / ‖r‖, with a the activations of the image at a position and r
    those of the photo there. Divided by ‖r‖, the norm over all positions, it does not depend on how strong the photo is
    as a whole, but within the photo what is strong counts for more. With p = 0 it is linear in a. Source: Lucid,
    `recipes/caricature.py`, which has one factor for the whole map, dot product over ‖r‖; ours is a cosine at each
    position, as for a direction (`directions`), so that every place of the photo is asked for its own.

    Args:
        photo: as in `inversion`.
        layer: whose activations are exaggerated.
        power: p, 0 or more.

    Raises:
        InputError: if the power is negative or no number, or the photo cannot be read.

    >>> from PIL import Image
    >>> from circuits.visualization.objectives.base import Read
    >>> objective = caricature(Image.new("RGB", (8, 8)), "conv1", power=0.0)
    >>> here, there = ({Read("conv1"): torch.tensor(a).reshape(1, 2, 1, 1)} for a in ([1.0, 2.0], [3.0, 4.0]))
    >>> round(objective(ObjectiveInputs(here, torch.zeros(1, 3, 8, 8), there)).item(), 5)
    2.2
    """
    return Caricature(pixels=_pixels(photo), layer=layer, power=check_power(power))


def _pixels(photo: Photo | PhotoSource) -> Tensor:
    """A photo's colours from 0 to 1, (1, 3, h, w)."""
    return to_images([as_photo(photo).part])
