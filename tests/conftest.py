"""Types checked at run time, cores shared fairly, and one browser for all tests that need one.

Every function of the packages below is called with its types checked. jaxtyping, which also compares the shapes of what
one function is given and returns, takes fifteen times as long over a call as beartype alone, so it has the modules that
name shapes; beartype has the others. Playwright's synchronous form allows no second browser.
"""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from beartype import BeartypeConf
from beartype.claw import beartype_packages
from jaxtyping import install_import_hook

from tests.support.chromium import Chromium

# circuits.builtin is left out: fx traces it with proxies, which are no tensors.
CHECKED = (
    "attribution", "evaluation", "evidence", "exemplars", "explorer", "files", "image", "network", "report", "tracing",
    "units", "visualization",
)  # fmt: skip


def shaped_modules() -> dict[str, bool]:
    """The modules whose types are checked, and whether jaxtyping is to check them.

    Beside those that name shapes these are the few that beartype alone cannot take: with names that are imported for
    the types only, or with a class that says it is another.
    """
    words = ("from circuits.shapes import", "jaxtyping", "TYPE_CHECKING", "def __class__")
    top = Path(__file__).parents[1]
    found = {}
    for path in sorted((top / "circuits").rglob("*.py")):
        name = ".".join(path.relative_to(top).with_suffix("").parts).removesuffix(".__init__")
        if name.split(".")[1:2] and name.split(".")[1] in CHECKED:
            text = path.read_text(encoding="utf-8")
            found[name] = any(word in text for word in words)
    return found


_SHAPED = shaped_modules()
install_import_hook([name for name, shaped in _SHAPED.items() if shaped], "beartype.beartype")
beartype_packages([name for name, shaped in _SHAPED.items() if not shaped], conf=BeartypeConf(claw_is_pep526=False))

# The headless shell is the same browser without windows, and needs a fifth less of the processor.
_BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), "")

if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):  # several processes test at once
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """What stands now stands until the end; looked through for garbage again and again, it took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 10, 10)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What a test draws at random does not depend on the tests before it, and so not on who shares the work."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """Chromium through playwright; where it is missing the browser's tests are skipped, but not in CI."""
    in_ci = os.environ.get("CI", "").lower() in ("1", "true")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _unavailable("playwright is not installed", in_ci)
    if not CHROMIUM:
        _unavailable("chromium is not installed; CHROMIUM may name it", in_ci)
    with sync_playwright() as playwright:
        opened = Chromium(playwright, CHROMIUM)
        yield opened
        opened.close()


def _unavailable(why: str, in_ci: bool) -> None:
    if in_ci:
        pytest.fail(f"Pages must be tested in a browser, but {why}.")
    pytest.skip(f"Pages cannot be tested in a browser: {why}.")
