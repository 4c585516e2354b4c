"""The score of the circuit in a real browser: one press, numbers, a curve, a file, and what happens when it changes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dashboard.features.evaluation import queries as scores
from tests.dashboard.browser.test_browser import unit, why

Open = Callable[..., Any]
SMALL = {"ladder": (1, 2, 3), "stability": 2, "draws": 2, "resamples": 10}


def test_one_press_scores_the_circuit_and_the_card_is_saved(
    open_tab: Open, served: str, expect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "STAGES", {name: {**SMALL, **parts} for name, parts in scores.STAGES.items()})
    tab = open_tab(served)
    child = next(name for name in why(tab, expect) if name.startswith("c:"))
    ask = tab.get_by_role("button", name="How good is this circuit?")
    ask.focus()
    tab.keyboard.press("Enter")
    pane = tab.locator("#unit")
    expect(pane.locator(".unit-title")).to_have_text("How good is this circuit?")
    expect(pane.locator(".controls-table tbody tr")).to_have_count(6)
    chart = pane.locator(".score-curve")
    expect(chart.locator("svg")).to_have_count(1)
    drawn = ElementTree.fromstring(chart.get_attribute("data-curve"))
    count = sum(len(line.get("points").split()) for line in drawn.iter("polyline"))
    assert count > 2
    expect(chart.locator(".dot")).to_have_count(count + 1)
    expect(ask).to_be_focused()
    pane.get_by_role("link", name="JSON").focus()
    with tab.expect_download() as waiting:
        tab.keyboard.press("Enter")
    assert waiting.value.suggested_filename == "patches--tree--score.json"
    waiting.value.save_as(tmp_path / "card.json")
    kept = pane.locator(".measures .big").first.evaluate("value => value.firstChild.textContent")
    faithfulness = json.loads((tmp_path / "card.json").read_text())["scores"][0]["faithfulness"]["value"]
    assert kept == f"{100 * faithfulness:.0f} %".replace("-", "−")
    # A unit less is another circuit; taken back, it is the one that was scored.
    unit(tab, child).focus()
    tab.keyboard.press("x")
    expect(unit(tab, child)).to_have_count(0)
    tab.keyboard.press("Escape")
    expect(pane).to_contain_text("The circuit has changed since it was scored")
    tab.keyboard.press("Control+z")
    expect(unit(tab, child)).to_have_count(1)
    ask.click()
    expect(pane.locator(".measures .big").first).to_contain_text(kept)
    expect(pane.get_by_role("note")).to_have_count(0)
