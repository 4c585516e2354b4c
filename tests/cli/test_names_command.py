"""`circuits names`: names are listed, given, exchanged and suggested; and shown where other commands print a unit."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from circuits import Atlas, Suggestion, names_of, remember
from circuits.atlas.suggestion import write_suggestions
from circuits.units import Unit
from tests.support.commandline import on_handmade, refusal, run, save_photo
from tests.support.handmade import handmade_network

UNIT = Unit("conv2", 0)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return on_handmade(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def sha256(network: list[str]) -> str:
    """The fingerprint of the hand-wired network."""
    return str(json.loads(run("names", "--json", *network).stdout)["fingerprint"])


def test_names_are_given_listed_and_taken_away(network: list[str], sha256: str) -> None:
    assert "No unit of Handmade has a name yet" in run("names", *network).stdout
    named = run("names", "conv2:0", " warm  part", "--note", "red less green", *network)
    assert named.stdout.split() == ["unit", "name", "note", "conv2:0", "warm", "part", "red", "less", "green"]
    run("names", "conv1:3", "--note", "dark", *network)
    listed = run("names", *network).stdout.splitlines()
    assert listed[0] == "2 units of Handmade have a name or a note."
    assert [line.split()[0] for line in listed[1:]] == ["unit", "conv1:3", "conv2:0"]
    assert names_of(sha256)[UNIT].name == "warm part"
    assert json.loads(run("names", "conv2:0", "", "--json", *network).stdout)["units"] == [
        {"unit": "conv2:0", "name": "", "note": "red less green", "suggestion": None}
    ]
    assert run("names", "conv2:0", "--note", "", *network).stdout == "conv2:0 of Handmade has no name.\n"
    assert list(names_of(sha256)) == [Unit("conv1", 3)]


def test_names_go_to_others_and_come_back(network: list[str], sha256: str, tmp_path: Path) -> None:
    file = tmp_path / "names.csv"
    remember(sha256, UNIT, name="=warm")
    remember(sha256, "conv1:0", name="red")
    assert run("names", "--export", file, *network).exit_code == 0
    text = file.read_text()
    assert text == f"unit,name,note\nnetwork,Handmade,{sha256}\nconv1:0,red,\nconv2:0,'=warm,\n"
    remember(sha256, UNIT, name="cold")
    remember(sha256, "conv1:1", name="green")
    taken = run("names", "--import", file, *network)
    assert taken.stderr == f"Took 2 names from {file}.\n"
    assert [each.name for each in names_of(sha256).values()] == ["red", "green", "=warm"]
    file.write_text(text.replace(sha256, "0" * 64))
    refused = refusal(run("names", "--import", file, *network))
    assert f"holds names of Handmade (000000000000), and not of this one ({sha256[:12]})" in refused
    assert "--anyway" in refused
    assert run("names", "--import", file, "--anyway", *network).exit_code == 0
    file.write_text("unit,name\nconv2:1,x\nconv2:9,y\n")
    assert "line 3: No unit conv2:9 in Handmade; conv2 has 3 channels" in refusal(
        run("names", "--import", file, *network)
    )
    file.write_text("unit,name\nconv9:1,x\n")
    assert "line 2: No layer 'conv9' in Handmade" in refusal(run("names", "--import", file, *network))
    assert Unit("conv2", 1) not in names_of(sha256)  # a file is taken whole or not at all


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory, network: list[str]) -> Atlas:
    tmp_path = tmp_path_factory.mktemp("atlas")
    for name, red in (("warm", 200), ("cold", 20)):
        for number in range(3):
            path = tmp_path / "photos" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 4, 3), (red + 5 * number, 30, 60), dtype=np.uint8)).save(path)
    assert run("atlas", tmp_path / "photos", "-o", tmp_path / "atlas", *network).exit_code == 0
    return Atlas.open(tmp_path / "atlas")


def test_suggestions_are_shown_and_taken_only_when_that_is_asked_for(atlas: Atlas, sha256: str, tmp_path: Path) -> None:
    remember(sha256, "conv1:0", name="red")
    none = run("names", "--suggest", "--atlas", atlas.folder)
    assert none.stdout.startswith("0 units of Handmade tell a class from the rest: an AUC of 0.7 or more")
    assert "are held out, of which" in none.stderr
    assert "one of 7 by chance. Add photos to the atlas.\n" in none.stderr
    assert "No atlas suggests anything" in refusal(run("names", "--accept", "--atlas", atlas.folder))
    found = {UNIT: Suggestion("warm, hot", 0.968, 12, 500), Unit("conv1", 0): Suggestion("warm, hot", 0.81, 12, 500)}
    write_suggestions(atlas, "classes", found)
    shown = run("names", "--find", "hot", "--atlas", atlas.folder).stdout.splitlines()
    assert shown[0] == "2 units of Handmade for 'hot'."
    assert "conv2:0" in shown[2]
    assert "tells warm from the rest, 0.97, held out (12 photos of it, 500 others)" in shown[2]
    assert list(names_of(sha256)) == [Unit("conv1", 0)]
    remember(sha256, "conv1:1", name="hot thing")
    shown = run("names", "--find", "hot", "--atlas", atlas.folder).stdout.splitlines()
    assert [next(unit for unit in ("conv1:1", "conv2:0", "conv1:0") if unit in line) for line in shown[2:]] == [
        "conv1:1", "conv2:0", "conv1:0",
    ]  # what somebody has said, then what is suggested, the surest first  # fmt: skip
    remember(sha256, "conv1:1", name="")
    refused = refusal(run("names", "--accept", "--atlas", atlas.folder))
    assert "--accept would name 1 unit; give the UNIT to name, or --all for all of them." in refused
    assert list(names_of(sha256)) == [Unit("conv1", 0)]
    assert run("names", "--accept", "--all", "--atlas", atlas.folder).stderr == "Named 1 unit as the atlas suggests.\n"
    assert [each.name for each in names_of(sha256).values()] == ["red", "warm"]
    assert names_of(sha256)[UNIT].note.startswith("Suggested: tells warm from the rest, 0.97, held out")
    assert run("names", "conv1:0", "--accept", "--atlas", atlas.folder).exit_code == 0
    assert names_of(sha256)[Unit("conv1", 0)].name == "warm"
    assert "No suggestion for conv1:1" in refusal(run("names", "conv1:1", "--accept", "--atlas", atlas.folder))
    assert atlas.circuit("warm", depth=1).node("conv2:0").name == "warm"
    code = "import torch\nclass Mine:\n size = 4\n encode_image = lambda self, images: images.mean((2, 3))\n"
    code += " encode_text = lambda self, texts: torch.eye(3)[:1]\n"
    (tmp_path / "mine.py").write_text(code)
    (tmp_path / "words.txt").write_text("red\n")
    like = ["--atlas", atlas.folder, "--encoder", f"{tmp_path / 'mine.py'}:Mine"]
    assert run("names", "--find", "red", *like).stdout == "0 units of Handmade for 'red'.\n"
    told = run("names", "--suggest", "--words", tmp_path / "words.txt", *like)
    assert told.stdout.startswith("0 units of Handmade fire on what looks like a word of the list")


def test_the_built_in_network_has_suggestions_without_an_atlas() -> None:
    found = json.loads(run("names", "--find", "lion", "--json").stdout)
    assert found["network"] == "builtin"
    told = {each["unit"]: each["suggestion"]["label"] for each in found["units"]}
    assert told["conv7:281"] == "lion"
    assert "lion" in {label.partition(",")[0] for label in told.values()}


def test_what_makes_no_sense_gets_a_sentence(atlas: Atlas, network: list[str], tmp_path: Path) -> None:
    folder, words = ["--atlas", atlas.folder], tmp_path / "words.txt"
    words.write_text("\n")
    for arguments, said in {
        ("--suggest",): "--suggest needs the photos of an atlas",
        ("--note", "x"): "--note is about a unit",
        ("--anyway",): "give --import too",
        ("--find", " "): "--find is empty",
        ("conv2:0@1,1", "x"): "is a neuron, and names are those of channels",
        ("conv2:7", "x"): "No unit conv2:7",
        ("conv2:0", "x" * 81): "has 81 characters",
        ("--export", "names.json"): "--export writes names",
        (*folder, "--encoder", "x.pt"): "give --find TEXT, or --suggest",
        (*folder, "--encoder", "x.pt", "--suggest"): "give it with --words FILE",
        (*folder, "--words", words): "give --suggest and --encoder too",
        (*folder, "--suggest", "--encoder", "x.pt", "--words", words): "has no words",
        (*folder, "--find", "x", "--encoder", "x.pt"): "There is no encoder 'x.pt'",
        ("--atlas", tmp_path): "There is no atlas in",
        (*folder, "--network", "builtin"): "was made with Handmade (",
    }.items():
        given = network if arguments[:1] != ("--atlas",) else []
        assert said in refusal(run("names", *arguments, *given)), arguments


def test_other_commands_say_names(network: list[str], sha256: str, tmp_path: Path) -> None:
    remember(sha256, UNIT, name="warm part")
    remember(sha256, "conv1:0", name="red")
    photo = save_photo(tmp_path)
    traced = run("trace", photo, "--depth", 1, *network).stdout
    assert "conv2:0 warm part" in traced
    (tmp_path / "photos").mkdir()
    save_photo(tmp_path / "photos")
    grouped = run("groups", tmp_path / "photos", "--groups", 1, "--depth", 1, *network).stdout
    assert "0 warm part: 0.89" in grouped
    told = run("exemplars", tmp_path / "photos", "--unit", "conv2:0", "--into", tmp_path / "index", *network).stdout
    assert "\nconv2:0 warm part\n" in told
    changed = run("what-if", photo, "--unit", "conv2:0=0", "--unit", "conv2:1@0,0=2", *network).stdout
    assert "with conv2:0 warm part × 0, conv2:1@0,0 × 2:" in changed
    from circuits.cli.unit_expressions import short_name

    made = handmade_network()
    remember(made.sha256, UNIT, name="warm part")
    assert short_name(made, UNIT) == "conv2:0 warm part"
    assert short_name(made, Unit("fc", 0)) == "warm"
