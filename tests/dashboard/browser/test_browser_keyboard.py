"""The whole page with the keyboard alone: from a photo to a file, and the focus is always to be seen."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]

_SEEN = """() => {
    const at = document.activeElement;
    if (!at || at === document.body) return "nothing has the focus";
    const probe = Object.assign(document.createElement("i"), { style: "color: var(--focus)" });
    document.body.append(probe);
    const focus = getComputedStyle(probe).color;
    probe.remove();
    const marked = element => {
        const style = getComputedStyle(element);
        return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== "none"
            || style.stroke === focus;
    };
    const box = at.getBoundingClientRect();
    const name = at.getAttribute("aria-label") || at.id || at.textContent.slice(0, 40) || at.className;
    const shown = [at, at.parentElement, ...at.querySelectorAll("*"), at.closest("label") || at].some(marked)
        || [...(at.closest("label") || at).querySelectorAll("*")].some(marked);
    if (!shown) return `${name}: its focus is not to be seen`;
    const inside = box.bottom >= 0 && box.top <= innerHeight && box.right >= 0 && box.left <= innerWidth;
    return inside ? "" : `${name} is off the screen`;
}"""


class Typist:
    """Somebody without a mouse, who looks where the focus is after each key."""

    def __init__(self, tab: Any, expect: Any) -> None:
        self.tab, self.expect = tab, expect

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.tab.keyboard.press(key)

    def looks(self) -> None:
        """See where the focus is."""
        assert self.tab.evaluate(_SEEN) == ""

    def name(self) -> str:
        """What the thing that has the focus is called."""
        return str(
            self.tab.evaluate("""() => {
                const at = document.activeElement;
                return at.getAttribute("aria-label") || at.dataset.id || at.textContent || at.id;
            }""")
        )

    def go(self, wanted: str, *, key: str = "Tab", most: int = 120) -> None:
        """Press Tab until something of this name has the focus; it is to be seen at every stop."""
        for _ in range(most):
            self.tab.keyboard.press(key)
            if self.tab.evaluate("document.activeElement === document.body"):
                continue  # past the last control
            self.looks()
            if re.search(wanted, self.name()):
                return
        raise AssertionError(f"Tab does not lead to {wanted!r}; it is at {self.name()!r}.")


@pytest.fixture
def typist(open_tab: Open, served: str, expect: Any) -> Typist:
    """Somebody at the page, which has its predictions."""
    tab = open_tab(served)
    expect(tab.get_by_role("button", name=re.compile("^why ")).first).to_be_visible()
    return Typist(tab, expect)


@pytest.mark.long
def test_a_walk_through_the_whole_page_needs_no_mouse(typist: Typist) -> None:
    tab, expect, unit = typist.tab, typist.expect, typist.tab.locator(".unit")
    # What fires at a place of the photo, without pointing at it.
    typist.go("^What fires here")
    typist.press("Enter", "ArrowRight", "ArrowDown")
    typist.looks()
    typist.press("Enter")
    expect(tab.locator("#spot li")).not_to_have_count(0)
    typist.press("Escape")  # leaves the crosshair
    typist.looks()
    typist.press("Escape")
    expect(tab.locator("#spot li")).to_have_count(0)
    # Why: a class that is found by typing.
    typist.press("/")
    typist.looks()
    tab.keyboard.type("tree")
    expect(tab.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    typist.press("Enter")
    expect(tab.locator(".unit.root")).to_have_attribute("data-id", "fc:2")
    count = unit.count()
    # Down the graph, whose target has the focus; expand, discard, undo.
    expect(tab.locator(".unit.root")).to_be_focused()
    typist.looks()
    typist.press("ArrowDown")
    typist.looks()
    child = tab.evaluate("document.activeElement.dataset.id")
    assert child.startswith("c:")
    typist.press("Enter")
    expect(tab.locator("#unit .unit-title")).to_have_text(child)
    typist.press("ArrowDown")
    leaf = tab.evaluate("document.activeElement.dataset.id")
    assert leaf.startswith("b:")
    typist.press("e")
    expect(tab.locator(f'.unit[data-id="{leaf}"]')).to_have_class(re.compile("expanded"))
    typist.looks()
    typist.press("x")
    expect(tab.locator(f'.unit[data-id="{leaf}"]')).to_have_count(0)
    typist.looks()
    typist.press("Control+z", "Control+z")
    expect(unit).to_have_count(count)
    # An edge, and back.
    tab.locator(f'.unit[data-id="{child}"]').focus()
    typist.press("l")
    typist.looks()
    typist.press("Enter")
    expect(tab.locator("#unit")).to_contain_text("An edge of the circuit")
    typist.press("Escape")
    expect(tab.locator("#unit .unit-title")).to_have_text(leaf)
    # The wall of a layer: another unit.
    typist.go("^Layers$", key="Shift+Tab")
    typist.press("Enter")
    expect(tab.locator("#wall .unit-card").first).to_be_visible()
    typist.go(r"activation .* here")
    typist.press("ArrowRight")
    typist.looks()
    typist.press("Enter")
    expect(tab.locator('#wall .unit-card[aria-pressed="true"]')).to_have_count(1)
    # Two circuits side by side.
    typist.go("^Compare$", key="Shift+Tab")
    typist.press("Enter")
    typist.go("^Pin as left side")
    typist.press("Enter")
    expect(tab.get_by_text("Pinned: ")).to_be_visible()
    typist.press("/")
    tab.keyboard.type("bird")
    expect(tab.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    typist.press("Enter")
    expect(tab.locator(".unit.root")).to_have_attribute("data-id", "fc:5")
    # A file to keep.
    typist.go("^Export$")
    typist.press("Enter")
    typist.press("ArrowDown", "ArrowDown", "ArrowDown")  # after the link and the picture of the screen
    typist.looks()
    with tab.expect_download() as waiting:
        typist.press("Enter")
    assert json.loads(Path(waiting.value.path()).read_text("utf-8"))["graph"]["target"]["unit"] == "fc:5"


def test_a_question_mark_shows_all_keys_and_takes_them_away(typist: Typist) -> None:
    tab, expect = typist.tab, typist.expect
    typist.press("?")
    box = tab.get_by_role("dialog", name="Help")
    expect(box).to_contain_text("expand it; Shift e expands its whole layer")
    typist.looks()
    typist.press("Escape")
    expect(box).to_be_hidden()
    typist.go("^Help$")
    typist.press("Enter")
    expect(box).to_be_visible()
    typist.press("?")
    expect(box).to_be_hidden()
    # In a field it is a letter.
    typist.press("/", "?")
    expect(box).to_be_hidden()
    expect(tab.get_by_role("combobox", name=re.compile("Find"))).to_have_value("?")


def test_another_choice_begins_at_the_top_of_the_right_pane(typist: Typist) -> None:
    tab, expect = typist.tab, typist.expect
    tab.get_by_role("button", name="why tree?").click()
    expect(tab.locator(".unit.root")).to_be_visible()
    pane = tab.locator("#unit")
    expect(pane).to_contain_text("Pixels it depends on")
    pane.evaluate("pane => { pane.scrollTop = 300; }")
    tab.locator('.unit[data-id^="c:"]').first.click()
    expect(tab.locator("#unit .unit-title")).to_contain_text("c:")
    expect(pane).to_have_js_property("scrollTop", 0)


def test_the_graph_is_near_and_its_keys_work_wherever_no_field_has_the_focus(typist: Typist) -> None:
    tab, expect = typist.tab, typist.expect
    tab.get_by_role("button", name="why tree?").click()
    expect(tab.locator(".unit.root")).to_be_visible()
    tab.reload()
    expect(tab.locator(".unit.root")).to_be_visible()
    typist.go("^tree", most=5)
    expect(tab.locator(".unit.root")).to_be_focused()
    # From a button of a pane, on the unit that is chosen.
    child = tab.locator('.unit[data-id^="c:"]').first.get_attribute("data-id")
    tab.locator(f'.unit[data-id="{child}"] .frame').click()
    expect(tab.locator("#unit .unit-title")).to_have_text(child)
    tab.locator("#top-5").focus()
    typist.press("x")
    expect(tab.locator(f'.unit[data-id="{child}"]')).to_have_count(0)
    typist.press("Control+z")
    expect(tab.locator(f'.unit[data-id="{child}"]')).to_have_count(1)
    expect(tab.locator("#unit .unit-title")).to_have_text(child)
    typist.press("ArrowDown")
    leaf = tab.evaluate("document.activeElement.dataset.id")
    assert leaf.startswith("b:")
    typist.press("Enter")
    expect(tab.locator("#unit .unit-title")).to_have_text(leaf)
    tab.evaluate("document.activeElement.blur()")
    typist.press("e")
    expect(tab.locator(f'.unit[data-id="{leaf}"]')).to_have_class(re.compile("expanded"))
    typist.press("Escape")
    expect(tab.locator(".unit.selected")).to_have_count(0)
    # In a field they are letters.
    count = tab.locator(".unit").count()
    typist.press("/", "x", "e")
    expect(tab.get_by_role("combobox", name=re.compile("Find"))).to_have_value("xe")
    expect(tab.locator(".unit")).to_have_count(count)
