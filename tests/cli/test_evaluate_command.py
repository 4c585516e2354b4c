"""`circuits evaluate` on the hand-wired network, whose scores are known."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from circuits.evaluation import card
from circuits.report.text import number
from tests.support.commandline import on_handmade, refusal, run, save_photo

RED, GREEN, BLUE = 255 / 255, 128 / 255, 64 / 255


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A circuit's file and the options of its network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    options = on_handmade(tmp_path)
    path = tmp_path / "circuit.json"
    traced = run("trace", save_photo(tmp_path), "--target", "warm", "--depth", 2, "--top", 1, "-o", path, *options)
    assert traced.exit_code == 0, traced.output
    return [str(path), *options]


QUICK = ["--stability", 2, "--draws", 2, "--resamples", 20, "--largest", 2]


def test_the_table_shows_the_known_scores_beside_controls(asked: list[str]) -> None:
    result = run("evaluate", *asked, *QUICK)
    assert result.exit_code == 0, result.output
    cold = BLUE + 0.5
    kept = 6 * RED / (3 * (2 * RED - GREEN) - cold)
    lost = 1 + cold / (3 * (2 * RED - GREEN) - cold)
    said = result.stdout
    assert f"Alone, 2 of 7 units (29 %) keep {round(100 * kept)} % of the logit of warm over its own photo" in said
    assert f"Without them {round(100 * lost)} % of it is lost." in said
    assert "More than 100 % is no error" in said
    names = ["this circuit", "random units", "strongest units", "gradient × activation", "weights alone"]
    names.append("shuffled network")
    lines = {name: line for line in said.splitlines() for name in names if line.strip().startswith(name)}
    assert list(lines) == names
    left = round(100 * cold / (3 * (2 * RED - GREEN) - cold))
    alone, without = f"({number(6 * RED + 0.1)})", f"({number(0.1 - cold)})"
    expected = [str(round(100 * kept)), "%", alone, f"−{left}", "%", without, str(round(100 * lost)), "%"]
    assert lines["this circuit"].split()[2:10] == expected
    assert "zero ablation" in said
    assert "In 2 slightly changed photos 100 % of the edges and 100 % of the units are found again" in said
    assert "Mean ablation is left out, because there are no photos" in said


def test_json_is_the_card_and_so_are_its_files(asked: list[str], tmp_path: Path) -> None:
    files = tmp_path / "card.json", tmp_path / "card.html"
    result = run("evaluate", *asked, *QUICK, "--json", "--card", files[0], "-o", files[1])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    Draft202012Validator(card.schema()).validate(told)
    assert json.loads(files[0].read_text("utf-8")) == told
    assert files[1].read_text("utf-8").startswith("<!DOCTYPE html>")
    assert result.stderr.splitlines() == [f"Wrote {file}." for file in files]
    assert told["circuit"]["target"]["label"] == "warm"
    before = files[0].read_bytes(), files[1].read_bytes()
    assert run("evaluate", *asked, *QUICK, "--card", files[0], "-o", files[1]).exit_code == 0
    assert (files[0].read_bytes(), files[1].read_bytes()) == before


def test_parts_can_be_left_out(asked: list[str]) -> None:
    result = run("evaluate", *asked, "--no-controls", "--largest", 0, "--stability", 0, "--mean-over", "none")
    assert result.exit_code == 0, result.output
    assert "random" not in result.stdout
    assert "by units below each unit" not in result.stdout
    assert "changed photos" not in result.stdout
    assert "no mean ablation" not in result.stdout
    told = json.loads(run("evaluate", *asked, *QUICK, "--ladder", "2", "--json").stdout)
    assert told["settings"]["ladder"] == [2]


def test_folders_of_photos_are_scored_and_give_the_mean(asked: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "colours"
    folder.mkdir()
    for place, colour in enumerate([(0, 128, 255), (255, 128, 0)]):
        Image.new("RGB", (4, 4), colour).save(folder / f"{place}.png")
    (folder / "notes.txt").write_text("no photo")
    result = run("evaluate", *asked, folder, *QUICK, "--all-photos", "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == f"1 file in {folder} cannot be read as a photo; left out.\n"
    told = json.loads(result.stdout)
    assert [photo["name"] for photo in told["photos"]] == ["photo.png", "0.png", "1.png"]
    assert [photo["agrees"] for photo in told["photos"]] == [True, False, True]
    assert told["settings"]["baselines"][1]["source"] == "the photos that are scored (2 photos)"
    told = json.loads(run("evaluate", *asked, *QUICK, "--mean-over", folder, "--json").stdout)
    assert told["settings"]["baselines"] == [
        {"name": "zero", "source": ""},
        {"name": "mean", "source": "colours (2 photos)"},
    ]
    few = run("evaluate", *asked, folder, *QUICK).stdout
    said = "The network does not call 1 of 2 photos "
    assert few.startswith(said)
    assert "only the other one is scored. With --all-photos all are.\n" in few
    assert "Of the logit, over 1 photo; the last column" in few
    shown = run("evaluate", *asked, folder, *QUICK, "--all-photos").stdout
    assert said not in shown
    assert "The network puts 1 of 3 photos in another class: 0.png." in shown
    assert "Of the logit, over 2 photos; the last column" in shown
    assert "Of the logit, over its own photo, photo.png; the last" in shown


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["missing.png"], "There is no file missing.png"),
        ([""], "A photo's name is empty; give a file, a folder or example:cat."),
        (["--card", "card.txt"], "--card card.txt ends in neither .json nor .html"),
        (["--card", "nowhere/card.json"], "there is no folder nowhere; make it first."),
        (["--ladder", "1,none"], "--ladder '1,none': write numbers above 0 with commas between, such as 1,3,10."),
        (["--ladder", ""], "--ladder '': write numbers above 0 with commas between, such as 1,3,10."),
        (["--seed", str(2**63)], "seed is 9223372036854775808; it must be 0 or more and below 2^63."),
        (["--mean-over", "somewhere"], "--mean-over 'somewhere' is no folder; give one, or index, photos or none."),
        (
            ["--mean-over", "photos"],
            "--mean-over photos needs photos to take the mean over; give some after the circuit.",
        ),
        (["--mean-over", "index"], "There is no index of exemplars for Handmade; make one with circuits exemplars."),
        (["--mean-over", "empty"], "There is no photo in empty; give a folder with PNG or JPEG files in it."),
        (["--draws", "0"], "--draws '0' is not a whole number from 1 to 1000"),
        (["--network", "builtin", "--labels", "none.txt"], "none.txt"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(
    asked: list[str], more: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert sentence in refusal(run("evaluate", *asked, *more))


def test_a_circuit_of_another_network_is_refused(asked: list[str]) -> None:
    said = refusal(run("evaluate", asked[0]))
    assert said.startswith("Error: The circuit was traced with Handmade (")
    assert said.endswith("; load that network to evaluate it.")


def test_the_circuit_itself_is_not_overwritten(asked: list[str]) -> None:
    said = refusal(run("evaluate", *asked, "--card", asked[0]))
    assert said.endswith("is the circuit itself; give the card a name of its own.")


def test_a_circuit_without_its_photo_needs_it(asked: list[str], tmp_path: Path) -> None:
    path = Path(asked[0])
    data = json.loads(path.read_text("utf-8"))
    del data["graph"]["photo"]["thumbnail"]
    path.write_text(json.dumps(data), "utf-8")
    assert "does not carry its photo, photo.png; give that photo too" in refusal(run("evaluate", *asked))
    result = run("evaluate", asked[0], tmp_path / "photo.png", *asked[1:], *QUICK)
    assert result.exit_code == 0, result.output


def test_a_stop_leaves_no_file(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("circuits.evaluation.evaluate.score_edges", stop)
    before = sorted(tmp_path.iterdir())
    result = run("evaluate", *asked, *QUICK, "--card", tmp_path / "card.json")
    assert (result.exit_code, result.stderr) == (130, "Stopped.\n")
    assert sorted(tmp_path.iterdir()) == before


def test_a_photo_in_two_files_is_scored_once(asked: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    for name in ("one.png", "two.png"):
        Image.new("RGB", (8, 8), (128, 128, 255)).save(folder / name)
    told = json.loads(run("evaluate", *asked, folder, folder / "one.png", *QUICK, "--json").stdout)
    assert [photo["given"] for photo in told["photos"]] == [False, True]
    assert [each["name"] for each in told["settings"]["baselines"]] == ["zero"]
