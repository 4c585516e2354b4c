"""A browser that was opened before the page was there gets the page, without anybody's doing."""

from collections.abc import Callable
from typing import Any

from dashboard.app import Page
from dashboard.server import Running
from dashboard.waiting import WaitingRoom
from tests.support import serving


def test_the_page_comes_by_itself(page: Page, open_tab: Callable[..., Any], expect: Any) -> None:
    with WaitingRoom("127.0.0.1", 0, "Loading PyTorch.") as room:
        tab = open_tab(room.url)
        expect(tab.get_by_text("Loading PyTorch.")).to_be_visible()
        with serving.served(Running(page, host="127.0.0.1", port=0, listening=room.hand_over())):
            expect(tab.get_by_role("button", name="Help", exact=True)).to_be_visible()
            tab.close()


def test_it_says_that_the_program_has_stopped(open_tab: Callable[..., Any], expect: Any) -> None:
    with WaitingRoom("127.0.0.1", 0, "Loading PyTorch.") as room:
        tab = open_tab(room.url, tolerant=True)
        expect(tab.get_by_text("Loading PyTorch.")).to_be_visible()
    expect(tab.get_by_text("circuits has stopped.")).to_be_visible()
