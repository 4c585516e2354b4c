"""What every test needs, those in docstrings too: names of units in a folder of its own, never in a person's."""

import itertools
import os
import tempfile

import pytest

_NAMES = tempfile.TemporaryDirectory(prefix="circuits-names-")
_NUMBERS = itertools.count()
os.environ["CIRCUITS_NAMES"] = os.path.join(_NAMES.name, "none")


@pytest.fixture(autouse=True)
def _no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCUITS_NAMES", os.path.join(_NAMES.name, str(next(_NUMBERS))))
