"""The switch between channels and groups in a real browser."""

import re
from collections.abc import Callable
from typing import Any


def test_the_switch_explains_the_same_target_by_groups_and_back(
    open_tab: Callable[..., Any], served: str, expect: Any
) -> None:
    tab = open_tab(served)
    tab.get_by_role("button", name=re.compile("^why ")).first.click()
    expect(tab.locator(".unit.root")).to_have_count(1)
    target = tab.locator(".unit.root .name").inner_text()
    switch = tab.locator("#units-switch")
    expect(switch.get_by_role("button", name="Channels")).to_have_attribute("aria-pressed", "true")
    expect(switch.get_by_role("group", name="Groups a layer")).to_have_count(0)

    switch.get_by_role("button", name="Groups", exact=True).click()
    residual = tab.locator('.unit[data-id="c/rest"]')
    expect(residual).to_be_visible()
    expect(residual).to_have_class(re.compile(r"\bresidual\b"))
    expect(residual.locator(".name")).to_have_text("not in any group")
    expect(tab.locator(".unit.root .name")).to_have_text(target)
    expect(tab.locator("#story")).to_contain_text("The 8 groups of c hold")
    # The residual is on the right of all others of its layer.
    boxes = tab.locator('.unit[data-id^="c/"]').evaluate_all(
        "units => units.map(unit => [unit.dataset.id, unit.getBoundingClientRect().left])"
    )
    places = dict(boxes)
    assert places["c/rest"] == max(places.values())

    switch.get_by_role("button", name="4", exact=True).click()
    expect(tab.locator("#story")).to_contain_text("The 4 groups of c hold")
    expect(switch.get_by_role("button", name="4", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(tab.locator('.unit[data-id="c/rest"]')).to_be_visible()

    group = tab.locator('.unit[data-id^="c/"]:not(.residual)').first
    group.click()
    member = tab.locator("#members-section .open-channel").first
    expect(member).to_be_visible()
    number = member.locator(".numbers").inner_text()
    member.click()
    expect(tab.locator("#middle")).to_have_attribute("data-page", "layers")
    expect(tab.locator("#unit .unit-title")).to_have_text(f"c:{number}")

    tab.get_by_role("button", name="Circuit", exact=True).click()
    switch.get_by_role("button", name="Channels").click()
    expect(tab.locator(".unit.residual")).to_have_count(0)
    expect(tab.locator('.unit[data-id^="c:"]').first).to_be_visible()
    expect(tab.locator(".unit.root .name")).to_have_text(target)
