"""Several networks of one page: each takes the options that follow it, and the first, or the circuit's own, opens."""

from pathlib import Path

import pytest

from circuits import Circuit, trace
from circuits.cli.explore import labels_of
from circuits.network.loading import load_network
from tests.cli.test_main import served
from tests.support.commandline import HANDMADE, on_handmade, refusal, run, save_photo


def test_each_network_has_the_options_that_follow_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = served(monkeypatch)
    cool = tmp_path / "cool.txt"
    cool.write_text("hot\nicy\n")
    second = [
        "--network",
        HANDMADE,
        "--size",
        "8",
        "--mean",
        "0,.5,0",
        "--std",
        "1,1,1",
        f"--labels={cool}",
        "--port",
        "0",
    ]
    assert run("explore", *on_handmade(tmp_path), *second, "-n", "builtin", "--layers", "conv3,fc").exit_code == 130
    (call,) = calls
    assert (call["network"].labels, call["network"].preprocessing.size) == (("warm", "cold"), (4, 4))
    assert (call["label"], call["port"]) == ("Handmade", 0)
    assert [(other.label, other.name) for other in call["others"]] == [
        ("Handmade 2", "Handmade"), ("builtin", "builtin")
    ]  # fmt: skip
    own, builtin = (other.load() for other in call["others"])
    assert (own.labels, own.preprocessing.size, own.preprocessing.mean) == (("hot", "icy"), (8, 8), (0.0, 0.5, 0.0))
    assert builtin.layers == ("conv3", "fc")


def test_what_stands_before_the_first_network_is_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = served(monkeypatch)
    own, *options = on_handmade(tmp_path)[1:]
    assert run("explore", save_photo(tmp_path), *options, "-n", own, "-n", own, "--size", "6").exit_code == 130
    (call,) = calls
    assert (call["photo"].name, call["network"].preprocessing.size) == ("photo.png", (4, 4))
    other = call["others"][0].load()
    assert (other.labels, other.preprocessing.size) == (("warm", "cold"), (6, 6))


def test_one_network_takes_its_options_from_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = served(monkeypatch)
    named, own, *options = on_handmade(tmp_path)
    assert run("explore", *options[:4], named, own, *options[4:]).exit_code == 130
    assert (calls[0]["network"].labels, calls[0]["others"]) == (("warm", "cold"), [])


def test_a_circuit_opens_the_network_that_it_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = served(monkeypatch)
    out = tmp_path / "cat.json"
    circuit = trace(load_network(layers=["conv5", "fc"]), "example:cat", depth=1)
    circuit.to_json(out)
    assert run("explore", out, *on_handmade(tmp_path), "-n", "builtin").exit_code == 130
    (call,) = calls
    assert (call["network"].name, call["label"], call["circuit"]) == ("builtin", "builtin", Circuit.from_json(out))
    assert [other.label for other in call["others"]] == ["Handmade"]


def test_a_circuit_of_none_of_them_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch)
    out = tmp_path / "cat.json"
    trace(load_network(), "example:cat", depth=1).to_json(out)
    assert "was traced with builtin" in refusal(run("explore", out, *on_handmade(tmp_path), *on_handmade(tmp_path)))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-n", "builtin", "-n", "gogglenet"], "No network 'gogglenet' (did you mean 'googlenet'?)"),
        (["-n", "builtin", "-n", "resnet18", "--size", "x"], "--size 'x' is no size"),
        (["-n", "builtin", "-n", "resnet18", "--mean", "a"], "--mean 'a' is no list of numbers"),
        (["-n", "builtin", "-n", "resnet18", "--weights", "nosuch.pth"], "There is no weights file 'nosuch.pth'"),
        (["-n", "builtin", "-n", "nosuch.py:Net"], "There is no file 'nosuch.py'"),
        (["-n", "builtin", "-n", "resnet18", "--labels", "nosuch.txt"], "nosuch.txt"),
    ],
)
def test_what_is_wrong_with_a_later_network_is_told_at_once(arguments: list[str], sentence: str) -> None:
    assert sentence in refusal(run("explore", *arguments))


def test_networks_of_one_name_are_told_apart_by_their_weights() -> None:
    names, weights = ["net", "net", "net", "mine"], ["a/x.pth", None, "b/x.pth", "c.pth"]
    assert labels_of(names, weights) == ["net (x.pth)", "net", "net (x.pth) 2", "mine"]
