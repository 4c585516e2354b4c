"""Serve the page with waitress: one process, some threads, on this machine only unless told otherwise."""

import socket
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

import platformdirs

from circuits.atlas.atlas import Atlas
from circuits.errors import InputError
from circuits.explorer import OtherNetwork
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from dashboard.addresses import PORT, address, bound, is_local
from dashboard.app import Page, PageSettings, create_page
from dashboard.connections import PageServer
from dashboard.security import MAX_BODY, new_token, own_address
from dashboard.waiting import WaitingRoom

__all__ = ["PORT", "Running", "PageSettings", "serve", "start"]


class Running:
    """A server that is bound to its port: `run` serves until it is stopped, `close` frees everything.

    Args:
        page: the page that it serves.
        host: address to bind to.
        port: port to bind to; 0 for any free one.
        listening: a socket that is bound already, in place of host and port.

    Raises:
        InputError: if the port is taken or cannot be used.
    """

    def __init__(self, page: Page, *, host: str, port: int, listening: socket.socket | None = None) -> None:
        self.page = page
        try:
            self._socket = bound(host, port) if listening is None else listening
        except InputError:
            page.close()
            raise
        self._server = PageServer(page.dash.server, self._socket, largest=MAX_BODY + 2**20)
        self.port = self._socket.getsockname()[1]
        self.url = address(host, self.port, page.token)

    def run(self) -> None:
        """Serve until `close`, or until the person presses Ctrl-C."""
        self._server.run()

    def close(self) -> None:
        """Stop serving and end the workers, with work under way; `run` returns in the thread that it runs in."""
        self.page.close()
        self._server.stop()
        self._server.task_dispatcher.shutdown(timeout=1)


def exposure(host: str, port: int, token: str) -> str:
    """What it means that a page is served at an address that other machines can reach."""
    others = own_address() if host in ("0.0.0.0", "::", "") else host
    return (
        f"The page listens at {host}, so other machines of this network can reach it. Whoever has its whole address "
        "can see the photos and circuits on it and have this machine compute; the connection is not encrypted. "
        f"For others it is {address(others, port, token)}"
    )


def start(settings: PageSettings, *, port: int = PORT, room: WaitingRoom | None = None) -> Running:
    """A server for a page, bound but not yet running.

    Raises:
        InputError: if the port is taken; the sentence names `--port`.
    """
    page = create_page(settings)
    listening = None if room is None else room.hand_over()
    return Running(page, host=settings.host, port=port, listening=listening)


def serve(
    network: Network,
    *,
    photo: Photo | None = None,
    circuit: Circuit | None = None,
    label: str = "",
    others: Sequence[OtherNetwork] = (),
    exemplars: Path | None = None,
    atlas: Atlas | None = None,
    port: int = PORT,
    host: str = "127.0.0.1",
    open_browser: bool = True,
    announce: Callable[[str], None] | None = None,
    warn: Callable[[str], None] | None = None,
    started: Callable[["Running"], None] | None = None,
    room: WaitingRoom | None = None,
) -> None:
    """Serve the page of a network until Ctrl-C, or until what `started` was told is closed.

    Args:
        network: what it explores.
        photo: the photo that it opens with; the example cat if `None`.
        circuit: a circuit that it opens with.
        label: what the page calls the network; its name if "".
        others: further networks that can be chosen on the page.
        exemplars: a folder of photos, of which the page shows what units fire on, or an index of them.
        atlas: of one of the networks, whose classes the page shows.
        port: 0 for any free one.
        host: address to listen at; if other machines can reach it, the page's address holds a random token, without
            which the page lets nobody in.
        open_browser: open it in the person's browser.
        announce: called with the page's address as soon as it can be opened.
        warn: called with a sentence that says who can reach the page, if other machines can.
        started: called with the server, which can be closed from another thread.
        room: what answers at the host and port until the page is ready, and has opened the browser.

    Raises:
        InputError: if the port is taken.
    """
    folder = platformdirs.user_state_path("circuits") / "sessions"
    token = "" if is_local(host) else new_token()
    settings = PageSettings(
        network,
        photo=photo,
        circuit=circuit,
        host=host,
        folder=folder,
        token=token,
        label=label,
        others=others,
        exemplars=exemplars,
        atlas=atlas,
    )
    running = start(settings, port=port, room=room)
    try:
        if warn is not None and token:
            warn(exposure(host, running.port, token))
        if announce is not None:
            announce(running.url)
        if started is not None:
            started(running)
        if open_browser and room is None:
            webbrowser.open(running.url)
        running.run()
    finally:
        running.close()
