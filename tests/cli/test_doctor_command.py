"""`circuits doctor` says what a report of a bug needs, also where something is broken."""

import json
import os
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from tests.support.commandline import on_handmade, run


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, with a cache of 10 bytes."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    pictures = tmp_path / "cache" / "circuits" / "pictures"
    pictures.mkdir(parents=True)
    (pictures / "one.webp").write_bytes(bytes(10))


def test_versions_system_folders_device_and_network_are_told(tmp_path: Path) -> None:
    result = run("doctor", "--json", *on_handmade(tmp_path))
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert list(told) == ["versions", "system", "folders", "device", "network"]
    assert told["versions"]["torch"] == version("torch")
    assert told["versions"]["python"].count(".") == 2
    assert told["system"]["processors"] == os.cpu_count()
    assert told["system"]["installation"] is None
    assert told["folders"]["cache"] == {"path": os.path.join("~", "cache", "circuits"), "writable": True, "bytes": 10}
    assert told["folders"]["state"]["bytes"] == 0
    assert told["device"]["threads"] == torch.get_num_threads()
    network = told["network"]
    assert (network["name"], network["classes"], network["size"]) == ("Handmade", 2, [4, 4])
    assert network["layers"] == network["exact"] + 1
    assert (network["inexact"], network["device"]) == ([], "cpu")
    assert network["forward_seconds"] >= 0


def test_the_table_says_the_same_for_people(tmp_path: Path) -> None:
    result = run("doctor", *on_handmade(tmp_path))
    assert (result.exit_code, result.stderr) == (0, "")
    rows = dict(line.strip().split(maxsplit=1) for line in result.stdout.splitlines())
    assert rows["torch"].strip() == version("torch")
    assert rows["cache"].strip() == f"{os.path.join('~', 'cache', 'circuits')}, writable, 10 bytes"
    assert rows["network"].startswith("Handmade (")
    assert "attributions sum exactly in " in rows["layers"]


def test_layers_whose_books_do_not_close_are_named() -> None:
    told = json.loads(run("doctor", "--json", "--network", "mobilenet_v3_small", "--weights", "random").stdout)[
        "network"
    ]
    assert told["layers"] == told["exact"] + len(told["inexact"]) + 1
    assert "features.4" in told["inexact"]


def test_a_network_that_does_not_load_is_reported_with_everything_else() -> None:
    result = run("doctor", "--network", "nothing")
    assert result.exit_code == 2
    assert "nothing failed: UnknownError: No network 'nothing'" in result.stdout
    assert "threads" in result.stdout
    assert result.stderr.startswith("Error: No network 'nothing'")
    told = json.loads(run("doctor", "--json", "--network", "nothing").stdout)
    assert told["network"].keys() == {"name", "error"}


def test_a_torch_that_does_not_load_is_reported_with_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("circuits.cli.options.NetworkOptions.load", broken)
    result = run("doctor")
    assert result.exit_code == 1
    assert "builtin failed: RuntimeError: operator torchvision::nms does not exist" in result.stdout
    assert result.stderr.startswith("Error: circuits itself failed (RuntimeError: operator")


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
    assert "circuits, not writable, 0 bytes" in " ".join(run("doctor", *on_handmade(tmp_path)).stdout.split())
