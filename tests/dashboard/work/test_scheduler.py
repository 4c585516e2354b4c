"""What is rendered goes on, unless the page shows something else and hardly anything of it is done."""

import threading
from typing import Any

import pytest

from circuits.units import Progress
from dashboard.app import Page
from dashboard.work.queue import CancelledError, Task
from tests.support.person import ANN, Person

WAIT = 5.0


class Slow:
    """A rendering that stands at a share of its work until it may end."""

    def __init__(self, share: int) -> None:
        self.share = share
        self.there, self.free, self.left = threading.Event(), threading.Event(), threading.Event()
        self.ended = ""

    def work(self, progress: Progress) -> None:
        """Report the share again and again, which is where it can be stopped."""
        try:
            while not self.free.wait(0.005):
                progress(self.share, 100, "")
                self.there.set()
            self.ended = "finished"
        except CancelledError:
            self.ended = "stopped"
            raise
        finally:
            self.left.set()


@pytest.mark.parametrize(
    ("share", "key", "ended"),
    [(20, "a b", "stopped"), (80, "a b", "finished"), (20, "a wanted", "finished")],
)
def test_a_rendering_that_no_page_shows_any_more_is_given_up_early_on(
    page: Page, ann: Person, monkeypatch: pytest.MonkeyPatch, share: int, key: str, ended: str
) -> None:
    background, slow = page.callbacks.work, Slow(share)
    background.rendering.want(ANN, [Task(key, "slow", slow.work)])
    assert slow.there.wait(WAIT)
    wanted = [Task("wanted", "other", lambda progress: None)]
    monkeypatch.setattr(background.pictures, "missing", lambda session, seen=(): wanted)
    tab_session: Any = page.callbacks.sessions.tab(ANN)
    background.pictures.want(tab_session)
    if ended == "finished":
        assert not slow.left.wait(0.05)
        slow.free.set()
    assert slow.left.wait(WAIT)
    assert slow.ended == ended
