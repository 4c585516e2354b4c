"""Pictures of one network's units: those in the store, and the rendering of those that are missing."""

import threading
from collections.abc import Sequence
from pathlib import Path

from circuits.networks import Network
from circuits.units import Unit
from circuits.visualization import DEFAULT, PictureStore, Settings, pictures
from dashboard.jobs import Progress


class StoredGallery:
    """The gallery of a network over the library's picture store.

    Args:
        network: whose units.
        store: where pictures are kept; the person's cache folder by default.
        settings: how they are drawn.
    """

    def __init__(self, network: Network, store: PictureStore | None = None, settings: Settings = DEFAULT) -> None:
        self._network = network
        self._settings = settings
        self._store = store if store is not None else PictureStore()
        self._keys: dict[Unit, str] = {}
        self._activations: dict[Unit, float] = {}
        self._lock = threading.Lock()

    def key(self, unit: Unit) -> str:
        """Content address of a unit's picture."""
        with self._lock:
            if unit not in self._keys:
                self._keys[unit] = self._store.key(self._network, unit, self._settings)
            return self._keys[unit]

    def file(self, key: str) -> Path | None:
        """The WebP file of a picture, or `None` if it is not made yet."""
        return self._store.path(key)

    def activation(self, unit: Unit) -> float | None:
        """The activation that the picture reached, or `None` if there is none."""
        if unit not in self._activations:
            found = self._store.get(self._network, unit, self._settings)
            if found is None:
                return None
            self._activations[unit] = found.activation
        return self._activations[unit]

    def render(self, units: Sequence[Unit], progress: Progress) -> None:
        """Make the pictures that are still missing, in one batch, and store them."""
        network = self._network
        if any(unit.layer not in network.layers for unit in units):
            network = network.with_layers([units[0].layer, network.layers[-1]])
        # The page names the unit itself; the library's message counts steps.
        pictures(
            network, units, settings=self._settings, store=self._store,
            progress=lambda done, total, _: progress(done, total, ""),
        )  # fmt: skip
