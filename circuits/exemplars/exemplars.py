"""Exemplars: the photos of a collection that drive a unit, and the distribution of its activation over all of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from circuits.errors import InputError, UnknownError, listed
from circuits.exemplars.loader import PhotoFile
from circuits.exemplars.quantiles import PERCENTS, SAMPLE
from circuits.exemplars.storage import IndexFolder, IndexRecord, LayerRecord
from circuits.exemplars.top_k import KINDS, NOBODY, photo_number, value
from circuits.image.photo import load_photo
from circuits.network.network import Network
from circuits.network.receptive_field import receptive_field
from circuits.units import Unit, as_unit


@dataclass(frozen=True)
class Exemplar:
    """A photo and how strongly a unit responds to it.

    Args:
        photo: its file.
        value: z, the unit's highest pre-activation over positions; above zero it is the activation of a rectified unit.
        position: (row, column) of the layer at which it is reached; the first, if there are several.
        group: the outermost folder of the collection that the photo lies in; `None` if it lies in none.
    """

    photo: Path
    value: float
    position: tuple[int, int]
    group: str | None = None


@dataclass(frozen=True)
class UnitExemplars:
    """What a collection of photos tells about a unit.

    Args:
        unit: the unit.
        most: the photos with the highest z, highest first.
        slightly_positive: those whose z is least above zero, nearest to zero first.
        slightly_negative: those whose z is least below zero, nearest to zero first.
        least: those with the lowest z, lowest first.
        peaks: quantiles over the photos, by percent, of the unit's highest activation over positions.
        means: the same of its mean activation over positions.
        classes: of the photos in `most`, how many lie in which folder, most frequent first; empty without folders.
    """

    unit: Unit
    most: tuple[Exemplar, ...]
    slightly_positive: tuple[Exemplar, ...]
    slightly_negative: tuple[Exemplar, ...]
    least: tuple[Exemplar, ...]
    peaks: Mapping[int, float]
    means: Mapping[int, float]
    classes: tuple[tuple[str, int], ...]


class Exemplars:
    """An index of what every unit fires on in a collection of photos; made by `index_photos`, see `find_exemplars`."""

    def __init__(self, index: IndexFolder, record: IndexRecord) -> None:
        self._index, self._record = index, record
        # All at once, because a process that continues the index removes these files when it is done.
        names = [f"{kind}.{what}" for kind in KINDS for what in ("scores", "photos", "positions")]
        self._arrays: dict[str, Tensor] = index.tensors(record, [*names, "quantiles.peaks", "quantiles.means", "sums"])
        self._entries: list[PhotoFile] = list(index.entries(record))

    def __repr__(self) -> str:
        return f"Exemplars({self.network!r}, {str(self.folder)!r}, photos={self.photos})"

    @property
    def network(self) -> str:
        """Name of the network that it was made with."""
        return self._record.network["name"]

    @property
    def folder(self) -> Path:
        """The folder of the collection."""
        return Path(self._record.folder)

    @property
    def kept(self) -> Path:
        """Where the index is kept."""
        return self._index.folder

    @property
    def command(self) -> str:
        """What brings it up to date, with the options that name the network."""
        return self._index.command(self._record)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers whose units are in it."""
        return tuple(layer.name for layer in self._record.layers)

    @property
    def units(self) -> int:
        """How many units are in it."""
        return self._record.units

    @property
    def photos(self) -> int:
        """How many photos are in it."""
        return self._record.photos

    @property
    def top(self) -> int:
        """Photos in a list, at most."""
        return self._record.top

    @property
    def exact(self) -> bool:
        """Whether quantiles are those of all photos, and not of a sample (see `quantiles`)."""
        return self.photos <= SAMPLE

    @property
    def skipped(self) -> dict[Path, str]:
        """Files that cannot be read as photos, and why."""
        latest = {entry.path: entry.fault for entry in self._entries}
        return {self.folder / path: fault for path, fault in latest.items() if fault}

    def of(self, unit: Unit | str) -> UnitExemplars:
        """What the collection tells about a unit; a position is ignored.

        Raises:
            UnknownError: if the unit is not in the index.
        """
        unit = as_unit(unit).whole
        row, layer = self._row(unit)
        lists = {kind: self._list(kind, row, layer) for kind in KINDS}
        groups = Counter(each.group for each in lists["most"] if each.group is not None)
        return UnitExemplars(
            unit,
            **lists,
            peaks=self._quantiles("peaks", row),
            means=self._quantiles("means", row),
            classes=tuple(sorted(groups.items(), key=lambda item: (-item[1], item[0]))),
        )

    def mean(self, layer: str) -> Float[Tensor, " channels"]:
        """Mean activation of each channel of a layer over all photos and positions, exact.

        mean_j = 1/(N·H·W) Σ_photos Σ_hw a_j(h,w), summed over photos in float64

        Raises:
            UnknownError: if the layer is not in the index.
        """
        start, record = self._row(Unit(layer, 0))
        return (self._arrays["sums"][start : start + record.channels] / self.photos).float()

    def sampled_peaks(self, layer: str) -> NDArray[np.float32]:
        """Peak activation of each channel of a layer in each photo of the sample, (photos, channels).

        Raises:
            UnknownError: if the layer is not in the index.
            InputError: if the index is damaged.
        """
        start, record = self._row(Unit(layer, 0))
        sampled = self._index.tensors(self._record, ["sample.peaks"])["sample.peaks"]
        return np.asarray(sampled[:, start : start + record.channels].numpy())

    def sampled_photos(self) -> tuple[PhotoFile, ...]:
        """The photos of the sample, in the order of the rows of `sampled_peaks`.

        Raises:
            InputError: if the index is damaged.
        """
        numbers = self._index.tensors(self._record, ["sample.photos"])["sample.photos"].tolist()
        return tuple(self._photo(number) for number in numbers)

    def percentile(self, unit: Unit | str, activation: float) -> float:
        """Percent of the photos in which the unit's peak activation is below a value, interpolated between quantiles.

        Args:
            unit: the unit; a position is ignored.
            activation: the value.

        Returns:
            0 to 100; for a value shared by many photos, such as 0, those below it.

        Raises:
            UnknownError: if the unit is not in the index.
        """
        quantiles = self._arrays["quantiles.peaks"][self._row(as_unit(unit))[0]].numpy()
        return percentile_between(quantiles.astype(np.float64), activation)

    def _row(self, unit: Unit) -> tuple[int, LayerRecord]:
        start = 0
        for layer in self._record.layers:
            if layer.name == unit.layer:
                if unit.channel >= layer.channels:
                    raise UnknownError(f"No unit {unit}; {unit.layer} has {layer.channels} channels, from 0.")
                return start + unit.channel, layer
            start += layer.channels
        raise UnknownError(
            f"Layer {unit.layer!r} is not in the index of {self.folder}, which has {listed(self.layers, limit=60)}."
        )

    def _list(self, kind: str, row: int, layer: LayerRecord) -> tuple[Exemplar, ...]:
        columns = (self._arrays[f"{kind}.{what}"][row].tolist() for what in ("scores", "photos", "positions"))
        exemplars = []
        for scored, number, at in zip(*columns, strict=True):
            if number != NOBODY:
                entry = self._photo(number)
                position = divmod(at, layer.width)
                exemplars.append(Exemplar(self.folder / entry.path, value(kind, scored), position, entry.group))
        return tuple(exemplars)

    def _quantiles(self, what: str, row: int) -> dict[int, float]:
        return dict(zip(PERCENTS, self._arrays[f"quantiles.{what}"][row].tolist(), strict=True))

    def _photo(self, number: int) -> PhotoFile:
        if number not in self._by_number:
            file = self._index.arrays_file(self._record)
            raise self._index.damaged(file, ValueError("it names a photo that is not listed"), self._record)
        return self._by_number[number]

    @cached_property
    def _by_number(self) -> dict[int, PhotoFile]:
        return {photo_number(entry.path): entry for entry in self._entries}


def percentile_between(quantiles: NDArray[np.float64], activation: float) -> float:
    """Percent of the photos below an activation, interpolated between their quantiles, those of `PERCENTS`."""
    above = int(np.searchsorted(quantiles, activation, side="left"))
    if above == 0:
        return 0.0
    if above == len(quantiles):
        return 100.0
    low, high = quantiles[above - 1], quantiles[above]
    share = (activation - low) / (high - low)
    return float(PERCENTS[above - 1] + share * (PERCENTS[above] - PERCENTS[above - 1]))


def exemplar_crop(network: Network, exemplar: Exemplar) -> Image.Image:
    """What the network saw of an exemplar: mode RGB, or L for a network of one channel.

    Raises:
        InputError: if the photo is no longer there or cannot be read.
    """
    return network.preprocessing.crop(load_photo(exemplar.photo).image)


def exemplar_patch(network: Network, unit: Unit | str, exemplar: Exemplar) -> Image.Image:
    """What the unit saw of an exemplar: the crop, cut around the exemplar's position (`ReceptiveField.for_patches`).

    Raises:
        UnknownError: if the network has no such unit.
        InputError: if the photo is no longer there or cannot be read, or no pixel reaches the position.
    """
    return cut_to_field(exemplar_crop(network, exemplar), network, as_unit(unit), exemplar.position)


def cut_to_field(crop: Image.Image, network: Network, unit: Unit, position: tuple[int, int]) -> Image.Image:
    """A crop as the network saw it, cut around a position of a unit (`ReceptiveField.for_patches`)."""
    box = receptive_field(network, unit.layer, unit.channel).for_patches.box(position)
    if not box.area:
        raise InputError(f"No pixel of the image reaches {unit.whole} at {position}, so that there is no patch.")
    return crop.crop(box.corners)
