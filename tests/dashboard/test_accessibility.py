"""Nothing in any state of the page keeps people out: axe-core's rules, in both themes."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

import circuits
from circuits.image.photo import Photo
from dashboard.app import Page
from tests.support.pretend import PaintedGallery, tiny_network
from tests.support.states import Stage, walk

GRAVE = ("serious", "critical")
STATES = 47
"""So many the walk leads through, so that none gets lost."""
THEMES = {"light": "{}", "dark": "{runOnly: ['color-contrast']}"}
"""The rules for each theme; all but one do not depend on it."""


@pytest.fixture
def stage(
    open_tab: Callable[..., Any], served: str, expect: Any, page: Page, gallery: PaintedGallery, photo: Photo
) -> Stage:
    """A tab on the tiny network, and a circuit of another one."""
    outside_unit = circuits.trace(tiny_network(seed=1, name="outside_unit"), photo, "dog", depth=2, top=3)
    return Stage(open_tab(served, tolerant=True), expect, page, gallery, outside_unit)


def test_no_state_of_the_page_has_a_grave_fault(stage: Stage) -> None:
    tab = stage.tab
    tab.evaluate(Axe().axe_script)
    found, states = set(), []
    for state in walk(stage):
        states.append(state)
        for theme, rules in THEMES.items():
            tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
            stage.expect(tab.locator("html")).to_have_attribute("data-theme", theme)
            faults = tab.evaluate(f"axe.run({rules}).then(found => found.violations)")
            found |= {
                f"{state}, {theme}: {fault['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
                for fault in faults
                if fault["impact"] in GRAVE
                for node in fault["nodes"]
            }
    assert not found, "\n".join(sorted(found))
    assert len(set(states)) == len(states) == STATES
