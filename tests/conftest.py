"""One browser for all tests that need one: playwright's synchronous form allows no second. And cores shared fairly."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import torch

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip

if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):  # several processes test at once
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium through playwright; where it is missing the browser's tests are skipped, but not in CI."""
    in_ci = os.environ.get("CI", "").lower() in ("1", "true")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _unavailable("playwright is not installed", in_ci)
    if not CHROMIUM:
        _unavailable("chromium is not installed; CHROMIUM may name it", in_ci)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield opened
        opened.close()


def _unavailable(why: str, in_ci: bool) -> None:
    if in_ci:
        pytest.fail(f"Pages must be tested in a browser, but {why}.")
    pytest.skip(f"Pages cannot be tested in a browser: {why}.")
