"""What every test of the command line wants."""

import pytest


@pytest.fixture(autouse=True)
def no_waiting_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that run in this process bind no port."""
    monkeypatch.setattr("circuits.cli.explore._rooms", list)
