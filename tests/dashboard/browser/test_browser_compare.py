"""Two circuits side by side in a real browser."""

import re
from collections.abc import Callable
from typing import Any

import pytest

import circuits
from circuits.image.photo import Photo
from tests.dashboard.browser.test_browser import unit, why
from tests.support.pretend import PaintedGallery, tiny_network

Open = Callable[..., Any]


@pytest.fixture
def tab(open_tab: Open, served: str, expect: Any) -> Any:
    """The page with the circuit of `tree`."""
    opened = open_tab(served)
    why(opened, expect)
    return opened


def compare(tab: Any) -> Any:
    """Go to the comparison."""
    tab.get_by_role("button", name="Compare", exact=True).click()
    return tab.locator("#compare")


def drawn(tab: Any) -> set[str]:
    """The ids of the units of the circuit page."""
    return set(tab.locator(".unit").evaluate_all("units => units.map(unit => unit.dataset.id)"))


def hold_and_go_on(tab: Any, expect: Any) -> tuple[set[str], set[str]]:
    """Hold the circuit of `tree`, ask why of `dog`, and compare; the units of both."""
    left = drawn(tab)
    compare(tab).get_by_role("button", name="Pin: why tree? (photo: patches)").click()
    expect(tab.locator("#compare")).to_contain_text("Pinned: why tree? (photo: patches)")
    tab.locator('[data-action="page"][data-payload*="circuit"]').first.click()
    tab.locator("#predictions").get_by_role("button", name="why dog?").click()
    expect(unit(tab, "fc:1")).to_have_class(re.compile("root"))
    right = drawn(tab)
    compare(tab)
    return left, right


def test_two_targets_stand_side_by_side_in_three_groups(tab: Any, expect: Any) -> None:
    left, right = hold_and_go_on(tab, expect)
    both = left & right
    counts = f"share {len(both)} of {len(left | right)} units (Jaccard index {len(both) / len(left | right):.2f}) and "
    expect(tab.locator(".compared-words")).to_contain_text(counts)
    for column, names in ((1, left - right), (2, both), (3, right - left)):
        cells = tab.locator(f"#compare tbody tr > :nth-child({column + 1}) .unit-card")
        expect(cells).to_have_count(len(names))
    assert tab.locator("#compare tbody th").all_text_contents() == ["fc", "c", "b"]
    sides = tab.locator("#compare .side h2")
    expect(sides).to_have_text(["Why tree?", "Why dog?"])
    expect(tab.locator("#compare .side img").first).to_have_js_property("naturalWidth", 32)
    expect(tab.locator("#compare .share-bar.left").first).to_be_visible()


def test_pictures_come_while_the_comparison_is_on_the_screen(tab: Any, expect: Any, gallery: PaintedGallery) -> None:
    left, right = hold_and_go_on(tab, expect)
    expect(tab.locator('#compare .frame[data-state="ready"]')).to_have_count(len(left | right))
    expect(tab.locator("#compare .frame img").last).to_have_js_property("naturalWidth", 96)


def test_a_shared_unit_is_selected_on_the_circuit_page(tab: Any, expect: Any) -> None:
    left, right = hold_and_go_on(tab, expect)
    shared = sorted(left & right)[0]
    tab.locator("#compare").get_by_role("button", name=re.compile(f"^{shared}, in both")).click()
    expect(tab.locator("#unit .unit-title")).to_have_text(shared)
    tab.get_by_role("button", name="Circuit", exact=True).click()
    expect(unit(tab, shared)).to_have_class(re.compile("selected"))
    only = sorted(left - right - {"fc:2"})[0]
    compare(tab).get_by_role("button", name=re.compile(f"^{only}, only left")).click()
    expect(tab.locator("#unit")).to_contain_text("not in the circuit")


def test_sides_are_swapped_and_forgotten(tab: Any, expect: Any) -> None:
    left, _ = hold_and_go_on(tab, expect)
    tab.get_by_role("button", name="Swap sides").click()
    expect(tab.locator("#compare .side h2")).to_have_text(["Why dog?", "Why tree?"])
    tab.get_by_role("button", name="Circuit", exact=True).click()
    expect(unit(tab, "fc:2")).to_have_class(re.compile("root"))
    assert drawn(tab) == left
    compare(tab).get_by_role("button", name="Clear", exact=True).click()
    expect(tab.locator("#compare")).to_contain_text("Compare two circuits")
    expect(tab.get_by_role("button", name="Swap sides")).to_be_disabled()


def test_a_file_of_another_network_is_opened_beside_and_not_matched(tab: Any, expect: Any, photo: Photo) -> None:
    foreign = circuits.trace(tiny_network(7, "outside_unit"), photo, 2, depth=1, top=2)
    mine = drawn(tab)
    compare(tab)
    with tab.expect_file_chooser() as waiting:
        tab.get_by_role("button", name="Open a circuit file to compare …").click()
    data = foreign.to_json_text().encode()
    waiting.value.set_files({"name": "other.json", "mimeType": "application/json", "buffer": data})
    expect(tab.locator(".compared-words")).to_contain_text(
        "These circuits are from two networks, outside_unit and tiny"
    )
    expect(tab.locator("#compare .apart table").first.locator(".unit-card")).to_have_count(len(foreign.visible))
    expect(tab.locator("#compare .apart table").last.locator("button.unit-card")).to_have_count(len(mine))


def test_without_a_circuit_the_comparison_says_what_to_do(open_tab: Open, served: str, expect: Any) -> None:
    tab = open_tab(served)
    expect(tab.get_by_role("button", name=re.compile("^why ")).first).to_be_visible()
    expect(compare(tab)).to_contain_text("Press why? beside a class, pin")
    expect(tab.get_by_role("button", name="Pin as left side")).to_be_disabled()


def test_a_circuit_that_came_while_circuits_were_compared_takes_its_room_in_the_graph(tab: Any, expect: Any) -> None:
    hold_and_go_on(tab, expect)
    tab.get_by_role("button", name="why cat?").click()
    expect(tab.locator("#compare .side h2").last).to_have_text("Why cat?")
    tab.locator('.pages [data-page="circuit"]').click()
    expect(tab.locator(".unit.root")).to_be_visible()
    expect(tab.locator("#graph .bands .labels")).to_contain_text("fc")
    ways = 'units => new Set(units.map(unit => unit.style.transform.split(",")[0])).size'
    columns = tab.locator(".unit:not(.root)").evaluate_all(ways)
    assert columns > 2
