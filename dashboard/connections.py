"""Connections to the server: how many there may be, and how long each may take for what it wants.

A browser keeps up to six connections open, and what waits costs no thread; but whoever opens many, says half a sentence
on each and leaves must not keep others out. So the server always takes a new connection:

1. One that says nothing, or has not said all of its request in time, is closed.
2. Where as many are open as there may be, the one that has been waiting longest is closed for a new one.
3. One that does not take its answer for a while is closed, and the thread that writes it goes on.

The thread that the loop runs in closes all that it waits for, and nobody else does: the number of a closed file is soon
that of another one, which is not to be waited for, written into or closed.
"""

import os
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

THREADS = 12
MOST = 512
IDLE = 60.0
HEAD = 10.0
BODY = 180.0
UNREAD = 30.0
"""Seconds that a connection may be idle, take for the head and for all of a request, and leave its answer unread."""


class Connection(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection that knows since when it has been waited for."""

    since = 0.0
    """When the request that has begun to come in began, or else when the last thing happened."""

    def received(self, data: bytes) -> Any:
        """Take in a part of a request."""
        if self.request is None:
            self.since = time.time()
        return super().received(data)

    def waiting(self, now: float) -> float:
        """For how many seconds it has been waited for; less than nothing while its request is being answered."""
        if self.requests:
            return -1.0
        return now - (self.since if self.request is not None else max(self.creation_time, self.last_activity))

    def is_late(self, now: float) -> bool:
        """Whether it has taken longer than it may."""
        if self.total_outbufs_len and now - self.last_activity > UNREAD:
            return True
        if self.request is None:
            return self.waiting(now) > IDLE
        return self.waiting(now) > (BODY if self.request.headers_finished else HEAD)


class PageServer(TcpWSGIServer):  # type: ignore[misc]
    """waitress, with the limits above.

    Args:
        application: what it serves.
        made: the socket, which is bound and listens.
        largest: bytes of the largest request.
    """

    channel_class = Connection

    def __init__(self, application: Any, made: socket.socket, *, largest: int) -> None:
        self.most = most_connections()
        limits = Adjustments(
            sockets=[made], threads=THREADS, max_request_body_size=largest, max_request_header_size=2**16,
            # Its own limit would take no new ones; `handle_accept` makes room for them. What is unread waits in a file.
            connection_limit=self.most + 64, cleanup_interval=2, outbuf_high_watermark=2**30, asyncore_use_poll=True,
            clear_untrusted_proxy_headers=True, ident=None,
        )  # fmt: skip
        address = (made.family, made.type, made.proto, made.getsockname())
        super().__init__(application, {}, True, made, adj=limits, bind_socket=False, sockinfo=address)
        self._state = threading.Lock()  # of the three below
        self._looping = self._stopped = self._ended = False
        os.set_blocking(self.trigger.trigger, False)  # a full pipe wakes the loop as it is

    def run(self) -> None:
        """Serve until `stop`, or until the person presses Ctrl-C, and close every connection and the socket."""
        with self._state:
            if self._stopped:
                return
            self._looping = True
        try:
            while self._map and not self._stopped:
                self.asyncore.loop(self.adj.asyncore_loop_timeout, self.adj.asyncore_use_poll, self._map, 1)
        except (KeyboardInterrupt, SystemExit):
            pass
        finally:
            self._end()

    def stop(self) -> None:
        """Have the loop end, and what it waits for closed, in its own thread if there is one; it may have ended."""
        with self._state:
            self._stopped = True
            looping = self._looping
        if looping:
            self.pull_trigger()
        else:
            self._end()

    def pull_trigger(self) -> None:
        """Wake the loop, if there still is one."""
        with self._state, suppress(BlockingIOError):
            if not self._ended:
                self.trigger.pull_trigger()

    def _end(self) -> None:
        with self._state:
            if not self._ended:
                self._ended = True
                self.trigger.close()
        for channel in list(self._map.values()):
            # A connection has buffers to free; of anything else waitress logs that its end was not expected.
            end = channel.handle_close if isinstance(channel, HTTPChannel) else channel.close
            end()

    def handle_accept(self) -> None:
        """Take a connection, and close the one that has been waiting longest if there are too many."""
        super().handle_accept()
        now = time.time()
        if len(self.active_channels) > self.most:
            channel = max(self.active_channels.values(), key=lambda each: each.waiting(now))
            if channel.waiting(now) >= 0:
                channel.handle_close()

    def maintenance(self, now: float) -> None:
        """Have the connections that are late closed: soon, for now the loop is going through all of them."""
        with suppress(BlockingIOError):
            self.trigger.pull_trigger(partial(self.close_late, now))

    def close_late(self, now: float) -> None:
        """Close the connections that are late."""
        for channel in [each for each in self.active_channels.values() if each.is_late(now)]:
            channel.handle_close()


def most_connections() -> int:
    """How many connections there may be: half of the files that the process may open, which they share."""
    if sys.platform == "win32":
        return MOST
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if files < 0 else max(32, min(MOST, files // 2))
