"""What the tests wait for in vain is ended, and the next one gets another."""

import os
import signal
import threading

import pytest

from tests.support import chromium, limits


def test_a_browser_that_opens_no_page_is_ended_and_another_one_opens_it(
    browser: chromium.Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.close_page(browser.new_page())
    began = browser.began
    monkeypatch.setattr(chromium, "OPENS", 4.0)
    os.kill(browser._process, signal.SIGSTOP)
    page = browser.new_page()
    assert browser.began == began + 1
    assert page.evaluate("1 + 1") == 2
    browser.close_page(page)


def test_what_does_not_happen_is_a_sentence() -> None:
    with pytest.raises(AssertionError, match=r"^Within 0\.01 s it has not happened that pigs fly\.$"):
        limits.until(lambda: False, "pigs fly", 0.01)
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait, args=(limits.PATIENCE,), name="sleeper")
    thread.start()
    with pytest.raises(AssertionError, match=r"^The thread sleeper has not ended within 0\.01 s\.$"):
        limits.join(thread, 0.01)
    gate.set()
    limits.join(thread)
