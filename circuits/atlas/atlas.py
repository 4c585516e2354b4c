"""Read an atlas: what every class is made of, and what every unit is for. Needs no network and no photos."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from circuits.atlas.facts import AtlasClass, AtlasLink, AtlasUnit, Mean, ServedClass
from circuits.atlas.kept_links import KeptLinks
from circuits.atlas.link_means import starts_of
from circuits.atlas.measure import MOMENTS
from circuits.atlas.storage import AtlasFolder
from circuits.atlas.subject import AtlasLayer, AtlasRecord
from circuits.atlas.suggestion import Suggestion, read_suggestions
from circuits.errors import InputError, UnknownError, listed
from circuits.exemplars.exemplars import Exemplars
from circuits.exemplars.finding import find_any_exemplars
from circuits.network.labels import class_of
from circuits.units import Unit, as_unit

if TYPE_CHECKING:
    from circuits.network.network import Network
    from circuits.tracing.circuit import Circuit

_OPEN = 32
"""Classes whose arrays are kept after they were read."""


class Atlas:
    """An atlas that was made by `build_atlas` or `circuits atlas`; opened by `Atlas.open`."""

    def __init__(self, folder: AtlasFolder, record: AtlasRecord) -> None:
        self._folder, self.record = folder, record
        self._starts = starts_of(record.subject)
        self._layers = {layer.name: layer for layer in record.subject.layers}
        self._arrays = lru_cache(_OPEN)(lambda channel: folder.read(channel, record))
        self.search: Callable[[str], Mapping[Unit, Suggestion]] | None = None
        """Finds units by words that nobody has given them, if an encoder is there (`WordSearch`)."""

    @classmethod
    def open(cls, folder: str | Path) -> "Atlas":
        """The atlas in a folder.

        Raises:
            InputError: if there is none, it is not finished, or it is damaged.
        """
        opened = AtlasFolder(folder)
        return cls(opened, opened.read_record())

    def __repr__(self) -> str:
        return (
            f"Atlas({self.network!r}, {str(self._folder.folder)!r}, classes={len(self.classes)}, photos={self.photos})"
        )

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._folder.folder

    @property
    def network(self) -> str:
        """Name of its network; `record.subject` says all of it."""
        return str(self.record.subject.network["name"])

    @property
    def layers(self) -> tuple[AtlasLayer, ...]:
        """The layers whose units are in it, from the image up."""
        return self.record.subject.layers

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The names of its layers."""
        return tuple(self._layers)

    @property
    def units(self) -> int:
        """How many units are in it."""
        return self.record.subject.units

    @property
    def photos(self) -> int:
        """How many photos are in it."""
        return sum(self.record.photos.values())

    @property
    def skipped(self) -> dict[str, str]:
        """Files that cannot be read as photos, and why."""
        return dict(self.record.skipped)

    @cached_property
    def classes(self) -> tuple[AtlasClass, ...]:
        """The classes of which it has photos, by number."""
        labels = self.record.subject.labels
        return tuple(AtlasClass(number, labels[number], count) for number, count in self.record.photos.items())

    def find(self, wanted: str | int) -> AtlasClass:
        """A class by its label or number, as `Network.find_class` finds it.

        Raises:
            UnknownError: if the network has no such class, or the atlas no photo of it.
        """
        number = class_of(wanted, self.record.subject.labels, self.network, self.record.subject.top)
        if number not in self.record.photos:
            raise UnknownError(
                f"The atlas has no photo of {self.record.subject.labels[number]!r}; it has "
                f"{listed([each.label for each in self.classes], limit=20)}."
            )
        return next(each for each in self.classes if each.number == number)

    def layer(self, name: str) -> AtlasLayer:
        """The layer of that name.

        Raises:
            UnknownError: if its units are not in the atlas.
        """
        if name not in self._layers:
            raise UnknownError(f"Layer {name!r} is not in the atlas, which has {listed(self._layers, limit=60)}.")
        return self._layers[name]

    def table(self, name: str, layer: str, of: str | int | None = None) -> NDArray[np.float32]:
        """One number of every unit of a layer.

        Args:
            name: `contribution`, `activation` or `peak`, each also with `.error`; `fires` or `summit`, in how many
                photos; `links.total` or `links.gross`; and of all classes `class_free.total` or `.gross`.
            layer: its name.
            of: the class; all of them, if `None`.

        Returns:
            (channels,).

        Raises:
            UnknownError: if there is no such number, layer or class.
        """
        arrays = self.arrays(of)
        if name not in arrays or arrays[name].shape != (self.units,):
            known = [each for each, value in arrays.items() if value.shape == (self.units,)]
            raise UnknownError(f"The atlas has no {name!r} of units; it has {listed(sorted(known), limit=20)}.")
        return np.asarray(arrays[name][self._places(layer)].numpy())

    def arrays(self, of: str | int | None = None) -> Mapping[str, torch.Tensor]:
        """All numbers of a class, or of all classes together, by the names that `table` knows.

        The units of all layers stand one after the other, as in `all_units`. Of all classes there are also `classes`
        and `classes.error`, each unit's contribution by class, (classes, units); of a class and of all the links that
        are kept, `links.source` (the place of the unit below, or -1), `.share`, `.error` and `.consistency`, (units,
        links); and of all the class-free ones likewise, `class_free.source` and so on.

        Raises:
            UnknownError: if the atlas has no photo of the class.
        """
        return self._arrays(None if of is None else self.find(of).number)

    def unit(self, unit: Unit | str, of: str | int | None = None) -> AtlasUnit:
        """What a unit does in the photos of a class, or in all.

        Raises:
            UnknownError: if the unit or the class is not in the atlas.
        """
        place, unit = self._place(as_unit(unit)), as_unit(unit).whole
        found = None if of is None else self.find(of)
        arrays = self._arrays(None if found is None else found.number)
        photos = self.photos if found is None else found.photos
        contribution, activation, peak = (
            Mean(float(arrays[name][place]), float(arrays[f"{name}.error"][place])) for name in MOMENTS
        )
        total, gross = (
            float(arrays[name][place]) if name in arrays else 0.0 for name in ("links.total", "links.gross")
        )
        fires = int(arrays["fires"][place]) / photos
        summit = int(arrays["summit"][place])
        return AtlasUnit(unit, photos, contribution, activation, peak, fires, summit, total, gross)

    def strongest(self, layer: str, of: str | int | None = None, top: int = 20) -> list[AtlasUnit]:
        """The units of a layer that contribute most to a class, or to the class of each photo."""
        order = np.argsort(-self.table("contribution", layer, of), kind="stable")[:top]
        return [self.unit(Unit(layer, int(channel)), of) for channel in order]

    def links(
        self, unit: Unit | str, of: str | int | None = None, *, class_free: bool = False
    ) -> tuple[AtlasLink, ...]:
        """What the units below a unit do for a class through it, those that excite first; the strongest are kept.

        Class-free links say what the unit is made of, whatever the class: the share of each unit below in its mean
        activation, so that activation = Σ_j F_ij + bias over all photos. They are another number than the mean over
        the classes, which asks what it does for the class of each photo.

        Args:
            unit: the unit above.
            of: the class; if `None`, the class of each photo, over all photos, of which each counts once.
            class_free: what the unit is made of, in the place of what it does for a class.

        Raises:
            UnknownError: if the unit or the class is not in the atlas.
            InputError: if the atlas was made without such links, or class-free ones are wanted of a class.
        """
        return KeptLinks(self, of, class_free=class_free).below(self._place(as_unit(unit)))

    def users(
        self, unit: Unit | str, of: str | int | None = None, *, class_free: bool = False
    ) -> tuple[AtlasLink, ...]:
        """The kept links from a unit to units above it, for a class, all together or free of any, strongest first."""
        return KeptLinks(self, of, class_free=class_free).above(self._place(as_unit(unit)))

    @property
    def has_class_free(self) -> bool:
        """Whether it says what units are made of whatever the class."""
        return self.record.subject.class_free

    def classes_of(self, unit: Unit | str, top: int | None = None) -> tuple[ServedClass, ...]:
        """The classes of the atlas by what a unit does for them, those that it serves most first.

        Args:
            unit: the unit.
            top: how many; all, if `None`.
        """
        place = self._place(as_unit(unit))
        overall = self._arrays(None)
        means, errors = overall["classes"][:, place].tolist(), overall["classes.error"][:, place].tolist()
        average = sum(means) / len(means)
        order = sorted(range(len(means)), key=lambda row: -means[row])[:top]
        return tuple(
            ServedClass(
                self.classes[row].number, self.classes[row].label, self.classes[row].photos,
                Mean(means[row], errors[row]), means[row] - average, rank,
            )
            for rank, row in enumerate(order, start=1)
        )  # fmt: skip

    def selectivity(self, layer: str) -> NDArray[np.float32]:
        """Of every class and unit of a layer the contribution less its mean over the classes, (classes, channels)."""
        contributions = self._arrays(None)["classes"][:, self._places(layer)].numpy()
        return np.asarray(contributions - contributions.mean(0), dtype=np.float32)

    @cached_property
    def exemplars(self) -> Exemplars | None:
        """The index of exemplars of its photos, if one was made with it."""
        return find_any_exemplars(self._folder.exemplars)

    def needed_exemplars(self) -> Exemplars:
        """The index of exemplars of its photos, for what cannot be had without.

        Raises:
            InputError: if none was made with it.
        """
        if self.exemplars is None:
            raise InputError(
                f"The atlas in {self.folder} has no exemplars that can be read. Run the {self._folder.command} that "
                "made it once more, without --no-exemplars: sums that are there are kept."
            )
        return self.exemplars

    def photos_of(self, of: str | int, most: int) -> list[Path]:
        """Photos of a class that are still where they were, the first of their names; none where only sums were kept.

        Raises:
            UnknownError: if the class is not in the atlas.
        """
        folder = self._folder.folder / "buckets" / f"{self.find(of).number:05}"
        files = [each for file in sorted(folder.glob("*.safetensors")) for each in self._folder.read_photos(file)]
        paths = (
            Path(self.record.folder) / each.path for each in sorted(files, key=lambda each: each.path) if not each.fault
        )
        return list(islice((path for path in paths if path.is_file()), most))

    @cached_property
    def suggestions(self) -> Mapping[Unit, Suggestion]:
        """Of some units the class that they tell from the rest; none before `suggest_classes` has looked for them.

        What was found before photos were added to the atlas, or removed, does not count.

        Raises:
            InputError: if their file is damaged.
        """
        return read_suggestions(self, "classes")

    @cached_property
    def suggested_words(self) -> Mapping[Unit, Suggestion]:
        """Of some units the word that their photos are like; none before `suggest_words` has looked for them.

        Raises:
            InputError: if their file is damaged.
        """
        return read_suggestions(self, "words")

    @property
    def suggested(self) -> Mapping[Unit, Suggestion]:
        """Of some units the class that they tell from the rest, or else the word that their photos are like."""
        return {**self.suggested_words, **self.suggestions}

    def coactivation(self, layer: str) -> NDArray[np.float32]:
        """How the peaks of a layer's units go together, photo by photo: Pearson's correlation, (channels, channels).

        Over the sample of photos that the index of exemplars keeps; 0 where a unit has the same peak in all of them.

        Raises:
            InputError: if the atlas was made without exemplars.
        """
        peaks = self.needed_exemplars().sampled_peaks(layer).astype(np.float64)
        centred = peaks - peaks.mean(0)
        spread = np.sqrt((centred**2).sum(0))
        return np.asarray((centred.T @ centred) / np.maximum(np.outer(spread, spread), 1e-30), dtype=np.float32)

    def circuit(
        self, of: str | int | Unit, *, depth: int = 4, top: int | Sequence[int] = 5, signs: str = "positive"
    ) -> "Circuit":
        """The circuit of a class over all of its photos, or of a unit over all photos, as `trace` has it of one.

        Args:
            of: the class; or a unit, for what that is made of whatever the class, as a trace of it in mode `sum`.
            depth: layers below it to walk down.
            top: units to show below each, one number or one a level; an atlas keeps 8.
            signs: `positive` shows what argues for it, `both` also what argues against it.

        Raises:
            UnknownError: if the class or unit is not in the atlas.
            InputError: if an option is out of its range, nothing is linked to the unit, or the atlas was made without
                class-free links.
        """
        from circuits.atlas.class_circuit import class_circuit

        return class_circuit(self, of, depth=depth, top=top, signs=signs)

    def check_network(self, network: "Network") -> None:
        """Refuse a network that the atlas was not made with.

        Raises:
            InputError: if it was made with another one.
        """
        made_with = self.record.subject.network
        if made_with["sha256"] != network.sha256:
            raise InputError(
                f"The atlas in {self.folder} was made with {made_with['name']} ({made_with['sha256'][:12]}), not with "
                f"{network.name} ({network.sha256[:12]}); give that network, or another atlas."
            )

    def unit_at(self, place: int) -> Unit:
        """The unit at a place among those of all layers."""
        for layer in self.layers:
            if place < layer.channels:
                return Unit(layer.name, place)
            place -= layer.channels
        raise IndexError(place)

    def all_units(self) -> Iterator[Unit]:
        """The units of all layers, from the image up."""
        return (Unit(layer.name, channel) for layer in self.layers for channel in range(layer.channels))

    def facts(self, of: int | None = None) -> Mapping[str, Any]:
        """What the file of a class, or all, says of itself: `photos`, `batches`, `digest` of what it is made of."""
        return self._folder.read_header(self._folder.overall_file if of is None else self._folder.class_file(of))

    def _places(self, layer: str) -> slice:
        channels = self.layer(layer).channels
        return slice(self._starts[layer], self._starts[layer] + channels)

    def _place(self, unit: Unit) -> int:
        if unit.channel >= self.layer(unit.layer).channels:
            raise UnknownError(f"No unit {unit}; {unit.layer} has {self.layer(unit.layer).channels} channels, from 0.")
        return self._starts[unit.layer] + unit.channel
