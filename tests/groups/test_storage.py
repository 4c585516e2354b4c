"""Dictionaries in files: written and read again, of other programs, and those that are none."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from circuits import CircuitsError, Dictionary, InputError, Network, load_groups, save_groups, trace
from tests.support.handmade import colour_photo, handmade_network
from tests.support.nets import seeded


@pytest.fixture(scope="module")
def network() -> Network:
    return handmade_network()


def rows(count: int = 2) -> Tensor:
    return torch.rand(count, 3, generator=seeded(0)) + 0.1


def test_what_was_written_is_read(network: Network, tmp_path: Path) -> None:
    file = tmp_path / "groups.safetensors"
    plain = Dictionary(rows(), "cats (3 photos)", weighted=True)
    coded = Dictionary(torch.rand(3, 4), "trained", encoder=torch.rand(3, 4), bias=torch.rand(3))
    save_groups(file, network, {"conv2": plain, "conv1": coded})
    found = load_groups(file, network)
    assert set(found) == {"conv1", "conv2"}
    assert torch.equal(found["conv2"].directions, plain.directions)
    assert torch.equal(found["conv1"].encoder, coded.encoder)
    assert (found["conv2"].source, found["conv2"].weighted) == ("cats (3 photos)", True)


def test_a_file_of_another_program_is_a_dictionary_too(network: Network, tmp_path: Path) -> None:
    """An autoencoder with the names that are usual, half as precise, and without a word about the network."""
    file = tmp_path / "sae.safetensors"
    decoder = rows().half()
    parts = {"decoder": decoder, "encoder": rows().half(), "encoder_bias": torch.zeros(2).half()}
    save_file({f"conv2.{name}": tensor for name, tensor in parts.items()}, file)
    found = load_groups(file, network)["conv2"]
    assert torch.equal(found.directions, decoder.float())
    assert (found.source, found.weighted) == ("sae.safetensors", False)
    circuit = trace(network, colour_photo(), "warm", groups={"conv2": found}, depth=1)
    books = circuit.nodes[circuit.root].books
    assert books.value == pytest.approx(books.shown + books.rest + books.residual + books.bias, abs=1e-5)
    # The decomposition by groups and that by channels leave the same bias.
    assert books.bias == pytest.approx(0.1, abs=1e-5)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"conv2.directions": torch.ones(2, 5)}, "over 5 channels; the layer has 3"),
        ({"conv9.directions": torch.ones(2, 3)}, "layer 'conv9'"),
        ({"conv2.directions": torch.ones(2, 3, dtype=torch.int64)}, "of type int64"),
        ({"conv2.directions": torch.ones(3)}, "must be groups × channels"),
        ({"conv2.directions": torch.full((1, 3), float("inf"))}, "not all finite"),
        ({"conv2.directions": torch.zeros(1, 3)}, "zero everywhere"),
        ({"conv2.encoder": torch.ones(2, 3)}, "no conv2.directions"),
        ({"conv2.directions": torch.ones(2, 3), "conv2.encoder": torch.ones(2, 3)}, "both or neither"),
        ({"conv2.weight": torch.ones(2, 3)}, "no part of a dictionary"),
        ({"directions": torch.ones(2, 3)}, "no part of a dictionary"),
        ({}, "holds no dictionary"),
    ],
)
def test_what_is_no_dictionary_gets_a_sentence(
    network: Network, tmp_path: Path, tensors: dict[str, Tensor], message: str
) -> None:
    file = tmp_path / "none.safetensors"
    save_file(tensors, file)
    with pytest.raises(CircuitsError, match=message):
        load_groups(file, network)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"format": "circuits-groups/9"}, "which this version reads"),
        ({"network": {"name": "another", "sha256": "ab" * 32}}, "are of another"),
        ([], "which this version reads"),
        ({"layers": {"conv2": {"source": 3}}}, "is damaged"),
    ],
)
def test_what_a_file_says_of_itself_is_checked(network: Network, tmp_path: Path, record: object, message: str) -> None:
    file = tmp_path / "other.safetensors"
    save_file({"conv2.directions": rows()}, file, {"circuits": json.dumps(record)})
    with pytest.raises(InputError, match=message):
        load_groups(file, network)


def test_a_file_that_is_none_gets_a_sentence(network: Network, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        load_groups(tmp_path / "missing.safetensors", network)
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(InputError, match=r"is not a \.safetensors file"):
        load_groups(tmp_path / "text.safetensors", network)


def test_nothing_is_not_written(network: Network, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no groups to write"):
        save_groups(tmp_path / "none.safetensors", network, {})
    with pytest.raises(InputError, match="over 9 channels"):
        save_groups(tmp_path / "none.safetensors", network, {"conv2": Dictionary(torch.ones(1, 9), "here")})
    assert not list(tmp_path.iterdir())
