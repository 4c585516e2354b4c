"""Golden files of the page: what a tab is told after each of a few actions, without a browser and without renderings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plotly.utils import PlotlyJSONEncoder

import circuits
from circuits import Network, Photo, Unit
from tests.golden.record import Recorder

SESSION, TAB = "a" * 32, "tab"
_PASSING = {"at", "born", "session", "tiles_at", "namespace", "found"}
"""What differs from run to run, or says nothing."""


class NoGallery:
    """A gallery in which no picture is ever drawn."""

    def key(self, unit: Unit) -> str:
        """Layer and channel as hexadecimal digits."""
        return f"{unit.layer}:{unit.channel}".encode().hex()

    def file(self, key: str) -> None:
        """None of them is there."""

    def activation(self, unit: Unit) -> None:
        """None is known."""

    def zoom(self, unit: Unit) -> int:
        """As what the network sees."""
        return 1

    def dead(self, unit: Unit) -> bool:
        """None is known to be."""
        return False

    def render(self, units: Sequence[Unit], progress: Any, preview: Any) -> None:
        """Draw nothing."""

    def variants(self, unit: Unit, kind: str) -> tuple[()]:
        """There are none."""
        return ()

    def draw_variants(self, unit: Unit, kind: str, progress: Any, preview: Any) -> None:
        """Draw nothing."""


class Visitor:
    """Somebody at the page; the only place that knows how the page is opened, asked and told.

    Args:
        network: what the page explores.
        photo: what it shows first.
    """

    def __init__(self, network: Network, photo: Photo) -> None:
        from dashboard.app import Settings, create_page

        self._page = create_page(Settings(network, photo=photo, gallery=NoGallery(), collection=None))
        self._queue: list[dict[str, Any]] = []

    def act(self, kind: str, subject: str) -> dict[str, Any]:
        """Do something and wait until nothing is under way: everything that the page shows then."""
        self._queue.append({"number": len(self._queue) + 1, "kind": kind, "subject": subject})
        self._send()
        return self._send()

    def _send(self) -> dict[str, Any]:
        callbacks = self._page.callbacks
        shown: dict[str, Any] = callbacks.act({"session": SESSION, "tab": TAB, "queue": self._queue})
        lanes = callbacks.background
        for lane in (lanes.tracing, lanes.looking, lanes.scoring, lanes.rendering):
            lane.wait(SESSION, seconds=60)
        return shown

    def fetch(self, path: str, **options: Any) -> Any:
        """What the server answers at an address of its own."""
        return self._page.dash.server.test_client().get(path, **options)

    def close(self) -> None:
        """End the page's workers."""
        self._page.close()


def write_page(to: Recorder, networks: Mapping[str, Network], photos: Mapping[str, Photo]) -> None:
    """The walk of one tab on the built-in network, and a shorter one on a branched one."""
    for name, walk in (("builtin", _WALK), ("branched", _SHORT)):
        _write_walk(to, name, networks[name], photos[name], walk)


_WALK = ()
_SHORT = ()
