"""Open the page on which circuits are explored, from a notebook or a script, while they go on.

The library does not know any page. A package that has one names its function `serve` under the entry points
`circuits.explorers`, and it is imported only when a page is opened.
"""

import html
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol, runtime_checkable

import torch

from circuits.atlas.atlas import Atlas
from circuits.errors import InputError
from circuits.files import refuse_address
from circuits.image.photo import Photo, PhotoSource, as_photo
from circuits.network.loading import load_network
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.tracing.run import ForwardCache
from circuits.tracing.source import check_network, forward_cache

EXPLORERS = "circuits.explorers"
_PATIENCE = 10.0


@runtime_checkable
class Server(Protocol):
    """What serves a page."""

    url: str

    def close(self) -> None:
        """Stop."""


@dataclass(frozen=True)
class OtherNetwork:
    """A network that a page can go on with, loaded when somebody first chooses it.

    Args:
        label: what the page calls it; no two have the same.
        name: what circuit files call it.
        load: loads it; raises `CircuitsError` if it cannot.
    """

    label: str
    name: str
    load: Callable[[], Network]


class Exploration:
    """A page that is open in the background; in a notebook it shows itself as a link.

    Args:
        server: what serves it.
        thread: the thread that it is served in.
    """

    def __init__(self, server: Server, thread: threading.Thread) -> None:
        self._server = server
        self._thread = thread
        self.url = server.url

    @property
    def is_open(self) -> bool:
        """Whether the page is still served."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop serving; what is under way is given up. Closing again does nothing."""
        if self.is_open:
            self._server.close()
            self._thread.join(_PATIENCE)

    def __enter__(self) -> "Exploration":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"The page is at {self.url} until it is closed." if self.is_open else "The page is closed."

    def _repr_html_(self) -> str:
        if not self.is_open:
            return "<p>The page is closed.</p>"
        url = html.escape(self.url)
        return f'<p>The page is at <a href="{url}" target="_blank">{url}</a> until it is closed.</p>'


def explore(
    what: Network | Circuit,
    *,
    photo: Photo | PhotoSource | None = None,
    network: Network | None = None,
    output: str | int | None = None,
    device: str | torch.device | None = None,
    atlas: Atlas | str | Path | None = None,
    port: int = 0,
    open_browser: bool = True,
) -> Exploration:
    """Open the page of a network or a circuit in the background.

    Args:
        what: a network, or a circuit to go on with.
        photo: the photo that a network's page begins with, or what `load_photo` takes; the example cat if `None`.
        network: the circuit's; if `None`, that which it was traced with, or the one that its file names.
        output: which of several outputs of a circuit's network is explained; that of the circuit if `None`. One loads a
            network with an output of its own.
        device: where a network that the file of a circuit names is run, as in `load_network`. A network that
            is given runs where it is.
        atlas: one that was made with the network, or its folder: the page shows what classes are made of, and which of
            them units serve. If `None`, the built-in network has the one that ships with it, and others have none.
        port: 0 for any free one.
        open_browser: open it in a browser of this machine, if there is one.

    Returns:
        The open page, with `url` and `close`; it also closes when Python ends.

    Raises:
        InputError: if the port is taken, the circuit is of another network or names none that can be had, the atlas is
            none or of another network, or no package offers a page.

    Example:
        >>> from circuits import load_network
        >>> with explore(load_network(), open_browser=False) as page:
        ...     page.url.startswith("http://127.0.0.1:")
        True
    """
    circuit = what if isinstance(what, Circuit) else None
    if circuit is not None and photo is not None:
        raise InputError("A circuit brings its own photo; give a photo only with a network.")
    if output is not None and (circuit is None or network is not None):
        raise InputError("The network has an output already; give output= to load_network or prepare.")
    if device is not None and (circuit is None or network is not None):
        raise InputError("The network is on a device already; give device= to load_network or prepare.")
    explained = what if isinstance(what, Network) else network or _network_behind(what, output, device)
    if circuit is not None:
        check_explorable(explained, circuit)
    photo = None if photo is None else as_photo(photo)
    opened = None if atlas is None else open_atlas(atlas, explained)
    started: SimpleQueue[Server | BaseException] = SimpleQueue()
    serve = find_explorer()

    def work() -> None:
        try:
            serve(
                explained, photo=photo, circuit=circuit, atlas=opened, port=port, open_browser=open_browser,
                started=started.put,
            )  # fmt: skip
        except BaseException as error:  # raised in the thread that asked
            started.put(error)
        else:
            started.put(InputError("The page was closed before it could be opened."))  # or nobody reads this

    thread = threading.Thread(target=work, name="circuits explore", daemon=True)
    thread.start()
    first = started.get()
    if isinstance(first, BaseException):
        raise first
    return Exploration(first, thread)


def check_explorable(network: Network, circuit: Circuit) -> None:
    """Refuse a circuit of another network, or without the photo that more of it is computed from, before a page opens.

    Raises:
        InputError: if it is one; that of a class has no single photo, and is of the network alone.
    """
    if circuit.collection is not None:
        check_network(network, circuit, to="explore it")
    else:
        forward_cache(network, circuit)


def open_atlas(atlas: Atlas | str | Path, network: Network | None) -> Atlas:
    """The atlas of a network's page; with several networks, for which `None` stands, it may be of any.

    Raises:
        InputError: if there is none in the folder, or it is damaged or of another network.
    """
    if not isinstance(atlas, Atlas):
        refuse_address(atlas)
        atlas = Atlas.open(Path(atlas).expanduser().resolve())
    atlas.table("fires", atlas.layers[0].name)  # a damaged one is refused before the page opens
    if network is not None:
        atlas.check_network(network)
    return atlas


def _network_behind(circuit: Circuit, output: str | int | None, device: str | torch.device | None) -> Network:
    if isinstance(circuit.cache, ForwardCache) and output is None and device is None:
        return circuit.cache.network
    name, weights = named_network(circuit, None)
    known = circuit.network.output or None
    return load_network(name, weights=weights, output=known if output is None else output, device=device or "auto")


def named_network(circuit: Circuit, weights: str | None) -> tuple[str, str | None]:
    """Name and weights of the network that a circuit was traced with, as far as its file says.

    Args:
        circuit: the circuit.
        weights: given by hand, which count before those of the file.

    Raises:
        InputError: if the file does not carry them.
    """
    name, source = circuit.network.name, circuit.network.source
    if weights is None and source.startswith("torchvision:"):
        weights = source.removeprefix("torchvision:")
    elif weights is None and source in ("random", "timm:random", "transformers:random"):
        weights = "random"
    elif weights is None and source not in ("builtin", "timm", "transformers") and not source.startswith("package:"):
        given = "--network and --words" if ", words: " in source else "--network and --weights"
        raise InputError(
            f"The circuit was traced with {name} ({source}), which its file does not carry; "
            f"name the network again with {given} (network= in Python)."
        )
    return name, weights


def find_explorer() -> Callable[..., None]:
    """The function that serves a page.

    Raises:
        InputError: if no package offers one.
    """
    for entry in entry_points(group=EXPLORERS):
        serve: Callable[..., None] = entry.load()
        return serve
    raise InputError("No page for exploring is installed; install circuits with pip so that its page is registered.")
