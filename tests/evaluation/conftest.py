"""No test of an evaluation sees an index of the person's own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the person's own: an index would be taken for the mean."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
