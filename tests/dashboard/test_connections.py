"""Who opens many connections, or says half a request, keeps nobody out: with real sockets against the real server."""

import contextlib
import http.client
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dashboard.app import Page
from dashboard.connections import BODY, HEAD, IDLE, UNREAD, Connection, PageServer
from dashboard.server import Running
from tests.support import serving

HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
SLOW = b"POST /leave HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\nabc"


@pytest.fixture
def running(page: Page) -> Iterator[Running]:
    with serving.served(Running(page, host="127.0.0.1", port=0)) as made:
        yield made


def connect(running: Running, said: bytes = b"") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", running.port), timeout=20)
    made.sendall(said)
    return made


def status(running: Running, path: str = "/alive") -> int:
    """What a browser that comes now is answered."""
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status


def is_closed(connection: socket.socket) -> bool:
    with contextlib.suppress(ConnectionError):
        return connection.recv(1) == b""
    return True


def after(running: Running, seconds: float) -> None:
    """Have the server look after its connections as if so much time had passed."""
    server, done = running._server, threading.Event()
    server.trigger.pull_trigger(lambda: (server.close_late(time.time() + seconds), done.set()))
    assert done.wait(20)


@pytest.mark.parametrize("said", [b"", HALF, SLOW, b"\r\n", b"GET"], ids=["idle", "half", "slow", "empty", "word"])
def test_more_connections_than_there_may_be_keep_nobody_out(
    running: Running, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running._server, "most", 100)
    with contextlib.ExitStack() as open_ones:
        held = [open_ones.enter_context(connect(running, said)) for _ in range(150)]
        assert status(running) == 204
        assert status(running, "/") == 200
        assert len(running._server.active_channels) <= 100
        assert is_closed(held[0])  # the one that has waited longest


def test_as_many_as_a_dozen_browsers_keep_stay_open(running: Running) -> None:
    assert running._server.most >= 128
    with contextlib.ExitStack() as open_ones:
        held = [open_ones.enter_context(connect(running)) for _ in range(95)]
        assert status(running) == 204
        for connection in held:
            connection.sendall(b"GET /alive HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 204"


@pytest.mark.parametrize(("said", "seconds"), [(b"", IDLE), (HALF, HEAD), (SLOW, BODY)], ids=["idle", "half", "slow"])
def test_what_takes_too_long_is_closed_and_not_before(running: Running, said: bytes, seconds: float) -> None:
    with connect(running, said) as connection:
        assert status(running) == 204  # so that what was said has arrived
        after(running, seconds - 5)
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(20)
        after(running, seconds + 1)
        assert is_closed(connection)


def test_a_letter_now_and_then_is_no_request(running: Running) -> None:
    """What counts is when a request began, not when a part of it came last."""
    with connect(running, HALF) as connection:
        assert status(running) == 204
        channel = next(each for each in channels(running) if each.request is not None)
        began = channel.since
        connection.sendall(b"X")
        assert status(running) == 204
        assert channel.since == began


def test_who_does_not_take_an_answer_holds_no_thread(running: Running) -> None:
    ask = b"GET /_dash-component-suites/plotly/package_data/plotly.min.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with contextlib.ExitStack() as open_ones:
        for _ in range(30):
            open_ones.enter_context(connect(running, ask))
        assert status(running) == 204
        after(running, UNREAD + 1)
        assert status(running) == 204


def test_a_server_that_was_closed_leaves_files_alone_that_were_opened_since(page: Page, tmp_path: Path) -> None:
    """Their numbers may be those of its own."""
    with serving.served(Running(page, host="127.0.0.1", port=0)) as running:
        assert status(running) == 204
        number = running._server.trigger.trigger
    with (tmp_path / "mine").open("w+b") as file:
        os.dup2(file.fileno(), number)
        running._server.pull_trigger()  # as a thread does that has answered late
        running.close()
        assert os.fstat(number).st_size == 0
        os.close(number)


def test_closed_before_it_runs_it_does_not_run(page: Page) -> None:
    running = Running(page, host="127.0.0.1", port=0)
    running.close()
    running.run()
    with pytest.raises(ConnectionRefusedError):
        connect(running)


def channels(running: Running) -> list[Connection]:
    server: PageServer = running._server
    return list(server.active_channels.values())
