"""Parts of the page that the browser shows already are not sent again."""

from typing import Any

from dash import html, no_update

from dashboard.app import Page
from dashboard.parting import PARTS, less
from tests.dashboard.person import ANN


def have_of(page: dict[str, Any], before: dict[str, str] | None = None) -> dict[str, Any]:
    """What the browser has after an answer, as `merge.js` notes it."""
    view = page["view"]
    tiles, born = view["status"]["tiles_at"], view["status"]["born"]
    return {"born": born, "drawing": view["drawing"], "tiles": tiles, "parts": {**(before or {}), **view["parts"]}}


def sent(page: dict[str, Any]) -> set[str]:
    return {name for name in PARTS if page[name] is not no_update}


def queue(*actions: tuple[str, str]) -> dict[str, Any]:
    entries = [{"number": place + 1, "kind": kind, "subject": subject} for place, (kind, subject) in enumerate(actions)]
    return {"session": ANN, "tab": "tab", "queue": entries}


def test_a_setting_sends_only_the_settings(page: Page) -> None:
    first = page.callbacks.act(queue(("refresh", "")))
    assert sent(first) == set(PARTS)
    assert first["view"]["kept"] == []
    second = page.callbacks.act(queue(("refresh", ""), ("set", "top=8")), have_of(first))
    assert sent(second) == {"settings"}
    assert set(second["view"]["kept"]) == set(PARTS) - {"settings"}
    assert second["view"]["parts"]["settings"] != first["view"]["parts"]["settings"]
    back = page.callbacks.act(queue(("refresh", ""), ("set", "top=8"), ("undo", "")), have_of(second))
    assert back["view"]["parts"].keys() == set(PARTS)


def test_a_part_that_the_browser_shows_in_another_state_is_sent(page: Page) -> None:
    first = page.callbacks.act(queue(("refresh", "")))
    have = have_of(first)
    have["parts"]["predictions"] = "of an answer that crossed"
    assert sent(page.callbacks.act(queue(("refresh", "")), have)) == {"predictions"}


def test_an_answer_with_evidence_only_names_no_part_that_it_left_out(page: Page) -> None:
    first = page.callbacks.act(queue(("refresh", "")))
    revision = str(first["view"]["revision"])
    looked = page.callbacks.act(queue(("look", revision)), None)
    assert set(looked["view"]["parts"]) == {"fired", "books", "evidence", "spot"}
    assert looked["settings"] is no_update


def test_digests_tell_components_apart_by_what_they_show() -> None:
    one = less({"view": {}, "head": html.Div("a", title="x")}, None)["view"]["parts"]["head"]
    same = less({"view": {}, "head": html.Div("a", title="x")}, None)["view"]["parts"]["head"]
    other = less({"view": {}, "head": html.Div("a", title="y")}, None)["view"]["parts"]["head"]
    assert one == same
    assert one != other
