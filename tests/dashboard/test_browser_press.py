"""A click counts although the server answers between press and release, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest

from dashboard.parting import PARTS


@pytest.fixture
def tab(open_tab: Callable[..., Any], served: str, expect: Any) -> Any:
    """The page, with a circuit on it."""
    opened = open_tab(served)
    opened.locator("#predictions").get_by_role("button", name="why tree?").click()
    expect(opened.locator(".unit.root")).to_have_count(1)
    expect(opened.locator("#unit .unit-title")).to_have_text("tree")
    opened.wait_for_load_state("networkidle")
    return opened


def press(tab: Any, button: Any) -> None:
    """Press a button without letting go."""
    box = button.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()


def test_a_button_that_did_not_change_is_not_made_anew(tab: Any, expect: Any) -> None:
    tab.evaluate("window.kept = [...document.querySelectorAll('#predictions button, #settings button, #photo button')]")
    other = tab.locator(".unit:not(.root)").first
    other.click()
    expect(tab.locator("#unit .unit-title")).to_have_text(other.get_attribute("data-id"))
    assert tab.evaluate("window.kept.length > 10 && window.kept.every(button => button.isConnected)")


@pytest.mark.parametrize("released", ["on the same button", "elsewhere"])
def test_a_button_that_is_made_anew_under_the_pointer_is_still_pressed(tab: Any, expect: Any, released: str) -> None:
    top = tab.locator("#top-8")
    expect(top).to_have_attribute("aria-pressed", "false")
    top.evaluate("button => { window.pressed = button; }")
    press(tab, top)
    # Another setting changes all of them.
    tab.evaluate("window.circuits.send('set', 'signs=both')")
    expect(tab.locator("#signs-both")).to_have_attribute("aria-pressed", "true")
    assert tab.evaluate("!window.pressed.isConnected")
    if released == "elsewhere":
        press_free = tab.locator("#top-12").bounding_box()
        tab.mouse.move(press_free["x"] + 5, press_free["y"] + 5)
    sent = tab.evaluate(
        "() => { window.sent = []; const set = window.dash_clientside.set_props; window.dash_clientside.set_props = "
        "(id, props) => { if (id === 'actions') window.sent.push(...props.data.queue.map(each => each.subject)); "
        "return set(id, props); }; return window.sent.length; }"
    )
    assert sent == 0
    tab.mouse.up()
    if released == "elsewhere":
        tab.wait_for_load_state("networkidle")
        assert tab.evaluate("window.sent.filter(subject => /^top=/.test(subject))") == []
        expect(top).to_have_attribute("aria-pressed", "false")
    else:
        expect(top).to_have_attribute("aria-pressed", "true")
        assert set(tab.evaluate("window.sent.filter(subject => /^top=/.test(subject))")) == {"top=8"}


def test_answers_that_crossed_are_noticed_and_the_page_is_asked_for_anew(tab: Any, expect: Any) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.post_data or ""))
    tab.evaluate(
        "window.circuits.follow(view => { window.shown = view; document.body.dataset.kept = view.kept.length; });"
        "window.circuits.send('refresh');"
    )
    body = tab.locator("body")
    expect(body).to_have_attribute("data-kept", str(len(PARTS)))
    tab.evaluate(
        "window.dash_clientside.set_props('view', "
        "{ data: { ...window.shown, parts: { ...window.shown.parts, story: 'of an answer that was lost' } } })"
    )
    expect(body).to_have_attribute("data-kept", "0")
    assert any('"parts":{}' in body for body in asked)
    expect(tab.locator("#story")).to_contain_text("Why tree")
