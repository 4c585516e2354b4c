"""`circuits groups`: what it fits, prints and writes, and what it refuses."""

import json
from pathlib import Path

import pytest

from circuits import load_groups, load_network
from tests.support.commandline import HANDMADE, on_handmade, refusal, run, save_photo


def test_groups_of_a_folder_are_printed_and_written(tmp_path: Path) -> None:
    photos = tmp_path / "warm things"
    photos.mkdir()
    save_photo(photos)
    (photos / "note.txt").write_text("no photo")
    file = tmp_path / "warm.safetensors"
    options = on_handmade(tmp_path)
    result = run("groups", photos, "--groups", 1, "--depth", 1, "--target", "warm", "-o", file, *options)
    assert result.exit_code == 0, result.output
    # One colour everywhere is one direction, (1.5, 0.75) over channels 0 and 1, of length 1.
    assert "conv2/0" in result.stdout
    assert "0: 0.89" in result.stdout
    assert "1: 0.44" in result.stdout
    assert "Fitted to 1 photo, for warm; the network calls it that." in result.stdout
    assert f"--groups {file}" in result.stderr
    labels = tmp_path / "labels.txt"
    network = load_network(HANDMADE, labels=labels, size=4, mean=(0, 0, 0), std=(1, 1, 1))
    [(layer, found)] = load_groups(file, network).items()
    assert (layer, found.groups, found.source) == ("conv2", 1, "warm things (1 photo)")


def test_json_names_the_channels_of_each_group(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    save_photo(photos)
    result = run("groups", photos, "--groups", 1, "--depth", 1, "--json", *on_handmade(tmp_path))
    facts = json.loads(result.stdout)
    [[first, second]] = facts["conv2"]["groups"]
    assert (first["channel"], second["channel"]) == (0, 1)
    assert first["weight"] == pytest.approx(2 / 5**0.5, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "is no folder"),
        (["."], "no photo in"),
        ([".", "--groups", "x"], "--groups"),
        ([".", "-o", "groups.json"], "safetensors"),
    ],
)
def test_what_cannot_be_fitted_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    options = on_handmade(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert message in refusal(run("groups", *arguments, *options))
