"""Which styles and scripts the page loads, and in which order."""

import re
from collections import Counter
from typing import Any

import pytest

from dashboard.app import Page
from dashboard.load_order import FOLDER, SCRIPTS, STYLES


@pytest.fixture
def client(page: Page) -> Any:
    return page.dash.server.test_client()


def test_every_file_of_the_folder_is_loaded_once() -> None:
    files = Counter(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())
    assert Counter(STYLES + SCRIPTS) == files


def test_styles_and_scripts_lie_in_folders_of_features() -> None:
    rooms = {path.parent.name for path in FOLDER.parent.glob("features/*/feature.py")}
    assert rooms
    assert {path.split("/")[0] for path in STYLES + SCRIPTS} <= rooms | {"core"}


def test_the_page_asks_for_them_in_this_order(client: Any) -> None:
    html = client.get("/").text
    assert re.findall(r'href="/assets/([^?"]+)\?m=[\d.]+"', html) == list(STYLES)
    assert re.findall(r'src="/assets/([^?"]+)\?m=[\d.]+"', html) == list(SCRIPTS)
    assert html.count("/assets/") == len(STYLES) + len(SCRIPTS)


def test_scripts_are_there_when_the_renderer_of_the_page_begins(client: Any) -> None:
    html = client.get("/").text
    assert html.index("react-dom") < html.index(f"/assets/{SCRIPTS[0]}")
    assert html.index(f"/assets/{SCRIPTS[-1]}") < html.index('id="_dash-renderer"')


@pytest.mark.parametrize("path", STYLES + SCRIPTS)
def test_each_is_served(client: Any, path: str) -> None:
    with client.get(f"/assets/{path}") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "text/css" if path in STYLES else "text/javascript")
        assert answer.data == (FOLDER / path).read_bytes()
