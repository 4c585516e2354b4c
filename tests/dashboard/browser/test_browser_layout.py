"""Where the graph puts things, on the screen: it holds still, is legible at any size, and nothing lies on its words."""

import io
import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from circuits import trace
from circuits.image.photo import Photo
from circuits.network.network import Network
from tests.support.huge import huge
from tests.support.places import box_of, still

Open = Callable[..., Any]
Boxes = dict[str, list[float]]

WIDTHS = [(1440, 900), (1024, 768), (390, 844)]

# Boxes on the screen, [left, top, right, bottom], of a part of each unit that is shown, by id.
_BOXES = """part => Object.fromEntries([...document.querySelectorAll(".unit:not([hidden])")].map(unit => {
    const box = unit.querySelector(part).getBoundingClientRect();
    return [unit.dataset.id, [box.left, box.top, box.right, box.bottom]];
}))"""

# Sizes of letters on the screen, by what they are part of.
_LETTERS = """() => [".name", ".share", ".shown", ".plus", ".band", ".band .detail"].flatMap(part =>
    [...document.querySelectorAll(`#graph ${part}`)].filter(each => each.offsetWidth && each.textContent).map(each =>
        [part, parseFloat(getComputedStyle(each).fontSize) * each.getBoundingClientRect().width / each.offsetWidth]))"""

# Edges that go through the words or the picture of a unit that is not one of their ends.
_THROUGH = """() => {
    const parts = [...document.querySelectorAll(".unit")].flatMap(unit => [".frame", ".words"].map(part =>
        [unit.dataset.id, unit.querySelector(part).getBoundingClientRect()]));
    return [...document.querySelectorAll(".edges:not(.over) > .edge:not(.away)")].filter(edge => {
        const line = edge.querySelector(".line");
        const [length, screen, ends] = [line.getTotalLength(), line.getScreenCTM(), edge.dataset.edge.split(" ")];
        for (let at = 0; at <= length; at += 4) {
            const { x, y } = line.getPointAtLength(at).matrixTransform(screen);
            if (parts.some(([id, box]) => !ends.includes(id)
                && x > box.left + 1 && x < box.right - 1 && y > box.top + 1 && y < box.bottom - 1)) return true;
        }
        return false;
    }).map(edge => edge.dataset.edge);
}"""


@pytest.fixture
def tab(open_tab: Open, served: str, expect: Any) -> Any:
    """The page, opened, with its predictions there."""
    opened = open_tab(served)
    expect(opened.get_by_role("button", name=re.compile("^why ")).first).to_be_visible()
    return opened


def why(tab: Any, expect: Any) -> None:
    """Ask why it is a tree."""
    tab.locator("#predictions").get_by_role("button", name="why tree?").click()
    expect(tab.locator(".unit.root")).to_have_count(1)
    still(tab)


def upload(tab: Any, expect: Any, circuit: dict[str, Any]) -> None:
    """Import a circuit."""
    file = {"name": "mine.json", "mimeType": "application/json", "buffer": json.dumps(circuit).encode()}
    tab.locator("#circuit-upload input[type=file]").set_input_files(file)
    expect(tab.locator(".unit")).to_have_count(len(circuit["nodes"]))
    still(tab)


def boxes(tab: Any, part: str = ".frame") -> Boxes:
    """Where a part of each unit is."""
    found: Boxes = tab.evaluate(_BOXES, part)
    return found


def apart(one: list[float], other: list[float]) -> bool:
    """Whether two boxes have nothing in common."""
    return one[2] <= other[0] + 0.5 or other[2] <= one[0] + 0.5 or one[3] <= other[1] + 0.5 or other[3] <= one[1] + 0.5


def legible(tab: Any) -> None:
    """Pictures of 56 pixels, letters of 11 pixels, and no words under the picture of another unit."""
    frames, words = boxes(tab), boxes(tab, ".words")
    assert min(box[2] - box[0] for box in frames.values()) > 55.9
    letters = tab.evaluate(_LETTERS)
    assert {".name", ".share", ".band"} <= {part for part, _ in letters}
    assert [(part, size) for part, size in letters if size < 10.95] == []
    for one, other in itertools.combinations(frames, 2):
        assert apart(frames[one], frames[other]), (one, other)
        assert apart(words[one], frames[other]), (one, other)
        assert apart(frames[one], words[other]), (one, other)
        assert apart(words[one], words[other]), (one, other)


def test_a_unit_is_expanded_by_its_plus_and_nothing_that_was_there_moves_sideways(tab: Any, expect: Any) -> None:
    why(tab, expect)
    begun = boxes(tab)
    for _ in range(3):
        before = boxes(tab)
        plus = tab.locator(".unit.closed .plus").last
        leaf = plus.locator("..").get_attribute("data-id")
        assert plus.get_attribute("title").startswith("Expand")
        plus.click()
        expect(tab.locator(f'.unit[data-id="{leaf}"]')).to_have_class(re.compile("expanded"))
        still(tab)
        after = boxes(tab)
        for name, box in before.items():
            assert [after[name][0], after[name][2]] == pytest.approx([box[0], box[2]], abs=1)
        lowest = {name.split(":")[0] for name in after} - {name.split(":")[0] for name in before}
        shifts = {round(after[name][1] - box[1]) for name, box in before.items() if name.split(":")[0] == "fc"}
        assert len(shifts) == 1
        assert all(after[name][1] > after[leaf][3] for name in after if name.split(":")[0] in lowest)
    expect(tab.locator(".unit.closed .plus").first).to_be_visible()
    assert tab.locator('.unit.closed[data-id^="a:"]').count() == 0
    grown = boxes(tab)
    assert len(grown) > len(begun) + 5
    for _ in range(3):
        tab.keyboard.press("Control+z")
    expect(tab.locator(".unit")).to_have_count(len(begun))
    for _ in range(3):
        tab.keyboard.press("Control+y")
    expect(tab.locator(".unit")).to_have_count(len(grown))
    still(tab)
    again = boxes(tab)
    for name, box in grown.items():
        assert again[name][0] == pytest.approx(box[0], abs=1)


def test_names_of_layers_stand_beside_their_rows_after_a_row_is_expanded(tab: Any, expect: Any) -> None:
    why(tab, expect)
    tab.get_by_role("button", name=re.compile("^expand all")).click()
    expect(tab.get_by_role("button", name=re.compile("^expand all"))).to_have_count(0)
    # The button that had the focus is gone.
    expect(tab.locator(".unit.root")).to_be_focused()
    still(tab)
    frames, stage = boxes(tab), box_of(tab.locator("#graph"))
    expect(tab.locator('.band[title="Layer a"]')).to_be_visible()
    for name in tab.locator(".band:visible").evaluate_all("bands => bands.map(band => band.title)"):
        label, layer = box_of(tab.locator(f'.band[title="{name}"]')), name.removeprefix("Layer ")
        own = [box for name, box in frames.items() if name.startswith(f"{layer}:")]
        middle = label["y"] + label["height"] / 2
        assert min(box[1] for box in own) <= middle <= max(box[3] for box in own) + 50
        assert stage["y"] <= middle <= stage["y"] + stage["height"]


def test_words_are_legible_and_covered_by_nothing_at_any_size(
    tab: Any, expect: Any, network: Network, photo: Photo
) -> None:
    upload(tab, expect, huge(trace(network, photo, 2, depth=1, top=3), count=70))
    for width, height in WIDTHS:
        tab.set_viewport_size({"width": width, "height": height})
        tab.locator('[data-zoom="fit"]').click()
        still(tab)
        legible(tab)
        assert tab.evaluate(_THROUGH) == []
        shown = list(boxes(tab).values())
        stage, names = box_of(tab.locator("#graph")), box_of(tab.locator(".bands"))
        left, right = names["x"] + names["width"], stage["x"] + stage["width"]
        assert all(box[0] >= left and box[2] <= right for box in shown)
        # Most of the width is used: one more unit would not fit.
        assert right - max(box[2] for box in shown) < 100
    for _ in range(6):
        tab.locator("#graph").press("-")
    legible(tab)
    for _ in range(8):
        tab.locator("#graph").press("+")
    legible(tab)


def test_a_circuit_that_is_larger_than_the_window_has_a_map(
    tab: Any, expect: Any, network: Network, photo: Photo
) -> None:
    why(tab, expect)
    small = tab.locator(".minimap")
    expect(small).to_be_hidden()
    upload(tab, expect, huge(trace(network, photo, 2, depth=1, top=3), count=200))
    expect(small).to_be_visible()
    graph, last = box_of(tab.locator("#graph")), tab.locator(".unit").last
    assert last.bounding_box()["y"] > graph["y"] + graph["height"]
    size = box_of(small)
    tab.mouse.click(size["x"] + size["width"] / 2, size["y"] + size["height"] - 6)
    still(tab)
    assert graph["y"] < last.bounding_box()["y"] < graph["y"] + graph["height"]
    label = box_of(tab.locator(".band:visible").first)
    at = {"x": label["x"] + label["width"] / 2, "y": label["y"] + label["height"] / 2}
    assert tab.evaluate("at => Boolean(document.elementFromPoint(at.x, at.y).closest('.band'))", at)
    assert box_of(small)["y"] >= label["y"] + label["height"]


def test_hiding_weak_edges_closes_the_gaps(tab: Any, expect: Any, network: Network, photo: Photo) -> None:
    upload(tab, expect, trace(network, photo, 2, depth=3, top=6).to_dict())
    all_of_it = boxes(tab)
    tab.locator("#weak").fill("12")
    still(tab)
    left = boxes(tab)
    assert 1 < len(left) < len(all_of_it)
    rows: dict[int, list[float]] = {}
    for box in left.values():
        rows.setdefault(round(box[1]), []).append(box[0])
    steps = [after - before for row in rows.values() for before, after in itertools.pairwise(sorted(row))]
    assert steps
    assert max(steps) == pytest.approx(min(steps), abs=1)
    order = sorted((name for name in left if name.startswith("c:")), key=lambda name: left[name][0])
    assert order == sorted(order, key=lambda name: all_of_it[name][0])
    tab.locator("#weak").fill("0")
    still(tab)
    assert set(boxes(tab)) == set(all_of_it)


def test_the_mouse_sets_nothing_off_before_it_moves(tab: Any, expect: Any) -> None:
    why(tab, expect)
    stage, leaf = tab.locator("#graph"), tab.locator('.unit[data-id^="b:"]').first
    name = leaf.get_attribute("data-id")
    leaf.locator(".frame").hover()
    expect(stage).to_have_class(re.compile("dims"))
    expect(leaf).to_have_class(re.compile("large"))
    still(tab)
    large = boxes(tab)[name]
    for other, words in boxes(tab, ".words").items():
        assert apart(large, words), other
    leaf.locator(".frame").click()
    tab.keyboard.press("e")
    expect(leaf).to_have_class(re.compile("expanded"))
    still(tab)
    expect(stage).not_to_have_class(re.compile("dims"))
    expect(tab.locator(".unit.large")).to_have_count(0)
    tab.keyboard.press("0")
    still(tab)
    tab.locator(".unit.root .frame").hover()
    expect(stage).to_have_class(re.compile("dims"))
    graph, root = box_of(stage), box_of(tab.locator(".unit.root .frame"))
    assert root["y"] >= graph["y"] - 1
    tab.mouse.move(3, 3)
    expect(stage).not_to_have_class(re.compile("dims"))
    # The keys lead from unit to unit and dim nothing.
    tab.keyboard.press("ArrowUp")
    expect(tab.locator(".unit:focus")).to_have_count(1)
    expect(stage).not_to_have_class(re.compile("dims"))


def test_one_thing_is_chosen_at_a_time(tab: Any, expect: Any) -> None:
    why(tab, expect)
    expect(tab.locator(".unit.selected")).to_have_count(1)
    tab.locator(".unit.root").focus()
    tab.keyboard.press("l")
    tab.keyboard.press("Enter")
    expect(tab.locator(".edge.chosen")).to_have_count(1)
    expect(tab.locator(".unit.selected")).to_have_count(0)
    expect(tab.locator("#unit")).to_contain_text("An edge of the circuit")
    expect(tab.locator(".unit.selected")).to_have_count(0)
    tab.locator(".unit.root .frame").click()
    expect(tab.locator(".unit.selected")).to_have_count(1)
    expect(tab.locator(".edge.chosen")).to_have_count(0)
    expect(tab.locator("#unit .unit-title")).to_have_text("tree")
    expect(tab.locator(".edge.chosen")).to_have_count(0)


def test_panes_are_folded_away_and_the_graph_uses_their_room(tab: Any, expect: Any) -> None:
    why(tab, expect)
    before = box_of(tab.locator("#graph"))
    left = tab.get_by_role("button", name="Fold the left pane away")
    left.click()
    expect(left).to_have_attribute("aria-pressed", "true")
    expect(tab.locator(".pane.left")).to_be_hidden()
    assert box_of(tab.locator("#graph"))["x"] == 0
    tab.reload()
    expect(tab.locator(".pane.left")).to_be_hidden()
    left.click()
    expect(tab.locator(".pane.left")).to_be_visible()
    tab.get_by_role("button", name="Full screen").click()
    expect(tab.locator(".pane:visible")).to_have_count(0)
    assert box_of(tab.locator("#graph"))["width"] > before["width"] + 500
    tab.get_by_role("button", name="Full screen").click()
    expect(tab.locator(".pane:visible")).to_have_count(2)


def test_on_a_phone_panes_lie_one_under_the_other_and_a_finger_pans(browser: Any, served: str, expect: Any) -> None:
    tab = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
    tab.goto(served)
    tab.locator("#predictions").get_by_role("button", name="why tree?").click()
    expect(tab.locator(".unit.root")).to_be_visible()
    left, middle, right = (box_of(tab.locator(part)) for part in (".pane.left", "#middle", ".pane.right"))
    assert left["y"] + left["height"] <= middle["y"] + 1
    assert middle["y"] + middle["height"] <= right["y"] + 1
    assert {box["width"] for box in (left, middle, right)} == {390}
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    still(tab)
    frame = tab.locator(".unit.root .frame")
    before = box_of(frame)
    at = {"x": before["x"] + 20, "y": before["y"] + 20}
    touch = tab.context.new_cdp_session(tab)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
    for step in range(1, 5):
        points = [{"x": at["x"] + 10 * step, "y": at["y"] + 15 * step}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    after = box_of(frame)
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((40, 60), abs=12)
    expect(tab.locator(".unit.pinned")).to_have_count(0)
    # What a press brings up is scrolled to.
    for press, part in (
        ("#how-good", "#unit-head"),
        ("[data-page=layers]", "#wall"),
        ("[data-page=circuit]", "#graph"),
    ):
        tab.evaluate("scrollTo(0, 0)")
        tab.locator(f"{press}[data-action]").click()
        expect(tab.locator(part)).to_be_in_viewport(ratio=0.9)
    # A long name breaks, wherever the pane of its unit says it.
    tab.locator(".unit:not(.root)").first.click()
    tab.get_by_label("Name", exact=True).fill("W" * 80)
    tab.keyboard.press("Enter")
    expect(tab.locator("#unit .unit-title")).to_have_text("W" * 80)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    browser.close_page(tab)


def test_names_of_predictions_keep_their_room_beside_why_not(tab: Any, expect: Any) -> None:
    for width, height in WIDTHS:
        tab.set_viewport_size({"width": width, "height": height})
        why(tab, expect)
        labels = tab.locator(".prediction:has(button + button) .label")
        expect(labels).not_to_have_count(0)
        # Nine letters of the page's size.
        assert min(labels.evaluate_all("labels => labels.map(label => label.clientWidth)")) >= 9 * 8


def test_the_strip_goes_to_the_photo_that_was_added(tab: Any, expect: Any) -> None:
    for number in range(9):
        data = io.BytesIO()
        Image.fromarray(np.full((20, 20, 3), 25 * number, np.uint8)).save(data, "png")
        file = {"name": f"{number}.png", "mimeType": "image/png", "buffer": data.getvalue()}
        tab.locator("#photo-upload input[type=file]").set_input_files(file)
        expect(tab.locator("#strip .photo-choice")).to_have_count(2 + number)
    strip, last = tab.locator("#strip ul"), tab.locator("#strip .photo-choice").last
    expect(last).to_have_attribute("aria-pressed", "true")
    expect(strip).to_have_class(re.compile("more-before"))
    room, photo = box_of(strip), box_of(last)
    assert photo["x"] + photo["width"] <= room["x"] + room["width"] + 1
    strip.evaluate("list => list.scrollTo(0, 0)")
    expect(strip).to_have_class(re.compile("more-after"))
    expect(strip).not_to_have_class(re.compile("more-before"))
