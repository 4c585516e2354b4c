"""timm's networks and weights of the Hugging Face hub, without a connection."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

import circuits
from circuits.errors import InputError, UnknownError
from circuits.image.photo import load_photo
from circuits.network.hub import from_hub
from circuits.network.loading import load_network
from tests.support.commandline import run


def test_a_network_of_timms_is_shown_photos_as_timm_says_and_knows_its_classes() -> None:
    network = load_network("timm:resnet10t", weights="random")
    seen = network.preprocessing
    assert (seen.size, seen.resize, seen.interpolation) == ((176, 176), 201, "bicubic")
    assert (network.name, network.source, network.labels[281]) == ("timm:resnet10t", "timm:random", "tabby, tabby cat")
    assert network.layers[-1] == "fc"
    assert set(network.layers) > {"layer1.0", "layer2.0", "layer3.0"}


def test_the_books_of_a_network_of_timms_close_and_its_outputs_are_those_of_timm() -> None:
    network = load_network("timm:resnet10t", weights="random", size=64)
    circuit = circuits.trace(network, "example:cat", "tabby", depth=2, top=2)
    for node in circuit.nodes.values():
        if node.books is not None:
            assert node.books.bias_name == "bias"
            total = node.books.shown + node.books.rest + node.books.bias
            assert total == pytest.approx(node.books.value, rel=1e-4, abs=1e-5)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = timm.create_model("resnet10t", pretrained=False).eval()
    image = network.preprocessing.input_of(load_photo("example:cat"))
    with torch.no_grad():
        torch.testing.assert_close(network.logits(image), module(image), rtol=1e-4, atol=1e-5)


def test_batch_norms_of_timms_with_an_activation_inside_are_folded() -> None:
    network = load_network("timm:regnetx_002", weights="random", size=64)
    assert network.piecewise_linear
    assert not [part for part in network.traced.modules() if isinstance(part, torch.nn.BatchNorm2d)]


def test_a_network_that_timm_does_not_have_is_refused_with_some_that_it_has() -> None:
    with pytest.raises(
        UnknownError,
        match=r"^timm has no network 'resnet10x' .did you mean 'resnet10t'.*; it has for example .*resnet101",
    ):
        load_network("timm:resnet10x", weights="random")


def test_without_a_connection_timm_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **options: object) -> None:
        raise OSError("We couldn't connect to\n 'https://huggingface.co'.")

    monkeypatch.setattr(timm, "create_model", unreachable)
    expected = r"^timm:resnet10t could not be loaded: We couldn't connect to 'https://huggingface\.co'; without"
    with pytest.raises(InputError, match=expected):
        load_network("timm:resnet10t")


def test_the_layers_of_a_network_of_timms_need_no_download() -> None:
    result = run("layers", "timm:resnet10t", "--size", "64", "--json")
    assert result.exit_code == 0, result.stderr
    assert "layer3.0" in [row["name"] for row in json.loads(result.stdout)["layers"]]


def test_without_timm_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        InputError, match=r"^timm:resnet10t needs the package timm; pip install 'circuit-explorer\[timm\]'"
    ):
        load_network("timm:resnet10t", weights="random")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """A hub that has one file for whoever asks; what it was asked for."""
    asked: list[tuple[str, str]] = []
    file = tmp_path / "model.safetensors"
    torch.manual_seed(7)
    save_file(timm.create_model("resnet10t", pretrained=False).state_dict(), file)

    def download(repository: str, name: str) -> str:
        asked.append((repository, name))
        return str(file)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=download))
    return asked


def test_weights_of_the_hub_are_fetched_and_read(hub: list[tuple[str, str]]) -> None:
    network = load_network("timm:resnet10t", weights="hf:somebody/cats", size=64)
    assert hub == [("somebody/cats", "model.safetensors")]
    assert network.source == "file:model.safetensors"
    other = load_network("timm:resnet10t", weights="random", size=64)
    assert network.sha256 != other.sha256
    from_hub("hf:somebody/cats/checkpoints/last.pth")
    assert hub[-1] == ("somebody/cats", "checkpoints/last.pth")


def test_without_a_connection_the_hub_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: Any) -> str:
        raise ConnectionError("Cannot reach it")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=unreachable))
    expected = r"^model\.safetensors of a/b could not be had from the Hugging Face hub: Cannot reach it; without a conn"
    with pytest.raises(InputError, match=expected):
        load_network("resnet18", weights="hf:a/b")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"^'hf:cats' is no address of the hub; write hf:owner/repository"):
        from_hub("hf:cats")
