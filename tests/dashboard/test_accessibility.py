"""Nothing in any state of the page keeps people out: axe-core's rules, in both themes."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

import circuits
from circuits.image.photo import Photo
from dashboard.app import Page
from tests.support.places import outcome
from tests.support.pretend import PaintedGallery, tiny_network
from tests.support.states import Stage, walk

GRAVE = ("serious", "critical")
STATES = 47
"""So many the walk leads through, so that none gets lost."""
THEMES = ("light", "dark")
REST = "{rules: {'color-contrast': {enabled: false}}, resultTypes: ['violations'], preload: false}"
"""All rules but that of contrast, which alone depends on the theme."""
CONTRAST = """theme => {
    // A contrast depends on styles, these on names and attributes up to the root: what is alike was looked at already.
    const known = (window.lookedAt ??= {})[theme] ??= new Set();
    const free = /^(id|title|aria-label|data-|src|href)/;
    const own = element => [...element.attributes].filter(({name}) => !free.test(name))
        .map(({name, value}) => name + value).join() + [":focus", ":disabled", ":nth-child(even)", ":hover"]
        .map(state => element.matches(state)).join();
    const all = new Map([[null, ""]]);
    const looks = element => {
        if (!all.has(element)) all.set(element, `${element.tagName} ${own(element)} < ${looks(element.parentElement)}`);
        return all.get(element);
    };
    const worded = element => element.matches("input, textarea, select")
        || [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    const include = [...document.body.querySelectorAll("*")].filter(element => {
        if (!element.checkVisibility() || !worded(element)) return false;
        const look = looks(element);
        return !known.has(look) && known.add(look);
    });
    return include.length
        ? axe.run({include}, {runOnly: ["color-contrast"], preload: false}).then(found => found.violations) : [];
}"""


@pytest.fixture
def stage(
    open_tab: Callable[..., Any], served: str, expect: Any, page: Page, gallery: PaintedGallery, photo: Photo
) -> Stage:
    """A tab on the tiny network, and a circuit of another one."""
    outside_unit = circuits.trace(tiny_network(seed=1, name="outside_unit"), photo, "dog", depth=2, top=3)
    return Stage(open_tab(served, tolerant=True), expect, page, gallery, outside_unit)


@pytest.mark.long
def test_no_state_of_the_page_has_a_grave_fault(stage: Stage) -> None:
    tab = stage.tab
    tab.evaluate(Axe().axe_script)
    found, states = set(), []
    for state in walk(stage):
        states.append(state)
        for theme in THEMES:
            tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
            stage.expect(tab.locator("html")).to_have_attribute("data-theme", theme)
            faults = outcome(tab, CONTRAST, theme)
            if theme == THEMES[0]:
                faults += outcome(tab, f"() => axe.run({REST}).then(found => found.violations)")
            found |= {
                f"{state}, {theme}: {fault['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
                for fault in faults
                if fault["impact"] in GRAVE
                for node in fault["nodes"]
            }
    assert not found, "\n".join(sorted(found))
    assert len(set(states)) == len(states) == STATES
