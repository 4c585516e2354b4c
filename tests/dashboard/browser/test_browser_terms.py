"""Terms of the glossary in a real browser: by mouse, by keyboard and by touch."""

from collections.abc import Callable
from typing import Any

import pytest

from dashboard.glossary import meanings
from tests.dashboard.browser.test_browser import unit, why

Open = Callable[..., Any]


@pytest.fixture
def tab(open_tab: Open, served: str, expect: Any) -> Any:
    """The page with the circuit of `tree`, whose target is chosen."""
    opened = open_tab(served)
    why(opened, expect)
    unit(opened, "fc:2").click()
    return opened


def test_a_term_says_what_it_means_while_it_is_pointed_at_or_has_the_focus(tab: Any, expect: Any) -> None:
    word, tip = tab.locator("#unit .term", has_text="circuit"), tab.get_by_role("tooltip")
    expect(tip).to_have_count(0)
    word.hover()
    expect(tip).to_have_text(meanings()["circuit"])
    expect(word).to_have_attribute("aria-describedby", "term-tip")
    tab.mouse.move(0, 0)
    expect(tip).to_have_count(0)
    word.focus()
    expect(tip).to_have_text(meanings()["circuit"])
    tab.keyboard.press("Escape")
    expect(tip).to_have_count(0)
    expect(word).to_be_focused()
    expect(unit(tab, "fc:2")).to_have_attribute("aria-pressed", "true")
    word.press("Enter")
    expect(tip).to_have_text(meanings()["circuit"])
    tab.keyboard.press("Tab")
    expect(word).not_to_have_attribute("aria-describedby", "term-tip")


def test_a_tap_shows_the_meaning_inside_the_screen_and_another_closes_it(tab: Any, expect: Any) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    word, tip = tab.locator("#unit .term", has_text="target").first, tab.get_by_role("tooltip")
    word.evaluate("word => word.scrollIntoView({ block: 'center' })")
    word.dispatch_event("click")
    expect(tip).to_have_text(meanings()["target"])
    box = tip.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert 0 <= box["y"] <= 844 - box["height"]
    # A pane that is made anew, as when an answer comes in, keeps it.
    word.evaluate("word => { window.old = word; word.replaceWith(window.again = word.cloneNode(true)); }")
    expect(word).to_have_attribute("aria-describedby", "term-tip")
    expect(tip).to_have_text(meanings()["target"])
    tab.evaluate("window.again.replaceWith(window.old)")
    expect(word).to_have_attribute("aria-describedby", "term-tip")
    tab.locator("#unit .unit-title").dispatch_event("pointerover")
    expect(tip).to_have_count(0)
