"""A small network and forty photos, indexed in chunks of sixteen files."""

from pathlib import Path

import pytest

from circuits.exemplars import build
from circuits.network.network import Network
from tests.support.collections_of_photos import save_photos, tiny_network


@pytest.fixture(scope="module")
def network() -> Network:
    return tiny_network()


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "CHUNK", 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_photos(tmp_path / "photos", 40)
    return tmp_path / "photos"
