"""What a network's units fire on elsewhere: the index of exemplars that was made for it, read as the page shows it."""

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from circuits import evidence
from circuits.attribution.baseline import Baseline
from circuits.errors import InputError
from circuits.exemplars.build import index_photos
from circuits.exemplars.exemplars import Exemplars, exemplar_patch
from circuits.exemplars.finding import find_exemplars, is_index, kept_in, read_index
from circuits.exemplars.shipped import FreePhotos, shipped_scores
from circuits.network.network import Network
from circuits.units import Progress, Unit
from dashboard.answers import CollectionExemplars, NoCollection, ShownExemplar
from dashboard.webp import webp, wide

KINDS = ("most", "slightly_positive", "slightly_negative", "least")
SIDE = 160


class Collection(Protocol):
    """What a network's units do in a collection of photos, if an index of it was made."""

    def stamp(self) -> str:
        """What tells whether an index was made, or made anew, since."""

    def of(self, unit: Unit, activation: float, progress: Progress) -> CollectionExemplars | NoCollection:
        """What a unit does in the collection.

        Args:
            unit: which.
            activation: its highest one in the photo of the page.
            progress: told how far, and raises to stop.

        Raises:
            CircuitsError: if the index does not have the unit.
        """

    def baseline(self) -> Baseline | None:
        """What units are set to when they are ablated beside zero: their mean over the collection, if there is one."""

    @property
    def is_due(self) -> bool:
        """Whether photos are to be indexed."""

    def build(self, progress: Progress) -> None:
        """Index them; goes on where it was stopped."""


class StoredCollection:
    """The collection of a network over the library's indices.

    Args:
        network: whose units.
        into: folder that indices are kept in; the person's cache folder by default.
        source: a folder of photos, which `build` indexes, or an index that was made before; by default the index
            finished last.
    """

    def __init__(self, network: Network, into: Path | None = None, source: Path | None = None) -> None:
        self._network = network
        self._into = into
        self._source = source
        self._due = source is not None and not is_index(source)
        self._fault = ""
        self._free: FreePhotos | None = None
        self._read: tuple[str, Exemplars | None] | None = None
        self._lock = threading.Lock()

    def stamp(self) -> str:
        """A hash of the finished indices' names and times, and of how indexing stands."""
        found = [str(self._due), self._fault]
        for file in kept_in(self._into).glob("*/index.json"):
            try:
                found.append(f"{file.parent.name} {file.stat().st_mtime_ns}")
            except OSError:  # removed meanwhile
                continue
        return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()[:16]

    def of(self, unit: Unit, activation: float, progress: Progress) -> CollectionExemplars | NoCollection:
        """What a unit does in the collection; photos that have gone are counted, not shown."""
        index = self._index()
        if index is None and self._fault:
            raise InputError(self._fault)
        if index is None and self._due:
            return NoCollection(str(self._source))
        if index is None:
            return self._shipped(unit, activation, progress)
        found = index.of(unit)
        groups = {kind: self._shown(unit, getattr(found, kind), progress) for kind in KINDS}
        named = sum(len(getattr(found, kind)) for kind in KINDS)
        return CollectionExemplars(
            groups=groups,
            photos=index.photos,
            quantiles=tuple((float(percent), value) for percent, value in found.peaks.items()),
            here=activation,
            above=index.percentile(unit, activation),
            classes=found.classes,
            missing=named - sum(len(shown) for shown in groups.values()),
            command=index.command,
        )

    def baseline(self) -> Baseline | None:
        """Means over the index; `None` if there is none, or it is damaged."""
        try:
            index = self._index()
        except InputError:  # whoever looks at exemplars is told
            return None
        return None if index is None else Baseline.mean(index)

    @property
    def is_due(self) -> bool:
        """Whether there are photos of which it is not known that all are in the index."""
        return self._due

    def build(self, progress: Progress) -> None:
        """Index the photos of the folder, or those that are new in it; what goes wrong is told with the exemplars."""

        def tell(done: int, total: int, message: str) -> None:
            progress(done, total, f"Indexing photos, {done} of {total}")

        assert self._source is not None
        fault = ""
        try:
            index_photos(self._network, self._source, into=self._into, progress=tell)
        except InputError as error:
            fault = str(error)
        self._due, self._fault = False, fault

    def _index(self) -> Exemplars | None:
        """The index, read once."""
        stamp = self.stamp()
        with self._lock:
            if self._read is None or self._read[0] != stamp:
                self._read = stamp, self._found()
            return self._read[1]

    def _found(self) -> Exemplars | None:
        if self._source is None or not is_index(self._source):
            layers = self._network.layers[:-1]
            return find_exemplars(self._network, self._into, folder=self._source, layers=layers)
        try:
            return read_index(self._source, self._network)
        except InputError as error:
            self._fault = str(error)
            return None

    def _shipped(self, unit: Unit, activation: float, progress: Progress) -> CollectionExemplars | NoCollection:
        """What ships with the built-in network: scores, and what free photos do; of other networks nothing does."""
        scores = shipped_scores() if self._network.source == "builtin" else None
        if scores is None or unit.layer not in scores.layers:
            return NoCollection()
        with self._lock:
            if self._free is None:
                self._free = FreePhotos(self._network)
        found = []
        for each in self._free.of(unit):
            progress(0, 1, "")
            found.append(ShownExemplar(webp(wide(each.patch, SIDE)), each.name, "", each.value))
        return CollectionExemplars(
            groups={"most": tuple(found)},
            photos=scores.photos,
            quantiles=tuple((float(percent), value) for percent, value in scores.peaks(unit).items()),
            here=activation,
            above=scores.percentile(unit, activation),
            classes=scores.classes_of(unit),
            free=self._free.count,
        )

    def _shown(self, unit: Unit, found: Sequence[evidence.Exemplar], progress: Progress) -> tuple[ShownExemplar, ...]:
        shown = []
        for each in found:
            progress(0, 1, "")
            try:
                patch = exemplar_patch(self._network, unit, each)
            except InputError:  # the photo has gone, or changed
                continue
            shown.append(ShownExemplar(webp(wide(patch, SIDE)), each.photo.name, each.group or "", each.value))
        return tuple(shown)
