"""What ships with the built-in network in place of an index: scores of photos that cannot ship, and free photos.

`exemplars.safetensors` beside the network's weights has, of every unit, quantiles of its highest activation over the
photos of Tiny ImageNet that were held out, and the classes of the nine that drive it most; `training.builtin.exemplars`
makes it of an index. The photos are not ours to give. Those of `FREE_PHOTOS` come with scikit-image.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from circuits import builtin
from circuits.errors import UnknownError
from circuits.exemplars.exemplars import cut_to_field, percentile_between
from circuits.exemplars.quantiles import PERCENTS
from circuits.image.decode import from_array
from circuits.network.network import Network
from circuits.units import Unit

FREE_PHOTOS: Mapping[str, str] = {
    "astronaut": "NASA, public domain",
    "brick": "CC0Textures, CC0",
    "camera": "Lav Varshney, CC0",
    "cat": "Stefan van der Walt, CC0",
    "clock": "Stefan van der Walt, public domain",
    "coffee": "Rachel Michetti, CC0",
    "grass": "linolafett, CC0",
    "gravel": "CC0Textures, CC0",
    "hubble_deep_field": "NASA, public domain",
    "rocket": "SpaceX, public domain",
}
"""Photos of `skimage.data` that belong to everyone, and whom they are from; scikit-image says so of each of them."""


@dataclass(frozen=True, eq=False)
class ShippedScores:
    """Scores of the built-in network's units.

    Args:
        photos: how many they are of.
        layers: names, and how many channels each has.
        quantiles: of the highest activation in a photo, by `PERCENTS`.
        classes: numbers of the classes of the nine photos that drive each unit most.
    """

    photos: int
    layers: Mapping[str, int]
    quantiles: Float[Tensor, "units percents"] = field(repr=False)
    classes: UInt8[Tensor, "units 9"] = field(repr=False)

    def peaks(self, unit: Unit) -> dict[int, float]:
        """Quantiles of a unit's highest activation, by percent."""
        return dict(zip(PERCENTS, self.quantiles[self._row(unit)].tolist(), strict=True))

    def percentile(self, unit: Unit, activation: float) -> float:
        """Percent of the photos in which the unit's peak activation is lower, interpolated between quantiles."""
        return percentile_between(self.quantiles[self._row(unit)].numpy().astype(np.float64), activation)

    def classes_of(self, unit: Unit) -> tuple[tuple[str, int], ...]:
        """Classes of the photos that drive a unit most, and of how many each is, most frequent first."""
        names = builtin.labels()
        found = Counter(names[number] for number in self.classes[self._row(unit)].tolist())
        return tuple(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def _row(self, unit: Unit) -> int:
        start = 0
        for layer, channels in self.layers.items():
            if layer == unit.layer and unit.channel < channels:
                return start + unit.channel
            start += channels
        raise UnknownError(f"There are no scores of {unit.whole}; they are of {', '.join(self.layers)}.")


@cache
def shipped_scores() -> ShippedScores:
    """The scores of the built-in network, read once.

    Example:
        >>> scores = shipped_scores()
        >>> scores.photos, scores.classes_of(Unit("fc", 0))
        (4650, (('cat', 9),))
    """
    with resources.as_file(resources.files(builtin) / "exemplars.safetensors") as file, safe_open(file, "pt") as read:
        told = read.metadata()
        return ShippedScores(
            int(told["photos"]), json.loads(told["layers"]), read.get_tensor("quantiles"), read.get_tensor("classes")
        )


@dataclass(frozen=True)
class FreeExemplar:
    """A free photo, how strongly it drives a unit, and what the unit saw of it at that place."""

    name: str
    value: float
    patch: Image.Image = field(repr=False)


class FreePhotos:
    """What a network's units do in the free photos; they are run once, when they are first asked for.

    Args:
        network: the network.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        images = {name: image for name in FREE_PHOTOS if (image := _image(name)) is not None}
        self._crops = {name: network.preprocessing.crop(image) for name, image in images.items()}
        inputs = [network.preprocessing.to_tensor(image) for image in images.values()]
        found = network.activations(torch.cat(inputs)) if inputs else {}
        self._best = {layer: maps.flatten(2).max(2) for layer, maps in found.items()}
        self._widths = {layer: maps.shape[3] for layer, maps in found.items()}

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self._crops)

    def of(self, unit: Unit, count: int = 9) -> Sequence[FreeExemplar]:
        """The photos that excite a unit, strongest first."""
        if unit.layer not in self._best:
            return ()
        values = self._best[unit.layer].values[:, unit.channel]
        places = self._best[unit.layer].indices[:, unit.channel]
        order = [n for n in values.argsort(descending=True, stable=True).tolist() if values[n] > 0][:count]
        names = list(self._crops)
        return tuple(FreeExemplar(names[n], float(values[n]), self._cut(unit, names[n], int(places[n]))) for n in order)

    def _cut(self, unit: Unit, name: str, place: int) -> Image.Image:
        return cut_to_field(self._crops[name], self._network, unit, divmod(place, self._widths[unit.layer]))


def _image(name: str) -> Image.Image | None:
    """A photo of scikit-image; `None` if this version of it has none on the disk."""
    import skimage.data

    try:
        return from_array(getattr(skimage.data, name)(), name)
    except (AttributeError, OSError, ImportError):
        return None
