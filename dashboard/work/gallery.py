"""Pictures of one network's units: those in the store, and the rendering of those that are missing."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from circuits.groups.layer_direction import Subject
from circuits.network.network import Network
from circuits.units import Progress, Unit
from circuits.visualization.diverse import COUNT, diverse_key, diverse_pictures
from circuits.visualization.render import render
from circuits.visualization.settings import Settings, usual_settings
from circuits.visualization.store import PictureStore, pictures
from dashboard.answers import Variant
from dashboard.work.previews import OnPreview, OnVariant

# Seconds for which the disk is believed to be as it was: a click that looks at it waits for the thread that renders.
_STILL_THERE = 5.0
_STILL_MISSING = 0.5
_MOST_REMEMBERED = 20_000
# After so few steps a picture can be recognised; one that takes hardly more is drawn at once.
SKETCH_STEPS = 16


class StoredGallery:
    """The gallery of a network over the library's picture store.

    Args:
        network: whose units.
        store: where pictures are kept; the person's cache folder by default.
        settings: how they are drawn; as is usual for the network, if `None`.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        network: Network,
        store: PictureStore | None = None,
        settings: Settings | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._network = network
        self._settings = usual_settings(network) if settings is None else settings
        self._store = store if store is not None else PictureStore()
        self._keys: dict[Subject, str] = {}
        self._reached: dict[Subject, tuple[float, bool, int]] = {}
        self._variants: dict[tuple[Unit, str], tuple[Variant, ...]] = {}
        self._files: dict[str, tuple[Path | None, float]] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def key(self, unit: Subject) -> str:
        """Content address of the picture of a unit, or a direction."""
        with self._lock:
            if unit not in self._keys:
                self._keys[unit] = self._store.key(self._network, unit, self._settings)
            return self._keys[unit]

    def file(self, key: str) -> Path | None:
        """The WebP file of a picture, or `None` if it is not made yet.

        A page asks this several times of each of its units, twice a second, so the answer is remembered for a moment.
        """
        now = self._clock()
        file, until = self._files.get(key, (None, now))
        if until <= now:
            file = self._store.path(key)
            if len(self._files) >= _MOST_REMEMBERED:
                self._files.clear()
            self._files[key] = file, now + (_STILL_MISSING if file is None else _STILL_THERE)
        return file

    def activation(self, unit: Subject) -> float | None:
        """The activation that the picture reached, or `None` if there is none."""
        found = self._look(unit)
        return None if found is None else found[0]

    def zoom(self, unit: Subject) -> int:
        """How many of the picture's pixels, along a side, make one pixel for the network; 1 if there is none."""
        found = self._look(unit)
        return 1 if found is None else found[2]

    def dead(self, unit: Subject) -> bool:
        """Whether the picture shows nothing, because nothing was found that excites the unit."""
        found = self._look(unit)
        return found is not None and found[1]

    def _look(self, unit: Subject) -> tuple[float, bool, int] | None:
        """What the picture reached, whether that is nothing, and its zoom; read once."""
        if unit not in self._reached:
            found = self._store.get(self._network, unit, self._settings)
            if found is None:
                return None
            self._reached[unit] = found.activation, found.dead, found.zoom
        return self._reached[unit]

    def render(self, units: Sequence[Subject], progress: Progress, preview: OnPreview) -> None:
        """Make the pictures that are still missing, in one batch, and store them."""
        network, steps = self._cut(units[0].layer), self._settings.steps
        step = 0

        # The page names the unit itself; the library's message counts steps.
        def tell(done: int, total: int, message: str) -> None:
            nonlocal step
            step = done % steps
            progress(done, total, "")

        def show(unit: Subject, image: Image.Image) -> None:
            preview(unit, image, step, steps)

        try:
            pictures(network, units, settings=self._settings, store=self._store, progress=tell, on_preview=show)
        finally:
            for unit in units:
                self._files.pop(self.key(unit), None)

    @property
    def sketch_part(self) -> float:
        """How much of the work of a picture a sketch of it is; 0 where pictures are not sketched first."""
        return SKETCH_STEPS / self._settings.steps if self._settings.steps >= 4 * SKETCH_STEPS else 0.0

    def sketch(self, units: Sequence[Subject], progress: Progress) -> list[tuple[Image.Image, int]]:
        """Coarse pictures of units of one layer, and the steps that each was drawn with; they are not stored."""
        settings = replace(self._settings, steps=SKETCH_STEPS)
        drawn = render(self._cut(units[0].layer), units, settings=settings, progress=progress)
        return [(picture.image, SKETCH_STEPS) for picture in drawn]

    def variants(self, unit: Unit, kind: str) -> tuple[Variant, ...]:
        """The further pictures of a unit of a kind, drawn or not; those that are drawn are read once."""
        known = self._variants.get((unit, kind))
        if known is None:
            network, store = self._network, self._store
            if kind == "negative":
                keys = [store.key(network, unit, self._against)]
            else:
                keys = [diverse_key(store, network, unit, place, self._settings) for place in range(COUNT)]
            found = [store.find(key) for key in keys]
            reached = [None if picture is None else picture.activation for picture in found]
            known = tuple(Variant(*each) for each in zip(keys, reached, strict=True))
            if None not in reached:
                self._variants[unit, kind] = known
        return known

    def draw_variants(self, unit: Unit, kind: str, progress: Progress, preview: OnVariant) -> None:
        """Make the further pictures of a unit, and store them."""
        network, steps = self._cut(unit.layer), self._settings.steps
        keys = [variant.key for variant in self.variants(unit, kind)]
        step = 0

        def tell(done: int, total: int, message: str) -> None:
            nonlocal step
            step = done % steps
            progress(done, total, "")

        def show(place: int, image: Image.Image) -> None:
            preview(keys[place], image, step, steps)

        if kind == "negative":
            pictures(
                network, [unit], settings=self._against, store=self._store, progress=tell,
                on_preview=lambda _, image: show(0, image),
            )  # fmt: skip
        else:
            diverse_pictures(
                network, unit, settings=self._settings, store=self._store, progress=tell, on_preview=show
            )  # fmt: skip

    @property
    def _against(self) -> Settings:
        return replace(self._settings, objective="negative")

    def _cut(self, layer: str) -> Network:
        """The network, cut at a layer that it may not have been cut at."""
        network = self._network
        return network if layer in network.layers else network.with_layers([layer, network.layers[-1]])
