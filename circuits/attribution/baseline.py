"""What stands in the place of a unit that is ablated: zero, or the unit's mean over a collection of photos."""

import base64
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuits.errors import InputError, UnknownError, listed
from circuits.image.photo import Photo, PhotoSource, as_photo
from circuits.network.device import in_doubles
from circuits.network.network import Network
from circuits.shapes import Activations, PerChannel

_AT_ONCE = 8
_NAMES = ("zero", "mean")


@runtime_checkable
class Means(Protocol):
    """What knows the mean activation of every unit over some photos, as an index of exemplars does."""

    @property
    def folder(self) -> Path:
        """The collection."""

    @property
    def photos(self) -> int:
        """How many photos it has."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers whose units it knows."""

    def mean(self, layer: str) -> Float[Tensor, " c"]:
        """Mean activation of each channel of a layer over photos and positions."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """What an ablated channel is set to, at every position: zero, or its mean over some photos.

    Zero says what is lost when a unit falls silent. The mean says what is lost when it no longer tells this photo from
    others, and keeps the units above closer to what they are used to (mean ablation: Wang et al. 2022).

    Args:
        name: `zero` or `mean`; every result that was found with a baseline says which.
        source: what the mean was taken over, such as `photos (1,200 photos)`; empty for zero.
        means: by layer, the mean activation of each channel, (C,); empty for zero.

    Raises:
        InputError: if the name is another, or a mean is not finite.

    Example:
        >>> Baseline.zero().of("conv1", torch.ones(1, 2, 3, 3)).shape
        torch.Size([1, 2, 1, 1])
    """

    name: str
    source: str = ""
    means: Mapping[str, Float[Tensor, " c"]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse what no result could say, or would turn into NaN."""
        if self.name not in _NAMES:
            raise InputError(f"A baseline's name is {self.name!r}; it must be {' or '.join(_NAMES)}.")
        for layer, mean in self.means.items():
            if not bool(torch.isfinite(mean).all()):
                raise InputError(
                    f"The mean over {self.source} of {layer} is not finite; take it over photos without overflow."
                )

    @classmethod
    def zero(cls) -> "Baseline":
        """Ablated channels are silent."""
        return cls("zero")

    @classmethod
    def mean(cls, index: Means) -> "Baseline":
        """Ablated channels are as they are on average over an index of exemplars (`index_photos`).

        mean_j = 1/(N·H·W) Σ_photos Σ_hw a_j(h,w)
        """
        source = collection_name(index.folder.name, index.photos)
        return cls("mean", source, {name: index.mean(name) for name in index.layers})

    def of(self, layer: str, like: Activations) -> PerChannel:
        """What stands in the place of each channel of a layer, (1, C, 1, 1); spreads over examples and positions.

        Args:
            layer: its name.
            like: an activation of the layer, (N, C, H, W), whose type and device the answer has.

        Raises:
            UnknownError: if nothing is known of the layer.
            InputError: if the layer has another number of channels.
        """
        channels = like.shape[1]
        if self.name == "zero":
            return like.new_zeros(1, channels, 1, 1)
        mean = self._mean(layer)
        if len(mean) != channels:
            raise InputError(
                f"The mean over {self.source} has {len(mean)} channels of {layer}, which has {channels}; "
                "it belongs to another network."
            )
        return mean.to(like)[None, :, None, None]

    def only(self, layers: Sequence[str]) -> "Baseline":
        """The same of some layers alone, all of which it must know.

        Raises:
            UnknownError: if nothing is known of one of them.
        """
        if self.name == "zero":
            return self
        return replace(self, means={layer: self._mean(layer) for layer in layers})

    def _mean(self, layer: str) -> Float[Tensor, " c"]:
        if layer not in self.means:
            raise UnknownError(
                f"The mean over {self.source} is not known for layer {layer!r}, only for {listed(self.means)}; "
                "take it over an index or photos with all layers of the network."
            )
        return self.means[layer]

    @property
    def sha256(self) -> str:
        """Of the means, layer by layer: two baselines with the same means are one, wherever their photos lie."""
        digest = hashlib.sha256()
        for layer, mean in self.means.items():
            digest.update(f"{layer}\n".encode() + _bytes(mean))
        return digest.hexdigest()

    def to_row(self) -> dict[str, Any]:
        """A mean as the file of a circuit has it: of each layer float32 numbers, little-endian, in base64.

        Example:
            >>> row = Baseline("mean", "2 photos", {"conv1": torch.tensor([0.5, 1.0])}).to_row()
            >>> row["layers"], Baseline.of_row(row).means["conv1"].tolist()
            ({'conv1': 'AAAAPwAAgD8='}, [0.5, 1.0])
        """
        packed = {layer: base64.b64encode(_bytes(mean)).decode() for layer, mean in self.means.items()}
        return {"source": self.source or "photos", "sha256": self.sha256, "layers": packed}

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Baseline":
        """The mean that a file says.

        Raises:
            InputError: if it holds no finite numbers, or others than those whose fingerprint it has.
        """
        found = cls("mean", row["source"], {layer: _unpacked(layer, text) for layer, text in row["layers"].items()})
        if found.sha256 != row["sha256"]:
            raise InputError(f"The mean over {found.source} has been changed since it was written; trace again.")
        return found

    def __str__(self) -> str:
        return f"{self.name} over {self.source}" if self.source else self.name


def _bytes(mean: Float[Tensor, " c"]) -> bytes:
    return mean.cpu().numpy().astype("<f4").tobytes()


def _unpacked(layer: str, text: str) -> Float[Tensor, " c"]:
    try:
        return torch.from_numpy(np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32))
    except ValueError:
        raise InputError(f"The mean of layer {layer!r} is not float32 numbers in base64; trace again.") from None


def resolve(mean: Any = None, *, layers: Collection[str] = ()) -> list[Baseline]:
    """The baselines to ablate with: zero, and beside it the mean where there is one.

    Args:
        mean: a baseline, as `mean_of_photos` makes it, or an index of exemplars.
        layers: a mean that is not known for all of these is left out.

    Raises:
        InputError: if it is neither.

    Example:
        >>> mean = Baseline("mean", "2 photos", {"conv1": torch.zeros(3)})
        >>> [each.name for each in resolve(mean)], [each.name for each in resolve(mean, layers=["conv1", "conv2"])]
        (['zero', 'mean'], ['zero'])
    """
    zero, baseline = Baseline.zero(), as_baseline(mean)
    return [zero] if baseline.name == "zero" or not set(layers) <= set(baseline.means) else [zero, baseline]


def as_baseline(given: Any) -> Baseline:
    """Zero for `None`, a baseline as it is, and of an index of exemplars its mean.

    Raises:
        InputError: if it is neither.
    """
    if given is None:
        return Baseline.zero()
    if isinstance(given, Baseline):
        return given
    if not isinstance(given, Means):
        raise InputError(f"baseline is {given!r}; give mean_at_hand(network) or mean_of_photos(…).")
    return Baseline.mean(given)


def mean_of_photos(
    network: Network,
    photos: Iterable[Photo | PhotoSource],
    *,
    layers: str | Sequence[str] | None = None,
    source: str = "",
) -> Baseline:
    """The baseline that sets ablated channels to their mean over some photos, a few photos in memory at a time.

    mean_j = 1/(N·H·W) Σ_photos Σ_hw a_j(h,w), summed in float64

    Args:
        network: the network.
        photos: what `load_photo` takes, or photos.
        layers: their names, or that of one; all of the network's, if `None`.
        source: what to call the photos; only their number is told, if empty.

    Raises:
        InputError: if there are no photos, or one cannot be read.
        UnknownError: if the network has no such layer.

    Example:
        >>> from circuits import load_network
        >>> network = load_network()
        >>> baseline = mean_of_photos(network, ["example:cat"], source="one cat")
        >>> baseline.name, baseline.source, sorted(baseline.means) == sorted(network.layers)
        ('mean', 'one cat (1 photo)', True)
    """
    layers = [layers] if isinstance(layers, str) else layers
    totals: dict[str, Tensor] = {}
    count = 0
    loaded = (as_photo(photo) for photo in photos)
    while some := list(islice(loaded, _AT_ONCE)):
        images = torch.cat([network.preprocessing.input_of(photo) for photo in some])
        for name, activation in network.activations(images, layers).items():
            sums = in_doubles(activation).mean((2, 3)).sum(0)
            totals[name] = totals[name] + sums if name in totals else sums
        count += len(some)
    if not count:
        raise InputError("A mean needs photos, but there are none; give at least one.")
    means = {name: (total / count).float() for name, total in totals.items()}
    return Baseline("mean", collection_name(source, count), means)


def collection_name(source: str, photos: int) -> str:
    """What a mean was taken over: `animals (1 photo)`, or `1,200 photos`."""
    many = f"{photos:,} photo{'s' * (photos != 1)}"
    return f"{source} ({many})" if source else many
