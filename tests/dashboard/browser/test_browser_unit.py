"""The pane of a unit in a browser: names, further pictures, standing, books, expansion, measured edges, what if."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from dashboard.app import Page
from tests.dashboard.browser.test_browser import unit, upload, why
from tests.support.places import box_of, outcome
from tests.support.pretend import PaintedGallery

Open = Callable[..., Any]
CHANCE = re.compile(r"^\d+\.\d % → \d+\.\d %$")


@pytest.fixture
def tab(open_tab: Open, served: str, expect: Any) -> Any:
    """The page with the circuit of `tree`, and a unit below it chosen."""
    opened = open_tab(served)
    opened.set_viewport_size({"width": 1280, "height": 720})
    why(opened, expect)
    unit(opened, child_of(opened)).click()
    expect(title(opened)).to_have_text(child_of(opened))
    return opened


def child_of(tab: Any) -> str:
    """The first unit below the class."""
    return str(tab.locator('.edge[data-edge$=" fc:2"]').first.get_attribute("data-edge")).split()[0]


def title(tab: Any) -> Any:
    return tab.locator("#unit .unit-title")


def circuit_of(page: Page) -> Any:
    """The circuit of the only session."""
    [tab_session] = page.callbacks.sessions._desks.values()
    return tab_session.session.work.circuit


def test_a_name_and_a_note_are_kept_while_the_page_goes_on(tab: Any, expect: Any, page: Page) -> None:
    child = child_of(tab)
    name = tab.get_by_label("Name", exact=True)
    name.click()
    tab.keyboard.type("left-facing  dog")
    # An update from the server in the middle of a word disturbs neither text nor focus.
    tab.evaluate("window.circuits.send('refresh')")
    tab.keyboard.type(" head")
    expect(name).to_be_focused()
    expect(name).to_have_value("left-facing  dog head")
    tab.keyboard.press("Enter")
    expect(title(tab)).to_have_text("left-facing dog head")
    expect(tab.locator("#unit-head")).to_contain_text(f"layer {child.split(':')[0]}, channel {child.split(':')[1]}")
    expect(unit(tab, child)).to_contain_text("left-facing dog")
    note = tab.get_by_label("Note", exact=True)
    note.fill("Seen on\nseven photos")
    unit(tab, "fc:2").click()
    expect(note).to_have_value("")
    expect(title(tab)).to_have_text("tree")
    unit(tab, child).click()
    expect(note).to_have_value("Seen on\nseven photos")
    node = circuit_of(page).nodes[child]
    assert (node.name, node.note) == ("left-facing dog head", "Seen on\nseven photos")


def test_a_pause_saves_one_undo_takes_back_all_that_was_written_and_escape_leaves_a_name_as_it_was(
    tab: Any, expect: Any
) -> None:
    child, name = child_of(tab), tab.get_by_label("Name", exact=True)
    name.click()
    tab.keyboard.type("dog")
    expect(title(tab)).to_have_text("dog")
    expect(name).to_be_focused()
    tab.keyboard.type(" head")
    expect(title(tab)).to_have_text("dog head")
    tab.keyboard.press("Escape")
    title(tab).click()
    tab.keyboard.press("Control+z")
    expect(title(tab)).to_have_text(child)
    expect(name).to_have_value("")
    name.fill("dog")
    name.press("Enter")
    expect(title(tab)).to_have_text("dog")
    name.fill("a mistake")
    name.press("Escape")
    expect(name).to_have_value("dog")
    expect(title(tab)).to_have_text("dog")
    # What comes into the pane later does not give the focus back.
    outcome(
        tab,
        """() => new Promise(seen => {
        const pane = document.getElementById("unit");
        new MutationObserver(seen).observe(pane, {childList: true});
        pane.append(document.createElement("i"));
    })""",
    )
    expect(name).not_to_be_focused()


def test_what_is_written_and_set_concerns_the_unit_that_is_shown(tab: Any, expect: Any, page: Page) -> None:
    # The scripts hear of a view after Dash has drawn the pane; on a busy machine a person is quicker than that.
    other = str(tab.locator('.edge[data-edge$=" fc:2"]').nth(1).get_attribute("data-edge")).split()[0]
    tab.evaluate("""() => {
        const plain = window.circuits.tell;
        window.held = [];
        window.circuits.tell = view => window.held.push(view);
        window.letViewsIn = () => {
            window.circuits.tell = plain;
            window.held.forEach(view => plain(view));
        };
    }""")
    unit(tab, other).click()
    expect(title(tab)).to_have_text(other)
    name = tab.get_by_label("Name", exact=True)
    name.fill("dog")
    name.press("Enter")
    tab.locator("#what-if-slider").fill("0.5")
    expect(tab.locator("#what-if .effect")).not_to_have_count(0)
    tab.wait_for_function("() => window.held.length > 0")
    tab.evaluate("window.letViewsIn()")
    expect(title(tab)).to_have_text("dog")
    circuit = circuit_of(page)
    assert {node.id: node.name for node in circuit.nodes.values() if node.name} == {other: "dog"}
    expect(tab.locator("#what-if output")).to_have_text("× 0.5")
    expect(tab.locator("#what-if .what-if-unit")).to_have_text("dog")


def test_further_pictures_come_when_asked_and_are_still_there_later(
    tab: Any, expect: Any, gallery: PaintedGallery
) -> None:
    child = child_of(tab)
    expect(tab.locator('.frame:not([data-state="ready"])')).to_have_count(0)
    gallery.gate.clear()
    gallery.sketches.put(16)
    against = tab.locator(".choose-more").get_by_role("button", name="Minimising image")
    against.press("Enter")
    expect(against).to_have_attribute("aria-pressed", "true")
    expect(tab.locator("#status-text")).to_contain_text(f"Rendering {child}, minimising image")
    expect(tab.get_by_role("button", name="Cancel")).to_be_visible()
    expect(tab.get_by_alt_text(f"Minimising image of {child}, unfinished")).to_have_js_property("naturalWidth", 48)
    gallery.gate.set()
    expect(tab.get_by_alt_text(f"Minimising image of {child}", exact=True)).to_have_js_property("naturalWidth", 96)
    expect(against).to_be_focused()
    tab.get_by_role("button", name="Four diverse images").click()
    four = tab.get_by_alt_text(re.compile(f"^What {child} looks for, diverse image [1-4] of 4$"))
    expect(four).to_have_count(4)
    unit(tab, "fc:2").click()
    expect(four).to_have_count(0)
    unit(tab, child).click()
    expect(four).to_have_count(4)
    assert [kind for _, kind in gallery.drawn] == ["negative", "diverse"]


def test_drawing_further_pictures_can_be_cancelled(tab: Any, expect: Any, gallery: PaintedGallery) -> None:
    expect(tab.locator('.frame:not([data-state="ready"])')).to_have_count(0)
    gallery.gate.clear()
    tab.get_by_role("button", name="Four diverse images").click()
    tab.get_by_role("button", name="Cancel").click()
    expect(tab.locator(".variants")).to_contain_text("Not drawn: this was cancelled")
    gallery.gate.set()
    tab.get_by_role("button", name="Resume").click()
    expect(tab.get_by_alt_text(re.compile("diverse image [1-4] of 4$"))).to_have_count(4)


def test_the_pane_shows_both_pictures_tells_where_the_unit_stands_and_keeps_its_order(tab: Any, expect: Any) -> None:
    expect(tab.locator("#unit .mark").first).to_be_visible()
    figures = tab.locator("#unit .pair figure .large")
    boxes = [box_of(figures.nth(place)) for place in (0, 1)]
    assert all(box["width"] > 120 and box["y"] + box["height"] <= 720 for box in boxes)
    assert tab.locator("#unit").evaluate("pane => pane.scrollTop") == 0
    child = child_of(tab)
    expect(tab.get_by_text(re.compile(r"The (\d+(st|nd|rd|th) )?most active of the 20 channels"))).to_be_visible()
    expect(tab.get_by_role("img", name=re.compile(f"{child} is at "))).to_be_visible()
    expect(tab.locator(".histogram .own")).to_have_count(1)
    line = tab.locator("#unit-books .sum")
    expect(line).to_have_text(
        re.compile(
            r"^Decomposition:\s+of the value, shown\s\d+\s%\s[+−]\srest\s\d+\s%\s[+−]\sbias\s\d+\s%\s=\s100\s%\s*$"
        )
    )
    signs = re.findall(r"([+−]?) ?(?:shown|rest|bias) (\d+) %", line.inner_text().replace("\u00a0", " "))
    assert sum(-int(part) if sign == "−" else int(part) for sign, part in signs) == 100
    expect(tab.locator("#unit-books")).to_contain_text("of everything that pushed it up or down")
    expect(tab.locator("#unit .histogram")).to_be_visible()
    parts = ["#unit-head", "#naming", "#unit-looks figure", "#what-if", "#unit-books h2", "#unit-evidence details"]
    tops = [box_of(tab.locator(part).first)["y"] for part in parts]
    assert tops == sorted(tops)
    summary = tab.locator("#in-photo-section > summary")
    summary.press("Enter")
    expect(tab.locator("#unit .histogram")).to_be_hidden()
    tab.locator("#method-deconvnet").evaluate("button => button.click()")
    expect(tab.locator("#method-deconvnet")).to_have_attribute("aria-pressed", "true")
    expect(tab.locator("#unit .histogram")).to_be_hidden()


def test_a_unit_is_expanded_anew_in_its_own_manner(tab: Any, expect: Any) -> None:
    child = child_of(tab)
    below = tab.locator(f'.edge[data-edge$=" {child}"]')
    expect(below).to_have_count(5)
    tab.get_by_role("button", name="At most 3 units below it").press("Enter")
    expect(below).to_have_count(3)
    expect(tab.get_by_role("button", name="At most 3 units below it")).to_be_focused()
    tab.get_by_role("button", name="At most 12 units below it").click()
    tab.get_by_role("button", name="Excitatory and inhibitory units, ranked by magnitude").click()
    expect(below).to_have_count(12)
    expect(tab.locator(f'.edge.inhibits[data-edge$=" {child}"]')).not_to_have_count(0)
    tab.get_by_role("button", name="Collapse").click()
    expect(below).to_have_count(0)
    expect(tab.get_by_role("button", name="At most 12 units below it")).to_have_attribute("aria-pressed", "true")
    tab.get_by_role("button", name="Expand", exact=True).click()
    expect(below).to_have_count(12)


def test_an_edge_and_those_of_a_unit_are_measured_and_judged(tab: Any, expect: Any, page: Page) -> None:
    child = child_of(tab)
    tab.get_by_role("button", name=f"Measure its edges: {child}").click()
    expect(tab.locator(".measure-line")).to_have_text(re.compile("edges (dis)?agree"))
    expect(tab.locator(".agreement")).to_contain_text(re.compile(r"Set to zero: Rank correlation .* over 16 units\."))
    assert all(edge.ablation is not None for edge in circuit_of(page).edges_into(child))
    unit(tab, "fc:2").click()
    tab.get_by_role("button", name=re.compile(f": edge {child} excites tree")).press("Enter")
    expect(title(tab)).to_contain_text("excites")
    tab.get_by_role("button", name="Measure by ablation: tree").click()
    told = tab.locator(".measured")
    expect(told).to_contain_text(re.compile(r"(Agrees|Disagrees): .*tree (drops|rises) by [\d.]+ when"))
    edge = next(each for each in circuit_of(page).edges_into("fc:2") if each.source == child)
    assert edge.ablation is not None
    shown = told.locator("dd .numbers").all_inner_texts()
    assert told.locator("dt").all_inner_texts() == ["attribution", "set to zero", "integrated"]
    assert float(shown[1].replace("−", "-")) == pytest.approx(edge.ablation, rel=0.01)
    tab.keyboard.press("Escape")
    expect(tab.locator(".ablated h2")).to_have_text("Measured by ablation")
    expect(tab.locator(".ablations tbody tr")).to_have_count(6)  # five units, and all of them together


def effects(tab: Any) -> dict[str, str]:
    """What what if says of each class."""
    words = "rows => rows.map(row => [row.children[0].textContent, row.children[1].textContent])"
    return dict(tab.locator("#what-if .effect").evaluate_all(words))


def test_predictions_move_with_the_slider_one_request_at_most_is_under_way_and_the_newest_wins(
    tab: Any, expect: Any
) -> None:
    slider = tab.get_by_role("slider", name=child_of(tab))
    slider.focus()
    tab.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "switched off")
    expect(tab.locator("#what-if .effect")).not_to_have_count(0)
    expect(tab.locator("#what-if .what-if-said")).to_have_text(re.compile(r"^It (still|now) predicts "))
    expect(tab.locator("#what-if .effects")).to_have_attribute("aria-busy", "false")
    off = effects(tab)
    assert all(CHANCE.match(words) for words in off.values())
    assert any(before != after for before, after in (words.split(" → ") for words in off.values()))
    ghost = tab.locator("#predictions .prediction[data-what-if]")
    assert ghost.count() >= 5
    label = ghost.first.locator(".label").inner_text()
    assert ghost.first.get_attribute("data-what-if") == off[label].split(" → ")[1]
    tab.keyboard.press("End")
    expect(tab.locator("#what-if .effect .numbers").first).not_to_have_text(next(iter(off.values())))
    expect(tab.locator("#what-if output")).to_have_text("× 2")
    expect(slider).to_be_focused()
    tab.locator("#what-if").get_by_role("button", name="Reset", exact=True).click()
    expect(tab.locator("#what-if .effect")).to_have_count(0)
    expect(tab.locator("#predictions .prediction[data-what-if]")).to_have_count(0)
    expect(slider).to_have_value("1")
    tab.evaluate("""() => {
        const plain = window.fetch;
        window.count = { now: 0, most: 0, all: 0 };
        window.fetch = async (resource, options) => {
            if (!String(resource).includes("what-if")) return plain(resource, options);
            window.count.now += 1; window.count.all += 1;
            window.count.most = Math.max(window.count.most, window.count.now);
            try { return await plain(resource, options); } finally { window.count.now -= 1; }
        };
    }""")
    slider = tab.locator("#what-if-slider")
    slider.evaluate("""slider => {
        for (let at = 0; at < 40; at++) {
            slider.value = String(2 - at * 0.05);
            slider.dispatchEvent(new Event("input", { bubbles: true }));
        }
    }""")
    expect(tab.locator("#what-if output")).to_have_text("× 0.05")
    expect(tab.locator("#what-if .effects")).to_have_attribute("aria-busy", "false")
    passing = effects(tab)
    slider.press("ArrowRight")
    slider.press("ArrowLeft")
    expect(tab.locator("#what-if .effects")).to_have_attribute("aria-busy", "false")
    assert tab.evaluate("window.count.most") == 1
    assert tab.evaluate("window.count.all") < 12
    expect(tab.locator("#what-if .effect .numbers").first).to_have_text(next(iter(passing.values())))


def test_places_and_several_units_are_changed_and_forgotten_with_the_photo(
    tab: Any, expect: Any, photo: Any, tmp_path: Any
) -> None:
    child = child_of(tab)
    box = tab.locator("#what-if")
    scope = tab.get_by_label("Where it is changed")
    expect(scope.locator("option")).not_to_have_count(1)
    expect(scope.locator("option").nth(1)).to_have_text(re.compile(r"highest place: row \d+, column \d+"))
    box.get_by_role("button", name="Off").click()
    expect(box.locator(".effect")).not_to_have_count(0)
    expect(box.locator(".effects")).to_have_attribute("aria-busy", "false")
    over = tab.locator("#what-if-line")
    expect(over).to_have_text("What if: 1 unit off · Reset")
    expect(tab.locator('.unit[data-what-if="off"]')).to_have_attribute("data-id", child)
    whole = effects(tab)
    scope.select_option(index=1)
    expect(box.locator(".effect .numbers").first).not_to_have_text(next(iter(whole.values())))
    other = str(tab.locator('.edge[data-edge$=" fc:2"]').nth(1).get_attribute("data-edge")).split()[0]
    unit(tab, other).click()
    expect(title(tab)).to_have_text(other)
    box.get_by_role("button", name="Off").click()
    expect(over).to_have_text("What if: 2 units off · Reset")
    expect(tab.locator('.unit[data-what-if="off"]')).to_have_count(2)
    tab.locator("#what-if-slider").fill("0.5")
    expect(over).to_have_text("What if: 1 unit off, 1 unit changed · Reset")
    expect(tab.locator('.unit[data-what-if="scaled"]')).to_have_attribute("data-factor", "× 0.5")
    box.get_by_role("button", name="Off").click()
    listed = box.get_by_role("list", name="Changed units")
    expect(listed).to_contain_text(re.compile(rf"{child}, row \d+, column \d+.*off.*{other}.*off"))
    listed.get_by_role("button", name=f"Reset {child}").click()
    expect(listed).not_to_contain_text(child)
    photo.image.rotate(180).save(tmp_path / "turned.png")
    upload(tab, "photo-upload", "turned.png", (tmp_path / "turned.png").read_bytes())
    expect(tab.locator("#photo")).to_contain_text("turned.png")
    expect(box.locator(".effect")).to_have_count(0)
    expect(over).to_be_hidden()
    expect(tab.locator(".unit[data-what-if]")).to_have_count(0)
    expect(tab.locator("#predictions .prediction[data-what-if]")).to_have_count(0)


def test_a_class_and_a_locked_circuit_say_why_nothing_can_be_changed(tab: Any, expect: Any, page: Page) -> None:
    unit(tab, "fc:2").click()
    expect(tab.locator("#what-if")).to_contain_text("tree is a class itself, and nothing depends on it")
    expect(tab.locator("#what-if-slider")).to_be_hidden()
    data = circuit_of(page).to_json_text().replace(circuit_of(page).network["sha256"], "0" * 64)
    upload(tab, "circuit-upload", "other.json", data.encode(), "application/json")
    expect(tab.locator("#unit .notice")).to_contain_text("of another network")
    expect(tab.locator("#what-if")).to_contain_text("of another network")
    name = tab.get_by_label("Name", exact=True)
    name.fill("my tree")
    name.press("Enter")
    expect(title(tab)).to_have_text("my tree")
