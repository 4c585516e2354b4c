"""The networks of a page: the one that it opens with, and those that are loaded when somebody first chooses them.

Each has a library, answers and pictures of its own. One that was loaded stays until the server ends; of the sessions
that have gone on to another one, no activations are kept.
"""

import threading
from collections.abc import Callable, Mapping, Sequence

from circuits.explorer import OtherNetwork
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from dashboard.library import Library
from dashboard.session.state import Session
from dashboard.work.scheduler import Scheduler


class Networks:
    """The networks of a page, each by the label that its menu shows; for many threads.

    Args:
        label: of the network that the page opens with.
        network: that one.
        others: those that can be chosen too.
        make: the work on a network, given its label and itself.
    """

    def __init__(
        self,
        label: str,
        network: Network,
        others: Sequence[OtherNetwork],
        make: Callable[[str, Network, "Networks"], Scheduler],
    ) -> None:
        self._others: Mapping[str, OtherNetwork] = {other.label: other for other in others}
        self.labels = (label, *self._others)
        self._make = make
        self._lock = threading.Lock()
        self._ready: dict[str, Scheduler] = {}
        self.first = self._ready[label] = make(label, network, self)

    def of(self, session: Session) -> Scheduler:
        """The work on the network that a session shows."""
        return self._ready.get(session.work.network, self.first)

    @property
    def ready(self) -> tuple[Scheduler, ...]:
        """The work on those that are loaded."""
        with self._lock:
            return tuple(self._ready.values())

    def is_ready(self, label: str) -> bool:
        """Whether a network is loaded."""
        return label in self._ready

    def open(self, label: str) -> Scheduler:
        """The work on a network, which is loaded if it was not; takes as long as that takes.

        Raises:
            CircuitsError: if it cannot be loaded.
        """
        if label not in self._ready:
            made = self._make(label, self._others[label].load(), self)
            with self._lock:
                self._ready.setdefault(label, made)
        return self._ready[label]

    def library_of(self, sha256: str) -> Library | None:
        """The library of the network of a fingerprint, if it is loaded."""
        return next((work.library for work in self.ready if work.library.network.sha256 == sha256), None)

    def unloaded(self, name: str) -> tuple[str, ...]:
        """Labels of the networks that files call so and that are not loaded yet; their fingerprints are not known."""
        return tuple(label for label, other in self._others.items() if other.name == name and label not in self._ready)

    def waiting_for(self, circuit: Circuit) -> tuple[str, ...]:
        """Labels of the networks that may be that of a circuit once they are loaded; none if it is loaded."""
        known = self.library_of(circuit.network.sha256) is not None
        return () if known else self.unloaded(str(circuit.network.name))

    def only_seen(self, photo: Photo, label: str) -> Photo:
        """A photo of which no more is left than what a network saw."""
        return self._ready.get(label, self.first).library.only_seen(photo)
