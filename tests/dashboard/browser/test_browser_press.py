"""A click counts although the server answers between press and release, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest


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
    """Press a button without letting go; the page may be making it anew, which `hover` waits for."""
    button.hover()
    tab.mouse.down()


@pytest.mark.parametrize("released", ["on the same button", "elsewhere"])
def test_a_button_that_is_made_anew_under_the_pointer_is_still_pressed(tab: Any, expect: Any, released: str) -> None:
    top = tab.locator("#top-8")
    expect(top).to_have_attribute("aria-pressed", "false")
    top.evaluate("button => { window.pressed = button; }")
    press(tab, top)
    # Another setting changes all of them.
    tab.evaluate("window.circuits.send('set', { signs: 'both' })")
    expect(tab.locator("#signs-both")).to_have_attribute("aria-pressed", "true")
    assert tab.evaluate("!window.pressed.isConnected")
    if released == "elsewhere":
        tab.locator("#top-12").hover()
    sent = tab.evaluate(
        "() => { window.sent = []; const set = window.dash_clientside.set_props; window.dash_clientside.set_props = "
        "(id, props) => { if (id === 'actions') window.sent.push(...props.data.queue.map(each => each.payload)); "
        "return set(id, props); }; return window.sent.length; }"
    )
    assert sent == 0
    tab.mouse.up()
    if released == "elsewhere":
        tab.wait_for_load_state("networkidle")
        assert tab.evaluate("window.sent.filter(payload => 'top' in payload)") == []
        expect(top).to_have_attribute("aria-pressed", "false")
    else:
        expect(top).to_have_attribute("aria-pressed", "true")
        assert set(tab.evaluate("window.sent.flatMap(payload => payload.top || [])")) == {8}
