"""The page while the program starts: there at once, light, and gone when the real one is there."""

import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any
from urllib import request
from urllib.request import Request

import pytest
from typer.testing import CliRunner

from circuits import InputError
from circuits.cli.main import app
from dashboard import waiting
from dashboard.waiting import STARTING, WaitingRoom
from tests.support import limits

SAID = "Loading PyTorch."
fetch = partial(request.urlopen, timeout=limits.PATIENCE)
connect = partial(socket.create_connection, timeout=limits.PATIENCE)


@pytest.fixture
def room() -> Iterator[WaitingRoom]:
    with WaitingRoom("127.0.0.1", 0, SAID) as made:
        yield made


def test_it_says_what_is_under_way(room: WaitingRoom) -> None:
    with fetch(room.url) as answer:
        assert SAID in answer.read().decode()
        assert answer.headers[STARTING] == "1"
        assert answer.headers["Cache-Control"] == "no-store"
    with fetch(Request(f"{room.url}any/thing", method="HEAD")) as answer:
        assert answer.read() == b""
        assert answer.headers[STARTING] == "1"


def test_whoever_says_nothing_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_PATIENCE", 0.05)
    with WaitingRoom("127.0.0.1", 0, SAID) as room:
        port = int(room.url.rsplit(":", 1)[1].strip("/"))
        with connect(("127.0.0.1", port)) as silent, fetch(room.url) as answer:
            assert SAID in answer.read().decode()
            silent.sendall(b"GET / HT")


def test_whoever_dribbles_keeps_nobody_waiting() -> None:
    """Neither the next one, nor the real page."""
    with WaitingRoom("127.0.0.1", 0, SAID) as room:
        port = int(room.url.rsplit(":", 1)[1].strip("/"))
        silent = [connect(("127.0.0.1", port)) for _ in range(20)]
        silent[0].sendall(b"G")
        with fetch(room.url) as answer:
            assert SAID in answer.read().decode()
        room.hand_over()
        for each in silent:
            each.close()


class Ready(BaseHTTPRequestHandler):
    """The real page, in the room's place."""

    def do_GET(self) -> None:  # http.server's name
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ready")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_the_page_is_served_at_the_same_socket(room: WaitingRoom) -> None:
    """Also to whoever knocked in between."""
    port = int(room.url.rsplit(":", 1)[1].strip("/"))
    listening = room.hand_over()
    with connect(("127.0.0.1", port)) as between:
        between.sendall(b"GET / HTTP/1.0\r\n\r\n")
        server = TCPServer(("127.0.0.1", port), Ready, bind_and_activate=False)
        server.socket.close()
        server.socket = listening
        with server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            assert between.makefile("rb").read().endswith(b"ready")
            with fetch(room.url) as answer:
                assert answer.read() == b"ready"
                assert STARTING not in answer.headers
            server.shutdown()
            limits.join(thread)


def test_a_port_that_is_taken_is_refused(room: WaitingRoom) -> None:
    port = int(room.url.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(InputError, match=f"Port {port} of 127.0.0.1 is taken"):
        WaitingRoom("127.0.0.1", port, SAID)


def test_others_are_let_in_by_the_real_page_alone() -> None:
    with pytest.raises(InputError, match="can be reached by others"):
        WaitingRoom("0.0.0.0", 0, SAID)


def test_nothing_heavy_is_imported() -> None:
    """Or it would not be there before what it waits for."""
    heavy = ("torch", "numpy", "dash", "flask")
    code = f"import sys, dashboard.waiting; print([name for name in {heavy} if name in sys.modules])"
    assert limits.python("-c", code).stdout == "[]\n"


def test_explore_opens_it_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms: list[WaitingRoom] = []
    found: list[object] = []

    class Entry:
        def load(self) -> Any:
            def opened(*arguments: Any, **options: Any) -> WaitingRoom:
                rooms.append(WaitingRoom(*arguments, **options))
                return rooms[-1]

            return opened

    def serve(*_: object, room: WaitingRoom, **options: Any) -> None:
        with fetch(room.url) as answer:
            found.append((answer.headers[STARTING], options["open_browser"]))

    monkeypatch.setattr("circuits.cli.explore._rooms", lambda: [Entry()])
    monkeypatch.setattr("circuits.explorer.find_explorer", lambda: serve)
    CliRunner().invoke(app, ["explore", "--port", "0", "--no-browser"])
    assert found == [("1", False)]
    with pytest.raises(OSError, match="refused"):
        fetch(rooms[0].url)


def test_what_cannot_be_explored_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there is refused before a browser is."""
    monkeypatch.setattr("circuits.cli.explore._rooms", lambda: pytest.fail("a room was opened"))
    result = CliRunner().invoke(app, ["explore", "missing.png"])
    assert result.exit_code == 2
