"""Help: the documentation that the page serves itself, and the first steps."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboard.app import Page
from dashboard.features.help.dialog import GUIDES, STEPS
from dashboard.features.help.documentation import PAGES

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def client(page: Page) -> Any:
    return page.dash.server.test_client()


def test_the_pages_are_those_of_the_site_in_its_order() -> None:
    site = re.findall(r"([\w-]+)\.md$", (DOCS.parent / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    assert list(PAGES) == site
    assert set(GUIDES) - {""} <= set(PAGES)


@pytest.mark.parametrize("name", [name for name in PAGES if name != "reference"])
def test_every_link_and_picture_of_every_page_is_there(client: Any, name: str) -> None:
    text = client.get(f"/help/{name}").text
    assert text.count("<h1") == 1
    assert ".md" not in re.sub(r"<(code|pre).*?</\1>", "", text, flags=re.DOTALL)
    for address in re.findall(r'(?:href|src)="([^"]+)"', text):
        if not address.startswith(("http", "#", "./")):
            target, _, anchor = address.partition("#")
            answer = client.get(f"/help/{target}")
            assert answer.status_code == 200, address
            assert not anchor or f'id="{anchor}"' in answer.text, address


def test_tables_definitions_and_code_are_rendered(client: Any) -> None:
    assert "<dt><strong>Logit</strong></dt>" in client.get("/help/glossary").text
    page = client.get("/help/page").text
    assert "<table>" in page
    assert "<pre><code>circuits explore" in page
    assert 'aria-current="page"' in page
    assert client.get("/help/").text == client.get("/help/index").text


def test_the_reference_has_the_docstrings(client: Any) -> None:
    text = client.get("/help/reference").text
    assert "Trace the circuit" in text or "Args:" in text
    assert ":::" not in text


@pytest.mark.parametrize(
    "address",
    ["/help/nothing", "/help/images/../page.md", "/help/images/none.webp", "/help/gallery.py", "/help/page.md"],
)
def test_nothing_else_is_served(client: Any, address: str) -> None:
    assert client.get(address).status_code == 404


def test_what_is_served_is_what_an_installation_has() -> None:
    patterns = re.findall(r'"(docs/[^"]+)"', (DOCS.parent / "pyproject.toml").read_text("utf-8"))
    shipped = {path for pattern in patterns for path in DOCS.parent.glob(pattern) if path.is_file()}
    wanted = {DOCS / f"{name}.md" for name in PAGES} | {path for path in DOCS.glob("images/**/*") if path.is_file()}
    wanted.add(DOCS / "notebook.ipynb")
    assert shipped == wanted


def test_without_the_folder_there_is_no_documentation(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.features.help.routes.folder", lambda: None)
    assert client.get("/help/page").status_code == 404
    assert client.get("/help/images/why-cat.webp").status_code == 404


def test_the_first_steps_are_shown_until_they_are_put_away(
    open_tab: Callable[..., Any], served: str, expect: Any
) -> None:
    tab = open_tab(served)
    steps = tab.locator("#first-steps")
    expect(steps).to_be_visible()
    expect(steps.get_by_role("listitem")).to_have_count(len(STEPS))
    right = tab.get_by_label("The chosen unit or edge").bounding_box()
    card = steps.bounding_box()
    assert right["x"] <= card["x"]
    assert card["x"] + card["width"] <= right["x"] + right["width"]
    steps.get_by_role("button", name="Got it").click()
    expect(steps).to_be_hidden()
    tab.reload()
    expect(tab.get_by_role("button", name="Help")).to_be_visible()
    expect(steps).to_be_hidden()
    tab.get_by_role("button", name="Help").click()
    box = tab.get_by_role("dialog", name="Help")
    expect(box.get_by_role("listitem").first).to_contain_text("Why?")
    with tab.context.expect_page() as opened:
        box.get_by_role("link", name="Glossary").click()
    expect(opened.value.get_by_role("heading", name="Glossary", level=1)).to_be_visible()
