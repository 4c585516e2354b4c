"""The one browser of the tests, which is ended and started anew where it has stopped answering.

Playwright limits how long most of its calls take, but neither opening nor closing a page, in which Chromium, begun on a
machine that is busy, sometimes never comes to an end. Its synchronous form allows no second browser.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
OPENS = 30.0
"""Seconds in which a page is opened or closed, which takes two at most."""


class Chromium:
    """Chromium through playwright.

    Args:
        playwright: what starts it.
        program: its file.
    """

    def __init__(self, playwright: Any, program: str) -> None:
        self._playwright, self._program = playwright, program
        self._running: Any = None
        self._process = 0
        self._was_ended = False
        self.began = 0

    def new_page(self, **options: Any) -> Any:
        """A page of a person of their own, with the options of playwright; whoever opens it closes it."""
        for _ in range(3):
            with self._limited():
                return self._browser().new_page(**options)
        raise AssertionError(f"Chromium has opened no page within {OPENS:g} s, three times one after the other.")

    def close_page(self, page: Any) -> None:
        """Close a page and all that was opened from it."""
        if not page.is_closed():
            with self._limited():
                page.close()

    def close(self) -> None:
        """End the browser."""
        if self._running is not None:
            with self._limited():
                self._running.close()

    def _browser(self) -> Any:
        if self._running is None:
            self._running = self._playwright.chromium.launch(executable_path=self._program, headless=True, args=FLAGS)
            told = self._running.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
            [self._process] = [each["id"] for each in told if each["type"] == "browser"]
            self.began += 1
        return self._running

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """End the browser if the block takes too long; what fails of it because of that fails without a word."""
        from playwright.sync_api import Error

        late = threading.Timer(OPENS, self._end)
        late.start()
        try:
            yield
        except Error:
            if not self._was_ended:
                raise
        finally:
            late.cancel()
            late.join(OPENS)
            if self._was_ended:
                self._running, self._was_ended = None, False

    def _end(self) -> None:
        self._was_ended = True
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGKILL)
