"""A server in a thread, for as long as a test needs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dashboard.server import Running
from tests.support.limits import join


@contextmanager
def served(running: Running) -> Iterator[Running]:
    """A server that runs in a thread while the block does, and has closed all of its own after it."""
    thread = threading.Thread(target=running.run, name=f"server of {running.url}", daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.close()
        join(thread)
