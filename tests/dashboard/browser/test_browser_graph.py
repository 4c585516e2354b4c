"""What a person does with the graph, in a real browser: grow, hide, lock, fold, and a circuit of a thousand units."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from circuits import Circuit, measure, trace
from circuits.image.photo import Photo
from circuits.network.network import Network
from dashboard.features.graph import actions as on_circuit
from dashboard.features.graph.weak import coverage, reached
from tests.support.huge import huge
from tests.support.places import box_of, outcome, still

Open = Callable[..., Any]


@pytest.fixture
def tab(open_tab: Open, served: str, expect: Any) -> Any:
    """The page, opened, with its predictions there."""
    opened = open_tab(served)
    expect(opened.get_by_role("button", name=re.compile("^why ")).first).to_be_visible()
    return opened


def unit(tab: Any, name: str) -> Any:
    """The button of a unit in the graph."""
    return tab.locator(f'.unit[data-id="{name}"]')


def edge(tab: Any, lower: str, upper: str) -> Any:
    """The line of an edge."""
    return tab.locator(f'.edge[data-edge="{lower} {upper}"]')


def why(tab: Any, expect: Any, *choices: str) -> list[str]:
    """Ask why it is a tree; the ids of the units that are drawn."""
    for choice in choices:
        tab.locator(f"#{choice}").click()
        expect(tab.locator(f"#{choice}")).to_have_attribute("aria-pressed", "true")
    tab.locator("#predictions").get_by_role("button", name="why tree?").click()
    expect(tab.locator(".unit.root")).to_have_count(1)
    return tab.locator(".unit").evaluate_all("units => units.map(unit => unit.dataset.id)")


def upload(tab: Any, circuit: Any) -> None:
    """Import a circuit."""
    data = circuit if isinstance(circuit, bytes) else circuit.to_json_text().encode()
    file = {"name": "mine.json", "mimeType": "application/json", "buffer": data}
    tab.locator("#circuit-upload input[type=file]").set_input_files(file)


def middle(tab: Any, name: str) -> tuple[float, float]:
    """Where the middle of a unit's picture is on the screen."""
    box = box_of(unit(tab, name).locator(".frame"))
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_an_inhibiting_edge_ends_in_a_bar_and_dashes_say_that_ablation_disagrees(
    tab: Any, expect: Any, network: Network, photo: Photo
) -> None:
    circuit = measure(network, trace(network, photo, 2, depth=2, top=6, signs="both"))
    upload(tab, circuit)
    expect(tab.locator(".unit.root")).to_have_count(1)
    drawn = [each for name in circuit.visible for each in circuit.edges_into(name)]
    assert {each.disagrees for each in drawn} == {False, True}
    assert {each.attribution < 0 for each in drawn} == {False, True}
    for each in drawn:
        line = edge(tab, each.source, each.target)
        assert line.locator(".bar").count() == (each.attribution < 0)
        dashes = line.locator(".line").evaluate("line => getComputedStyle(line).strokeDasharray")
        assert (dashes != "none") == each.disagrees
        spoken = line.get_attribute("aria-label")
        assert "; measured by ablation: " in spoken
        assert spoken.endswith(", disagrees") == each.disagrees
    expect(tab.locator("#legend")).to_contain_text("ablation disagrees")


def test_a_doubtful_edge_has_a_sign_at_its_upper_end_that_the_legend_explains(
    tab: Any, expect: Any, network: Network, photo: Photo
) -> None:
    circuit = measure(network, trace(network, photo, 2, depth=1, top=3))
    upload(tab, circuit)
    expect(tab.locator(".unit.root")).to_have_count(1)
    legend = tab.locator("#legend")
    expect(legend.locator(".cancels")).to_be_hidden()
    data = circuit.to_dict()
    doubtful, plain = data["edges"][:2]
    doubtful |= {"positive": 5.0, "negative": -4.9, "integrated": 9.0}
    upload(tab, Circuit.from_dict(data))
    line = edge(tab, doubtful["source"], doubtful["target"])
    expect(line.locator(".mark")).to_have_text("±∫")
    expect(edge(tab, plain["source"], plain["target"]).locator(".mark")).to_have_count(0)
    expect(legend.locator(".cancels")).to_have_text("±parts cancel")
    expect(legend.locator(".cancels")).to_be_visible()
    expect(legend.locator(".saturates")).to_have_text("∫saturated or past a threshold")
    off = """line => {
        const [way, mark] = [line.querySelector(".line"), line.querySelector(".mark")];
        const at = way.getPointAtLength(0);
        return [at.x - mark.getAttribute("x"), at.y - mark.getAttribute("y")];
    }"""
    assert line.evaluate(off) == [0, -5]


def test_a_whole_level_is_expanded_from_its_name_and_collapsed_again(tab: Any, expect: Any) -> None:
    names = why(tab, expect, "depth-1", "top-3")
    assert len(names) == 4
    button = tab.get_by_role("button", name="expand all, 3 in c")
    expect(button).to_have_text("expand all")
    button.click()
    for name in names:
        expect(unit(tab, name)).to_have_class(re.compile("expanded"))
    expect(tab.get_by_role("button", name=re.compile("in c$"))).to_have_count(0)
    expect(tab.get_by_role("button", name=re.compile("in b$"))).to_have_count(1)
    child = next(name for name in names if name.startswith("c:"))
    unit(tab, child).focus()
    tab.keyboard.press("c")
    expect(unit(tab, child)).not_to_have_class(re.compile("expanded"))
    tab.keyboard.press("Shift+E")
    expect(unit(tab, child)).to_have_class(re.compile("expanded"))


def test_the_circuit_grows_by_levels_and_undo_keys_take_it_back(tab: Any, expect: Any) -> None:
    names = why(tab, expect, "depth-1", "top-3")
    tab.get_by_text("Grow", exact=True).click()
    tab.get_by_role("button", name=re.compile("^2 levels")).click()
    expect(tab.locator('.unit[data-id^="a:"]')).not_to_have_count(0)
    grown = tab.locator(".unit").count()
    tab.keyboard.press("Control+z")
    expect(tab.locator(".unit")).to_have_count(len(names))
    tab.keyboard.press("Control+y")
    expect(tab.locator(".unit")).to_have_count(grown)
    tab.keyboard.press("Control+z")
    expect(tab.locator(".unit")).to_have_count(len(names))
    tab.keyboard.press("Control+Shift+Z")
    expect(tab.locator(".unit")).to_have_count(grown)
    tab.get_by_text("Grow", exact=True).click()
    tab.get_by_role("button", name=re.compile("^1 level")).click()
    expect(tab.get_by_role("alert").last).to_contain_text("Every unit is expanded, down to the lowest layer.")


def test_growth_beyond_the_limit_is_refused(tab: Any, expect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_circuit, "MANY", 8)
    names = why(tab, expect, "depth-1")
    tab.get_by_text("Grow", exact=True).click()
    tab.get_by_role("button", name=re.compile("^1 level")).click()
    expect(tab.get_by_role("alert").last).to_contain_text("this page shows 8 at most: hide more weak edges")
    expect(tab.locator(".unit")).to_have_count(len(names))


def test_weak_edges_are_hidden_at_once_and_the_limit_is_remembered(
    tab: Any, expect: Any, network: Network, photo: Photo
) -> None:
    circuit = trace(network, photo, 2, depth=3, top=5)
    upload(tab, circuit)
    expect(tab.locator(".unit")).to_have_count(len(circuit.visible))
    slider, left = tab.get_by_role("slider"), tab.locator("#weak-left")
    expect(left).to_be_hidden()
    asked: list[Any] = []
    tab.on("request", lambda request: asked.append(request))
    slider.evaluate("slider => { slider.value = 12; slider.dispatchEvent(new Event('input')); }")
    kept, whole = coverage(circuit, 12)
    count = len(circuit.visible) - len(reached(circuit, 12))
    assert count > 0
    expect(left).to_have_text(
        f"Under 12 % hidden ({count} units): on average {round(100 * kept)} % of a unit's gross attribution "
        f"is shown (of {round(100 * whole)} %)"
    )
    assert not [request.url for request in asked if "weak=" in (request.post_data or "")]
    expect(tab.locator(".unit:visible")).to_have_count(len(reached(circuit, 12)))
    slider.focus()
    tab.keyboard.press("ArrowRight")
    expect(left).to_contain_text("Under 12.5 %")
    expect(slider).to_have_attribute("aria-valuetext", "12.5 %")
    tab.wait_for_load_state("networkidle")
    tab.reload()
    expect(left).to_contain_text("Under 12.5 %")
    expect(tab.get_by_role("slider")).to_have_js_property("value", "12.5")
    expect(tab.locator(".unit:visible")).to_have_count(len(reached(circuit, 12.5)))
    tab.get_by_role("slider").fill("0")
    expect(left).to_be_hidden()
    expect(tab.locator(".unit:visible")).to_have_count(len(circuit.visible))


def test_a_limit_above_every_edge_says_how_strong_the_strongest_is(
    tab: Any, expect: Any, network: Network, photo: Photo
) -> None:
    upload(tab, json.dumps(huge(trace(network, photo, 2, depth=1, top=3), count=200)).encode())
    expect(tab.locator(".unit")).to_have_count(200)
    tab.get_by_role("slider").fill("30")
    left = tab.locator("#weak-left")
    told = r"^All 199 units below the target are hidden: its strongest edge accounts for \d+\.\d %$"
    expect(left).to_have_text(re.compile(told))
    words, root = box_of(left), box_of(tab.locator(".unit.root .frame"))
    assert words["y"] + words["height"] <= root["y"]


def test_a_unit_that_is_dragged_stays_where_it_was_put(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    child = next(name for name in names if name.startswith("b:"))
    still(tab)
    x, y = middle(tab, child)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + 30, y + 45, steps=5)
    tab.mouse.up()
    expect(unit(tab, child)).to_have_class(re.compile("pinned"))
    still(tab)
    assert middle(tab, child) == pytest.approx((x + 30, y + 45), abs=3)
    expect(unit(tab, child)).to_have_attribute("aria-pressed", "false")
    expect(unit(tab, child)).to_have_attribute("aria-label", re.compile("locked in place"))
    tab.reload()
    expect(unit(tab, child)).to_have_class(re.compile("pinned"))
    unit(tab, child).locator(".pin").click()
    expect(unit(tab, child)).not_to_have_class(re.compile("pinned"))
    tab.keyboard.press("Control+z")
    expect(unit(tab, child)).to_have_class(re.compile("pinned"))
    tab.get_by_text("Arrange", exact=True).click()
    tab.get_by_role("button", name=re.compile("^Release all")).click()
    expect(tab.locator(".unit.pinned")).to_have_count(0)


def test_a_unit_is_locked_and_moved_with_the_keyboard(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    child = next(name for name in names if name.startswith("c:"))
    unit(tab, child).focus()
    where = "unit => { const at = new DOMMatrix(unit.style.transform); return [at.e, at.f]; }"
    x, y = unit(tab, child).evaluate(where)

    def locked(answer: Any) -> bool:
        return "lock" in (answer.request.post_data or "")

    with tab.expect_response(locked):
        tab.keyboard.press("p")
    expect(unit(tab, child)).to_have_class(re.compile("pinned"))
    assert unit(tab, child).evaluate(where) == [x, y]
    with tab.expect_response(locked):  # the several steps are one change, sent once the keys rest
        for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
            tab.keyboard.press(f"Alt+{key}")
    assert unit(tab, child).evaluate(where) == pytest.approx([x + 30, y + 60], abs=0.2)
    expect(unit(tab, child)).to_be_focused()
    tab.reload()
    expect(unit(tab, child)).to_have_class(re.compile("pinned"))
    assert unit(tab, child).evaluate(where) == pytest.approx([x + 30, y + 60], abs=0.2)
    unit(tab, child).focus()
    tab.keyboard.press("p")
    expect(unit(tab, child)).not_to_have_class(re.compile("pinned"))
    assert unit(tab, child).evaluate(where) == [x, y]


@pytest.fixture
def alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two strongest units below the target are near-duplicates."""
    monkeypatch.setattr(
        "dashboard.work.evidence.near_duplicates",
        lambda network, circuit: (tuple(each.source for each in circuit.edges_into(circuit.root)[:2]),),
    )


def test_near_duplicates_are_marked_folded_and_unfolded(alike: None, tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    marked = tab.locator('.unit[aria-label*="one of 2 that fire in nearly the same places"]')
    expect(marked).to_have_count(2)
    expect(marked.first.locator(".alike")).to_have_text("≈ 2")
    marked.first.locator(".alike").click()
    stack = tab.locator(".unit.stack")
    expect(stack).to_have_count(1)
    expect(tab.locator(".unit")).to_have_count(len(names) - 1)
    expect(stack).to_have_attribute("aria-label", re.compile("stands for 2 that fire in nearly the same places"))
    expect(tab.locator(".unit.root .shown")).to_have_text(re.compile(r"▾ \d+ %"))
    stack.focus()
    tab.keyboard.press("f")
    expect(tab.locator(".unit")).to_have_count(len(names))
    tab.get_by_text("Arrange", exact=True).click()
    tab.get_by_role("button", name=re.compile("^Fold all")).click()
    expect(stack).to_have_count(1)
    tab.keyboard.press("Control+z")
    expect(stack).to_have_count(0)
    tab.keyboard.press("Control+y")
    expect(stack).to_have_count(1)
    tab.reload()
    expect(stack).to_have_count(1)
    tab.get_by_text("Arrange", exact=True).click()
    tab.get_by_role("button", name=re.compile("^Unfold all")).click()
    expect(tab.locator(".unit")).to_have_count(len(names))


def test_a_unit_without_likes_says_so(tab: Any, expect: Any) -> None:
    why(tab, expect)
    unit(tab, "fc:2").focus()
    tab.keyboard.press("f")
    expect(tab.get_by_text("No other unit here fires in nearly the same places as tree.")).to_be_visible()


def test_a_persons_name_of_a_unit_stands_under_its_picture(
    tab: Any, expect: Any, network: Network, photo: Photo
) -> None:
    circuit = trace(network, photo, 2, depth=1, top=3)
    child = circuit.edges_into(circuit.root)[0].source
    upload(tab, circuit.with_name(child, "left-facing <b>dog</b>"))
    expect(unit(tab, child).locator(".name")).to_have_text("left-facing <b>dog</b>")
    assert unit(tab, child).get_attribute("title").startswith(f"left-facing <b>dog</b> ({child})")
    assert unit(tab, child).get_attribute("aria-label").startswith(f"left-facing <b>dog</b>, {child}, excites tree, ")


def test_hovering_zooms_a_units_picture_and_lights_its_edges(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    child = next(name for name in names if name.startswith("c:"))
    expect(unit(tab, child).locator(".frame")).to_have_attribute("data-state", "ready")
    still(tab)
    before = box_of(unit(tab, child).locator(".frame"))["width"]
    unit(tab, child).hover()
    expect(tab.locator(f'[data-copy="{child} fc:2"]')).to_have_class(re.compile("lit"))
    expect(tab.locator(".veil")).to_be_visible()
    expect(unit(tab, "fc:2")).to_have_class(re.compile("near"))
    still(tab)
    assert box_of(unit(tab, child).locator(".frame"))["width"] > 1.3 * before
    other = next(name for name in names if name.startswith("c:") and name != child)
    expect(unit(tab, other)).not_to_have_class(re.compile("near"))
    expect(tab.locator(f'[data-copy="{other} fc:2"]')).to_have_count(0)


# What an action changes on the graph until the frame after it is painted: the elements, each once.
CHANGED = """async act => {
    const changed = new Set();
    const watch = new MutationObserver(records => records.forEach(record => changed.add(record.target)));
    watch.observe(document.querySelector("#graph"), { attributes: true, childList: true, subtree: true });
    await act();
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    watch.disconnect();
    return [...changed].map(element => element.getAttribute("class") || element.id);
}"""


def test_a_click_and_a_pan_touch_few_of_a_thousand_units(tab: Any, expect: Any, network: Network, photo: Photo) -> None:
    upload(tab, json.dumps(huge(trace(network, photo, 0, depth=1, top=3))).encode())
    expect(tab.locator(".unit")).to_have_count(1000)
    still(tab)
    click = f"""name => ({CHANGED})(async () => {{
        const button = document.querySelector(`.unit[data-id="${{name}}"]`);
        const chosen = new Promise(done => new MutationObserver((_, watch) => {{
            if (button.classList.contains("selected")) {{ watch.disconnect(); done(); }}
        }}).observe(button, {{ attributes: true, attributeFilter: ["class"] }}));
        button.click();
        await chosen;
    }})"""
    clicks = [outcome(tab, click, f"block{7 - number}:{number}") for number in range(5)]
    pan = f"""distance => ({CHANGED})(() => {{
        const stage = document.querySelector("#graph");
        const at = x => ({{ clientX: x, clientY: 300, pointerId: 1, bubbles: true }});
        const send = (kind, x) => stage.dispatchEvent(new PointerEvent(kind, at(x)));
        stage.setPointerCapture = () => 0;
        send("pointerdown", 500);
        send("pointermove", 500 + distance);
        send("pointerup", 500 + distance);
    }})"""
    where = "document.querySelector('.world').style.transform"
    before = tab.evaluate(where)
    pans = [outcome(tab, pan, 20 * number) for number in range(1, 6)]
    assert tab.evaluate(where) != before
    assert all(0 < len(changed) < 50 for changed in (*clicks, *pans))


def opened(png: bytes) -> Image.Image:
    """A picture that was saved."""
    with Image.open(io.BytesIO(png)) as image:
        return image.convert("RGB")


def test_the_graph_and_the_wall_are_saved_as_they_are_seen(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    expect(tab.locator('.unit .frame[data-state="ready"]')).to_have_count(len(names))
    colours = {}
    for theme in ("light", "dark"):
        with tab.expect_download() as waiting:
            tab.locator("#export-menu summary").click()
            tab.locator("#export-menu").get_by_role("button", name="Picture of what is on screen").click()
        assert waiting.value.suggested_filename == "patches--tree--picture.png"
        saved, stage = opened(Path(waiting.value.path()).read_bytes()), box_of(tab.locator("#graph"))
        assert saved.size == pytest.approx((2 * stage["width"], 2 * stage["height"]), abs=2)
        screen = opened(tab.screenshot())
        for name in names:
            x, y = middle(tab, name)
            there = saved.getpixel((round(2 * (x - stage["x"])), round(2 * (y - stage["y"]))))
            assert there == pytest.approx(screen.getpixel((round(x), round(y))), abs=12), name
        colours[theme] = saved.getpixel((saved.width - 3, 3))
        tab.get_by_role("button", name="Light / dark").click()
    assert min(colours["light"]) > 200 > 60 > max(colours["dark"])
    tab.get_by_role("button", name="Layers").click()
    frame = tab.locator('.unit-card .frame[data-state="ready"]').first
    expect(frame).to_be_visible()
    with tab.expect_download() as waiting:
        tab.locator("#wall").get_by_role("button", name="Save picture").click()
    assert re.fullmatch(r"patches--\w+--units\.png", waiting.value.suggested_filename)
    wall = box_of(tab.locator(".wall-grid"))
    saved, picture = opened(Path(waiting.value.path()).read_bytes()), box_of(frame)
    assert saved.size == pytest.approx((2 * wall["width"], 2 * wall["height"]), abs=2)
    row = round(2 * (picture["y"] + picture["height"] / 2 - wall["y"]))

    def colour(share: float) -> Any:
        """Of the saved picture, at a share of the frame's width."""
        return saved.getpixel((round(2 * (picture["x"] + share * picture["width"] - wall["x"])), row))

    # The frame is where it is on the page: painted from its left to its right, and not beside it.
    assert colour(0.05) == pytest.approx(colour(0.5), abs=12)
    assert colour(0.95) == pytest.approx(colour(0.5), abs=12)
    assert colour(-0.08) != pytest.approx(colour(0.5), abs=12)
    assert colour(-0.08) == pytest.approx(saved.getpixel((2, 2)), abs=12)


def test_the_page_knows_which_units_are_on_the_screen(tab: Any, expect: Any) -> None:
    names = why(tab, expect)
    assert set(tab.evaluate("window.circuits.unitsSeen()")) == set(names)
    for _ in range(6):
        tab.get_by_role("button", name="Zoom in").click()
    stage = box_of(tab.locator("#graph"))
    gutter = "parseFloat(getComputedStyle(graph).getPropertyValue('--gutter'))"
    left = stage["x"] + tab.locator("#graph").evaluate(f"graph => {gutter}")
    seen = set()
    for name in names:
        box = box_of(unit(tab, name).locator(".frame"))
        across = box["x"] < stage["x"] + stage["width"] and box["x"] + box["width"] > left
        if across and box["y"] < stage["y"] + stage["height"] and box["y"] + box["height"] > stage["y"]:
            seen.add(name)
    assert 0 < len(seen) < len(names)
    assert set(tab.evaluate("window.circuits.unitsSeen()")) == seen


def test_units_are_marked_with_shift_and_the_keyboard_and_put_under_a_name(tab: Any, expect: Any) -> None:
    first, second, third = [name for name in why(tab, expect) if name.startswith("c:")][:3]
    unit(tab, first).click(modifiers=["Shift"])
    expect(unit(tab, first)).to_have_class(re.compile("marked"))
    expect(tab.locator(".unit.selected")).not_to_have_attribute("data-id", first)
    unit(tab, second).focus()
    tab.keyboard.press("m")
    expect(tab.locator(".unit.marked")).to_have_count(2)
    expect(tab.locator("#sets")).to_contain_text("2 units marked")
    tab.get_by_label("Name of the marked units").fill("wings")
    tab.keyboard.press("Enter")
    expect(unit(tab, first).locator(".in-sets")).to_have_text("wings")
    expect(unit(tab, third).locator(".in-sets")).to_have_text("")
    expect(tab.locator(".unit.marked")).to_have_count(0)
    tab.get_by_role("button", name="wings · 2").click()
    expect(tab.locator(".unit.marked")).to_have_count(2)
    unit(tab, second).click(modifiers=["Shift"])
    expect(tab.locator(".unit.marked")).to_have_count(1)
    tab.get_by_label("Name of the marked units").fill("a wing")
    tab.get_by_role("button", name="Keep as a set").click()
    expect(tab.locator(".set-chip")).to_have_text("a wing · 1×")
    tab.reload()
    expect(unit(tab, first).locator(".in-sets")).to_have_text("a wing")
    tab.get_by_role("button", name="Remove the set a wing").click()
    expect(tab.locator("#sets")).to_be_hidden()
