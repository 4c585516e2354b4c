"""Serve the page with waitress: one process, some threads, on this machine only unless told otherwise."""

import errno
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

import platformdirs
from waitress.channel import HTTPChannel

from circuits.errors import InputError
from circuits.explorer import OtherNetwork
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from dashboard.app import Page, PageSettings, create_page
from dashboard.connections import PageServer
from dashboard.security import MAX_BODY, is_local, new_token, own_address

__all__ = ["PORT", "Running", "PageSettings", "serve", "start"]

PORT = 8050


class Running:
    """A server that is bound to its port: `run` serves until it is stopped, `close` frees everything.

    Args:
        page: the page that it serves.
        host: address to bind to.
        port: port to bind to; 0 for any free one.

    Raises:
        InputError: if the port is taken or cannot be used.
    """

    def __init__(self, page: Page, *, host: str, port: int) -> None:
        self.page = page
        self._looping = threading.Event()
        try:
            self._socket = _bound(host, port)
        except InputError:
            page.close()
            raise
        self._server = PageServer(page.dash.server, self._socket, largest=MAX_BODY + 2**20)
        self.port = self._socket.getsockname()[1]
        self.url = address(host, self.port, page.token)

    def run(self) -> None:
        """Serve until `close`, or until the person presses Ctrl-C."""
        self._looping.set()
        try:
            self._server.run()
        finally:
            self._looping.clear()

    def close(self) -> None:
        """Stop serving and end the workers, with work under way; `run` returns in the thread that it runs in."""
        self.page.close()
        if self._looping.is_set():
            # In the loop's own thread: it must not wait on a socket that another one closes.
            self._server.trigger.pull_trigger(self._end)
        else:
            self._end()
        self._server.task_dispatcher.shutdown(timeout=1)

    def _end(self) -> None:
        """Close every connection, what is buffered for it, and the socket; the loop ends when none is left."""
        for channel in list(self._server._map.values()):
            # A connection has buffers to free; of anything else waitress logs that its end was not expected.
            end = channel.handle_close if isinstance(channel, HTTPChannel) else channel.close
            end()


def address(host: str, port: int, token: str = "") -> str:
    """Where a browser on this machine opens what is served at a host.

    Example:
        >>> address("0.0.0.0", 8050), address("::", 80, "abc"), address("fe80::1%eth0", 8050)
        ('http://127.0.0.1:8050/', 'http://[::1]:80/?token=abc', 'http://[fe80::1%25eth0]:8050/')
    """
    shown = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)
    if ":" in shown:
        shown = f"[{shown.replace('%', '%25')}]"
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")


def exposure(host: str, port: int, token: str) -> str:
    """What it means that a page is served at an address that other machines can reach."""
    others = own_address() if host in ("0.0.0.0", "::", "") else host
    return (
        f"The page listens at {host}, so other machines of this network can reach it. Whoever has its whole address "
        "can see the photos and circuits on it and have this machine compute; the connection is not encrypted. "
        f"For others it is {address(others, port, token)}"
    )


def _bound(host: str, port: int) -> socket.socket:
    """A socket bound to an address.

    Raises:
        InputError: if it cannot be; the sentence says why and what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let two servers share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        # waitress only serves; without this a second server could bind the same port.
        made.listen(1024)
    except (OSError, OverflowError) as error:
        made.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise InputError(
                f"Port {port} of {host} is taken by another program; choose another with --port, "
                "or any free one with --port 0."
            ) from error
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The page cannot be served at {host}, port {port}: {reason}.") from error
    return made


def start(settings: PageSettings, *, port: int = PORT) -> Running:
    """A server for a page, bound but not yet running.

    Raises:
        InputError: if the port is taken; the sentence names `--port`.
    """
    return Running(create_page(settings), host=settings.host, port=port)


def serve(
    network: Network,
    *,
    photo: Photo | None = None,
    circuit: Circuit | None = None,
    label: str = "",
    others: Sequence[OtherNetwork] = (),
    exemplars: Path | None = None,
    port: int = PORT,
    host: str = "127.0.0.1",
    open_browser: bool = True,
    announce: Callable[[str], None] | None = None,
    warn: Callable[[str], None] | None = None,
    started: Callable[["Running"], None] | None = None,
) -> None:
    """Serve the page of a network until Ctrl-C, or until what `started` was told is closed.

    Args:
        network: what it explores.
        photo: the photo that it opens with; the example cat if `None`.
        circuit: a circuit that it opens with.
        label: what the page calls the network; its name if "".
        others: further networks that can be chosen on the page.
        exemplars: a folder of photos, of which the page shows what units fire on, or an index of them.
        port: 0 for any free one.
        host: address to listen at; if other machines can reach it, the page's address holds a random token, without
            which the page lets nobody in.
        open_browser: open it in the person's browser.
        announce: called with the page's address as soon as it can be opened.
        warn: called with a sentence that says who can reach the page, if other machines can.
        started: called with the server, which can be closed from another thread.

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
    )
    running = start(settings, port=port)
    try:
        if warn is not None and token:
            warn(exposure(host, running.port, token))
        if announce is not None:
            announce(running.url)
        if started is not None:
            started(running)
        if open_browser:
            webbrowser.open(running.url)
        running.run()
    finally:
        running.close()
