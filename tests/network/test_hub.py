"""Files of the Hugging Face hub, without a connection."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from circuits.errors import InputError
from circuits.network.hub import from_hub
from circuits.network.loading import load_network


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """A hub that has one file for whoever asks; what it was asked for."""
    asked: list[tuple[str, ...]] = []
    file = tmp_path / "model.safetensors"
    torch.manual_seed(7)
    save_file(timm.create_model("resnet10t", pretrained=False).state_dict(), file)

    def download(repository: str, *, allow_patterns: list[str]) -> str:
        asked.append((repository, *allow_patterns))
        return str(tmp_path)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=download))
    return asked


def test_weights_of_the_hub_are_fetched_and_read(hub: list[tuple[str, ...]]) -> None:
    network = load_network("timm:resnet10t", weights="hf:somebody/cats", size=64)
    assert hub == [("somebody/cats", "model.safetensors")]
    assert network.source == "file:model.safetensors"
    other = load_network("timm:resnet10t", weights="random", size=64)
    assert network.sha256 != other.sha256
    with pytest.raises(InputError, match=r"^somebody/cats of the Hugging Face hub has no file 'checkpoints/last\.pth'"):
        from_hub("hf:somebody/cats/checkpoints/last.pth")
    assert hub[-1] == ("somebody/cats", "checkpoints/last.pth")


def test_without_a_connection_the_hub_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: Any, **options: Any) -> str:
        raise ConnectionError("Cannot reach it")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=unreachable))
    expected = r"^a/b could not be had from the Hugging Face hub: Cannot reach it; without a conn"
    with pytest.raises(InputError, match=expected):
        load_network("resnet18", weights="hf:a/b")


def test_what_the_hub_answers_is_told_in_few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError

    def not_here(*args: Any, **options: Any) -> str:
        raise LocalEntryNotFoundError("An error happened while trying to locate the files on the Hub and so on")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=not_here))
    with pytest.raises(InputError, match=r"the Hugging Face hub: there is no connection, and it was not downloaded"):
        from_hub("hf:a/b")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"^'hf:cats' is no address of the hub; write hf:owner/repository"):
        from_hub("hf:cats")
